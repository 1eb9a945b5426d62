"""L1: contracts out of their order, volumes on another scale, holes in the data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ctl.arrays import Days, Floats, Ints
from ctl.certification.series_arrays import median
from ctl.kernels import kernel
from ctl.model.findings import Finding, finding, first_few

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ctl.certification.contract_bars import ContractBarArrays
    from ctl.certification.contract_closes import ContractCloses
    from ctl.model.contracts import Contract


VOLUME_FACTOR: Final = 30.0
VOLUME_FROM, VOLUME_TO = 100, 20
LEAST_VOLUMES: Final = 20
TOTAL_FACTOR: Final = 20.0
TOTAL_SESSIONS: Final = 20
DATA_HOLE: Final = "DATA_HOLE"
HOLE_SESSIONS: Final = 20
ENDED_SESSIONS: Final = 5
# A root's neighbours move alike so nearly that a contract which moves so little with both of its own is another's.
ALIKE_CORRELATION: Final = 0.95
ALONE_CORRELATION: Final = 0.75
LEAST_CHANGES: Final = 60


def out_of_order(contracts: Sequence[Contract], last_bar: Ints, last_session: int) -> list[tuple[int, str]]:
    """Contracts with bars later than the month after their delivery, or that end after their successor, and why.

    last_bar: day number of each contract's last bar, in expiry order (K). last_session: of the data: a contract that
    lives until then has no end to compare.
    """
    delivery = np.array([contract.expiry_key for contract in contracts], dtype=np.int64)
    month = last_bar.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) + 1970 * 12
    late = month > delivery + 1
    lives = last_bar > last_session - 7 * ENDED_SESSIONS // 5
    after = np.zeros(len(last_bar), dtype=np.bool_)
    # The successor must have reached its delivery: a thin one may only have stopped trading.
    reached = (month >= delivery - 2) & ~lives
    after[:-1] = (last_bar[:-1] > last_bar[1:]) & reached[1:]
    found = []
    for k in np.flatnonzero(late | after).tolist():
        name, day = contracts[k].name, np.datetime64(int(last_bar[k]), "D")
        if late[k]:
            found.append((k, f"{name} has bars until {day}, after the month that follows its delivery"))
        else:
            found.append((k, f"{name} ends on {day}, after {contracts[k + 1].name}"))
    return found


def check_order(contracts: Sequence[Contract], bars: ContractBarArrays) -> Finding:
    """CONTRACT_ORDER: labels swapped or wrong."""
    ends = np.flatnonzero(np.append(bars.first_of_contract[1:], True))
    found = out_of_order(contracts, bars.day[ends], int(bars.day.max()) if bars.day.size else 0)
    if not found:
        return finding("contract_order", "PASS", "contracts end in the order of their deliveries")
    text = first_few([text for _, text in found], ("contract", "contracts")) + ": labels are swapped or wrong"
    evidence = {"contracts": [{"contract": contracts[k].name, "text": why} for k, why in found]}
    return finding(
        "contract_order", "WATCH", text, "CONTRACT_ORDER", float(len(found)), 0.0, "contracts", evidence
    )  # fmt: skip


def foreign_contracts(closes: ContractCloses) -> list[tuple[int, float]]:
    """Contracts whose daily changes correlate with neither neighbour's, though in the median neighbours' do.

    The neighbours are the contracts before and after in expiry order, each over 60 shared changes or more; with the
    larger of the two correlations. Ranks must say so too, in which single misprints weigh little. The first and the
    last contract have one neighbour: of them nothing is said.
    """
    if len(closes.names) < 3:
        return []
    beside = _neighbours(closes.first, closes.last, closes.start, closes.flat, LEAST_CHANGES)
    known = np.isfinite(beside)
    if not known.any() or median(beside[known]) < ALIKE_CORRELATION:
        return []
    most = np.maximum(beside[:-1], beside[1:])
    with np.errstate(invalid="ignore"):
        low = (np.flatnonzero(most < ALONE_CORRELATION) + 1).tolist()
    ranked = ((k, max(_rank_correlation(closes, k - 1, k), _rank_correlation(closes, k, k + 1))) for k in low)
    return [(k, most_alike) for k, most_alike in ranked if most_alike < ALONE_CORRELATION]


def _rank_correlation(closes: ContractCloses, k: int, beside: int) -> float:
    """Correlation of the ranks of two contracts' daily changes."""
    at = np.arange(max(closes.first[k], closes.first[beside]), min(closes.last[k], closes.last[beside]) + 1)
    changes = np.stack([np.diff(closes.close(np.full(at.size, n), at)) for n in (k, beside)])
    ranks = changes[:, np.isfinite(changes).all(axis=0)].argsort(axis=1).argsort(axis=1)
    return float(np.asarray(np.corrcoef(ranks))[0, 1])


