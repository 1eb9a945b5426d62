"""One symbol, from bars to its series, its certificate and its trades.

Composition only: what is read, built, certified and run is decided in the rooms.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ctl import __version__, certification, continuous, digests, ingest, sessions, store
from ctl.errors import CtlError, DataError, WorkspaceError
from ctl.flows.inputs import SymbolInputs
from ctl.model.bars import ContractBars, DailySeries
from ctl.model.rolls import ContinuousSeries, RollPolicy, ScheduledRoll

if TYPE_CHECKING:
    import polars as pl

    from ctl.certification.layers.functional import FunctionalInput
    from ctl.model.certificate import Certificate
    from ctl.model.instruments import CsvMapping
    from ctl.model.reference import Reference
    from ctl.model.trades import StrategyResult, Timeframe
    from ctl.sessions import Days
    from ctl.strategy.b1 import B1Parameters, StrategyBars
    from ctl.strategy.bars import Floats
    from ctl.strategy.protocol import Result, Strategy


@dataclass(frozen=True, slots=True)
class CertifyTerms:
    """The profile's (or the command line's) terms of one certification. tick and slippage in quote units."""

    tick: float
    max_day_delta: int
    quote_unit: str
    calendar: str | None
    currency: str = ""
    acceptance_policy: str = "v1"
    slippage_per_side: float = 0.0


# ---------------------------------------------------------------- continuous


def require_root(bars: ContractBars, root: str, where: str) -> None:
    """Refuse contracts of another root: a series of them would be built under the wrong name."""
    if bars.roots != (root,):
        raise DataError(
            "the files hold contracts of another root",
            where=where,
            found=", ".join(bars.roots) or "no contract",
            expected=root,
            remedy="name the right files or the right root",
            code="IDENTITY_MISMATCH",
        )


def exchange_sessions(frame: pl.DataFrame, calendar: str | None, until: date | None = None) -> Days | None:
    """The exchange's sessions from the first to the last session of a frame, or to `until` where that is later."""
    if calendar is None or calendar == "none" or frame.is_empty():
        return None
    column = frame["session"]
    first, last = column.min(), column.max()
    if not isinstance(first, date) or not isinstance(last, date):
        raise DataError("the session column holds no dates")
    return sessions.sessions_between(calendar, first, max(last, until or last))


def build_series(bars: ContractBars, policy: RollPolicy, calendar: str | None = None) -> ContinuousSeries:
    """The continuous series of one root's contracts."""
    expiries = [terms.last_trade for terms in bars.terms.values() if terms.last_trade is not None]
    until = max(expiries, default=None) if policy.kind in ("calendar", "databento_c") else None
    return continuous.build(bars, policy, calendar_sessions=exchange_sessions(bars.frame, calendar, until))


def write_series(
    folder: Path, root: str, series: ContinuousSeries, manifest: Mapping[str, Any], *, csv: bool
) -> list[Path]:
    """Write a built series as Parquet (and CSV), its manifest last, citing the sha256 of each as `outputs`."""
    import io

    buffer = io.BytesIO()
    series.frame.write_parquet(buffer, compression="zstd")
    files = {f"{root}_continuous.parquet": buffer.getvalue()}
    if csv:
        files[f"{root}_continuous.csv"] = series.frame.write_csv().encode()
    outputs = {name: digests.sha256_bytes(data) for name, data in files.items()}
    files[f"{root}_roll_manifest.json"] = store.json_bytes({**manifest, "outputs": outputs})
    return _write_together(folder, files)


