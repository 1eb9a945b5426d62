"""What the files of a workspace's symbol hold: where a vendor's files lie, and what is read from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ctl import digests, ingest
from ctl.errors import CtlError, InputError, WorkspaceError
from ctl.flows import vendor_files
from ctl.flows.bar_cache import BarCache, read_until, readers_version
from ctl.model.bars import (
    AS_DELIVERED,
    UNFINISHED,
    AdjustmentBasis,
    ContractBars,
    DailySeries,
    SeriesChoice,
    SeriesMeta,
)
from ctl.model.csv_mapping import NamedMapping
from ctl.model.documents import document
from ctl.model.reference import Reference
from ctl.model.rolls import RollPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import polars as pl

    from ctl.flows.vendor_files import PerContract, SeriesFiles
    from ctl.model.actions import CorporateActions
    from ctl.model.csv_mapping import CsvMapping, MappingKeys
    from ctl.model.instruments import Instruments
    from ctl.operating_profile import OperatingProfile
    from ctl.store import SymbolConfig, VendorConfig, Workspace


@dataclass(frozen=True, slots=True)
class SymbolInputs:
    """What the files of one symbol hold, up to the as-of session.

    A future has `contracts`, the bars of the `series` that it is traded on, and a roll `policy`; an equity its own bars
    as `equity`, where they are known its `actions`, and the `common_basis` on which its vendors are meant to be
    compared. vendor: what the workspace calls whose bars these are; None outside of one. daily, settlements,
    session_bars: what other series can be made of; None where its vendor names no such folder, an error where the files
    in it are missing or cannot be read.
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
    vendor: str | None = None

    @property
    def vendor_name(self) -> str:
        """What our vendor is called: by the workspace, outside of one by its format."""
        return self.vendor or self.meta.vendor

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


OWN_INSTRUMENTS: Final = "instruments.toml"
"""The name that docs/workspace.md gives a workspace's own reference data; `ctl init` uses it where it stands."""


def instruments_of(workspace: Workspace) -> Instruments:
    """Reference data of instruments: the package's, with what the workspace's own file says otherwise.

    Raises InputError for a file that cannot be used.
    """
    return ingest.load_instruments(workspace.instruments)


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
    keep: bool = False,
    anew: bool = False,
) -> SymbolInputs:
    """Read one symbol of the workspace.

    policy, reference, series: the profile's, before the workspace's own. as_of: sessions after it are left out. now:
    the instant of the command, at which a session must be over to count; None: the files alone tell. keep, anew: as for
    `BarCache`.
    with_alternatives: what a certificate tells beside its decision as well: settlements, session-true bars and the
    reference's contract bars. What is wrong with those is kept in their place, it keeps nothing else from being read.
    Raises WorkspaceError or InputError for files that are missing or cannot be read.
    """
    files = SymbolFiles(workspace, workspace.symbol(symbol), now, keep=keep, anew=anew)
    config = files.config
    contracts: ContractBars | None = None
    equity: DailySeries | None = None
    if config.asset_class == "future":
        contracts = files.contracts()
    elif series != AS_DELIVERED:
        raise WorkspaceError(
            f"series of {symbol}: an equity is traded on its daily bars", found=series.name, expected="no series key"
        )
    else:
        equity = series_up_to(files.equity(), as_of)
    named = reference or config.reference
    other: Reference | None = None
    if with_reference and named is not None:
        vendor = files.vendor_of_reference(named)
        other = files.reference(vendor)
        if with_alternatives and contracts is not None:
            other = replace(other, contracts=files.reference_contracts(vendor))
        _require_apart(config, (contracts or equity), other)
        other = reference_up_to(other, as_of)
    daily, settlements, session_bars = contracts, None, None
    if daily is not None:
        if with_alternatives or series.closes == "settlement":
            settlements = files.settlements()
        if with_alternatives or series.bars == "session":
            session_bars = files.session_bars()
        contracts = up_to(contracts_of(series, daily, settlements, session_bars), as_of)
        daily = up_to(daily, as_of)
    return SymbolInputs(
        symbol=symbol,
        root=config.root,
        contracts=contracts,
        equity=equity,
        reference=other,
        policy=with_cycle(policy or RollPolicy(), config.root, files.instruments) if contracts is not None else None,
        actions=None if config.actions is None else ingest.read_actions(config.actions),
        common_basis=config.common_basis,
        series=series,
        daily=daily if with_alternatives else None,
        settlements=_kept(settlements, as_of) if with_alternatives else None,
        session_bars=_kept(session_bars, as_of) if with_alternatives else None,
        vendor=config.canonical,
    )


