"""A workspace made from the data files of a folder: ctl.toml, and a first profile of what the data derive."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from ctl import ingest, operating_profile, store
from ctl.errors import CtlError, GateRefused, InputError, UsageError
from ctl.flows import pipeline, portfolio
from ctl.flows.found_files import FoundFile, FoundFiles, tokens_of
from ctl.model.findings import Decision, Recommendation
from ctl.model.names import is_safe_name
from ctl.model.recommendation import recommend
from ctl.store.workspace import parse

if TYPE_CHECKING:
    from ctl.model.actions import CorporateActions
    from ctl.model.certificate import Certificate
    from ctl.model.instruments import Instrument
    from ctl.store import SymbolConfig

CONFIG: Final = "ctl.toml"
PROFILE: Final = "configs/cutover/operating_profile_v1.yaml"
MAX_DAY_DELTA: Final = 3

_DATES: Final = re.compile(r"(?<!\d)(?:\d{8}|\d{4}-\d{2}-\d{2})(?!\d)")
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


@dataclass(frozen=True, slots=True)
class DraftSymbol:
    """A symbol's table of ctl.toml. actions: of an equity, as its canonical file or its reference states them."""

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


@dataclass(frozen=True, slots=True)
class DraftVendor:
    """A vendor's table of ctl.toml. keys: path or patterns. called: what it calls a symbol, where it differs."""

    name: str
    form: str
    keys: Mapping[str, str]
    called: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Draft:
    """A workspace to be written. notes: what was assumed, and the option that says otherwise."""

    symbols: tuple[DraftSymbol, ...]
    vendors: tuple[DraftVendor, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InitSymbol:
    """What the data derive of one symbol. failed: texts of what must be mended before it can be locked.

    certificate: where it was written; None where none could be made.
    """

    symbol: str
    canonical: str
    references: tuple[str, ...]
    derived: str
    detail: str
    failed: tuple[str, ...]
    certificate: str | None


@dataclass(frozen=True, slots=True)
class InitResult:
    """What `ctl init` made. profile: None where a symbol derives what no profile can expect."""

    timestamp: datetime
    workspace: str
    configuration: str
    profile: str | None
    recommendation: Recommendation | None
    symbols: tuple[InitSymbol, ...]
    notes: tuple[str, ...]
    unused: tuple[str, ...]
    kind: str = field(default="init", init=False)


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
    if not chosen:
        there = "; ".join(
            f"{symbol} of {', '.join(dict.fromkeys(ours + theirs))}" for symbol, (ours, theirs) in pairs.items()
        )
        raise InputError(
            "no symbol has files of two vendors", where=str(found.folder), found=there,
            expected="canonical files and a reference's", remedy="add the other vendor's files, then run again",
            code="REFERENCE_MISSING",
        )  # fmt: skip
    symbols = tuple(_symbol(found, symbol, answers, notes) for symbol in chosen)
    used = {name: None for each in symbols for name in (each.canonical, *each.references)}
    vendors = tuple(_vendor(name, found, chosen, root) for name in used)
    return Draft(symbols, vendors, tuple(notes))


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
        notes.append(f"{symbol}: {canonical} taken as canonical; --canonical NAME says otherwise")
    files = [file for file in found.files if file.symbol == symbol and file.vendor == canonical]
    if not future:
        actions = _actions(found, symbol, (canonical, *references))
        tick = _grid(files[-1].path)
        return DraftSymbol(symbol, "equity", "XNYS", tick, 1.0, "USD", "USD", canonical, references, actions)
    known = ingest.load_instruments().get(symbol)
    if known is None:
        raise InputError(
            f"no reference data of root {symbol}", where=str(files[0].path), expected="a root that ctl knows",
            remedy="write ctl.toml by hand (docs/workspace.md), or leave it out with --symbol",
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


def _grid(path: Path) -> float:
    """The coarsest usual tick on whose grid nearly all closes of an equity lie."""
    closes = ingest.read_series(path, symbol=None, instruments=ingest.load_instruments()).frame["close"].to_numpy()
    for tick in _TICKS:
        if np.mean(np.abs(closes / tick - np.round(closes / tick)) < _ON_GRID) > _NEARLY_ALL:
            return tick
    return _TICKS[-1]


_TICKS: Final = (0.01, 0.005, 0.001, 0.0001)
_ON_GRID: Final = 0.01
_NEARLY_ALL: Final = 0.995


def _actions(found: FoundFiles, symbol: str, vendors: Sequence[str]) -> CorporateActions | None:
    """The splits and dividends of an actions file, else those that the file of bars reaching back furthest states."""
    for path in sorted(found.folder.rglob(f"actions/{symbol}.csv")):
        return ingest.read_actions(path)
    instruments = ingest.load_instruments()
    files = [file for file in found.files if file.symbol == symbol and file.vendor in vendors]
    for file in sorted(files, key=lambda file: file.first):
        if not re.search(r"\.(csv|txt)(\.gz|\.zst)?$", file.path.name.lower()):
            continue
        series = ingest.read_series(file.path, symbol=None, instruments=instruments)
        stated = ingest.stated_actions(file.path, series.frame["session"].to_physical().to_numpy())
        if stated is not None:
            return stated
    return None


# ---------------------------------------------------------------- where a vendor's files lie


def _vendor(name: str, found: FoundFiles, symbols: Sequence[str], root: Path) -> DraftVendor:
    files = [file for file in found.files if file.vendor == name and file.symbol in symbols]
    keys: dict[str, str] = {}
    called: dict[str, str] = {}
    for kind, symbol in sorted({(file.kind, file.symbol) for file in files}):
        same = [file for file in files if (file.kind, file.symbol) == (kind, symbol)]
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
        text = _relative(pattern, root)
        if keys.setdefault(key, text) != text or called.setdefault(symbol, other or symbol) != (other or symbol):
            raise UsageError(
                f"files of {name} are named in several ways", found=f"{keys[key]} and {text}",
                expected="one path pattern", remedy=f"choose with --symbol, for one: --symbol {symbol}",
            )  # fmt: skip
    return DraftVendor(name, files[0].form, keys, {symbol: text for symbol, text in called.items() if text != symbol})


def _named_as_usual(same: Sequence[FoundFile], symbol: str) -> bool:
    """Whether a format whose names say what is adjusted finds the newest of these files by their names."""
    if same[0].form not in _NAMED_FORMATS:
        return False
    found = ingest.find_files(same[0].form, same[0].path.parent, symbol)
    return any(file.path in (found.adjusted, found.unadjusted) for file in same)


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
}


def configuration(made: Draft) -> bytes:
    """The text of ctl.toml; every key carries a comment."""
    lines = [
        "# Workspace made by `ctl init`. All keys, with types and defaults: docs/workspace.md.",
        _line("schema_version", 1, "form of this file"),
        _line("cycle_id", "cutover_v1", "name of this cutover: the folder under data/processed"),
        _line("profile", PROFILE, "the operating profile in force"),
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
                _line("common_basis", "split_adjusted", "the basis on which both vendors are compared"),
            ]
    return "\n".join([*lines, ""]).encode()


def _line(key: str, value: object, comment: str) -> str:
    return f"{key} = {_value(value)}  # {comment}"


def _value(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _name(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)


# ---------------------------------------------------------------- the profile


def _profile(
    symbols: Sequence[SymbolConfig], statuses: Mapping[str, str], recommendation: str, cycle: str, instant: datetime
) -> bytes:
    """The text of the first profile, without its lock."""
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
        "non_gating_symbols: {}  # symbols that are watched and hold nothing up",
        "symbol_settings:",
    ]
    instruments = ingest.load_instruments()
    for each in symbols:
        lines += [
            f"  {_value(each.symbol)}:",
            f"    tick_size: {each.tick}  # quote units",
            f"    max_day_delta: {MAX_DAY_DELTA}  # trading days that paired rolls may lie apart",
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


def write_locked(workspace: store.Workspace, template: bytes, now: datetime | None = None) -> bool:
    """Lock a profile on the files on disk and write it, with the bars it rests on, as the workspace's own.

    now: as for `certify_symbol`. Returns True, with nothing written, where a different one stands there.
    """
    path, name = workspace.profile_path, workspace.relative(workspace.profile_path)
    profile = operating_profile.load(template, name, require_lock=False)
    lock, bars = portfolio.derive_lock(workspace, profile, now=now)
    derived = operating_profile.with_lock(template, lock, name=name)
    if path.is_file() and path.read_bytes() != derived:
        return True
    for symbol, frame in bars.items():
        buffer = io.BytesIO()
        frame.write_parquet(buffer, compression="zstd")
        store.write_atomic(workspace.locked_bars(symbol), buffer.getvalue())
    store.write_atomic(path, derived)
    return False


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
    unused: Sequence[str] = (),
) -> InitResult:  # fmt: skip
    """Certify the symbols that have a reference, and where all of them may be locked write the first profile.

    named: none is all of them. Certificates are written either way. Raises CtlError where one cannot be made.
    """
    configs = [workspace.symbol(name) for name in named or workspace.symbols]
    configs = [config for config in configs if config.reference is not None]
    if not configs:
        raise UsageError("no symbol with a reference", where=CONFIG, remedy="name one in symbols.<SYM>.references")
    watch = {config.symbol: "WATCH" for config in configs}
    template = _profile(configs, watch, "CONDITIONAL GO", workspace.cycle_id, instant)
    settings = operating_profile.load(template, PROFILE, require_lock=False).symbol_settings
    symbols: list[InitSymbol] = []
    statuses: dict[str, Decision] = {}
    for config in configs:
        path = workspace.relative(workspace.certificate_path(config.symbol))
        sides = (config.symbol, config.canonical, config.references)
        try:
            certified = portfolio.certify_symbol(workspace, config.symbol, settings[config.symbol], now=instant)
            certificate = certified.certificate
        except CtlError as error:
            symbols.append(InitSymbol(*sides, "ERROR", str(error), (f"{error.code}: {error}",), None))
            continue
        pipeline.write_certificate(workspace.certificate_folder(config.symbol), certificate)
        statuses[config.symbol] = certificate.decision
        failures = tuple(_failures(certificate))
        symbols.append(InitSymbol(*sides, certificate.decision, certificate.detail, failures, path))
    recommendation: Recommendation | None = None
    if not any(each.failed for each in symbols):
        recommendation = recommend(statuses.values())
        write_locked(workspace, _profile(configs, statuses, recommendation, workspace.cycle_id, instant), now=instant)
    profile = workspace.relative(workspace.profile_path) if recommendation else None
    return InitResult(
        instant, str(workspace.root), CONFIG, profile, recommendation, tuple(symbols), tuple(notes), tuple(unused)
    )


def _failures(certificate: Certificate) -> Iterator[str]:
    """What keeps a symbol from being locked: REJECT and ERROR, and any failure of identity or raw data."""
    if certificate.decision not in ("ACCEPT", "WATCH"):
        yield from (f"{reason.code}: {reason.text}" for reason in certificate.reasons if reason.severity != "WATCH")
    for name, layer in certificate.layers.items():
        if name in ("L0", "L1") and layer.status in ("FAIL", "ERROR"):
            yield from (f"{name}: {item.text}" for item in layer.findings if item.status == layer.status)


def refusal(result: InitResult) -> GateRefused | None:
    """The error that says why no profile was written; None where one was."""
    stopped = [each for each in result.symbols if each.failed]
    if not stopped:
        return None
    return GateRefused(
        "no profile was written, because one can expect only ACCEPT or WATCH",
        found="; ".join(f"{each.symbol} {each.derived}: {each.failed[0]}" for each in stopped),
        remedy=f"see `ctl certify {stopped[0].symbol} --explain`, mend the data or ctl.toml and run `ctl init` again, "
        "or leave the symbol out with --symbol",
        code="NOT_LOCKABLE",
    )  # fmt: skip
