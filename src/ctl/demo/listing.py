"""Which contracts exist, when they are listed and when they expire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ctl.model.contracts import MONTH_CODES, Contract

if TYPE_CHECKING:
    from ctl.demo.spec import FutureSpec

Days = NDArray[np.datetime64]
Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Listing:
    """Contracts in expiry order. Arrays have one value per contract.

    first, last: indices into the sessions, inclusive, clipped to the data; `last` is the last trade.
    expiry_index: index of the expiry among the sessions continued by weekdays, so it may lie beyond the data.
    """

    contracts: tuple[Contract, ...]
    expiry: Days
    expiry_index: Index
    first: Index
    last: Index


def listing(spec: FutureSpec, sessions: Days) -> Listing:
    """The contracts of a root that trade on at least one of the sessions."""
    horizon = _with_weekdays(sessions)
    start = sessions[0].astype("M8[M]")
    stop = sessions[-1].astype("M8[M]") + np.timedelta64(spec.listed_months + 3, "M")
    delivery = np.arange(start, stop)
    month = delivery.astype(np.int64) % 12
    delivery = delivery[np.isin(month, [MONTH_CODES.index(code) for code in spec.months])]
    expiry_index = _expiry_index(spec, delivery, horizon)
    expiry = horizon[np.clip(expiry_index, 0, horizon.size - 1)]
    listed = (expiry.astype("M8[M]") - np.timedelta64(spec.listed_months, "M")).astype("M8[D]") + 20
    first = np.searchsorted(sessions, listed)
    alive = (expiry_index >= 1) & (first < sessions.size - 1)
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
        np.minimum(expiry_index[alive], sessions.size - 1),
    )


def _with_weekdays(sessions: Days) -> Days:
    """The sessions, continued by three years of weekdays: exchanges publish no holidays that far ahead."""
    beyond = np.arange(sessions[-1] + 1, sessions[-1] + 3 * 366)
    return np.concatenate([sessions, beyond[np.is_busday(beyond)]])


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
