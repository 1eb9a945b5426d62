"""Both errors of the ratchet: `python -m benchmarks.refusals [WORKSPACE]`.

False refusals: every week a lock, held against each of the 52 weeks that follow it. Missed faults: faults of the newest
data put into the reference, seen one, four and thirteen weeks after they began, against locks made before. Then both
where the reference is one or five sessions late: our newest closes, which nothing confirms, as they are and wrong.

Two kinds of market: the simulated one of a workspace, where one is named, and, where the shared data stand beside the
checkout, four real roots of two vendors. A refusal is right where the reference has stated a roll wrong since the lock:
of the simulated PL the gap it leaves on 2023-03-20, of a real one a gap that none of the nearest spreads of that
session's settlements is within half a mean daily move of (heating oil into HOK08: -11.90, the settlements -6.65).
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property, partial
from itertools import product
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from ctl import ingest, store
from ctl.certification.recovery.reference import recover
from ctl.certification.recovery.schedule import reference_schedule
from ctl.flows import pipeline, portfolio
from ctl.flows.inputs import ReadOnce, SymbolInputs, inputs_up_to
from ctl.flows.terms import CertifyTerms
from ctl.model.bars import DailySeries
from ctl.model.locked import LockedSymbol, Watched
from ctl.model.rolls import RollPolicy
from ctl.since_lock import ratchet

SHARED: Final = Path(__file__).resolve().parents[2] / "shared" / "data"
PAIRS: Final = {"C": ("corn", 0.25), "HG": ("copper", 0.05), "HO": ("heating_oil", 0.01), "S": ("soybean", 0.25)}
"""File of the settlements, and tick."""
WEEKS: Final = 52
LOCK_WEEKS: Final = 104
FAULT_EVERY: Final = 8
SEEN_AFTER: Final = (1, 4, 13)
LOCKED_BEFORE: Final = (2, 26)
"""Weeks: between two beginnings of a fault, from there to the gate, from the lock to there."""
MOVES_OVER: Final = 20
WRONG_BY: Final = 0.5
NEAREST: Final = 4
PRICES: Final = ("open", "high", "low", "close")


@dataclass(frozen=True)
class Market:
    """A pair of vendors, certified on each week's sessions as often as asked and no more."""

    name: str
    held: SymbolInputs
    terms: CertifyTerms
    simulated: bool = False

    @cached_property
    def days(self) -> list[date]:
        """The last day of each week, ascending: the weeks of the locks, and those after the last of them."""
        ends = [self.held.bars["session"].max(), self.held.reference and self.held.reference.last_session]
        newest = min(day for day in ends if isinstance(day, date))
        return [newest - timedelta(days=7 * back) for back in range(LOCK_WEEKS + WEEKS, -1, -1)]

    @cached_property
    def seen(self) -> list[Watched]:
        """By week, the undamaged pair."""
        return [self.watch(self.held, day) for day in self.days]

    @cached_property
    def wrong_rolls(self) -> list[date]:
        """First sessions after a roll whose gap is, by the files alone, no spread of the nearest contracts."""
        if self.simulated:
            return [date(2023, 3, 21)] if self.held.root == "PL" else []
        bars, theirs = self.held.bars.sort("session", maintain_order=True), self.held.reference.unadjusted.frame
        days, closes = theirs["session"].to_numpy(), theirs["close"].to_numpy()
        found = []
        for roll in self.held.reference.stated_rolls:
            at = int(np.searchsorted(days, np.datetime64(roll.gap_session)))
            # In order of expiry, as a reader of contracts gives them.
            spreads = np.diff(bars.filter(pl.col("session") == roll.gap_session)["close"].to_numpy()[:NEAREST])
            if roll.gap is None or at < MOVES_OVER or not np.isfinite(spreads).any():
                continue
            move = np.abs(np.diff(closes[at - MOVES_OVER : at + 1])).mean()
            if np.nanmin(np.abs(spreads - roll.gap)) > WRONG_BY * move:
                found.append(roll.roll_date)
        return found

    def watch(self, held: SymbolInputs, day: date) -> Watched:
        return pipeline.watch_symbol(inputs_up_to(held, day), self.terms)

    def refused(self, week: int, now: Watched, held: SymbolInputs | None = None) -> str:
        """The first code that refuses what is seen now under the lock of a week; empty where it passes."""
        locked = self.seen[week].symbol

        def before(day: date) -> LockedSymbol:
            return self.watch(held or self.held, day - timedelta(days=1)).symbol

        # Undamaged locked sessions certify as they were locked.
        judged = ratchet.judge(locked.decision, locked, now, history=locked, ratchet=1.0, cut_before=before)
        return "" if judged.passed else judged.reasons[0].code

    def may_lock(self, week: int) -> bool:
        return self.seen[week].symbol.decision in ("ACCEPT", "WATCH")


