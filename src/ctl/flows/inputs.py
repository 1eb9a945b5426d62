"""What the files of a workspace's symbol hold: where a vendor's files lie, and what is read from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctl import ingest
from ctl.errors import CtlError, InputError, WorkspaceError
from ctl.model.bars import AS_DELIVERED, AdjustmentBasis, ContractBars, DailySeries, SeriesChoice, SeriesMeta
from ctl.model.csv_mapping import NamedMapping
from ctl.model.reference import Reference
from ctl.model.rolls import RollPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import polars as pl

    from ctl.ingest.vendor import SeriesFiles
    from ctl.model.actions import CorporateActions
    from ctl.model.csv_mapping import CsvMapping, MappingKeys
    from ctl.model.instruments import Instruments
    from ctl.store import SymbolConfig, VendorConfig, Workspace


@dataclass(frozen=True, slots=True)
class SymbolInputs:
    """What the files of one symbol hold, up to the as-of session.

    A future has `contracts`, the bars of the `series` that it is traded on, and a roll `policy`; an equity its own bars
    as `equity`, where they are known its `actions`, and the `common_basis` on which its vendors are meant to be
    compared. daily, settlements, session_bars: what other series can be made of; None where its vendor names no such
    folder, an error where the files in it are missing or cannot be read.
    """

    symbol: str
    root: str
    contracts: ContractBars | None
    equity: DailySeries | None
    reference: Reference | None
    policy: RollPolicy | None
    actions: CorporateActions | None = None
    common_basis: AdjustmentBasis | None = None
    series: SeriesChoice = AS_DELIVERED
    daily: ContractBars | None = None
    settlements: ContractBars | CtlError | None = None
    session_bars: ContractBars | CtlError | None = None

    @property
    def bars(self) -> pl.DataFrame:
        """The canonical bars: of every contract, or of the equity."""
        held = self.contracts or self.equity
        if held is None:
            raise InputError(f"no canonical bars of {self.symbol}")
        return held.frame

    @property
    def meta(self) -> SeriesMeta:
        """The metadata of the canonical bars."""
        held = self.contracts or self.equity
        if held is None:
            raise InputError(f"no canonical bars of {self.symbol}")
        return held.meta


def contracts_of(
    choice: SeriesChoice,
    daily: ContractBars,
    settlements: ContractBars | CtlError | None,
    session_bars: ContractBars | CtlError | None,
) -> ContractBars:
    """The bars that a choice of series means.

    Raises InputError where nothing names the files that it needs, and what kept those from being read.
    """
    bars = daily
    if choice.bars == "session":
        # Intraday files say nothing of expirations: terms are those that the daily bars came with.
        bars = replace(_needed(session_bars, daily.meta, "bars", "session", "intraday"), terms=daily.terms)
    if choice.closes == "last_trade" or (settlements is None and bars.meta.close_basis == "settlement"):
        return bars
    return ingest.settled(bars, _needed(settlements, daily.meta, "closes", "settlement", "statistics"))


def _needed(found: ContractBars | CtlError | None, meta: SeriesMeta, key: str, value: str, files: str) -> ContractBars:
    if isinstance(found, CtlError):
        raise found
    if found is None:
        raise InputError(
            f"{meta.root}: series.{key} is {value}, and there are no {files} files of {meta.vendor or 'the vendor'}",
            remedy=f"name the folder as vendors.{meta.vendor}.{files} in ctl.toml (plain files: name them beside the "
            "others with --contracts), or choose another series",
            code="SERIES_WITHOUT_FILES",
        )
    return found


def with_cycle(policy: RollPolicy, root: str, instruments: Instruments) -> RollPolicy:
    """The policy with the root's liquid month cycle where it names no months itself."""
    known = instruments.get(root)
    if policy.eligible_months is None and known is not None and known.liquid_months:
        return replace(policy, eligible_months=known.liquid_months)
    return policy


