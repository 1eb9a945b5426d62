"""Which days a market trades on, which contracts exist, when they are listed and when they expire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ctl import sessions
from ctl.model.contracts import MONTH_CODES, Contract

if TYPE_CHECKING:
    from datetime import date

    from ctl.demo.spec import FutureSpec

Days = NDArray[np.datetime64]
Index = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class TradingDays:
    """Days with trading: the sessions, and the holidays between them whose trades count to the session after them."""

    days: Days
    is_session: Mask

    @property
    def sessions(self) -> Days:
        """The days that are sessions."""
        return self.days[self.is_session]


def trading_days(calendar: str, first: date, last: date) -> TradingDays:
    """The days with trading from `first` to `last`, both inclusive; the last one is a session."""
    settled = sessions.sessions_between(calendar, first, last)
    holidays = sessions.counted_to_next(calendar, first, last)
    days = np.union1d(settled, holidays[holidays < settled[-1]])
    return TradingDays(days, np.isin(days, settled))


@dataclass(frozen=True, slots=True)
class Listing:
    """Contracts in expiry order. Arrays have one value per contract.

    first, last: indices into the trading days, inclusive, clipped to the data; `last` is the last trade, a session.
    expiry_index: index of the expiry among the trading days continued by weekdays, so it may lie beyond the data.
    """

    contracts: tuple[Contract, ...]
    expiry: Days
    expiry_index: Index
    first: Index
    last: Index


def listing(spec: FutureSpec, calendar: TradingDays) -> Listing:
    """The contracts of a root that trade on at least one of the days. Rules of expiry count sessions."""
    days = calendar.days
    horizon = _with_weekdays(calendar.sessions)
    start = days[0].astype("M8[M]")
    stop = days[-1].astype("M8[M]") + np.timedelta64(spec.listed_months + 3, "M")
    delivery = np.arange(start, stop)
    month = delivery.astype(np.int64) % 12
    delivery = delivery[np.isin(month, [MONTH_CODES.index(code) for code in spec.months])]
    found = _expiry_index(spec, delivery, horizon)
    expiry = horizon[np.clip(found, 0, horizon.size - 1)]
    expiry_index = np.where(found < 0, -1, np.searchsorted(_with_weekdays(days), expiry))
    listed = (expiry.astype("M8[M]") - np.timedelta64(spec.listed_months, "M")).astype("M8[D]") + 20
    first = np.searchsorted(days, listed)
    alive = (expiry_index >= 1) & (first < days.size - 1)
    months_since_zero = delivery.astype(np.int64) + 1970 * 12
    contracts = tuple(
        Contract(int(key) // 12, int(key) % 12 + 1, spec.root)
        for key, use in zip(months_since_zero, alive, strict=True)
        if use
    )
    return Listing(
        contracts,
        expiry[alive],
        expiry_index[alive],
        first[alive].astype(np.int64),
        np.minimum(expiry_index[alive], days.size - 1),
    )


def _with_weekdays(days: Days) -> Days:
    """The days, continued by three years of weekdays: exchanges publish no holidays that far ahead."""
    beyond = np.arange(days[-1] + 1, days[-1] + 3 * 366)
    return np.concatenate([days, beyond[np.is_busday(beyond)]])


def _expiry_index(spec: FutureSpec, delivery: Days, horizon: Days) -> Index:
    """Index of each delivery month's last trade among `horizon`; -1 where it lies before it."""
    if spec.expiry == "third_friday":
        day = np.busday_offset(delivery.astype("M8[D]"), 2, roll="forward", weekmask="Fri")
        return np.searchsorted(horizon, day, side="right").astype(np.int64) - 1
    if spec.expiry == "before_25th_of_previous_month":
        day = (delivery - np.timedelta64(1, "M")).astype("M8[D]") + 24
        return np.searchsorted(horizon, day, side="right").astype(np.int64) - 1 - 3
    month_end = (delivery + np.timedelta64(1, "M")).astype("M8[D]") - 1
    return np.searchsorted(horizon, month_end, side="right").astype(np.int64) - 3
