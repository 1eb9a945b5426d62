"""TradeStation's daily text export, and the names of its files.

`"Date","Time","Open","High","Low","Close","Vol","OI"`; dates MM/DD/YYYY; Time is the session's closing time,
local to the exchange. The close of a daily futures bar is the settlement.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ctl.errors import InputError
from ctl.ingest.rows import FileBars
from ctl.ingest.symbols import require_symbol
from ctl.ingest.vendor import SeriesFiles, files_in
from ctl.model.bars import PRICES

if TYPE_CHECKING:
    from pathlib import Path

    from ctl.ingest.vendor import Opened, Wanted

FORMAT: Final = "tradestation"
_DAILY: Final = ("date", "time", "open", "high", "low", "close", "vol", "oi")
_INTRADAY: Final = ("date", "time", "open", "high", "low", "close", "up", "down")
_SUFFIX: Final = r"(?:_[A-Za-z0-9_.\-]*)?\.(?:csv|txt)(?:\.gz|\.zst)?"


def recognises(file: Opened) -> bool:
    """By its header, daily or intraday."""
    names = tuple(name.lower() for name in file.columns)
    return names[:6] == _DAILY[:6] and (set(names[6:]) <= {"vol", "oi", "up", "down"})


def read(file: Opened, wanted: Wanted) -> FileBars:
    """Bars of one daily export. Raises InputError as `Table` does, and for an intraday export."""
    cells = file.table()
    names = tuple(name.lower() for name in cells.columns)
    if names != _DAILY:
        what = "an intraday export" if names == _INTRADAY else "not a daily export"
        raise InputError(
            f"row 1: {what}",
            where=cells.file.name,
            found=", ".join(cells.columns),
            expected='"Date","Time","Open","High","Low","Close","Vol","OI"',
        )
    column = dict(zip(names, cells.columns, strict=True))
    odd = ~cells.text(column["time"]).str.contains(r"^\d{1,2}:?\d{2}$").fill_null(value=False)
    if odd.any():
        cells.fail(int(odd.arg_max() or 0), column["time"], "not a time", expected="the closing time as HH:MM")
    prices = {name: cells.floats(column[name]) for name in PRICES}
    short = re.fullmatch(r"\d{1,2}/\d{1,2}/\d{2}", str(cells.text(column["date"])[0]).strip())
    day = cells.days(column["date"], "%m/%d/%y" if short else "%m/%d/%Y")
    rows = cells.rows(day, prices, cells.integers(column["vol"]), cells.integers(column["oi"]))
    descending = bool(day[0] > day[-1])
    return FileBars(cells.file, rows, FORMAT, "exchange_session", "settlement", descending=descending)


def find_files(folder: Path, symbol: str) -> SeriesFiles:
    """The adjusted and unadjusted exports of `symbol` in `folder`.

    `TS_<SYM>_CUSTOM_ADJ_1D_<...>.csv`, `TS_<SYM>_CUSTOM_UNADJ_1D_<...>.csv`; where neither is there,
    `TS_<SYM>_1D_<...>.csv` stands as adjusted. Raises InputError for an unusable symbol or folder.
    """
    require_symbol(symbol)
    files = files_in(folder)

    def named(middle: str) -> tuple[Path, ...]:
        name = re.compile(rf"TS_{re.escape(symbol)}_{middle}1D{_SUFFIX}", re.IGNORECASE)
        return tuple(path for path in files if name.fullmatch(path.name))

    adjusted, unadjusted = named("CUSTOM_ADJ_"), named("CUSTOM_UNADJ_")
    if not adjusted and not unadjusted:
        adjusted = named("")
    return SeriesFiles(adjusted, unadjusted, f"{folder}/TS_{symbol}_CUSTOM_ADJ_1D_*.csv")
