"""A workspace made from the data files of a folder: ctl.toml, and a first profile of what the data derive."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from ctl import ingest, operating_profile, store
from ctl.errors import CtlError, GateRefused, InputError, UsageError
from ctl.flows import inputs, lock, pipeline, portfolio
from ctl.flows.data_report import no_rate
from ctl.flows.found_files import FoundFile, FoundFiles, tokens_of
from ctl.model.findings import Decision, Recommendation, counted
from ctl.model.names import is_safe_name
from ctl.model.recommendation import recommend
from ctl.since_lock import staleness
from ctl.store.workspace import parse

if TYPE_CHECKING:
    from ctl.model.actions import CorporateActions
    from ctl.model.bars import AdjustmentBasis, DailySeries
    from ctl.model.certificate import Certificate
    from ctl.model.instruments import Instrument, Instruments
    from ctl.store import SymbolConfig

CONFIG: Final = "ctl.toml"
PROFILE: Final = "configs/cutover/operating_profile_v1.yaml"

_DATES: Final = re.compile(r"(?<!\d)(?:\d{8}|\d{4}-\d{2}-\d{2})(?!\d)")
_SPACES: Final = re.compile(r"\s+")
_ACTIONS: Final = "data/raw/actions"
_NAMED_FORMATS: Final = ("tradestation", "norgate")
"""Formats whose own names say what is adjusted and what is not."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a person chose; where nothing, the likely thing is taken and said.

    symbols: none is every one with files of two vendors. references: in their order, the first decides.
    """

    symbols: tuple[str, ...] = ()
    canonical: str | None = None
    references: tuple[str, ...] = ()
    equity: float | None = None


@dataclass(frozen=True, slots=True)
class DraftSymbol:
    """A symbol's table of ctl.toml. actions: of an equity, as its canonical file or its reference states them;
    common_basis: on which both can be compared.
    """

    symbol: str
    asset_class: str
    calendar: str
    tick: float
    point_value: float
    currency: str
    quote_unit: str
    canonical: str
    references: tuple[str, ...]
    actions: CorporateActions | None = None
    common_basis: AdjustmentBasis | None = None


@dataclass(frozen=True, slots=True)
class DraftVendor:
    """A vendor's table of ctl.toml. keys: path or patterns. called: what it calls a symbol, where it differs."""

    name: str
    form: str
    keys: Mapping[str, str]
    called: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Draft:
    """A workspace to be written. notes: what was assumed, and the option that says otherwise. equity: what 1 R is a
    share of; None where nobody said. instruments: whether the folder has an instruments file of its own.
    """

    symbols: tuple[DraftSymbol, ...]
    vendors: tuple[DraftVendor, ...]
    notes: tuple[str, ...]
    equity: float | None
    instruments: bool


@dataclass(frozen=True, slots=True)
class InitSymbol:
    """What the data derive of one symbol. failed: texts of what must be mended before it can be locked.

    certificate: where it was written; None where none could be made. follow: settings of a profile, as `--set` takes
    them, that make our rolls those of the reference where rolls are what fails.
    """

    symbol: str
    canonical: str
    references: tuple[str, ...]
    derived: str
    detail: str
    failed: tuple[str, ...]
    certificate: str | None
    follow: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class InitResult:
    """What `ctl init` made. profile: None where no symbol, or one that was named, derives what it can expect.

    stale: that the gate will refuse the data for their age, and whose; empty where they are fresh enough.
    """

    timestamp: datetime
    workspace: str
    configuration: str
    profile: str | None
    recommendation: Recommendation | None
    symbols: tuple[InitSymbol, ...]
    notes: tuple[str, ...]
    unused: tuple[str, ...]
    stale: str = ""
    kind: Literal["init"] = "init"


# ---------------------------------------------------------------- the draft


