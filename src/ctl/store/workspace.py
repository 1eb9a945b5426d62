"""The workspace: a folder with `ctl.toml`, read strictly, and every path inside it.

Symbols, vendors and cycles become parts of paths only after they have been checked as names.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, ValidationInfo, field_validator

from ctl import strict_files
from ctl.digests import sha256_bytes
from ctl.errors import WorkspaceError
from ctl.model.bars import AdjustmentBasis
from ctl.model.csv_mapping import MappingKeys, NamedMapping, label
from ctl.model.names import SAFE_NAME_TEXT, is_safe_name
from ctl.model.orders import Brake, RiskTerms, SizeCaps
from ctl.strict_files import ReadAs, Rule, Strict, expected, shown

FOUNDING_CYCLE: Final = "cutover_v1"
FILE_NAME: Final = "ctl.toml"
WAITING_NAME: Final = "ctl.toml.next"
"""What `ctl lock` puts in place of ctl.toml once its entry is in the decision log."""

AssetClass = Literal["future", "equity"]


# ---------------------------------------------------------------- what ctl.toml says


def _safe(name: str) -> str:
    if not is_safe_name(name):
        raise ValueError("the field's description says what is expected")
    return name


def _said(text: Any) -> str:
    if not isinstance(text, str) or not text.strip() or any(ord(char) < 32 for char in text):
        raise ValueError("the field's description says what is expected")
    return text


def _anywhere(text: Any, info: ValidationInfo) -> Path:
    """A path, from the workspace's folder where it is relative; no part of it leads upwards."""
    path = Path(_said(text))
    if ".." in path.parts:
        raise ValueError("the field's description says what is expected")
    folder: Path = info.context["root"] if info.context else Path()
    return folder / path


def _inside(text: Any, info: ValidationInfo) -> Path:
    if Path(_said(text)).is_absolute():
        raise ValueError("the field's description says what is expected")
    return _anywhere(text, info)


def _pattern(text: Any, info: ValidationInfo) -> Path:
    """A path of which parts may be `{symbol}`, `{root}`, `*` and `?`; no other braces, and no `**`."""
    path = _anywhere(text, info)
    if "**" in str(text) or set(_PLACES.sub("", str(text))) & set("{}[]"):
        raise ValueError("the field's description says what is expected")
    return path


def _naming(text: Any, info: ValidationInfo) -> Path:
    if _PLACES.search(_said(text)) is None:
        raise ValueError("the field's description says what is expected")
    return _pattern(text, info)


_PLACES: Final = re.compile(r"\{(?:symbol|root)\}")

SafeName = Annotated[str, AfterValidator(_safe)]
Said = Annotated[str, AfterValidator(_said)]
AnyPath = Annotated[Path, BeforeValidator(_anywhere)]
InnerPath = Annotated[Path, BeforeValidator(_inside)]
PathPattern = Annotated[Path, BeforeValidator(_naming)]
FolderPattern = Annotated[Path, BeforeValidator(_pattern)]

Mapped = Annotated[
    Annotated[MappingKeys, Tag("<columns>")] | Annotated[NamedMapping, Tag("<named>")], Discriminator(label)
]

_MAPPING: Final = "a table: the keys of a CSV mapping, or name = one that the package ships"
_INNER: Final = "a path inside the workspace"
_FILE_PATTERN: Final = "a path with {symbol} or {root} in it, and * and ? where names vary"
_FOLDER_PATTERN: Final = "a folder with one sub-folder per root, or a path with {symbol} or {root} in it"
_VENDOR_FILES: Final = ("path", "adjusted", "unadjusted", "contracts")
_BASES: Final = "raw, split_adjusted or total_return, of an equity"