def main(arguments: list[str]) -> None:
    """Print, per root, how many locks hold for 52 weeks, what refused the others, and how many faults are refused."""
    markets = [*(_simulated(Path(arguments[0])) if arguments else ()), *_real()]
    total = Counter[str]()
    for market in markets:
        found = replayed(market)
        total += found
        print(f"{market.name:<20} {_line(found)}")
    print(f"{'all':<20} {_line(total)}\n")
    names = list(FAULTS)
    faults = {market.name: faults_refused(market) for market in markets}
    for name in names:
        cells = [f"{market.name.split()[0]} {_share(*faults[market.name][name])}" for market in markets]
        parts = [sum(faults[market.name][name][at] for market in markets) for at in (0, 1)]
        print(f"{name:<28} all {_share(*parts)}  {', '.join(cells)}")
    print()
    for market in markets:
        for name, parts in late_reference(market).items():
            print(f"{market.name:<20} {name:<44} refused {_share(*parts)}")


def _share(part: int, whole: int) -> str:
    return f"{part}/{whole} ({100 * part / whole if whole else 0.0:.1f} %)"


def _line(found: Counter[str]) -> str:
    rest = {key: count for key, count in found.items() if key not in (HOLDS, RIGHT)}
    locks = found.total()
    held = f"{_share(found[HOLDS], locks)} locks hold {WEEKS} weeks"
    kept = _share(found[HOLDS] + found[RIGHT], locks)
    return f"{held}, {found[RIGHT]} are right to refuse; no false refusal: {kept}  {rest or ''}"


HOLDS: Final = "holds"
RIGHT: Final = "right"


def replayed(market: Market) -> Counter[str]:
    """Locks that hold, those that are right to refuse, and by code those that refuse falsely."""
    found = Counter[str]()
    wrong = market.wrong_rolls
    for week in range(LOCK_WEEKS + 1):
        if not market.may_lock(week):
            continue
        later = ((at, market.refused(week, market.seen[at])) for at in range(week + 1, week + 1 + WEEKS))
        at, code = next(filter(lambda item: item[1], later), (week, HOLDS))
        found[RIGHT if any(market.days[week] < day <= market.days[at] for day in wrong) else code] += 1
    return found


# ---------------------------------------------------------------- faults of the newest data

Closes = pl.DataFrame
Fault = Callable[..., Closes]
"""Given the bars of a series, whether it is adjusted, the day from which on, and the sizes of the market."""


def _since(frame: Closes, day: date, off: float | np.ndarray) -> Closes:
    """The prices of every session from a day on, off by so much."""
    size = frame.height
    later = np.where(frame["session"].to_numpy() >= np.datetime64(day), off, 0.0)
    return frame.with_columns(pl.col(name) + pl.Series(later[:size]) for name in PRICES)


def _level(times: float) -> Fault:
    return lambda frame, *, adjusted, day, scale: _since(frame, day, times * scale.atr)


def _other_hour(times: float) -> Fault:
    def changed(frame: Closes, *, adjusted: bool, day: date, scale: Scale) -> Closes:
        drawn = np.random.default_rng(11).normal(0.0, times * scale.atr, 30_000)
        at = frame["session"].to_numpy().astype("datetime64[D]").astype(int)
        return _since(frame, day, drawn[at])

    return changed


