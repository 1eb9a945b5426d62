"""The workspace file that says where the simulated vendors' files lie and what their symbols are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ctl.demo.spec import EquitySpec, FutureSpec, MarketSpec

FILE: Final = "ctl.toml"
RAW: Final = "data/raw"
CANONICAL: Final = f"{RAW}/databento"
ACTIONS: Final = f"{RAW}/actions"
"""Splits and dividends: date, split_ratio, dividend (per share as paid on the day)."""
STATISTICS: Final = f"{RAW}/databento_statistics"
HOURLY: Final = f"{RAW}/databento_hourly"
"""Both apart from the daily bars: a folder of bars is read whole."""
REFERENCE: Final = f"{RAW}/tradestation"
REFERENCE_CONTRACTS: Final = f"{RAW}/tradestation_contracts"
SECOND_REFERENCE: Final = f"{RAW}/norgate"

_HEAD: Final = """\
# Workspace of the simulated market. No number here or in data/raw comes from an exchange or a vendor.
schema_version = 1
cycle_id = "cutover_v1"
profile = "configs/cutover/operating_profile_v1.yaml"
simulated = true                      # label shown wherever numbers appear

[paths]
raw = "data/raw"
processed = "data/processed"

# The system of record: UTC days that close at the last trade. One sub-folder per root or symbol.
# Beside its decision a certificate tells what settlement closes and session-true bars would make of it.
[vendors.databento]
format = "databento"
path = "data/raw/databento"
statistics = "data/raw/databento_statistics"    # the exchange's settlements
intraday = "data/raw/databento_hourly"          # ohlcv-1h or ohlcv-1m, put together by trade date

# The reference: exchange sessions that close at the settlement, continuous by the vendor's own roll rule.
# Where it ships bars per contract, they are compared with ours.
[vendors.tradestation]
format = "tradestation"
path = "data/raw/tradestation"
contracts = "data/raw/tradestation_contracts"

[vendors.tradestation.contracts_mapping]
date_format = "%m/%d/%Y"
close_basis = "settlement"

[vendors.tradestation.contracts_mapping.columns]
contract = "Symbol"
session = "Date"
open = "Open"
high = "High"
low = "Low"
close = "Close"
volume = "Vol"
open_interest = "OI"

# A second reference, for comparison; no symbol uses it by default.
[vendors.norgate]
format = "norgate"
path = "data/raw/norgate"

# What one trade may risk: 1 R is r_percent of equity. The caps, in R, refuse new entries; those of a position make it
# smaller. One contract is taken to risk at least min_risk_atr_sizing ATRs, however near its stop is.
[risk]
equity = 1_000_000.0
currency = "USD"
r_percent = 1.0
max_open_r = 4.0
max_daily_loss_r = 2.0
max_weekly_loss_r = 4.0
max_monthly_loss_r = 6.0
min_risk_atr_sizing = 1.0
max_contracts = 25
max_notional = 2_000_000.0
max_volume_share = 0.01               # of the median volume of the contract's 20 newest sessions

# From these drawdowns on, counted from the first live session, 1 R of a new entry is multiplied; 0 halts.
[[risk.brakes]]
drawdown_r = 8.0
factor = 0.5

[[risk.brakes]]
drawdown_r = 16.0
factor = 0.0
"""


def document(market: MarketSpec) -> bytes:
    """The bytes of ctl.toml."""
    parts = [_HEAD, *(_future(future) for future in market.futures), *(_equity(equity) for equity in market.equities)]
    return "\n".join(parts).encode()


def _future(spec: FutureSpec) -> str:
    return f"""\
# {spec.name}: settles at {spec.settlement}.
[symbols.{spec.root}]
asset_class = "future"
root = "{spec.root}"
calendar = "{spec.calendar}"
tick = {spec.tick}
point_value = {spec.point_value}
currency = "USD"
quote_unit = "{spec.quote_unit}"
canonical = "databento"
reference = "tradestation"
"""


def _equity(spec: EquitySpec) -> str:
    return f"""\
# {spec.name}: raw prices at the system of record, {spec.reference_basis.replace("_", "-")} ones at the reference.
[symbols.{spec.symbol}]
asset_class = "equity"
calendar = "{spec.calendar}"
tick = 0.01
point_value = 1.0
currency = "USD"
quote_unit = "USD"
canonical = "databento"
reference = "tradestation"
actions = "{ACTIONS}/{spec.symbol}.csv"
common_basis = "{spec.reference_basis}"
"""
