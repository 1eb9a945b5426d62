"""L1: are the raw bars per contract what a market can have printed?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from ctl.arrays import Bools, Days, Floats, Ints
from ctl.certification.contract_bars import LISTED
from ctl.certification.layers import prints, scale, sessions_compared, stretches
from ctl.certification.tolerance import exceeds
from ctl.errors import CtlError
from ctl.kernels import kernel
from ctl.model.findings import Finding, LayerName, LayerResult, NotRun, counted, finding, worst_status
from ctl.model.rolls import ContinuousSeries

if TYPE_CHECKING:
    from ctl.certification.contract_bars import ContractBarArrays
    from ctl.certification.layers.prints import WindowPrints
    from ctl.certification.layers.sessions_compared import OneSided
    from ctl.certification.our_side import OurSide
    from ctl.certification.request import CertifyRequest
    from ctl.certification.series_arrays import CanonicalArrays
    from ctl.certification.window import Window
    from ctl.model.bars import ContractBars, DailySeries
    from ctl.model.findings import Status


LAYER: Final[LayerName] = "L1"
SPIKE_DEVIATIONS: Final = 10.0
SPIKE_WINDOW: Final = 60
SPIKE_MIN_CHANGES: Final = 20
SPIKE_TAKEN_BACK: Final = 0.5
SPIKE_SHARED: Final = 0.5
STALE_SESSIONS: Final = 5
PARITY_TICKS: Final = 1.0
PARITY_VOLUME: Final = 0.005
PARITY_LEAST_SHARE: Final = 0.99
TOLD: Final = ("BAD_CLOSE", "MIXED_UNITS", "THIN_CONTRACT", "HELD_TO_THE_END")


def check(
    request: CertifyRequest, ours: OurSide | NotRun, window: Window | NotRun, isolated: WindowPrints | NotRun
) -> LayerResult[None]:
    """Every check of the raw bars, and of each side's sessions and single closes against the other's.

    Nothing here gates: a finding says what to look at. The contract that our series holds on a day is the active one.
    """
    bars = ours if isinstance(ours, NotRun) else ours.bars
    if isinstance(ours, NotRun) or isinstance(bars, NotRun) or request.contracts is None:
        return LayerResult.absent(LAYER, bars if isinstance(bars, NotRun) else "no contract bars")
    reference_contracts = None if request.reference is None else request.reference.contracts
    series, calendar = request.canonical, request.calendar_sessions
    months = series.policy.eligible_months if isinstance(series, ContinuousSeries) else None
    sides = None if isinstance(window, NotRun) else sessions_compared.of_window(window)
    theirs = ours.closes.sessions if isinstance(window, NotRun) else window.recovered.sessions
    findings = [
        check_bars(bars),
        check_order(bars),
        scale.check_order(request.contracts.contracts, bars),
        *scale.check_foreign(ours.closes),
        scale.check_holes(ours.closes.sessions, theirs, calendar, built=told_by_builder(series, scale.DATA_HOLE)),
        *check_calendar(bars, ours.canonical, calendar, sides),
        *([] if isinstance(window, NotRun) or sides is None else sessions_compared.check_dates(window, sides)),
        *([] if sides is None else sessions_compared.check(sides)),
        *(
            []
            if isinstance(window, NotRun) or isinstance(isolated, NotRun)
            else [*stretches.check(window, isolated), prints.check_window(window, isolated)]
        ),
        scale.check_volume(request.contracts.contracts, bars, months),
        check_day_basis(request.contracts, bars),
        check_spikes(bars, request.tick),
        check_stale(bars, ours.canonical),
        check_parity(request.contracts, reference_contracts, request.tick),
        *check_series(request.canonical),
    ]
    status = worst_status(made.status for made in findings)
    told = [f"{made.check}: {made.text}" for made in findings if made.status in {"WATCH", "FAIL", "ERROR"}]
    text = "; ".join(told) or f"{bars.day.size} bars of {len(bars.names)} contracts"
    return LayerResult.of(LAYER, status, text, findings, measured=None)


def told_by_builder(series: ContinuousSeries | DailySeries | None, code: str) -> tuple[str, ...]:
    """What the builder of our series says under a code; nothing of a series that was not built here."""
    notices = series.notices if isinstance(series, ContinuousSeries) else ()
    return tuple(notice.text for notice in notices if notice.code == code)


def check_series(series: ContinuousSeries | DailySeries | None) -> list[Finding]:
    """What the builder of our series found in the contracts that it holds."""
    if not isinstance(series, ContinuousSeries):
        return []
    return [finding("series", "WATCH", notice.text, notice.code) for notice in series.notices if notice.code in TOLD]


def check_bars(bars: ContractBarArrays) -> Finding:
    """Prices finite, high and low around open and close, no negative volume. Missing open, high and low are allowed."""
    prices = (bars.open, bars.high, bars.low)
    # Settlement-only data has no open, high or low at all; NaN compares false, so such a bar passes the order checks.
    disorder = (
        (bars.high < bars.open) | (bars.high < bars.close) | (bars.high < bars.low)
        | (bars.low > bars.open) | (bars.low > bars.close)
    )  # fmt: skip
    infinite = ~np.isfinite(bars.close)
    for price in prices:
        infinite |= np.isinf(price)
    absent = np.isnan(bars.open).astype(np.int8) + np.isnan(bars.high) + np.isnan(bars.low)
    partial = (absent > 0) & (absent < len(prices))
    negative = bars.volume < 0
    counts = {
        "high_low_order": int(np.count_nonzero(disorder)),
        "not_finite": int(np.count_nonzero(infinite)),
        "partly_missing": int(np.count_nonzero(partial)),
        "negative_volume": int(np.count_nonzero(negative)),
    }
    bad = np.flatnonzero(disorder | infinite | partial | negative)
    evidence = {**counts, "bars": int(bars.day.size), "first": bars.where(bad)}
    if not bad.size:
        return finding("bars", "PASS", f"{bars.day.size} bars well formed", evidence=evidence)
    text = f"{counted(bad.size, 'malformed bar')}: " + ", ".join(
        f"{name} {count}" for name, count in counts.items() if count
    )
    return finding("bars", "FAIL", text, "MALFORMED_BARS", float(bad.size), 0.0, "bars", evidence)


def check_order(bars: ContractBarArrays) -> Finding:
    """Sessions of each contract ascending and unique."""
    step = np.diff(bars.day, prepend=bars.day[:1])
    bad = np.flatnonzero((step <= 0) & ~bars.first_of_contract)
    if not bad.size:
        return finding("order", "PASS", "sessions ascending and unique per contract")
    text = counted(bad.size, "bar repeats a session or steps back", "bars repeat a session or step back")
    return finding("order", "FAIL", text, "SESSION_ORDER", float(bad.size), 0.0, "bars", {"first": bars.where(bad)})


def check_calendar(
    bars: ContractBarArrays, canonical: CanonicalArrays, calendar_sessions: Days | None, sides: OneSided | None = None
) -> list[Finding]:
    """Bars on days that are no sessions, and sessions on which the active contract has no bar.

    sides: of both sides' sessions: what the calendar has and both lack, or both have and it lacks, is the calendar's.
    """
    if calendar_sessions is None:
        text = "no exchange calendar given"
        return [finding("non_sessions", "NOT_RUN", text), finding("missing_sessions", "NOT_RUN", text)]
    sessions = calendar_sessions.astype("datetime64[D]").astype(np.int64)
    off = np.empty(0, dtype=np.int64) if sides is None else sides.calendar_off.astype(np.int64)
    return [_non_sessions(bars, sessions, off), _missing_sessions(bars, canonical, sessions, off)]


def _non_sessions(bars: ContractBarArrays, sessions: Ints, off: Ints) -> Finding:
    foreign = np.flatnonzero(~_contained(bars.day, sessions))
    foreign = foreign[~_contained(bars.day[foreign], off)]
    if not foreign.size:
        return finding("non_sessions", "PASS", "every bar lies on a session of the exchange")
    text = counted(foreign.size, "bar on a day that is no session", "bars on days that are no sessions")
    text += " of the exchange"
    evidence = {"first": bars.where(foreign)}
    return finding("non_sessions", "WATCH", text, "NON_SESSION_BARS", float(foreign.size), 0.0, "bars", evidence)


def _missing_sessions(bars: ContractBarArrays, canonical: CanonicalArrays, sessions: Ints, off: Ints) -> Finding:
    check = "missing_sessions"
    if not canonical.sessions.size:
        return finding(check, "NOT_RUN", "no canonical series says which contract is active")
    ours = canonical.sessions.astype(np.int64)
    inside = sessions[(sessions >= ours[0]) & (sessions <= ours[-1])]
    missing = inside[~_contained(inside, ours)]
    missing = missing[~_contained(missing, off)]
    if not missing.size:
        return finding(check, "PASS", f"all {inside.size} sessions have a bar", value=0.0)
    before = np.searchsorted(ours, missing, side="right") - 1
    per_contract: dict[str, int] = {}
    for k in canonical.contract[before].tolist():
        name = bars.names[k] if k >= 0 else "unknown"
        per_contract[name] = per_contract.get(name, 0) + 1
    evidence = {
        "missing": [str(day) for day in missing[:LISTED].astype("datetime64[D]")],
        "per_contract": per_contract,
        "share": missing.size / inside.size,
    }
    text = f"{missing.size} of {inside.size} sessions without a bar of the active contract"
    return finding(check, "WATCH", text, "MISSING_SESSIONS", float(missing.size), 0.0, "sessions", evidence)


def check_day_basis(contracts: ContractBars, bars: ContractBarArrays) -> Finding:
    """Bars cut at midnight UTC rather than at the exchange's session end."""
    # Day 0, 1970-01-01, was a Thursday.
    sundays = int(np.count_nonzero(bars.day % 7 == 3))
    basis = contracts.meta.session_basis
    evidence = {"session_basis": basis, "close_basis": contracts.meta.close_basis, "sunday_bars": sundays}
    if basis == "utc_day" or sundays:
        text = "bars span UTC days, not exchange sessions"
        if basis != "utc_day":
            text = f"{counted(sundays, 'bar')} dated on a Sunday"
        return finding("day_basis", "WATCH", text, "UTC_DAY_BARS", evidence=evidence)
    return finding("day_basis", "PASS", "bars span exchange sessions", evidence=evidence)