@kernel
def _neighbours(first: Ints, last: Ints, start: Ints, flat: Floats, least: int) -> Floats:
    """Correlation of daily changes of contracts k and k + 1 (K - 1); NaN with fewer than `least` shared ones."""
    count = first.size
    out = np.full(max(count - 1, 0), np.nan)
    for k in range(count - 1):
        n, sx, sy, sxx, syy, sxy = 0, 0.0, 0.0, 0.0, 0.0, 0.0
        for at in range(max(first[k], first[k + 1]) + 1, min(last[k], last[k + 1]) + 1):
            i, j = start[k] + at - first[k], start[k + 1] + at - first[k + 1]
            x, y = flat[i] - flat[i - 1], flat[j] - flat[j - 1]
            if np.isfinite(x) and np.isfinite(y):
                n += 1
                sx += x
                sy += y
                sxx += x * x
                syy += y * y
                sxy += x * y
        if n >= least:
            square = (n * sxx - sx * sx) * (n * syy - sy * sy)
            if square > 0.0:
                out[k] = (n * sxy - sx * sy) / np.sqrt(square)
    return out


def check_foreign(closes: ContractCloses) -> list[Finding]:
    """FOREIGN_CONTRACT: contracts of ours whose closes are another instrument's; nothing where there is none."""
    found = foreign_contracts(closes)
    if not found:
        return []
    rows = [{"contract": closes.names[k], "correlation": most} for k, most in found]
    told = first_few([f"{row['contract']} ({row['correlation']:.2f})" for row in rows])
    text = (
        f"our closes of {told} do not move with those of the contracts before and after, as all others do: "
        "prices of another instrument or exchange under that name"
    )
    evidence = {"contracts": rows}
    return [
        finding("foreign_contract", "WATCH", text, "FOREIGN_CONTRACT", float(len(rows)), 0.0, "contracts", evidence)
    ]


