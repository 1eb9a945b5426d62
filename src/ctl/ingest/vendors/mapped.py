"""Any vendor's CSV: through the mapping that the caller names, else the packaged one that its header fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ctl.ingest import mapping
from ctl.ingest.vendor import of_symbol

if TYPE_CHECKING:
    from ctl.ingest.rows import FileBars
    from ctl.ingest.vendor import Opened, Wanted

FORMAT: Final = "csv"
_OF_ANYBODY: Final = tuple(name for name in mapping.PACKAGED if not name.startswith(("norgate", "lean")))


def recognises(file: Opened) -> bool:
    """By the header of a packaged mapping; of a file without one, by its name and first line."""
    return mapping.recognised(file, _OF_ANYBODY) is not None


def read(file: Opened, wanted: Wanted) -> FileBars:
    """Bars through the mapping."""
    return mapping.read_recognised(file, wanted, _OF_ANYBODY)


find_files: Final = of_symbol