def check_spikes(bars: ContractBarArrays, tick: float) -> Finding:
    """Closes that jump and come back: |change| > 10 median absolute deviations of the contract's 60 changes before.

    A jump comes back where the next change takes back at least half of it and no more than once and a half.
    Deviations below one tick count as one tick; a contract needs 20 changes of history. Where the root's other
    contracts jump too, the market did.
    """
    rows = _spikes(bars.close, bars.first_of_contract, tick)
    rows = rows[[not _others_jump(bars, row) for row in rows.tolist()]]
    if not rows.size:
        return finding("spikes", "PASS", "no close jumps and comes back")
    text = counted(rows.size, "close jumps and comes back", "closes jump and come back") + " on the next session"
    evidence = {"first": bars.where(rows)}
    return finding("spikes", "WATCH", text, "PRICE_SPIKES", float(rows.size), 0.0, "bars", evidence)


def _others_jump(bars: ContractBarArrays, row: int) -> bool:
    """Whether the median change of the other contracts that session is half of this bar's or more."""
    others = np.flatnonzero((bars.day == bars.day[row]) & ~bars.first_of_contract)
    others = others[others != row]
    change = bars.close[row] - bars.close[row - 1]
    ratio = (bars.close[others] - bars.close[others - 1]) / change
    ratio = ratio[np.isfinite(ratio)]
    return ratio.size > 0 and float(np.median(ratio)) >= SPIKE_SHARED