class VendorKeys(Strict):
    """`[vendors.<name>]`: a vendor's format, and which of its files is which.

    path: the folder of all its files, where no pattern below says more. A pattern holds `{symbol}` (what the vendor
    calls the symbol) or `{root}`, for every format alike. contracts: bars per contract, of the canonical vendor what
    is built from; a reference's are compared with ours and never decide. statistics (settlements) and intraday bars
    inform a certificate.
    """

    format: Said = Field(description="a vendor format")
    path: AnyPath | None = Field(None, description="a path")
    adjusted: PathPattern | None = Field(None, description=_FILE_PATTERN)
    unadjusted: PathPattern | None = Field(None, description=_FILE_PATTERN)
    contracts: FolderPattern | None = Field(None, description=_FOLDER_PATTERN)
    statistics: FolderPattern | None = Field(None, description=_FOLDER_PATTERN)
    intraday: FolderPattern | None = Field(None, description=_FOLDER_PATTERN)
    publisher: int | None = Field(None, ge=0, le=65_535, description="a publisher id")
    mapping: Mapped | None = Field(None, description=_MAPPING)
    contracts_mapping: Mapped | None = Field(None, description=_MAPPING)


class VendorConfig(VendorKeys):
    """A vendor of the workspace, by its name."""

    name: str


class SymbolKeys(Strict):
    """`[symbols.<name>]`. tick in quote units, point_value in currency per quote unit.

    canonical, references: names of vendors; the first of the references decides, and `reference` is the short form
    of one. root: the symbol itself where it is not named. vendor_symbols: what a vendor calls this symbol, where it
    differs. actions: file of splits and dividends of an equity. common_basis: the adjustment basis on which an
    equity's two vendors are compared; without it, prices of different bases are not.
    """

    asset_class: AssetClass = Field("future", description="future or equity")
    root: SafeName = Field("", description=f"a root: {SAFE_NAME_TEXT}")
    calendar: Said = Field(description="the name of an exchange calendar")
    tick: float = Field(ge=1e-9, le=1e6, description="a number above 0 (1e-9 to 1e6)")
    point_value: float = Field(gt=0, le=1e9, description="a number above 0 (at most 1e9)")
    currency: Said = Field(description="a currency code")
    quote_unit: Said = Field(description="the unit that prices are quoted in")
    canonical: str = Field(description="a vendor under [vendors]")
    reference: str | None = Field(None, description="a vendor under [vendors]")
    references: tuple[str, ...] = Field((), strict=False, description="a list of vendors under [vendors], each once")
    vendor_symbols: dict[str, Said] = Field({}, description="a table of vendor = symbol")
    actions: InnerPath | None = Field(None, description=_INNER)
    common_basis: AdjustmentBasis | None = Field(None, description=_BASES)

    @field_validator("common_basis", mode="before")
    @classmethod
    def _of_an_equity(cls, basis: Any, info: ValidationInfo) -> Any:
        if info.data.get("asset_class", "equity") != "equity":
            raise expected(_BASES)
        return basis


class SymbolConfig(SymbolKeys):
    """A symbol of the workspace, by its name. reference: the first of the `references`, None where there is none."""

    symbol: str


_MONEY: Final = 1e15
_R_ABOVE_0: Final = "R above 0 (at most 1e6)"

R = Annotated[float, Field(gt=0, le=1e6)]
Rate = Annotated[float, Field(gt=0, le=1e9)]


class BrakeKeys(Strict):
    """`[[risk.brakes]]`, a stage of reduced risk."""

    drawdown_r: R = Field(description=_R_ABOVE_0)
    factor: float = Field(ge=0, lt=1, description="a number from 0 (halts new entries) to below 1")


class AllCapsKeys(Strict):
    """Caps of a position in any symbol."""

    max_contracts: int | None = Field(None, ge=1, le=10**9, description="a whole number above 0 (at most 1e9)")
    max_notional: float | None = Field(None, gt=0, le=_MONEY, description="a number above 0 (at most 1e15)")
    max_volume_share: float | None = Field(None, gt=0, le=1, description="a share above 0, at most 1")


