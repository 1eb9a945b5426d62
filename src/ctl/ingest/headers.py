"""What the columns of a common CSV mean, from their names alone: dates, prices, volume, in any case and order.

A name is compared without accents, blanks and signs: `<OPEN>`, `Open Int` and `Vol.` are open, openint and vol. Where
several columns could be one thing, the name that stands first in the list below is taken; `time` is the date only
where nothing else is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ctl.errors import InputError
from ctl.ingest.table import MAX_LINE, distinct, header_of
from ctl.model.bars import PRICES

if TYPE_CHECKING:
    from ctl.ingest.vendor import Opened

SEPARATORS: Final = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_NAMES: Final[Mapping[str, str]] = {
    "session": "session date tradedate tradingdate tradingday businessdate exchangedate pricedate day data datum fecha "
    "dtyyyymmdd dateymd ymd dates datetime timestamp gmttime windowstart tsevent time",
    "open": "open openprice tradeopen pxopen openingprice otwarcie eroffnung eroffn erster apertura abertura ouv "
    "ouverture opening",
    "high": "high highprice tradehigh pxhigh highest najwyzszy hoch hoog maximo maxima massimo plushaut hochster",
    "low": "low lowprice tradelow pxlow lowest najnizszy tief laag minimo minima plusbas tiefster",
    "close": "settle settlement settlementprice settleprice pxsettle sett close closeprice closingprice closelast "
    "final tradeclose pxlast last latest lastprice price zamkniecie schluss schlusskurs zuletzt cierre ultimo dernier "
    "laatste ostatnio adjclose adjustedclose closeadj",
    "volume": "volume vol totalvolume pxvolume tradedvolume tradevolume wolumen wol volumen contractvolume "
    "periodvolume estvolume estvol actualvol markethoursvolume",
    "open_interest": "openinterest openint oi opint lop previousdayopeninterest prevdayoi prevdayopeninterest "
    "priordayoi opinterest",
    "contract": "contract contractname contractcode contractsymbol",
    "delivery_month": "deliverymonth contractmonth pricecontract expirymonth maturitymonth",
    "last_trade": "lasttrade lasttradedate lasttradingday lasttradingdate expirationdate expirydate",
    "first_notice": "firstnotice firstnoticedate firstnoticeday",
    "symbol": "symbol ticker code instrument ric name",
    "adjustment": "adjustment",
}
_LETTERS: Final[Mapping[str, str]] = {
    "session": "t", "open": "o", "high": "h", "low": "l", "close": "c", "volume": "v",
}  # fmt: skip
_ADJUSTED: Final = ("adjclose", "adjustedclose", "closeadj")
_SETTLED: Final = ("settle", "settlement", "settlementprice", "settleprice", "pxsettle", "sett", "final")
_LINES: Final = 30
"""A header stands among the first lines of a file."""

_MOST_FOOTER: Final = 5


@dataclass(frozen=True, slots=True)
class Header:
    """A header, and what its columns mean.

    names: of every column, distinct. columns: the name by meaning. lines: up to and with the header. settled: whether
    the close is a settlement by its name; adjusted: whether it carries dividends. tickers: where a line under the
    names says whose each column is.
    """

    separator: str
    names: tuple[str, ...]
    columns: Mapping[str, str]
    lines: int = 1
    settled: bool = False
    adjusted: bool = False


def plain(name: str) -> str:
    """A column's name without case, accents, blanks, signs and its number, as in `4. close`."""
    text = unicodedata.normalize("NFKD", re.sub(r"^\d+\. ", "", name.lower().replace("ł", "l")))
    return re.sub(r"[^a-z0-9]", "", text)


def meanings(names: Sequence[str]) -> dict[str, str]:
    """The columns whose names say what they hold; see the module."""
    by_plain: dict[str, str] = {}  # the first of a name
    for name in names:
        by_plain.setdefault(plain(name), name)
    found: dict[str, str] = {}
    for field, known in _NAMES.items():
        stated = next((by_plain[each] for each in known.split() if each in by_plain), None)
        if stated is not None:
            found[field] = stated
    if "close" not in found and all(letter in by_plain for letter in "ohlc"):
        for field, letter in _LETTERS.items():
            if letter in by_plain:
                found.setdefault(field, by_plain[letter])
    return found


