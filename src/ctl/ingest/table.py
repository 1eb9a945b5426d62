"""A strict table of text: every cell that cannot be read is named by file, row (1-based line) and column.

Structure is checked on the bytes before polars parses them, because a CSV parser forgives what a certifier
must not: short rows, stray quotation marks, other encodings.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Final, NoReturn

import numpy as np
import polars as pl

from ctl.errors import InputError
from ctl.ingest.guard import decoding
from ctl.ingest.rows import NoRecords, Rows
from ctl.model.bars import PRICES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctl.ingest.source import RawFile

MAX_LINE: Final = 1 << 16
"""No line of daily bars is longer: more than this without a line end is not such a file."""

MAX_COLUMNS: Final = 256
FIRST_DAY: Final = -62_091  # 1800-01-01, in days since 1970
LAST_DAY: Final = 84_005  # 2199-12-31
MAX_PRICE: Final = 1e15
"""Beyond it a price is damage, and sums of such numbers leave what a float can hold."""
MAX_COUNT: Final = 1 << 53
"""The largest whole number that every reader of JSON keeps exactly."""

INT64_MAX: Final = 2**63 - 1
_MOST_TEXTS: Final = 1 << 12
"""Different texts of a column that are numbered in one pass."""

_QUOTE: Final = b'"'
_ENCODINGS: Final = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)


_SAVE: Final = "save it as CSV or Parquet"
_OTHERS: Final[Mapping[bytes, tuple[str, str]]] = {
    b"BZh": ("compressed by bzip2", "unpack it first"),
    b"\xfd7zXZ\0": ("compressed by xz", "unpack it first"),
    b"7z\xbc\xaf": ("a 7z archive", "unpack it first"),
    b"ARROW1": ("an Arrow (Feather) file", _SAVE),
    b"\x89HDF": ("an HDF5 file", _SAVE),
    b"\xd0\xcf\x11\xe0": ("a spreadsheet of old", "save it as CSV"),
    b"%PDF": ("a PDF", _SAVE),
    b"\x80\x04": ("a Python pickle", _SAVE),
    b"\x80\x05": ("a Python pickle", _SAVE),
}
"""Files of other kinds, by their first bytes: what they are, and the remedy."""


@dataclass(frozen=True, slots=True)
class Integers:
    """An integer column: values (0 where null) and which cells are null."""

    values: NDArray[np.int64]
    null: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Apart:
    """The rows of a text, and where each of their cells ends (`text_kernels`). short: whether rows may lack cells."""

    body: bytes
    text: NDArray[np.uint8]
    ends: NDArray[np.uint32]
    separator: str
    quoted: bool
    short: bool


@dataclass(frozen=True)
class Table:
    """Rows of text cells, null where empty. `first_line`: the line number (1-based) of the first row in the file.

    cells: a text taken apart, or they themselves. Columns of a text in the plainest notation are read from its bytes,
    all others in whole-column steps; only where a count does not fit are cells looked at again to find the one to name.
    """

    file: RawFile
    columns: tuple[str, ...]
    first_line: int
    cells: _Apart | pl.DataFrame

    def __len__(self) -> int:
        return len(self.cells.ends) if isinstance(self.cells, _Apart) else self.cells.height

    @cached_property
    def frame(self) -> pl.DataFrame:
        """All cells. Raises InputError where they cannot be taken apart."""
        if not isinstance(self.cells, _Apart):
            return self.cells
        body, width = self.cells.body, len(self.columns)
        with decoding(self.file.name):
            frame = pl.read_csv(
                _filled_up(body, width, self.cells.separator) if self.cells.short else body,
                has_header=False,
                schema=dict.fromkeys(self.columns, pl.String),
                separator=self.cells.separator,
                quote_char='"' if self.cells.quoted else None,
                glob=False,
            )
        if frame.height != len(self) or frame.width != width:
            raise InputError(
                "the table cannot be taken apart", where=self.file.name, found=f"{frame.height} rows",
                expected=f"{len(self)} rows",
            )  # fmt: skip
        return frame.with_columns(pl.when(pl.all() != "").then(pl.all())) if self.cells.quoted else frame

    def _column(self, name: str) -> tuple[NDArray[np.uint8], NDArray[np.uint32], int] | None:
        """What kernels read a column from; None of what is no text."""
        if not isinstance(self.cells, _Apart):
            return None
        return self.cells.text, self.cells.ends, self.columns.index(name)

    def is_blank(self, column: str) -> bool:
        """Whether every cell of a column is empty."""
        return self._codes(column) is None and bool(self.text(column).is_null().all())

    def lines(self) -> NDArray[np.int64]:
        """The line number of every row."""
        return np.arange(self.first_line, self.first_line + len(self), dtype=np.int64)

    def text(self, column: str) -> pl.Series:
        """The cells of a column as they stand; null where empty."""
        return self.frame.get_column(column)

    def fail(self, row: int, column: str, what: str, *, expected: str) -> NoReturn:
        """Raise the InputError of one cell; `row` is 0-based among the data rows."""
        found = self.frame.get_column(column)[row]
        shown = "nothing" if found is None else repr(found[:60])
        raise InputError(
            f"row {self.first_line + row}, column {column!r}: {what}",
            where=self.file.name,
            found=shown,
            expected=expected,
        )

    def floats(self, column: str, *, nullable: bool = False, most: float = MAX_PRICE) -> NDArray[np.float64]:
        """Numbers of any sign, in size up to `most`; NaN stands for an empty cell where `nullable`."""
        from ctl.ingest import text_kernels

        values: NDArray[np.float64]
        if (given := self._column(column)) is not None:
            values = np.empty(len(self), dtype=np.float64)
            plain, empty = text_kernels.floats(*given, values)
            with np.errstate(invalid="ignore"):
                if plain and (nullable or not empty) and np.count_nonzero(np.abs(values) <= most) == len(self) - empty:
                    return values
        cells = self.text(column)
        empty = cells.null_count()
        numbers = _cast(cells, pl.Float64)
        values = numbers.to_numpy()
        with np.errstate(invalid="ignore"):
            plausible = np.count_nonzero(np.abs(values) <= most)
        if numbers.null_count() == empty == len(cells) - plausible and (nullable or not empty):
            return values
        expected = "a finite decimal number"
        fractions = cells.str.contains(r"^\s*\d+['-]\d{1,3}\s*$").fill_null(value=False)
        self._refuse(column, fractions, "a price in fractions", "decimals: 110.5, not 110-16 or 110'4")
        self._refuse(column, numbers.is_null() & cells.is_not_null(), "not a number", expected)
        if not nullable:
            self._refuse(column, cells.is_null(), "empty", expected)
        self._refuse(column, ~numbers.is_finite(), "not finite", expected)
        self._refuse(column, numbers.abs() > most, "not a plausible price", f"at most {most:g}")
        return values

    def integers(
        self, column: str, *, nullable: bool = True, minimum: int | None = 0, maximum: int | None = MAX_COUNT
    ) -> Integers:
        """Whole numbers, also where they are written as floats (`311.0`), within `minimum` and `maximum` inclusive."""
        from ctl.ingest import text_kernels

        values: NDArray[np.int64]
        if (given := self._column(column)) is not None:
            values, null = np.zeros(len(self), dtype=np.int64), np.empty(len(self), dtype=np.bool_)
            plain, empty = text_kernels.integers(*given, values, null)
            low, high = (-INT64_MAX if minimum is None else minimum), (INT64_MAX if maximum is None else maximum)
            if plain and (nullable or not empty) and low <= values.min() and values.max() <= high:
                return Integers(values, null)
        expected = "a whole number" if minimum is None else f"a whole number of at least {minimum}"
        cells = self.text(column)
        empty = cells.null_count()
        whole = _cast(cells, pl.Int64)
        if whole.null_count() != empty:
            odd = whole.is_null() & cells.is_not_null()
            number = _cast(cells, pl.Float64)
            exact = number.is_finite() & (number.abs() < 2.0**53) & (number == number.round())
            self._refuse(column, odd & ~exact.fill_null(value=False), "not a whole number", expected)
            whole = pl.select(pl.when(odd).then(number.cast(pl.Int64, strict=False)).otherwise(whole)).to_series()
        if empty and not nullable:
            self._refuse(column, cells.is_null(), "empty", expected)
        null = whole.is_null().to_numpy() if empty else np.zeros(len(cells), dtype=np.bool_)
        values = (whole.fill_null(0) if empty else whole).to_numpy()
        if minimum is not None and int(values.min()) < minimum:
            self._refuse(column, whole < minimum, "below the minimum" if minimum else "negative", expected)
        if maximum is not None and int(values.max()) > maximum:
            self._refuse(column, whole > maximum, "not a plausible number", f"at most {maximum}")
        return Integers(values, null)

    def days(self, column: str, date_format: str, *, nullable: bool = False) -> NDArray[np.int32]:
        """Calendar dates as days since 1970-01-01; FIRST_DAY - 1 stands for an empty cell where `nullable`."""
        from ctl.ingest import text_kernels

        days: NDArray[np.int32]
        form = _form(date_format)
        if form is not None and (given := self._column(column)) is not None:
            days = np.empty(len(self), dtype=np.int32)
            if text_kernels.days(*given, form, days):
                self.require_plausible(column, days)
                return days
        cells = self.text(column)
        empty = cells.null_count()
        expected = f"a date as {date_format}"
        with decoding(self.file.name):
            dates = cells.str.to_date(date_format, strict=False, exact=True)
            if dates.null_count() != empty:
                dates = cells.str.strip_chars().str.to_date(date_format, strict=False, exact=True)
        if empty and not nullable:
            self._refuse(column, cells.is_null(), "empty", expected)
        if dates.null_count() != empty:
            self._refuse(column, dates.is_null() & cells.is_not_null(), "not a date", expected)
        days = dates.to_physical().fill_null(FIRST_DAY).to_numpy()
        self.require_plausible(column, days)
        return np.where(dates.is_null().to_numpy(), np.int32(FIRST_DAY - 1), days) if empty else days

    def coded(self, column: str, expected: str) -> tuple[list[str], NDArray[np.int32]]:
        """The different cells of a column, and each row's index into them. Raises InputError for an empty one."""
        if (known := self._codes(column)) is not None:
            return known
        cells = self.text(column)
        if cells.null_count():
            self.fail(int(cells.is_null().arg_max() or 0), column, "empty", expected=expected)
        texts = cells.unique(maintain_order=True).to_list()
        return texts, cells.cast(pl.Enum(texts)).to_physical().to_numpy().astype(np.int32)

    def _codes(self, column: str) -> tuple[list[str], NDArray[np.int32]] | None:
        """`coded` of a text; None where a cell is empty or they differ too much to be numbered in one pass."""
        from ctl.ingest import text_kernels

        if (given := self._column(column)) is None:
            return None
        codes, first = np.empty(len(self), dtype=np.int32), np.empty(_MOST_TEXTS, dtype=np.int64)
        known = text_kernels.code(*given, np.full(4 * _MOST_TEXTS, -1, dtype=np.int32), first, codes)
        if known < 0:
            return None
        spans = (text_kernels.span(*given, row) for row in first[:known])
        return [given[0][begin:end].tobytes().decode() for begin, end in spans], codes

    def require_plausible(self, column: str, days: NDArray[np.int32] | NDArray[np.int64]) -> None:
        """Refuse days, since 1970-01-01, of which no bar can be."""
        far = (days < FIRST_DAY) | (days > LAST_DAY)
        if far.any():
            self.fail(int(far.argmax()), column, "not a plausible date", expected="a year from 1800 to 2199")

    def rows(
        self,
        day: NDArray[np.int32],
        prices: Mapping[str, NDArray[np.float64]],
        volume: Integers | None = None,
        open_interest: Integers | None = None,
        symbols: tuple[str, ...] = (),
        codes: NDArray[np.int32] | None = None,
    ) -> Rows:
        """The rows as bars. prices: by open, high, low, close; those that are not there are null.

        symbols, codes: the symbols, and each row's index into them (-1: none, as where nothing is given).
        """
        nothing = np.full(len(self), np.nan) if len(prices) < len(PRICES) else np.empty(0)
        opening, high, low, close = (prices.get(name, nothing) for name in PRICES)
        return Rows(
            symbols,
            day,
            np.full(len(self), -1, dtype=np.int32) if codes is None else codes,
            opening,
            high,
            low,
            close,
            np.zeros(len(self), dtype=np.int64) if volume is None else volume.values,
            np.ones(len(self), dtype=np.bool_) if volume is None else volume.null,
            None if open_interest is None else open_interest.values,
            None if open_interest is None else open_interest.null,
            first_line=self.first_line,
        )

    def _refuse(self, column: str, bad: pl.Series, what: str, expected: str) -> None:
        if bad.any():
            self.fail(int(bad.fill_null(value=False).arg_max() or 0), column, what, expected=expected)