class SymbolCapsKeys(AllCapsKeys):
    """`[risk.symbols.<name>]`: caps of a position in one symbol, in place of those of all. margin: of one contract, in
    the symbol's currency.
    """

    margin: float | None = Field(None, gt=0, le=_MONEY, description="a number above 0 (at most 1e15)")
    max_margin: float | None = Field(None, gt=0, le=_MONEY, description="a number above 0 (at most 1e15)")


class RiskKeys(AllCapsKeys):
    """`[risk]`, the risk budget. max_notional: three times the equity where it is not named."""

    equity: float = Field(gt=0, le=_MONEY, description="a number above 0 (at most 1e15)")
    currency: Said = Field(description="a currency code")
    r_percent: float = Field(gt=0, le=100, description="a percentage above 0, at most 100")
    max_open_r: R = Field(description=_R_ABOVE_0)
    max_daily_loss_r: R = Field(description=_R_ABOVE_0)
    max_weekly_loss_r: R = Field(description=_R_ABOVE_0)
    max_monthly_loss_r: R = Field(description=_R_ABOVE_0)
    min_risk_atr_sizing: float = Field(1.0, ge=0, le=20, description="a number of ATRs from 0 to 20")
    brakes: tuple[BrakeKeys, ...] = Field((), strict=False, description="tables [[risk.brakes]]")
    symbols: dict[str, SymbolCapsKeys] = Field({}, description="a table of caps per symbol")
    rates: dict[str, Rate] = Field({}, description="a table of currency = number above 0")
    since: date | None = Field(None, description="a date, YYYY-MM-DD")

    def made(self) -> RiskTerms:
        """The terms as the rest of the program sees them."""
        keys = dict(self)
        symbols, own = keys.pop("symbols"), {name: keys.pop(name) for name in AllCapsKeys.model_fields}
        return RiskTerms(
            **keys | {"brakes": tuple(Brake(**dict(brake)) for brake in self.brakes)},
            caps=SizeCaps(**own),
            symbol_caps={name: SizeCaps(**dict(caps)) for name, caps in symbols.items()},
        )


class PathKeys(Strict):
    """`[paths]`."""

    raw: AnyPath = Field("data/raw", validate_default=True, description="a path")
    processed: InnerPath = Field("data/processed", validate_default=True, description=_INNER)


class WorkspaceKeys(Strict):
    """`ctl.toml`."""

    schema_version: int = Field(ge=1, le=1, description="1")
    cycle_id: SafeName = Field(description=f"a name: {SAFE_NAME_TEXT}")
    profile: InnerPath = Field(description=_INNER)
    simulated: bool = Field(False, description="true or false")
    instruments: InnerPath | None = Field(None, description="a file of the workspace, as docs/instruments.md says")
    paths: PathKeys = Field({}, validate_default=True, description="a table")
    vendors: dict[str, VendorKeys] = Field({}, description="a table")
    symbols: dict[str, SymbolKeys] = Field({}, description="a table")
    risk: Annotated[RiskTerms, ReadAs(RiskKeys, RiskKeys.made)] | None = Field(None, description="a table")


def _contradictions(raw: dict[str, Any]) -> Iterator[Rule]:
    """Names that cannot be used, and vendors that are not there."""
    tables = {key: raw[key] if isinstance(raw.get(key), dict) else {} for key in ("vendors", "symbols")}
    for key, table in tables.items():
        for name in table:
            if not is_safe_name(name):
                yield (key, name), shown(name), f"a name: {SAFE_NAME_TEXT}"
    for symbol, entry in tables["symbols"].items():
        if isinstance(entry, dict):
            yield from _sides(symbol, entry, tables["vendors"])
    for name, entry in tables["vendors"].items():
        if isinstance(entry, dict) and not any(key in entry for key in _VENDOR_FILES):
            yield ("vendors", name), "no path of its files", f"one of {', '.join(_VENDOR_FILES)}"
    if isinstance(raw.get("risk"), dict):
        yield from _risk_rules(raw["risk"], tables["symbols"])