def check_stale(bars: ContractBarArrays, canonical: CanonicalArrays) -> Finding:
    """Runs of at least 5 identical closes with volume 0 while the contract was active."""
    if not (canonical.contract >= 0).any():
        return finding("stale", "NOT_RUN", "no canonical series says which contract is active")
    idle = np.flatnonzero(bars.volume == 0.0)
    idle = idle[_active(bars, canonical, idle)]
    same = bars.close[idle] - bars.close[idle - 1] == 0.0
    ends, lengths = _runs(idle, same & ~bars.first_of_contract[idle])
    long = lengths >= STALE_SESSIONS
    if not long.any():
        return finding("stale", "PASS", "no stale run on an active contract")
    text = f"{counted(int(long.sum()), 'run')} of {STALE_SESSIONS} or more identical closes without volume"
    rows = ends[long] - lengths[long] + 1
    evidence = {"first": bars.where(rows), "longest": int(lengths.max())}
    return finding("stale", "FAIL", text, "STALE_CLOSES", float(long.sum()), 0.0, "runs", evidence)


def check_parity(contracts: ContractBars, reference: ContractBars | CtlError | None, tick: float) -> Finding:
    """Share of (contract, session) on which both vendors' closes agree within a tick and volumes within 0.5 %."""
    if reference is None:
        return finding("raw_parity", "NOT_RUN", "the reference supplies no contract bars")
    if isinstance(reference, CtlError):
        absent = reference.code == "INPUT_MISSING"
        return finding("raw_parity", "NOT_RUN" if absent else "ERROR", str(reference), reference.code)
    columns = ["contract", "session", "close", "volume"]
    joined = (
        contracts.frame.lazy()
        .select(columns)
        .join(reference.frame.lazy().select(columns), on=["contract", "session"], suffix="_reference")
        .select(
            (pl.col("close") - pl.col("close_reference")).abs().alias("apart"),
            (pl.col("volume") - pl.col("volume_reference")).abs().alias("volume_apart"),
            pl.max_horizontal("volume", "volume_reference").alias("volume"),
        )
        .collect()
    )
    shared = joined.height
    if not shared:
        return finding("raw_parity", "NOT_RUN", "no contract and session in common with the reference's contract bars")
    apart = joined["apart"].to_numpy()
    close_ok = np.round(apart, 9) <= round(PARITY_TICKS * tick, 9)
    volume_known = joined["volume_apart"].is_not_null().to_numpy()
    volume_apart = joined["volume_apart"].fill_null(0).to_numpy()
    volume_ok = volume_apart <= PARITY_VOLUME * joined["volume"].fill_null(0).to_numpy()
    share = float((close_ok & volume_ok).mean())
    evidence: dict[str, Any] = {
        "shared": shared,
        "share_in_parity": share,
        "share_close_in_parity": float(close_ok.mean()),
        "share_volume_in_parity": float(volume_ok[volume_known].mean()) if volume_known.any() else None,
    }
    status: Status = "WATCH" if exceeds(PARITY_LEAST_SHARE, share) else "PASS"
    text = f"{100 * share:.2f} % of {shared} shared bars in parity"
    if status == "WATCH":
        text += f": {100 * evidence['share_close_in_parity']:.2f} % of the closes"
        bases = (contracts.meta.close_basis, reference.meta.close_basis)
        if bases[0] != bases[1]:
            text += f" ({' against '.join(basis.replace('_', ' ') for basis in bases)})"
        if volume_known.any():
            text += f", {100 * evidence['share_volume_in_parity']:.2f} % of the volumes"
    code = "RAW_PARITY" if status == "WATCH" else None
    return finding("raw_parity", status, text, code, share, PARITY_LEAST_SHARE, "fraction", evidence)


