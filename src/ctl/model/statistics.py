"""What is said beside a strategy's R: how sure it is, when it was made, and how much of it may be luck.

Field order is the order of the published documents. R is that of closed trades, in the order of closing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

Sign = Literal["positive", "negative", "zero", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectancy:
    """The mean R of a trade and how sure it is.

    low, high: 95 % interval of the mean; with standard_error and block_length None where there are too few trades for
    an honest one, and `note` says so. trades_needed: as many trades of this mean and spread tell it from zero (95 %
    two-sided, four times of five). trades_per_year: over the sessions on which the strategy could act.
    """

    trades: int
    mean_r: float | None
    standard_error: float | None
    low: float | None
    high: float | None
    block_length: float | None
    trades_per_year: float | None
    trades_needed: int | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class YearOfTrades:
    """The trades that were closed in one calendar year."""

    year: int
    trades: int
    total_r: float


@dataclass(frozen=True, slots=True)
class LossBin:
    """Closed trades that lost more than `over` R and at most `up_to` R (None: any more)."""

    over: float
    up_to: float | None
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LossesBeyondOneR:
    """The distribution of losses beyond 1 R: a stop acts on a close and fills at the next open.

    share: of all closed trades; mean_r, worst_r: of those losses, below -1; None where there are none.
    """

    count: int
    share: float | None
    mean_r: float | None
    worst_r: float | None
    bins: tuple[LossBin, ...]


@dataclass(frozen=True, slots=True)
class TrialLuck:
    """What trying many variants makes of the result.

    trials: variants tried so far, this one included; None where the ledger cannot be read, and `note` says why.
    variance: of the trials' Sharpe ratios per trade. deflated_sharpe: odds that the Sharpe ratio is above the best
    that luck alone would give among as many; None with too few trades. pbo: odds that the best of a grid on one half
    of history is below its median on the other, None where no grid was run.
    """

    trials: int | None
    variance: float | None
    deflated_sharpe: float | None
    pbo: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class RUnder:
    """Closed trades and their R under one change of the rules of the series or of costs."""

    change: str
    trades: int
    total_r: float
    mean_r: float | None


@dataclass(frozen=True, slots=True)
class Stability:
    """The R under other roll policies, shifted rolls and other slippage; text: whether the sign of R/trade holds.

    rolls_note: why rolls were not varied; empty where they were.
    """

    sign: Sign
    rolls: tuple[RUnder, ...]
    shifted: tuple[RUnder, ...]
    slippage: tuple[RUnder, ...]
    text: str
    rolls_note: str = ""


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """R closed up to and including a session."""

    session: date
    total_r: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeStatistics:
    """What a head of trading asks for beside an expectancy. stability, luck: None where they were not asked for.

    curve: a point for each session on which trades were closed.
    """

    expectancy: Expectancy
    curve: tuple[CurvePoint, ...]
    years: tuple[YearOfTrades, ...]
    best_year: YearOfTrades | None
    worst_year: YearOfTrades | None
    losses_beyond_1r: LossesBeyondOneR
    stability: Stability | None = None
    luck: TrialLuck | None = None