def read_symbol(
    workspace: Workspace,
    symbol: str,
    *,
    policy: RollPolicy | None = None,
    reference: str | None = None,
    series: SeriesChoice = AS_DELIVERED,
    as_of: date | None = None,
    with_reference: bool = True,
    with_alternatives: bool = False,
    now: datetime | None = None,
) -> SymbolInputs:
    """Read one symbol of the workspace.

    policy, reference, series: the profile's, before the workspace's own. as_of: sessions after it are left out. now:
    the instant of the command, at which a session must be over to count; None: the files alone tell.
    with_alternatives: what a certificate tells beside its decision as well: settlements, session-true bars and the
    reference's contract bars. What is wrong with those is kept in their place, it keeps nothing else from being read.
    Raises WorkspaceError or InputError for files that are missing or cannot be read.
    """
    config = workspace.symbol(symbol)
    instruments = ingest.load_instruments()
    vendor = workspace.vendors[config.canonical]
    contracts: ContractBars | None = None
    equity: DailySeries | None = None
    if config.asset_class == "future":
        contracts = _contracts(workspace, config, vendor, instruments, now)
    elif series != AS_DELIVERED:
        raise WorkspaceError(
            f"series of {symbol}: an equity is traded on its daily bars", found=series.name, expected="no series key"
        )
    else:
        equity = series_up_to(_equity(config, vendor, instruments, now), as_of)
    named = reference or config.reference
    other: Reference | None = None
    if with_reference and named is not None:
        if named not in workspace.vendors:
            raise WorkspaceError(
                f"the reference of {symbol} is no vendor of the workspace",
                where=str(workspace.root / "ctl.toml"),
                found=named,
                expected=f"one of {', '.join(workspace.vendors)}",
            )
        other = _reference(config, workspace.vendors[named], instruments, now)
        if with_alternatives and contracts is not None:
            other = replace(other, contracts=_reference_contracts(workspace, config, named, instruments, now))
        other = reference_up_to(other, as_of)
    daily, settlements, session_bars = contracts, None, None
    if daily is not None:
        if with_alternatives or series.closes == "settlement":
            settlements = _settlements(workspace, config, vendor, instruments)
        if with_alternatives or series.bars == "session":
            session_bars = _session_bars(workspace, config, vendor, instruments, now)
        contracts = up_to(contracts_of(series, daily, settlements, session_bars), as_of)
        daily = up_to(daily, as_of)
    return SymbolInputs(
        symbol=symbol,
        root=config.root,
        contracts=contracts,
        equity=equity,
        reference=other,
        policy=with_cycle(policy or RollPolicy(), config.root, instruments) if contracts is not None else None,
        actions=None if config.actions is None else ingest.read_actions(config.actions),
        common_basis=config.common_basis,
        series=series,
        daily=daily if with_alternatives else None,
        settlements=_kept(settlements, as_of) if with_alternatives else None,
        session_bars=_kept(session_bars, as_of) if with_alternatives else None,
    )


def read_contracts(
    workspace: Workspace, symbol: str, as_of: date | None = None, now: datetime | None = None
) -> ContractBars:
    """The contracts alone of one future of the workspace; as_of, now: as for `read_symbol`."""
    config = workspace.symbol(symbol)
    vendor = workspace.vendors[config.canonical]
    return up_to(_contracts(workspace, config, vendor, ingest.load_instruments(), now), as_of)


class ReadOnce:
    """A workspace's files at an instant, each read at most once; what is asked as of a date is cut from what was read.

    Its methods are the functions of this module with the workspace left out. An error is kept as well: what
    could not be read once is not tried again.
    """

    def __init__(self, workspace: Workspace, now: datetime | None = None) -> None:
        self._workspace = workspace
        self._now = now
        self._read: dict[Any, Any] = {}

    def read_symbol(
        self,
        symbol: str,
        *,
        policy: RollPolicy | None = None,
        reference: str | None = None,
        series: SeriesChoice = AS_DELIVERED,
        as_of: date | None = None,
        with_reference: bool = True,
        with_alternatives: bool = False,
    ) -> SymbolInputs:
        """`read_symbol` of the workspace."""
        held: SymbolInputs = self._once(
            ("symbol", symbol, policy, reference, series, with_reference, with_alternatives),
            lambda: read_symbol(
                self._workspace,
                symbol,
                policy=policy,
                reference=reference,
                series=series,
                with_reference=with_reference,
                with_alternatives=with_alternatives,
                now=self._now,
            ),
        )
        return inputs_up_to(held, as_of)

    def read_contracts(self, symbol: str, as_of: date | None = None) -> ContractBars:
        """`read_contracts` of the workspace."""
        held: ContractBars = self._once(
            ("contracts", symbol), lambda: read_contracts(self._workspace, symbol, None, self._now)
        )
        return up_to(held, as_of)

    def _once(self, key: Any, read: Callable[[], Any]) -> Any:
        if key not in self._read:
            try:
                self._read[key] = read()
            except CtlError as error:
                self._read[key] = error
        found = self._read[key]
        if isinstance(found, CtlError):
            raise found
        return found


