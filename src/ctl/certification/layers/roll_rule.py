"""Which rule does a reference seem to roll by? Named where two sides follow different rules."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from ctl.model.findings import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ctl.certification.window import WindowRoll
    from ctl.model.bars import ContractBars


@dataclass(frozen=True, slots=True)
class ApparentRule:
    """A rule that explains a schedule's rolls: how many of them exactly, and the policy that would follow it.

    offset: sessions from the gap session to the anchor (calendar rules), or from the crossover's confirming
    session to the gap session (volume). terms_stated: whether the bars state what the policy counts back from; where
    a contract's last bar stood in for its last trade date, the policy cannot be built on them.
    """

    rule: str
    text: str
    policy: str
    offset: int
    explained: int
    rolls: int
    terms_stated: bool = True


def apparent_rule(contracts: ContractBars, rolls: Sequence[WindowRoll]) -> ApparentRule | None:
    """The rule that explains most rolls; ties in the order expiry, first notice, delivery month,
    volume. None without a roll to judge.

    A contract whose last trade date is not stated is taken to expire on its last bar, unless its bars go on
    to the end of the data.
    """
    frame = contracts.frame
    days = frame["session"].to_physical().to_numpy().astype(np.int64)
    sessions = np.unique(days)
    known = [roll for roll in rolls if roll.from_contract is not None and roll.to_contract is not None]
    if not known:
        return None
    index = {name: k for k, name in enumerate(contract.name for contract in contracts.contracts)}
    run = frame["contract"].rle_id().to_numpy().astype(np.int64)
    bounds = np.searchsorted(run, np.arange(len(index) + 1))
    stated = {name: terms.last_trade for name, terms in contracts.terms.items() if terms.last_trade is not None}
    expiry: dict[str, int] = {name: _ordinal(day) for name, day in stated.items()}
    for name, k in index.items():
        last = int(days[bounds[k + 1] - 1])
        if name not in expiry and last < sessions[-1]:
            expiry[name] = last
    notice = {
        name: _ordinal(terms.first_notice) for name, terms in contracts.terms.items() if terms.first_notice is not None
    }
    volume = frame["volume"].to_numpy().astype(np.float64, copy=False)
    delivery = {contract.name: _ordinal(date(contract.year, contract.month, 1)) for contract in contracts.contracts}
    candidates = [
        _calendar_rule("expiry", "expiry", known, expiry, sessions),
        _calendar_rule("first_notice", "first notice", known, notice, sessions),
        _calendar_rule("fixed_day", "day 1 of the delivery month", known, delivery, sessions),
        _volume_rule(known, index, bounds, days, volume, sessions),
    ]
    fitting = [candidate for candidate in candidates if candidate is not None]
    best = max(fitting, key=lambda rule: rule.explained, default=None)
    if best is not None and best.rule == "expiry" and not {roll.from_contract for roll in known} <= set(stated):
        return replace(best, terms_stated=False)
    return best


def _calendar_rule(
    rule: str, words: str, rolls: Sequence[WindowRoll], anchors: Mapping[str, int], sessions: np.ndarray
) -> ApparentRule | None:
    offsets = [
        _place(sessions, anchors[roll.from_contract]) - _place(sessions, _ordinal(roll.gap_session))
        for roll in rolls
        if roll.from_contract is not None and roll.from_contract in anchors
    ]
    if not offsets:
        return None
    offset, explained = _most_frequent(offsets)
    text = f"{counted(offset, 'session')} before {words} ({explained} of {len(rolls)} rolls)"
    anchor = "fixed_day 1" if rule == "fixed_day" else rule
    return ApparentRule(rule, text, f"calendar, anchor {anchor}, offset {offset}", offset, explained, len(rolls))


def _volume_rule(
    rolls: Sequence[WindowRoll],
    index: Mapping[str, int],
    bounds: np.ndarray,
    days: np.ndarray,
    volume: np.ndarray,
    sessions: np.ndarray,
) -> ApparentRule | None:
    offsets = []
    for roll in rolls:
        old, new = index.get(roll.from_contract or "", -1), index.get(roll.to_contract or "", -1)
        if old < 0 or new < 0:
            continue
        old_rows, new_rows = slice(bounds[old], bounds[old + 1]), slice(bounds[new], bounds[new + 1])
        shared, left, right = np.intersect1d(days[old_rows], days[new_rows], assume_unique=True, return_indices=True)
        ahead = volume[new_rows][right] > volume[old_rows][left]
        confirmed = np.flatnonzero(ahead[1:] & ahead[:-1]) + 1
        if confirmed.size:
            crossover = int(shared[confirmed[0]])
            offsets.append(_place(sessions, _ordinal(roll.gap_session)) - _place(sessions, crossover))
    if not offsets:
        return None
    offset, explained = _most_frequent(offsets)
    text = f"volume, {counted(offset, 'session')} after two days of higher volume ({explained} of {len(rolls)} rolls)"
    return ApparentRule("volume", text, "volume, 2 consecutive days", offset, explained, len(rolls))


def _most_frequent(offsets: Sequence[int]) -> tuple[int, int]:
    """The commonest value (ties: the smallest) and how often it occurs."""
    values, counts = np.unique(np.array(offsets, dtype=np.int64), return_counts=True)
    at = int(counts.argmax())
    return int(values[at]), int(counts[at])


def _place(sessions: np.ndarray, day: int) -> int:
    """Position of the last session on or before a day."""
    return int(np.searchsorted(sessions, day, side="right")) - 1


def _ordinal(day: date) -> int:
    return int(np.datetime64(day, "D").astype(np.int64))
