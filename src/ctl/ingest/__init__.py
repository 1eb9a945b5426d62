"""Vendor files become canonical bars. The only room that knows vendor formats.

Every reader refuses what it cannot read with one InputError that names file, row (1-based line), column, what was
found and what was expected; a partly readable file yields nothing. Heavy libraries are imported by the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from ctl.model.actions import CorporateActions
    from ctl.model.bars import ContractBars, DailySeries
    from ctl.model.instruments import CsvMapping, Instruments
    from ctl.model.reference import Reference

__all__ = [
    "find_reference_files",
    "load_instruments",
    "mapping_from",
    "mapping_named_or_at",
    "named_mapping",
    "read_actions",
    "read_contracts",
    "read_reference",
    "read_series",
    "read_session_bars",
    "read_settlements",
    "settled",
]


def read_contracts(
    paths: Sequence[Path],
    root: str | None,
    *,
    instruments: Instruments,
    mapping: CsvMapping | None = None,
    publisher: int | None = None,
) -> ContractBars:
    """Daily bars per contract from any known format; a folder stands for the data files in it.

    Every outright found is kept, whatever its root (the caller compares `.roots`); spreads, options and
    user-defined instruments are dropped and counted. Weekend-dated bars are folded into the next session of their
    root. `publisher` chooses among Databento's venues. Raises InputError.
    """
    from ctl.ingest import readers

    return readers.read_contracts(paths, root, instruments=instruments, mapping=mapping, publisher=publisher)


def read_series(
    path: Path,
    *,
    symbol: str | None,
    instruments: Instruments,
    mapping: CsvMapping | None = None,
    publisher: int | None = None,
) -> DailySeries:
    """One bar per session of one equity or continuous series; of a Databento file the bars of `symbol`.

    symbol None: the only one that the file holds. Raises InputError, also for sessions that repeat or do not ascend.
    """
    from ctl.ingest import readers

    return readers.read_series(path, symbol=symbol, instruments=instruments, mapping=mapping, publisher=publisher)


def read_reference(
    *,
    symbol: str | None,
    adjusted: Path | None,
    unadjusted: Path | None,
    instruments: Instruments,
    mapping: CsvMapping | None = None,
    publisher: int | None = None,
    vendor: str | None = None,
) -> Reference:
    """A reference vendor's continuous series; symbol None: whatever the file holds.

    A file that states its rolls and their gaps is unadjusted, and gives the stated rolls and the
    difference-adjusted series too. `vendor` overrides the name that the format implies. Raises InputError.
    """
    from ctl.ingest import readers

    return readers.read_reference(
        symbol=symbol,
        adjusted=adjusted,
        unadjusted=unadjusted,
        instruments=instruments,
        mapping=mapping,
        publisher=publisher,
        vendor=vendor,
    )


def read_settlements(
    paths: Sequence[Path], root: str | None, *, instruments: Instruments, publisher: int | None = None
) -> ContractBars:
    """The exchange's settlements from Databento `statistics` files, as bars of a close alone per contract and session.

    A folder stands for the data files in it. The latest publication of a session wins, over all files; those
    that it replaces are counted. Raises InputError.
    """
    from ctl.ingest import readers

    return readers.read_settlements(paths, root, instruments=instruments, publisher=publisher)


def settled(bars: ContractBars, settlements: ContractBars) -> ContractBars:
    """`bars` closing at the settlement where there is one, at the last trade where there is none (counted).

    High and low stay as traded; settlements outside of them are counted. Raises DataError where no bar has one.
    """
    from ctl.ingest import settlements as module

    return module.settled(bars, settlements)


def read_session_bars(
    paths: Sequence[Path], root: str | None, *, calendar: str, instruments: Instruments, publisher: int | None = None
) -> ContractBars:
    """Daily bars per contract over the exchange's trade dates, from Databento `ohlcv-1h` or `ohlcv-1m` files.

    A folder stands for the data files in it. calendar: whose sessions they are. Raises InputError, and DataError
    where the calendar does not cover the files.
    """
    from ctl.ingest import readers

    return readers.read_session_bars(paths, root, calendar=calendar, instruments=instruments, publisher=publisher)


def find_reference_files(folder: Path, symbol: str) -> tuple[Path | None, Path | None, tuple[str, ...]]:
    """TradeStation's (adjusted, unadjusted) files of `symbol` in a folder, the newest by last session, and notes."""
    from ctl.ingest import tradestation

    return tradestation.find_reference_files(folder, symbol)


def read_actions(path: Path) -> CorporateActions:
    """Splits and dividends of an equity: CSV of `date,split_ratio,dividend`, by ex-date. Raises InputError."""
    from ctl.ingest import actions

    return actions.read(path)


def load_instruments(override: Path | None = None) -> Instruments:
    """The packaged instrument reference data; entries of the TOML file `override` replace or add to it."""
    from ctl.ingest import instrument_data

    return instrument_data.load(override)


def named_mapping(name: str) -> CsvMapping:
    """A packaged CSV mapping: bloomberg_settles, quantiacs, norgate, lean. Raises InputError for another name."""
    from ctl.ingest import mapped

    return mapped.packaged(name)


def mapping_named_or_at(text: str) -> CsvMapping:
    """The packaged mapping of that name, else the mapping of the TOML file at that path. Raises InputError."""
    from ctl.ingest import mapped

    return mapped.named_or_at(text)


def mapping_from(table: Mapping[str, Any], *, name: str) -> CsvMapping:
    """A CSV mapping as a workspace file spells it. Raises InputError naming what is wrong."""
    from ctl.ingest import mapped

    return mapped.mapping_from(table, name=name)
