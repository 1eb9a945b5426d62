"""Instrument ids and symbols as the exchange hands them out: unique within a day only."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from datetime import date

    from ctl.demo.listing import Days, Index
    from ctl.demo.quotes import Quotes

# Ids are dealt anew on these days; a pool this small makes later contracts inherit ids.
_NEW_IDS: Final = np.array(
    ["2018-11-12", "2020-03-02", "2021-06-14", "2022-12-05", "2024-05-20", "2025-09-08"], "M8[D]"
)
_POOL: Final = 17


@dataclass(frozen=True, slots=True)
class Stretch:
    """Days on which an instrument bears one id, both inclusive."""

    first: date
    last: date
    instrument_id: int


@dataclass(frozen=True, slots=True)
class Instrument:
    """An outright, or the calendar spread from `contract` to the one after it."""

    symbol: str
    contract: int
    is_spread: bool
    stretches: tuple[Stretch, ...]


def symbols(root: str, quotes: Quotes) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Exchange symbols, with one-digit years, of the outrights and of their calendar spreads."""
    outrights = tuple(f"{root}{c.month_code}{c.year % 10}" for c in quotes.listing.contracts)
    return outrights, tuple(f"{near}-{far}" for near, far in itertools.pairwise(outrights))


def instrument_ids(root: str, contract: Index, is_spread: Index, day: Days) -> Index:
    """The id of each (contract, whether a spread) on each day."""
    deal = np.searchsorted(_NEW_IDS, day, side="right")
    base = sum(ord(letter) * 31**place for place, letter in enumerate(root)) % 9_000 + 1_000
    result: Index = base + _POOL * is_spread + (3 * contract + 5 * deal) % _POOL
    return result


def instruments(root: str, quotes: Quotes, last: int) -> tuple[Instrument, ...]:
    """Every outright and spread listed up to day index `last`, with the days on which it bears each id."""
    # A contract listed on a Monday already trades on the Sunday evening before.
    first_day = np.maximum(quotes.calendar.days[quotes.listing.first] - 1, quotes.calendar.days[0])
    last_day = quotes.calendar.days[np.minimum(quotes.listing.last, last)]
    result = []
    for is_spread, names in enumerate(symbols(root, quotes)):
        for k, name in enumerate(names):
            start, stop = max(first_day[k], first_day[k + is_spread]), last_day[k]
            if start > stop:
                continue
            cuts = [day for day in _NEW_IDS if start < day <= stop]
            stretches = tuple(
                Stretch(a.item(), b.item(), _one_id(root, k, is_spread, a))
                for a, b in zip([start, *cuts], [*(cut - 1 for cut in cuts), stop], strict=True)
            )
            result.append(Instrument(name, k, bool(is_spread), stretches))
    return tuple(result)


def _one_id(root: str, contract: int, is_spread: int, day: np.datetime64) -> int:
    return int(instrument_ids(root, np.array([contract]), np.array([is_spread]), np.array([day]))[0])