def _risk_rules(risk: dict[str, Any], symbols: Mapping[str, Any]) -> Iterator[Rule]:
    """What the parts of [risk] say against each other."""
    capped = risk.get("symbols")
    for name, caps in (capped if isinstance(capped, dict) else {}).items():
        if name not in symbols:
            yield ("risk", "symbols", name), shown(name), "a symbol under [symbols]"
        if isinstance(caps, dict) and ("margin" in caps) != ("max_margin" in caps):
            yield ("risk", "symbols", name), "one of margin and max_margin", "both, or neither"
    rates, currency = risk.get("rates"), risk.get("currency")
    if isinstance(rates, dict) and isinstance(currency, str) and currency in rates:
        yield ("risk", "rates", currency), shown(rates[currency]), f"none for {currency}, which the equity is in"
    listed = risk.get("brakes")
    brakes = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    for number, (before, brake) in enumerate(pairwise(brakes), start=1):
        drawdowns, factors = ([stage.get(key) for stage in (before, brake)] for key in ("drawdown_r", "factor"))
        if not (_rising(drawdowns) and _rising(factors[::-1])):
            found = f"{brake.get('drawdown_r')} R, factor {brake.get('factor')}"
            after = f"{before.get('drawdown_r')} R, factor {before.get('factor')}"
            yield ("risk", "brakes", number), found, f"a deeper drawdown and a smaller factor than {after}"


def _sides(symbol: str, entry: dict[str, Any], vendors: Mapping[str, Any]) -> Iterator[Rule]:
    """What is wrong with the names of a symbol's vendors."""
    listed = entry.get("references", [])
    references = [vendor for vendor in listed if isinstance(vendor, str)] if isinstance(listed, list) else []
    if "reference" in entry and "references" in entry:
        yield ("symbols", symbol, "references"), "reference beside it", "one of the two: reference is the short form"
    for key, vendor in [(side, entry.get(side)) for side in ("canonical", "reference")] + [
        ("references", vendor) for vendor in references
    ]:
        if isinstance(vendor, str) and vendor not in vendors:
            yield ("symbols", symbol, key), shown(vendor), _one_of(vendors)
    for vendor in {vendor for vendor in references if references.count(vendor) > 1}:
        yield ("symbols", symbol, "references"), f"{shown(vendor)} a second time", "each vendor once"


def _rising(values: Sequence[Any]) -> bool:
    """Whether two numbers rise; of anything else its own key is refused."""
    return not all(isinstance(value, int | float) for value in values) or values[0] < values[1]


# ---------------------------------------------------------------- the workspace


