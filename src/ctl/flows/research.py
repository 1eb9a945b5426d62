"""Research: strategies and parameters side by side over a workspace's symbols, gating or not.

It asks no gate, reads no lock and writes nothing of the weekly run: nothing that comes out of it says that
anything may be traded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from ctl import __version__, store
from ctl.errors import CtlError, DataError, UsageError
from ctl.flows import inputs, pipeline
from ctl.strategy import registry

if TYPE_CHECKING:
    import polars as pl

    from ctl.model.trades import Timeframe
    from ctl.operating_profile import OperatingProfile
    from ctl.store import Workspace
    from ctl.strategy.bars import StrategyBars
    from ctl.strategy.protocol import Result, Strategy

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
class Tried:
    """One variant on one symbol: a result, or why there is none."""

    symbol: str
    role: Literal["gating", "non-gating", "untracked"]
    result: Result | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Research:
    """Every variant on every symbol, in the order asked."""

    timeframe: Timeframe
    as_of: date | None
    simulated: bool
    tried: tuple[tuple[Variant, tuple[Tried, ...]], ...]

    @property
    def has_errors(self) -> bool:
        """Whether some variant failed on some symbol."""
        return any(item.error is not None for _, items in self.tried for item in items)

    def to_document(self) -> dict[str, Any]:
        """JSON-ready. `trials` counts the variants: the more were tried, the less the best of them says."""
        return {
            "schema_version": 1,
            "label": LABEL,
            "gating": False,
            "simulated": self.simulated,
            "timeframe": self.timeframe,
            "as_of": None if self.as_of is None else self.as_of.isoformat(),
            "trials": len(self.tried),
            "variants": [_variant_document(variant, items) for variant, items in self.tried],
            "package_version": __version__,
        }

    def trades(self) -> pl.DataFrame:
        """Every closed trade: columns variant and symbol, then the strategies' own."""
        import polars as pl

        rows = [
            {"variant": variant.label, "symbol": item.symbol, **trade.document()}
            for variant, items in self.tried
            for item in items
            if item.result is not None
            for trade in item.result.trades
        ]
        if not rows:
            return pl.DataFrame(schema={"variant": pl.String, "symbol": pl.String})
        return pl.DataFrame(rows, infer_schema_length=None).with_columns(
            pl.col("^.*_session$").cast(pl.String).str.to_date()
        )


def variants(
    names: Sequence[str], grid: Mapping[str, Sequence[str]], *, timeframe: Timeframe, unregistered: bool = False
) -> tuple[Variant, ...]:
    """The strategies as registered, each followed by every combination of the grid's values.

    Raises ProfileError for a strategy that is not installed; UsageError for parameters that a strategy does not
    take, and for more than MAX_VARIANTS variants.
    """
    if len(set(names)) != len(names):
        raise UsageError("a strategy is named twice", found=", ".join(names))
    count = len(names)
    for values in grid.values():
        count *= len(values)
    if count > MAX_VARIANTS:
        raise UsageError("too many variants", found=str(count), expected=f"at most {MAX_VARIANTS}")
    made = []
    for name in names:
        strategy = registry.find(name)
        made.append(Variant(strategy, {}))
        for values in product(*grid.values()) if grid else ():
            overrides = dict(zip(grid, values, strict=True))
            chosen = strategy.configured(overrides, timeframe=timeframe, unregistered=unregistered)
            made.append(Variant(chosen, overrides))
    return tuple(made)


def run(
    workspace: Workspace,
    profile: OperatingProfile | None,
    symbols: Sequence[str],
    chosen: Sequence[Variant],
    *,
    timeframe: Timeframe = "daily",
    as_of: date | None = None,
) -> Research:
    """Run every variant on every symbol; each symbol is read once, and one failure leaves the others.

    Slippage and tick are the profile's where it has settings of the symbol, else one tick of the workspace.
    as_of: sessions after it are left out (inclusive).
    """
    rows: list[list[Tried]] = [[] for _ in chosen]
    for symbol in symbols:
        config = workspace.symbol(symbol)
        settings = profile.symbol_settings.get(symbol) if profile else None
        role: Literal["gating", "non-gating", "untracked"] = "untracked"
        if profile is not None and symbol in profile.symbols:
            role = "gating" if symbol in profile.gating_universe else "non-gating"
        try:
            bars: StrategyBars | str = _bars(workspace, profile, symbol, as_of)
        except CtlError as error:
            bars = str(error)
        for variant, row in zip(chosen, rows, strict=True):
            if isinstance(bars, str):
                row.append(Tried(symbol, role, None, bars))
                continue
            tick = settings.tick_size if settings else config.tick
            slippage = settings.slippage_per_side if settings else config.tick
            row.append(_try(variant, bars, role, timeframe, slippage, tick))
    return Research(
        timeframe=timeframe,
        as_of=as_of,
        simulated=workspace.simulated,
        tried=tuple((variant, tuple(row)) for variant, row in zip(chosen, rows, strict=True)),
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


def _bars(workspace: Workspace, profile: OperatingProfile | None, symbol: str, as_of: date | None) -> StrategyBars:
    settings = profile.symbol_settings.get(symbol) if profile else None
    policy = settings.roll_policy if settings else None
    held = inputs.read_symbol(workspace, symbol, policy=policy, as_of=as_of, with_reference=False)
    calendar = workspace.symbol(symbol).calendar
    if held.contracts is not None:
        pipeline.require_root(held.contracts, held.root, symbol)
    series = pipeline.canonical_series(held, calendar)
    if series is None:
        raise DataError(f"no series of {symbol} to run on", code="IDENTITY_MISMATCH")
    return pipeline.strategy_bars(series, symbol, calendar)


def _try(
    variant: Variant,
    bars: StrategyBars,
    role: Literal["gating", "non-gating", "untracked"],
    timeframe: Timeframe,
    slippage: float,
    tick: float,
) -> Tried:
    try:
        (result,) = variant.strategy.run([bars], timeframe=timeframe, slippage_per_side=[slippage], tick=[tick])
    except CtlError as error:
        return Tried(bars.symbol, role, None, str(error))
    except Exception as error:  # noqa: BLE001 - whatever one variant does, the others still run
        text = " ".join(str(error).split()) or "no message"
        return Tried(bars.symbol, role, None, f"unexpected {type(error).__name__}: {text}")
    return Tried(bars.symbol, role, result)


def _variant_document(variant: Variant, items: Sequence[Tried]) -> dict[str, Any]:
    from ctl.strategy.metrics import portfolio

    results = [item.result for item in items if item.result is not None]
    return {
        "variant": variant.label,
        "strategy": variant.strategy.name,
        "overrides": dict(variant.overrides),
        "fingerprint": registry.fingerprint(variant.strategy),
        "symbols": [
            {
                "symbol": item.symbol,
                "role": item.role,
                "status": "ERROR" if item.result is None else "EXECUTED",
                "reason": item.error or "",
                "metrics": None if item.result is None else item.result.metrics.document(),
            }
            for item in items
        ],
        "portfolio": portfolio(results).document() if results else None,
    }
