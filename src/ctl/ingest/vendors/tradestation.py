"""TradeStation's daily text export, and the names of its files.

`"Date","Time","Open","High","Low","Close","Vol","OI"`; dates MM/DD/YYYY; Time is the session's closing time,
local to the exchange. The close of a daily futures bar is the settlement.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ctl.errors import InputError
from ctl.ingest.rows import FileBars, as_date
from ctl.ingest.symbols import require_symbol
from ctl.ingest.vendor import SeriesFiles, Wanted, opened
from ctl.model.bars import PRICES

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from ctl.ingest.vendor import Opened

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
    """The newest adjusted and unadjusted export of `symbol` in `folder`.

    `TS_<SYM>_CUSTOM_ADJ_1D_<...>.csv`, `TS_<SYM>_CUSTOM_UNADJ_1D_<...>.csv`; where neither is there,
    `TS_<SYM>_1D_<...>.csv` stands as adjusted. Of several matches the newest by its last session is taken (ties:
    the last by name); files that cannot be read are refused, not skipped.
    Raises InputError for an unusable symbol or folder.
    """
    require_symbol(symbol)
    try:
        names = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise InputError("cannot be read", where=str(folder), found=error.strerror or type(error).__name__) from error
    notes: list[str] = []
    adjusted, unadjusted, plain = (
        _newest(names, rf"TS_{re.escape(symbol)}_{middle}1D{_SUFFIX}", notes)
        for middle in ("CUSTOM_ADJ_", "CUSTOM_UNADJ_", "")
    )
    if adjusted is None and unadjusted is None:
        adjusted = plain
    return SeriesFiles(adjusted, unadjusted, f"{folder}/TS_{symbol}_CUSTOM_ADJ_1D_*.csv", tuple(notes))


def _newest(paths: list[Path], pattern: str, notes: list[str]) -> Path | None:
    name = re.compile(pattern, re.IGNORECASE)
    matches = [path for path in paths if name.fullmatch(path.name)]
    if len(matches) < 2:
        return matches[0] if matches else None
    dated = sorted((last_session(path), path.name, path) for path in matches)
    chosen = dated[-1]
    others = ", ".join(f"{other} ({day})" for day, other, _ in dated[:-1])
    notes.append(f"{chosen[1]} chosen by its last session {chosen[0]} over {others}")
    return chosen[2]


def last_session(path: Path) -> date:
    """The last session of a daily export."""
    (file,) = opened(path)
    return as_date(int(read(file, Wanted(as_series=True)).rows.day.max()))