def up_to(bars: ContractBars, as_of: date | None) -> ContractBars:
    """The bars of sessions up to `as_of` (inclusive); None keeps all. Raises InputError where none is left."""
    if as_of is None:
        return bars
    frame = _frame_up_to(bars.frame, as_of, bars.meta.root)
    kept = set(frame["contract"].unique())
    return replace(bars, frame=frame, contracts=tuple(c for c in bars.contracts if c.name in kept))


def inputs_up_to(inputs: SymbolInputs, as_of: date | None) -> SymbolInputs:
    """Everything that a symbol's files hold up to `as_of` (inclusive)."""
    if as_of is None:
        return inputs
    contracts, equity, reference = inputs.contracts, inputs.equity, inputs.reference
    return replace(
        inputs,
        contracts=None if contracts is None else up_to(contracts, as_of),
        equity=None if equity is None else series_up_to(equity, as_of),
        reference=None if reference is None else reference_up_to(reference, as_of),
        daily=None if inputs.daily is None else up_to(inputs.daily, as_of),
        settlements=_kept(inputs.settlements, as_of),
        session_bars=_kept(inputs.session_bars, as_of),
    )


def series_up_to(series: DailySeries, as_of: date | None) -> DailySeries:
    """A plain series up to `as_of` (inclusive); an adjusted level stays as the file has it today."""
    if as_of is None:
        return series
    return replace(series, frame=_frame_up_to(series.frame, as_of, series.meta.root))


def reference_up_to(reference: Reference, as_of: date | None) -> Reference:
    """A reference up to `as_of` (inclusive)."""
    if as_of is None:
        return reference
    adjusted, unadjusted = reference.adjusted, reference.unadjusted
    return replace(
        reference,
        adjusted=None if adjusted is None else series_up_to(adjusted, as_of),
        unadjusted=None if unadjusted is None else series_up_to(unadjusted, as_of),
        stated_rolls=tuple(roll for roll in reference.stated_rolls if roll.roll_date <= as_of),
        contracts=_kept(reference.contracts, as_of),
    )


def _kept(found: ContractBars | CtlError | None, as_of: date | None) -> ContractBars | CtlError | None:
    """`up_to` of bars that inform only: where none is left, the error in their place."""
    if found is None or isinstance(found, CtlError):
        return found
    return _or_error(lambda: up_to(found, as_of))


def _or_error(read: Callable[[], ContractBars]) -> ContractBars | CtlError:
    try:
        return read()
    except CtlError as error:
        return error


def _frame_up_to(frame: pl.DataFrame, as_of: date, what: str) -> pl.DataFrame:
    import polars as pl

    kept = frame.filter(pl.col("session") <= as_of)
    if kept.is_empty():
        raise InputError(
            f"{what}: no bars up to the as-of date",
            found=f"first session {frame['session'].min()!s}",
            expected=str(as_of),
        )
    return kept


def _contracts(
    workspace: Workspace, config: SymbolConfig, vendor: VendorConfig, instruments: Instruments, now: datetime | None
) -> ContractBars:
    folder = workspace.vendor_folder(vendor.name, config.symbol)
    if not folder.is_dir():
        raise _missing(config, vendor, f"{folder}/")
    return ingest.read_contracts(
        [folder],
        config.root,
        instruments=instruments,
        mapping=_mapping(vendor),
        publisher=vendor.publisher,
        calendar=config.calendar,
        now=now,
    )


def _settlements(
    workspace: Workspace, config: SymbolConfig, vendor: VendorConfig, instruments: Instruments
) -> ContractBars | CtlError | None:
    def read(folder: Path) -> ContractBars:
        return ingest.read_settlements([folder], config.root, instruments=instruments, publisher=vendor.publisher)

    return _beside(workspace, config, vendor, vendor.statistics, "statistics", read)


def _session_bars(
    workspace: Workspace, config: SymbolConfig, vendor: VendorConfig, instruments: Instruments, now: datetime | None
) -> ContractBars | CtlError | None:
    def read(folder: Path) -> ContractBars:
        return ingest.read_session_bars(
            [folder],
            config.root,
            calendar=config.calendar,
            instruments=instruments,
            publisher=vendor.publisher,
            now=now,
        )

    return _beside(workspace, config, vendor, vendor.intraday, "intraday", read)


