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
    """The only file of the symbol's own folder where there is one, else the only one whose name holds the symbol.

    Names are compared by whole tokens, in capitals or not: `C` is not meant by F_CL. Of two files the ones that say
    `adjusted` and `unadjusted` (or `adj`, `unadj`) are told apart. prefix: with what every name of the vendor starts,
    before the symbol. Raises InputError where several are left.
    """
    own = folder / symbol
    within, wanted = (own, ()) if own.is_dir() else (folder, _tokens(f"{prefix} {symbol}"))
    expected = f"{within}/{prefix}*{symbol}*" if wanted else f"{within}/*"
    try:
        files = sorted(path for path in within.iterdir() if path.is_file() and not path.name.startswith("."))
    except OSError as error:
        raise InputError("cannot be read", where=str(within), found=error.strerror or type(error).__name__) from error
    found = [path for path in files if _holds(_tokens(path.name), wanted, at_start=bool(prefix))]
    adjusted, unadjusted = (
        [path for path in found if set(names) & set(_tokens(path.name))] for names in (_ADJUSTED, _UNADJUSTED)
    )
    if len(found) == 2 and len(adjusted) == len(unadjusted) == 1 and adjusted != unadjusted:
        return SeriesFiles(adjusted[0], unadjusted[0], expected)
    if len(found) > 1:
        raise InputError(
            f"several files of {symbol}",
            where=str(within),
            found=", ".join(path.name for path in found[:4]),
            expected="one",
            remedy="move the others away",
        )
    if adjusted and not unadjusted:
        return SeriesFiles(found[0], None, expected)
    return SeriesFiles(None, found[0] if found else None, expected)


# ccb: what Norgate appends to the symbol of a back-adjusted series.
_ADJUSTED: Final = ("adj", "adjusted", "backadjusted", "ccb")
_UNADJUSTED: Final = ("unadj", "unadjusted", "raw")


def _tokens(name: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[a-z0-9]+", name.lower()))


def _holds(tokens: tuple[str, ...], wanted: tuple[str, ...], *, at_start: bool) -> bool:
    """Whether the tokens hold those wanted, one after the other."""
    places = range(1 if at_start else len(tokens) - len(wanted) + 1)
    return any(tokens[at : at + len(wanted)] == wanted for at in places)