@cache
def _form(date_format: str) -> NDArray[np.uint8] | None:
    """A format of digits alone, as `text_kernels.days` takes it."""
    form = date_format.replace("%Y", "YYYY").replace("%m", "MM").replace("%d", "DD")
    whole = re.fullmatch(r"[YMD\-/.]+", form) and len(form.translate(str.maketrans("", "", "-/."))) == len("YYYYMMDD")
    return np.frombuffer(form.encode(), dtype=np.uint8) if whole else None


def _cast(cells: pl.Series, dtype: type[pl.DataType]) -> pl.Series:
    """Numbers where the cell is one, blanks around it allowed; null elsewhere."""
    numbers = cells.cast(dtype, strict=False)
    if numbers.null_count() != cells.null_count():
        numbers = cells.str.strip_chars().cast(dtype, strict=False)
    return numbers


def check_head(file: RawFile) -> bytes:
    """The text of a file as UTF-8 without its byte order mark, lines ended by newlines.

    Raises InputError for NUL bytes, bytes that are not UTF-8 (nor UTF-16 or 32 where a mark says so) and for a first
    line that never ends.
    """
    data = file.data
    for mark, (what, remedy) in _OTHERS.items():
        if data.startswith(mark):
            raise InputError(what, where=file.name, expected="CSV, Parquet, JSON or DBN", remedy=remedy)
    if data[257:262] == b"ustar":
        raise InputError(
            "a tar archive", where=file.name, expected="a file, or a zip archive", remedy="unpack it first"
        )
    for mark, encoding in _ENCODINGS:
        if data.startswith(mark):
            try:
                data = data.decode(encoding).encode()
            except UnicodeError as error:
                raise InputError(
                    f"damaged {encoding} text", where=file.name, found=str(error)[:120], remedy="save it as UTF-8"
                ) from error
            break
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")  # of old, lines ended so
    nul = data.find(b"\0")
    if nul >= 0:
        odd, even = data[1:200:2].count(0), data[0:200:2].count(0)
        wide = (odd == 0) != (even == 0) and odd + even > 2
        raise InputError(
            "not a text file",
            where=file.name,
            found="UTF-16 without a mark" if wide else f"a NUL byte on line {data.count(_newline, 0, nul) + 1}",
            expected="UTF-8 text",
        )
    try:
        if not data.isascii():
            data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"row {data.count(_newline, 0, error.start) + 1}: not UTF-8",
            where=file.name,
            found=f"byte 0x{data[error.start]:02x}",
            expected="UTF-8 text",
            remedy="save it as UTF-8",
        ) from error
    if not data.strip():
        raise InputError("the file is empty", where=file.name, found="blanks alone", expected="a table")
    if len(data) > MAX_LINE and b"\n" not in data[:MAX_LINE]:
        raise InputError("not a text table", where=file.name, found=f"no line end in {MAX_LINE} bytes")
    return data


