"""The R of a strategy under other roll days, shifted rolls and other slippage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from ctl.errors import CtlError
from ctl.flows.backtest import calendar_keys, session_days
from ctl.flows.series import columns_each
from ctl.model.rolls import ContinuousSeries, ScheduledRoll
from ctl.model.statistics import RUnder, Stability
from ctl.statistics import sign_of, stability_text

if TYPE_CHECKING:
    from ctl.model.bars import ContractBars
    from ctl.model.rolls import RollPolicy, SeriesColumns
    from ctl.model.trades import Metrics, Timeframe
    from ctl.strategy.bars import StrategyBars
    from ctl.strategy.protocol import Result, Strategy

DAYS: Final = (1, 2, 3, 4, 5)
SHIFTS: Final = (-2, -1, 1, 2)
_BY_DAYS: Final = ("volume", "open_interest")


def stability(
    metrics: Metrics,
    strategy: Strategy,
    bars: StrategyBars,
    series: object,
    contracts: ContractBars | None,
    *,
    calendar: str,
    timeframe: Timeframe,
    slippage_per_side: float,
    tick: float | None,
) -> Stability:
    """How `metrics` of a strategy on `bars` would be otherwise; they are of `series`, built from `contracts`.

    contracts: None: no rolls to vary.
    """
    slippage = under_slippage(metrics)
    if contracts is None or not isinstance(series, ContinuousSeries):
        return put_together(metrics.expectancy_r, (), (), slippage, "rolls were not varied")
    try:
        days, shifted = varied(series)
        changes = {**days, **shifted}
        others = [policy for policy in changes.values() if policy != series.policy]
        found = strategy.run(
            [_as_bars(columns, bars, calendar) for columns in columns_each(contracts, others, calendar)],
            timeframe=timeframe,
            slippage_per_side=[slippage_per_side] * len(others),
            tick=[tick] * len(others),
        )
        under = {series.policy: metrics, **dict(zip(others, _metrics(found), strict=True))}
        made = [
            RUnder(change, one.trade_count, one.total_r, one.expectancy_r)
            for change, one in ((change, under[policy]) for change, policy in changes.items())
        ]
    except CtlError as error:
        return put_together(metrics.expectancy_r, (), (), slippage, f"rolls could not be varied: {error}")
    return put_together(metrics.expectancy_r, made[: len(days)], made[len(days) :], slippage)


def _as_bars(columns: SeriesColumns, like: StrategyBars, calendar: str) -> StrategyBars:
    """Columns as the strategy takes them. like: bars of the same symbol, mostly of the same sessions."""
    return replace(like, **columns._asdict(), **calendar_keys(columns.session, calendar, like))


def _metrics(results: Sequence[Result]) -> list[Metrics]:
    """Of each result; of B1's nothing else is made."""
    from ctl.strategy.b1.batch import Batch

    if isinstance(results, Batch):
        return [results.metrics(number) for number in range(len(results))]
    return [result.metrics for result in results]


def varied(series: ContinuousSeries) -> tuple[dict[str, RollPolicy], dict[str, RollPolicy]]:
    """Policies of one to five days, where days are what the policy counts, and the series' own rolls shifted."""
    policy = series.policy
    days = {
        f"rolls of {_counted(count, 'day')}": replace(policy, consecutive_days=count)
        for count in (DAYS if policy.kind in _BY_DAYS else ())
    }
    sessions = session_days(series)
    dates = np.array([roll.roll_date for roll in series.rolls], dtype="datetime64[D]")
    at = np.searchsorted(sessions, dates)
    there = [
        (roll, int(row))
        for roll, row, day in zip(series.rolls, at, dates, strict=True)
        if row < len(sessions) and sessions[row] == day
    ]
    shifted: dict[str, RollPolicy] = {}
    for shift in SHIFTS if series.rolls else ():
        moved = tuple(
            ScheduledRoll(
                sessions[max(1, min(len(sessions) - 1, row + shift))].item(), roll.from_contract, roll.to_contract
            )
            for roll, row in there
        )
        name = f"rolls {shift:+d} session{'' if abs(shift) == 1 else 's'}"
        shifted[name] = replace(policy, kind="schedule", schedule=moved)
    return days, shifted


def of_portfolio(metrics: Metrics, parts: Sequence[tuple[Stability, Metrics]]) -> Stability:
    """The stability of several symbols together: each with its own metrics, which stand where rolls did not change."""
    notes = sorted({part.rolls_note for part, _ in parts if part.rolls_note})
    return put_together(
        metrics.expectancy_r,
        _added([(part.rolls, own) for part, own in parts]),
        _added([(part.shifted, own) for part, own in parts]),
        under_slippage(metrics),
        "" if any(part.rolls or part.shifted for part, _ in parts) else "; ".join(notes),
    )


def under_slippage(metrics: Metrics) -> list[RUnder]:
    """The R at 0 to 3 ticks of slippage per side, where the tick is known."""
    return [
        RUnder(_counted(level.ticks, "tick"), level.trade_count, level.total_r, level.expectancy_r)
        for level in metrics.slippage_stress or ()
    ]


def put_together(
    mean: float | None, rolls: Sequence[RUnder], shifted: Sequence[RUnder], slippage: Sequence[RUnder], note: str = ""
) -> Stability:
    """What was found, and in words whether the sign of `mean` holds."""
    sign = sign_of(mean)
    changes: Mapping[str, Sequence[RUnder]] = {
        f"{'0-' if len(slippage) > 1 else ''}{slippage[-1].change if slippage else ''} of slippage": slippage,
        f"rolls of {DAYS[0]}-{DAYS[-1]} days": rolls,
        f"rolls shifted by {SHIFTS[0]} to {SHIFTS[-1]:+d} sessions": shifted,
    }
    return Stability(sign, tuple(rolls), tuple(shifted), tuple(slippage), stability_text(sign, changes), note)


def _added(parts: Sequence[tuple[Sequence[RUnder], Metrics]]) -> list[RUnder]:
    changes = list(dict.fromkeys(item.change for found, _ in parts for item in found))
    made = []
    for change in changes:
        trades, total = 0, 0.0
        for found, own in parts:
            changed = next((item for item in found if item.change == change), None)
            trades += own.trade_count if changed is None else changed.trades
            total += own.total_r if changed is None else changed.total_r
        made.append(RUnder(change, trades, total, total / trades if trades else None))
    return made


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if abs(count) == 1 else 's'}"
