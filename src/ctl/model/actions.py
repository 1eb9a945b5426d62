"""Splits and dividends of an equity."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ctl.model.bars import SourceFile


@dataclass(frozen=True, slots=True)
class CorporateAction:
    """What takes effect at the open of its ex-date.

    split_ratio: new shares for one old (1.0: no split). dividend: cash per share as paid on the day, in the terms of
    the raw price (0.0: none).
    """

    ex_date: date
    split_ratio: float = 1.0
    dividend: float = 0.0


@dataclass(frozen=True, slots=True)
class CorporateActions:
    """The actions of one equity, ascending by ex-date, at most one a day; and the file that says so."""

    events: tuple[CorporateAction, ...]
    source: SourceFile | None = None