def draft(found: FoundFiles, root: Path, answers: Answers) -> Draft:
    """The workspace that the files allow. Raises UsageError for an answer that they do not, InputError for none."""
    notes: list[str] = []
    pairs = found.pairs()
    unknown = [symbol for symbol in answers.symbols if symbol not in pairs]
    if unknown:
        raise UsageError(
            "--symbol names no symbol of the files", found=", ".join(unknown), expected=", ".join(pairs) or "none"
        )
    chosen = answers.symbols or likely_symbols(found)
    for symbol in pairs.keys() - set(chosen) if not answers.symbols else ():
        there = ", ".join(sorted({file.vendor for file in found.files if file.symbol == symbol}))
        kinds = "contracts and no series" if symbol in found.futures else "a series"
        notes.append(
            f"{symbol} left out: {kinds} of {there} alone; a second vendor's series is what it is compared with"
        )
    notes.sort()
    if not chosen:
        there = "; ".join(
            f"{symbol} of {', '.join(dict.fromkeys(ours + theirs))}" for symbol, (ours, theirs) in pairs.items()
        )
        raise InputError(
            "no symbol has files of two vendors", where=str(found.folder), found=there,
            expected="canonical files and a reference's", remedy="add the other vendor's files, then run again",
            code="REFERENCE_MISSING",
        )  # fmt: skip
    symbols: list[DraftSymbol] = []
    assumed: dict[str, list[str]] = {}
    vendors: list[DraftVendor] = []
    left_out: list[CtlError] = []
    for symbol in chosen:
        said: list[str] = []
        try:
            each = _symbol(found, symbol, answers, said)
            places = [_places(name, found, symbol, root) for name in (each.canonical, *each.references)]
        except CtlError as error:
            if symbol in answers.symbols:
                raise
            left_out.append(error)
            notes.append(f"{symbol} left out: {error}")
            continue
        canonical, *references = (_joined(vendors, place) for place in places)
        symbols.append(replace(each, canonical=canonical, references=tuple(references)))
        for text in said:
            assumed.setdefault(text, []).append(symbol)
    if not symbols:
        raise left_out[0]
    notes += [f"{', '.join(names)}: {text}" for text, names in assumed.items()]
    return Draft(
        tuple(symbols), tuple(vendors), tuple(notes), answers.equity, (root / inputs.OWN_INSTRUMENTS).is_file()
    )


def likely_symbols(found: FoundFiles) -> tuple[str, ...]:
    """The symbols that one vendor can trade on and another be compared with."""
    return tuple(
        symbol for symbol, (ours, theirs) in found.pairs().items() if any(a != b for a in ours for b in theirs)
    )


def _symbol(found: FoundFiles, symbol: str, answers: Answers, notes: list[str]) -> DraftSymbol:
    future, (ours, theirs) = symbol in found.futures, found.pairs()[symbol]
    for option, names, able in (
        ("--canonical", (answers.canonical,), ours),
        ("--reference", answers.references, theirs),
    ):
        for name in names:
            if name is not None and name not in able:
                what = "contracts" if option == "--canonical" and future else "series"
                raise UsageError(f"{option}: no vendor with {what} of {symbol}", found=name, expected=", ".join(able))
    free = [vendor for vendor in ours if vendor not in answers.references]
    canonical = answers.canonical or next((vendor for vendor in free if set(theirs) - {vendor}), None)
    references = answers.references or tuple(vendor for vendor in theirs if vendor != canonical)
    if canonical is None or not references or canonical in references:
        raise UsageError(f"{symbol} needs a canonical vendor and another one as reference",
                         found=f"{canonical or 'none'} and {', '.join(references) or 'none'}")  # fmt: skip
    if answers.canonical is None:
        notes.append(f"{canonical} taken as canonical; --canonical NAME says otherwise")
    files = [file for file in found.files if file.symbol == symbol and file.vendor == canonical]
    if not future:
        actions = _actions(found, symbol, (canonical, *references))
        own = _series_of(found, symbol, canonical)
        basis = None if actions is None else _common_basis(own, _series_of(found, symbol, references[0]), actions)
        return DraftSymbol(
            symbol, "equity", "XNYS", _grid(own), 1.0, "USD", "USD", canonical, references, actions, basis
        )
    known = found.instruments.get(symbol)
    if known is None:
        raise InputError(
            f"no reference data of root {symbol}", where=str(files[0].path), expected="a root that ctl knows",
            remedy=f"say its tick, point value, currency and calendar in {inputs.OWN_INSTRUMENTS} of the workspace's "
            "folder (docs/instruments.md) and make the workspace anew",
        )  # fmt: skip
    tick, point_value, unit = _in_unit(known, files[0].quote_unit)
    return DraftSymbol(symbol, "future", known.calendar, tick, point_value, known.currency, unit, canonical, references)