def _late(frame: Closes, *, adjusted: bool, day: date, scale: Scale) -> Closes:
    later = pl.col("session") >= day
    return frame.with_columns(pl.when(later).then(pl.col(name).shift(1)).otherwise(pl.col(name)) for name in PRICES)


def _gap(times: float) -> Fault:
    """The first roll from the day on adjusted by a wrong gap, by so many times the largest locked difference."""
    return lambda frame, *, adjusted, day, scale: (
        _since(frame, scale.next_roll(day), times * scale.largest_gap) if adjusted else frame
    )


def _every_gap(times: float) -> Fault:
    """Every roll from the day on adjusted by a wrong gap of one sign."""

    def changed(frame: Closes, *, adjusted: bool, day: date, scale: Scale) -> Closes:
        for roll in scale.rolls if adjusted else ():
            frame = _since(frame, roll, times * scale.largest_gap) if roll >= day else frame
        return frame

    return changed


FAULTS: Final = {
    **{f"level off by {times:g} ATR": _level(times) for times in (0.5, 1.0, 2.0)},
    **{f"closes of another hour, {times:g} ATR": _other_hour(times) for times in (0.25, 0.5)},
    "closes a session late": _late,
    **{f"a gap off by {times:g} locked": _gap(times) for times in (1.0, -1.0, 1.9, -1.9, 3.0)},
    **{f"every gap off by {times:g} locked": _every_gap(times) for times in (0.5, -0.5, 1.0, -1.0)},
}


@dataclass(frozen=True)
class Scale:
    """What sizes of faults are told in: mean change of close, the largest gap difference, and the rolls they lie at."""

    atr: float
    largest_gap: float
    rolls: tuple[date, ...]

    def next_roll(self, day: date) -> date:
        return next((roll for roll in self.rolls if roll >= day), date.max)


def faults_refused(market: Market) -> dict[str, tuple[int, int]]:
    """By fault: how many of the gates that pass without it refuse with it, and how many there are."""
    found = {name: [0, 0] for name in FAULTS}
    for begin in range(LOCKED_BEFORE[-1], LOCK_WEEKS + WEEKS - SEEN_AFTER[-1], FAULT_EVERY):
        scale, day = _scale(market, begin), market.days[begin] + timedelta(days=1)
        asked = [
            (begin - before, begin + after)
            for before in LOCKED_BEFORE
            for after in SEEN_AFTER
            if market.may_lock(begin - before) and not market.refused(begin - before, market.seen[begin + after])
        ]
        for name, fault in FAULTS.items():
            damaged = _damaged(market.held, partial(fault, day=day, scale=scale))
            now = {at: market.watch(damaged, market.days[at]) for at in {at for _, at in asked}}
            for lock, at in asked:
                found[name][0] += bool(market.refused(lock, now[at], damaged))
                found[name][1] += 1
    return {name: (part, whole) for name, (part, whole) in found.items()}


def _scale(market: Market, week: int) -> Scale:
    closes = market.held.reference.unadjusted.frame["close"].to_numpy()
    metrics = market.seen[week].symbol.metrics
    least = ratchet.LEAST_GAP_TICKS * metrics.tick
    rolls = sorted({roll.roll_date for roll in market.held.reference.stated_rolls} or market.seen[-1].roll_days)
    return Scale(float(np.abs(np.diff(closes))[-500:].mean()), max(metrics.max_gap_diff or 0.0, least), tuple(rolls))


def _damaged(held: SymbolInputs, change: Callable[..., Closes]) -> SymbolInputs:
    def side(series: DailySeries | None, adjusted: bool) -> DailySeries | None:
        return None if series is None else replace(series, frame=change(series.frame, adjusted=adjusted))

    reference = held.reference
    changed = replace(reference, adjusted=side(reference.adjusted, True), unadjusted=side(reference.unadjusted, False))
    return replace(held, reference=changed)


# ---------------------------------------------------------------- a late reference

