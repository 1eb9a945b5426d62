"""Slippage of a workspace's symbols: estimated from fills or from their bars, shown beside what the profile locks.

It proposes and changes nothing.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeVar

from ctl import strict_files
from ctl.errors import CtlError, DataError, InputError
from ctl.flows import inputs
from ctl.flows.series import canonical_series
from ctl.model.findings import in_full
from ctl.trading import intervals, slippage
from ctl.trading.slippage import Calibration, Fill, OrderType

if TYPE_CHECKING:
    from ctl.flows.inputs import SymbolInputs
    from ctl.model.bars import DailySeries
    from ctl.model.rolls import ContinuousSeries
    from ctl.operating_profile import OperatingProfile
    from ctl.store import Workspace

COLUMNS: Final = ("session", "symbol", "side", "quantity", "price")
REFERENCE: Final = "reference"
CONTRACT: Final = "contract"
ORDER_TYPE: Final = "order_type"
_CALLED: Final = ("type",)  # what else that column is called

_ORDER_TYPES: Final[Mapping[str, OrderType]] = {
    "market": "market", "mkt": "market", "moo": "market",
    "stop": "stop", "stp": "stop",
    "limit": "limit", "lmt": "limit",
}  # fmt: skip

_SIDES: Final[Mapping[str, slippage.Side]] = {"buy": "buy", "sell": "sell"}

_LARGEST: Final = 64 * 1024 * 1024
_ROUNDING: Final = 1e-9  # of a price: what float arithmetic may put beyond the end of a range


@dataclass(frozen=True, slots=True)
class Proposal:
    """One symbol's calibration beside the value in force. locked None: the profile has no settings of the symbol.

    locked_outside_interval: None where the value or the interval is not known. error: why there is no calibration.
    """

    symbol: str
    locked: float | None
    locked_outside_interval: bool | None
    currency: str
    point_value: float
    calibration: Calibration | None
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SlippageReport:
    """`ctl calibrate slippage --json`. profile: the file whose values are in force, None where there is none.

    lots: size traded at once, where an estimate comes from bars.
    """

    kind: Literal["slippage"] = "slippage"
    schema_version: Literal[1] = 1
    simulated: bool
    profile: str | None
    confidence: float = intervals.CONFIDENCE
    lots: int
    symbols: tuple[Proposal, ...]


def propose(
    workspace: Workspace,
    profile: OperatingProfile | None,
    symbols: Sequence[str],
    *,
    instant: datetime,
    fills: Path | None = None,
    lots: int = 3,
    as_of: date | None = None,
) -> SlippageReport:
    """Calibrate each symbol: from `fills` where the file has any of it, else from its bars up to `as_of` (inclusive).

    Raises InputError for a file of fills that cannot be used; what keeps one symbol's bars from being read is its
    proposal's error.
    """
    read = {} if fills is None else read_fills(fills, known=tuple(workspace.symbols))
    proposals = []
    for symbol in symbols:
        config = workspace.symbol(symbol)
        settings = profile.symbol_settings.get(symbol) if profile else None
        tick = settings.tick_size if settings else config.tick
        locked = settings.slippage_per_side if settings else None
        rows = [row for row in read.get(symbol, ()) if as_of is None or row.session <= as_of]
        calibration, error = None, None
        try:
            symbol_inputs = inputs.read_traded(workspace, symbol, profile, now=instant, as_of=as_of)
            series = canonical_series(symbol_inputs, config.calendar)
            if series is None:
                raise DataError(f"no series of {symbol}: the files hold another root", code="IDENTITY_MISMATCH")
        except CtlError as refused:
            error = str(refused)
        else:
            if rows:
                bars = _Bars(symbol_inputs, series)
                made = [row.fill(bars.of(row)) for row in rows]
                calibration = slippage.from_fills(made, tick=tick, locked=locked)
            else:
                closes = series.meta.close_basis
                calibration = slippage.from_bars(series.frame, tick=tick, lots=lots, closes=closes, locked=locked)
        proposals.append(
            Proposal(
                symbol, locked, _outside(locked, calibration), config.currency, config.point_value, calibration, error
            )
        )
    return SlippageReport(
        simulated=workspace.simulated,
        profile=None if profile is None else workspace.relative(workspace.profile_path),
        lots=lots,
        symbols=tuple(proposals),
    )


def _outside(locked: float | None, calibration: Calibration | None) -> bool | None:
    if locked is None or calibration is None or calibration.low is None or calibration.high is None:
        return None
    return not calibration.low <= locked <= calibration.high


# ---------------------------------------------------------------- the file of fills


@dataclass(frozen=True, slots=True)
class Day:
    """What a fill is held against: the session's bar of the contract traded, in its own terms; None where the bars
    have settlements alone.
    """

    contract: str
    open: float | None
    high: float | None
    low: float | None


@dataclass(frozen=True, slots=True)
class FillRow:
    """One row of the file; `where` names it. reference None: the session's open is to stand in. contract None: the one
    that the series holds. order_type None: the file does not say.
    """

    where: str
    session: date
    side: slippage.Side
    quantity: float
    price: float
    reference: float | None
    contract: str | None
    order_type: OrderType | None

    def fill(self, day: Day | None) -> Fill:
        """The fill, its missing reference the open of `day`. Raises InputError where it cannot be of that day."""
        if day is None:
            raise InputError(
                "no bar of the fill's session",
                where=self.where,
                found=f"{self.contract + ', ' if self.contract else ''}{self.session}",
                expected="a session and contract of the bars",
                code="FILL_WITHOUT_BAR",
            )
        if day.high is not None and day.low is not None:
            room = _ROUNDING * max(abs(day.high), abs(day.low))
            if not day.low - room <= self.price <= day.high + room:
                raise InputError(
                    "the fill lies outside its session's range",
                    where=self.where,
                    found=in_full(self.price),
                    expected=f"{in_full(day.low)} to {in_full(day.high)}, {day.contract}'s range on {self.session}",
                    remedy="mend the row, or name the contract traded in a column contract",
                    code="FILL_OUTSIDE_RANGE",
                )
        reference = self.reference if self.reference is not None else day.open
        if reference is None:
            raise InputError(
                "no reference price for the fill",
                where=self.where,
                found=f"no open of {day.contract} on {self.session}",
                expected=f"a value in the column {REFERENCE}",
            )
        return Fill(self.session, self.side, self.quantity, self.price, reference, self.order_type)


class _Bars:
    """The bars of one symbol that its fills are held against."""

    def __init__(self, symbol_inputs: SymbolInputs, series: ContinuousSeries | DailySeries) -> None:
        import polars as pl

        own = [(pl.col(name) - pl.col("adjustment")).alias(name) for name in _PRICES]
        name = pl.col("contract").fill_null(symbol_inputs.symbol)
        held = series.frame.select("session", name, *own)
        self._held = {session: Day(*rest) for session, *rest in held.iter_rows()}
        traded = symbol_inputs.bars.select("session", "contract", *_PRICES) if symbol_inputs.contracts else held
        self._contracts = {
            (session, contract): Day(contract, *prices) for session, contract, *prices in traded.iter_rows()
        }

    def of(self, row: FillRow) -> Day | None:
        """The bar of a fill's session: of the contract it names, else of the one that the series holds."""
        return self._held.get(row.session) if row.contract is None else self._contracts.get((row.session, row.contract))


