"""A strict table of text: every cell that cannot be read is named by file, row (1-based line) and column.

Structure is checked on the bytes before polars parses them, because a CSV parser forgives what a certifier
must not: short rows, stray quotation marks, other encodings.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
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

_NUMBER: Final = re.compile(r"[-+]?(?!\d{8}$)\d+(\.\d*)?")
"""A number, but what may be a date in digits."""

_QUOTE: Final = 0x22
_NEWLINE: Final = 0x0A
_ENCODINGS: Final = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)


_SINGLE: Final = re.compile(rb"(?:^|(?<=[,;\t|\n]))'[^'\n]*'(?=[,;\t|\r\n]|$)")
"""A cell in single quotation marks: a file that has no others is read as if they were double."""

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
class _Text:
    """Rows of a text, each known to have the right number of cells."""

    rows: int
    body: bytes
    separator: str
    quoted: bool

    def read(self, schema: Mapping[str, type[pl.DataType]]) -> pl.DataFrame:
        """The cells, text null where empty. Raises polars.exceptions.ComputeError for one that is not of its type."""
        frame = pl.read_csv(
            self.body,
            has_header=False,
            schema=dict(schema),
            separator=self.separator,
            quote_char='"' if self.quoted else None,
            glob=False,
        )
        return frame.with_columns(pl.when(pl.col(pl.String) != "").then(pl.col(pl.String))) if self.quoted else frame


@dataclass(frozen=True, slots=True)
class _Lines:
    """Where rows stand in their file: from a line on, or each on its own."""

    first: int
    line: NDArray[np.int64] | None

    def number(self, row: int) -> int:
        """The line number (1-based) of a row (0-based)."""
        return self.first + row if self.line is None else int(self.line[row])


@dataclass(frozen=True)
class Table:
    """Rows of text cells, null where empty. `first_line`: the line number (1-based) of the first row in the file.
    line: of every row, where blank lines stand between them.

    cells: a text, or the cells themselves. Of a text the columns that begin with a number are first read as numbers;
    only where one of their cells is none, or a count does not fit, are cells looked at as text to find the one to name.
    """

    file: RawFile
    columns: tuple[str, ...]
    cells: pl.DataFrame | _Text
    first_line: int
    line: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return self.cells.rows if isinstance(self.cells, _Text) else self.cells.height

    @cached_property
    def frame(self) -> pl.DataFrame:
        """All cells as text. Raises InputError where they cannot be taken apart."""
        if isinstance(self.cells, pl.DataFrame):
            return self.cells
        with decoding(self.file.name):
            return self._whole(self.cells.read(dict.fromkeys(self.columns, pl.String)))

    @cached_property
    def _typed(self) -> pl.DataFrame:
        """The cells of a text, numbers where a column holds nothing else; of other tables the cells."""
        if isinstance(self.cells, pl.DataFrame):
            return self.cells
        first = header_of(self.cells.body, self.cells.separator)
        types = {
            name: pl.Float64 if _NUMBER.fullmatch(cell) else pl.String
            for name, cell in zip_longest(self.columns, first[: len(self.columns)], fillvalue="")
        }
        try:
            return self._whole(self.cells.read(types))
        except pl.exceptions.ComputeError:  # what is no number is named by whoever asks for one
            return self.frame

    def _whole(self, frame: pl.DataFrame) -> pl.DataFrame:
        if frame.shape != (len(self), len(self.columns)):
            raise InputError(
                "the table cannot be taken apart", where=self.file.name, found=f"{frame.height} rows",
                expected=f"{len(self)} rows",
            )  # fmt: skip
        return frame

    def _numbers(self, column: str) -> pl.Series | None:
        """A column of nothing but numbers, null where empty; None where that is not known of it."""
        found = self._typed.get_column(column)
        return found if found.dtype == pl.Float64 else None

    def lines(self) -> NDArray[np.int64]:
        """The line number of every row."""
        return np.arange(self.first_line, self.first_line + len(self)) if self.line is None else self.line

    def text(self, column: str) -> pl.Series:
        """The cells of a column as they stand; null where empty."""
        found = self._typed.get_column(column)
        return found if found.dtype == pl.String else self.frame.get_column(column)

    def fail(self, row: int, column: str, what: str, *, expected: str) -> NoReturn:
        """Raise the InputError of one cell; `row` is 0-based among the data rows."""
        found = self.frame.get_column(column)[row]
        shown = "nothing" if found is None else repr(found[:60])
        raise InputError(
            f"row {self.lines()[row]}, column {column!r}: {what}",
            where=self.file.name,
            found=shown,
            expected=expected,
        )

    def floats(self, column: str, *, nullable: bool = False, most: float = MAX_PRICE) -> NDArray[np.float64]:
        """Numbers of any sign, in size up to `most`; NaN stands for an empty cell where `nullable`."""
        known = self._numbers(column)
        numbers = _cast(self.text(column), pl.Float64) if known is None else known
        values: NDArray[np.float64] = numbers.to_numpy()
        with np.errstate(invalid="ignore"):
            plausible = np.count_nonzero(np.abs(values) <= most)
        empty = numbers.null_count() if known is not None else self.text(column).null_count()
        if numbers.null_count() == empty == len(values) - plausible and (nullable or not empty):
            return values
        cells = self.text(column)
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
        known = self._numbers(column)
        if known is not None and (nullable or not known.null_count()):
            at_once = (known.fill_null(0.0) if known.null_count() else known).to_numpy()
            least, most = (-MAX_COUNT if minimum is None else minimum), (MAX_COUNT if maximum is None else maximum)
            if _are_whole(at_once, least, most):
                return Integers(at_once.astype(np.int64), known.is_null().to_numpy())
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
        values: NDArray[np.int64] = (whole.fill_null(0) if empty else whole).to_numpy()
        if minimum is not None and int(values.min()) < minimum:
            self._refuse(column, whole < minimum, "below the minimum" if minimum else "negative", expected)
        if maximum is not None and int(values.max()) > maximum:
            self._refuse(column, whole > maximum, "not a plausible number", f"at most {maximum}")
        return Integers(values, null)

    def days(self, column: str, date_format: str, *, nullable: bool = False) -> NDArray[np.int32]:
        """Calendar dates as days since 1970-01-01; FIRST_DAY - 1 stands for an empty cell where `nullable`."""
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
        days: NDArray[np.int32] = dates.to_physical().fill_null(FIRST_DAY).to_numpy()
        self.require_plausible(column, days)
        return np.where(dates.is_null().to_numpy(), np.int32(FIRST_DAY - 1), days) if empty else days

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
            line=self.line,
        )

    def _refuse(self, column: str, bad: pl.Series, what: str, expected: str) -> None:
        if bad.any():
            self.fail(int(bad.fill_null(value=False).arg_max() or 0), column, what, expected=expected)


def _are_whole(numbers: NDArray[np.float64], least: int, most: int) -> bool:
    """Whether all are whole, from `least` to `most`, and small enough for a float to tell them apart."""
    inside = least <= numbers.min() and numbers.max() <= most and np.abs(numbers).max() < MAX_COUNT
    return bool(inside and (np.floor(numbers) == numbers).all())


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
    if b"'" in data and b'"' not in data and 2 * len(_SINGLE.findall(data)) == data.count(b"'"):
        data = data.replace(b"'", b'"')
    if not data or data.isspace():
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
    another number of cells, a quotation mark inside a cell; NoRecords for a file without rows. Blank lines are none.
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
    line: NDArray[np.int64] | None = None
    if b"\n\n" in body or b"\n\r\n" in body or body.startswith((b"\n", b"\r\n")):
        rows = body.split(_newline)
        kept = [at for at, row in enumerate(rows) if row.strip()]
        body, line = _newline.join(rows[at] for at in kept), first_line + np.array(kept, dtype=np.int64)
    counted = _Lines(first_line, line)
    lines, quoted = _check_cells(file, body, len(columns), separator, counted, short_rows=short_rows)
    if short_rows:
        last = header_of(body[body.rfind(_newline) + 1 :], separator)
        if len(last) < len(columns) and not text.endswith((b"\n", b"\r")):
            raise InputError(
                f"row {counted.number(lines - 1)}: the file is cut off", where=file.name,
                found=f"{len(last)} cells and no line end", expected=f"{len(columns)} columns",
            )  # fmt: skip
        body = _filled_up(body, len(columns), separator)
    return Table(file, tuple(columns), _Text(lines, body, separator, quoted), first_line, line)


def _check_cells(
    file: RawFile, body: bytes, width: int, separator: str, numbers: _Lines, *, short_rows: bool
) -> tuple[int, bool]:
    """Check that every line has `width` cells; the number of lines, and whether any cell is quoted."""
    buffer = np.frombuffer(body, dtype=np.uint8)
    ends = np.append(np.flatnonzero(buffer == _NEWLINE), len(buffer))
    longest = int(np.diff(ends, prepend=-1).max())
    if longest > MAX_LINE:
        line = int(np.argmax(np.diff(ends, prepend=-1)))
        raise InputError(
            f"row {numbers.number(line)}: the line is too long",
            where=file.name,
            found=f"{longest} bytes",
            expected=f"at most {MAX_LINE}",
        )
    separators = buffer == ord(separator)
    quoted = _QUOTE in body
    if quoted:
        separators &= ~_inside_quotes(file, buffer, ends, ord(separator), numbers)
    at = np.flatnonzero(separators)
    if width > 1 and len(at) == (width - 1) * len(ends):
        of_line = at.reshape(len(ends), width - 1)
        if (of_line[:, -1] < ends).all() and (of_line[1:, 0] > ends[:-1]).all():
            return len(ends), quoted
    cells = np.diff(np.searchsorted(at, ends), prepend=0) + 1
    wrong = np.flatnonzero((cells > width) | (cells < 2) if short_rows else cells != width)
    if len(wrong):
        line = int(wrong[0])
        raise InputError(
            f"row {numbers.number(line)}: wrong number of columns",
            where=file.name,
            found=f"{int(cells[line])}",
            expected=f"{width} columns",
        )
    return len(ends), quoted


def _filled_up(body: bytes, width: int, separator: str) -> bytes:
    """The rows with the cells that they lack at their ends, empty."""
    mark = separator.encode()
    rows = [line.rstrip(b"\r") for line in body.split(_newline)]
    return _newline.join(row + mark * (width - len(header_of(row, separator))) for row in rows)


def _inside_quotes(
    file: RawFile, buffer: NDArray[np.uint8], ends: NDArray[np.intp], separator: int, numbers: _Lines
) -> NDArray[np.bool_]:
    """Which bytes stand inside quotation marks; those must enclose whole cells and close on their line."""
    marks = buffer == _QUOTE
    parity = np.cumsum(marks, dtype=np.int64) & 1
    at = np.flatnonzero(marks)
    edge = np.array([separator, _NEWLINE, 0x0D], dtype=np.uint8)
    opening = parity[at] == 1
    before = np.where(at == 0, _NEWLINE, buffer[np.maximum(at - 1, 0)])
    after = np.where(at == len(buffer) - 1, _NEWLINE, buffer[np.minimum(at + 1, len(buffer) - 1)])
    stray = np.flatnonzero(~np.where(opening, np.isin(before, edge), np.isin(after, edge)))
    open_ends = np.flatnonzero(parity[np.minimum(ends, len(buffer) - 1)] == 1)
    for places in (at[stray[:1]], np.minimum(ends[open_ends[:1]], len(buffer) - 1)):
        if len(places):
            line = numbers.number(int(np.searchsorted(ends, places[0])))
            raise InputError(
                f"row {line}: a quotation mark that does not enclose a whole cell",
                where=file.name,
                expected='cells like "12.5"',
            )
    inside: NDArray[np.bool_] = parity == 1
    return inside
