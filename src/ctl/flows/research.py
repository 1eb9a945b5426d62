"""Research: strategies and parameters side by side over a workspace's symbols, gating or not.

It asks no gate, reads no lock and writes nothing of the weekly run: nothing that comes out of it says that
anything may be traded. What was tried is added to the ledger of trials.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from itertools import count, groupby, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import numpy as np

from ctl import __version__, stopping, store
from ctl.errors import CtlError, DataError, UsageError
from ctl.flows import inputs
from ctl.flows.backtest import strategy_bars, with_contracts
from ctl.flows.run_statistics import closed_r
from ctl.flows.series import require_root, traded_series
from ctl.flows.trials import identity
from ctl.flows.workers import HERE, Workers
from ctl.model.bars import AS_DELIVERED, SeriesChoice
from ctl.model.documents import document
from ctl.model.statistics import TrialLuck
from ctl.model.trades import Timeframe
from ctl.statistics import BLOCKS, backtest_overfitting, trial_luck
from ctl.store import trials as ledger
from ctl.strategy import registry
from ctl.strategy.lookahead import Change, first_change
from ctl.tracking import Track, untracked

if TYPE_CHECKING:
    import polars as pl

    from ctl.model.bars import DailySeries
    from ctl.model.rolls import ContinuousSeries, RollPolicy
    from ctl.model.trades import Metrics
    from ctl.operating_profile import OperatingProfile
    from ctl.store import Workspace
    from ctl.strategy.bars import Floats, StrategyBars
    from ctl.strategy.protocol import Result, Strategy, Sweeping, Swept

Role = Literal["gating", "non-gating", "untracked"]

LABEL: Final = "research"
MAX_VARIANTS: Final = 1000
DOCUMENT: Final = "research.json"
TRADES: Final = "research_trades.parquet"


@dataclass(frozen=True, slots=True)
class Variant:
    """One strategy with one set of parameters; none is the strategy as it is registered."""

    strategy: Strategy
    overrides: Mapping[str, str]

    @property
    def label(self) -> str:
        """`b1`, or `b1 slope_threshold=6`."""
        return " ".join([self.strategy.name, *(f"{name}={value}" for name, value in self.overrides.items())])


@dataclass(frozen=True, slots=True)
class Candidate:
    """A symbol to try variants on: its bars and costs, or why it has none.

    series, unadjusted: what the bars are of, and a share as it was printed; they tell the contract of a fill.
    """

    symbol: str
    role: Role
    bars: StrategyBars | None
    slippage: float
    tick: float
    error: str = ""
    series: ContinuousSeries | DailySeries | None = None
    unadjusted: DailySeries | None = None
    calendar: str = "none"
    policy: RollPolicy | None = None
    choice: SeriesChoice = AS_DELIVERED

    @property
    def bare(self) -> Candidate:
        """What a strategy is run on, without the series that the bars were made of."""
        return replace(self, series=None, unadjusted=None)

    def trades(self, result: Result, timeframe: Timeframe) -> list[dict[str, Any]]:
        """Documents of closed trades, with the contract and the price of each fill."""
        rows: list[dict[str, Any]] = document(result.trades)
        if self.series is None:
            return rows
        return with_contracts(
            rows, self.series, calendar=self.calendar, timeframe=timeframe, unadjusted=self.unadjusted
        )


@dataclass(frozen=True, slots=True)
class Tried:
    """One variant on one symbol: its metrics, or why there are none."""

    symbol: str
    role: Role
    metrics: Metrics | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Ran:
    """A variant that was run symbol by symbol."""

    variant: Variant
    results: tuple[tuple[Candidate, Result | str], ...]
    portfolio: Metrics | None
    timeframe: Timeframe

    def symbols(self) -> tuple[Tried, ...]:
        """Each symbol, in the order asked."""
        return tuple(
            Tried(item.symbol, item.role, None, result)
            if isinstance(result, str)
            else Tried(item.symbol, item.role, result.metrics)
            for item, result in self.results
        )

    def closed_r(self) -> list[float]:
        """R of closed trades in the order of closing, then of symbols."""
        return [r for _, r in closed_r([result for _, result in self.results if not isinstance(result, str)])]

    def trades(self) -> pl.DataFrame | None:
        """Closed trades: symbol, then the strategy's own columns, sessions as dates; None without any."""
        import polars as pl

        rows = [
            {"symbol": item.symbol, **trade}
            for item, result in self.results
            if not isinstance(result, str)
            for trade in item.trades(result, self.timeframe)
        ]
        if not rows:
            return None
        return pl.DataFrame(rows, infer_schema_length=None).with_columns(
            pl.col("^.*_session$").cast(pl.String).str.to_date()
        )