def _in_unit(known: Instrument, unit: str) -> tuple[float, float, str]:
    """Tick, point value and unit of an instrument in the unit that a file quotes."""
    if unit in ("", known.quote_unit):
        return known.tick, known.point_value, known.quote_unit
    if unit.replace("US cents", "USD") == known.quote_unit:
        return round(known.tick * 100, 12), round(known.point_value / 100, 12), unit
    raise InputError(
        f"files of {known.root} are in another unit", found=unit, expected=known.quote_unit,
        remedy="write ctl.toml by hand (docs/workspace.md)",
    )  # fmt: skip


def _series_of(found: FoundFiles, symbol: str, vendor: str) -> DailySeries:
    """A vendor's series of an equity: its adjusted one where it has both, as readers take it."""
    files = [file for file in found.files if (file.symbol, file.vendor) == (symbol, vendor)]
    file = next((file for file in reversed(files) if file.kind == "adjusted"), files[-1])
    series = ingest.read_series(file.path, symbol=None, instruments=found.instruments)
    return inputs.as_printed(series) if file.form == "databento" else series


def _common_basis(ours: DailySeries, theirs: DailySeries, actions: CorporateActions) -> AdjustmentBasis:
    """The first basis that both can be brought to; adjustments cannot be taken out again."""
    from ctl import equity_basis

    bases: tuple[AdjustmentBasis, ...] = ("split_adjusted", "total_return")
    able = (basis for basis in bases if equity_basis.align(ours, theirs, actions, declared=basis).refusal is None)
    return next(able, bases[0])


def _grid(series: DailySeries) -> float:
    """The coarsest usual tick on whose grid nearly all closes of an equity lie."""
    closes = series.frame["close"].to_numpy()
    for tick in _TICKS:
        if np.mean(np.abs(closes / tick - np.round(closes / tick)) < _ON_GRID) > _NEARLY_ALL:
            return tick
    return _TICKS[-1]


_TICKS: Final = (0.01, 0.005, 0.001, 0.0001)
_ON_GRID: Final = 0.01
_NEARLY_ALL: Final = 0.995


def _actions(found: FoundFiles, symbol: str, vendors: Sequence[str]) -> CorporateActions | None:
    """The splits and dividends of an actions file, else those that the file of bars reaching back furthest states.

    An actions file bears the symbol in its name.
    """
    for path in found.actions:
        if symbol in tokens_of(path):
            return ingest.read_actions(path)
    files = [file for file in found.files if file.symbol == symbol and file.vendor in vendors]
    for file in sorted(files, key=lambda file: file.first):
        if not re.search(r"\.(csv|txt)(\.gz|\.zst)?$", file.path.name.lower()):
            continue
        series = ingest.read_series(file.path, symbol=None, instruments=found.instruments)
        stated = ingest.stated_actions(file.path, series.frame["session"].to_physical().to_numpy())
        if stated is not None:
            return stated
    return None


# ---------------------------------------------------------------- where a vendor's files lie


def _places(name: str, found: FoundFiles, symbol: str, root: Path) -> DraftVendor:
    """Where one vendor's files of one symbol lie."""
    files = [file for file in found.files if file.vendor == name and file.symbol == symbol]
    keys: dict[str, str] = {}
    called: dict[str, str] = {}
    for kind in sorted({file.kind for file in files}):
        same = [file for file in files if file.kind == kind]
        folder = same[0].path.parent
        if kind != "contracts" and len({file.path.parent for file in same}) > 1:
            raise UsageError(
                f"files of {symbol} from {name} lie in several folders", found=", ".join(str(f.path) for f in same[:4]),
                expected="one folder", remedy="move the others away",
            )  # fmt: skip
        if kind != "contracts" and _named_as_usual(same, symbol):
            key, pattern, other = "path", folder, None
        elif kind == "contracts" and (len(same) > 1 or folder.name == symbol):
            key, pattern, other = kind, *_folder_pattern(folder, symbol, same, found)
        else:
            key, pattern, other = kind, *_file_pattern(same, symbol)
        keys[key] = _relative(pattern, root)
        if called.setdefault(symbol, other or symbol) != (other or symbol):
            raise UsageError(
                f"files of {symbol} from {name} call it by several names", found=f"{called[symbol]} and {other}",
                expected="one name", remedy="rename the files",
            )  # fmt: skip
    beside = [each for each in found.beside if (each.vendor, each.symbol) == (name, symbol)]
    for each in beside if "contracts" in keys else ():
        folder, named = each.path.parent, each.path.name.startswith(symbol)
        pattern = folder.parent / "{root}" if folder.name == symbol else folder / ("{root}*" if named else "*{root}*")
        keys[each.kind] = _relative(pattern, root)
    forms = {file.form for file in files}
    if len(forms) > 1:
        raise UsageError(
            f"files of {symbol} from {name} are of several formats", found=", ".join(sorted(forms)), expected="one",
            remedy="put each vendor's files into a folder of its name",
        )  # fmt: skip
    return DraftVendor(name, files[0].form, keys, {symbol: text for symbol, text in called.items() if text != symbol})


