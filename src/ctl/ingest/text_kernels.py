"""Cells of a text table, taken apart and read in passes over its bytes.

What is read here is written in the plainest way: `2024-01-31`, `-12.50`, `311`. A column that holds anything else is
left to the readers of whole columns, which know every notation and name the cell that they refuse.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from ctl.kernels import kernel, part

QUOTE: Final = 0x22
NEWLINE: Final = 0x0A
_RETURN: Final = 0x0D
_MINUS, _POINT, _ZERO, _NINE = 0x2D, 0x2E, 0x30, 0x39
LONG_LINE, STRAY_QUOTE, OTHER_WIDTH = 1, 2, 3
_EXACT: Final = 1 << 53
"""Whole numbers below it and powers of ten up to 22 are floats: their quotient is the float nearest to the decimal."""
_LONGEST: Final = 18
"""Signs of a plain number; so many digits fit into 64 bits."""
_TENS: Final = 10.0 ** np.arange(_LONGEST)
_PROBES: Final = 32
_HASHED: Final = (1 << 40) - 1


@kernel
def take_apart_plain(text: Any, separator: Any, longest: int, ends: Any) -> bool:
    """As `take_apart` of a text without quotation marks whose rows are whole; False where that is not what it is."""
    width = ends.shape[1]
    flat, found = ends.reshape(-1), 0
    for at in range(len(text)):
        byte = text[at]
        flat[found] = at
        found += (byte == separator) | (byte == NEWLINE)  # without a branch: which comes next cannot be foretold
        if found == len(flat):
            return False
    flat[found] = len(text)
    if found != len(flat) - 1:
        return False
    begin = 0
    for row in range(len(ends)):
        for cell in range(width - 1):
            if text[ends[row, cell]] == NEWLINE:
                return False
        end = int(ends[row, width - 1])
        if (row < len(ends) - 1 and text[end] != NEWLINE) or end - begin > longest:
            return False
        begin = end + 1
    return True


@kernel
def take_apart(text: Any, separator: Any, longest: int, few: int, ends: Any) -> tuple[int, int, int, int]:
    """Find where every cell ends: at its separator, or the newline of its row.

    separator: uint8. ends: uint32[rows, columns], filled. longest: bytes that a line may have. few: cells that a row
    may do with; those that it lacks end where it does. Returns the fault of the first line that has one (0: none), its
    row, where it begins, and how many cells or bytes it has.
    """
    width, size = ends.shape[1], len(text)
    row, cell, begin, inside = 0, 0, 0, False
    for at in range(size + 1):
        byte = text[at] if at < size else np.uint8(NEWLINE)
        if byte == NEWLINE:
            if at - begin > longest:
                return LONG_LINE, row, begin, at - begin
            if inside:
                return STRAY_QUOTE, row, begin, 0
            if cell + 1 > width or cell + 1 < few:
                return OTHER_WIDTH, row, begin, cell + 1
            for each in range(cell, width):
                ends[row, each] = at
            row, cell, begin = row + 1, 0, at + 1
        elif byte == separator:
            if not inside:
                if cell < width:
                    ends[row, cell] = at
                cell += 1
        elif byte == QUOTE:
            beside = at + 1 if inside else at - 1
            if 0 <= beside < size:
                edge = text[beside]
                if not (edge == separator or edge in (NEWLINE, _RETURN)):
                    return STRAY_QUOTE, row, begin, 0
            inside = not inside
    return 0, row, begin, 0


@part
def _span(text: Any, ends: Any, row: int, column: int) -> Any:
    """Where the content of a cell begins and ends, without its quotation marks; of a missing one, nowhere."""
    end = np.int64(ends[row, column])
    if column > 0:
        begin = np.int64(ends[row, column - 1]) + 1
    elif row > 0:
        begin = np.int64(ends[row - 1, ends.shape[1] - 1]) + 1
    else:
        begin = np.int64(0)
    if end > begin and column == ends.shape[1] - 1 and text[end - 1] == _RETURN:
        end -= 1
    if end - begin >= 2 and text[begin] == QUOTE and text[end - 1] == QUOTE:
        begin, end = begin + 1, end - 1
    return begin, max(begin, end)


@kernel
def span(text: Any, ends: Any, column: int, row: int) -> Any:
    """Where the content of a cell begins and ends."""
    return _span(text, ends, row, column)


@kernel
def floats(text: Any, ends: Any, column: int, values: Any) -> tuple[bool, int]:
    """Read decimal numbers, NaN where a cell is empty; whether all are plain, and how many are empty.

    values: float64[rows], filled; they mean nothing where not all are plain.
    """
    empty = 0
    for row in range(len(values)):
        at, end = _span(text, ends, row, column)
        if at == end:
            values[row] = np.nan
            empty += 1
            continue
        negative = text[at] == _MINUS
        if negative:
            at += 1
        if at == end or end - at > _LONGEST:
            return False, empty
        number, point = np.int64(0), end
        for place in range(at, end):
            byte = text[place]
            if _ZERO <= byte <= _NINE:
                number = number * 10 + (np.int64(byte) - _ZERO)
            elif byte == _POINT and point == end and place > at:
                point = place
            else:
                return False, empty
        if number >= _EXACT or point == end - 1:
            return False, empty
        value = np.float64(number) / _TENS[max(end - point - 1, 0)]
        values[row] = -value if negative else value
    return True, empty


@kernel
def integers(text: Any, ends: Any, column: int, values: Any, null: Any) -> tuple[bool, int]:
    """Read whole numbers, 0 and null where a cell is empty; whether all are plain, and how many are empty.

    values: int64[rows], null: bool[rows], filled; they mean nothing where not all are plain.
    """
    empty = 0
    for row in range(len(values)):
        at, end = _span(text, ends, row, column)
        null[row] = at == end
        negative = at < end and text[at] == _MINUS
        if negative:
            at += 1
        elif at == end:
            empty += 1
        if (negative and at == end) or end - at > _LONGEST:
            return False, empty
        number = np.int64(0)
        for place in range(at, end):
            byte = text[place]
            if not _ZERO <= byte <= _NINE:
                return False, empty
            number = number * 10 + (np.int64(byte) - _ZERO)
        values[row] = -number if negative else number
    return True, empty


@kernel
def days(text: Any, ends: Any, column: int, form: Any, values: Any) -> bool:
    """Read dates as days since 1970-01-01; whether all are plain: none is empty, each is a day of the calendar.

    form: bytes as long as every cell, with Y, M and D for the digits of years, months and days. values: int32[rows],
    filled.
    """
    for row in range(len(values)):
        at, end = _span(text, ends, row, column)
        if end - at != len(form):
            return False
        year, month, day = 0, 0, 0
        for place in range(len(form)):
            byte, meant = int(text[at + place]), form[place]
            digit = byte - _ZERO
            if meant == 0x59:
                year = year * 10 + digit
            elif meant == 0x4D:
                month = month * 10 + digit
            elif meant == 0x44:
                day = day * 10 + digit
            elif byte == meant:
                continue
            else:
                return False
            if not 0 <= digit <= 9:
                return False
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        most = 31 - (month in (4, 6, 9, 11)) if month != 2 else 28 + leap
        if not (1 <= month <= 12 and 1 <= day <= most):
            return False
        # Days of a year that begins in March, so that its last one is that of leap years.
        shifted = year - (month <= 2)
        of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
        values[row] = shifted * 365 + shifted // 4 - shifted // 100 + shifted // 400 + of_year - 719_468
    return True


@kernel
def code(text: Any, ends: Any, column: int, slots: Any, first: Any, codes: Any) -> int:
    """Number the different texts of a column as they come; how many there are, -1 where a cell is empty or they are
    more than there is room for.

    slots: int32[2**n], all -1. first: int64[most], the row in which each text comes first, filled. codes: int32[rows],
    filled.
    """
    known = 0
    for row in range(len(codes)):
        begin, end = _span(text, ends, row, column)
        if begin == end:
            return -1
        hashed = np.int64(0)
        for place in range(begin, end):
            hashed = (hashed * 1_000_003 + np.int64(text[place])) & _HASHED
        slot = (hashed ^ hashed >> 20) & (len(slots) - 1)
        for _ in range(_PROBES):
            number = slots[slot]
            if number < 0:
                if known == len(first):
                    return -1
                slots[slot], first[known], codes[row] = known, row, known
                known += 1
                break
            other, stop = _span(text, ends, first[number], column)
            same = stop - other == end - begin
            for place in range(end - begin):
                same = same and text[other + place] == text[begin + place]
            if same:
                codes[row] = number
                break
            slot = (slot + 1) & (len(slots) - 1)
        else:
            return -1
    return known
