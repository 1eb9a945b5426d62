"""What a strategy makes of bars: triggers, trades, positions still open, and the metrics over them.

Field order is the order of the published document. Prices are in the adjusted series' own frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from typing import TYPE_CHECKING, Any, Final, Literal

from ctl.model.display import Card, Tabular
from ctl.model.documents import document

if TYPE_CHECKING:
    import polars as pl

Timeframe = Literal["daily", "weekly"]
TriggerStatus = Literal["confirmed", "expired", "pending", "awaiting_entry", "no_trade"]
NoTradeReason = Literal["risk_too_small", "entry_at_or_below_stop"]
ExitReason = Literal["TP3", "Stop", "Open"]
Outcome = Literal["Win", "Loss", "Scratch", "Open"]

_TRADES_SHOWN: Final = 5
_PUBLISHED: Final = ("parameters", "triggers", "trades", "open", "metrics", "fingerprint")
SCRATCH_BELOW: Final = 1e-12  # R smaller than this in size is neither won nor lost


@dataclass(frozen=True, slots=True)
class Trigger:
    """One trigger with the levels frozen at its close and what became of it.

    Flags are None where their bars or inputs are missing. `reason` is None but for `no_trade`;
    `entry_session` of a `no_trade` is the session whose open was refused.
    """

    trigger_session: date
    status: TriggerStatus
    reason: NoTradeReason | None
    slope: float
    bars_of_air: int
    ema: float
    atr: float
    stop: float
    swing_high: float
    tp1: float
    tp2: float
    tp3: float
    tp4: float
    tp5: float
    wr_divergence: bool | None
    clean_pullback: bool | None
    volume_declining: bool | None
    gap_below: bool | None
    near_high: bool | None
    fib_confluence: bool | None
    single_bar_pullback: bool | None
    weekly_aligned: bool | None
    monthly_aligned: bool | None
    stop_breached_while_pending: bool
    confirmation_session: date | None
    entry_session: date | None


@dataclass(frozen=True, slots=True)
class Trade:
    """One closed trade; three equal thirds leave at TP1, TP2, TP3 or together at the stop fill.

    exit_price and exit_session are those of the last unit. risk is price per unit, R figures are
    multiples of it. hold_bars counts bars from entry bar to exit bar.
    """

    trigger_session: date
    entry_session: date
    entry_price: float
    stop_price: float
    tp1: float
    tp2: float
    tp3: float
    tp1_hit: bool
    tp2_hit: bool
    tp3_hit: bool
    tp1_session: date | None
    tp2_session: date | None
    tp3_session: date | None
    tp1_fill: float | None
    tp2_fill: float | None
    tp3_fill: float | None
    exit_session: date
    exit_price: float
    exit_reason: ExitReason
    outcome: Outcome
    risk: float
    r_theoretical: float
    r_actual: float
    lots: int
    mfe_r: float
    mae_r: float
    hold_bars: int
    day1_fail: bool
    same_bar_collision: bool


@dataclass(frozen=True, slots=True)
class OpenTrade(Trade):
    """A position still held at the end of the data, marked at the last close (exit fields).

    awaiting_exit: the stop was breached on the last bar, so the next open closes it.
    """

    awaiting_exit: bool


@dataclass(frozen=True, slots=True)
class AlignmentRate:
    """How often a higher timeframe agreed, over confirmed triggers. `rate` is None where none is known."""

    non_null: int
    true: int
    rate: float | None


@dataclass(frozen=True, slots=True)
class HigherTimeframes:
    """Alignment with the weekly and the monthly bars."""

    weekly_aligned: AlignmentRate
    monthly_aligned: AlignmentRate


@dataclass(frozen=True, slots=True)
class ClosedR:
    """The part of a closed trade that R metrics need."""

    exit_session: date
    r_theoretical: float


@dataclass(frozen=True, slots=True)
class StressedTrades:
    """Closed trades of the same run at another slippage: `ticks` per side in place of the configured one."""

    ticks: int
    closed: tuple[ClosedR, ...]


@dataclass(frozen=True, slots=True)
class StressMetrics:
    """R metrics at `ticks` of slippage per side."""

    ticks: int
    trade_count: int
    win_rate: float | None
    total_r: float
    expectancy_r: float | None
    profit_factor: float | None
    max_drawdown_r: float


@dataclass(frozen=True, slots=True)
class Metrics:
    """Figures over one symbol's or a portfolio's run. R is r_theoretical; open positions stand apart.

    Rates, means and ratios are None where nothing stands below the line. exposure is the share of
    the bars after warm-up on which a closed trade was held (a portfolio's: over all symbols' bars).
    slippage_stress is None where the tick is not known.
    """

    trigger_count: int
    confirmed_count: int
    trade_count: int
    win_rate: float | None
    total_r: float
    expectancy_r: float | None
    profit_factor: float | None
    max_drawdown_r: float
    mean_hold_bars: float | None
    exposure: float | None
    open_count: int
    open_r: float
    slope_undefined_count: int
    mtfa: HigherTimeframes
    slippage_stress: tuple[StressMetrics, ...] | None


@dataclass(frozen=True, slots=True, repr=False)
class StrategyResult(Tabular):
    """Everything one strategy did on one symbol's bars.

    trades are closed and ordered by entry; open holds at most one position. evaluated_bars is the
    number of bars after warm-up. parameters is JSON-ready and complete: rules, timeframe, costs, lots.
    """

    symbol: str
    timeframe: Timeframe
    parameters: Mapping[str, Any]
    triggers: tuple[Trigger, ...]
    trades: tuple[Trade, ...]
    open: tuple[OpenTrade, ...]
    metrics: Metrics
    fingerprint: str
    first_session: date
    last_session: date
    bar_count: int
    evaluated_bars: int
    stressed: tuple[StressedTrades, ...] | None = field(default=None, repr=False)

    def document(self) -> dict[str, Any]:
        """The published document: parameters, triggers, trades, open, metrics, fingerprint."""
        return result_document(self)

    def to_polars(self) -> pl.DataFrame:
        """One row per trade, closed ones first: the fields of Trade, sessions as dates."""
        import polars as pl

        held = (*self.trades, *self.open)
        rows = [{item.name: getattr(trade, item.name) for item in fields(Trade)} for trade in held]
        return pl.DataFrame(rows, schema=frame_schema(Trade))

    def triggers_frame(self) -> pl.DataFrame:
        """One row per trigger: the fields of Trigger, sessions as dates."""
        import polars as pl

        rows = [{item.name: getattr(found, item.name) for item in fields(Trigger)} for found in self.triggers]
        return pl.DataFrame(rows, schema=frame_schema(Trigger))

    @property
    def caption(self) -> str:
        """Symbol, sessions, trades and what they made."""
        m = self.metrics
        each = (
            "" if m.expectancy_r is None else f", {m.expectancy_r:+.2f} R a trade, {100 * (m.win_rate or 0):.0f} % won"
        )
        still = f", {m.open_count} open" if m.open_count else ""
        return (
            f"{self.symbol} {self.first_session} to {self.last_session}: {m.trade_count} trades{still}, "
            f"{m.total_r:+.2f} R{each}, max drawdown {m.max_drawdown_r:.2f} R"
        )

    def _card(self) -> Card:
        from ctl.model.pictures import RCurve, r_curve

        curve = RCurve.of("strategy", [(trade.exit_session, trade.r_theoretical) for trade in self.trades])
        fall = next(iter(curve.falls(1)), None)
        deepest = "" if fall is None else f"; deepest fall {-fall.depth:.2f} R to {fall.deepest}"
        title = f"{self.symbol}: {self.metrics.total_r:+.2f} R over {self.metrics.trade_count} trades{deepest}"
        shown = ("entry_session", "entry_price", "stop_price", "exit_session", "exit_price", "exit_reason")
        trades = self.to_polars().sort("exit_session").tail(_TRADES_SHOWN).select(*shown, "r_theoretical")
        return Card(self.caption, (trades,), r_curve([curve], title))


def result_document(result: Any) -> dict[str, Any]:
    """The published document of any strategy's result (`ctl.strategy.protocol.Result`)."""
    return {name: document(getattr(result, name)) for name in _PUBLISHED}


def frame_schema(record: type) -> dict[str, Any]:
    """Field name -> polars type, from the annotations: an optional field has the type of what it may hold."""
    import polars as pl

    kinds = {"date": pl.Date, "float": pl.Float64, "int": pl.Int64, "bool": pl.Boolean}
    return {item.name: kinds.get(str(item.type).removesuffix(" | None"), pl.String) for item in fields(record)}