@dataclass(frozen=True, slots=True)
class SweptVariant:
    """A variant that was tried together with others; `number` is its position among them."""

    variant: Variant
    number: int
    swept: Swept
    candidates: tuple[Candidate, ...]
    portfolio: Metrics | None
    timeframe: Timeframe

    def symbols(self) -> tuple[Tried, ...]:
        """Each symbol, in the order asked."""
        position = count()
        return tuple(
            Tried(item.symbol, item.role, None, item.error)
            if item.bars is None
            else Tried(item.symbol, item.role, self.swept.metrics(self.number, next(position)))
            for item in self.candidates
        )

    def closed_r(self) -> list[float]:
        """R of closed trades in the order of closing, then of symbols."""
        return self.swept.closed_r(self.number)

    def trades(self) -> pl.DataFrame | None:
        """Closed trades, as `Ran.trades` has them: the variant is run alone for them."""
        usable = [item for item in self.candidates if item.bars is not None]
        found = tuple(zip(usable, _run(self.variant, usable, self.timeframe), strict=True))
        return Ran(self.variant, found, None, self.timeframe).trades()


@dataclass(frozen=True, slots=True)
class Research:
    """Every variant on every symbol, in the order asked. best: the position of the one that looks best; luck: in it.

    tried_so_far: variants of each symbol in the ledger of trials, these included.
    """

    timeframe: Timeframe
    as_of: date | None
    simulated: bool
    tried: tuple[Ran | SweptVariant, ...]
    symbols: int
    best: int
    luck: TrialLuck
    tried_so_far: Mapping[str, int]

    def to_document(self) -> dict[str, Any]:
        """JSON-ready. `trials` counts the variants: the more were tried, the less the best of them says."""
        return {
            "kind": "research",
            "schema_version": 1,
            "label": LABEL,
            "gating": False,
            "simulated": self.simulated,
            "timeframe": self.timeframe,
            "as_of": None if self.as_of is None else self.as_of.isoformat(),
            "trials": len(self.tried),
            "best": self.tried[self.best].variant.label,
            "luck": document(self.luck),
            "tried_so_far": dict(self.tried_so_far),
            "variants": [_variant_document(item) for item in self.tried],
            "package_version": __version__,
        }

    def trades(self) -> pl.DataFrame:
        """Every closed trade: columns variant and symbol, then the strategies' own."""
        import polars as pl

        frames = [
            frame.select(pl.lit(item.variant.label).alias("variant"), pl.all())
            for item in self.tried
            if (frame := item.trades()) is not None
        ]
        if not frames:
            return pl.DataFrame(schema={"variant": pl.String, "symbol": pl.String})
        return pl.concat(frames, how="diagonal_relaxed")