_PRICES: Final = ("open", "high", "low")


def read_fills(path: Path, *, known: Sequence[str]) -> dict[str, list[FillRow]]:
    """The fills of a CSV file by symbol, in the file's order.

    Columns session (YYYY-MM-DD), symbol, side (buy or sell), quantity, price; and if wanted order_type (market, stop or
    limit, or their short forms mkt, moo, stp, lmt), contract, and reference: the price that the fill is measured
    against, in the contract's own terms like its price. Others are ignored. known: symbols that may stand there.
    Raises InputError naming line and column.
    """
    try:
        text = strict_files.read_bytes(path, most=_LARGEST).decode("utf-8-sig")
    except OSError as error:
        raise InputError("cannot be read", where=str(path), found=error.strerror or type(error).__name__) from error
    except UnicodeDecodeError as error:
        raise InputError("is not UTF-8 text", where=path.name) from error
    try:
        rows = list(csv.reader(text.splitlines(), strict=True))
    except csv.Error as error:
        raise InputError("is no CSV file", where=path.name, found=str(error)) from error
    header = [name.strip().lower() for name in rows[0]] if rows else []
    if ORDER_TYPE not in header:
        header = [ORDER_TYPE if name in _CALLED else name for name in header]
    missing = [name for name in COLUMNS if name not in header]
    if missing or len(set(header)) != len(header):
        raise InputError(
            "has not the columns of fills",
            where=path.name,
            found=", ".join(header)[:80] or "nothing",
            expected=f"{','.join(COLUMNS)}[,{ORDER_TYPE}][,{CONTRACT}][,{REFERENCE}]",
        )
    made: dict[str, list[FillRow]] = {}
    for number, cells in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        where = f"{path.name}:{number}"
        if len(cells) != len(header):
            raise InputError(
                "has not one cell per column", where=where, found=str(len(cells)), expected=str(len(header))
            )
        row = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
        symbol = _one_of(row["symbol"], "symbol", where, {name: name for name in known})
        reference = row.get(REFERENCE, "")
        order_type = row.get(ORDER_TYPE, "").lower()
        made.setdefault(symbol, []).append(
            FillRow(
                where,
                _session(row["session"], where),
                _one_of(row["side"].lower(), "side", where, _SIDES),
                _number(row["quantity"], "quantity", where, positive=True),
                _number(row["price"], "price", where),
                _number(reference, REFERENCE, where) if reference else None,
                row.get(CONTRACT) or None,
                _one_of(order_type, ORDER_TYPE, where, _ORDER_TYPES) if order_type else None,
            )
        )
    if not made:
        raise InputError("holds no fills", where=path.name)
    return made


def _session(text: str, where: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError("session is no date", where=where, found=repr(text[:40]), expected="YYYY-MM-DD") from None


def _number(text: str, column: str, where: str, *, positive: bool = False) -> float:
    expected = "a number above 0" if positive else "a number"
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"{column} is no number", where=where, found=repr(text[:40]), expected=expected) from None
    if not math.isfinite(value) or (positive and value <= 0) or abs(value) > 1e12:
        raise InputError(f"{column} cannot be used", where=where, found=repr(text[:40]), expected=expected)
    return value


T = TypeVar("T")


def _one_of(text: str, column: str, where: str, known: Mapping[str, T]) -> T:
    if text not in known:
        raise InputError(f"unknown {column}", where=where, found=repr(text[:40]), expected=", ".join(known))
    return known[text]