def find(file: Opened, *, strict: bool = True) -> Header | None:
    """The header of a file whose columns mean at least a date and a close; None where there is none.

    strict: raise InputError where two columns could be one thing, or one of the prices of a bar is missing.
    """
    where = file.raw.name if strict else None
    if file.frame is not None:
        return _header(",", file.columns, 1, where)
    starts = file.text[:MAX_LINE].split(b"\n")[:_LINES]
    for number, line in enumerate(starts, start=1):
        for separator in SEPARATORS:
            cells = header_of(line, separator)
            if len(cells) < 2:
                continue
            levels = _levels(starts[number - 1 :], separator)
            if levels is not None:
                return _header(separator, levels[0], number + levels[1], where)
            header = _header(separator, _with_index(cells), number, where)
            if header is not None:
                return header
    return None


def _levels(lines: Sequence[bytes], separator: str) -> tuple[tuple[str, ...], int] | None:
    """The names of a header of two or three lines, as pandas writes columns of two levels, and the lines below it.

    `Price,Close,High` over `Ticker,AAPL,AAPL` over `Date,,`: the index is named below.
    """
    if len(lines) < 3:
        return None
    first, second, third = (header_of(line, separator) for line in lines[:3])
    if not (len(first) == len(second) and second and plain(second[0]) == "ticker" and len(set(second[1:])) == 1):
        return None
    if not third or plain(third[0]) not in _NAMES["session"].split() or any(third[1:]):
        return ("Date", *first[1:]), 1
    return (third[0], *first[1:]), 2


def _with_index(names: Sequence[str]) -> tuple[str, ...]:
    """The names, a first column without one called Date where no other could be the date: an index of pandas."""
    if names and not names[0] and "session" not in meanings(names[1:]) and "close" in meanings(names[1:]):
        return ("Date", *names[1:])
    return tuple(names)


def _header(separator: str, names: tuple[str, ...], lines: int, where: str | None) -> Header | None:
    columns = meanings(names)
    if "session" not in columns or "close" not in columns:
        return None
    for field, name in columns.items() if where else ():
        if [plain(each) for each in names].count(plain(name)) > 1:
            found = ", ".join(names)[:200]
            raise InputError(f"row {lines}: two columns could be the {field}", where=where, found=found, expected="one")
    lacking = [field for field in PRICES if field not in columns]
    if where and lacking and len(lacking) < len(PRICES) - 1:
        raise InputError(
            f"row {lines}: column {lacking[0]!r} is missing", where=where, found=", ".join(names)[:200],
            expected="open, high, low and close, or a close alone",
        )  # fmt: skip
    close = plain(columns["close"])
    return Header(separator, distinct(names), columns, lines, close in _SETTLED, close in _ADJUSTED)


def ends(text: bytes, separator: str, header_lines: int, width: int) -> tuple[int, bool]:
    """How many lines of text stand below the rows, and whether rows lack their last cells.

    A line of text is a single cell, empty ones aside, where a row has several, at most a few at the end of a file; a
    row that is cut begins with a date, and no number of a few digits is one.
    """
    body = np.frombuffer(text.rstrip(b"\r\n \0"), dtype=np.uint8)
    stops = np.append(np.flatnonzero(body == 0x0A), len(body))
    marks = np.flatnonzero(body == ord(separator))
    cells = np.diff(np.searchsorted(marks, stops), prepend=0)[header_lines:] + 1
    if width < 2 or not len(cells):
        return 0, False
    footer = 0
    while footer < min(_MOST_FOOTER, len(cells)) and _is_text(text, body, stops, len(stops) - 1 - footer, separator):
        footer += 1
    rows = cells[: len(cells) - footer]
    return footer, bool((rows < width).any()) if len(rows) else False


def _is_text(text: bytes, body: np.ndarray, stops: np.ndarray, line: int, separator: str) -> bool:
    start = 0 if line == 0 else int(stops[line - 1]) + 1
    cells = header_of(text[start : int(stops[line])], separator)
    alone = cells[0] if cells else ""
    return not any(cells[1:]) and (not re.match(r"\d", alone) or re.fullmatch(r"\d{1,6}", alone) is not None)
