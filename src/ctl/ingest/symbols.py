"""Symbols as files write them: which characters they may hold, and whose they are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from ctl.errors import InputError
from ctl.model.contracts import MONTH_CODES, parse_symbol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ctl.ingest.table import Table

_SYMBOL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 :._+!\-]{0,70}|UD:[A-Za-z0-9 :._+\-$#@*]{1,67}")
_YEAR_TWICE: Final = re.compile(r"(?P<head>.+[FGHJKMNQUVXZ])(?P<year>\d) (?P<decade>\d)(?P=year)")
_ICE: Final = re.compile(r"(?P<root>[A-Z0-9]{1,6}) +FM(?P<month>[FGHJKMNQUVXZ])00(?P<year>\d{2})!")
"""An ICE future of a month at Databento: root, type, month, day (00: the whole month), year."""
_EXCHANGES: Final = "CME|CBOT|NYMEX|COMEX|ICE|ICEUS|ICEEUR|EUREX|CFE"
_DRESSED: Final = re.compile(
    rf"(?:/|(?:{_EXCHANGES})(?:_MINI)?[:/_])?(?P<name>[A-Z0-9 ]+?)"
    r"(?: (?:Comdty|Index|Curncy)|\.(?:CME|CBT|CMX|NYM|NYB))?"
)
"""A name behind a slash or an exchange (`/ESH24`, `CME_MINI:ESH2024`), or before Bloomberg's market or an exchange."""
_PARTED: Final = (
    re.compile(r"(?P<root>[A-Z0-9]{1,6})[_-](?P<code>[FGHJKMNQUVXZ])(?P<year>\d{1,2}|\d{4})"),  # CL_H24
    re.compile(r"(?P<root>[A-Z0-9]{1,6})-(?P<year>\d{4})(?P<code>[FGHJKMNQUVXZ])"),  # CL-2024H
    re.compile(r"(?P<root>[A-Z0-9]{1,6}) (?P<month>0[1-9]|1[0-2])-(?P<year>\d{2})"),  # CL 03-24
)
MONTHS: Final = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_MONTH_NAMED: Final = re.compile(rf"(?P<root>[A-Z0-9]{{1,6}}) (?P<month>{'|'.join(MONTHS)})[ '-]?(?P<year>\d\d)", re.I)
_CONTINUOUS: Final = re.compile(r"[A-Z0-9]{1,6}\.[cnv]\.\d{1,2}")
_OPTION: Final = re.compile(r" [CP]-?\d+(\.\d+)?$")
EXPECTED: Final = "a symbol of letters, digits, blanks and : . _ + -"


def is_symbol(text: str) -> bool:
    """Whether a text can be a symbol: no path, no markup, no control characters."""
    return _SYMBOL.fullmatch(text) is not None and ".." not in text


def require_symbol(text: str, *, what: str = "symbol") -> str:
    """The text itself; InputError where it cannot be a symbol."""
    if not is_symbol(text):
        raise InputError(f"not a usable {what}", found=repr(text[:80]), expected=EXPECTED)
    return text


def kind_of(symbol: str) -> str:
    """What kind of instrument a symbol that is no outright names."""
    if symbol.startswith("UD:"):
        return "user_defined"
    if _OPTION.search(symbol):
        return "options"
    if "-" in symbol or ":" in symbol:
        return "spreads"
    return "other_instruments"


def spelled(text: str, suffix: str = "") -> str:
    """A symbol without blanks around it and `suffix`, the year written once, a contract's as everybody writes it.

    Where a one-digit year would name two decades' contracts, Bloomberg writes the year of the older one twice:
    `HGJ8 08` is HGJ08. `BRN FMJ0024!` is BRNJ24; `/ESH24`, `ES Mar24`, `ES_H24`, `ES 03-24`, `esh24` are ESH24.
    """
    name = text.strip().removesuffix(suffix).strip()
    if name.islower() and parse_symbol(name.upper()):
        return name.upper()
    dressed = _DRESSED.fullmatch(name)
    if dressed and parse_symbol(dressed["name"]):
        return dressed["name"]
    if named := _MONTH_NAMED.fullmatch(name):
        return f"{named['root']}{MONTH_CODES[MONTHS.index(named['month'].upper())]}{named['year']}"
    if ice := _ICE.fullmatch(name):
        return f"{ice['root']}{ice['month']}{ice['year']}"
    if parted := next(filter(None, (pattern.fullmatch(name) for pattern in _PARTED)), None):
        parts = parted.groupdict()
        return f"{parts['root']}{parts.get('code') or MONTH_CODES[int(parts['month']) - 1]}{parts['year']}"
    twice = _YEAR_TWICE.fullmatch(name)
    return f"{twice['head']}{twice['decade']}{twice['year']}" if twice else name


def meant(symbols: Sequence[str], wanted: str) -> str | None:
    """Which of a file's symbols `wanted` names: itself, else the vendor's only continuous symbol of that root."""
    if wanted in symbols:
        return wanted
    continuous = [symbol for symbol in symbols if _CONTINUOUS.fullmatch(symbol) and symbol.split(".")[0] == wanted]
    return continuous[0] if len(continuous) == 1 else None


def coded(
    table: Table, column: str, suffix: str = "", *, contracts: bool = False
) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """The distinct symbols of a column, sorted and `spelled`, and each row's index into them.

    Raises InputError for an empty cell and for text that cannot be a symbol; with `contracts` also for what is
    neither an outright nor a spread, an option or a user-defined instrument.
    """
    cells = table.text(column)
    if cells.null_count():
        table.fail(int(cells.is_null().arg_max() or 0), column, "empty", expected=EXPECTED)
    written = sorted(cells.unique().to_list())
    names: list[str] = []
    for text in written:
        name = spelled(text, suffix)
        if not is_symbol(name):
            row = int((cells == text).arg_max() or 0)
            table.fail(row, column, "not a symbol", expected=EXPECTED)
        if contracts and parse_symbol(name) is None and kind_of(name) == "other_instruments":
            row = int((cells == text).arg_max() or 0)
            table.fail(row, column, "not a contract", expected="a contract like ESH25")
        names.append(name)
    symbols = tuple(sorted(set(names)))
    if len(symbols) == 1:
        return symbols, np.zeros(len(table), dtype=np.int32)
    number = {name: at for at, name in enumerate(symbols)}
    table_of = np.array([number[name] for name in names], dtype=np.int32)
    codes = cells.cast(pl.Enum(written)).to_physical().to_numpy()
    return symbols, table_of[codes]
