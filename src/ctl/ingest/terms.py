"""Last trade and first notice of every contract: as the vendor states them, else by the exchange's rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ctl import sessions
from ctl.ingest.cells import stated_days
from ctl.ingest.rows import as_date
from ctl.ingest.table import FIRST_DAY
from ctl.model import day_rules
from ctl.model.bars import ContractTerms
from ctl.model.instruments import NO_NOTICE, UNKNOWN_DAY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctl.ingest.table import Table
    from ctl.model.bars import TermSource
    from ctl.model.contracts import Contract
    from ctl.model.instruments import Instruments

COLUMNS: Final = ("last_trade", "first_notice")
_ASSUMED: Final = "last bd of the month before"
_YEARS: Final = range(1850, 2200)
"""Deliveries whose days are worth counting; a symbol that names another year is not known to trade."""
_MARGIN: Final = np.timedelta64(2, "M")

_Days = tuple[date | None, "TermSource"]


def complete(
    contracts: Sequence[Contract], stated: Mapping[str, ContractTerms], instruments: Instruments
) -> dict[str, ContractTerms]:
    """The terms of every contract by name. stated: what the vendor says; it comes before any rule.

    A first notice that neither states is assumed. Raises UsageError for a calendar of `instruments` that nobody knows.
    """
    found: dict[str, ContractTerms] = {}
    for root in dict.fromkeys(contract.root for contract in contracts):
        own = [contract for contract in contracts if contract.root == root]
        known = [stated.get(contract.name, ContractTerms(contract.name)) for contract in own]
        if any(each.last_trade is None or each.first_notice is None for each in known):
            ruled = _by_rule(root, own, instruments)
            known = [_filled(each, *days) for each, days in zip(known, ruled, strict=True)]
        found |= {each.contract: each for each in known}
    return found


def stated_in_columns(
    table: Table,
    columns: Mapping[str, str],
    date_format: str,
    symbols: tuple[str, ...],
    codes: NDArray[np.int32],
) -> dict[str, ContractTerms]:
    """Terms by symbol, as the latest row of it that has them states. columns: their names by canonical field."""
    terms: dict[str, ContractTerms] = {}
    for field in COLUMNS:
        if field not in columns or not symbols:
            continue
        dates = stated_days(table, columns[field], date_format)
        at = np.flatnonzero((dates >= FIRST_DAY) & (codes >= 0))
        for code, day in dict(zip(codes[at].tolist(), dates[at].tolist(), strict=True)).items():
            symbol = symbols[code]
            known = terms.get(symbol, ContractTerms(symbol))
            values: dict[str, Any] = {field: as_date(day), f"{field}_source": "column"}
            terms[symbol] = replace(known, **values)
    return terms


def _filled(stated: ContractTerms, last_trade: _Days, first_notice: _Days) -> ContractTerms:
    if stated.last_trade is not None:
        last_trade = (stated.last_trade, stated.last_trade_source)
    if stated.first_notice is not None:
        first_notice = (stated.first_notice, stated.first_notice_source)
    return ContractTerms(
        stated.contract, last_trade[0], first_notice[0], stated.tick, stated.currency, stated.asset, last_trade[1],
        first_notice[1],
    )  # fmt: skip


def _by_rule(root: str, contracts: Sequence[Contract], instruments: Instruments) -> list[tuple[_Days, _Days]]:
    """(last trade, first notice) of every contract of one root, as its rules give them."""
    nobody: tuple[_Days, _Days] = ((None, "unknown"), (None, "unknown"))
    found = [nobody] * len(contracts)
    rules = instruments.term_rules(root)
    instrument = instruments.get(root)
    calendar = None if instrument is None else instrument.calendar
    groups: dict[int, list[int]] = {}
    for at, contract in enumerate(contracts):
        if contract.year in _YEARS:
            rule = sum(each.since <= contract.expiry_key for each in rules) - 1
            groups.setdefault(rule, []).append(at)
    for number, places in groups.items():
        months = np.array([contracts[at].expiry_key - 1970 * 12 for at in places]).astype("datetime64[M]")
        if number < 0:
            ended: list[_Days] = [(None, "unknown")] * len(places)
            noticed = _evaluate(_ASSUMED, months, calendar, "assumed")
        else:
            rule_of = rules[number]
            counted = rule_of.calendar or calendar
            if rule_of.last_trade in UNKNOWN_DAY:
                ended = [(None, "unknown")] * len(places)
            else:
                ended = _evaluate(rule_of.last_trade, months, counted, "rule")
            if rule_of.first_notice in NO_NOTICE:
                noticed = [(None, "none")] * len(places)
            else:
                noticed = _evaluate(rule_of.first_notice, months, counted, "rule")
        for at, last_trade, first_notice in zip(places, ended, noticed, strict=True):
            found[at] = (last_trade, first_notice)
    return found


def _evaluate(words: str, months: NDArray[np.datetime64], calendar: str | None, source: TermSource) -> list[_Days]:
    """The day that a rule names for every delivery month; `estimated` where the calendar does not reach its days."""
    rule = day_rules.parse(words)
    spoken_of = months - rule.months_before
    first, last = (day.astype("datetime64[D]").item() for day in (spoken_of.min() - _MARGIN, spoken_of.max() + _MARGIN))
    counted, known_from, known_to = sessions.business_days(calendar, first, last)
    days, needed = day_rules.days_named(rule, months, counted)
    sure = (days >= np.datetime64(known_from)) & (needed <= np.datetime64(known_to))
    if source == "assumed":
        sure[:] = True
    return [(day, source if known else "estimated") for day, known in zip(days.tolist(), sure.tolist(), strict=True)]