def _reference_contracts(
    workspace: Workspace, config: SymbolConfig, named: str, instruments: Instruments, now: datetime | None
) -> ContractBars | CtlError | None:
    vendor = workspace.vendors[named]

    def read(folder: Path) -> ContractBars:
        mapping = _named(vendor.contracts_mapping, vendor.name)
        bars = ingest.read_contracts(
            [folder],
            config.root,
            instruments=instruments,
            mapping=mapping,
            publisher=vendor.publisher,
            calendar=config.calendar,
            now=now,
        )
        return replace(bars, meta=replace(bars.meta, vendor=vendor.name))

    return _beside(workspace, config, vendor, vendor.contracts, "contracts", read)


def _beside(
    workspace: Workspace,
    config: SymbolConfig,
    vendor: VendorConfig,
    within: Path | None,
    key: str,
    read: Callable[[Path], ContractBars],
) -> ContractBars | CtlError | None:
    """Bars that inform only: None where the vendor names no folder for them, the error where they cannot be read."""
    if within is None:
        return None

    def found() -> ContractBars:
        folder = workspace.vendor_folder(vendor.name, config.symbol, within)
        if not folder.is_dir():
            raise InputError(
                f"no {key} files of {config.symbol} from vendor {vendor.name}",
                expected=f"{workspace.relative(folder)}/",
                code="INPUT_MISSING",
            )
        return read(folder)

    read_or_not = _or_error(found)
    return _without_root(read_or_not, workspace) if isinstance(read_or_not, CtlError) else read_or_not


def _without_root(error: CtlError, workspace: Workspace) -> CtlError:
    """The error with paths relative to the workspace: its text stands in a certificate, the same in every folder."""
    prefix = f"{workspace.root}/"
    parts = (error.what, error.where, error.found, error.expected, error.remedy)
    what, where, found, expected, remedy = (part if part is None else part.replace(prefix, "") for part in parts)
    return InputError(what or "", where=where, found=found, expected=expected, remedy=remedy, code=error.code)


def _equity(config: SymbolConfig, vendor: VendorConfig, instruments: Instruments, now: datetime | None) -> DailySeries:
    called = config.vendor_symbols.get(vendor.name, config.symbol)
    _, path = _files(config, vendor, called)
    series = ingest.read_series(
        path,
        symbol=called,
        instruments=instruments,
        mapping=_mapping(vendor),
        publisher=vendor.publisher,
        calendar=config.calendar,
        now=now,
    )
    if vendor.format == "databento":
        # The vendor's bars are trades as they were printed: it adjusts for no corporate action.
        return replace(series, meta=replace(series.meta, adjustment_basis="raw"))
    return series


def _reference(config: SymbolConfig, vendor: VendorConfig, instruments: Instruments, now: datetime | None) -> Reference:
    called = config.vendor_symbols.get(vendor.name, config.symbol)
    files, _ = _files(config, vendor, called)
    read = ingest.read_reference(
        symbol=called,
        adjusted=files.adjusted,
        unadjusted=files.unadjusted,
        instruments=instruments,
        mapping=_mapping(vendor),
        vendor=vendor.name,
        calendar=config.calendar,
        now=now,
    )
    if not files.notes:
        return read
    return replace(read, adjusted=_noted(read.adjusted, files.notes), unadjusted=_noted(read.unadjusted, files.notes))


def _files(config: SymbolConfig, vendor: VendorConfig, called: str) -> tuple[SeriesFiles, Path]:
    """The files of a series at a vendor, and the first of them. Raises InputError where there is none."""
    if not vendor.path.is_dir():
        raise _missing(config, vendor, f"{vendor.path}/")
    files = ingest.find_files(vendor.format, vendor.path, called)
    path = files.adjusted or files.unadjusted
    if path is None:
        raise _missing(config, vendor, files.expected)
    return files, path


def _noted(series: DailySeries | None, notes: Sequence[str]) -> DailySeries | None:
    if series is None:
        return None
    return replace(series, meta=replace(series.meta, notes=(*series.meta.notes, *notes)))


def _mapping(vendor: VendorConfig) -> CsvMapping | None:
    return _named(vendor.mapping, vendor.name)


def _named(mapping: MappingKeys | NamedMapping | None, name: str) -> CsvMapping | None:
    """A mapping of ctl.toml as readers take it: one that the package ships, or the vendor's own."""
    if isinstance(mapping, NamedMapping):
        return ingest.named_mapping(mapping.name)
    return None if mapping is None else mapping.named(name)


def _missing(config: SymbolConfig, vendor: VendorConfig, expected: str) -> InputError:
    return InputError(
        f"no files of {config.symbol} from vendor {vendor.name}",
        expected=expected,
        remedy="put the vendor's files there, or mend the vendor's path in ctl.toml",
        code="INPUT_MISSING",
    )
