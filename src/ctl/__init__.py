"""Cutover control: build, certify, gate and run, in the order of the flow.

    bars = ctl.load("HG*.csv", root="HG")
    series = ctl.build(bars, months="HKNUZ")
    certificate = ctl.certify(bars, series, adjusted="F_HG.txt", tick=0.05, max_day_delta=3)
    decision = ctl.gate("my/workspace")
    result = ctl.backtest(series, tick=0.05, slippage=0.05)

They are what the commands do, as values: the same checks, the same errors (`ctl.errors`). Where a file is read, a frame
of polars or pandas with the columns of a plain file will do. Results show themselves as a table in a notebook and give
their rows as `.to_polars()` and `.to_pandas()`. Nothing heavy is imported before one of these is called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

if TYPE_CHECKING:
    from datetime import date, datetime
    from pathlib import Path

    from ctl.gatekeeper import GateDecision
    from ctl.ingest.frames import Frame
    from ctl.model.bars import BarsChoice, ClosesChoice, ContractBars, DailySeries
    from ctl.model.certificate import Certificate
    from ctl.model.rolls import (
        Adjustment,
        CalendarAnchor,
        ContinuousSeries,
        PolicyKind,
        RollTarget,
        ScheduledRoll,
        Timing,
    )
    from ctl.model.trades import Timeframe
    from ctl.store import Workspace
    from ctl.strategy.protocol import Result

__version__ = "0.1.0"

__all__ = ["load", "build", "certify", "gate", "backtest"]  # noqa: RUF022 - the order of the flow


@overload
def load(
    files: str | Path | Frame | Sequence[str | Path | Frame],
    *,
    root: str,
    symbol: None = None,
    publisher: int | None = None,
    mapping: str | Path | None = None,
    calendar: str | None = None,
    as_of: date | None = None,
    bars: BarsChoice = "daily",
    closes: ClosesChoice = "last_trade",
    now: datetime | None = None,
) -> ContractBars: ...
@overload
def load(
    files: str | Path | Frame | Sequence[str | Path | Frame],
    *,
    root: None = None,
    symbol: str | None = None,
    publisher: int | None = None,
    mapping: str | Path | None = None,
    calendar: str | None = None,
    as_of: date | None = None,
    now: datetime | None = None,
) -> DailySeries: ...
def load(
    files: str | Path | Frame | Sequence[str | Path | Frame],
    *,
    root: str | None = None,
    symbol: str | None = None,
    publisher: int | None = None,
    mapping: str | Path | None = None,
    calendar: str | None = None,
    as_of: date | None = None,
    bars: BarsChoice = "daily",
    closes: ClosesChoice = "last_trade",
    now: datetime | None = None,
) -> ContractBars | DailySeries:
    """Daily bars of any known format: with `root` those of its contracts, without one a single series.

    files: paths, folders or patterns such as `HG*.csv`, or a frame. symbol, publisher: which of a Databento file that
    holds several. mapping: how to read a CSV whose header is not known, a packaged mapping's name or a TOML file.
    calendar: the exchange's, whose sessions instants belong to; None: the root's own where that is known. as_of:
    sessions after it are left out (inclusive). bars, closes: of a root, the series that is meant where the files hold
    intraday bars and statistics as well. now: an aware instant; a session that is not over by then is left out,
    counted and named (None: the clock's). A file without any contract of the root gives those that it holds: `build`
    refuses them, `certify` names them. Raises InputError for files that are missing or cannot be read.
    """
    from ctl.flows import plain
    from ctl.model.bars import SeriesChoice

    if root is None:
        return plain.load_series(
            files, symbol, publisher=publisher, mapping=mapping, calendar=calendar, as_of=as_of, now=now
        )
    return plain.load_contracts(
        files, root, publisher=publisher, mapping=mapping, calendar=calendar, as_of=as_of, now=now,
        series=SeriesChoice(bars, closes),
    )  # fmt: skip


def build(
    bars: ContractBars | Frame,
    *,
    root: str | None = None,
    policy: PolicyKind = "volume",
    days: int = 2,
    months: str | None = None,
    timing: Timing = "next_session",
    adjust: Adjustment = "difference",
    anchor: CalendarAnchor = "expiry",
    offset: int = 0,
    fixed_day: int | None = None,
    months_before: int = 0,
    schedule: str | Path | Sequence[ScheduledRoll] | None = None,
    guard: int | None = 2,
    target: RollTarget = "adjacent",
    bridge_holes: bool = False,
    calendar: str | None = None,
) -> ContinuousSeries:
    """The continuous series of one root's contracts.

    root: of a frame; bars that were loaded say theirs. policy: what decides a roll. days: consecutive sessions that
    confirm a volume or interest roll. months: eligible delivery months; None is the root's liquid cycle where that is
    known, else every month. timing: whether a roll takes effect on the session that confirms it or on the next.
    adjust: what joins the contracts. anchor, offset: a calendar policy rolls so many sessions before this; fixed_day,
    months_before: where the anchor is a day of the month, which day, and how many months before delivery's. schedule: a
    roll manifest, or rolls to follow. guard: sessions
    before last trade or first notice from which the next contract is used at the latest; None: no limit. target: the
    contract that a roll leads to. bridge_holes: join what lies before a hole in the data. calendar: exchange calendar
    that sessions are counted on; None is the root's, 'none' counts weekdays. Raises UsageError for a policy that
    contradicts itself, DataError for contracts of another root.
    """
    from ctl.flows import plain
    from ctl.model.rolls import RollPolicy

    rolls = plain.scheduled_rolls(schedule)
    options = RollPolicy(
        policy,
        days,
        months,
        timing,
        adjust,
        anchor,
        offset,
        fixed_day,
        months_before,
        rolls,
        guard,
        target,
        bridge_holes,
    )
    return plain.build(plain.contracts_of(bars, root), plain.roll_policy(options), calendar)


def certify(
    bars: ContractBars | Frame,
    series: ContinuousSeries | None,
    *,
    tick: float,
    max_day_delta: int,
    adjusted: str | Path | Frame | None = None,
    unadjusted: str | Path | Frame | None = None,
    root: str | None = None,
    mapping: str | Path | None = None,
    quote_unit: str | None = None,
    calendar: str | None = None,
    acceptance: Literal["v1", "v2"] = "v1",
    as_of: date | None = None,
    now: datetime | None = None,
) -> Certificate:
    """Certify a series that was built from `bars` against a reference vendor's files or frames.

    series None: the contracts are of another root, which the certificate then says. tick: price grid in quote units.
    max_day_delta: trading days that paired rolls may lie apart, inclusive. adjusted, unadjusted: the reference's
    continuous series, one or both. root: of a frame; bars that were loaded say theirs. mapping: how to read the
    reference's files where their header is not known, as in `load`. quote_unit: as the certificate names it; None is
    that of the bars. calendar: exchange calendar to count missing sessions on. acceptance: the policy whose limits
    decide. as_of: sessions after it are left out (inclusive). now: of the reference's files, as in `load`. Raises
    UsageError for terms that cannot be used, InputError for files that cannot be read.
    """
    from ctl.flows import plain

    plain.require_terms(tick, max_day_delta, acceptance)
    held = plain.contracts_of(bars, root)
    reference = plain.load_reference(held.meta.root, adjusted, unadjusted, mapping=mapping, calendar=calendar, now=now)
    terms = plain.certify_terms(held, tick, max_day_delta, quote_unit, calendar, acceptance)
    return plain.certify(held, series, reference, terms, as_of)


def gate(
    workspace: str | Path | Workspace | None = None, *, profile: str | Path | None = None, as_of: date | None = None
) -> GateDecision:
    """Re-derive the locked state of a workspace from the data now on disk; writes nothing.

    workspace: a folder with ctl.toml; None is the one at or above the current folder. profile: the workspace's
    own where None. as_of: sessions after it are left out (inclusive). The decision's `passed` says whether the
    portfolio may run.
    Raises ProfileError where there is no profile that could be decided on.
    """
    from ctl.flows import plain

    return plain.gate(workspace, profile, as_of)


def backtest(
    series: ContinuousSeries | DailySeries | str | Path | Frame,
    *,
    symbol: str | None = None,
    slippage: float = 0.0,
    tick: float | None = None,
    parameters: Mapping[str, Any] | None = None,
    unregistered: bool = False,
    lots: int = 3,
    timeframe: Timeframe = "daily",
    calendar: str | None = None,
    strategy: str = "b1",
    actions: str | Path | None = None,
    drop_bad_bars: bool = False,
) -> Result:
    """Run a strategy over one series, or over the series of a file or a frame.

    symbol: as the results name it; None is the root or the file's name. slippage per side and tick in price units.
    parameters: by name, in their registered ranges unless `unregistered`. lots: per trade. timeframe: of the bars
    that decide, weekly ones being made of the daily. calendar: what ends a week (None: ISO weeks). strategy: a name
    of `ctl.strategy.registry`. actions: the file of a share's splits and dividends. drop_bad_bars: impossible bars
    are left out; what is to be said of bars is a warning.
    Raises UsageError for arguments that cannot be used, DataError for bars that cannot be run on.
    """
    import warnings

    from ctl.flows import plain

    chosen = plain.strategy_named(strategy, parameters, timeframe, unregistered=unregistered)
    held, name = plain.series_of(series, calendar)
    result, notes = plain.backtest(
        chosen, held, symbol or name, actions=actions, drop_bad_bars=drop_bad_bars,
        timeframe=timeframe, slippage=slippage, tick=tick, lots=lots, calendar=calendar,
    )  # fmt: skip
    for note in notes:
        warnings.warn(note, stacklevel=2)
    return result
