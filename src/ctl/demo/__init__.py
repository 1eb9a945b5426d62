"""A simulated two-vendor market in real vendor formats: the system runs on a machine without any account.

Every number is made up from causes (term structure, volume migration, the hours between settlement and
00:00 UTC, roll rules, rare vendor defects); nothing is tuned per verdict. Simulated, and labelled so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ctl.demo.injection import CAUSES, parse_injection, symbols_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ctl.demo.spec import MarketSpec

__all__ = ["CAUSES", "clean_market", "default_market", "generate", "parse_injection", "render", "symbols_of"]


def default_market() -> MarketSpec:
    """The market that `ctl demo` writes: 2018-01-02 .. 2026-02-27, both ends inclusive."""
    from ctl.demo import scenario

    return scenario.default_market()


def clean_market() -> MarketSpec:
    """The same market without a vendor defect, with settlement closes and the same volumes: the vendors agree."""
    from ctl.demo import scenario

    return scenario.clean_market()


def render(market: MarketSpec) -> dict[str, bytes]:
    """Every raw file of a market and its ctl.toml: path relative to the workspace -> bytes, sorted by path."""
    from ctl.demo import market as market_module

    return market_module.render(market)


def generate(*, inject: Sequence[tuple[str, str]] = ()) -> dict[str, bytes]:
    """The default market with causes injected: path relative to the workspace -> bytes, sorted by path.

    inject: (cause, symbol) pairs, causes of `CAUSES`. Same arguments, same bytes.
    Raises UsageError for an unknown cause, an unknown symbol, or a cause that the symbol cannot have.
    """
    from ctl.demo import injection

    return render(injection.apply(default_market(), inject))