def _write_together(folder: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Write files that belong together, in their order; where one cannot be written, the new ones go again."""
    new = [folder / name for name in files if not os.path.lexists(folder / name)]
    try:
        for name, data in files.items():
            store.write_atomic(folder / name, data)
    except WorkspaceError:
        for path in new:
            with suppress(OSError):
                path.unlink(missing_ok=True)
        raise
    return [folder / name for name in files]


def plain_series(
    path: Path, symbol: str | None = None, *, mapping: CsvMapping | None = None, publisher: int | None = None
) -> DailySeries:
    """The series of a file, adjusted where the file itself states its rolls.

    symbol, publisher: of a Databento file that holds several; None: the only one.
    """
    reference = ingest.read_reference(
        symbol=symbol,
        adjusted=path,
        unadjusted=None,
        instruments=ingest.load_instruments(),
        mapping=mapping,
        publisher=publisher,
    )
    series = reference.adjusted or reference.unadjusted
    if series is None:
        raise DataError("the file holds no series", where=str(path))
    return series


# ---------------------------------------------------------------- certificate


def canonical_series(held: SymbolInputs, calendar: str | None) -> ContinuousSeries | DailySeries | None:
    """The series to certify and to run: built from contracts, or the equity's own bars.

    None where the contracts are another root's: nothing is built under the wrong name, L0 names the mix-up.
    """
    if held.contracts is None or held.policy is None:
        return held.equity
    if held.contracts.roots != (held.root,):
        return None
    return build_series(held.contracts, held.policy, calendar)


def alternatives(held: SymbolInputs, calendar: str | None) -> dict[str, ContinuousSeries | CtlError]:
    """The series that the same policy makes of the same contracts with settlement closes, with session-true bars, and
    with both; an error where its files, or what is in them, do not allow it.

    What the vendor has no folder for is left out.
    """
    contracts, policy, settlements, session_bars = held.contracts, held.policy, held.settlements, held.session_bars
    found: dict[str, ContinuousSeries | CtlError] = {}
    if contracts is None or policy is None:
        return found

    def add(name: str, bars: ContractBars, closes: ContractBars | None) -> None:
        try:
            require_root(bars, held.root, name)
            priced = bars if closes is None else ingest.settled(bars, closes)
            found[name] = build_series(priced, policy, calendar)
        except CtlError as error:
            found[name] = error

    if isinstance(settlements, CtlError):
        found["settlement"] = settlements
    elif settlements is not None:
        add("settlement", contracts, settlements)
    if isinstance(session_bars, CtlError):
        found["session"] = session_bars
    elif session_bars is not None:
        # Intraday files say nothing of expirations: a calendar policy takes them from where the daily bars did.
        session_bars = replace(session_bars, terms=contracts.terms)
        add("session", session_bars, None)
        if settlements is not None and not isinstance(settlements, CtlError):
            add("session_settlement", session_bars, settlements)
    return found


def certify_symbol(
    held: SymbolInputs,
    series: ContinuousSeries | DailySeries | None,
    terms: CertifyTerms,
    *,
    other_contracts: Mapping[str, ContractBars] | None = None,
) -> Certificate:
    """Certify `series`, built from `held`, against the reference."""
    contracts, policy = held.contracts, held.policy
    series, reference, basis = _on_common_basis(held, series)
    rebuild = None
    if contracts is not None and policy is not None and series is not None:

        def rebuild(schedule: tuple[ScheduledRoll, ...]) -> ContinuousSeries:
            return build_series(contracts, replace(policy, kind="schedule", schedule=schedule), terms.calendar)

    # An adjusted price alone does not say what the day's price was.
    alone = contracts is not None and reference is not None and reference.unadjusted is None
    return certification.certify(
        certification.CertifyRequest(
            symbol=held.symbol,
            root=held.root,
            tick=terms.tick,
            max_day_delta=terms.max_day_delta,
            quote_unit=terms.quote_unit,
            contracts=contracts,
            canonical=series,
            reference=reference,
            acceptance_policy=terms.acceptance_policy,
            calendar_sessions=exchange_sessions(held.bars, terms.calendar),
            other_contracts=other_contracts or {},
            rebuild=rebuild,
            functional=None if alone else functional_input(held.symbol, series, reference, terms),
            functional_on=partial(_functional_on, held.symbol, series, reference, terms) if alone else None,
            package_version=__version__,
            currency=terms.currency,
            equity_basis=basis,
            alternatives={} if series is None else alternatives(held, terms.calendar),
        )
    )


def _on_common_basis(
    held: SymbolInputs, series: ContinuousSeries | DailySeries | None
) -> tuple[ContinuousSeries | DailySeries | None, Reference | None, certification.EquityBasis | None]:
    """Both sides of an equity whose actions are known on a common adjustment basis; all others as they are."""
    reference = held.reference
    given = None if reference is None else reference.adjusted or reference.unadjusted
    if held.actions is None or not isinstance(series, DailySeries) or reference is None or given is None:
        return series, reference, None
    from ctl import equity_basis

    found = equity_basis.align(series, given, held.actions, declared=held.common_basis)
    basis = certification.EquityBasis(
        text=found.text,
        refusal=found.refusal,
        notes=found.notes,
        closes=series.frame["close"].to_numpy(),
        document=found.document(),
    )
    if reference.adjusted is not None:
        return found.canonical, replace(reference, adjusted=found.reference), basis
    return found.canonical, replace(reference, unadjusted=found.reference), basis


def _functional_on(
    symbol: str,
    series: ContinuousSeries | DailySeries | None,
    reference: Reference | None,
    terms: CertifyTerms,
    sessions_recovered: Days,
    carried: Floats,
) -> FunctionalInput | None:
    """`functional_input` of a reference whose unadjusted closes were recovered: adjusted less `carried`."""
    import polars as pl

    if reference is None or reference.adjusted is None:
        return None
    adjusted = reference.adjusted
    level = pl.DataFrame({"session": sessions_recovered.astype("datetime64[D]"), "carried": carried})
    frame = adjusted.frame.join(level, on="session", how="inner", maintain_order="left")
    prices = [pl.col(name) - pl.col("carried") for name in ("open", "high", "low", "close")]
    recovered = replace(adjusted, frame=frame.with_columns(prices).drop("carried"))
    return functional_input(symbol, series, replace(reference, unadjusted=recovered), terms)


def functional_input(
    symbol: str, series: ContinuousSeries | DailySeries | None, reference: Reference | None, terms: CertifyTerms
) -> FunctionalInput | None:
    """What B1 does on both adjusted series over their overlap; None where a side is missing altogether.

    Where B1 cannot run on a side (open, high or low missing, no common session) the input says why.
    """
    import numpy as np

    from ctl.certification.layers.functional import FunctionalInput, FunctionalSide

    if series is None or reference is None or reference.adjusted is None:
        return None
    adjusted = reference.adjusted
    own_rows, other_rows = _overlap(_days(series), _days(adjusted))
    try:
        own = strategy_bars(series, symbol, terms.calendar, rows=own_rows)
        carried = _carried(adjusted, reference.unadjusted)
        other = strategy_bars(adjusted, symbol, terms.calendar, rows=other_rows, adjustment=carried)
    except DataError as error:
        nothing = FunctionalSide.empty()
        return FunctionalInput(np.empty(0, "datetime64[D]"), nothing, nothing, absent=str(error))
    from ctl.strategy import b1

    sides, params = (own, other), b1.B1Parameters.registered("daily")
    found = b1.run_signals(sides, params, slippage_per_side=[terms.slippage_per_side] * 2, tick=[terms.tick] * 2)
    triggered = np.unique(np.concatenate([signals.trigger_session for signals in found]))
    canonical, counterpart = (
        FunctionalSide(
            signals.trigger_session,
            signals.exit_session,
            signals.r_theoretical,
            b1.trigger_margins(bars, params, sessions=triggered),
        )
        for bars, signals in zip(sides, found, strict=True)
    )
    return FunctionalInput(_union(own.session, other.session), canonical, counterpart)


def _carried(adjusted: DailySeries, unadjusted: DailySeries | None) -> Floats | None:
    """What each adjusted bar carries above its unadjusted one, where the vendor ships both.

    Where either has no close, what the next bar with both carries; 0.0 behind the last one.
    """
    import numpy as np

    from ctl.strategy.bars import floats

    if unadjusted is None:
        return None
    days, raw_days = _days(adjusted), _days(unadjusted)
    raw = floats(unadjusted.frame["close"])
    if not np.array_equal(days, raw_days):
        place = np.searchsorted(raw_days, days)
        there = np.append(raw_days, np.datetime64("NaT"))[place] == days
        raw = np.where(there, np.append(raw, np.nan)[place], np.nan)
    carried = floats(adjusted.frame["close"]) - raw
    known = np.flatnonzero(~np.isnan(carried))
    if len(known) == len(carried):
        return carried
    return np.append(carried[known], 0.0)[np.searchsorted(known, np.arange(len(carried)))]


def _days(series: DailySeries | ContinuousSeries) -> Days:
    return series.frame["session"].to_numpy().astype("datetime64[D]", copy=False)


def _overlap(left: Days, right: Days) -> tuple[slice, slice]:
    """Rows of each of two ascending lists of days from the later first to the earlier last day, both inclusive."""
    if not (len(left) and len(right)):
        return slice(0, 0), slice(0, 0)
    first, last = max(left[0], right[0]), min(left[-1], right[-1])
    left_rows, right_rows = (
        slice(int(days.searchsorted(first)), int(days.searchsorted(last, side="right"))) for days in (left, right)
    )
    return left_rows, right_rows


def _union(left: Days, right: Days) -> Days:
    """Days of either of two ascending lists, ascending."""
    import numpy as np

    if np.array_equal(left, right):
        return left
    days = np.sort(np.concatenate([left, right]), kind="stable")  # merges two runs
    new = np.append(True, days[1:] != days[:-1])
    union: Days = days[new]
    return union


CERTIFICATE_TABLES: Final = (
    "L2_roll_schedule.csv", "L3_roll_gaps.csv", "L4_drift.csv", "L4_ledger.json", "L5_trades.csv",
)  # fmt: skip


def write_certificate(folder: Path, certificate: Certificate) -> list[Path]:
    """Write a certificate's tables and then its canonical JSON: its sha256 is the certificate's.

    Tables of an earlier certificate that this one does not have are removed: they would tell another story beside it.
    """
    files: dict[str, bytes] = {}
    for name, frame in certificate.tables.items():
        files[name] = frame.write_csv().encode()
    ledger = certificate.document.get("ledger")
    if ledger is not None:
        files["L4_ledger.json"] = store.json_bytes(ledger)
    files[f"{certificate.symbol}_certificate.json"] = digests.canonical_json(dict(certificate.document))
    written = _write_together(folder, files)
    for name in CERTIFICATE_TABLES:
        if name not in files:
            store.remove(folder / name)
    return written


# ---------------------------------------------------------------- strategy


def strategy_bars(
    series: DailySeries | ContinuousSeries,
    symbol: str,
    calendar: str | None,
    *,
    rows: slice = slice(None),
    adjustment: Floats | None = None,
) -> StrategyBars:
    """A series, or some `rows` of it, as the strategy takes it; the calendar (None: ISO weeks) says what ends a week.

    adjustment: of every session of the series, in place of its own.
    """
    from ctl.strategy.b1 import StrategyBars

    days = _days(series)[rows]
    last = days[-1].item() if days.size else None
    if not isinstance(last, date):
        raise DataError(f"{symbol}: no sessions to run on")
    return StrategyBars.from_series(
        series,
        symbol=symbol,
        rows=rows,
        adjustment=adjustment,
        week_key=sessions.week_keys(calendar, days),
        month_key=sessions.month_keys(days),
        week_complete=sessions.week_is_complete(calendar, last),
    )


def run_strategy(
    strategy: Strategy,
    series: DailySeries | ContinuousSeries,
    symbol: str,
    *,
    timeframe: Timeframe = "daily",
    slippage_per_side: float = 0.0,
    tick: float | None = None,
    lots: int = 3,
    calendar: str | None = None,
) -> Result:
    """A strategy over one series."""
    made = strategy.run(
        [strategy_bars(series, symbol, calendar)],
        timeframe=timeframe,
        slippage_per_side=[slippage_per_side],
        tick=[tick],
        lots=lots,
    )
    if len(made) != 1 or made[0].symbol != symbol:
        found = ", ".join(result.symbol for result in made) or "nothing"
        raise DataError(f"strategy {strategy.name} gave no result of {symbol}", found=found, code="RESULT_UNREADABLE")
    return made[0]


def backtest(
    series: DailySeries | ContinuousSeries,
    symbol: str,
    parameters: B1Parameters | None = None,
    *,
    timeframe: Timeframe = "daily",
    slippage_per_side: float = 0.0,
    tick: float | None = None,
    lots: int = 3,
    calendar: str | None = None,
) -> StrategyResult:
    """B1 over one series."""
    from ctl.strategy import b1

    return b1.run(
        strategy_bars(series, symbol, calendar),
        parameters,
        timeframe=timeframe,
        slippage_per_side=slippage_per_side,
        tick=tick,
        lots=lots,
    )
