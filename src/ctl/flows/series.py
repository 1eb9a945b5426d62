"""The series of one symbol: built from what its files hold, read as it is, and written."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctl import continuous, digests, ingest, sessions, store
from ctl.errors import CtlError, DataError, WorkspaceError
from ctl.flows.inputs import SymbolInputs
from ctl.model.bars import ContractBars, DailySeries
from ctl.model.rolls import ContinuousSeries, RollPolicy

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
    known = (day for terms in bars.terms.values() for day in (terms.last_trade, terms.first_notice) if day is not None)
    until = max(known, default=None)
    return continuous.build(bars, policy, calendar_sessions=exchange_sessions(bars.frame, calendar, until))


def canonical_series(symbol_inputs: SymbolInputs, calendar: str | None) -> ContinuousSeries | DailySeries | None:
    """The series to certify and to run: built from contracts, or the equity's own bars.

    None where the contracts are another root's: nothing is built under the wrong name, L0 names the mix-up.
    """
    if symbol_inputs.contracts is None or symbol_inputs.policy is None:
        return symbol_inputs.equity
    if symbol_inputs.contracts.roots != (symbol_inputs.root,):
        return None
    return build_series(symbol_inputs.contracts, symbol_inputs.policy, calendar)


def alternatives(symbol_inputs: SymbolInputs, calendar: str | None) -> dict[str, ContinuousSeries | CtlError]:
    """The series that the same policy makes of the same contracts with settlement closes, with session-true bars, and
    with both; an error where its files, or what is in them, do not allow it.

    What the vendor has no folder for is left out.
    """
    contracts, policy, settlements, session_bars = (
        symbol_inputs.contracts,
        symbol_inputs.policy,
        symbol_inputs.settlements,
        symbol_inputs.session_bars,
    )
    made: dict[str, ContinuousSeries | CtlError] = {}
    if contracts is None or policy is None:
        return made

    def add(name: str, bars: ContractBars, closes: ContractBars | None) -> None:
        try:
            require_root(bars, symbol_inputs.root, name)
            priced = bars if closes is None else ingest.settled(bars, closes)
            made[name] = build_series(priced, policy, calendar)
        except CtlError as error:
            made[name] = error

    if isinstance(settlements, CtlError):
        made["settlement"] = settlements
    elif settlements is not None:
        add("settlement", contracts, settlements)
    if isinstance(session_bars, CtlError):
        made["session"] = session_bars
    elif session_bars is not None:
        # Intraday files say nothing of expirations: a calendar policy takes them from where the daily bars did.
        session_bars = replace(session_bars, terms=contracts.terms)
        add("session", session_bars, None)
        if settlements is not None and not isinstance(settlements, CtlError):
            add("session_settlement", session_bars, settlements)
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
