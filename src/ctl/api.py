"""The public functions, in the order of the flow: load, build, certify, gate, backtest.

They are what the commands do, as values: the same checks, the same errors (`ctl.errors`). Results show themselves
as a table in a notebook and give their rows as `.to_polars()` and `.to_pandas()`.
"""

from __future__ import annotations

import glob
import warnings
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, overload

from ctl.errors import CtlError, InputError, UsageError
from ctl.model.bars import ContractBars, DailySeries
from ctl.model.contracts import MONTH_CODES, canonical_name, is_root
from ctl.model.names import SAFE_NAME_TEXT, is_safe_name
from ctl.model.rolls import ContinuousSeries, RollPolicy, ScheduledRoll

if TYPE_CHECKING:
    from ctl.gatekeeper import GateDecision
    from ctl.model.certificate import Certificate
    from ctl.model.instruments import CsvMapping
    from ctl.model.rolls import Adjustment, CalendarAnchor, PolicyKind, Timing
    from ctl.model.trades import Timeframe
    from ctl.store import Workspace
    from ctl.strategy.protocol import Result

__all__ = ["backtest", "build", "certify", "gate", "load"]

# Beyond these no exchange quotes, and a division would leave the numbers that a document can hold.
_FINEST_TICK: Final = 1e-9
_COARSEST_TICK: Final = 1e6

FilePath = str | Path


@overload
def load(
    files: FilePath | Sequence[FilePath],
    *,
    root: str,
    symbol: None = None,
    publisher: int | None = None,
    mapping: FilePath | None = None,
    as_of: date | None = None,
) -> ContractBars: ...
@overload
def load(
    files: FilePath | Sequence[FilePath],
    *,
    root: None = None,
    symbol: str | None = None,
    publisher: int | None = None,
    mapping: FilePath | None = None,
    as_of: date | None = None,
) -> DailySeries: ...
def load(
    files: FilePath | Sequence[FilePath],
    *,
    root: str | None = None,
    symbol: str | None = None,
    publisher: int | None = None,
    mapping: FilePath | None = None,
    as_of: date | None = None,
) -> ContractBars | DailySeries:
    """Daily bars of any known format: with `root` those of its contracts, without one a single series.

    files: paths, folders or patterns such as `HG*.csv`. symbol, publisher: which of a Databento file that holds
    several. mapping: how to read a CSV whose header is not known, a packaged mapping's name or a TOML file.
    as_of: sessions after it are left out (inclusive). Contracts of another root are kept: `build` refuses them,
    `certify` names them. Raises InputError for files that are missing or cannot be read.
    """
    from ctl import ingest
    from ctl.flows import inputs
    from ctl.flows.series import plain_series

    paths, columns = _paths(files), _mapping(mapping)
    if root is not None:
        if not is_root(root):
            raise UsageError("the root is no root", found=repr(root[:40]), expected="up to 6 capitals and digits: ES")
        instruments = ingest.load_instruments()
        bars = ingest.read_contracts(paths, root, instruments=instruments, mapping=columns, publisher=publisher)
        return inputs.up_to(bars, as_of)
    if symbol is not None and not is_safe_name(symbol):
        raise UsageError("the symbol is no symbol", found=repr(symbol[:80]), expected=SAFE_NAME_TEXT)
    if len(paths) != 1:
        raise UsageError(
            "a series is one file", found=f"{len(paths)} files", remedy="name the root of contracts: root='HG'"
        )
    return inputs.series_up_to(plain_series(paths[0], symbol, mapping=columns, publisher=publisher), as_of)


def build(
    bars: ContractBars,
    *,
    policy: PolicyKind = "volume",
    days: int = 2,
    months: str | None = None,
    timing: Timing = "next_session",
    adjust: Adjustment = "difference",
    anchor: CalendarAnchor = "expiry",
    offset: int = 0,
    fixed_day: int | None = None,
    schedule: FilePath | Sequence[ScheduledRoll] | None = None,
    calendar: str | None = None,
) -> ContinuousSeries:
    """The continuous series of one root's contracts.

    days: consecutive sessions that confirm a volume or interest roll. months: eligible delivery months; None is
    the root's liquid cycle where that is known, else every month. schedule: a roll manifest, or rolls to follow.
    calendar: exchange calendar to count missing sessions on, and offsets of a calendar policy.
    Raises UsageError for a policy that contradicts itself, DataError for contracts of another root.
    """
    rolls: tuple[ScheduledRoll, ...] = () if schedule is None or isinstance(schedule, str | Path) else tuple(schedule)
    if isinstance(schedule, str | Path):
        rolls, notes = read_schedule(Path(schedule))
        for note in notes:
            warnings.warn(note, stacklevel=2)
    chosen = roll_policy(policy, days, months, timing, adjust, anchor, offset, fixed_day, rolls)
    return build_with(bars, chosen, calendar)


