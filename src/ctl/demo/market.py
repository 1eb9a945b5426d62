"""A market spec rendered to the files of a workspace."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Final

from ctl.demo import databento, equities, faults, norgate, tradestation, workspace
from ctl.demo.listing import trading_days
from ctl.demo.quotes import Quotes, quotes
from ctl.demo.reference import continuous
from ctl.demo.spec import ReferenceCauses, RollRule

if TYPE_CHECKING:
    from ctl.demo.listing import TradingDays
    from ctl.demo.spec import FutureSpec, MarketSpec

_SECOND_RULE: Final = RollRule("volume", 1)
"""The second reference rolls on the first session on which the next contract is the more active one."""


def render(market: MarketSpec) -> dict[str, bytes]:
    """Path relative to the workspace -> bytes of every raw file and of ctl.toml, sorted by path."""

    @cache
    def days(calendar: str) -> TradingDays:
        return trading_days(calendar, market.first, market.last)

    @cache
    def simulated(root: str) -> Quotes:
        spec = market.future(root)
        return quotes(spec, days(spec.calendar), market.seed)

    def delivered(spec: FutureSpec) -> dict[str, bytes]:
        """The root's folder at the system of record, with what went wrong on the way into it."""
        causes = spec.canonical
        if causes.commodity is None:
            return databento.files(spec, simulated(spec.root))
        other = market.future(causes.commodity)
        if not causes.relabelled:
            return databento.files(other, simulated(other.root))
        mixed = replace(spec, price=other.price, tick=other.tick)
        return databento.files(mixed, quotes(mixed, days(spec.calendar), market.seed, label=other.root))

    files = {workspace.FILE: workspace.document(market)}

    def put(folder: str, content: dict[str, bytes]) -> None:
        files.update({f"{folder}/{name}": data for name, data in content.items()})

    for future in market.futures:
        known = simulated(future.root)
        put(f"{workspace.CANONICAL}/{future.root}", delivered(future))
        if future.files == "dbn":
            put(f"{workspace.STATISTICS}/{future.root}", databento.statistics_files(future, known, market.seed))
        if future.hourly:
            put(f"{workspace.HOURLY}/{future.root}", databento.hourly_files(future, known, market.seed))
        series = faults.of_reference(future.reference.faults, continuous(known, future.rule, future.reference), known)
        put(workspace.REFERENCE, tradestation.future_files(future, series))
        if future.reference_contracts:
            put(f"{workspace.REFERENCE_CONTRACTS}/{future.root}", tradestation.contract_files(future, known))
        second = continuous(known, _SECOND_RULE, ReferenceCauses())
        put(workspace.SECOND_REFERENCE, norgate.future_files(future, known, second))
    for equity in market.equities:
        bars = equities.simulate(equity, days(equity.calendar).sessions, market.seed)
        put(f"{workspace.CANONICAL}/{equity.symbol}", equities.canonical_files(equity, bars))
        put(workspace.REFERENCE, equities.reference_files(equity, bars))
        put(workspace.SECOND_REFERENCE, norgate.equity_files(equity, bars))
        put(workspace.ACTIONS, {f"{equity.symbol}.csv": equities.actions_csv(bars)})
    return dict(sorted(files.items()))