def _joined(vendors: list[DraftVendor], places: DraftVendor) -> str:
    """The name under which `vendors` holds the places: the vendor's own, or where its files of another symbol are
    named otherwise, one with a number.
    """
    number = 1
    while True:
        name = places.name if number == 1 else f"{places.name}_{number}"
        at = next((at for at, vendor in enumerate(vendors) if vendor.name == name), None)
        if at is None:
            vendors.append(replace(places, name=name))
            return name
        known = vendors[at]
        if known.form == places.form and all(known.keys.get(key, text) == text for key, text in places.keys.items()):
            both = {**known.called, **places.called}
            vendors[at] = replace(known, keys={**known.keys, **places.keys}, called=both)
            return name
        number += 1


def _named_as_usual(same: Sequence[FoundFile], symbol: str) -> bool:
    """Whether a format whose names say what is adjusted finds these files by their names."""
    if same[0].form not in _NAMED_FORMATS:
        return False
    found = ingest.find_files(same[0].form, same[0].path.parent, symbol)
    return any(file.path in (*found.adjusted, *found.unadjusted) for file in same)


def _folder_pattern(folder: Path, symbol: str, same: Sequence[FoundFile], found: FoundFiles) -> tuple[Path, str | None]:
    """The pattern of several contract files, and what the vendor calls the symbol in it."""
    alone = all(file in same for file in found.files if file.path.parent == folder)
    if alone and all(file.path.parent == folder for file in same) and folder != found.folder:
        return folder.parent / "{symbol}", folder.name
    if all(file.path.parent == folder and file.path.name.startswith(symbol) for file in same):
        return folder / "{root}*", None
    raise UsageError(
        f"contract files of {symbol} lie beside others", where=str(folder),
        expected=f"a folder of their own, or names that start with {symbol}",
    )  # fmt: skip


def _file_pattern(same: Sequence[FoundFile], symbol: str) -> tuple[Path, str | None]:
    """The pattern of one file, or of exports of several dates, and what the vendor calls the symbol in it."""
    path = same[-1].path
    match = re.search(rf"(?<![A-Za-z0-9]){re.escape(symbol)}(?![A-Za-z0-9])", path.name, re.IGNORECASE)
    if match is None and path.parent.name == symbol:
        return path.parent.with_name("{symbol}") / _DATES.sub("*", path.name), None
    if match is None:
        stem = tokens_of(path)
        start = path.name[: path.name.index(stem[-1]) + len(stem[-1])] if stem else path.stem
        if not is_safe_name(start):
            raise UsageError("the file's name does not say its symbol", where=str(path), expected=f"{symbol} in it")
        return path.with_name("{symbol}" + path.name[len(start) :]), start
    # Dates in names are those of this export: the next one's differ.
    before, after = (_DATES.sub("*", part) for part in (path.name[: match.start()], path.name[match.end() :]))
    return path.with_name(f"{before}{{symbol}}{after}"), match[0]


def _relative(path: Path, root: Path) -> str:
    path = path.absolute()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


# ---------------------------------------------------------------- ctl.toml


_TEXTS: Final = {
    "adjusted": "back-adjusted series",
    "unadjusted": "series as it was quoted",
    "contracts": "bars per contract",
    "path": "the folder of its files; their names say which is which",
    "statistics": "settlements",
    "intraday": "bars of an hour or a minute",
}


