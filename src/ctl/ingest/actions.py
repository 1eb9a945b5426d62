"""Splits and dividends of an equity: `date,split_ratio,dividend`, one row per ex-date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ctl.ingest import source, table
from ctl.ingest.rows import as_date
from ctl.model.actions import CorporateAction, CorporateActions
from ctl.model.bars import SourceFile

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

COLUMNS: Final = ("date", "split_ratio", "dividend")
MAX_RATIO: Final = 10_000.0


def read(path: Path) -> CorporateActions:
    """The actions of a file; see `ctl.ingest.read_actions`."""
    raw = source.load(path)
    text = table.check_head(raw)
    if not text[text.find(b"\n") + 1 or len(text) :].strip():
        # An equity that never split and never paid has a file with nothing below its header.
        table.require_columns(raw, table.header_of(text), COLUMNS)
        return CorporateActions((), SourceFile(raw.name, raw.sha256, raw.size, 0, None, None))
    cells = table.parse(raw, text, required=COLUMNS)
    days = cells.days("date", "%Y-%m-%d")
    ratio = cells.floats("split_ratio", most=MAX_RATIO)
    dividend = cells.floats("dividend")
    for wrong, column, what, expected in (
        (np.diff(days, prepend=days[0] - 1) <= 0, "date", "not after the row before", "ascending dates, each once"),
        (ratio <= 0.0, "split_ratio", "not positive", "new shares for one old, 1 without a split"),
        (dividend < 0.0, "dividend", "negative", "cash per share, 0 without a dividend"),
        ((ratio == 1.0) & (dividend == 0.0), "split_ratio", "neither a split nor a dividend", "an action"),
    ):
        if wrong.any():
            cells.fail(int(np.argmax(wrong)), column, what, expected=expected)
    dates = [as_date(int(day)) for day in days]
    events = tuple(map(CorporateAction, dates, ratio.tolist(), dividend.tolist()))
    return CorporateActions(events, SourceFile(raw.name, raw.sha256, raw.size, len(events), dates[0], dates[-1]))


_STATED: Final = (("split ratio", "splitfactor", "split_ratio"), ("ex-dividend", "divcash", "dividend"))
"""What columns of splits and of dividends are called in files of daily bars."""


def stated(path: Path, days: NDArray[np.int32]) -> CorporateActions | None:
    """The actions that a text file of daily bars states in columns of its own, one bar a row; None where it has none.

    days: the sessions of its bars, ascending, as days since 1970-01-01; the rows are in that order or the reverse.
    """
    raw = source.load(path)
    text = table.check_head(raw)
    cells = table.parse(raw, text)
    found = {name.lower(): name for name in cells.columns}
    split, dividend = (next((found[name] for name in names if name in found), None) for names in _STATED)
    if split is None or dividend is None or len(cells) != len(days):
        return None
    ratio, cash = cells.floats(split, most=MAX_RATIO), cells.floats(dividend)
    if not _ascending(cells):
        ratio, cash = ratio[::-1], cash[::-1]
    at = np.flatnonzero((ratio != 1.0) | (cash != 0.0))
    events = tuple(CorporateAction(as_date(int(days[row])), float(ratio[row]), float(cash[row])) for row in at)
    return CorporateActions(events, SourceFile(raw.name, raw.sha256, raw.size, len(events), None, None))


def _ascending(cells: table.Table) -> bool:
    """Whether the first date of a file stands before its last: compared by years, whichever way days are written."""
    column = cells.text(cells.columns[0]).str.extract(r"(\d{4})").cast(int)
    first, last = column[0], column[-1]
    return first is None or last is None or bool(first <= last)


def written(actions: CorporateActions) -> bytes:
    """The text of an actions file, as `read` reads it."""
    lines = [f"{event.ex_date},{event.split_ratio!r},{event.dividend!r}" for event in actions.events]
    return "\n".join([",".join(COLUMNS), *lines, ""]).encode()