def read_traded(
    workspace: Workspace,
    symbol: str,
    profile: OperatingProfile | None,
    *,
    now: datetime,
    as_of: date | None = None,
    keep: bool = False,
) -> SymbolInputs:
    """One symbol without references, on the roll policy and the series of the profile where it has settings of it;
    as_of, now, keep: as for `read_symbol`.
    """
    settings = profile.symbol_settings.get(symbol) if profile else None
    return read_symbol(
        workspace,
        symbol,
        policy=settings.roll_policy if settings else None,
        series=settings.series if settings else AS_DELIVERED,
        as_of=as_of,
        with_reference=False,
        now=now,
        keep=keep,
    )


def read_contracts(
    workspace: Workspace, symbol: str, as_of: date | None = None, now: datetime | None = None, *, keep: bool = False
) -> ContractBars:
    """The contracts alone of one future of the workspace; as_of, now, keep: as for `read_symbol`."""
    return up_to(SymbolFiles(workspace, workspace.symbol(symbol), now, keep=keep).contracts(), as_of)


def contracts_identity(workspace: Workspace, symbol: str, choice: SeriesChoice) -> dict[str, Any] | None:
    """What the bars of a choice of series depend on, without reading them: the same again, and so are the bars.

    None where the files cannot be read as data files; raises as reading does where there are none.
    """
    return SymbolFiles(workspace, workspace.symbol(symbol), keep=True).contracts_identity(choice)


@dataclass(frozen=True, slots=True)
class Identity:
    """Every file that is read of a symbol, by content. until: microseconds up to which the files and the command speak,
    as in the cache of bars.
    """

    files: Mapping[str, Any]
    until: int


class ReadOnce:
    """A workspace's files at an instant, each read at most once; what is asked as of a date is cut from what was read.

    Its methods are the functions of this module with the workspace left out. An error is kept as well: what
    could not be read once is not tried again. keep, anew: as for `BarCache`.
    """

    def __init__(
        self, workspace: Workspace, now: datetime | None = None, *, keep: bool = False, anew: bool = False
    ) -> None:
        self._workspace, self._now, self._keep, self._anew = workspace, now, keep, anew
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
                keep=self._keep,
                anew=self._anew,
            ),
        )
        return inputs_up_to(held, as_of)

    @property
    def unfinished(self) -> bool:
        """Whether a session that was not over was left out of anything that was read, so that it may count later."""
        return any(
            meta.counts.get(UNFINISHED) for found in self._read.values() if isinstance(found, SymbolInputs)
            for meta in metas_of(found)
        )  # fmt: skip

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


def metas_of(held: SymbolInputs) -> Iterator[SeriesMeta]:
    """The metadata of everything that was read of a symbol."""
    reference = held.reference
    sides = () if reference is None else (reference.adjusted, reference.unadjusted, reference.contracts)
    for found in (held.contracts, held.equity, held.daily, held.settlements, held.session_bars, *sides):
        if found is not None and not isinstance(found, CtlError):
            yield found.meta


def as_printed(series: DailySeries) -> DailySeries:
    """A share's series as raw: Databento's bars are trades as they were printed, adjusted for no corporate action."""
    return replace(series, meta=replace(series.meta, adjustment_basis="raw"))