def configuration(made: Draft) -> bytes:
    """The text of ctl.toml; every key carries a comment."""
    lines = [
        "# Workspace made by `ctl init`. All keys, with types and defaults: docs/workspace.md.",
        _line("schema_version", 1, "form of this file"),
        _line("cycle_id", "cutover_v1", "name of this cutover: the folder under data/processed"),
        _line("profile", PROFILE, "the operating profile in force"),
        *(
            [_line("instruments", inputs.OWN_INSTRUMENTS, "what the package does not know of roots")]
            if made.instruments
            else []
        ),
    ]
    for vendor in made.vendors:
        lines += ["", f"[vendors.{_name(vendor.name)}]", _line("format", vendor.form, "the reader's name")]
        lines += [_line(key, text, _TEXTS[key]) for key, text in vendor.keys.items()]
    for each in made.symbols:
        lines += [
            "",
            f"[symbols.{_name(each.symbol)}]",
            _line("asset_class", each.asset_class, "future or equity"),
            _line("calendar", each.calendar, "the exchange's sessions"),
            _line("tick", each.tick, "smallest price step, in quote units"),
            _line("point_value", each.point_value, "money for one quote unit of one contract or share"),
            _line("currency", each.currency, "of the point value"),
            _line("quote_unit", each.quote_unit, "what one unit of price is"),
            _line("canonical", each.canonical, "the vendor that is traded on"),
            _line("references", list(each.references), "what it is compared with; the first decides"),
        ]
        called = {vendor.name: vendor.called[each.symbol] for vendor in made.vendors if each.symbol in vendor.called}
        if called:
            inner = ", ".join(f"{_name(name)} = {_value(text)}" for name, text in called.items())
            lines.append(f"vendor_symbols = {{ {inner} }}  # what a vendor calls it, {{symbol}} in its patterns")
        if each.actions is not None:
            lines += [
                _line("actions", f"{_ACTIONS}/{each.symbol}.csv", "splits and dividends, as the vendor's file states"),
                _line("common_basis", each.common_basis, "the basis on which both vendors are compared"),
            ]
    return "\n".join([*lines, "", *_risk(made), ""]).encode()


_CAPS: Final = (
    ("r_percent", 1.0, "1 R, what a trade is sized to lose, in per cent of the equity"),
    ("max_open_r", 4.0, "R that all open trades may lose together"),
    ("max_daily_loss_r", 2.0, "R lost in a session, after which nothing is entered"),
    ("max_weekly_loss_r", 4.0, "the same of a week"),
    ("max_monthly_loss_r", 6.0, "the same of a month"),
    ("min_risk_atr_sizing", 1.0, "ATRs that one contract is taken to risk at least: a stop acts on a close"),
)
_BRAKES: Final = ((8.0, 0.5, "orders are this much smaller"), (16.0, 0.0, "new entries are halted"))


def _risk(made: Draft) -> list[str]:
    """The table of the risk budget; without an equity it stays a comment, for nobody else can say what is at risk."""
    currencies = [each.currency for each in made.symbols]
    table = [
        "[risk]",
        _line("equity", made.equity or 1_000_000.0, "money that the budget is a share of"),
        _line("currency", max(currencies, key=currencies.count), "of the equity"),
        *(_line(name, value, comment) for name, value, comment in _CAPS),
    ]
    for drawdown, factor, comment in _BRAKES:
        table += [
            "[[risk.brakes]]",
            _line("drawdown_r", drawdown, "R below the highest level since the first live session from which on"),
            _line("factor", factor, comment),
        ]
    if made.equity is not None:
        return table
    return [
        "# Orders are sized by this table: say your equity and take the marks away.",
        *(f"#{each}" for each in table),
    ]


def _line(key: str, value: object, comment: str) -> str:
    return f"{key} = {_value(value)}  # {comment}"


