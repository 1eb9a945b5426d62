"""The bars a strategy runs on: numpy columns of one symbol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from ctl.errors import DataError

if TYPE_CHECKING:
    import polars as pl

    from ctl.model.bars import DailySeries
    from ctl.model.rolls import ContinuousSeries

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Sessions = npt.NDArray[np.datetime64]

_PRICES: Final = ("open", "high", "low", "close")
_ALL: Final = slice(None)


def floats(column: pl.Series) -> Floats:
    """A numeric column as float64, NaN where null; a view of it where it can be one."""
    return column.to_numpy().astype(np.float64, copy=False)


@dataclass(frozen=True, slots=True, eq=False)
class StrategyBars:
    """Daily bars of one symbol, oldest first, all columns of one length.

    session: datetime64[D], strictly increasing. open, high, low, close: finite; taken as they are,
    also where a vendor's high lies below its close. volume: None, or NaN where missing. adjustment:
    what each bar carries above its price at the time (None: zero throughout).
    week_key, month_key: equal keys mean the same week or month, never decreasing (None: higher
    timeframes are unknown). week_complete: the last session ends its week.
    Raises DataError for an empty series, missing or infinite prices, and columns that do not fit.
    """

    symbol: str
    session: Sessions
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    # Absent columns may be given as None; the constructor puts arrays in their place, so readers never see None.
    volume: Floats = None  # type: ignore[assignment]
    adjustment: Floats = None  # type: ignore[assignment]
    week_key: Integers = None  # type: ignore[assignment]
    month_key: Integers = None  # type: ignore[assignment]
    week_complete: bool = False

    def __post_init__(self) -> None:
        session = np.ascontiguousarray(self.session, dtype="datetime64[D]")
        length = len(session)
        if length == 0:
            raise DataError("no bars to run on", where=self.symbol, expected="at least one session")
        if np.isnat(session).any() or (np.diff(session.view(np.int64)) <= 0).any():
            raise DataError("sessions must be strictly increasing", where=self.symbol)
        self._set("session", session)
        for name in _PRICES:
            self._set(name, self._finite(name, getattr(self, name), session))
        volume = np.full(length, np.nan) if self.volume is None else np.ascontiguousarray(self.volume, np.float64)
        self._require_length("volume", volume, length)
        self._set("volume", volume)
        adjustment = np.zeros(length) if self.adjustment is None else self.adjustment
        self._set("adjustment", self._finite("adjustment", adjustment, session))
        for name in ("week_key", "month_key"):
            given = getattr(self, name)
            key = np.zeros(length, np.int64) if given is None else np.ascontiguousarray(given, np.int64)
            self._require_length(name, key, length)
            if (np.diff(key) < 0).any():
                raise DataError(f"{name} must never decrease", where=self.symbol)
            self._set(name, key)

    def __len__(self) -> int:
        return len(self.session)

    @classmethod
    def from_series(
        cls,
        series: DailySeries | ContinuousSeries,
        *,
        symbol: str,
        rows: slice = _ALL,
        adjustment: Floats | None = None,
        week_key: Integers | None = None,
        month_key: Integers | None = None,
        week_complete: bool = False,
    ) -> StrategyBars:
        """Columns of a daily series, or of some `rows` of it; what lies outside is not looked at.

        adjustment: of every session of the series, in place of its own. week_key, month_key: of `rows`.
        Raises DataError where open, high, low or close is missing.
        """
        columns: dict[str, Any] = {name: floats(series.frame[name]) for name in (*_PRICES, "volume", "adjustment")}
        columns["session"] = series.frame["session"].to_numpy()
        if adjustment is not None:
            columns["adjustment"] = adjustment
        columns = {name: column[rows] for name, column in columns.items()}
        columns |= {"week_key": week_key, "month_key": month_key}
        return cls(symbol, **columns, week_complete=week_complete)

    def truncated(self, count: int, *, week_complete: bool = False) -> StrategyBars:
        """The first `count` bars, prices and adjustments unchanged."""
        columns = {name: getattr(self, name)[:count] for name in ("session", *_PRICES, *_OTHERS)}
        return StrategyBars(self.symbol, **columns, week_complete=week_complete)

    def _finite(self, name: str, values: Any, session: Sessions) -> Floats:
        column = np.ascontiguousarray(values, dtype=np.float64)
        self._require_length(name, column, len(session))
        finite = np.isfinite(column)
        if not finite.all():
            first = int(np.argmin(finite))
            raise DataError(
                f"{name} is missing or not finite on {len(column) - int(finite.sum())} of {len(column)} bars",
                where=self.symbol,
                found=f"{column[first]} on {session[first]}",
                expected="open, high, low and close on every session (settlement-only data cannot be run)",
                code="INCOMPLETE_BARS",
            )
        return column

    def _require_length(self, name: str, values: npt.NDArray[Any], length: int) -> None:
        if values.shape != (length,):
            raise DataError(f"{name} has shape {values.shape}", where=self.symbol, expected=f"({length},)")

    def _set(self, name: str, values: npt.NDArray[Any]) -> None:
        view = values.view()
        view.flags.writeable = False
        object.__setattr__(self, name, view)


_OTHERS: Final = ("volume", "adjustment", "week_key", "month_key")


def weekly_bars(daily: StrategyBars) -> StrategyBars:
    """Weekly bars labelled by their last session; a last week that still develops is left out.

    open is the first session's, close and adjustment the last one's, volume the sum (NaN where any
    session's is missing). month_key is the label's. Raises DataError where no week is complete.
    """
    key = daily.week_key
    starts = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
    ends = np.r_[starts[1:], len(daily)] - 1
    if not daily.week_complete:
        starts, ends = starts[:-1], ends[:-1]
    if len(starts) == 0:
        raise DataError("no complete week to run on", where=daily.symbol, expected="at least one")
    upto = int(ends[-1]) + 1
    return StrategyBars(
        daily.symbol,
        daily.session[ends],
        daily.open[starts],
        np.maximum.reduceat(daily.high[:upto], starts),
        np.minimum.reduceat(daily.low[:upto], starts),
        daily.close[ends],
        np.add.reduceat(daily.volume[:upto], starts),
        daily.adjustment[ends],
        key[ends],
        daily.month_key[ends],
        week_complete=True,
    )
