"""ctl's own plain tables, as CSV, Parquet or a frame.

contracts: `session,contract,open,high,low,close,volume[,open_interest][,last_trade][,first_notice]`; open, high, low
empty where only settlements are known. series: `session,open,high,low,close,volume[,open_interest][,adjustment]
[,contract]`. Their bases are not in the file: exchange sessions and settlements are assumed, and the series says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ctl.ingest import terms
from ctl.ingest.rows import FileBars
from ctl.ingest.symbols import coded
from ctl.ingest.vendor import of_symbol
from ctl.model.bars import PLAIN_BASES, PRICES

if TYPE_CHECKING:
    from ctl.ingest.vendor import Opened, Wanted

FORMAT: Final = "plain"
_REQUIRED: Final = ("session", *PRICES, "volume")
_KNOWN: Final = (*_REQUIRED, "open_interest", "contract", "adjustment", "close_unadjusted", *terms.COLUMNS)


def recognises(file: Opened) -> bool:
    """By its columns, in capitals or not; `session` alone is a common CSV's too."""
    return {name.lower() for name in file.columns} >= set(_REQUIRED)


find_files: Final = of_symbol


def read(file: Opened, wanted: Wanted) -> FileBars:
    """Bars of a plain table. Raises InputError as `Table` does, and for a missing column."""
    as_series = wanted.as_series
    required = _REQUIRED if as_series else (*_REQUIRED[:1], "contract", *_REQUIRED[1:])
    table = file.table(required, tuple(name.lower() for name in file.columns))
    symbols: tuple[str, ...] = ()
    codes = None
    if "contract" in table.columns and not (as_series and table.text("contract").is_null().all()):
        symbols, codes = coded(table, "contract", contracts=True)
    prices = {name: table.floats(name, nullable=name != "close" or not as_series) for name in PRICES}
    interest = table.integers("open_interest") if "open_interest" in table.columns else None
    day = table.days("session", "%Y-%m-%d")
    rows = table.rows(day, prices, table.integers("volume"), interest, symbols, codes)
    adjustment = table.floats("adjustment") if as_series and "adjustment" in table.columns else None
    ignored = [name for name in table.columns if name not in _KNOWN]
    notes = (PLAIN_BASES, *([f"columns not used: {', '.join(ignored)[:200]}"] if ignored else []))
    held = codes if as_series else None
    stated = {str(name): name for name in terms.COLUMNS if name in table.columns}
    return FileBars(
        table.file, rows, FORMAT, "exchange_session", "settlement", notes=notes, contract=held, adjustment=adjustment,
        terms={} if as_series or codes is None else terms.stated_in_columns(table, stated, "%Y-%m-%d", symbols, codes),
    )  # fmt: skip
