"""The series of an equity that a strategy runs on: never raw prices across a split. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

import numpy as np

from ctl.equity_basis.conversion import BASES, as_basis, convert
from ctl.equity_basis.inference import contradicts, deviation, infer
from ctl.errors import DataError

if TYPE_CHECKING:
    from ctl.model.actions import CorporateActions
    from ctl.model.bars import AdjustmentBasis, DailySeries


@dataclass(frozen=True, slots=True)
class Jump:
    """A session at whose open the price is near `1 / ratio` of the close before, as if shares had been split."""

    session: date
    ratio: float
    before: float
    after: float


def traded(
    series: DailySeries, actions: CorporateActions | None, *, declared: AdjustmentBasis | None = None
) -> DailySeries:
    """The series that a strategy runs on: never raw prices across a split.

    With actions: on the declared basis, else split-adjusted, or as it is where it carries more than that. Without:
    as it is. Raises DataError where prices jump like a split that nothing tells of (UNADJUSTED_SPLIT), where the
    series' own changes contradict the actions (DOUBLE_ADJUSTED, BASIS_UNKNOWN), or where it carries more than declared.
    """
    where, known = series.meta.root, frozenset[date]()
    if actions is not None:
        own = infer(series, actions)
        held = series.meta.adjustment_basis
        if held is None or contradicts(own, held):
            held = own.basis
        if own.double_adjusted:
            raise DataError("prices were adjusted twice, or the actions file is wrong", where=where, found=own.text,
                            code="DOUBLE_ADJUSTED")  # fmt: skip
        if held is None and any(event.kind == "split" for event in own.events):
            raise DataError("the basis of the prices is not told", where=where, found=own.text,
                            remedy="mend the actions file of the symbol in ctl.toml", code="BASIS_UNKNOWN")  # fmt: skip
        if held is not None:
            wanted = declared if declared is not None else BASES[max(1, BASES.index(held))]
            series = convert(as_basis(series, held), wanted, actions)
        known = frozenset(action.ex_date for action in actions.events if action.split_ratio == 1.0)
    for jump in split_jumps(series):
        if jump.session in known:
            continue
        raise DataError(
            "prices jump like a split", where=f"{where}, {jump.session}",
            found=f"{jump.before:g} at the close before, {jump.after:g} after it, near 1 to {jump.ratio:g}",
            expected="prices adjusted for splits, or an actions file that states them",
            remedy="add it to the symbol's actions file (a plain file: --actions FILE)", code="UNADJUSTED_SPLIT",
        )  # fmt: skip
    return series


def split_jumps(series: DailySeries) -> Iterator[Jump]:
    """The sessions whose price stands to the close before as after a split, with volume that says the same.

    The price: the open, else the close, within 8 % of 1/n or n (n = 3/2, 2, 3, ..., 50), and the close goes along. The
    volume of the day: that of the 20 sessions before times the ratio, within a factor of 5 below and 2.5 above (halved
    by news, a share trades ten times as much); where volumes are unknown the price must be within 2 %. The step must be
    8 deviations of the changes of the 60 sessions before; with fewer than 20 of those nothing says what is usual.
    """
    frame = series.frame.filter(series.frame["close"].is_finite() & (series.frame["close"] > 0.0))
    if frame.height < 2:
        return
    close = frame["close"].to_numpy()
    opened = frame["open"].fill_null(float("nan")).fill_nan(None).fill_null(frame["close"]).to_numpy()
    log_step = np.log(np.where(opened[1:] > 0.0, opened[1:], close[1:]) / close[:-1])
    log_change = np.diff(np.log(close))
    for row in np.flatnonzero(np.abs(log_step) >= _LOG_RATIOS[0] - _PRICE_NEAR):
        size = abs(float(log_step[row]))
        nearest = int(np.argmin(np.abs(_LOG_RATIOS - size)))
        distance = abs(float(_LOG_RATIOS[nearest]) - size)
        if distance > _PRICE_NEAR:
            continue
        ratio = float(_RATIOS[nearest]) if log_step[row] < 0.0 else 1.0 / float(_RATIOS[nearest])
        if log_change[row] * log_step[row] < 0.5 * size * size:
            continue  # the close did not follow the open
        moves = log_change[max(0, int(row) - _MOVES) : row]
        if moves.size < _LEAST_MOVES or size < _SPLIT_MOVES * deviation(moves):
            continue  # where prices move so much every day, a difference-adjusted price near zero does
        before = frame["volume"].slice(max(0, int(row) + 1 - _VOLUME_SESSIONS), min(_VOLUME_SESSIONS, int(row) + 1))
        usual, day = before.drop_nulls().median(), frame["volume"][int(row) + 1]
        if isinstance(usual, float) and usual > 0.0 and day:
            if not _VOLUME_LEAST <= day / usual / ratio <= _VOLUME_MOST:
                continue
        elif distance > _PRICE_NEAR_ALONE:
            continue
        yield Jump(frame["session"][int(row) + 1], ratio, float(close[row]), float(opened[row + 1]))


_RATIOS: Final = np.array([1.5, *range(2, 51)])
_LOG_RATIOS: Final = np.log(_RATIOS)
_PRICE_NEAR: Final = 0.08
_PRICE_NEAR_ALONE: Final = 0.02
_VOLUME_SESSIONS: Final = 20
_LEAST_MOVES: Final = 20
_MOVES: Final = 60
_SPLIT_MOVES: Final = 8.0
_VOLUME_LEAST: Final = 0.2
_VOLUME_MOST: Final = 2.5
