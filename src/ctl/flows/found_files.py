"""What the data files of a folder are: whose, of which symbol, and whether contracts or a series."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, get_args

from ctl import ingest
from ctl.errors import CtlError, InputError
from ctl.model.bars import ContractBars, DailySeries
from ctl.model.contracts import parse_symbol

if TYPE_CHECKING:
    from ctl.model.bars import AdjustmentBasis
    from ctl.model.instruments import Instruments

Kind = Literal["contracts", "adjusted", "unadjusted"]
Beside = Literal["statistics", "intraday"]

_MOST_FILES: Final = 5_000
_KINDS: Final = ("csv", "txt", "dbn", "parquet", "json")
_ENDINGS: Final = (*(f".{kind}{packing}" for kind in _KINDS for packing in ("", ".gz", ".zst")), ".zip")
_NOT_DATA: Final = frozenset({"configs", "docs", "processed"})
_ADJUSTED: Final = frozenset({"adj", "adjusted", "backadjusted", "back"})
_UNADJUSTED: Final = frozenset({"unadj", "unadjusted", "raw"})
_GENERIC: Final = (
    _ADJUSTED | _UNADJUSTED | {"custom", "1d", "daily", "day", "d", "continuous", "csv", "txt", "data", "f"}
)


@dataclass(frozen=True, slots=True)
class FoundFile:
    """One file that a reader took. symbol: of a series what its name and its neighbours make likely."""

    path: Path
    form: str
    vendor: str
    kind: Kind
    symbol: str
    first: date
    last: date
    quote_unit: str
    basis: AdjustmentBasis | None


@dataclass(frozen=True, slots=True)
class FoundBeside:
    """A file of settlements or intraday bars, which lies beside a root's contracts and informs of them."""

    path: Path
    vendor: str
    kind: Beside
    symbol: str


@dataclass(frozen=True, slots=True)
class FoundFiles:
    """The files of a folder. actions: those of splits and dividends. unused: those that no reader took, and why, by
    path. instruments: the reference data that they were read with.
    """

    folder: Path
    instruments: Instruments
    files: tuple[FoundFile, ...]
    beside: tuple[FoundBeside, ...]
    actions: tuple[Path, ...]
    unused: Mapping[Path, str]

    @property
    def futures(self) -> tuple[str, ...]:
        """Roots of which there are contracts."""
        return tuple(sorted({file.symbol for file in self.files if file.kind == "contracts"}))

    @property
    def symbols(self) -> tuple[str, ...]:
        """Futures with contracts, and every other symbol of which there is a series."""
        return tuple(sorted({file.symbol for file in self.files}))

    def vendors_of(self, symbol: str, side: Literal["canonical", "reference"]) -> tuple[str, ...]:
        """The vendors that can be a symbol's canonical or reference one, likeliest first.

        A future is built from contracts and compared with a series; an equity has series alone. Databento comes first,
        as the system of record, then who ships both an adjusted and an unadjusted series, then whose files are newest.
        """
        kinds: dict[str, set[Kind]] = {}
        newest: dict[str, date] = {}
        for file in self.files:
            if file.symbol == symbol:
                kinds.setdefault(file.vendor, set()).add(file.kind)
                newest[file.vendor] = max(file.last, newest.get(file.vendor, file.last))
        built = side == "canonical" and symbol in self.futures
        able = [vendor for vendor, held in kinds.items() if ("contracts" in held if built else held - {"contracts"})]

        def rank(vendor: str) -> tuple[bool, int, date, str]:
            record = side == "canonical" and vendor == "databento"
            return record, len(kinds[vendor] - {"contracts"}), newest[vendor], vendor

        return tuple(sorted(able, key=rank, reverse=True))

    def pairs(self) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
        """By symbol, the vendors that can be its canonical one and those that can be its references."""
        return {
            symbol: (self.vendors_of(symbol, "canonical"), self.vendors_of(symbol, "reference"))
            for symbol in self.symbols
        }


def look(folder: Path, own: Path | None = None) -> FoundFiles:
    """Read every data file in a folder and below it. own: an instruments file beside the package's.

    Raises InputError where there is none that a reader takes.
    """
    instruments = ingest.load_instruments(own)
    files: list[FoundFile] = []
    unused: dict[Path, str] = {}
    for path in _data_files(folder):
        try:
            files += _read(path, instruments)
        except CtlError as error:
            unused[path] = str(error).removeprefix(f"{path.name}: ")
    if not files:
        first = next(iter(unused.values()), None)
        raise InputError(
            "no file that a reader takes", where=str(folder), found=first or "no data files",
            expected="data files of two vendors: contracts or series",
            remedy="name a CSV mapping in ctl.toml (docs/formats.md)" if unused else None, code="NO_DATA_FILES",
        )  # fmt: skip
    files = _by_vendor(_with_symbols(files, instruments))
    beside = tuple(_beside(unused, {file.symbol for file in files if file.kind == "contracts"}))
    folders = {file.path.parent for file in files if file.kind == "contracts"}
    actions = tuple(path for path in unused if _states_actions(path))
    definitions = [path for path in unused if _is_definition(path, folders)]
    for path in [*(each.path for each in beside), *actions, *definitions]:
        del unused[path]
    return FoundFiles(folder, instruments, tuple(files), beside, actions, unused)


def _states_actions(path: Path) -> bool:
    with suppress(CtlError):
        ingest.read_actions(path)
        return True
    return False