def certify(
    bars: ContractBars,
    series: ContinuousSeries | None,
    *,
    tick: float,
    max_day_delta: int,
    adjusted: FilePath | None = None,
    unadjusted: FilePath | None = None,
    mapping: FilePath | None = None,
    quote_unit: str | None = None,
    calendar: str | None = None,
    acceptance: Literal["v1", "v2"] = "v1",
    as_of: date | None = None,
) -> Certificate:
    """Certify a series that was built from `bars` against a reference vendor's files.

    tick: price grid in quote units. max_day_delta: trading days that paired rolls may lie apart, inclusive.
    mapping: how to read the reference's files where their header is not known, as in `load`.
    series None: the contracts are of another root, which the certificate then says. as_of: the reference's sessions
    after it are left out (inclusive). Raises UsageError for terms that cannot be used, InputError for
    files that cannot be read.
    """
    from ctl import ingest
    from ctl.flows import inputs, pipeline
    from ctl.flows.terms import CertifyTerms

    require_tick(tick)
    if max_day_delta < 0:
        raise UsageError("max_day_delta must not be negative", found=str(max_day_delta))
    if acceptance not in ("v1", "v2"):
        raise UsageError("unknown acceptance policy", found=repr(acceptance), expected="v1 or v2")
    if adjusted is None and unadjusted is None:
        raise UsageError("nothing to certify against", remedy="name adjusted and/or unadjusted")
    instruments, root = ingest.load_instruments(), bars.meta.root
    reference = ingest.read_reference(
        symbol=root,
        adjusted=None if adjusted is None else Path(adjusted),
        unadjusted=None if unadjusted is None else Path(unadjusted),
        instruments=instruments,
        mapping=_mapping(mapping),
    )
    known = instruments.get(root)
    held = inputs.SymbolInputs(
        symbol=root,
        root=root,
        contracts=inputs.up_to(bars, as_of),
        equity=None,
        reference=inputs.reference_up_to(reference, as_of),
        policy=inputs.with_cycle(RollPolicy(), root, instruments) if series is None else series.policy,
    )
    terms = CertifyTerms(
        tick=tick,
        max_day_delta=max_day_delta,
        quote_unit=quote_unit or bars.meta.quote_unit or (known.quote_unit if known else "price units"),
        calendar=calendar,
        acceptance_policy=acceptance,
    )
    return pipeline.certify_symbol(held, series, terms)


def gate(
    workspace: FilePath | Workspace | None = None, *, profile: FilePath | None = None, as_of: date | None = None
) -> GateDecision:
    """Re-derive the locked state of a workspace from the data now on disk; writes nothing.

    workspace: a folder with ctl.toml; None is the one at or above the current folder. profile: the workspace's
    own where None. The decision's `passed` says whether the portfolio may run.
    Raises ProfileError where there is no profile that could be decided on.
    """
    from ctl import clock, store
    from ctl.flows import portfolio

    instant = clock.now()
    if workspace is None:
        workspace = store.Workspace.find(Path.cwd())
    elif not isinstance(workspace, store.Workspace):
        workspace = store.Workspace.load(Path(workspace))
    chosen = portfolio.read_profile(workspace, None if profile is None else Path(profile))
    return portfolio.gate(workspace, chosen, instant=instant, as_of=as_of).decision