_newline: Final = b"\n"


def header_of(text: bytes, separator: str = ",") -> tuple[str, ...]:
    """The cells of the first line, stripped. Empty where it cannot be taken apart."""
    end = text.find(_newline)
    line = text[: end if end >= 0 else len(text)].rstrip(b"\r").decode("utf-8")
    try:
        cells = next(csv.reader([line], delimiter=separator, skipinitialspace=True, strict=True), [])
    except csv.Error:
        return ()
    return tuple(cell.strip() for cell in cells)


def distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Column names of which each occurs once: an empty one becomes its place, those that repeat get theirs added.

    So a column of row numbers, and two of one name that nobody asks for, do not matter, and one that is asked for
    is not there.
    """
    several = {name for name in names if names.count(name) > 1}
    return tuple(
        f"column {at}" if not name else f"{name} ({at})" if name in several else name
        for at, name in enumerate(names, start=1)
    )


def require_columns(file: RawFile, columns: Sequence[str], required: Sequence[str]) -> None:
    """Raise InputError for the first of the `required` columns that is not there."""
    missing = [name for name in required if name not in columns]
    if missing:
        raise InputError(
            f"row 1: column {missing[0]!r} is missing",
            where=file.name,
            found=", ".join(columns)[:200],
            expected=", ".join(required),
        )


def parse(
    file: RawFile,
    text: bytes,
    *,
    separator: str = ",",
    columns: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    required: Sequence[str] = (),
    header_lines: int = 1,
    footer_lines: int = 0,
    short_rows: bool = False,
) -> Table:
    """Take a text apart into cells. `columns` names them where the file has no header, `names` anew where it has one.

    header_lines: lines above the first row, the last of them with the names. footer_lines: lines after the last row.
    short_rows: a row may lack its last cells, which are then empty.
    Raises InputError where one of the `required` columns is missing, for a header of too many columns, a row with
    another number of cells, a quotation mark inside a cell, a blank line between rows; NoRecords for a file without
    rows.
    """
    first_line, start, stop = 1, 0, len(text)
    while stop and text[stop - 1] in b"\r\n ":
        stop -= 1
    if columns is None:
        for _ in range(header_lines):
            header, start = start, text.find(_newline, start) + 1 or stop
        columns = distinct(header_of(text[header:start], separator) if names is None else names)
        first_line = 1 + header_lines
    for _ in range(footer_lines):
        stop = max(text.rfind(_newline, start, stop), start)
        while stop > start and text[stop - 1] in b"\r\n ":
            stop -= 1
    body = text[start:stop]  # the only copy: files may be large
    if not columns or len(columns) > MAX_COLUMNS:
        raise InputError("row 1: not a header", where=file.name, found=f"{len(columns)} columns")
    require_columns(file, columns, required)
    if not body:
        raise NoRecords("no data rows", where=file.name, expected="a header and at least one row")
    apart = _apart(file, body, len(columns), separator, first_line, short_rows=short_rows)
    last = header_of(body[body.rfind(_newline) + 1 :], separator) if short_rows else columns
    if len(last) < len(columns) and not text.endswith((b"\n", b"\r")):
        raise InputError(
            f"row {first_line + len(apart.ends) - 1}: the file is cut off", where=file.name,
            found=f"{len(last)} cells and no line end", expected=f"{len(columns)} columns",
        )  # fmt: skip
    return Table(file, tuple(columns), first_line, apart)


def _apart(file: RawFile, body: bytes, width: int, separator: str, first_line: int, *, short_rows: bool) -> _Apart:
    """Where the cells of every row end. Raises InputError for the first line that is no row of `width` cells."""
    from ctl.ingest import text_kernels

    text, mark, quoted = np.frombuffer(body, dtype=np.uint8), np.uint8(ord(separator)), _QUOTE in body
    ends = np.empty((body.count(_newline) + 1, width), dtype=np.uint32)
    plain = not (quoted or short_rows) and text_kernels.take_apart_plain(text, mark, MAX_LINE, ends)
    if not plain:
        fault, row, begin, size = text_kernels.take_apart(text, mark, MAX_LINE, 2 if short_rows else width, ends)
        if fault:
            line = body[begin:].split(_newline, 1)[0].strip()
            what, found, expected = {
                text_kernels.LONG_LINE: ("the line is too long", f"{size} bytes", f"at most {MAX_LINE}"),
                text_kernels.STRAY_QUOTE: (
                    "a quotation mark that does not enclose a whole cell", None, 'cells like "12.5"'
                ),
                text_kernels.OTHER_WIDTH: (
                    "wrong number of columns" if line else "a blank line", str(size) if line else None,
                    f"{width} columns",
                ),
            }[fault]  # fmt: skip
            raise InputError(f"row {first_line + row}: {what}", where=file.name, found=found, expected=expected)
    ends.flags.writeable = False
    return _Apart(body, text, ends, separator, quoted, short_rows)


def _filled_up(body: bytes, width: int, separator: str) -> bytes:
    """The rows with the cells that they lack at their ends, empty."""
    mark = separator.encode()
    rows = [line.rstrip(b"\r") for line in body.split(_newline)]
    return _newline.join(row + mark * (width - len(header_of(row, separator))) for row in rows)
