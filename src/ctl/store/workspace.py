"""The workspace: a folder with `ctl.toml`, read strictly, and every path inside it.

Symbols, vendors and cycles become parts of paths only after they have been checked as names.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, Literal, get_args

from ctl.digests import sha256_bytes
from ctl.errors import WorkspaceError
from ctl.model.bars import AdjustmentBasis
from ctl.model.names import SAFE_NAME_TEXT, is_safe_name
from ctl.model.orders import RiskTerms

FILE_NAME: Final = "ctl.toml"

AssetClass = Literal["future", "equity"]


@dataclass(frozen=True, slots=True)
class VendorConfig:
    """`[vendors.<name>]`. mapping: the columns of a generic CSV, as written; publisher: of Databento files.

    Folders with one sub-folder per root, None where the vendor has none: statistics (settlements), intraday
    (`ohlcv-1h` or `ohlcv-1m`), both of format databento; contracts: a reference's bars per contract, read with
    contracts_mapping where it is not empty. They inform a certificate and never decide it.
    """

    name: str
    format: str
    path: Path
    publisher: int | None = None
    mapping: Mapping[str, Any] = field(default_factory=dict)
    statistics: Path | None = None
    intraday: Path | None = None
    contracts: Path | None = None
    contracts_mapping: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SymbolConfig:
    """`[symbols.<name>]`. tick in quote units, point_value in currency per quote unit.

    canonical, reference: names of vendors; reference None where the symbol has none.
    vendor_symbols: what a vendor calls this symbol, where it differs. actions: file of splits and
    dividends of an equity, inside the workspace. common_basis: the adjustment basis on which an equity's two vendors
    are compared; without it, prices of different bases are not.
    """

    symbol: str
    asset_class: AssetClass
    root: str
    calendar: str
    tick: float
    point_value: float
    currency: str
    quote_unit: str
    canonical: str
    reference: str | None = None
    vendor_symbols: Mapping[str, str] = field(default_factory=dict)
    actions: Path | None = None
    common_basis: AdjustmentBasis | None = None


@dataclass(frozen=True, slots=True)
class Workspace:
    """A workspace and its paths. Every path is absolute; nothing is created by asking for one.

    risk: None where there is no table [risk].
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
    risk: RiskTerms | None = None

    @classmethod
    def find(cls, start: Path) -> Workspace:
        """The workspace at or above the folder `start`. Raises WorkspaceError where there is none."""
        start = start.absolute()
        for folder in (start, *start.parents):
            if (folder / FILE_NAME).is_file():
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
            data = path.read_bytes()
        except OSError as error:
            raise WorkspaceError(
                "cannot be read",
                where=str(path),
                found=error.strerror or type(error).__name__,
                expected=f"a workspace with {FILE_NAME}",
                remedy="make one with `ctl demo`",
            ) from error
        return parse(data, path.parent.absolute())

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
    def paper_ledger(self) -> Path:
        """The append-only live-sim ledger."""
        return self.cycle / "paper" / "ledger.jsonl"

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
        """The decision log as people read it."""
        return self.decision_log.with_suffix(".md")

    @property
    def locked_folder(self) -> Path:
        """Folder of what the profile in force was locked on: bars and certificates."""
        return self.cycle / "locked" / self.profile_path.stem

    @property
    def lock_path(self) -> Path:
        """The file of the run lock."""
        return self.root / ".ctl" / "run.lock"

    def certificate_folder(self, symbol: str) -> Path:
        """Folder of one symbol's certificate and its tables."""
        return self.certificates / _name(symbol)

    def certificate_path(self, symbol: str) -> Path:
        """`certificates/<SYM>/<SYM>_certificate.json`."""
        return self.certificate_folder(symbol) / f"{symbol}_certificate.json"

    def continuous_path(self, root: str) -> Path:
        """`continuous/<ROOT>_continuous.parquet`."""
        return self.cycle / "continuous" / f"{_name(root)}_continuous.parquet"

    def manifest_path(self, root: str) -> Path:
        """`continuous/<ROOT>_roll_manifest.json`."""
        return self.cycle / "continuous" / f"{_name(root)}_roll_manifest.json"

    def locked_bars(self, symbol: str) -> Path:
        """`locked/<profile>/<SYM>_bars.parquet`: the bars that the profile in force was locked on.

        A folder per profile version, so that writing the next one's leaves those of the one in force alone.
        """
        return self.locked_folder / f"{_name(symbol)}_bars.parquet"

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
        return (within or self.vendors[vendor].path) / _name(called)

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
    where = str(root / FILE_NAME)
    try:
        raw = tomllib.loads(data.decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise WorkspaceError("is not TOML", where=where, found=str(error) or type(error).__name__) from error
    problems: list[str] = []
    top = _Table(raw, "", problems)
    version = top.take("schema_version", _integer, "1")
    if version is not None and version != 1:
        problems.append(f"schema_version: found {version}; expected 1")
    cycle_id = top.take("cycle_id", _safe, f"a name: {SAFE_NAME_TEXT}")
    profile = top.take("profile", _inside, "a path inside the workspace")
    simulated = top.take("simulated", _boolean, "true or false", default=False)
    paths = top.table("paths", required=False)
    raw_path = paths.take("raw", _anywhere, "a path", default="data/raw")
    processed = paths.take("processed", _inside, "a path inside the workspace", default="data/processed")
    paths.close()
    vendors = {name: _vendor(name, table, root) for name, table in top.tables("vendors")}
    symbols = {name: _symbol(name, table, root, vendors) for name, table in top.tables("symbols")}
    risk = _risk(top.table("risk", required=False)) if "risk" in raw else None
    top.optional("risk")
    top.close()
    if problems:
        raise WorkspaceError("cannot be used: " + "; ".join(problems), where=where)
    return Workspace(
        root=root,
        cycle_id=str(cycle_id),
        profile_path=root / str(profile),
        simulated=bool(simulated),
        raw=root / str(raw_path),
        processed=root / str(processed),
        vendors=vendors,
        symbols=symbols,
        config_sha256=sha256_bytes(data),
        risk=risk,
    )


def _vendor(name: str, table: _Table, root: Path) -> VendorConfig:
    form = table.take("format", _text, "a vendor format")
    path = table.take("path", _anywhere, "a path")
    publisher = table.take("publisher", _integer, "a publisher id", default=None)
    mapping = table.take("mapping", _mapping, "a table", default={})
    folders = {
        key: _under(root, table.take(key, _databento_only(form), expected, default=None))
        for key, expected in (("statistics", _DATABENTO_FOLDER), ("intraday", _DATABENTO_FOLDER))
    }
    contracts = _under(root, table.take("contracts", _anywhere, "a path", default=None))
    contracts_mapping = table.take("contracts_mapping", _mapping, "a table", default={})
    table.close()
    return VendorConfig(
        name, str(form), root / str(path), publisher, mapping or {}, **folders, contracts=contracts,
        contracts_mapping=contracts_mapping or {},
    )  # fmt: skip


_DATABENTO_FOLDER: Final = "a path, of a vendor whose format is databento"


def _databento_only(form: Any) -> Callable[[Any], str]:
    """A path, for vendors of Databento's format alone: no other ships such files."""

    def read(value: Any) -> str:
        if form != "databento":
            raise ValueError
        return _anywhere(value)

    return read


def _symbol(name: str, table: _Table, root: Path, vendors: Mapping[str, VendorConfig]) -> SymbolConfig:
    vendor = _one_of(vendors)

    def known(value: Any) -> str:
        if value not in vendors:
            raise ValueError
        return str(value)

    asset_class = table.take("asset_class", _asset_class, "future or equity", default="future")

    def of_equity(read: Callable[[Any], str]) -> Callable[[Any], str]:
        def taken(value: Any) -> str:
            if asset_class != "equity":
                raise ValueError
            return read(value)

        return taken

    bases = "raw, split_adjusted or total_return, of an equity"
    config = SymbolConfig(
        symbol=name,
        asset_class=asset_class,
        root=table.take("root", _safe, f"a root: {SAFE_NAME_TEXT}", default=name),
        calendar=table.take("calendar", _text, "the name of an exchange calendar"),
        tick=table.take("tick", _positive, "a number above 0"),
        point_value=table.take("point_value", _positive, "a number above 0"),
        currency=table.take("currency", _text, "a currency code"),
        quote_unit=table.take("quote_unit", _text, "the unit that prices are quoted in"),
        canonical=table.take("canonical", known, vendor),
        reference=table.take("reference", known, vendor, default=None),
        vendor_symbols=table.take("vendor_symbols", _names, "a table of vendor = symbol", default={}),
        actions=_under(root, table.take("actions", _inside, "a path inside the workspace", default=None)),
        common_basis=table.take("common_basis", of_equity(_basis), bases, default=None),
    )
    table.close()
    return config


def _risk(table: _Table) -> RiskTerms | None:
    """The risk budget; None, with problems noted, where it cannot be used."""
    taken = {
        "equity": table.take("equity", _positive, "a number above 0"),
        "currency": table.take("currency", _text, "a currency code"),
        "r_percent": table.take("r_percent", _percent, "a percentage above 0, at most 100"),
        **{name: table.take(name, _positive, "R above 0") for name in _CAPS},
        "drawdown_factor": table.take("drawdown_factor", _share, "a number above 0, at most 1"),
        "rates": table.take("rates", _rates, "a table of currency = number above 0", default={}),
        "since": table.take("since", _date, "a date, YYYY-MM-DD", default=None),
    }
    table.close()
    required = [value for name, value in taken.items() if name != "since"]
    return None if any(value is None for value in required) else RiskTerms(**taken)


_CAPS: Final = ("max_open_r", "max_daily_loss_r", "max_weekly_loss_r", "max_monthly_loss_r", "drawdown_threshold_r")


def _under(root: Path, path: str | None) -> Path | None:
    return None if path is None else root / path


_ABSENT: Final = object()


class _Table:
    """One TOML table being taken apart; what is left at `close` is unknown."""

    def __init__(self, values: Mapping[str, Any], path: str, problems: list[str]) -> None:
        self._left = dict(values)
        self._known: list[str] = []
        self._path = path
        self._problems = problems

    def take(self, key: str, read: Callable[[Any], Any], expected: str, *, default: Any = _ABSENT) -> Any:
        """The value of `key` as `read` accepts it; None, with a problem noted, where it does not."""
        self._known.append(key)
        value = self._left.pop(key, _ABSENT)
        if value is _ABSENT:
            if default is _ABSENT:
                self._problems.append(f"{self._path}{key}: found nothing; expected {expected}")
                return None
            return default
        try:
            return read(value)
        except (ValueError, TypeError):
            self._problems.append(f"{self._path}{key}: found {_shown(value)}; expected {expected}")
            return None

    def table(self, key: str, *, required: bool) -> _Table:
        """The sub-table `key`, empty where it is absent."""
        values = self.take(key, _mapping, "a table", **({} if required else {"default": {}}))
        return _Table(values or {}, f"{self._path}{key}.", self._problems)

    def tables(self, key: str) -> list[tuple[str, _Table]]:
        """The sub-tables of the table `key`, whose names must be safe names."""
        values = self.take(key, _mapping, "a table", default={}) or {}
        found: list[tuple[str, _Table]] = []
        for name, entry in values.items():
            if not is_safe_name(name):
                self._problems.append(f"{key}.{_shown(name)}: found {_shown(name)}; expected a name: {SAFE_NAME_TEXT}")
            elif not isinstance(entry, dict):
                self._problems.append(f"{key}.{name}: found {_shown(entry)}; expected a table")
            else:
                found.append((name, _Table(entry, f"{key}.{name}.", self._problems)))
        return found

    def optional(self, key: str) -> None:
        """Name a key that may be absent among those that are known."""
        if key not in self._known:
            self._known.append(key)

    def close(self) -> None:
        """Note every key that nobody took."""
        for key in self._left:
            name = " ".join(key.split())[:60]
            known = ", ".join(self._known)
            self._problems.append(f"{self._path}{name}: found an unknown key; expected one of {known}")


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or any(ord(char) < 32 for char in value):
        raise ValueError
    return value


def _safe(value: Any) -> str:
    if not isinstance(value, str) or not is_safe_name(value):
        raise ValueError
    return value


def _anywhere(value: Any) -> str:
    text = _text(value)
    if ".." in Path(text).parts:
        raise ValueError
    return text


def _inside(value: Any) -> str:
    text = _anywhere(value)
    if Path(text).is_absolute():
        raise ValueError
    return text


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    return value


def _positive(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value <= 0:
        raise ValueError
    return float(value)


def _percent(value: Any) -> float:
    number = _positive(value)
    if number > 100:
        raise ValueError
    return number


def _share(value: Any) -> float:
    number = _positive(value)
    if number > 1:
        raise ValueError
    return number


def _rates(value: Any) -> dict[str, float]:
    return {str(key): _positive(item) for key, item in _mapping(value).items()}


def _date(value: Any) -> date:
    if isinstance(value, datetime) or not isinstance(value, date):
        raise TypeError
    return value


def _asset_class(value: Any) -> str:
    if value not in ("future", "equity"):
        raise ValueError
    return str(value)


def _basis(value: Any) -> str:
    if value not in get_args(AdjustmentBasis):
        raise ValueError
    return str(value)


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError
    return value


def _names(value: Any) -> dict[str, str]:
    return {str(key): _text(item) for key, item in _mapping(value).items()}


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a table"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _one_of(names: Mapping[str, Any]) -> str:
    return f"one of {', '.join(names)}" if names else "a vendor under [vendors]"


def _name(name: str) -> str:
    """`name`, if it can stand as one part of a path."""
    if not is_safe_name(name):
        raise WorkspaceError("is not a usable name", found=repr(name), expected=SAFE_NAME_TEXT)
    return name