@dataclass(frozen=True, slots=True)
class Workspace:
    """A workspace and its paths. Every path is absolute; nothing is created by asking for one.

    instruments: the file of its own or corrected instruments, where it has one. risk: None where there is no table
    [risk]. unfinished: `ctl lock` was killed before it replaced ctl.toml; it was read from the file that waits to.
    """

    root: Path
    cycle_id: str
    profile_path: Path
    simulated: bool
    raw: Path
    processed: Path
    vendors: Mapping[str, VendorConfig]
    symbols: Mapping[str, SymbolConfig]
    config_sha256: str
    instruments: Path | None = None
    risk: RiskTerms | None = None
    unfinished: bool = False

    @classmethod
    def find(cls, start: Path) -> Workspace:
        """The workspace at or above the folder `start`. Raises WorkspaceError where there is none."""
        start = start.absolute()
        for folder in (start, *start.parents):
            if os.path.lexists(folder / FILE_NAME):
                return cls.load(folder)
        raise WorkspaceError(
            "no workspace here or above",
            where=str(start),
            expected=f"a folder with {FILE_NAME}",
            remedy="make one with `ctl demo`, or name one with --workspace or CTL_WORKSPACE",
        )

    @classmethod
    def load(cls, folder: Path) -> Workspace:
        """The workspace in `folder` (or whose ctl.toml is `folder`). Raises WorkspaceError with every problem."""
        path = folder if folder.name == FILE_NAME else folder / FILE_NAME
        try:
            data = strict_files.read_bytes(path)
        except OSError as error:
            raise WorkspaceError(
                "cannot be read",
                where=str(path),
                found=error.strerror or type(error).__name__,
                expected=f"a workspace with {FILE_NAME}",
                remedy="make one with `ctl demo`",
            ) from error
        return _finished(parse(data, path.parent.absolute()))

    @property
    def cycle(self) -> Path:
        """`data/processed/<cycle>`."""
        return self.processed / self.cycle_id

    @property
    def run_summaries(self) -> Path:
        """Folder of run summaries and their trades."""
        return self.cycle / "run_summaries"

    @property
    def ops_logs(self) -> Path:
        """Folder of ops logs."""
        return self.cycle / "ops_logs"

    @property
    def passes(self) -> Path:
        """Folder of the bars that passed gates read, `<stamp>_bars.parquet`."""
        return self.cycle / "passes"

    @property
    def paper_ledger(self) -> Path:
        """The append-only live-sim ledger."""
        return self.cycle / "paper" / "ledger.jsonl"

    @property
    def trials(self) -> Path:
        """Folder of the append-only ledger of variants tried; it outlives the cycle."""
        return self.processed / "trials"

    @property
    def certificates(self) -> Path:
        """Folder with one folder of certificate files per symbol."""
        return self.cycle / "certificates"

    @property
    def decision_log(self) -> Path:
        """The append-only decision log."""
        return self.root / "docs" / "governance" / "decision_log.jsonl"

    @property
    def decision_document(self) -> Path:
        """The decision log as people read it; the founding cycle's name stays with the log that began in it."""
        founding = self.decision_log.with_name("cutover_h2_h3_decision_log.md")
        if self.cycle_id == FOUNDING_CYCLE or founding.exists():
            return founding
        return self.decision_log.with_suffix(".md")

    @property
    def locked_folder(self) -> Path:
        """Folder of what the profile in force was locked on: bars and certificates."""
        return self.cycle / "locked" / self.profile_path.stem

    @property
    def lock_path(self) -> Path:
        """The file of the run lock."""
        return self.root / ".ctl" / "run.lock"

    @property
    def cache_folder(self) -> Path:
        """Folder of what was computed before and can be made again."""
        return self.root / ".ctl" / "cache"

    def certificate_folder(self, symbol: str) -> Path:
        """Folder of one symbol's certificate and its tables."""
        return self.certificates / _name(symbol)

    def certificate_path(self, symbol: str) -> Path:
        """`certificates/<SYM>/<SYM>_certificate.json`."""
        return self.certificate_folder(symbol) / f"{symbol}_certificate.json"

    def manifest_path(self, root: str) -> Path:
        """`continuous/<ROOT>_roll_manifest.json`."""
        return self.cycle / "continuous" / f"{_name(root)}_roll_manifest.json"

    def locked_bars(self, symbol: str, series: str) -> Path:
        """`locked/<profile>/<SYM>_<series>.parquet`: bars that the profile in force was locked on.

        series: `contracts`, `daily`, `adjusted` or `unadjusted`. A folder per profile version, so that writing the next
        one's leaves those of the one in force alone.
        """
        return self.locked_folder / f"{_name(symbol)}_{series}.parquet"

    def vendor_folder(self, vendor: str, symbol: str, within: Path | None = None) -> Path:
        """Folder of one symbol's files of a vendor that keeps a folder per root. Raises WorkspaceError.

        within: another folder of the vendor's than its `path`.
        """
        if vendor not in self.vendors:
            raise WorkspaceError(
                "names an unknown vendor", where=f"symbols.{symbol}", found=vendor, expected=_one_of(self.vendors)
            )
        config = self.symbols.get(symbol)
        called = symbol if config is None else config.vendor_symbols.get(vendor, config.root)
        folder = within or self.vendors[vendor].path
        if folder is None:
            raise WorkspaceError(
                f"vendor {vendor} has no folder of its files", where=str(self.root / FILE_NAME), expected="a path",
                remedy=f"add vendors.{vendor}.path",
            )  # fmt: skip
        return folder / _name(called)

    def symbol(self, name: str) -> SymbolConfig:
        """The configuration of a symbol. Raises WorkspaceError for an unknown one."""
        config = self.symbols.get(name)
        if config is None:
            raise WorkspaceError(
                f"symbol {name} is not configured",
                where=str(self.root / FILE_NAME),
                expected=_one_of(self.symbols),
                remedy=f"add a table [symbols.{name}]",
            )
        return config

    def relative(self, path: Path) -> str:
        """`path` as text: relative to the workspace with forward slashes, where it lies inside."""
        try:
            return path.relative_to(self.root).as_posix()
        except ValueError:
            return path.as_posix()


