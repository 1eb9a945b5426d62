"""A market spec rendered to the files of a workspace."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from ctl import sessions
from ctl.demo import databento, equities, tradestation, workspace
from ctl.demo.quotes import Quotes, quotes
from ctl.demo.reference import continuous

if TYPE_CHECKING:
    from ctl.demo.listing import Days
    from ctl.demo.spec import FutureSpec, MarketSpec


def render(market: MarketSpec) -> dict[str, bytes]:
    """Path relative to the workspace -> bytes of every raw file and of ctl.toml, sorted by path."""

    @cache
    def days(calendar: str) -> Days:
        return sessions.sessions_between(calendar, market.first, market.last)

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
    for future in market.futures:
        for name, data in delivered(future).items():
            files[f"{workspace.CANONICAL}/{future.root}/{name}"] = data
        if future.files == "dbn":
            for name, data in databento.statistics_files(future, simulated(future.root), market.seed).items():
                files[f"{workspace.STATISTICS}/{future.root}/{name}"] = data
        series = continuous(simulated(future.root), future.rule, future.reference)
        for name, data in tradestation.future_files(future, series).items():
            files[f"{workspace.REFERENCE}/{name}"] = data
    for equity in market.equities:
        bars = equities.simulate(equity, days(equity.calendar), market.seed)
        for name, data in equities.canonical_files(equity, bars).items():
            files[f"{workspace.CANONICAL}/{equity.symbol}/{name}"] = data
        for name, data in equities.reference_files(equity, bars).items():
            files[f"{workspace.REFERENCE}/{name}"] = data
        files[workspace.actions_path(equity.symbol)] = equities.actions_csv(bars)
    return dict(sorted(files.items()))
