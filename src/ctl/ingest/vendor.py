"""What a vendor's module offers, and what it is handed. The registry of vendors is `ctl.ingest.vendors`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ctl.errors import InputError
from ctl.ingest import source, table
from ctl.model.csv_mapping import CsvMapping

if TYPE_CHECKING:
    from ctl.ingest.rows import FileBars
    from ctl.ingest.source import RawFile


@dataclass(frozen=True, slots=True)
class Opened:
    """A file as vendors look at it: its bytes, and where it is text, the cells of its first line.

    text: without its byte order mark, empty where the content is binary. columns: separated by commas, stripped;
    empty where the content is binary or the line cannot be taken apart.
    """

    raw: RawFile
    text: bytes
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a file.

    as_series: one bar per session of `symbol`; else bars per contract, `symbol` being their root. symbol None: the
    only one that the file holds. publisher: the venue, where a vendor tells several apart. mapping: how the caller
    says that a CSV is read.
    """

    as_series: bool
    symbol: str | None = None
    publisher: int | None = None
    mapping: CsvMapping | None = None


@dataclass(frozen=True, slots=True)
class SeriesFiles:
    """The files of one symbol's series at a vendor; None where there is none.

    expected: the names that were looked for. notes: what was decided between several.
    """

    adjusted: Path | None
    unadjusted: Path | None
    expected: str
    notes: tuple[str, ...] = ()


class Vendor(Protocol):
    """A module of `ctl.ingest.vendors`. FORMAT is its name in `ctl.toml`."""

    FORMAT: str

    def recognises(self, file: Opened) -> bool:
        """Whether the file is this vendor's, by its content."""

    def read(self, file: Opened, wanted: Wanted) -> FileBars:
        """Its bars. Raises InputError naming row, column, what was found and what was expected."""

    def find_files(self, folder: Path, symbol: str) -> SeriesFiles:
        """The files of a symbol's series in a vendor's folder. Raises InputError where the choice is open."""


def opened(path: Path | RawFile) -> Opened:
    """Read a file, or take one as read. Raises InputError as `source.load` and `table.check_head` do."""
    raw = source.load(path) if isinstance(path, Path) else path
    if raw.starts_with(source.DBN_MAGIC) or raw.starts_with(source.PARQUET_MAGIC):
        return Opened(raw, b"", ())
    text = table.check_head(raw)
    return Opened(raw, text, table.header_of(text))


def of_symbol(folder: Path, symbol: str) -> SeriesFiles:
    """The only file of the symbol's own folder where there is one, else the only file that bears its name."""
    own = folder / symbol
    return one_file(own, symbol, "*") if own.is_dir() else one_file(folder, symbol, f"*{symbol}*")


def one_file(folder: Path, symbol: str, pattern: str) -> SeriesFiles:
    """The only file of a folder whose name matches `pattern`, as an unadjusted series."""
    found = sorted(path for path in folder.glob(pattern) if path.is_file()) if folder.is_dir() else []
    if len(found) > 1:
        raise InputError(
            f"several files of {symbol}",
            where=str(folder),
            found=", ".join(path.name for path in found[:4]),
            expected="one",
            remedy="move the others away",
        )
    return SeriesFiles(None, found[0] if found else None, f"{folder}/{pattern}")
