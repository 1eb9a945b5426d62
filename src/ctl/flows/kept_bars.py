"""Bars as they were read: those that a profile was locked on, and those of every passed gate since.

The locked ones stand in one Parquet file per table in `locked/<version>/`; a pass adds one file, `passes/<stamp>_bars.
parquet`, of the sessions after the locked ones, all symbols together.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ctl import digests, store
from ctl.errors import DataError
from ctl.model.bars import AS_DELIVERED, SeriesChoice
from ctl.model.contracts import Contract, parse_symbol, resolve_year
from ctl.store import anchors

if TYPE_CHECKING:
    import polars as pl

    from ctl.flows.inputs import SymbolInputs
    from ctl.model.bars import SeriesMeta
    from ctl.model.lock_file import LockedInputs
    from ctl.model.locked import LockedSymbol
    from ctl.store import Workspace

PASS_FILE: Final = re.compile(r"(?P<stamp>\d{8}_\d{6})(?:_(?P<number>[1-9]\d{0,3}))?_bars\.parquet")
COLUMNS: Final = ("session", "contract", "open", "high", "low", "close", "volume", "open_interest")
CANONICAL: Final = ("contracts", "daily")
REFERENCE: Final = ("adjusted", "unadjusted")


@dataclass(frozen=True, slots=True)
class KeptTable:
    """One vendor's bars of a symbol. series: `contracts`, `daily` (an equity's own), `adjusted` or `unadjusted`.

    choice: what the contracts' bars are made of, as the profile says.
    """

    vendor: str
    series: str
    frame: pl.DataFrame
    meta: SeriesMeta
    choice: SeriesChoice = AS_DELIVERED

    @property
    def read_as(self) -> str:
        """The series, and what its bars are made of: readings of other bars restate nothing of one another."""
        return read_as(self.series, self.choice)

    @property
    def ours(self) -> bool:
        """Whether it is the canonical side's."""
        return self.series in CANONICAL


def read_as(series: str, choice: SeriesChoice) -> str:
    """`contracts`, or `contracts settlement` where that is the choice of the bars of ours."""
    return series if series in REFERENCE or choice == AS_DELIVERED else f"{series} {choice.name}"


def tables(held: SymbolInputs) -> Iterator[KeptTable]:
    """Every table that a symbol's decision rests on: ours first, then the reference's."""
    if held.contracts is not None:
        yield KeptTable(held.vendor_name, "contracts", held.contracts.frame, held.contracts.meta, held.series)
    elif held.equity is not None:
        yield KeptTable(held.vendor_name, "daily", held.equity.frame, held.equity.meta)
    if held.reference is not None:
        for name, side in zip(REFERENCE, (held.reference.adjusted, held.reference.unadjusted), strict=True):
            if side is not None:
                yield KeptTable(held.reference.vendor, name, side.frame, side.meta)


def with_tables(held: SymbolInputs, frames: Mapping[str, pl.DataFrame]) -> SymbolInputs:
    """The inputs with the frames of another reading, by series."""
    contracts, equity, reference = held.contracts, held.equity, held.reference
    if contracts is not None:
        contracts = replace(contracts, frame=frames["contracts"], contracts=_contracts(frames["contracts"]))
    if equity is not None:
        equity = replace(equity, frame=frames["daily"])
    if reference is not None:
        sides = {
            name: None if side is None else replace(side, frame=frames[name])
            for name, side in zip(REFERENCE, (reference.adjusted, reference.unadjusted), strict=True)
        }
        reference = replace(reference, adjusted=sides["adjusted"], unadjusted=sides["unadjusted"])
    return replace(held, contracts=contracts, equity=equity, reference=reference, settlements=None, session_bars=None)


def _contracts(frame: pl.DataFrame) -> tuple[Contract, ...]:
    """The contracts of a frame, in its order, which is that of their expiry."""
    import polars as pl

    found = []
    for name, last in frame.group_by("contract", maintain_order=True).agg(pl.col("session").max()).iter_rows():
        parsed = parse_symbol(name)
        if parsed is None:
            raise DataError(f"{name} is no contract's name", expected="such as ESH26")
        found.append(Contract(resolve_year(parsed, last), parsed.month, parsed.root))
    return tuple(found)


def packed(frame: pl.DataFrame) -> bytes:
    """A table as Parquet."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


def digest(frame: pl.DataFrame) -> str:
    """sha256 of a table's bars, whatever file holds them: per column its nulls and its values, little-endian."""
    import numpy as np

    runs = frame["contract"].fill_null("").rle().struct if "contract" in frame.columns else None
    found = hashlib.sha256(np.ascontiguousarray(frame["session"].to_physical().to_numpy(), "<i4").data)
    if runs is not None:
        found.update(np.ascontiguousarray(runs.field("len").to_numpy(), "<i8").data)
        found.update("\n".join(runs.field("value").to_list()).encode())
    for name in COLUMNS[2:]:
        column = frame[name]
        if column.null_count():
            found.update(column.is_null().to_numpy().tobytes())
            column = column.fill_null(0)
        found.update(np.ascontiguousarray(column.to_numpy(), "<f8").data)
    return found.hexdigest()