LATE: Final = (1, 5)
WRONG_CLOSES: Final = {
    "as they are": (1.0, 0.0), "times 1.5": (1.5, 0.0), "times 1.06": (1.06, 0.0), "5 ATR higher": (1.0, 5.0),
    "5 ATR lower": (1.0, -5.0),
}  # fmt: skip
"""Factor, and mean true ranges added."""
ATR_SESSIONS: Final = 60
RANGE: Final = 1.84
"""Mean true range as a multiple of the mean change of close, where only closes are known: nine real markets."""


def late_reference(market: Market) -> dict[str, tuple[int, int]]:
    """By what our closes of the newest session are: how many weeks refuse them, and how many there are."""
    found: dict[str, tuple[int, int]] = {}
    sessions = market.held.reference.unadjusted.frame["session"].to_numpy()
    for week, late in product(range(len(market.days)), LATE):
        if not market.may_lock(week):
            continue
        day = market.days[week]
        ends = sessions[int(np.searchsorted(sessions, np.datetime64(day), side="right")) - 1 - late].item()
        held = inputs_up_to(market.held, day, ends)
        closes = market.held.reference.unadjusted.frame["close"].to_numpy()[: int(np.searchsorted(sessions, ends))]
        atr = RANGE * float(np.abs(np.diff(closes[-ATR_SESSIONS - 1 :])).mean())
        for (name, (factor, added)), alone in product(WRONG_CLOSES.items(), (False, True)):
            if name == "as they are" and alone:
                continue
            wrong = _newest_closes(market, held, factor, added * atr, alone=alone)
            code = market.refused(week, pipeline.watch_symbol(wrong, market.terms))
            label = f"{late} late, {name}" + (", the held contract alone" if alone else "")
            refused, asked = found.get(label, (0, 0))
            found[label] = refused + bool(code), asked + 1
    return found


def _newest_closes(market: Market, held: SymbolInputs, factor: float, added: float, *, alone: bool) -> SymbolInputs:
    """Our prices of the newest session changed: of every contract, or of the one that our series holds."""
    frame = held.bars
    wrong = pl.col("session") == frame["session"].max()
    if alone:
        series = pipeline.canonical_series(held, market.terms.calendar)
        wrong &= pl.col("contract") == series.frame["contract"][-1]
    prices = [pl.when(wrong).then(pl.col(name) * factor + added).otherwise(pl.col(name)).alias(name) for name in PRICES]
    return replace(held, contracts=replace(held.contracts, frame=frame.with_columns(prices)))


# ---------------------------------------------------------------- the markets


def _simulated(folder: Path) -> Iterator[Market]:
    workspace = store.Workspace.load(folder)
    profile, files = portfolio.read_profile(workspace), ReadOnce(workspace)
    for symbol in profile.gating_universe:
        made = portfolio.certify_symbol(workspace, symbol, profile.symbol_settings[symbol], files=files)
        yield Market(
            f"{symbol} (simulated)", replace(made.inputs, settlements=None, session_bars=None), made.terms, True
        )


def _real() -> Iterator[Market]:
    if not SHARED.is_dir():
        return
    instruments = ingest.load_instruments()
    for root, (name, tick) in PAIRS.items():
        contracts = ingest.read_contracts(
            [SHARED / "contracts" / "bloomberg_settles" / f"{name}.csv"], root, instruments=instruments,
            mapping=ingest.named_mapping("bloomberg_settles"),
        )  # fmt: skip
        reference = ingest.read_reference(
            symbol=root, adjusted=None, unadjusted=SHARED / "continuous" / "quantiacs" / f"F_{root}.txt",
            instruments=instruments, mapping=ingest.named_mapping("quantiacs"),
        )  # fmt: skip
        terms = CertifyTerms(tick=tick, max_day_delta=3, quote_unit="vendor units", calendar=None)
        # By our own rule these pairs are REJECT (other roll rules); on the reference's rolls they certify.
        schedule = reference_schedule(recover(contracts, reference, tick=tick, max_day_delta=terms.max_day_delta))
        policy = RollPolicy(kind="schedule", schedule=schedule)
        yield Market(f"{root} (two vendors)", SymbolInputs(root, root, contracts, None, reference, policy), terms)


if __name__ == "__main__":
    main(sys.argv[1:])