def _active(bars: ContractBarArrays, canonical: CanonicalArrays, rows: Ints) -> Bools:
    """Whether these bars are of the contract that the canonical series holds that day.

    A day that the series skips keeps the contract before it.
    """
    days = canonical.sessions.astype(np.int64)
    by_day = np.repeat(canonical.contract, np.diff(days, append=days[-1] + 1))
    offset = bars.day[rows] - days[0]
    inside = (offset >= 0) & (offset < by_day.size)
    active: Bools = inside & (by_day[np.where(inside, offset, 0)] == bars.contract[rows])
    return active


def _contained(days: Ints, known: Ints) -> Bools:
    """Whether each day is one of the known days, by a table over their range."""
    if not known.size or not days.size:
        return np.zeros(days.size, dtype=np.bool_)
    low, high = min(int(days.min()), int(known.min())), max(int(days.max()), int(known.max()))
    table = np.zeros(high - low + 1, dtype=np.bool_)
    table[known - low] = True
    return table[days - low]


def _runs(rows: Ints, continues: Bools) -> tuple[Ints, Ints]:
    """Last row and length of each run of neighbouring rows in which every one but the first continues the one before.

    rows: ascending (n); continues: whether each of them continues the row before it (n).
    """
    if not rows.size:
        empty = np.empty(0, dtype=np.int64)
        return empty, empty
    begins = np.flatnonzero(~(continues & (np.diff(rows, prepend=-2) == 1)))
    ends = np.append(begins[1:], rows.size) - 1
    return rows[ends], ends - begins + 1


