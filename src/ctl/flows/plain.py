"""Everything on plain files and frames, without a workspace: what `import ctl` and the commands on files call."""

from __future__ import annotations

import glob
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from ctl import clock, continuous, ingest, store, strict_files
from ctl.errors import CtlError, DataError, InputError, UsageError
from ctl.flows import inputs, pipeline, portfolio
from ctl.flows.backtest import run_strategy, strategy_bars, usable_bars, warm_up_note
from ctl.flows.series import build_series, require_root
from ctl.flows.terms import CertifyTerms
from ctl.model.bars import AS_DELIVERED, ContractBars, DailySeries, SeriesChoice
from ctl.model.contracts import MONTH_CODES, canonical_name, is_root
from ctl.model.names import SAFE_NAME_TEXT, is_safe_name
from ctl.model.rolls import ContinuousSeries, RollPolicy, ScheduledRoll
from ctl.strategy import registry

if TYPE_CHECKING:
    from ctl.gatekeeper import GateDecision
    from ctl.ingest.frames import Frame
    from ctl.model.certificate import Certificate
    from ctl.model.csv_mapping import CsvMapping
    from ctl.model.instruments import Instrument
    from ctl.model.reference import Reference
    from ctl.model.trades import Timeframe
    from ctl.strategy.protocol import Result, Strategy


# Beyond these no exchange quotes, and a division would leave the numbers that a document can hold.
_FINEST_TICK: Final = 1e-9
_COARSEST_TICK: Final = 1e6


# ---------------------------------------------------------------- bars


def load_contracts(
    files: str | Path | Frame | Sequence[str | Path | Frame],
    root: str,
    *,
    publisher: int | None = None,
    mapping: str | Path | None = None,
    calendar: str | None = None,
    as_of: date | None = None,
    now: datetime | None = None,
    series: SeriesChoice = AS_DELIVERED,
) -> ContractBars:
    """Bars of a root's contracts, of the chosen series; see `ctl.load`. calendar: whose sessions intraday bars make."""
    if not is_root(root):
        raise UsageError("the root is no root", found=repr(root[:40]), expected="up to 6 capitals and digits: ES")
    instruments = ingest.load_instruments()
    instant = now or clock.now()
    if series == AS_DELIVERED:
        bars = ingest.read_contracts(
            _sources(files),
            root,
            instruments=instruments,
            mapping=_mapping(mapping),
            publisher=publisher,
            calendar=calendar,
            now=instant,
        )
    else:
        bars = _chosen_bars(_sources(files), root, series, calendar, instant, publisher=publisher, mapping=mapping)
    return inputs.up_to(bars, as_of)


def _chosen_bars(
    files: Sequence[Any],
    root: str,
    series: SeriesChoice,
    calendar: str | None,
    instant: datetime,
    *,
    publisher: int | None,
    mapping: str | Path | None,
) -> ContractBars:
    """The bars that a choice of series means, of files of several kinds: daily bars, intraday ones, statistics."""
    instruments = ingest.load_instruments()
    kinds = ingest.by_kind(files)
    session_bars = settlements = daily = None
    if kinds["statistics"] and series.closes == "settlement":
        settlements = ingest.read_settlements(kinds["statistics"], root, instruments=instruments, publisher=publisher)
    if kinds["intraday"] and series.bars == "session":
        known = instruments.get(root)
        named = calendar if calendar not in (None, "none") else known.calendar if known is not None else None
        if named is None:
            raise UsageError("intraday bars make sessions by a calendar", remedy="name it with --calendar, e.g. CMES")
        session_bars = ingest.read_session_bars(
            kinds["intraday"], root, calendar=named, instruments=instruments, publisher=publisher, now=instant
        )
    if kinds["daily"]:
        daily = ingest.read_contracts(
            [*kinds["daily"], *kinds["definition"]],
            root,
            instruments=instruments,
            mapping=_mapping(mapping),
            publisher=publisher,
            calendar=calendar,
            now=instant,
        )
    known_bars = daily or session_bars or settlements
    if known_bars is None or (daily is None and series.bars == "daily"):
        raise InputError(
            f"no files of the series {series.name} among those named", found=", ".join(path.name for path in files),
            expected="daily bars of contracts; for --bars session intraday ones", code="SERIES_WITHOUT_FILES",
        )  # fmt: skip
    return inputs.contracts_of(series, known_bars, settlements, session_bars)