class KeptBars:
    """What a workspace kept of earlier readings, each file read at most once."""

    def __init__(self, workspace: Workspace, profile: Path) -> None:
        self._workspace = replace(workspace, profile_path=profile)
        self._locked: dict[tuple[str, str], pl.DataFrame | None] = {}
        files = pass_files(workspace)
        cited = anchors.cited_pass(workspace) if files else None
        self.passes = [path for path in files[:-1] if cited is not None and path.name == cited[1]] + files[-1:]

    def unread(self) -> KeptBars:
        """The same with no file read yet: frames of one symbol are let go before the next."""
        other = copy(self)
        other._locked = {}
        return other

    def locked_path(self, symbol: str, series: str) -> Path:
        """Where the locked bars of a table stand."""
        return self._workspace.locked_bars(symbol, series)

    def locked_paths(self, symbol: str, inputs: LockedInputs) -> list[Path]:
        """The files of the locked bars of a symbol, as far as they are there."""
        locked = (self.locked_path(symbol, series) for series in (*CANONICAL, *inputs.reference))
        return [path for path in locked if path.is_file()]

    def passed_the_same(self, symbol: str, now: pl.DataFrame, locked: LockedSymbol) -> bool:
        """Whether every passed gate read the bars after the locked ones as they read `now`, a symbol's `after`.

        Raises DataError where the bars of one cannot be read.
        """
        import polars as pl

        theirs, ends = pl.col("series").is_in(REFERENCE), locked.data_to
        for path in self.passes:
            passed = read_pass(path).filter(pl.col("symbol") == symbol)
            for side, end in ((~theirs, ends.canonical), (theirs, ends.reference)):
                then = passed.filter(side if end is None else side & (pl.col("session") > end))
                until = then["session"].max()
                if until is not None and not then.equals(now.filter(side, pl.col("session") <= until)):
                    return False
        return True

    def locked(self, symbol: str, series: str) -> pl.DataFrame | None:
        """The bars that the profile was locked on; None where they are missing or cannot be read."""
        import polars as pl

        key = (symbol, series)
        if key not in self._locked:
            try:
                self._locked[key] = pl.read_parquet(self.locked_path(symbol, series))
            except (OSError, pl.exceptions.PolarsError):
                self._locked[key] = None
        return self._locked[key]

    def last_passed(self, symbol: str, table: KeptTable) -> list[pl.DataFrame]:
        """The bars of one table, sessions since the lock, at the passed gate that the newest run cites, and at the last
        one after it: a file that is put beside them may not take their place.

        Raises DataError where they cannot be read.
        """

        chosen = {"symbol": symbol, "vendor": table.vendor, "series": table.read_as}
        return [read_pass(path).filter(**chosen) for path in self.passes]


def after(held: SymbolInputs, locked: LockedSymbol) -> pl.DataFrame:
    """A symbol's bars after the locked ones, as a pass keeps them."""
    import polars as pl

    parts = [nothing_after()]
    for table in tables(held):
        ends = locked.data_to
        last: date | None = ends.canonical if table.ours else ends.reference
        frame = table.frame if last is None else table.frame.filter(pl.col("session") > last)
        names = {"symbol": held.symbol, "vendor": table.vendor, "series": table.read_as}
        parts.append(
            frame.select(
                *(pl.lit(value).alias(name) for name, value in names.items()),
                "session",
                pl.col("contract").cast(pl.String) if "contract" in frame.columns else pl.lit(None, pl.String),
                *(pl.col(name).cast(pl.Float64) for name in COLUMNS[2:]),
            )
        )
    return pl.concat(parts)


def keep_pass(workspace: Workspace, bars: Sequence[pl.DataFrame], instant: datetime) -> Path | None:
    """Keep the bars of a passed gate, each symbol's `after`.

    None where there are none, or the last pass read the same.

    Raises WorkspaceError where they cannot be written.
    """
    import polars as pl

    now = pl.concat([nothing_after(), *bars])
    newest = pass_files(workspace)[-1:]
    if now.is_empty() or (newest and read_pass(newest[0]).equals(now)):
        return None
    stem = store.unique_stem(f"{instant:%Y%m%d_%H%M%S}", [(workspace.passes, "_bars.parquet")])
    path = workspace.passes / f"{stem}_bars.parquet"
    store.write_atomic(path, packed(now))
    return path


def pass_files(workspace: Workspace) -> list[Path]:
    """The kept passes, oldest first."""
    folder = workspace.passes
    if not folder.is_dir():
        return []
    found = [(match["stamp"], int(match["number"] or 1), path) for path in folder.iterdir()
             if (match := PASS_FILE.fullmatch(path.name))]  # fmt: skip
    return [path for _, _, path in sorted(found)]


def newest_pass(workspace: Workspace) -> dict[str, str]:
    """sha256 of the newest kept pass by its file's name, as a run's record cites it; empty where there is none."""
    return {path.name: digests.sha256_file(path) for path in pass_files(workspace)[-1:]}


@lru_cache(maxsize=2)
def read_pass(path: Path) -> pl.DataFrame:
    """The bars of one kept pass, read once for all symbols: it is written once, under a name of its own.

    Raises DataError (LOCKED_BARS_MISSING) where they cannot be read.
    """
    import polars as pl

    try:
        return pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(
            "the bars of a passed gate cannot be read, so that it cannot be told whether they were restated since",
            where=str(path),
            remedy="restore the file, or lock a new version (ctl lock)",
            code="LOCKED_BARS_MISSING",
        ) from error


def nothing_after() -> pl.DataFrame:
    """What `after` gives of bars that end where they were locked."""
    import polars as pl

    return pl.DataFrame(
        schema={
            "symbol": pl.String, "vendor": pl.String, "series": pl.String, "session": pl.Date, "contract": pl.String,
            **dict.fromkeys(COLUMNS[2:], pl.Float64),
        }
    )  # fmt: skip
