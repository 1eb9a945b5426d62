"""What a simulated market is made of. Every cause of a difference between the vendors is a named parameter."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

Curve = tuple[tuple[str, float], ...]
"""Values at ISO dates, interpolated linearly between them and constant beyond."""

ExpiryRule = Literal["third_friday", "before_25th_of_previous_month", "third_last_business_day"]


@dataclass(frozen=True, slots=True)
class PriceSpec:
    """The latent price of one root: one continuous path through settlement and the close of the UTC day."""

    level: Curve
    """Quote units; the path passes through these points."""
    volatility: Curve
    """Standard deviation of a session's log change."""
    carry: Curve
    """Log change of the price per year of delivery: the slope of the term structure."""
    carry_noise: float
    """Standard deviation of the daily change of `carry`."""
    carry_evening_noise: float
    """The same between settlement and 00:00 UTC, when spreads move without being settled."""
    seasonality: float = 0.0
    """Log amplitude over the delivery months, highest for July delivery."""
    evening: float = 0.14
    """Standard deviation between settlement and 00:00 UTC as a fraction of the session's, on a quiet day."""
    late_news: float = 0.45
    """The same on a day of late news."""
    late_news_share: float = 0.06


@dataclass(frozen=True, slots=True)
class LiquiditySpec:
    """Volume, open interest, and how they migrate to the next contract."""

    volume: float
    """Contracts per session over all deliveries."""
    migration_sessions: float
    """Sessions before expiry at which half of the volume is in the next contract."""
    migration_jitter: int = 1
    """The same differs from one contract to the next by up to this many sessions."""
    deferred: tuple[float, ...] = (0.02, 0.004, 0.0008)
    """Volume of the 2nd, 3rd, ... contract as a fraction of the whole."""
    single_day_crossovers: float = 0.15
    """Share of rolls before which the next contract is the more active for one session only."""
    deferred_blocks: float = 0.0
    """Share of rolls at which, on the crossing's second day, block trades make a third contract the most active."""
    reporting_noise: float = 0.15
    """Log standard deviation between the vendors' counts of the same session (blocks, spread legs, corrections)."""
    staleness: float = 0.06
    """A liquid contract's last trade misses up to this fraction of the evening's move; a thin one's up to all of it."""
    bounce_ticks: int = 1
    """A liquid contract's last trade lies up to this many ticks beside its price."""


@dataclass(frozen=True, slots=True)
class RollRule:
    """The reference vendor's own rule.

    `volume`: the next contract's session volume exceeds the held one's on `sessions` consecutive sessions.
    `before_expiry`: `sessions` sessions before the last trade. The gap is taken on the deciding session's settlement.
    """

    kind: Literal["volume", "before_expiry"] = "volume"
    sessions: int = 2
    skip: str = ""
    """Month codes that are never held."""
    later: tuple[date, RollRule] | None = None
    """Another rule from a date on."""


@dataclass(frozen=True, slots=True)
class CanonicalCauses:
    """How the system of record's data came about."""

    close: Literal["last_trade", "settlement"] = "last_trade"
    """`settlement`: exchange-session bars that close at the settlement price; nothing else changes."""
    missing: tuple[date, ...] = ()
    """No bar of any contract on the first session on or after each date."""
    restated: tuple[date, ...] = ()
    """On the first session on or after each date, the most active contract's close was changed afterwards."""
    sessions_short: int = 0
    """The files end this many sessions early."""
    price_scale: int = 1
    commodity: str | None = None
    """Files of this root lie in the folder instead of the symbol's own."""
    relabelled: bool = False
    """With `commodity`: its prices, under the symbol's own contract names."""
    faults: tuple[str, ...] = ()
    """Names in `faults.CANONICAL`."""


@dataclass(frozen=True, slots=True)
class ReferenceCauses:
    """How the reference vendor's series came about."""

    unadjusted: tuple[date, ...] = ()
    """The first roll on or after each date was left out of the adjustment."""
    missing: tuple[date, ...] = ()
    misprints: tuple[tuple[date, int], ...] = ()
    """The close of the first session on or after the date is off by so many ticks."""
    inverted: bool = False
    """The adjustment has the wrong sign: it doubles every jump."""
    faults: tuple[str, ...] = ()
    """Names in `faults.REFERENCE`."""


@dataclass(frozen=True, slots=True)
class FutureSpec:
    """One root as both vendors see it."""

    root: str
    name: str
    exchange: str
    venue: str
    tick: float
    point_value: float
    quote_unit: str
    unit_of_measure: str
    """The exchange's code in `definition` records."""
    months: str
    """Month codes listed; all of them liquid."""
    listed_months: int
    """Months that a contract trades before its expiry."""
    expiry: ExpiryRule
    settlement: str
    """Local time at which the exchange settles, for the reader."""
    reference_time: str
    """The `Time` column of the reference vendor."""
    price: PriceSpec
    liquidity: LiquiditySpec
    rule: RollRule
    files: Literal["dbn", "parent_csv", "contract_csv"]
    """DBN comes with definitions and with settlement statistics."""
    canonical: CanonicalCauses = CanonicalCauses()
    reference: ReferenceCauses = ReferenceCauses()
    calendar: str = "CMES"
    hourly: bool = False
    """Hourly bars are delivered too."""
    reference_contracts: bool = False
    """The reference delivers bars per contract too."""


@dataclass(frozen=True, slots=True)
class Dividends:
    """Quarterly cash dividends: the ex-date is the first session on or after the `day` of the months."""

    amount: Curve
    """Per share as paid at the time, that is before later splits."""
    months: tuple[int, ...]
    day: int


@dataclass(frozen=True, slots=True)
class EquitySpec:
    """One stock or fund: raw prices at the system of record, another basis at the reference."""

    symbol: str
    name: str
    level: Curve
    """US dollars in the latest share's terms (split-adjusted)."""
    volatility: Curve
    volume: float
    splits: tuple[tuple[date, int], ...]
    dividends: Dividends
    reference_basis: Literal["split_adjusted", "total_return"]
    after_hours: float = 0.0006
    """Standard deviation of the last trade before 00:00 UTC against the closing auction, as a log change."""
    canonical: CanonicalCauses = CanonicalCauses()
    calendar: str = "XNYS"


@dataclass(frozen=True, slots=True)
class MarketSpec:
    """Two vendors' view of a market; `first` and `last` are inclusive."""

    seed: int
    first: date
    last: date
    futures: tuple[FutureSpec, ...]
    equities: tuple[EquitySpec, ...]

    @property
    def symbols(self) -> tuple[str, ...]:
        """All symbols, futures first."""
        return tuple(f.root for f in self.futures) + tuple(e.symbol for e in self.equities)

    def future(self, root: str) -> FutureSpec:
        """The future of that root; KeyError if there is none."""
        return {future.root: future for future in self.futures}[root]
