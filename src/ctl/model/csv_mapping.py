"""The mapping that makes an unknown vendor's CSV readable: a TOML file, or a table of ctl.toml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator

from ctl.model.bars import AdjustmentBasis, CloseBasis, SessionBasis
from ctl.strict_files import ReadAs, Strict, expected, shown

Column = str | int
PositiveNumber = Annotated[float, Field(gt=0, le=1e12)]


class ColumnKeys(Strict):
    """`columns`: by canonical field the name of its column, or its position from 1 in a file without a header.

    A `contract` with `close` alone is settlement-only. roll_gap: non-zero on the first session of the new contract,
    new less old price. roll_to: delivery month (YYYYMM) of the next contract, stated on the last session before it is
    used; 0 elsewhere.
    """

    session: Column
    contract: Column | None = None
    symbol: Column | None = None
    delivery_month: Column | None = None
    last_trade: Column | None = None
    first_notice: Column | None = None
    open: Column | None = None
    high: Column | None = None
    low: Column | None = None
    close: Column
    volume: Column | None = None
    open_interest: Column | None = None
    roll_gap: Column | None = None
    roll_to: Column | None = None
    adjustment: Column | None = None

    def made(self) -> dict[str, Column]:
        """The columns that are named."""
        return self.model_dump(exclude_none=True)


class MappingKeys(Strict):
    """How to read one vendor's CSV.

    recognised_by: column names that identify the format; empty: only ever used when named. date_format: strftime
    format of every date column. point_values: where not empty, prices in the file are multiplied by the root's point
    value and are divided by it. price_divisor: every price is divided by it. contract_suffix: text to strip from the
    contract column. name_pattern: what the file's name (without extension) tells, with `{root}`, `{contract}`,
    `{yyyymm}` and `*`. quote_units: by root, where they differ from the instrument reference data. descending: rows
    stand newest first. optional: canonical fields whose columns a file may lack.
    date_format may also be `unix` (seconds or finer since 1970), `excel` (a spreadsheet's numbers of days) or `iso`
    (dates, or instants with their zone).
    header_lines, footer_lines: lines above the first row (the last of them holds the names) and after the last one.
    short_rows: a row may lack its last cells. decimal: the decimal mark; strip: characters to leave out of numbers,
    such as `$` and the mark of thousands; suffixes: numbers may end in K, M or B. nulls: words that stand for no
    value; where any is named, a row without a single price is left out and counted. daily_time: the time of day at
    which daily bars stand among others, which are counted and left out. detect: what of the layout, the numbers and
    the dates is told from the file's cells.
    """

    vendor: str = Field("", description="the vendor's name; that of the mapping where it is not given")
    header: bool = Field(True, description="true or false")
    columns: Annotated[Mapping[str, Column], ReadAs(ColumnKeys, ColumnKeys.made)] = Field(
        description="a table of canonical field = column name"
    )
    recognised_by: tuple[str, ...] = Field((), strict=False, description="a list of column names")
    separator: str = Field(",", pattern=r"^[\x00-\x7f]$", description="one ASCII character")
    date_format: str = Field("%Y-%m-%d", description="a strftime format, such as %d/%m/%Y")
    price_divisor: float = Field(1.0, gt=0, le=1e12, description="a positive number")
    point_values: dict[str, PositiveNumber] = Field({}, description="a table of root = positive number")
    quote_units: dict[str, str] = Field({}, description="a table of root = text")
    session_basis: SessionBasis = Field("exchange_session", description="exchange_session or utc_day")
    close_basis: CloseBasis = Field("settlement", description="settlement or last_trade")
    adjustment_basis: AdjustmentBasis | None = Field(None, description="raw, split_adjusted or total_return")
    contract_suffix: str = Field("", description="text")
    name_pattern: str = Field("", description="text with {root}, {contract}, {yyyymm} and *")
    descending: bool = Field(False, description="true or false")
    optional: tuple[str, ...] = Field((), strict=False, description="a list of canonical fields")
    header_lines: int = Field(1, ge=1, le=1000, description="a number of lines from 1")
    footer_lines: int = Field(0, ge=0, le=1000, description="a number of lines")
    short_rows: bool = Field(False, description="true or false")
    decimal: str = Field(".", pattern=r"^[.,]$", description="a point or a comma")
    strip: str = Field("", max_length=16, description="characters, such as $,")
    suffixes: bool = Field(False, description="true or false")
    nulls: tuple[str, ...] = Field((), strict=False, description="a list of words")
    daily_time: str = Field("", pattern=r"^(\d\d:\d\d(:\d\d)?)?$", description="a time of day, such as 23:00:00")
    detect: bool = Field(False, description="true or false")

    @field_validator("columns")
    @classmethod
    def _as_the_header_asks(cls, columns: Mapping[str, Column], info: ValidationInfo) -> Mapping[str, Column]:
        header = info.data.get("header", True)
        for key, column in columns.items():
            fits = isinstance(column, str) if header else isinstance(column, int) and 1 <= column <= 256
            if not fits:
                raise expected("a column name" if header else "a position from 1", shown(column), at=(key,))
        return columns

    def named(self, name: str) -> CsvMapping:
        """The mapping under its name, and which bases it leaves to be assumed."""
        unsaid = (("session_basis", "exchange sessions"), ("close_basis", "settlement"))
        assumed = tuple(words for key, words in unsaid if key not in self.model_fields_set)
        return CsvMapping.model_construct(**{**dict(self), "vendor": self.vendor or name}, name=name, assumed=assumed)


class CsvMapping(MappingKeys):
    """A mapping, by its name. assumed: bases that nobody stated."""

    name: str
    assumed: tuple[str, ...] = ()

    @property
    def has_contracts(self) -> bool:
        """Whether bars are per contract: by a column or by the file's name."""
        return (
            "contract" in self.columns
            or "delivery_month" in self.columns
            or any(part in self.name_pattern for part in ("{contract}", "{yyyymm}"))
        )


class NamedMapping(Strict):
    """`mapping = { name = ... }`: one that the package ships."""

    name: str


def label(value: Any) -> str:
    """Which of the two a table is, for pydantic."""
    named = set(value) == {"name"} if isinstance(value, dict) else isinstance(value, NamedMapping)
    return "<named>" if named else "<columns>"