def backtest(
    series: ContinuousSeries | DailySeries | FilePath,
    *,
    symbol: str | None = None,
    slippage: float = 0.0,
    tick: float | None = None,
    parameters: Mapping[str, Any] | None = None,
    unregistered: bool = False,
    lots: int = 3,
    timeframe: Timeframe = "daily",
    calendar: str | None = None,
    strategy: str = "b1",
) -> Result:
    """Run a strategy over one series, or over the series of a file.

    slippage per side and tick in price units. parameters: by name, in their registered ranges unless
    `unregistered`. calendar: what ends a week (None: ISO weeks). strategy: a name of `ctl.strategy.registry`.
    Raises UsageError for arguments that cannot be used, DataError for bars that cannot be run on.
    """
    from ctl.flows.backtest import run_strategy
    from ctl.strategy import registry

    if tick is not None:
        require_tick(tick)
    chosen = registry.find(strategy)
    if parameters or unregistered:
        chosen = chosen.configured(parameters or {}, timeframe=timeframe, unregistered=unregistered)
    name = series.meta.root if isinstance(series, ContinuousSeries | DailySeries) else Path(series).name.split(".")[0]
    if isinstance(series, str | Path):
        series = load(series)
    return run_strategy(
        chosen, series, symbol or name,
        timeframe=timeframe, slippage_per_side=slippage, tick=tick, lots=lots, calendar=calendar,
    )  # fmt: skip


# ---------------------------------------------------------------- arguments


def build_with(bars: ContractBars, policy: RollPolicy, calendar: str | None = None) -> ContinuousSeries:
    """`build` with the policy as one value; the root's liquid cycle stands in where it names no months."""
    from ctl import ingest
    from ctl.flows import inputs
    from ctl.flows.series import build_series, require_root

    root = bars.meta.root
    require_root(bars, root, ", ".join(source.name for source in bars.meta.sources[:3]))
    return build_series(bars, inputs.with_cycle(policy, root, ingest.load_instruments()), calendar)


def roll_policy(
    policy: PolicyKind,
    days: int,
    months: str | None,
    timing: Timing,
    adjust: Adjustment,
    anchor: CalendarAnchor,
    offset: int,
    fixed_day: int | None,
    schedule: tuple[ScheduledRoll, ...],
) -> RollPolicy:
    """The roll policy that the options spell. Raises UsageError for options that do not fit together."""
    if months is not None:
        months = months.upper()
        if not months or set(months) - set(MONTH_CODES):
            raise UsageError(
                "months names no delivery months", found=repr(months), expected=f"letters of {MONTH_CODES}"
            )
        months = "".join(sorted(set(months)))
    if (policy == "schedule") != bool(schedule):
        raise UsageError("policy schedule and a schedule to follow go together")
    if anchor == "fixed_day" and fixed_day is None:
        raise UsageError("anchor fixed_day needs fixed_day, a day of the month")
    return RollPolicy(policy, days, months, timing, adjust, anchor, offset, fixed_day, schedule)


def require_tick(tick: float) -> None:
    """Raise UsageError unless `tick` can be a price grid."""
    if not _FINEST_TICK <= tick <= _COARSEST_TICK:
        raise UsageError(
            "the tick must be a positive number", found=str(tick), expected=f"{_FINEST_TICK:g} to {_COARSEST_TICK:g}"
        )


def read_schedule(path: Path) -> tuple[tuple[ScheduledRoll, ...], tuple[str, ...]]:
    """The rolls of a manifest, and what is to be said of it; one-digit years are those nearest after their roll.

    Raises InputError for a file that is no manifest or holds no rolls.
    """
    from ctl import continuous

    try:
        header, rolls = continuous.read_manifest(path.read_bytes())
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


def _mapping(mapping: FilePath | None) -> CsvMapping | None:
    from ctl import ingest

    return None if mapping is None else ingest.mapping_named_or_at(str(mapping))


def _paths(files: FilePath | Sequence[FilePath]) -> list[Path]:
    """The files that paths and patterns name, each pattern's in order of name."""
    paths: list[Path] = []
    for item in [files] if isinstance(files, str | Path) else files:
        text = str(item)
        if Path(text).exists() or not glob.has_magic(text):
            paths.append(Path(text))
            continue
        found = sorted(glob.glob(text))  # noqa: PTH207 - Path.glob takes no absolute pattern
        if not found:
            raise InputError("no files", where=text, expected="at least one")
        paths += map(Path, found)
    return paths