@kernel
def _median(values: Floats) -> float:
    """Median of a few numbers, which are sorted in place. Compiles in a fraction of numpy's."""
    count = len(values)
    for n in range(1, count):
        value = values[n]
        k = n
        while k > 0 and values[k - 1] > value:
            values[k] = values[k - 1]
            k -= 1
        values[k] = value
    return float((values[(count - 1) // 2] + values[count // 2]) / 2.0)


@kernel
def _spikes(close: Floats, first_of_contract: Bools, tick: float) -> Ints:
    """Rows of bars that jump and come back. Changes beside a missing close are skipped."""
    count = close.size
    spikes = np.empty(count, dtype=np.int64)
    n_spikes = 0
    window = np.empty(SPIKE_WINDOW, dtype=np.float64)
    start = 0
    for row in range(count - 1):
        if first_of_contract[row]:
            start = row
        if first_of_contract[row + 1] or row - start <= SPIKE_MIN_CHANGES:
            continue
        change = close[row] - close[row - 1]
        size = abs(change)
        after = close[row + 1] - close[row]
        if not (size > SPIKE_DEVIATIONS * tick and abs(change + after) <= SPIKE_TAKEN_BACK * size):
            continue
        # Most candidates fall here, without a sort: were the deviation below a tenth of the jump, half of
        # the changes would lie within a tenth of it around their median. A median beyond a tenth of the
        # jump is a trend, and a jump of that size none worth the name.
        before = close[max(start, row - SPIKE_WINDOW - 1) : row]
        within = 2.0 * size / SPIKE_DEVIATIONS
        n = near = 0
        for k in range(len(before) - 1):
            earlier = abs(before[k + 1] - before[k])
            n += earlier >= 0.0
            near += earlier <= within
        if n < SPIKE_MIN_CHANGES or 2 * near < n:
            continue
        n = 0
        for k in range(len(before) - 1):
            window[n] = before[k + 1] - before[k]
            n += not np.isnan(window[n])
        middle = _median(window[:n])
        for k in range(n):
            window[k] = abs(window[k] - middle)
        deviation = _median(window[:n])
        if abs(middle) <= size / SPIKE_DEVIATIONS and size > SPIKE_DEVIATIONS * max(deviation, tick):
            spikes[n_spikes] = row
            n_spikes += 1
    return spikes[:n_spikes]
