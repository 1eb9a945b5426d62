"""What a vendor's module offers, and what it is handed. The registry of vendors is `ctl.ingest.vendors`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from ctl.errors import InputError
from ctl.ingest import frames, source, table
from ctl.ingest.rows import NoRecords
from ctl.ingest.table import Table
from ctl.model.csv_mapping import CsvMapping

if TYPE_CHECKING:
    import polars as pl

    from ctl.ingest.rows import FileBars
    from ctl.ingest.source import RawFile


@dataclass(frozen=True, slots=True)
class Opened:
    """A file as vendors look at it: its bytes, and the names of its columns.

    text: without its byte order mark, empty where the content is binary or no file. columns: the cells of the first
    line, separated by commas, stripped; empty where it cannot be taken apart. Of Parquet, JSON and a caller's frame
    the columns, and as `frame` their cells as text.
    """

    raw: RawFile
    text: bytes
    columns: tuple[str, ...]
    frame: pl.DataFrame | None = None

    def table(self, required: tuple[str, ...] = (), names: tuple[str, ...] | None = None) -> Table:
        """The rows below the header, columns separated by commas; `names` are its columns under other names.

        Raises InputError as `table.parse` does, and where one of the `required` columns is missing.
        """
        if self.frame is None:
            return table.parse(self.raw, self.text, required=required, names=names)
        if not self.frame.height:
            raise NoRecords("no data rows", where=self.raw.name, expected="at least one row")
        columns = self.columns if names is None else names
        table.require_columns(self.raw, columns, required)
        return Table(self.raw, columns, self.frame.rename(dict(zip(self.columns, columns, strict=True))), first_line=1)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a file.

    as_series: one bar per session of `symbol`; else bars per contract, `symbol` being their root. symbol None: the
    only one that the file holds. publisher: the venue, where a vendor tells several apart. mapping: how the caller
    says that a CSV is read. calendar: whose sessions instants belong to; None: not known.
    """

    as_series: bool
    symbol: str | None = None
    publisher: int | None = None
    mapping: CsvMapping | None = None
    calendar: str | None = None


@dataclass(frozen=True, slots=True)
class SeriesFiles:
    """The files of one symbol's series at a vendor, each kind's exports of several dates; empty where there is none.

    expected: the names that were looked for. assumed: no name says that the unadjusted one is unadjusted.
    """

    adjusted: tuple[Path, ...]
    unadjusted: tuple[Path, ...]
    expected: str
    assumed: bool = False


class Vendor(Protocol):
    """A module of `ctl.ingest.vendors`. FORMAT is its name in `ctl.toml`."""

    FORMAT: str

    def recognises(self, file: Opened) -> bool:
        """Whether the file is this vendor's, by its content."""

    def read(self, file: Opened, wanted: Wanted) -> FileBars:
        """Its bars. Raises InputError naming row, column, what was found and what was expected."""

    def find_files(self, folder: Path, symbol: str) -> SeriesFiles:
        """The files of a symbol's series in a folder, of every date. Raises InputError where a kind is open."""


def opened(given: Path | Any) -> tuple[Opened, ...]:
    """What a path holds, of an archive each of its files; or a caller's frame.

    Raises InputError as `source.load`, `table.check_head` and `frames` do.
    """
    if not isinstance(given, Path):
        raw, frame = frames.of_caller(given)
        return (Opened(raw, b"", tuple(frame.columns), frame),)
    return tuple(_opened(raw) for raw in source.load_all(given))


def _opened(raw: RawFile) -> Opened:
    if raw.starts_with(source.DBN_MAGIC):
        return Opened(raw, b"", ())
    if raw.starts_with(source.PARQUET_MAGIC):
        frame = frames.of_parquet(raw)
        return Opened(raw, b"", tuple(frame.columns), frame)
    text = table.check_head(raw)
    if text.lstrip()[:1] in (b"{", b"["):
        frame = frames.of_json(text, raw.name)
        return Opened(raw, b"", tuple(frame.columns), frame)
    return Opened(raw, text, table.header_of(text))


def of_symbol(folder: Path, symbol: str, prefix: str = "") -> SeriesFiles:
    """The files of the symbol's own folder where there is one, else those whose name holds the symbol.

    Names are compared by whole tokens, in capitals or not: `C` is not meant by F_CL. Those that say `adjusted` and
    `unadjusted` (or `adj`, `unadj`) are told apart, one that says neither is taken as unadjusted. prefix: with what
    every name of the vendor starts, before the symbol. Raises InputError where the names of a kind differ by more
    than dates.
    """
    own = folder / symbol
    within, wanted = (own, ()) if own.is_dir() else (folder, _tokens(f"{prefix} {symbol}"))
    expected = f"{within}/{prefix}*{symbol}*" if wanted else f"{within}/*"
    found = [
        path
        for path in files_in(within)
        if not path.name.startswith(".") and _holds(_tokens(path.name), wanted, at_start=bool(prefix))
    ]
    raw = [path for path in found if set(_UNADJUSTED) & set(_tokens(path.name))]
    adjusted = tuple(path for path in found if path not in raw and set(_ADJUSTED) & set(_tokens(path.name)))
    unadjusted = tuple(path for path in found if path not in adjusted)
    for kind in (adjusted, unadjusted):
        if len({_DATES.sub("", path.name.lower()) for path in kind}) > 1:
            raise InputError(
                f"several files of {symbol}",
                where=str(within),
                found=", ".join(path.name for path in kind[:4]),
                expected="one, or exports whose names differ by their dates alone",
                remedy="move the others away, or name the pattern: the vendor's adjusted and unadjusted in ctl.toml",
            )
    return SeriesFiles(adjusted, unadjusted, expected, assumed=bool(unadjusted) and not raw)


def files_in(folder: Path) -> list[Path]:
    """The files of a folder by name. Raises InputError where it cannot be listed."""
    try:
        return sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise InputError("cannot be read", where=str(folder), found=error.strerror or type(error).__name__) from error


# ccb: what Norgate appends to the symbol of a back-adjusted series.
_ADJUSTED: Final = ("adj", "adjusted", "backadjusted", "ccb")
_UNADJUSTED: Final = ("unadj", "unadjusted", "raw")
_DATES: Final = re.compile(r"(?<!\d)(?:19|20)\d{2}[-_.]?[01]\d[-_.]?[0-3]\d(?!\d)")


def _tokens(name: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[a-z0-9]+", name.lower()))


def _holds(tokens: tuple[str, ...], wanted: tuple[str, ...], *, at_start: bool) -> bool:
    """Whether the tokens hold those wanted, one after the other."""
    places = range(1 if at_start else len(tokens) - len(wanted) + 1)
    return any(tokens[at : at + len(wanted)] == wanted for at in places)