def _is_definition(path: Path, folders: Collection[Path]) -> bool:
    """Whether a file that holds no bars holds Databento's definitions of the contracts beside it."""
    with suppress(CtlError):
        return path.parent in folders and bool(ingest.by_kind([path])["definition"])
    return False


def _beside(paths: Iterable[Path], roots: Collection[str]) -> Iterator[FoundBeside]:
    """Databento's settlements and intraday bars of roots, which the file's name or its folder's says."""
    for path in paths:
        try:
            kinds = ingest.by_kind([path])
        except CtlError:
            continue
        symbol = next((name for name in (*tokens_of(path), path.parent.name) if name in roots), None)
        for kind in get_args(Beside):
            if kinds[kind] and symbol is not None:
                yield FoundBeside(path, "databento", kind, symbol)


def _data_files(folder: Path) -> Iterator[Path]:
    found: list[Path] = []
    folders = [folder]
    while folders:
        for path in sorted(folders.pop().iterdir()):
            if path.name.startswith("."):
                continue
            if path.is_dir():
                if path.name not in _NOT_DATA:
                    folders.append(path)
            elif path.is_file() and path.name.lower().endswith(_ENDINGS):
                found.append(path)
        if len(found) > _MOST_FILES:
            raise InputError("too many files", where=str(folder), found=f"more than {_MOST_FILES}",
                             remedy="name a folder with the data alone")  # fmt: skip
    yield from sorted(found)


def _read(path: Path, instruments: Instruments) -> Iterator[FoundFile]:
    """The file as contracts, one entry a root, else as a series."""
    form = ingest.format_of(path) or ""
    bars: ContractBars | None = None
    with suppress(InputError):
        bars = ingest.read_contracts([path], None, instruments=instruments)
    read: ContractBars | DailySeries | None = None if bars is None or _is_series(bars) else bars
    read = read or ingest.read_series(path, symbol=None, instruments=instruments)
    meta, sessions = read.meta, read.frame["session"]
    first, last = sessions.min(), sessions.max()
    if not isinstance(first, date) or not isinstance(last, date):
        raise InputError("no sessions", where=path.name)
    if isinstance(read, ContractBars):
        for root in read.roots:
            yield FoundFile(path, form, meta.vendor, "contracts", root, first, last, meta.quote_unit, None)
        return
    tokens = {token.lower() for token in tokens_of(path)}
    adjusted = tokens & _ADJUSTED and not tokens & _UNADJUSTED
    kind: Kind = "adjusted" if adjusted else "unadjusted"
    yield FoundFile(path, form, meta.vendor, kind, meta.root, first, last, meta.quote_unit, meta.adjustment_basis)


def _is_series(bars: ContractBars) -> bool:
    """Whether bars of several contracts are those held by a continuous series: never two in one session."""
    return len(bars.contracts) > 1 and bars.frame["session"].n_unique() == bars.frame.height


def tokens_of(path: Path) -> list[str]:
    """The letters-and-digits parts of a file's name, without its endings."""
    stem = path.name
    while stem.lower().endswith((*_ENDINGS, ".gz", ".zst")):
        stem = stem.rpartition(".")[0]
    return re.findall(r"[A-Za-z0-9]+", stem)


def _with_symbols(files: Sequence[FoundFile], instruments: Instruments) -> list[FoundFile]:
    """The symbols of series: what the reader says beside the file's name; a root of the contracts by its code or its
    name; else the part of the name that files of the most vendors share."""
    roots = {file.symbol for file in files if file.kind == "contracts"}
    names = {known.name.lower(): root for root in roots if (known := instruments.get(root)) is not None}
    sharing: dict[str, set[str]] = {}
    for file in files:
        for token in [*tokens_of(file.path), file.symbol]:
            sharing.setdefault(token.upper(), set()).add(file.vendor)
    made: list[FoundFile] = []
    for file in files:
        tokens = tokens_of(file.path)
        if file.kind == "contracts" or file.symbol in roots or not file.path.name.startswith(file.symbol):
            made.append(file)
            continue
        symbol = next((token for token in tokens if token in roots), None)
        symbol = symbol or next((names[token.lower()] for token in tokens if token.lower() in names), None)
        if symbol is None:
            likely = [t.upper() for t in tokens if t.lower() not in {*_GENERIC, file.vendor} and not t.isdigit()]
            likely = likely or [file.symbol]
            symbol = max(likely, key=lambda token: (len(sharing.get(token, ())), -likely.index(token)))
        made.append(replace(file, symbol=symbol))
    return made


def _by_vendor(files: Sequence[FoundFile]) -> list[FoundFile]:
    """Vendors of common CSV, which no format names, told apart by their files' names or folders.

    What a contract or a symbol is called names no vendor: raw/acme/ZB/ZBH26.csv is acme's.
    """
    made: list[FoundFile] = []
    for file in files:
        if file.vendor not in {"csv", "plain", ""}:
            made.append(file)
            continue
        names = [*tokens_of(file.path), *(folder.name for folder in file.path.parents)]
        own = (name.lower() for name in names if name.lower() not in _GENERIC and not _names_symbol(name, file.symbol))
        made.append(replace(file, vendor=next(own, "csv")))
    return made


def _names_symbol(name: str, symbol: str) -> bool:
    """Whether a part of a path is a number, the symbol, or one of its contracts."""
    contract = parse_symbol(name.upper())
    return name.isdigit() or name.upper() == symbol.upper() or (contract is not None and contract.root == symbol)