def up_to(bars: ContractBars, as_of: date | None) -> ContractBars:
    """The bars of sessions up to `as_of` (inclusive); None keeps all. Raises InputError where none is left."""
    if as_of is None:
        return bars
    frame = _frame_up_to(bars.frame, as_of, bars.meta.root)
    kept = set(frame["contract"].unique())
    return replace(bars, frame=frame, contracts=tuple(c for c in bars.contracts if c.name in kept))


def inputs_up_to(inputs: SymbolInputs, as_of: date | None, reference_as_of: date | None = None) -> SymbolInputs:
    """Everything that a symbol's files hold up to `as_of` (inclusive); of the reference up to its own, where given."""
    if as_of is None:
        return inputs
    contracts, equity, reference = inputs.contracts, inputs.equity, inputs.reference
    return replace(
        inputs,
        contracts=None if contracts is None else up_to(contracts, as_of),
        equity=None if equity is None else series_up_to(equity, as_of),
        reference=None if reference is None else reference_up_to(reference, reference_as_of or as_of),
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


_Read = TypeVar("_Read")


def _kept(found: ContractBars | CtlError | None, as_of: date | None) -> ContractBars | CtlError | None:
    """`up_to` of bars that inform only: where none is left, the error in their place."""
    if found is None or isinstance(found, CtlError):
        return found
    return _or_error(lambda: up_to(found, as_of))


def _or_error(read: Callable[[], _Read]) -> _Read | CtlError:
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


class SymbolFiles:
    """One symbol's files, each read as its vendor says, or taken from the cache; keep, anew: as for `BarCache`.

    now: the instant of the command, at which a session must be over to count; None: the files alone tell.
    """

    def __init__(
        self,
        workspace: Workspace,
        config: SymbolConfig,
        now: datetime | None = None,
        *,
        keep: bool = False,
        anew: bool = False,
    ) -> None:
        vendor_files.require_known_formats(workspace)
        self.workspace, self.config, self.now = workspace, config, now
        self.instruments = instruments_of(workspace)
        _require_one_instrument(workspace, config, self.instruments)
        self.canonical = workspace.vendors[config.canonical]
        self._cache = BarCache(workspace, keep=keep, anew=anew)

    @property
    def _instrument(self) -> Any:
        """What is read depends on of the reference data of its root."""
        root = self.config.root
        return document({"instrument": self.instruments.get(root), "terms": self.instruments.term_rules(root)})

    def vendor_of_reference(self, name: str) -> VendorConfig:
        """The vendor of that name. Raises WorkspaceError for an unknown one and for the canonical one."""
        vendors, symbol = self.workspace.vendors, self.config.symbol
        if name not in vendors:
            raise WorkspaceError(
                f"the reference of {symbol} is no vendor of the workspace",
                where=str(self.workspace.root / "ctl.toml"),
                found=name,
                expected=f"one of {', '.join(vendors)}",
            )
        if name == self.canonical.name:
            raise WorkspaceError(
                f"{symbol} would be its own reference",
                where=str(self.workspace.root / "ctl.toml"),
                found=f"{name} as canonical and as reference",
                expected="two vendors",
                remedy=f"name another vendor in symbols.{symbol}.references",
                code=OWN_REFERENCE,
            )
        return vendors[name]

    def contracts(self) -> ContractBars:
        return self._contract_bars(self.canonical)

    def reference_contracts(self, vendor: VendorConfig) -> ContractBars | CtlError | None:
        return None if vendor.contracts is None else self._or_error(lambda: self._contract_bars(vendor))

    def contracts_identity(self, choice: SeriesChoice) -> dict[str, Any] | None:
        """What the canonical bars of a choice depend on, without reading them; None where files are no data files."""
        paths, asked, _ = self._question(self.canonical)
        beside: tuple[tuple[PerContract, bool], ...] = (
            ("intraday", choice.bars == "session"),
            ("statistics", choice.closes == "settlement"),
        )
        for key, wanted in beside:
            if wanted and getattr(self.canonical, key) is not None:
                paths = [*paths, *vendor_files.contract_paths(self.workspace, self.config, self.canonical, key)]
        digest_of = self._cache.digests(self._slot(self.canonical, "identity"), paths)
        if digest_of is None:
            return None
        files = {self.workspace.relative(path): sha256 for path, sha256 in digest_of.items()}
        return {"readers": readers_version(), "files": files, "asked": asked}

    def identity(self, references: Sequence[str]) -> Identity | None:
        """What all that is read of the symbol depends on, without reading it; None where that cannot be told.

        references: the vendors compared with.
        """
        files: dict[str, Any] = {}
        until: list[int] = []
        try:
            for name in (self.canonical.name, *references):
                vendor = self.canonical if name == self.canonical.name else self.vendor_of_reference(name)
                for kind, paths in self._paths(vendor):
                    if isinstance(paths, CtlError):
                        files[f"{name} {kind}"] = str(paths)
                        continue
                    digest_of = self._cache.digests(self._slot(vendor, kind), paths)
                    if digest_of is None:
                        return None
                    until.append(read_until(digest_of, self.now))
                    files[f"{name} {kind}"] = [
                        [self.workspace.relative(path), sha256] for path, sha256 in digest_of.items()
                    ]
            own = {"actions": self.config.actions, "instruments": self.workspace.instruments}
            files |= {name: path and digests.sha256_file(path) for name, path in own.items()}
        except (CtlError, OSError):
            return None
        return Identity(files, min(until, default=0))

    def _paths(self, vendor: VendorConfig) -> Iterator[tuple[str, list[Path] | CtlError]]:
        """The files that are read of a vendor, by kind; of what informs only, the error where there are none."""
        ours = vendor is self.canonical
        beside: tuple[PerContract, ...] = ("statistics", "intraday") if ours else ("contracts",)
        if self.config.asset_class == "future":
            if ours:
                yield "contracts", vendor_files.contract_paths(self.workspace, self.config, vendor)
            for key in beside:
                if getattr(vendor, key) is not None:
                    find = partial(vendor_files.contract_paths, self.workspace, self.config, vendor, key)
                    yield key, _or_error(find)
        if vendor is not self.canonical or self.config.asset_class != "future":
            found = self.series_files(vendor)
            yield "series", [path for path in (found.adjusted, found.unadjusted) if path is not None]

    def _question(self, vendor: VendorConfig) -> tuple[list[Path], dict[str, Any], CsvMapping | None]:
        """The files of a vendor's bars per contract, and how they are to be read."""
        mapped = vendor.contracts_mapping
        if vendor is self.canonical:
            mapped = mapped or vendor.mapping
        mapping = _named(mapped, vendor.name)
        asked = {"root": self.config.root, "mapping": _document(mapping), "publisher": vendor.publisher,
                 "vendor": vendor.name, "calendar": self.config.calendar, "instrument": self._instrument}  # fmt: skip
        return vendor_files.contract_paths(self.workspace, self.config, vendor), asked, mapping

    def _contract_bars(self, vendor: VendorConfig) -> ContractBars:
        paths, asked, mapping = self._question(vendor)

        def read() -> ContractBars:
            bars = ingest.read_contracts(
                paths,
                self.config.root,
                instruments=self.instruments,
                mapping=mapping,
                publisher=vendor.publisher,
                calendar=self.config.calendar,
                now=self.now,
            )
            return bars if vendor is self.canonical else replace(bars, meta=replace(bars.meta, vendor=vendor.name))

        bars = self._cache.bars(ContractBars, self._slot(vendor, "contracts"), paths, asked, read, self.now)
        if self.workspace.instruments is not None:
            ingest.require_agreement(bars, self.instruments, self.workspace.instruments)
        return bars

    def settlements(self) -> ContractBars | CtlError | None:
        root, publisher, vendor = self.config.root, self.canonical.publisher, self.canonical
        if vendor.statistics is None:
            return None

        def found() -> ContractBars:
            paths = vendor_files.contract_paths(self.workspace, self.config, vendor, "statistics")

            def read() -> ContractBars:
                return ingest.read_settlements(paths, root, instruments=self.instruments, publisher=publisher)

            asked = {"root": root, "publisher": publisher, "instrument": self._instrument}
            return self._cache.bars(ContractBars, self._slot(vendor, "statistics"), paths, asked, read, self.now)

        return self._or_error(found)

    def session_bars(self) -> ContractBars | CtlError | None:
        root, publisher, vendor = self.config.root, self.canonical.publisher, self.canonical
        calendar = self.config.calendar
        if vendor.intraday is None:
            return None

        def found() -> ContractBars:
            paths = vendor_files.contract_paths(self.workspace, self.config, vendor, "intraday")

            def read() -> ContractBars:
                return ingest.read_session_bars(
                    paths, root, calendar=calendar, instruments=self.instruments, publisher=publisher, now=self.now
                )

            asked = {"root": root, "publisher": publisher, "calendar": calendar, "instrument": self._instrument}
            return self._cache.bars(ContractBars, self._slot(vendor, "intraday"), paths, asked, read, self.now)

        return self._or_error(found)

    def equity(self) -> DailySeries:
        vendor = self.canonical
        called, mapping = vendor_files.called(self.config, vendor), _named(vendor.mapping, vendor.name)
        files = self.series_files(vendor)
        path = files.adjusted or files.unadjusted
        if path is None:
            raise vendor_files.missing(self.config, vendor, files.expected)

        def read() -> DailySeries:
            series = ingest.read_series(
                path,
                symbol=called,
                instruments=self.instruments,
                mapping=mapping,
                publisher=vendor.publisher,
                calendar=self.config.calendar,
                now=self.now,
            )
            return as_printed(series) if vendor.format == "databento" else series

        asked = {"symbol": called, "mapping": _document(mapping), "vendor": vendor.format,
                 "publisher": vendor.publisher, "calendar": self.config.calendar}  # fmt: skip
        series = self._cache.bars(DailySeries, self._slot(vendor, "series"), [path], asked, read, self.now)
        return _noted(series, files.notes)

    def reference(self, vendor: VendorConfig) -> Reference:
        called, mapping = vendor_files.called(self.config, vendor), _named(vendor.mapping, vendor.name)
        files = self.series_files(vendor)
        paths = {"adjusted": files.adjusted, "unadjusted": files.unadjusted}

        def read() -> Reference:
            return ingest.read_reference(
                symbol=called,
                adjusted=files.adjusted,
                unadjusted=files.unadjusted,
                instruments=self.instruments,
                mapping=mapping,
                publisher=vendor.publisher,
                vendor=vendor.name,
                calendar=self.config.calendar,
                now=self.now,
            )

        sides = {kind: path and self.workspace.relative(path) for kind, path in paths.items()}
        asked = {"symbol": called, "mapping": _document(mapping), "publisher": vendor.publisher,
                 "vendor": vendor.name, "calendar": self.config.calendar, "instrument": self._instrument,
                 **sides}  # fmt: skip
        given = [path for path in paths.values() if path is not None]
        found = self._cache.bars(Reference, self._slot(vendor, "series"), given, asked, read, self.now)
        adjusted, unadjusted = (
            None if side is None else _noted(side, files.notes) for side in (found.adjusted, found.unadjusted)
        )
        return replace(found, adjusted=adjusted, unadjusted=unadjusted)

    def series_files(self, vendor: VendorConfig) -> SeriesFiles:
        called, mapping = vendor_files.called(self.config, vendor), _named(vendor.mapping, vendor.name)

        def last_session(path: Path) -> date:
            series = ingest.read_series(
                path,
                symbol=called,
                instruments=self.instruments,
                mapping=mapping,
                publisher=vendor.publisher,
                calendar=self.config.calendar,
                now=self.now,
            )
            last: date = series.frame["session"][-1]
            return last

        return vendor_files.series_files(self.workspace, self.config, vendor, last_session)

    def _slot(self, vendor: VendorConfig, kind: str) -> tuple[str, ...]:
        return vendor.name, self.config.symbol, kind

    def _or_error(self, read: Callable[[], ContractBars]) -> ContractBars | CtlError:
        """Bars that inform only: the error in their place where they are missing or cannot be read."""
        found = _or_error(read)
        return _without_root(found, self.workspace) if isinstance(found, CtlError) else found


OWN_REFERENCE: Final = "OWN_REFERENCE"


def _require_one_instrument(workspace: Workspace, config: SymbolConfig, instruments: Instruments) -> None:
    """Refuse a symbol whose table of ctl.toml contradicts what the workspace's own instruments say of its root."""
    if workspace.instruments is None or config.asset_class != "future":
        return
    values = ingest.own_instrument_values(config.root, instruments)
    differing = [name for name in _IN_BOTH if name in values and values[name] != getattr(config, name)]
    if differing:
        raise WorkspaceError(
            f"the symbol {config.symbol} contradicts the workspace's own instrument {config.root}",
            where=f"{workspace.root / 'ctl.toml'} and {workspace.instruments}",
            found=", ".join(f"symbols.{config.symbol}.{name} {getattr(config, name)}" for name in differing),
            expected=", ".join(f"instruments.{config.root}.{name} {values[name]}" for name in differing),
            remedy="mend one of the two files",
            code="INSTRUMENT_CONTRADICTED",
        )


_IN_BOTH: Final = ("calendar", "tick", "point_value", "currency", "quote_unit")


def _require_apart(config: SymbolConfig, ours: ContractBars | DailySeries | None, theirs: Reference) -> None:
    """Refuse a reference that was read from a file that the canonical bars were read from, under whichever name."""
    sides = [theirs.adjusted, theirs.unadjusted, theirs.contracts]
    metas = [side.meta for side in sides if side is not None and not isinstance(side, CtlError)]
    held = {} if ours is None else {source.sha256: source.name for source in ours.meta.sources}
    for source in (source for meta in metas for source in meta.sources):
        if source.sha256 in held:
            raise WorkspaceError(
                f"the canonical bars of {config.symbol} and its reference {theirs.vendor} come from one file",
                where=source.name,
                found=f"the content of {held[source.sha256]} of vendor {config.canonical}",
                expected="files of two vendors",
                remedy=f"mend the paths of vendors {config.canonical} and {theirs.vendor} in ctl.toml",
                code=OWN_REFERENCE,
            )


def _without_root(error: CtlError, workspace: Workspace) -> CtlError:
    """The error with paths relative to the workspace: its text stands in a certificate, the same in every folder."""
    prefix = f"{workspace.root}/"
    parts = (error.what, error.where, error.found, error.expected, error.remedy)
    what, where, found, expected, remedy = (part if part is None else part.replace(prefix, "") for part in parts)
    return InputError(what or "", where=where, found=found, expected=expected, remedy=remedy, code=error.code)


def _noted(series: DailySeries, notes: Sequence[str]) -> DailySeries:
    return replace(series, meta=replace(series.meta, notes=(*series.meta.notes, *notes)))


def _document(mapping: CsvMapping | None) -> Any:
    return None if mapping is None else document(dict(mapping))


def _named(mapping: MappingKeys | NamedMapping | None, name: str) -> CsvMapping | None:
    """A mapping of ctl.toml as readers take it: one that the package ships, or the vendor's own."""
    if isinstance(mapping, NamedMapping):
        return ingest.named_mapping(mapping.name)
    return None if mapping is None else mapping.named(name)