def variants(
    names: Sequence[str], grid: Mapping[str, Sequence[str]], *, timeframe: Timeframe, unregistered: bool = False
) -> tuple[Variant, ...]:
    """The strategies as registered, each followed by every combination of the grid's values that differs.

    One that comes to the registered parameters, or to those of another combination, is not tried again.

    Raises ProfileError for a strategy that is not installed; UsageError for parameters that a strategy does not
    take, and for more than MAX_VARIANTS variants.
    """
    if len(set(names)) != len(names):
        raise UsageError("a strategy is named twice", found=", ".join(names))
    asked = len(names)
    for values in grid.values():
        asked *= len(values)
    if asked > MAX_VARIANTS:
        raise UsageError("too many variants", found=str(asked), expected=f"at most {MAX_VARIANTS}")
    made = []
    for name in names:
        strategy = registry.find(name)
        made.append(Variant(strategy, {}))
        seen = {_identity(strategy), _identity(strategy.configured({}, timeframe=timeframe))}
        for values in product(*grid.values()) if grid else ():
            overrides = dict(zip(grid, values, strict=True))
            chosen = strategy.configured(overrides, timeframe=timeframe, unregistered=unregistered)
            if _identity(chosen) not in seen:
                seen.add(_identity(chosen))
                made.append(Variant(chosen, overrides))
    return tuple(made)


def run(
    workspace: Workspace,
    profile: OperatingProfile | None,
    symbols: Sequence[str],
    chosen: Sequence[Variant],
    *,
    instant: datetime,
    timeframe: Timeframe = "daily",
    as_of: date | None = None,
    stress: bool = True,
    track: Track = untracked,
    workers: Workers = HERE,
) -> Research:
    """Run every variant on every symbol; each symbol is read once, and one failure leaves the others.

    Variants of a strategy that can sweep are tried in one pass over what they share. Slippage and tick are the
    profile's where it has settings of the symbol, else one tick of the workspace. as_of: sessions after it are left
    out (inclusive). instant: of the command, at which a session must be over to count. stress: whether the metrics of
    a sweep hold slippage stress. workers: where it is done; a sweep in one pass uses threads here unless others are
    asked for.
    """
    asked = workers if workers.asked else HERE
    read = asked.each(partial(_candidate, workspace, profile, instant=instant, as_of=as_of), symbols)
    candidates = [item for _, item in zip(track(symbols), read, strict=True)]
    tried: list[Ran | SweptVariant] = []
    for _, group in groupby(chosen, key=lambda variant: variant.strategy.name):
        tried += _try(tuple(group), candidates, timeframe, stress, track, workers)
    usable = [item for item in candidates if item.bars is not None]
    moments = _moments(tried, usable)
    best, luck = _best(tried, usable, moments)
    return Research(
        timeframe=timeframe,
        as_of=as_of,
        simulated=workspace.simulated,
        tried=tuple(tried),
        symbols=len(candidates),
        best=best,
        luck=luck,
        tried_so_far=_record(workspace, tried, usable, moments, timeframe, instant),
    )


def _moments(tried: Sequence[Ran | SweptVariant], usable: Sequence[Candidate]) -> Floats:
    """(3, variants, symbols): closed trades, the sum of their R and of its square; 0 where nothing was run."""
    found = np.zeros((3, len(tried), len(usable)))
    column = {item.symbol: position for position, item in enumerate(usable)}
    together: Swept | None = None
    stacked = found
    for row, item in enumerate(tried):
        if isinstance(item, Ran):
            for candidate, result in item.results:
                if not isinstance(result, str):
                    r = np.array([trade.r_theoretical for trade in result.trades])
                    found[:, row, column[candidate.symbol]] = len(r), r.sum(), (r * r).sum()
            continue
        swept = [each.symbol for each in item.candidates if each.bars is not None]
        if item.swept is not together:
            together = item.swept
            stacked = np.array([together.moments(position) for position in range(len(swept))]).transpose(1, 2, 0)
        found[:, row, [column[symbol] for symbol in swept]] = stacked[:, item.number]
    return found