def load_series(
    files: str | Path | Frame | Sequence[str | Path | Frame],
    symbol: str | None = None,
    *,
    publisher: int | None = None,
    mapping: str | Path | None = None,
    calendar: str | None = None,
    as_of: date | None = None,
    now: datetime | None = None,
) -> DailySeries:
    """One daily series, adjusted where its file states rolls; see `ctl.load`."""
    if symbol is not None and not is_safe_name(symbol):
        raise UsageError("the symbol is no symbol", found=repr(symbol[:80]), expected=SAFE_NAME_TEXT)
    sources = _sources(files)
    if len(sources) != 1:
        raise UsageError(
            "a series is one file", found=f"{len(sources)} files", remedy="name the root of contracts: root='HG'"
        )
    reference = ingest.read_reference(
        symbol=symbol,
        adjusted=sources[0],
        unadjusted=None,
        instruments=ingest.load_instruments(),
        mapping=_mapping(mapping),
        publisher=publisher,
        calendar=calendar,
        now=now or clock.now(),
    )
    series = reference.adjusted or reference.unadjusted
    if series is None:
        raise DataError("the file holds no series", where=str(files))
    return inputs.series_up_to(series, as_of)


def load_reference(
    symbol: str,
    adjusted: str | Path | Frame | None,
    unadjusted: str | Path | Frame | None,
    *,
    mapping: str | Path | None = None,
    calendar: str | None = None,
    now: datetime | None = None,
) -> Reference:
    """A reference vendor's series. Raises UsageError where neither is named."""
    if adjusted is None and unadjusted is None:
        raise UsageError("nothing to certify against", remedy="name adjusted and/or unadjusted")
    return ingest.read_reference(
        symbol=symbol,
        adjusted=None if adjusted is None else _source(adjusted),
        unadjusted=None if unadjusted is None else _source(unadjusted),
        instruments=ingest.load_instruments(),
        mapping=_mapping(mapping),
        calendar=calendar,
        now=now or clock.now(),
    )


def contracts_of(bars: ContractBars | Frame, root: str | None) -> ContractBars:
    """Bars as they are, or those of a frame. Raises UsageError for a root that is missing, or that the bars say."""
    if isinstance(bars, ContractBars):
        if root not in (None, bars.meta.root):
            raise UsageError("the bars were loaded as another root's", found=repr(root), expected=bars.meta.root)
        return bars
    if root is None:
        raise UsageError("a frame does not say its root", expected="root='ES'")
    return load_contracts(bars, root)


def series_of(
    series: ContinuousSeries | DailySeries | str | Path | Frame, calendar: str | None = None
) -> tuple[ContinuousSeries | DailySeries, str]:
    """A series as it is, or that of a file or frame; and what it is called."""
    if isinstance(series, ContinuousSeries | DailySeries):
        return series, series.meta.root
    loaded = load_series(series, calendar=calendar)
    return loaded, Path(series).name.split(".")[0] if isinstance(series, str | Path) else loaded.meta.root


def _sources(files: str | Path | Frame | Sequence[str | Path | Frame]) -> list[Path | Frame]:
    """The files that paths and patterns name, each pattern's in order of name; frames as they are."""
    if ingest.is_frame(files):
        return [files]
    sources: list[Path | Frame] = []
    for item in [files] if isinstance(files, str | Path) else cast("Sequence[str | Path | Frame]", files):
        if not isinstance(item, str | Path):
            sources.append(item)
            continue
        text = str(item)
        if Path(text).exists() or not glob.has_magic(text):
            sources.append(Path(text))
            continue
        found = sorted(glob.glob(text))  # noqa: PTH207 - Path.glob takes no absolute pattern
        if not found:
            raise InputError("no files", where=text, expected="at least one")
        sources += map(Path, found)
    return sources


def _source(file: str | Path | Frame) -> Path | Frame:
    return Path(file) if isinstance(file, str) else file


def _mapping(mapping: str | Path | None) -> CsvMapping | None:
    return None if mapping is None else ingest.mapping_named_or_at(str(mapping))


# ---------------------------------------------------------------- build


def build(bars: ContractBars, policy: RollPolicy, calendar: str | None = None) -> ContinuousSeries:
    """The series of one root; its liquid cycle and its calendar stand in where no months and no calendar are named."""
    root, instruments = bars.meta.root, ingest.load_instruments()
    require_root(bars, root, ", ".join(source.name for source in bars.meta.sources[:3]))
    known = instruments.get(root)
    calendar = calendar or (known.calendar if known is not None else None)
    return build_series(bars, inputs.with_cycle(policy, root, instruments), calendar)


