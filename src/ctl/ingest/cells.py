"""What the cells of a table say about how they are written: numbers and dates, told from whole columns.

Nothing is guessed: where two readings of a column remain, the file is refused with both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from ctl import sessions
from ctl.errors import DataError, InputError
from ctl.ingest.finished import DAY
from ctl.ingest.rows import as_date
from ctl.ingest.table import FIRST_DAY
from ctl.model.bars import COUNTS, PRICES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctl.ingest.table import Table
    from ctl.model.csv_mapping import CsvMapping

NULLS: Final = ("null", "nan", "na", "n/a", "#n/a", "none", "nat", "-", "--")
"""Words that vendors and tools write where there is no number."""

_SUFFIXES: Final = {"k": 1e3, "m": 1e6, "b": 1e9}
_SIGNS: Final = "$€£"
_MARKS: Final = ((".", ""), (".", ","), (".", " "), (".", "'"), (",", ""), (",", "."), (",", " "), (",", "'"))
"""Marks of decimals and of thousands that are in use; those below are written for ` ` and `'` too."""

_POINTED: Final = r"^\s*[-+]?\d+\.\d+\s*$"
_BLANKS: Final = " \u00a0\u202f\u2009"
_APOSTROPHES: Final = "'\u2019"
_TIME: Final = (
    r"(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?(?: ?([AaPp][Mm]))?(?: ?(Z|UTC|GMT|[+-]\d{2}:?\d{2}))?)?"
)
_UNIX: Final = r"^(\d{9,19})(?:\.0+)?$"
_DATES: Final = (
    (r"\d{4}-\d{1,2}-\d{1,2}", ("%Y-%m-%d",)),
    (r"\d{8}", ("%Y%m%d",)),
    (r"\d{4}/\d{1,2}/\d{1,2}", ("%Y/%m/%d",)),
    (r"\d{4}\.\d{1,2}\.\d{1,2}", ("%Y.%m.%d",)),
    (r"\d{1,2}/\d{1,2}/\d{4}", ("%m/%d/%Y", "%d/%m/%Y")),
    (r"\d{1,2}-\d{1,2}-\d{4}", ("%m-%d-%Y", "%d-%m-%Y")),
    (r"\d{1,2}\.\d{1,2}\.\d{4}", ("%d.%m.%Y",)),
    (r"\d{1,2}/\d{1,2}/\d{2}", ("%m/%d/%y", "%d/%m/%y")),
    (r"\d{1,2}-\d{1,2}-\d{2}", ("%m-%d-%y", "%d-%m-%y")),
    (r"\d{1,2}\.\d{1,2}\.\d{2}", ("%d.%m.%y",)),
    (r"\d{1,2}-[A-Za-z]{3}-\d{4}", ("%d-%b-%Y",)),
    (r"\d{1,2}-[A-Za-z]{3}-\d{2}", ("%d-%b-%y",)),
    (r"\d{1,2}/[A-Za-z]{3}/\d{4}", ("%d/%b/%Y",)),
    (r"\d{1,2}[A-Za-z]{3}\d{4}", ("%d%b%Y",)),
    (r"\d{1,2}[A-Za-z]{3}\d{2}", ("%d%b%y",)),
    (r"\d{4}-[A-Za-z]{3}-\d{1,2}", ("%Y-%b-%d",)),
    (r"[A-Za-z]{3}-\d{1,2}-\d{4}", ("%b-%d-%Y",)),
    # %B takes a month's short name too, as that of May among long ones.
    (r"\d{1,2} [A-Za-z]{3,9} \d{4}", ("%d %B %Y",)),
    (r"\d{1,2} [A-Za-z]{3,9}, \d{4}", ("%d %B, %Y",)),
    (r"[A-Za-z]{3,9} \d{1,2}, \d{4}", ("%B %d, %Y",)),
    (r"[A-Za-z]{3,9} \d{1,2} \d{4}", ("%B %d %Y",)),
    (r"[A-Za-z]{3} [A-Za-z]{3} \d{1,2} \d{4}", ("%a %b %d %Y",)),
    (r"[A-Za-z]{3},? \d{1,2} [A-Za-z]{3} \d{4}", ("%a, %d %b %Y", "%a %d %b %Y")),
    (r"[A-Za-z]{3} \d{1,2}/\d{1,2}/\d{4}", ("%a %m/%d/%Y", "%a %d/%m/%Y")),
    (r"[A-Za-z]{3} \d{4}-\d{1,2}-\d{1,2}", ("%a %Y-%m-%d",)),
)
_SERIAL_OF_1970: Final = 25_569
"""The number that spreadsheets give 1970-01-01, whose days they count: one of no earlier day is read as a date."""

_SERIAL: Final = r"^(\d{5})(?:\.0+)?$"
_LAST_SERIAL: Final = 49_674  # 2035-12-31: other counts of days are beyond it
_DAILY_STEP: Final = 4
"""Bars a day apart, over a weekend or a holiday at most."""

_ENOUGH_STEPS: Final = 2
"""From fewer a rhythm cannot be told."""


# ---------------------------------------------------------------- numbers


def with_numbers(table: Table, mapping: CsvMapping) -> CsvMapping:
    """The mapping with the notation of its numbers. Raises InputError where two readings remain."""
    prices = _columns(mapping, PRICES)
    nulls: dict[str, None] = {}
    numbers: list[str] = []
    whole: list[str] = []
    for column in (*prices, *_columns(mapping, COUNTS)):
        cells = table.text(column)
        if column in prices and cells.null_count():
            nulls.setdefault("", None)
        values = cells.cast(pl.Float64, strict=False)
        if values.null_count() == cells.null_count() and not _words(cells):
            if column not in prices and not (values.round() == values).all():
                whole += cells.drop_nulls().unique().to_list()
            elif (pointed := cells.str.contains(_POINTED)).any():  # what the other columns must be read with
                numbers.append(cells[int(pointed.arg_max() or 0)].strip())
            continue
        for cell in cells.drop_nulls().unique(maintain_order=True).to_list():
            text = cell.strip()
            if text.lower() in NULLS:
                nulls.setdefault(text, None)
            elif column in prices:
                numbers.append(text)
            elif text[-1:].lower() in _SUFFIXES:
                mapping = mapping.model_copy(update={"suffixes": True})
                numbers.append(text[:-1].strip())
            else:
                whole.append(text)
    decimal, strip = _notation(table, numbers, whole, mapping.separator)
    return mapping.model_copy(update={"nulls": tuple(nulls), "decimal": decimal, "strip": strip})


def _columns(mapping: CsvMapping, fields: Sequence[str]) -> list[str]:
    stated: dict[str, str | int] = dict(mapping.columns.items())
    return [str(stated[field]) for field in fields if field in stated]


def _words(cells: pl.Series) -> bool:
    """Whether a column of numbers holds words that a cast takes for numbers, such as NaN."""
    return bool(cells.str.contains(r"(?i)[a-df-z]").any())


def _notation(table: Table, numbers: Sequence[str], whole: Sequence[str], separator: str) -> tuple[str, str]:
    """The decimal mark, and the characters to leave out of numbers.

    whole: numbers that have no decimals. A comma that could be either mark is the decimal one in a file whose cells
    semicolons separate. Raises InputError where two readings remain, or none.
    """
    signs = "".join(sign for sign in _SIGNS if any(sign in text for text in (*numbers, *whole)))
    plain = str.maketrans({**dict.fromkeys(_BLANKS, " "), **dict.fromkeys(_APOSTROPHES, "'"), **dict.fromkeys(signs)})
    cells, counts = (
        pl.Series([text.translate(plain).strip() for text in texts], dtype=pl.String) for texts in (numbers, whole)
    )
    every = pl.concat([cells, counts])
    fitting = [
        (decimal, thousands)
        for decimal, thousands in _MARKS
        if cells.str.contains(_number(decimal, thousands, r"\d+")).all()
        and counts.str.contains(_number(decimal, thousands, "0+")).all()
        # `110'160` may be a fraction, `4.750` a decimal: another number must say that the mark is one of thousands.
        and (thousands in ("", ",") or every.str.contains(f"[{thousands}]\\d{{3}}[.,{thousands}]").any()
             or (every.str.contains(",") if thousands == "." else counts.str.contains(thousands)).any())
    ]  # fmt: skip
    readings = {}
    for marks in reversed(fitting):
        plain_texts = every.str.replace_all(marks[1] or "_", "", literal=True).str.replace(marks[0], ".", literal=True)
        readings[tuple(plain_texts)] = marks
    if len(readings) > 1 and separator == ";":
        readings = {text: marks for text, marks in readings.items() if marks == (",", "")}
    if len(readings) == 1:
        decimal, thousands = next(iter(readings.values()))
        return decimal, signs + {" ": _BLANKS, "'": _APOSTROPHES}.get(thousands, thousands)
    found = next((text for text in (*numbers, *whole) if "," in text), "")
    if not readings and not found:
        return ".", signs  # whatever is no number is named where it is read
    if readings:
        what, found = "numbers can be read in two ways", f"{found!r}, as " + " or ".join(text[0] for text in readings)
    else:
        what, found = "numbers are written in two ways", repr(found[:40])
    raise InputError(
        what, where=table.file.name, found=found, expected="one decimal mark and one mark of thousands",
        remedy="name a mapping with decimal and strip",
    )  # fmt: skip


def _number(decimal: str, thousands: str, decimals: str) -> str:
    """What numbers look like of which thousands are marked or not."""
    marked = rf"\d{{1,3}}([{thousands}]\d{{3}})+|" if thousands else ""
    return rf"^[-+]?({marked}\d+)([{decimal}]{decimals})?$"


def cleaned(table: Table, mapping: CsvMapping) -> Table:
    """The table with the numbers that a mapping reads in plain notation; what cannot be read stays as it stands."""
    if not (mapping.nulls or mapping.strip or mapping.suffixes or mapping.decimal != "."):
        return table
    numbers = _columns(mapping, (*PRICES, *COUNTS))
    words = [word.lower() for word in mapping.nulls]
    changed = []
    for column in numbers:
        cells = table.text(column)
        text = cells.str.strip_chars()
        if mapping.strip:
            text = text.str.replace_many(list(mapping.strip), [""])
        if mapping.decimal != ".":
            text = text.str.replace(mapping.decimal, ".", literal=True)
        if mapping.suffixes:
            text = _multiplied(text)
        null = cells.str.strip_chars().str.to_lowercase().is_in(words)
        good = text.cast(pl.Float64, strict=False).is_not_null()
        frame = pl.DataFrame({"cells": cells, "text": text, "null": null, "good": good})
        changed.append(
            frame.select(
                pl.when("null").then(None).when("good").then("text").otherwise("cells").alias(column)
            ).to_series()
        )
    return replace(table, cells=table.frame.with_columns(changed))


def _multiplied(cells: pl.Series) -> pl.Series:
    """Numbers with K, M or B behind them as whole numbers."""
    number = cells.str.slice(0, cells.str.len_chars() - 1).str.strip_chars().cast(pl.Float64, strict=False)
    for sign, factor in _SUFFIXES.items():
        scaled = (number * factor).round().cast(pl.Int64, strict=False).cast(pl.String)
        ends = cells.str.to_lowercase().str.ends_with(sign) & number.is_not_null()
        cells = pl.select(pl.when(ends).then(scaled).otherwise(cells)).to_series()
    return cells


# ---------------------------------------------------------------- dates


def with_dates(table: Table, mapping: CsvMapping, groups: NDArray[np.int32] | None) -> CsvMapping:
    """The mapping with the format of its dates, and with the order of its rows.

    groups: a number per row, of the contract or symbol it is of; bars of one come in order. Raises InputError where
    no format fits the whole column, and where two do.
    """
    column = str(mapping.columns["session"])
    cells = table.text(column)
    if cells.null_count():
        table.fail(int(cells.is_null().arg_max() or 0), column, "empty", expected="a date")
    text = cells.str.strip_chars()
    if text.str.contains(_UNIX).all() and not text.str.contains(r"^\d{8}$").any():
        return _ordered(mapping, "unix", _unix(table, column, text) // DAY, groups)
    if text.str.contains(_SERIAL).all():
        return _ordered(mapping, "excel", _serial_days(table, column, text), groups)
    shapes = [(pattern, formats) for pattern, formats in _DATES if text.str.contains(f"^{pattern}{_TIME}$").all()]
    if not shapes:
        fits = {pattern: text.str.contains(f"^{pattern}{_TIME}$") for pattern, _ in _DATES}
        usual = max(fits.values(), key=lambda each: (int(each.sum()), bool(each[0])))
        what = "not a date like the others" if usual.any() else "not a date"
        table.fail(int((~usual).arg_max() or 0), column, what, expected="dates in one form")
    pattern, formats = shapes[0]
    day = text.str.extract(f"^({pattern})", 1)
    found: dict[str, NDArray[np.int64]] = {}
    for form in formats:
        dates = day.str.to_date(form, strict=False)
        if not dates.null_count():
            found[form] = dates.to_physical().to_numpy().astype(np.int64)
    if not found:
        dates = day.str.to_date(formats[0], strict=False)
        table.fail(int(dates.is_null().arg_max() or 0), column, "not a date", expected=f"a date as {formats[0]}")
    chosen = _decided(table, column, found, groups)
    timed = day.str.len_chars() != text.str.len_chars()
    if not timed.any():
        return _ordered(mapping, chosen, found[chosen], groups)
    return _ordered(mapping, "iso" if chosen == "%Y-%m-%d" else f"{chosen} and a time", found[chosen], groups)


def _decided(table: Table, column: str, found: dict[str, NDArray[np.int64]], groups: NDArray[np.int32] | None) -> str:
    """The one format that makes the column days in order; of two, the one without weekends, or of daily steps."""
    left = dict(found)
    for fits in (_in_order, _no_weekend, _daily):
        if len(left) > 1:
            passing = {form: days for form, days in left.items() if fits(days, groups)}
            if not passing and fits is _in_order:
                left = {}
                break
            left = passing or left
    if len(left) == 1:
        return next(iter(left))
    raise InputError(
        f"column {column!r}: day and month cannot be told apart",
        where=table.file.name,
        found=", ".join(repr(text) for text in table.text(column)[:3].to_list()),
        expected="dates of which one reading alone is in order",
        remedy=f"name a mapping with date_format {' or '.join(found)}",
    )


def _steps(days: NDArray[np.int64], groups: NDArray[np.int32] | None) -> NDArray[np.int64]:
    if groups is None:
        return np.diff(days)
    order = np.argsort(groups, kind="stable")
    same = np.diff(groups[order]) == 0
    steps: NDArray[np.int64] = np.diff(days[order])[same]
    return steps


def _in_order(days: NDArray[np.int64], groups: NDArray[np.int32] | None) -> bool:
    steps = _steps(days, groups)
    return bool((steps > 0).all() or (steps < 0).all())


def _no_weekend(days: NDArray[np.int64], _groups: NDArray[np.int32] | None) -> bool:
    return bool(((days + 3) % 7 < 5).all())


def _daily(days: NDArray[np.int64], groups: NDArray[np.int32] | None) -> bool:
    steps = np.abs(_steps(days, groups))
    return len(steps) >= _ENOUGH_STEPS and float(np.median(steps)) <= _DAILY_STEP


def _ordered(mapping: CsvMapping, form: str, days: NDArray[np.int64], groups: NDArray[np.int32] | None) -> CsvMapping:
    steps = _steps(days, groups)
    descending = bool(len(steps)) and bool((steps < 0).all())
    return mapping.model_copy(update={"date_format": form, "descending": descending})


def session_days(table: Table, column: str, form: str, calendar: str | None, notes: list[str]) -> NDArray[np.int32]:
    """The sessions of a column, as days since 1970-01-01.

    form: a strftime format, `unix`, `excel`, `iso`, or a format `and a time`. An instant belongs to the trade date of
    `calendar`; without one to its own date, or to the weekday after it where the column shows that bars begin in the
    evening before. A time without a zone is that of the bar's day. What was assumed is added to `notes`.
    """
    if form not in ("unix", "excel", "iso") and not form.endswith(" and a time"):
        return table.days(column, form)
    text = table.text(column).str.strip_chars()
    if text.null_count():
        table.fail(int(text.is_null().arg_max() or 0), column, "empty", expected="a date or an instant")
    if form == "excel":
        return _serial_days(table, column, text).astype(np.int32)
    if form == "unix":
        return _of_instants(table, column, _unix(table, column, text), calendar, notes)
    date_form = "%Y-%m-%d" if form == "iso" else form.removesuffix(" and a time")
    pattern = next(shape for shape, forms in _DATES if date_form in forms)
    parts = text.str.extract_groups(f"^({pattern}){_TIME}$").struct.unnest()
    day, hour, minute, second, half, zone = parts.get_columns()
    dates = day.str.to_date(date_form, strict=False)
    if dates.null_count():
        table.fail(
            int(dates.is_null().arg_max() or 0), column, "not a date", expected=f"{date_form}, with or without a time"
        )
    days = dates.to_physical().to_numpy().astype(np.int64)
    table.require_plausible(column, days)
    late = (half.str.to_lowercase() == "pm").fill_null(value=False).cast(pl.Int64)
    hours = hour.cast(pl.Int64).fill_null(0)
    hours = pl.select(pl.when(half.is_not_null()).then(hours % 12 + 12 * late).otherwise(hours)).to_series()
    seconds = (hours * 3600 + minute.cast(pl.Int64).fill_null(0) * 60 + second.cast(pl.Int64).fill_null(0)).to_numpy()
    if zone.null_count() == 0 and (seconds != 0).any():
        return _of_instants(table, column, (days * 86_400 + seconds - _offset(zone)) * 1_000_000_000, calendar, notes)
    if zone.null_count() not in (0, len(zone)):
        table.fail(int(zone.is_null().arg_max() or 0), column, "no zone, as other rows have one", expected="an instant")
    if (seconds != 0).any() and _begins_in_the_evening(days):
        notes.append(
            f"{column}: bars begin in the evening of the day before, on Sundays too: the weekday after is taken"
        )
        days = _next_weekday(days)
    return days.astype(np.int32)


def stated_days(table: Table, column: str, form: str) -> NDArray[np.int32]:
    """Dates of a column beside the sessions', in their form or the only one that it shows itself.

    Days since 1970-01-01; FIRST_DAY - 1 where empty. Raises InputError where neither reads them.
    """
    text = table.text(column).str.strip_chars()
    for pattern, formats in _DATES:
        if len(formats) == 1 and formats[0] != form and text.drop_nulls().str.contains(f"^{pattern}{_TIME}$").all():
            dates = text.str.extract(f"^({pattern})", 1).str.to_date(formats[0], strict=False)
            if dates.null_count() == text.null_count():
                return dates.to_physical().fill_null(FIRST_DAY - 1).to_numpy()
    return table.days(column, form, nullable=True)


def _serial_days(table: Table, column: str, text: pl.Series) -> NDArray[np.int64]:
    """Days since 1970-01-01 of the numbers that spreadsheets give to dates."""
    number = text.str.extract(_SERIAL, 1).cast(pl.Int64, strict=False)
    known = number.is_between(_SERIAL_OF_1970, _LAST_SERIAL).fill_null(value=False)
    if not known.all():
        table.fail(int(known.arg_min() or 0), column, "not a date", expected="a date, or a spreadsheet's number of one")
    days: NDArray[np.int64] = number.to_numpy() - _SERIAL_OF_1970
    return days


def _unix(table: Table, column: str, text: pl.Series) -> NDArray[np.int64]:
    """Instants in ns of seconds, or of thousandths, millionths, billionths of one."""
    whole = text.str.extract(_UNIX, 1).cast(pl.Int64, strict=False)
    if whole.null_count():
        table.fail(int(whole.is_null().arg_max() or 0), column, "not an instant", expected="seconds since 1970")
    number: NDArray[np.int64] = whole.to_numpy()
    size = int(np.abs(number).max())
    factor = next(
        each for each, most in ((10**9, 10**11), (10**6, 10**14), (10**3, 10**17), (1, 10**20)) if size < most
    )
    scaled: NDArray[np.int64] = number * factor
    return scaled


def _offset(zone: pl.Series) -> NDArray[np.int64]:
    """Seconds that a zone is ahead of UTC."""
    parts = zone.str.extract_groups(r"^([+-])(\d{2}):?(\d{2})$").struct.unnest()
    sign, hours, minutes = parts.get_columns()
    size = (hours.cast(pl.Int64) * 3600 + minutes.cast(pl.Int64) * 60).fill_null(0).to_numpy()
    return np.where((sign == "-").fill_null(value=False).to_numpy(), -size, size)


_EVENING: Final = 2 * 3600 * 1_000_000_000
"""ns before midnight UTC from which on an instant is of the next day: Globex opens at 22:00 or 23:00 UTC."""


def _of_instants(
    table: Table, column: str, instants: NDArray[np.int64], calendar: str | None, notes: list[str]
) -> NDArray[np.int32]:
    days = instants // DAY
    table.require_plausible(column, days)
    if (instants == days * DAY).all():
        return days.astype(np.int32)  # midnights are dates
    if calendar is not None and calendar != "none":
        try:
            trade = sessions.trade_dates(calendar, instants.astype("datetime64[ns]"))
        except DataError as error:
            raise InputError(f"column {column!r}: {error.what}", where=table.file.name, found=error.found) from error
        # A holiday that counts to the next trade date may have a bar of its own: it keeps its date, to be folded.
        own = (instants + _EVENING) // DAY
        holidays = sessions.counted_to_next(calendar, as_date(int(own.min())), as_date(int(own.max())))
        return np.where(np.isin(own, holidays.astype(np.int64)), own, trade.astype(np.int64)).astype(np.int32)
    if _begins_in_the_evening(days):
        days = _next_weekday(days)
        notes.append(
            f"{column}: instants without a calendar: bars begin in the evening before their session (UTC), the weekday "
            "after is assumed; --calendar tells"
        )
    else:
        notes.append(f"{column}: instants without a calendar: the UTC day is assumed; --calendar tells")
    return days.astype(np.int32)


def _begins_in_the_evening(days: NDArray[np.int64]) -> bool:
    """Whether the dates of bars are those of the evening before: there are Sundays and no Fridays."""
    weekday = (days + 3) % 7
    return bool((weekday == 6).any() and not (weekday == 4).any())


def _next_weekday(days: NDArray[np.int64]) -> NDArray[np.int64]:
    following = days + 1
    weekday = (following + 3) % 7
    return np.where(weekday >= 5, following + 7 - weekday, following)