def parse(data: bytes, root: Path) -> Workspace:
    """Read the bytes of a `ctl.toml` that lies in `root`. Raises WorkspaceError naming every problem."""
    keys, _ = strict_files.read_model(
        data, str(root / FILE_NAME), WorkspaceKeys, WorkspaceError, rules=_contradictions, context={"root": root}
    )
    return Workspace(
        root=root,
        cycle_id=keys.cycle_id,
        profile_path=keys.profile,
        simulated=keys.simulated,
        raw=keys.paths.raw,
        processed=keys.paths.processed,
        vendors={
            name: VendorConfig.model_construct(**dict(vendor), name=name) for name, vendor in keys.vendors.items()
        },
        symbols={
            name: SymbolConfig.model_construct(
                **{**dict(symbol), "root": symbol.root or name, **_references(symbol)}, symbol=name
            )
            for name, symbol in keys.symbols.items()
        },
        config_sha256=sha256_bytes(data),
        instruments=keys.instruments,
        risk=keys.risk,
    )


def _finished(named: Workspace) -> Workspace:
    """The workspace as a lock that was killed after its entry left it: with the profile that the log puts in force.

    The file that waits to replace ctl.toml counts only where it differs from it in nothing but profile and cycle, and
    names the profile of the log's newest lock entry. Else it was left before the entry, and says nothing.
    """
    try:
        waiting = parse(strict_files.read_bytes(named.root / WAITING_NAME), named.root)
        entries = [json.loads(line) for line in strict_files.read_bytes(named.decision_log, 1 << 26).splitlines()]
        newest = next(entry["profiles"][-1]["path"] for entry in reversed(entries) if entry["lock"])
    except (OSError, ValueError, LookupError, TypeError, StopIteration, WorkspaceError):
        return named  # the chain is held where the lock is read: whoever needs the log says what is wrong with it
    as_named = replace(
        waiting, profile_path=named.profile_path, cycle_id=named.cycle_id, config_sha256=named.config_sha256
    )
    if as_named != named or waiting.relative(waiting.profile_path) != newest:
        return named
    return replace(waiting, unfinished=waiting.profile_path != named.profile_path)


def _references(keys: SymbolKeys) -> dict[str, Any]:
    """The references in the order in which they are named, and the first of them."""
    named = keys.references or (() if keys.reference is None else (keys.reference,))
    return {"references": named, "reference": named[0] if named else None}


def _one_of(names: Mapping[str, Any]) -> str:
    return f"one of {', '.join(names)}" if names else "a vendor under [vendors]"


def _name(name: str) -> str:
    """`name`, if it can stand as one part of a path."""
    if not is_safe_name(name):
        raise WorkspaceError("is not a usable name", found=repr(name), expected=SAFE_NAME_TEXT)
    return name