def _best(tried: Sequence[Ran | SweptVariant], usable: Sequence[Candidate], moments: Floats) -> tuple[int, TrialLuck]:
    """The variant that looks best over all symbols, by the score that overfitting is judged by, and the luck in it."""
    counts, totals, squares = moments.sum(axis=2)
    scores = np.divide(totals, np.sqrt(squares), out=np.zeros(len(tried)), where=squares > 0.0)
    best = int(scores.argmax())
    spread = _spread(_scores(counts, totals, squares))
    luck = trial_luck(tried[best].closed_r(), len(tried), spread)
    swept = {id(item.swept): item.swept for item in tried if isinstance(item, SweptVariant)}
    whole = len(swept) == 1 and all(isinstance(item, SweptVariant) for item in tried)
    if not whole or not usable:
        return best, luck
    sessions = [item.bars.session for item in usable if item.bars is not None]
    first, last = min(each[0] for each in sessions), max(each[-1] for each in sessions)
    steps = np.arange(BLOCKS) * ((last - first).astype(np.int64) + 1) // BLOCKS
    (one,) = swept.values()
    return best, replace(luck, pbo=backtest_overfitting(*one.by_time(first + steps)))


def _scores(counts: Floats, totals: Floats, squares: Floats) -> Floats:
    """Sharpe ratio times the square root of the trades; NaN where there is none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = (squares - totals * totals / counts) / (counts - 1.0)
        made: Floats = np.where((counts > 1.0) & (spread > 0.0), totals / np.sqrt(counts * spread), np.nan)
    return made


def _spread(scores: Floats) -> float | None:
    known = scores[~np.isnan(scores)]
    return float(known.var(ddof=1)) if len(known) > 1 else None


def _record(
    workspace: Workspace,
    tried: Sequence[Ran | SweptVariant],
    usable: Sequence[Candidate],
    moments: Floats,
    timeframe: Timeframe,
    instant: datetime,
) -> dict[str, int]:
    """Add what was tried to the ledger of trials; variants of each symbol tried so far. Raises where it is damaged."""
    import polars as pl

    scores = _scores(*moments)
    frames = []
    by_terms: dict[tuple[object, str], list[str]] = {}
    for column, item in enumerate(usable):
        terms = item.policy, item.choice.name
        if terms not in by_terms:
            by_terms[terms] = [
                identity(each.variant.strategy, each.variant.overrides, timeframe, item.policy, item.choice)
                for each in tried
            ]
        frames.append(
            pl.DataFrame(
                {
                    "symbol": [item.symbol] * len(tried),
                    "trial": by_terms[terms],
                    "label": [each.variant.label for each in tried],
                    "source": ["research"] * len(tried),
                    "trades": moments[0, :, column].astype(np.int64),
                    "score": pl.Series(scores[:, column]).fill_nan(None),
                    "first_tried": [instant.date()] * len(tried),
                }
            )
        )
    known = ledger.record(workspace, pl.concat(frames)) if frames else ledger.read(workspace)
    found = dict(known.group_by("symbol").agg(pl.col("trial").n_unique()).iter_rows())
    return {item.symbol: found[item.symbol] for item in usable}


@dataclass(frozen=True, slots=True)
class LookedAhead:
    """One symbol: on how many ends of data the strategy was run, and the first value that later bars changed."""

    symbol: str
    ends: int
    change: Change | None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookahead:
    """`ctl lookahead --json`. clean: no value changed, and every symbol could be tried."""

    kind: Literal["lookahead"] = "lookahead"
    schema_version: Literal[1] = 1
    strategy: str
    timeframe: Timeframe
    simulated: bool
    clean: bool
    symbols: tuple[LookedAhead, ...]


def lookahead(
    workspace: Workspace,
    profile: OperatingProfile | None,
    name: str,
    overrides: Mapping[str, str],
    symbols: Sequence[str],
    *,
    timeframe: Timeframe,
    now: datetime,
) -> Lookahead:
    """Run a strategy on each symbol's bars that end at every bar. Raises as `variants` does for the strategy."""
    strategy = registry.find(name)
    if overrides:
        strategy = strategy.configured(overrides, timeframe=timeframe)
    found = []
    for symbol in symbols:
        item = _candidate(workspace, profile, symbol, instant=now, as_of=None)
        if item.bars is None:
            found.append(LookedAhead(symbol, 0, None, item.error))
            continue
        try:
            change = first_change(
                strategy, item.bars, timeframe=timeframe, slippage_per_side=item.slippage, tick=item.tick
            )
            found.append(LookedAhead(symbol, len(item.bars) - 1, change))
        except CtlError as error:
            found.append(LookedAhead(symbol, 0, None, str(error)))
    return Lookahead(
        strategy=Variant(strategy, overrides).label,
        timeframe=timeframe,
        simulated=workspace.simulated,
        clean=not any(item.change is not None or item.error for item in found),
        symbols=tuple(found),
    )


