"""QuantConnect's LEAN: zips or CSV without a header, a bar per calendar day of the exchange's zone.

Futures are one file per contract, `es_trade_201312.csv`; equities one file, prices in ten-thousandths. The files that
lie beside them (open interest, quotes, maps and factors) are other schemas.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ctl.ingest import mapping
from ctl.ingest.rows import OtherSchema
from ctl.ingest.vendor import of_symbol

if TYPE_CHECKING:
    from ctl.ingest.rows import FileBars
    from ctl.ingest.vendor import Opened, Wanted

FORMAT: Final = "lean"
_BAR: Final = re.compile(r"\d{8} \d{2}:\d{2}(,-?\d+(\.\d+)?){1,10}")
_OTHER: Final = re.compile(r"(^|_)(openinterest|quote|map_file|factor_file)(_|$)")


def recognises(file: Opened) -> bool:
    """By its first line, and by the names of what lies beside."""
    return _BAR.fullmatch(",".join(file.columns)) is not None or _OTHER.search(file.raw.stem) is not None


def read(file: Opened, wanted: Wanted) -> FileBars:
    """Bars through the packaged mapping of futures, or that of equities where every price is a whole number."""
    other = _OTHER.search(file.raw.stem)
    if other is not None:
        raise OtherSchema("no bars", where=file.raw.name, found=other[2], expected="trades of a day")
    future = mapping.recognised(file, ("lean",)) is not None
    whole = all(cell.isdigit() for cell in file.columns[1:5])
    name = "lean_equity" if not future and whole else "lean"
    return mapping.read_through(file, mapping.packaged(name), wanted)


find_files: Final = of_symbol
