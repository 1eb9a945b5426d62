"""What a reader hands on: the daily bars of one file as numpy columns, and what the file says about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ctl.errors import InputError
from ctl.model.bars import (
    AdjustmentBasis,
    CloseBasis,
    ContractTerms,
    Lacking,
    SessionBasis,
    SourceFile,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctl.ingest.source import RawFile
    from ctl.model.rolls import ReferenceRoll

_EPOCH: Final = date(1970, 1, 1)
_OF_ALL: Final = ("symbols", "first_line")
"""What rows say of themselves, not each of itself."""


class OtherSchema(InputError):
    """A sound file of records that are neither daily bars nor definitions."""


class NoRecords(InputError):
    """A sound file without a single record: of a contract that did not trade, or of no news."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Daily bars of one file, in file order but where `line` says otherwise.

    symbol: index into `symbols`. Prices are NaN where null; volume and open_interest are 0 where their
    `_null` mask holds (a mask of None: no value is null; open_interest None: all are).
    line: 1-based row in the file; None where rows follow each other from `first_line`.
    """

    symbols: tuple[str, ...]
    day: NDArray[np.int32]
    symbol: NDArray[np.int32]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.int64]
    volume_null: NDArray[np.bool_] | None
    open_interest: NDArray[np.int64] | None
    open_interest_null: NDArray[np.bool_] | None
    first_line: int = 1
    line: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.day)

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> Rows:
        """The rows at `index`, in that order."""
        at = np.flatnonzero(index) if index.dtype == np.bool_ else index
        columns = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in _OF_ALL}
        taken: dict[str, Any] = {name: None if column is None else column[at] for name, column in columns.items()}
        return replace(self, **taken)

    def lines(self) -> NDArray[np.int64]:
        """The row of the file that every bar stands on."""
        return np.arange(self.first_line, self.first_line + len(self)) if self.line is None else self.line

    def line_of(self, at: int) -> int:
        """The row of the file that bar `at` stands on."""
        return self.first_line + at if self.line is None else int(self.line[at])


@dataclass(frozen=True, slots=True)
class FileBars:
    """What one file holds, as its vendor's reader understood it."""

    file: RawFile
    rows: Rows
    vendor: str
    session_basis: SessionBasis
    close_basis: CloseBasis
    adjustment_basis: AdjustmentBasis | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    terms: Mapping[str, ContractTerms] = field(default_factory=dict)
    """Their `contract` is the symbol as the file writes it; several of one symbol differ in their year."""
    years: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Delivery years that definitions state, by symbol."""
    quote_units: Mapping[str, str] = field(default_factory=dict)
    contract: NDArray[np.int32] | None = None
    """Index into `rows.symbols` of the held contract, -1 where unknown; for series only."""
    adjustment: NDArray[np.float64] | None = None
    rolls: tuple[ReferenceRoll, ...] = ()
    """Rolls that the file states: new less old price, dated at the new contract's first session."""
    descending: bool = False
    """Whether rows stand newest first."""
    root: str | None = None
    """What the file's name says of a series, where a mapping reads it."""
    bars: bool = True
    """False for files that hold terms only, or nothing."""
    end: int | None = None
    """Up to where the file says that its data reach, exclusive: ns since 1970-01-01 UTC; None where it does not."""
    unfinished: tuple[tuple[Lacking, frozenset[str]], ...] = ()
    """Sessions whose bars were left out because they are not over, and the symbols of those bars."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Bars that `rows` is without, by symbol: a reader that is asked for contracts leaves out what is no outright."""
    extent: tuple[int, int, int] | None = None
    """Number, first and last day of the bars with those `dropped`; None: as in `rows`."""

    def source(self) -> SourceFile:
        """The file's identity and extent."""
        days = self.rows.day
        number, first, last = self.extent or (len(days), *((int(days.min()), int(days.max())) if len(days) else (0, 0)))
        return SourceFile(
            name=self.file.name,
            sha256=self.file.sha256,
            size=self.file.size,
            rows=number,
            first_session=as_date(first) if number else None,
            last_session=as_date(last) if number else None,
        )


def as_date(day: int) -> date:
    """The date of a number of days since 1970-01-01."""
    return _EPOCH + timedelta(days=day)


def no_rows(symbols: tuple[str, ...] = ()) -> Rows:
    """A file without bars."""
    none = np.empty(0, dtype=np.float64)
    whole = np.empty(0, dtype=np.int64)
    index = np.empty(0, dtype=np.int32)
    return Rows(symbols, index, index, none, none, none, none, whole, None, None, None)