def require_apart(folder: Path, workspace: Workspace) -> None:
    """Raise UsageError for a folder that belongs to the weekly run."""
    kept = workspace.cycle.resolve()
    if folder.resolve() == kept or kept in folder.resolve().parents:
        raise UsageError(
            "research is kept apart from the weekly run",
            found=str(folder),
            expected=f"a folder outside {workspace.relative(workspace.cycle)}",
        )


def write(folder: Path, found: Research) -> tuple[Path, ...]:
    """Write the document and the trades into a folder; returns their paths."""
    import io

    buffer = io.BytesIO()
    found.trades().write_parquet(buffer, compression="zstd")
    store.write_atomic(folder / TRADES, buffer.getvalue())
    store.write_atomic(folder / DOCUMENT, store.json_bytes(found.to_document()))
    return folder / DOCUMENT, folder / TRADES


def _identity(strategy: Strategy) -> object:
    """What tells a configured strategy from another: itself where it compares by value, else its own identity."""
    return strategy if isinstance(strategy, Hashable) else id(strategy)


def _candidate(
    workspace: Workspace, profile: OperatingProfile | None, symbol: str, *, instant: datetime, as_of: date | None
) -> Candidate:
    config = workspace.symbol(symbol)
    settings = profile.symbol_settings.get(symbol) if profile else None
    role: Role = "untracked"
    if profile is not None and symbol in profile.symbols:
        role = "gating" if symbol in profile.gating_universe else "non-gating"
    tick = settings.tick_size if settings else config.tick
    slippage = settings.slippage_per_side if settings else config.tick
    try:
        held = inputs.read_traded(workspace, symbol, profile, now=instant, as_of=as_of, keep=True)
        if held.contracts is not None:
            require_root(held.contracts, held.root, symbol)
        series = traded_series(held, config.calendar)
        if series is None:
            raise DataError(f"no series of {symbol} to run on", code="IDENTITY_MISMATCH")
        bars = strategy_bars(series, symbol, config.calendar)
        return Candidate(
            symbol,
            role,
            bars,
            slippage,
            tick,
            series=series,
            unadjusted=held.equity,
            calendar=config.calendar,
            policy=held.policy,
            choice=held.series,
        )
    except CtlError as error:
        return Candidate(symbol, role, None, slippage, tick, str(error))


def _try(
    group: tuple[Variant, ...],
    candidates: Sequence[Candidate],
    timeframe: Timeframe,
    stress: bool,
    track: Track,
    workers: Workers,
) -> Sequence[Ran | SweptVariant]:
    """Variants of one strategy: in one pass where it can, else each alone."""
    if len(group) > 1 and hasattr(group[0].strategy, "sweep"):
        swept = _sweep(group, candidates, timeframe, stress, workers)
        if isinstance(swept, CtlError):  # bars that it cannot take: those that the first variant cannot take either
            first = _run(group[0], candidates, timeframe)
            candidates = [
                replace(item, bars=None, error=result) if isinstance(result, str) else item
                for item, result in zip(candidates, first, strict=True)
            ]
            swept = _sweep(group, candidates, timeframe, stress, workers)
        if not isinstance(swept, CtlError):
            return swept
    return _ran(group, candidates, timeframe, track, workers)


_PART: Final = 16
"""Symbols that are swept in one task at most: some 10 ms each, of a large grid."""


