"""The default market's numbers: made up, in the shape of the years they bear.

Levels pass through round points (a crash and a recovery in 2020, a squeeze in 2022, a metals rally in 2025), so that
trends strong enough for B1 occur on some symbols. No price is a quotation of any exchange.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Final

from ctl.demo.spec import (
    Dividends,
    EquitySpec,
    FutureSpec,
    LiquiditySpec,
    MarketSpec,
    PriceSpec,
    ReferenceCauses,
    RollRule,
)

SEED: Final = 20260301
FIRST: Final = date(2018, 1, 2)
LAST: Final = date(2026, 2, 27)

_ES: Final = FutureSpec(
    root="ES",
    name="E-mini S&P 500",
    exchange="XCME",
    venue="glbx-mdp3",
    tick=0.25,
    point_value=50.0,
    quote_unit="index points",
    unit_of_measure="IPNT",
    months="HMUZ",
    listed_months=15,
    expiry="third_friday",
    settlement="15:00 America/Chicago",
    reference_time="16:00",
    price=PriceSpec(
        level=(
            ("2018-01-02", 2690), ("2018-01-26", 2870), ("2018-02-09", 2600), ("2018-09-20", 2930),
            ("2018-12-24", 2350), ("2019-07-26", 3020), ("2020-02-19", 3390), ("2020-03-23", 2230),
            ("2020-04-29", 2930), ("2020-06-08", 3230), ("2020-09-02", 3570), ("2020-10-30", 3270),
            ("2021-01-08", 3820), ("2021-12-30", 4770), ("2022-06-16", 3660), ("2022-08-16", 4300),
            ("2022-10-12", 3570), ("2023-07-31", 4600), ("2023-10-27", 4130), ("2024-03-28", 5300),
            ("2024-08-05", 5150), ("2025-02-19", 6140), ("2025-04-08", 4960), ("2025-05-16", 5950),
            ("2025-10-28", 6900), ("2026-02-27", 6880),
        ),
        volatility=(
            ("2018-01-02", 0.007), ("2018-11-01", 0.012), ("2019-03-01", 0.007), ("2020-02-15", 0.008),
            ("2020-03-15", 0.034), ("2020-05-15", 0.017), ("2020-12-01", 0.010), ("2021-11-01", 0.008),
            ("2022-03-01", 0.014), ("2022-11-01", 0.014), ("2023-06-01", 0.008), ("2025-03-01", 0.009),
            ("2025-04-08", 0.026), ("2025-06-01", 0.010), ("2026-02-27", 0.008),
        ),
        carry=(
            ("2018-01-02", 0.021), ("2019-12-01", 0.020), ("2020-03-28", 0.018), ("2020-05-20", -0.019),
            ("2022-03-25", -0.017), ("2022-05-20", 0.019), ("2023-06-01", 0.034), ("2024-09-01", 0.036),
            ("2026-02-27", 0.027),
        ),
        carry_noise=0.00012,
        carry_evening_noise=0.00015,
        evening=0.175,
        late_news=0.62,
        late_news_share=0.12,
    ),
    liquidity=LiquiditySpec(
        volume=1_650_000, migration_sessions=7, deferred=(0.012, 0.0012, 0.0002), reporting_noise=0.05
    ),
    rule=RollRule("volume", 2),
    files="dbn",
    hourly=True,
    reference_contracts=True,
)  # fmt: skip

_CL: Final = FutureSpec(
    root="CL",
    name="WTI crude oil",
    exchange="XNYM",
    venue="glbx-mdp3",
    tick=0.01,
    point_value=1000.0,
    quote_unit="USD per barrel",
    unit_of_measure="BBL",
    months="FGHJKMNQUVXZ",
    listed_months=12,
    expiry="before_25th_of_previous_month",
    settlement="14:30 America/New_York",
    reference_time="17:00",
    price=PriceSpec(
        level=(
            ("2018-01-02", 60.5), ("2018-06-29", 73.0), ("2018-10-03", 76.0), ("2018-12-24", 44.0),
            ("2019-04-23", 66.0), ("2019-12-31", 61.0), ("2020-02-20", 53.0), ("2020-04-21", 21.0),
            ("2020-06-08", 39.0), ("2020-11-02", 37.0), ("2021-03-05", 65.0), ("2021-07-06", 75.0),
            ("2021-08-20", 62.5), ("2021-10-26", 84.0), ("2021-12-01", 66.5), ("2022-03-08", 121.0),
            ("2022-04-11", 95.0), ("2022-06-08", 120.0), ("2022-09-26", 77.5), ("2023-03-17", 67.5),
            ("2023-05-31", 69.0), ("2023-09-27", 92.5), ("2023-12-12", 69.5), ("2024-04-05", 86.5),
            ("2024-09-10", 66.5), ("2025-01-15", 79.5), ("2025-05-05", 57.5), ("2025-06-18", 75.0),
            ("2025-12-16", 56.0), ("2026-02-27", 66.0),
        ),
        volatility=(
            ("2018-01-02", 0.015), ("2018-11-15", 0.026), ("2019-03-01", 0.018), ("2020-02-15", 0.020),
            ("2020-04-15", 0.070), ("2020-07-01", 0.026), ("2021-06-01", 0.018), ("2022-03-10", 0.042),
            ("2022-08-01", 0.028), ("2023-06-01", 0.020), ("2024-06-01", 0.016), ("2025-06-18", 0.028),
            ("2026-02-27", 0.018),
        ),
        carry=(
            ("2018-01-02", -0.060), ("2018-09-20", -0.080), ("2018-12-01", 0.085), ("2019-02-20", 0.070),
            ("2019-04-01", -0.060), ("2020-01-20", -0.080), ("2020-03-10", 0.120), ("2020-04-15", 0.620),
            ("2020-06-10", 0.120), ("2020-12-10", 0.060), ("2021-02-01", -0.090), ("2021-11-01", -0.140),
            ("2022-03-10", -0.340), ("2022-07-01", -0.260), ("2022-11-15", -0.090), ("2023-01-10", 0.060),
            ("2023-05-20", 0.060), ("2023-07-20", -0.080), ("2023-09-28", -0.230), ("2023-12-20", 0.060),
            ("2024-02-20", -0.090), ("2024-07-10", -0.130), ("2025-01-20", -0.130), ("2025-06-20", -0.180),
            ("2026-02-27", -0.080),
        ),
        carry_noise=0.0022,
        carry_evening_noise=0.0030,
        seasonality=0.004,
        evening=0.10,
        late_news=0.40,
        late_news_share=0.05,
    ),
    liquidity=LiquiditySpec(
        volume=640_000, migration_sessions=7, migration_jitter=1, deferred_blocks=0.06,
        deferred=(0.17, 0.08, 0.05, 0.035, 0.03, 0.022, 0.018, 0.012, 0.010, 0.008, 0.007),
    ),
    rule=RollRule("volume", 2),
    calendar="CMEGlobex_Energy",
    files="parent_csv",
    reference=ReferenceCauses(missing=(date(2019, 7, 5),)),
)  # fmt: skip

_PL: Final = FutureSpec(
    root="PL",
    name="Platinum",
    exchange="XNYM",
    venue="glbx-mdp3",
    tick=0.1,
    point_value=50.0,
    quote_unit="USD per troy ounce",
    unit_of_measure="TRY",
    months="FJNV",
    listed_months=15,
    expiry="third_last_business_day",
    settlement="13:05 America/New_York",
    reference_time="17:00",
    price=PriceSpec(
        level=(
            ("2018-01-02", 945), ("2018-01-25", 1020), ("2018-08-16", 775), ("2019-02-14", 785),
            ("2019-09-04", 985), ("2020-01-16", 1020), ("2020-03-19", 590), ("2020-05-20", 850),
            ("2020-08-10", 985), ("2020-09-24", 840), ("2021-02-16", 1290), ("2021-09-20", 915),
            ("2022-03-08", 1150), ("2022-09-01", 830), ("2023-01-09", 1090), ("2023-04-21", 1125),
            ("2023-11-10", 845), ("2024-05-20", 1050), ("2024-12-30", 910), ("2025-05-15", 990),
            ("2025-07-18", 1440), ("2025-10-16", 1700), ("2026-01-26", 2600), ("2026-02-27", 2250),
        ),
        volatility=(
            ("2018-01-02", 0.010), ("2019-06-01", 0.011), ("2020-02-20", 0.013), ("2020-03-20", 0.042),
            ("2020-06-01", 0.020), ("2021-06-01", 0.016), ("2022-03-10", 0.022), ("2023-06-01", 0.014),
            ("2025-04-01", 0.013), ("2025-07-01", 0.021), ("2026-01-26", 0.032), ("2026-02-27", 0.026),
        ),
        carry=(
            ("2018-01-02", 0.026), ("2019-08-01", 0.024), ("2020-06-01", 0.020), ("2021-12-01", 0.019),
            ("2022-12-01", 0.055), ("2023-09-01", 0.050), ("2024-09-01", 0.044), ("2025-06-01", 0.030),
            ("2026-02-27", 0.028),
        ),
        carry_noise=0.0003,
        carry_evening_noise=0.0004,
        evening=0.10,
        late_news=0.40,
        late_news_share=0.05,
    ),
    liquidity=LiquiditySpec(
        volume=21_000, migration_sessions=28, migration_jitter=1, deferred=(0.03, 0.006, 0.002), staleness=0.10
    ),
    rule=RollRule("before_expiry", 26),
    calendar="CMEGlobex_Metals",
    files="dbn",
    hourly=True,
    reference=ReferenceCauses(unadjusted=(date(2023, 3, 1),)),
)  # fmt: skip

_PA: Final = FutureSpec(
    root="PA",
    name="Palladium",
    exchange="XNYM",
    venue="glbx-mdp3",
    tick=0.5,
    point_value=100.0,
    quote_unit="USD per troy ounce",
    unit_of_measure="TRY",
    months="HMUZ",
    listed_months=15,
    expiry="third_last_business_day",
    settlement="13:00 America/New_York",
    reference_time="17:00",
    price=PriceSpec(
        level=(
            ("2018-01-02", 1080), ("2018-08-15", 850), ("2019-03-20", 1580), ("2019-12-31", 1930),
            ("2020-02-27", 2750), ("2020-03-18", 1500), ("2020-12-31", 2420), ("2021-05-04", 2980),
            ("2021-12-15", 1600), ("2022-03-07", 3000), ("2022-12-30", 1790), ("2023-11-13", 980),
            ("2024-08-05", 860), ("2025-05-15", 960), ("2025-10-16", 1620), ("2026-01-26", 2000), ("2026-02-27", 1760),
        ),
        volatility=(
            ("2018-01-02", 0.014), ("2020-02-01", 0.020), ("2020-03-20", 0.060), ("2020-07-01", 0.022),
            ("2022-01-15", 0.022), ("2022-03-10", 0.050), ("2022-07-01", 0.026), ("2024-06-01", 0.020),
            ("2026-02-27", 0.028),
        ),
        carry=(
            ("2018-01-02", -0.015), ("2019-03-01", -0.030), ("2020-02-01", -0.060), ("2020-06-01", 0.014),
            ("2022-12-01", 0.030), ("2023-09-01", 0.045), ("2026-02-27", 0.030),
        ),
        carry_noise=0.0004,
        carry_evening_noise=0.0004,
        evening=0.09,
        late_news=0.40,
        late_news_share=0.05,
    ),
    liquidity=LiquiditySpec(
        volume=4_200, migration_sessions=28, migration_jitter=1, deferred=(0.03, 0.006), staleness=0.12
    ),
    rule=RollRule("volume", 2),
    calendar="CMEGlobex_Metals",
    files="contract_csv",
    reference=ReferenceCauses(misprints=((date(2020, 9, 16), 60),)),
)  # fmt: skip

_AAPL: Final = EquitySpec(
    symbol="AAPL",
    name="Apple (simulated)",
    level=(
        ("2018-01-02", 43), ("2018-10-03", 58), ("2019-01-03", 36), ("2020-02-12", 81), ("2020-03-23", 56),
        ("2020-09-01", 134), ("2021-01-26", 143), ("2022-01-03", 182), ("2022-06-16", 130), ("2023-01-05", 125),
        ("2023-07-31", 196), ("2024-04-19", 165), ("2024-12-26", 259), ("2025-04-08", 172), ("2025-12-02", 285),
        ("2026-02-27", 265),
    ),
    volatility=(
        ("2018-01-02", 0.014), ("2019-01-15", 0.022), ("2020-02-15", 0.016), ("2020-03-20", 0.048),
        ("2020-07-01", 0.022), ("2022-06-01", 0.020), ("2024-01-01", 0.014), ("2025-04-08", 0.036),
        ("2026-02-27", 0.015),
    ),
    volume=90_000_000,
    splits=((date(2020, 8, 31), 4),),
    dividends=Dividends(
        amount=(
            ("2018-01-02", 0.63), ("2020-08-28", 0.82), ("2020-08-31", 0.205), ("2023-06-01", 0.24),
            ("2026-02-27", 0.26),
        ),
        months=(2, 5, 8, 11),
        day=9,
    ),
    reference_basis="split_adjusted",
)  # fmt: skip

_XLE: Final = EquitySpec(
    symbol="XLE",
    name="Energy sector fund (simulated)",
    level=(
        ("2018-01-02", 36.5), ("2018-10-03", 38.8), ("2018-12-24", 27.0), ("2019-04-23", 34.0), ("2020-01-08", 30.0),
        ("2020-03-18", 12.2), ("2020-06-08", 23.5), ("2020-10-28", 13.8), ("2021-03-12", 26.5), ("2021-08-20", 22.8),
        ("2022-06-08", 46.0), ("2022-07-14", 33.5), ("2022-11-15", 47.0), ("2023-06-01", 38.5), ("2024-04-11", 49.0),
        ("2025-04-10", 38.5), ("2025-11-14", 45.8), ("2026-02-27", 54.0),
    ),
    volatility=(
        ("2018-01-02", 0.012), ("2020-02-15", 0.015), ("2020-03-18", 0.070), ("2020-07-01", 0.028),
        ("2021-06-01", 0.018), ("2022-06-15", 0.026), ("2023-06-01", 0.014), ("2026-02-27", 0.014),
    ),
    volume=40_000_000,
    splits=((date(2025, 12, 5), 2),),
    dividends=Dividends(
        amount=(("2018-01-02", 0.46), ("2022-06-01", 0.72), ("2025-12-04", 0.80), ("2025-12-05", 0.40)),
        months=(3, 6, 9, 12),
        day=20,
    ),
    reference_basis="total_return",
)  # fmt: skip


def default_market() -> MarketSpec:
    """Two vendors with their ordinary differences and rare defects."""
    return MarketSpec(SEED, FIRST, LAST, (_ES, _CL, _PL, _PA), (_AAPL, _XLE))


def clean_market() -> MarketSpec:
    """The same prices and volumes, without a reference defect, with settlement closes at the system of record."""
    market = default_market()
    futures = tuple(
        replace(
            future,
            canonical=replace(future.canonical, close="settlement"),
            reference=ReferenceCauses(),
            liquidity=replace(future.liquidity, reporting_noise=0.0),
        )
        for future in market.futures
    )
    equities = tuple(replace(e, canonical=replace(e.canonical, close="settlement")) for e in market.equities)
    return replace(market, futures=futures, equities=equities)