def roll_policy(options: RollPolicy) -> RollPolicy:
    """The roll policy that options spell, months in delivery order. Raises UsageError for options that do not fit."""
    months = options.eligible_months
    if months is not None:
        months = months.upper()
        if not months or set(months) - set(MONTH_CODES):
            raise UsageError(
                "--months names no delivery months", found=repr(months), expected=f"letters of {MONTH_CODES}"
            )
        months = "".join(sorted(set(months)))
    if (options.kind == "schedule") != bool(options.schedule):
        raise UsageError("--policy schedule and a schedule to follow (--schedule) go together")
    if options.anchor == "fixed_day" and options.fixed_day is None:
        raise UsageError("--anchor fixed_day needs --fixed-day, a day of the month")
    return replace(options, eligible_months=months)


def scheduled_rolls(schedule: str | Path | Sequence[ScheduledRoll] | None) -> tuple[ScheduledRoll, ...]:
    """Rolls to follow as given, or those of a manifest; what is to be said of the manifest is a warning."""
    if not isinstance(schedule, str | Path):
        return tuple(schedule or ())
    rolls, notes = read_schedule(Path(schedule))
    for note in notes:
        warnings.warn(note, stacklevel=3)
    return rolls


def read_schedule(path: Path) -> tuple[tuple[ScheduledRoll, ...], tuple[str, ...]]:
    """The rolls of a manifest, and what is to be said of it; one-digit years are those nearest after their roll.

    Raises InputError for a file that is no manifest or holds no rolls.
    """
    try:
        header, rolls = continuous.read_manifest(strict_files.read_bytes(path, most=_LARGEST_SCHEDULE))
    except CtlError as error:
        where = path.name if error.where is None else f"{path.name}: {error.where}"
        raise InputError(error.what, where=where, found=error.found, expected=error.expected) from error
    except OSError as error:
        raise InputError("cannot be read", where=str(path), found=error.strerror or type(error).__name__) from error
    if not rolls:
        raise InputError("the manifest holds no rolls", where=path.name, expected="rolls to follow")
    findings = [item for item in header.get("findings", ()) if isinstance(item, dict)]
    scheduled = tuple(
        ScheduledRoll(
            roll.roll_date,
            None if roll.from_contract is None else canonical_name(roll.from_contract, roll.roll_date),
            canonical_name(roll.to_contract, roll.roll_date),
        )
        for roll in rolls
    )
    return scheduled, tuple(f"{path.name}: {item.get('code')}: {item.get('text')}" for item in findings)


_LARGEST_SCHEDULE: Final = 1 << 26


# ---------------------------------------------------------------- certify


def require_tick(tick: float) -> None:
    """Raise UsageError unless `tick` can be a price grid."""
    if not _FINEST_TICK <= tick <= _COARSEST_TICK:
        raise UsageError(
            "the tick must be a positive number", found=str(tick), expected=f"{_FINEST_TICK:g} to {_COARSEST_TICK:g}"
        )


def require_terms(tick: float, max_day_delta: int, acceptance: str) -> None:
    """Raise UsageError for terms of a certification that cannot be used."""
    require_tick(tick)
    if max_day_delta < 0:
        raise UsageError("max_day_delta must not be negative", found=str(max_day_delta))
    if acceptance not in ("v1", "v2"):
        raise UsageError("unknown acceptance policy", found=repr(acceptance), expected="v1 or v2")


def certify_terms(
    bars: ContractBars, tick: float, max_day_delta: int, quote_unit: str | None, calendar: str | None, acceptance: str
) -> CertifyTerms:
    """The terms of one certification; the quote unit is that of the bars or of the root where none is named."""
    known = ingest.load_instruments().get(bars.meta.root)
    return CertifyTerms(
        tick=tick,
        max_day_delta=max_day_delta,
        quote_unit=quote_unit or _quote_unit(bars.meta.quote_unit, known, tick),
        calendar=calendar,
        acceptance_policy=acceptance,
    )