def _sweep(
    group: tuple[Variant, ...], candidates: Sequence[Candidate], timeframe: Timeframe, stress: bool, workers: Workers
) -> list[Ran | SweptVariant] | CtlError:
    usable = [item for item in candidates if item.bars is not None]
    sweeping = cast("Sweeping", group[0].strategy)
    task = partial(_swept, group, timeframe, stress)
    if workers.asked and usable and hasattr(sweeping, "joined"):
        bare = [item.bare for item in usable]
        size = min(_PART, -(-len(bare) // 2))
        made = list(workers.each(task, [bare[at : at + size] for at in range(0, len(bare), size)]))
    else:
        made = [task(usable)]
    parts: list[Swept] = []
    for part in made:
        if isinstance(part, CtlError):
            return part
        parts.append(part)
    swept = parts[0] if len(parts) == 1 else sweeping.joined(parts)
    portfolios = swept.portfolios(range(len(usable)), stress) if usable else [None] * len(group)
    return [
        SweptVariant(variant, number, swept, tuple(candidates), portfolios[number], timeframe)
        for number, variant in enumerate(group)
    ]


def _swept(
    group: Sequence[Variant], timeframe: Timeframe, stress: bool, usable: Sequence[Candidate]
) -> Swept | CtlError:
    try:
        return cast("Sweeping", group[0].strategy).sweep(
            [variant.strategy for variant in group],
            [item.bars for item in usable if item.bars is not None],
            timeframe=timeframe,
            slippage_per_side=[item.slippage for item in usable],
            tick=[item.tick for item in usable],
            stress=stress,
        )
    except CtlError as error:
        return error


_TASK: Final = 0.08
"""Seconds that a task takes at least."""


def _ran(
    group: Sequence[Variant], candidates: Sequence[Candidate], timeframe: Timeframe, track: Track, workers: Workers
) -> list[Ran | SweptVariant]:
    from ctl.strategy.metrics import portfolio

    usable = [item.bare for item in candidates if item.bars is not None]
    pairs = [(variant, item) for item in usable for variant in group]
    task = partial(_one, timeframe)
    begun = time.perf_counter()
    results = [task(pair) for pair in pairs[:2]]
    least = int(2 * _TASK / max(time.perf_counter() - begun, 1e-3)) + 1
    rest = workers.each(task, pairs[2:], least=least)
    results += [result for _, result in zip(track(pairs[2:]), rest, strict=True)]
    found: list[Ran | SweptVariant] = []
    for position, variant in enumerate(group):
        found_of = iter(results[position :: len(group)])
        own = [item.error if item.bars is None else next(found_of) for item in candidates]
        good = [result for result in own if not isinstance(result, str)]
        whole = portfolio(good) if good else None
        found.append(Ran(variant, tuple(zip(candidates, own, strict=True)), whole, timeframe))
    return found


def _run(variant: Variant, candidates: Sequence[Candidate], timeframe: Timeframe) -> list[Result | str]:
    """The result of each symbol, or why there is none."""
    return [_one(timeframe, (variant, item)) for item in candidates]


def _one(timeframe: Timeframe, asked: tuple[Variant, Candidate]) -> Result | str:
    variant, item = asked
    if item.bars is None:
        return item.error
    try:
        (result,) = variant.strategy.run(
            [item.bars], timeframe=timeframe, slippage_per_side=[item.slippage], tick=[item.tick]
        )
    except CtlError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - whatever one variant does, the others still run
        stopping.check()
        text = " ".join(str(error).split()) or "no message"
        return f"unexpected {type(error).__name__}: {text}"
    return result


def _variant_document(tried: Ran | SweptVariant) -> dict[str, Any]:
    return {
        "variant": tried.variant.label,
        "strategy": tried.variant.strategy.name,
        "overrides": dict(tried.variant.overrides),
        "fingerprint": registry.fingerprint(tried.variant.strategy),
        "symbols": [
            {
                "symbol": item.symbol,
                "role": item.role,
                "status": "ERROR" if item.metrics is None else "EXECUTED",
                "reason": item.error,
                "metrics": None if item.metrics is None else document(item.metrics),
            }
            for item in tried.symbols()
        ],
        "portfolio": None if tried.portfolio is None else document(tried.portfolio),
    }
