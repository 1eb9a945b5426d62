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
