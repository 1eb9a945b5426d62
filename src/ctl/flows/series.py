"""The series of one symbol: built from what its files hold, read as it is, and written."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctl import continuous, digests, sessions, store
from ctl.errors import CtlError, DataError, WorkspaceError
from ctl.flows.inputs import SymbolInputs, contracts_of
from ctl.model.bars import ContractBars, DailySeries, SeriesChoice
from ctl.model.rolls import ContinuousSeries, RollPolicy, SeriesColumns

if TYPE_CHECKING:
    import polars as pl

    from ctl.sessions import Days


def require_root(bars: ContractBars, root: str, where: str) -> None:
    """Refuse contracts of another root: a series of them would be built under the wrong name."""
    if bars.roots != (root,):
        raise DataError(
            "the files hold contracts of another root",
            where=where,
            found=", ".join(bars.roots) or "no contract",
            expected=root,
            remedy="name the right files or the right root",
            code="IDENTITY_MISMATCH",
        )


def exchange_sessions(frame: pl.DataFrame, calendar: str | None, until: date | None = None) -> Days | None:
    """The exchange's sessions from the first to the last session of a frame, or to `until` where that is later."""
    if calendar is None or calendar == "none" or frame.is_empty():
        return None
    column = frame["session"]
    first, last = column.min(), column.max()
    if not isinstance(first, date) or not isinstance(last, date):
        raise DataError("the session column holds no dates")
    return sessions.sessions_between(calendar, first, max(last, until or last))


def build_series(bars: ContractBars, policy: RollPolicy, calendar: str | None = None) -> ContinuousSeries:
    """The continuous series of one root's contracts."""
    return continuous.build(bars, policy, calendar_sessions=_sessions_of(bars, calendar))


def columns_each(bars: ContractBars, policies: Iterable[RollPolicy], calendar: str | None) -> Iterator[SeriesColumns]:
    """What `build_series` gives a strategy to run on, under each policy in turn."""
    return continuous.columns_each(bars, policies, calendar_sessions=_sessions_of(bars, calendar))


def _sessions_of(bars: ContractBars, calendar: str | None) -> Days | None:
    """The exchange's sessions of the bars, and on to the last day that a contract's terms name."""
    known = (day for terms in bars.terms.values() for day in (terms.last_trade, terms.first_notice) if day is not None)
    return exchange_sessions(bars.frame, calendar, max(known, default=None))


def canonical_series(symbol_inputs: SymbolInputs, calendar: str | None) -> ContinuousSeries | DailySeries | None:
    """The series to certify and to run: built from contracts, or the equity's own bars.

    None where the contracts are another root's: nothing is built under the wrong name, L0 names the mix-up.
    """
    if symbol_inputs.contracts is None or symbol_inputs.policy is None:
        return symbol_inputs.equity
    if symbol_inputs.contracts.roots != (symbol_inputs.root,):
        return None
    return build_series(symbol_inputs.contracts, symbol_inputs.policy, calendar)


def traded_series(symbol_inputs: SymbolInputs, calendar: str | None) -> ContinuousSeries | DailySeries | None:
    """`canonical_series` as a strategy may run on it: an equity on its common basis, never raw across a split.

    Raises DataError where that basis cannot be had, or prices jump like a split that nothing tells of.
    """
    return as_traded(symbol_inputs, canonical_series(symbol_inputs, calendar))


def as_traded(
    symbol_inputs: SymbolInputs, series: ContinuousSeries | DailySeries | None
) -> ContinuousSeries | DailySeries | None:
    """`traded_series` of a series that was made of the inputs before."""
    if symbol_inputs.equity is None or not isinstance(series, DailySeries):
        return series
    from ctl import equity_basis

    return equity_basis.traded(series, symbol_inputs.actions, declared=symbol_inputs.common_basis)


def alternatives(symbol_inputs: SymbolInputs, calendar: str | None) -> dict[str, ContinuousSeries | CtlError]:
    """The series that the same policy makes of every other choice of bars and closes, by the choice's name; an error
    where its files, or what is in them, do not allow it.

    What the vendor has no folder for is left out, and both together where the settlements cannot be read.
    """
    daily, policy = symbol_inputs.daily, symbol_inputs.policy
    settlements, session_bars = symbol_inputs.settlements, symbol_inputs.session_bars
    made: dict[str, ContinuousSeries | CtlError] = {}
    if daily is None or policy is None:
        return made
    for choice in SeriesChoice.all():
        needed = [session_bars] * (choice.bars == "session") + [settlements] * (choice.closes == "settlement")
        if choice == symbol_inputs.series or None in needed:
            continue
        if choice.name == "session_settlement" and any(isinstance(found, CtlError) for found in needed):
            continue
        try:
            bars = contracts_of(choice, daily, settlements, session_bars)
            require_root(bars, symbol_inputs.root, choice.name)
            made[choice.name] = build_series(bars, policy, calendar)
        except CtlError as error:
            made[choice.name] = error
    return made


def write_series(
    folder: Path, root: str, series: ContinuousSeries, manifest: Mapping[str, Any], *, csv: bool
) -> list[Path]:
    """Write a built series as Parquet (and CSV), its manifest last, citing the sha256 of each as `outputs`."""
    buffer = io.BytesIO()
    series.frame.write_parquet(buffer, compression="zstd")
    files = {f"{root}_continuous.parquet": buffer.getvalue()}
    if csv:
        files[f"{root}_continuous.csv"] = series.frame.write_csv().encode()
    outputs = {name: digests.sha256_bytes(data) for name, data in files.items()}
    files[f"{root}_roll_manifest.json"] = store.json_bytes({**manifest, "outputs": outputs})
    return write_together(folder, files)


def write_together(folder: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Write files that belong together, in their order; where one cannot be written, the new ones go again."""
    new = [folder / name for name in files if not os.path.lexists(folder / name)]
    try:
        for name, data in files.items():
            store.write_atomic(folder / name, data)
    except WorkspaceError:
        for path in new:
            with suppress(OSError):
                path.unlink(missing_ok=True)
        raise
    return [folder / name for name in files]
