"""Bars that close at the settlement where there is one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from ctl.errors import DataError
from ctl.model.bars import CONTRACT_COLUMNS, ContractBars, Lacking


def settled(bars: ContractBars, settlements: ContractBars) -> ContractBars:
    """The same bars closing at the settlement.

    A bar whose session has no settlement keeps its last trade, and a settlement without a bar makes none: both are
    counted, as are settlements outside their bar's range, whose high and low stay as traded.
    Raises DataError where not a single bar has a settlement.
    """
    column = pl.col
    known = settlements.frame.select("contract", "session", settlement="close").with_columns(present=pl.lit(value=True))
    joined = bars.frame.join(known, on=["contract", "session"], how="left", maintain_order="left")
    found = int(joined["present"].sum())
    if not found:
        raise DataError(
            "no bar has a settlement",
            where=bars.meta.root,
            found=", ".join(settlements.roots) or "no contract",
            expected=f"settlements of {', '.join(bars.roots)}",
        )
    outside = joined.select(((column("settlement") > column("high")) | (column("settlement") < column("low"))).sum())
    counts = dict(bars.meta.counts)
    for reason, count in settlements.meta.counts.items():
        counts[reason] = counts.get(reason, 0) + count
    counts |= {
        "closes_at_settlement": found,
        "closes_kept_at_last_trade": joined.height - found,
        "settlements_outside_range": int(outside.item()),
        "settlements_without_bar": settlements.frame.height - found,
    }
    frame = joined.with_columns(close=pl.coalesce("settlement", "close")).select(CONTRACT_COLUMNS)
    newest, settled_to = bars.frame["session"].max(), settlements.frame["session"].max()
    lacking = bars.meta.lacking
    if isinstance(newest, date) and isinstance(settled_to, date) and settled_to < newest:
        over = datetime.combine(newest + timedelta(days=1), time(tzinfo=UTC))
        text = f"its settlement is missing: the statistics files end with that of {settled_to}"
        lacking = (*lacking, Lacking("UNFINISHED_SESSION", newest, over, text))
    meta = replace(
        bars.meta,
        close_basis="settlement",
        lacking=lacking,
        sources=(*bars.meta.sources, *settlements.meta.sources),
        counts=dict(sorted(counts.items())),
        notes=tuple(dict.fromkeys((*bars.meta.notes, *settlements.meta.notes))),
    )
    return replace(bars, frame=frame, meta=meta)