def volume_contracts(
    contracts: Sequence[Contract], bars: ContractBarArrays, months: str | None = None
) -> list[tuple[int, float]]:
    """Contracts whose median volume, 100 to 20 sessions before their last bar, is off by a factor of 30 from the
    nearest of: their two neighbours in the cycle, and the same month a year before and after. With the factor.

    months: the delivery months of the cycle, None where every month is; of others, thin by nature, nothing is said.
    """
    cycle = np.array([months is None or contract.month_code in months for contract in contracts], dtype=np.bool_)
    inside_cycle = np.flatnonzero(cycle)
    if not inside_cycle.size:
        return []
    contracts = [contracts[k] for k in inside_cycle.tolist()]
    count = len(contracts)
    every = np.append(np.flatnonzero(bars.first_of_contract), bars.day.size)
    begins, starts = every[:-1][cycle], np.append(0, every[1:][cycle])
    ends = bars.day[starts[1:] - 1]
    last_session = int(bars.day.max()) if bars.day.size else 0
    median = np.full(count, np.nan)
    ended = ends < last_session - 7 * ENDED_SESSIONS // 5
    width = VOLUME_FROM - VOLUME_TO
    rows = starts[1:, None] - VOLUME_FROM + np.arange(width)[None, :]
    inside = rows >= begins[:, None]
    volume = np.where(inside, bars.volume[np.maximum(rows, 0)], np.nan)
    known = np.isfinite(volume)
    amount = known.sum(axis=1)
    # Cut by the beginning of the data, only the busy last weeks of a first contract would be left.
    cut = (amount < width) & (bars.day[begins] <= (int(bars.day.min()) if bars.day.size else 0) + 7)
    enough = ended & (amount >= LEAST_VOLUMES) & ~cut
    if enough.any():
        ordered = np.sort(volume[enough], axis=1)
        middle = amount[enough]
        line = np.arange(ordered.shape[0])
        median[enough] = 0.5 * (ordered[line, (middle - 1) // 2] + ordered[line, middle // 2])
    size = np.log(np.where(median > 0.0, median, np.nan))
    keys = np.array([contract.expiry_key for contract in contracts], dtype=np.int64)
    apart = np.full((4, count), np.nan)
    apart[0, 1:], apart[1, :-1] = size[1:] - size[:-1], size[:-1] - size[1:]
    for row, years in ((2, -12), (3, 12)):
        place = np.minimum(np.searchsorted(keys, keys + years), count - 1)
        apart[row] = np.where(keys[place] == keys + years, size - size[place], np.nan)
    distance = np.where(np.isfinite(apart), np.abs(apart), np.inf)
    nearest = distance.argmin(axis=0)
    least = distance[nearest, np.arange(count)]
    compared = np.isfinite(distance).sum(axis=0) >= 2
    off = np.flatnonzero(np.isfinite(least) & compared & (np.round(least, 9) >= round(float(np.log(VOLUME_FACTOR)), 9)))
    return [(int(inside_cycle[k]), float(np.exp(apart[nearest[k], k]))) for k in off.tolist()]


def volume_steps(bars: ContractBarArrays) -> list[tuple[int, float]]:
    """Days from which the root's total volume over 20 sessions is off by a factor of 20 from the 20 before."""
    known = np.isfinite(bars.volume)
    if not known.any():
        return []
    first = int(bars.day.min())
    offset = bars.day - first
    total = np.bincount(offset, np.where(known, bars.volume, 0.0))
    volumes = np.bincount(offset, known)
    days = np.flatnonzero(volumes > 0)
    if days.size < 2 * TOTAL_SESSIONS:
        return []
    summed = np.concatenate([[0.0], np.cumsum(total[days])])
    window = summed[TOTAL_SESSIONS:] - summed[:-TOTAL_SESSIONS]
    before, after = window[:-TOTAL_SESSIONS], window[TOTAL_SESSIONS:]
    with np.errstate(divide="ignore", invalid="ignore"):
        step = np.log(after / before)
    step = np.where((before > 0.0) & (after > 0.0), step, 0.0)
    over = np.flatnonzero(np.round(np.abs(step), 9) >= round(float(np.log(TOTAL_FACTOR)), 9))
    found = []
    for group in np.split(over, np.flatnonzero(np.diff(over) > TOTAL_SESSIONS) + 1):
        if group.size:
            at = int(group[np.abs(step[group]).argmax()])
            found.append((first + int(days[at + TOTAL_SESSIONS]), float(np.exp(step[at]))))
    return found


def check_volume(contracts: Sequence[Contract], bars: ContractBarArrays, months: str | None = None) -> Finding:
    """VOLUME_SCALE: a contract of the cycle, or the root from a day on, counts in another unit."""
    single, steps = volume_contracts(contracts, bars, months), volume_steps(bars)
    if not single and not steps:
        return finding("volume_scale", "PASS", "volumes keep one scale")
    told = [
        f"the root's volume is {power_words(factor)} from {np.datetime64(day, 'D')} on" for day, factor in steps
    ] + [f"the volume of {contracts[k].name} is {power_words(factor)} beside its neighbours'" for k, factor in single]
    text = first_few(told, ("change of scale", "changes of scale")) + ": rolls by volume rest on it"
    evidence: dict[str, Any] = {
        "contracts": [{"contract": contracts[k].name, "factor": factor} for k, factor in single],
        "steps": [{"session": str(np.datetime64(day, "D")), "factor": factor} for day, factor in steps],
    }
    return finding("volume_scale", "WATCH", text, "VOLUME_SCALE", evidence=evidence)


def power_words(factor: float) -> str:
    """`about 1000 times larger`: the nearest power of ten."""
    power = max(round(abs(float(np.log10(factor)))), 1)
    return f"about {10**power} times {'larger' if factor > 1.0 else 'smaller'}"


def holes(days: Days, calendar_sessions: Days | None = None) -> list[tuple[np.datetime64, np.datetime64, int]]:
    """Holes of more than 20 sessions: the sessions before and after each, and how many lie between.

    Without a calendar weekdays are counted.
    """
    if days.size < 2:
        return []
    wide = np.flatnonzero(np.diff(days).astype(np.int64) > HOLE_SESSIONS)
    found = []
    for at in wide.tolist():
        before, after = days[at], days[at + 1]
        if calendar_sessions is not None:
            between = int(np.count_nonzero((calendar_sessions > before) & (calendar_sessions < after)))
        else:
            between = int(np.busday_count(before, after)) - 1
        if between > HOLE_SESSIONS:
            found.append((before, after, between))
    return found


def check_holes(own: Days, other: Days, calendar_sessions: Days | None = None, *, built: Sequence[str] = ()) -> Finding:
    """DATA_HOLE: of the root's bars or of the reference's. own, other: sessions with a bar, ascending.

    built: what the builder of our series says of the holes of the root, and what it made of them.
    """
    sides = (("our contracts", holes(own, calendar_sessions)), ("the reference", holes(other, calendar_sessions)))
    told = [
        f"{side} {'have' if side == 'our contracts' else 'has'} no bar for {sessions} sessions, {before} to {after}"
        for side, found in (sides[1:] if built else sides)
        for before, after, sessions in found
    ]
    told = [*built, *told]
    if not told:
        return finding("holes", "PASS", f"no hole of more than {HOLE_SESSIONS} sessions")
    evidence = {
        side: [{"after": str(before), "before": str(after), "sessions": sessions} for before, after, sessions in found]
        for (_, found), side in zip(sides, ("canonical", "reference"), strict=True)
    }
    return finding("holes", "WATCH", first_few(told, ("hole", "holes")), DATA_HOLE, evidence=evidence)