def certify(
    bars: ContractBars,
    series: ContinuousSeries | None,
    reference: Reference,
    terms: CertifyTerms,
    as_of: date | None = None,
) -> Certificate:
    """Certify a series against a reference; see `ctl.certify`."""
    root = bars.meta.root
    held = inputs.SymbolInputs(
        symbol=root,
        root=root,
        contracts=inputs.up_to(bars, as_of),
        equity=None,
        reference=inputs.reference_up_to(reference, as_of),
        policy=inputs.with_cycle(RollPolicy(), root, ingest.load_instruments()) if series is None else series.policy,
    )
    return pipeline.certify_symbol(held, series, terms)


# ---------------------------------------------------------------- gate and backtest


def gate(
    workspace: str | Path | store.Workspace | None, profile: str | Path | None, as_of: date | None
) -> GateDecision:
    """The gate's word on a workspace, now; see `ctl.gate`."""
    instant = clock.now()
    if workspace is None:
        workspace = store.Workspace.find(Path.cwd())
    elif not isinstance(workspace, store.Workspace):
        workspace = store.Workspace.load(Path(workspace))
    chosen = portfolio.read_profile(workspace, None if profile is None else Path(profile))
    return portfolio.gate(workspace, chosen, instant=instant, as_of=as_of).decision


def backtest(
    strategy: Strategy,
    series: ContinuousSeries | DailySeries,
    symbol: str,
    *,
    actions: str | Path | None = None,
    drop_bad_bars: bool = False,
    timeframe: Timeframe = "daily",
    slippage: float = 0.0,
    tick: float | None = None,
    lots: int = 3,
    calendar: str | None = None,
) -> tuple[Result, tuple[str, ...]]:
    """A strategy over one series as it may be traded, and what is to be said of its bars; see `ctl.backtest`."""
    if tick is not None:
        require_tick(tick)
    usable, notes = usable_bars(series, calendar=calendar, drop=drop_bad_bars)
    bars = strategy_bars(_as_traded(usable, symbol, actions), symbol, calendar)
    result = run_strategy(strategy, bars, timeframe=timeframe, slippage_per_side=slippage, tick=tick, lots=lots)
    warm_up = warm_up_note(result)
    return result, notes if warm_up is None else (*notes, warm_up)


def _as_traded(
    series: ContinuousSeries | DailySeries, symbol: str, actions: str | Path | None
) -> ContinuousSeries | DailySeries:
    """A share on the basis that a strategy may run on; futures as they are."""
    from ctl import equity_basis

    if not isinstance(series, DailySeries):
        if actions is not None:
            raise UsageError("a continuous series has no splits or dividends", remedy="leave --actions out")
        return series
    stated = None if actions is None else ingest.read_actions(Path(actions))
    frame = series.frame
    future = frame["contract"].null_count() < frame.height or bool((frame["adjustment"] != 0.0).any())
    known = ingest.load_instruments().entries
    if stated is None and (future or symbol in known or series.meta.root in known):
        return series
    return equity_basis.traded(series, stated)


def between(
    series: ContinuousSeries | DailySeries, first: date | None, last: date | None
) -> ContinuousSeries | DailySeries:
    """The sessions of a series from `first` to `last`, both inclusive; prices stay as they are.

    Raises DataError where none is left.
    """
    frame = series.frame
    if first is not None:
        frame = frame.filter(frame["session"] >= first)
    if last is not None:
        frame = frame.filter(frame["session"] <= last)
    if frame.is_empty():
        found = f"{series.frame['session'][0]} to {series.frame['session'][-1]}"
        wanted = f"{first or 'the first session'} to {last or 'the last'}"
        raise DataError("no session between --from and --to", found=found, expected=wanted)
    return replace(series, frame=frame)


def strategy_named(
    name: str, parameters: Mapping[str, Any] | None, timeframe: Timeframe, *, unregistered: bool
) -> Strategy:
    """A strategy as registered, or with parameters of its own."""
    found = registry.find(name)
    if parameters or unregistered:
        return found.configured(parameters or {}, timeframe=timeframe, unregistered=unregistered)
    return found


def _quote_unit(stated: str, known: Instrument | None, tick: float) -> str:
    """The bars' unit, else the instrument's; where that one's tick contradicts `tick`, cents for dollars or none."""
    if known is None or stated not in ("", known.quote_unit):
        return stated or "price units"
    times = tick / known.tick
    if abs(times - 100.0) <= 1e-6 and known.quote_unit.startswith("USD "):
        return f"cents {known.quote_unit.removeprefix('USD ')}"
    # Another tick of the same unit is a few times larger or smaller, as a vendor's grid may be.
    return known.quote_unit if 0.05 <= times <= 20.0 else "price units"