def _value(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _name(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)


# ---------------------------------------------------------------- the profile


def _profile(
    symbols: Sequence[SymbolConfig], statuses: Mapping[str, str], recommendation: str, cycle: str, instant: datetime,
    instruments: Instruments, watched: Mapping[str, str] = MappingProxyType({}),
) -> bytes:  # fmt: skip
    """The text of the first profile, without its lock. watched: symbols that cannot gate yet, and why."""
    lines = [
        "# Operating profile made by `ctl init`: the machine-readable lock of this cutover. All keys: docs/profile.md.",
        "# The gate derives every status anew from the data on disk and refuses the run where one differs.",
        "# To change it write the next version: `ctl lock --reason TEXT`.",
        "schema_version: 1  # form of this file",
        f"cycle_id: {_value(cycle)}  # as in ctl.toml",
        f"locked_date: {instant.date()}",
        f"portfolio_recommendation: {recommendation}  # follows from the expected statuses",
        "portfolio_scope: all  # a name for the reader",
        "gating_universe:  # symbols that must hold before anything runs",
        *(f"  - {_value(each.symbol)}" for each in symbols),
        "non_gating_symbols:  # symbols that are watched and hold nothing up"
        if watched
        else "non_gating_symbols: {}  # symbols that are watched and hold nothing up",
        *(
            f"  {_value(name)}: {{role: to be mended, reason: {_value(_SPACES.sub(' ', why)[:200])}}}"
            for name, why in watched.items()
        ),
        "symbol_settings:",
    ]
    for each in symbols:
        lines += [
            f"  {_value(each.symbol)}:",
            f"    tick_size: {each.tick}  # quote units",
            f"    max_day_delta: {lock.FIRST_DAY_DELTA}  # trading days that paired rolls may lie apart",
            f"    expected_status: {statuses[each.symbol]}  # what the data derived on {instant.date()}",
            f"    slippage_per_side: {each.tick}  # quote units; `ctl calibrate slippage` estimates it",
            f"    quote_unit: {_value(each.quote_unit)}  # what one unit of price is",
            f"    asset_class: {each.asset_class}  # future or equity",
            f"    reference: {_value(each.reference)}  # the vendor that decides",
        ]
        known = instruments.get(each.root)
        if each.asset_class == "future" and known is not None and known.liquid_months:
            lines += [
                "    roll_policy:  # the rest is as docs/profile.md says",
                f"      eligible_months: {known.liquid_months}  # delivery months that trade actively",
            ]
    lines += [
        "policy_constraints:  # what the lock must hold",
        "  thresholds_locked: true  # the acceptance limits",
        "  strategy_logic_locked: true  # the behaviour of the strategy",
        "acceptance_policy: v1  # whose limits decide",
        "",
    ]
    return "\n".join(lines).encode()


# ---------------------------------------------------------------- init


def unfinished(root: Path) -> store.Workspace | None:
    """The workspace in `root` that has no profile yet, None where there is no workspace.

    Raises UsageError where one with a profile stands already: nothing of it is replaced.
    """
    if not os.path.lexists(root / CONFIG):
        return None
    workspace = store.Workspace.load(root)
    if os.path.lexists(workspace.profile_path):
        raise UsageError(
            "a workspace with a profile stands here already", where=str(root / CONFIG),
            remedy="see what is missing with `ctl doctor`, change the profile with `ctl lock`",
        )  # fmt: skip
    return workspace


def write_configuration(root: Path, made: Draft) -> store.Workspace:
    """Write ctl.toml and the actions of its equities. Raises WorkspaceError where a file cannot be written or read."""
    text = configuration(made)
    parse(text, root)  # what could not be read is not written
    for each in made.symbols:
        path = root / _ACTIONS / f"{each.symbol}.csv"
        if each.actions is not None and not path.exists():
            store.write_atomic(path, ingest.written_actions(each.actions))
    store.write_new(root / CONFIG, text)
    return store.Workspace.load(root)


def first_profile(
    workspace: store.Workspace, named: Sequence[str], instant: datetime, notes: Sequence[str] = (),
    unused: Sequence[str] = (), settings: Mapping[str, str] = MappingProxyType({}),
) -> InitResult:  # fmt: skip
    """Certify the symbols that have a reference, and write the first profile of those that may be locked.

    The others are watched by it. named: none is all symbols; where one that is named cannot be locked, no profile is
    written. settings: of the profile, by the keys of `--set`. Certificates are written either way.
    """
    configs = [workspace.symbol(name) for name in named or workspace.symbols]
    configs = [config for config in configs if config.reference is not None]
    if not configs:
        raise UsageError("no symbol with a reference", where=CONFIG, remedy="name one in symbols.<SYM>.references")
    watch = {config.symbol: "WATCH" for config in configs}
    instruments = inputs.instruments_of(workspace)
    template = _profile(configs, watch, "CONDITIONAL GO", workspace.cycle_id, instant, instruments)
    _, tried = lock.with_settings(workspace, template, operating_profile.load(template, PROFILE), settings)
    first, limit = tried.symbol_settings, tried.max_staleness_sessions
    symbols: list[InitSymbol] = []
    statuses: dict[str, Decision] = {}
    late: dict[str, int] = {}
    for config in configs:
        path = workspace.relative(workspace.certificate_path(config.symbol))
        sides = (config.symbol, config.canonical, config.references)
        try:
            certified = portfolio.certify_symbol(workspace, config.symbol, first[config.symbol], now=instant)
            certificate = certified.certificate
        except CtlError as error:
            symbols.append(InitSymbol(*sides, "ERROR", str(error), (f"{error.code}: {error}",), None, {}))
            continue
        pipeline.write_certificate(workspace.certificate_folder(config.symbol), certificate)
        statuses[config.symbol] = certificate.decision
        if certificate.overlap is not None:
            late[config.symbol] = staleness.sessions_since(config.calendar, certificate.overlap.last_session, instant)
        failures = tuple(_failures(certificate))
        follow = _follow(certificate) if failures else {}
        symbols.append(InitSymbol(*sides, certificate.decision, certificate.detail, failures, path, follow))
    recommendation: Recommendation | None = None
    watched = {each.symbol: each.failed[0] for each in symbols if each.failed}
    gating = [config for config in configs if config.symbol not in watched]
    if gating and not watched.keys() & set(named):
        recommendation = recommend(statuses[config.symbol] for config in gating)
        text = _profile(gating, statuses, recommendation, workspace.cycle_id, instant, instruments, watched)
        kept = {key: value for key, value in settings.items() if key.partition(".")[0] not in watched}
        text = lock.with_settings(workspace, text, operating_profile.load(text, PROFILE), kept)[0]
        lock.first_lock(workspace, text, reason="the first profile, made by `ctl init`", instant=instant)
    profile = workspace.relative(workspace.profile_path) if recommendation else None
    risk = workspace.risk
    rates = [] if risk is None else [f"{each.symbol}: {why}" for each in configs if (why := no_rate(each, risk))]
    notes = (*notes, *rates)
    return InitResult(
        instant, str(workspace.root), CONFIG, profile, recommendation, tuple(symbols), notes, tuple(unused),
        "" if workspace.simulated else _stale(late, limit),
    )  # fmt: skip


def _stale(late: Mapping[str, int], limit: int | Literal["none"]) -> str:
    """That the gate will refuse the data for their age; empty where they are fresh enough."""
    stale = {symbol: count for symbol, count in late.items() if limit != "none" and count > limit}
    if not stale:
        return ""
    low, high = min(stale.values()), max(stale.values())
    behind = counted(high, "session") if low == high else f"{low} to {high} sessions"
    return f"the gate will refuse {', '.join(stale)}: their data end {behind} ago (limit {limit})"


def _failures(certificate: Certificate) -> Iterator[str]:
    """What keeps a symbol from being locked: REJECT and ERROR, and any failure of identity or raw data."""
    if certificate.decision not in ("ACCEPT", "WATCH"):
        yield from (f"{reason.code}: {reason.text}" for reason in certificate.reasons if reason.severity != "WATCH")
    for name, layer in certificate.layers.items():
        if name in ("L0", "L1") and layer.status in ("FAIL", "ERROR"):
            yield from (f"{name}: {item.text}" for item in layer.findings if item.status == layer.status)


def _follow(certificate: Certificate) -> dict[str, str]:
    """The settings that follow the roll rule and the delivery months which the certificate finds in the reference."""
    found: dict[str, str] = {}
    for made in certificate.layers.L2.findings:
        if made.code == "ROLL_RULE_MISMATCH":
            found |= {key: str(value) for key, value in made.evidence.get("policy", {}).items()}
        elif made.code == "MONTH_CYCLE_MISMATCH":
            found["eligible_months"] = str(made.evidence["months"])
    return {f"{certificate.symbol}.roll_policy.{key}": value for key, value in found.items()}


def refusal(result: InitResult) -> GateRefused | None:
    """The error that says why no profile was written; None where one was."""
    if result.profile is not None:
        return None
    stopped = [each for each in result.symbols if each.failed]
    return GateRefused(
        "no profile was written, because one can expect only ACCEPT or WATCH",
        found="; ".join(f"{each.symbol} {each.derived}: {each.failed[0]}" for each in stopped),
        remedy=f"see `ctl certify {stopped[0].symbol} --explain`, mend the data or ctl.toml and run `ctl init` again, "
        "or leave the symbol out with --symbol",
        code="NOT_LOCKABLE",
    )  # fmt: skip
