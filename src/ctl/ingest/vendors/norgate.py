"""Norgate's text export: continuous futures, where present with the delivery month held, and equities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ctl.ingest import headers, mapping
from ctl.ingest.vendor import SeriesFiles, of_symbol

if TYPE_CHECKING:
    from pathlib import Path

    from ctl.ingest.rows import FileBars
    from ctl.ingest.vendor import Opened, Wanted

FORMAT: Final = "norgate"
_MAPPINGS: Final = ("norgate", "norgate_equity")


def recognises(file: Opened) -> bool:
    """By its header, which names no symbol (a file is of one) and no settlement beside the close."""
    named = headers.meanings(file.columns)
    return (
        named.get("close") == "Close"
        and not named.keys() & {"contract", "symbol"}
        and mapping.recognised(file, _MAPPINGS) is not None
    )


def read(file: Opened, wanted: Wanted) -> FileBars:
    """Bars through the packaged mapping that the header fits."""
    return mapping.read_recognised(file, wanted, _MAPPINGS)


def find_files(folder: Path, symbol: str) -> SeriesFiles:
    """`NG_<SYM>_<...>`, and as the adjusted series `NG_<SYM>_CCB_<...>`."""
    return of_symbol(folder, symbol, "NG")
