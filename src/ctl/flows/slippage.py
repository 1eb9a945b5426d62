"""Slippage of a workspace's symbols: estimated from fills or from their bars, shown beside what the profile locks.

It proposes and changes nothing: a new value takes force with a new profile version.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from ctl.errors import CtlError, DataError, InputError
from ctl.flows import inputs
from ctl.flows.series import canonical_series
from ctl.trading import slippage
from ctl.trading.slippage import Calibration, Fill

if TYPE_CHECKING:
    from ctl.model.bars import DailySeries
    from ctl.model.rolls import ContinuousSeries
    from ctl.operating_profile import OperatingProfile
    from ctl.store import Workspace

COLUMNS: Final = ("session", "symbol", "side", "quantity", "price")
REFERENCE: Final = "reference"


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

    schema_version: Literal[1] = 1
    simulated: bool
    profile: str | None
    confidence: float = slippage.CONFIDENCE
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
        rows = [row for row in read.get(symbol, ()) if as_of is None or row.session <= as_of]
        calibration, error = None, None
        try:
            if rows and all(row.reference is not None for row in rows):
                calibration = slippage.from_fills([row.fill(None) for row in rows], tick=tick)
            else:
                symbol_inputs = inputs.read_traded(workspace, symbol, profile, now=instant, as_of=as_of)
                series = canonical_series(symbol_inputs, config.calendar)
                if series is None:
                    raise DataError(f"no series of {symbol}: the files hold another root", code="IDENTITY_MISMATCH")
                if rows:
                    opens = _raw_opens(series)
                    calibration = slippage.from_fills([row.fill(opens) for row in rows], tick=tick)
                else:
                    calibration = slippage.from_bars(series.frame, tick=tick, lots=lots, closes=series.meta.close_basis)
        except InputError as refused:
            if rows:
                raise
            error = str(refused)
        except CtlError as refused:
            error = str(refused)
        locked = settings.slippage_per_side if settings else None
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
class FillRow:
    """One row of the file; `where` names it. reference None: the session's open is to stand in."""

    where: str
    session: date
    side: slippage.Side
    quantity: float
    price: float
    reference: float | None

    def fill(self, opens: Mapping[date, float] | None) -> Fill:
        """The fill, its missing reference taken from `opens`. Raises InputError where that has none."""
        reference = self.reference
        if reference is None:
            reference = (opens or {}).get(self.session)
        if reference is None:
            raise InputError(
                "no reference price for the fill",
                where=self.where,
                found=f"no open on {self.session}",
                expected="a session with bars, or a value in the column reference",
            )
        return Fill(self.session, self.side, self.quantity, self.price, reference)


def read_fills(path: Path, *, known: Sequence[str]) -> dict[str, list[FillRow]]:
    """The fills of a CSV file by symbol, in the file's order.

    Columns session (YYYY-MM-DD), symbol, side (buy or sell), quantity, price, and if wanted reference: the price the
    fill is measured against, both in the contract's own terms; others are ignored. known: symbols that may stand there.
    Raises InputError naming line and column.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError("cannot be read", where=str(path), found=error.strerror or type(error).__name__) from error
    except UnicodeDecodeError as error:
        raise InputError("is not UTF-8 text", where=path.name) from error
    try:
        rows = list(csv.reader(text.splitlines(), strict=True))
    except csv.Error as error:
        raise InputError("is no CSV file", where=path.name, found=str(error)) from error
    header = [name.strip().lower() for name in rows[0]] if rows else []
    missing = [name for name in COLUMNS if name not in header]
    if missing or len(set(header)) != len(header):
        raise InputError(
            "has not the columns of fills",
            where=path.name,
            found=", ".join(header)[:80] or "nothing",
            expected=f"{','.join(COLUMNS)}[,{REFERENCE}]",
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
        if row["symbol"] not in known:
            raise InputError("unknown symbol", where=where, found=repr(row["symbol"][:40]), expected=", ".join(known))
        side = row["side"].lower()
        if side not in ("buy", "sell"):
            raise InputError("unknown side", where=where, found=repr(row["side"][:40]), expected="buy or sell")
        reference = row.get(REFERENCE, "")
        made.setdefault(row["symbol"], []).append(
            FillRow(
                where,
                _session(row["session"], where),
                "buy" if side == "buy" else "sell",
                _number(row["quantity"], "quantity", where, positive=True),
                _number(row["price"], "price", where),
                _number(reference, REFERENCE, where) if reference else None,
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


def _raw_opens(series: ContinuousSeries | DailySeries) -> dict[date, float]:
    """Session -> open of the contract held, in its own terms."""
    import polars as pl

    frame = series.frame.select("session", raw=pl.col("open") - pl.col("adjustment")).drop_nulls()
    return dict(zip(frame["session"].to_list(), frame["raw"].to_list(), strict=True))
