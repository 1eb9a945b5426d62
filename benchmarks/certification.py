"""L0 to L4 of one symbol with a hundred rolls against the same comparison as a pandas notebook would make it."""

from __future__ import annotations

import statistics
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from benchmarks.builds import contract_bars
from benchmarks.measure import Figure, clocked, ratio, rounds
from benchmarks.tapes import contract_panel

_TICK = 0.25


def request() -> Any:
    """Ten years of monthly contracts; the reference rolls a session later and settles a tick away now and then."""
    from ctl import continuous
    from ctl.certify.request import CertifyRequest
    from ctl.model.bars import DailySeries
    from ctl.model.reference import Reference
    from ctl.model.rolls import RollPolicy

    bars = contract_bars(contract_panel(years=10, listed=6, every=1))
    canonical = continuous.build(bars, RollPolicy())
    other = continuous.build(bars, RollPolicy(consecutive_days=3))
    rng = np.random.default_rng(3)
    noise = _TICK * (rng.random(other.frame.height) < 0.05)
    columns = pl.col("open", "high", "low", "close")
    adjusted = other.frame.with_columns(columns + pl.Series("noise", noise)).drop("close_unadjusted")
    unadjusted = adjusted.with_columns(columns - pl.col("adjustment")).with_columns(adjustment=pl.lit(0.0))
    meta = replace(canonical.meta, vendor="reference")
    reference = Reference("reference", DailySeries(adjusted, meta), DailySeries(unadjusted, meta))
    return CertifyRequest(
        symbol="ZZ",
        root="ZZ",
        tick=_TICK,
        max_day_delta=4,
        quote_unit="",
        contracts=bars,
        canonical=canonical,
        reference=reference,
    )


def pandas_layers(ours: Any, adjusted: Any, unadjusted: Any) -> dict[str, Any]:
    """Rolls from the spread's steps, paired by date, gap differences, and the drift between the adjusted closes."""
    import pandas as pd

    reference = adjusted.merge(unadjusted, on="session", suffixes=("", "_raw"))
    reference["carried"] = (reference["close"] - reference["close_raw"]).round(6)
    stepped = reference["carried"].diff().fillna(0.0)
    theirs = pd.DataFrame({"session": reference["session"], "gap": -stepped})[stepped != 0]
    ours_step = ours["adjustment"].diff().fillna(0.0)
    mine = pd.DataFrame({"session": ours["session"], "gap": -ours_step})[ours_step != 0]
    paired = pd.merge_asof(
        mine.rename(columns={"gap": "gap_ours"}).assign(ours=mine["session"]),
        theirs.rename(columns={"gap": "gap_theirs"}).assign(theirs=theirs["session"]),
        on="session",
        direction="nearest",
        tolerance=pd.Timedelta(days=6),
    )
    gap = (paired["gap_ours"] - paired["gap_theirs"]).abs()
    both = ours.merge(reference, on="session", suffixes=("", "_ref"))
    drift = both["close"] - both["close_ref"]
    steps = drift.diff().abs()
    rolling = drift.rolling(63).mean()
    return {
        "paired": int(paired["theirs"].notna().sum()),
        "gap_mean": float(gap.mean()),
        "day_delta": float((paired["ours"] - paired["theirs"]).abs().dt.days.max()),
        "drift": float(drift.iloc[-1] - drift.iloc[0]),
        "steps": int((steps > _TICK / 2).sum()),
        "rolling": float(rolling.max()),
    }


def figures(repeats: int) -> list[Figure]:
    """All lines of this section."""
    import pandas as pd

    from ctl.certify import certify

    asked = request()
    frames = [
        pd.DataFrame({name: frame[name].to_numpy() for name in ("session", "close", "adjustment")})
        for frame in (asked.canonical.frame, asked.reference.adjusted.frame, asked.reference.unadjusted.frame)
    ]
    found = pandas_layers(*frames)
    certificate = certify(asked)
    seconds = rounds(
        {"ctl": clocked(lambda: certify(asked)), "pandas": clocked(lambda: pandas_layers(*frames))}, repeats
    )
    mine = statistics.median(seconds["ctl"])
    rolls = len(asked.canonical.rolls)
    return [
        Figure(
            job=f"L0-L4 of one symbol, {rolls} rolls, {asked.canonical.frame.height:,} sessions",
            ours="certify",
            seconds=mine,
            peer=f"pandas {pd.__version__}: roll pairing and drift alone",
            peer_seconds=statistics.median(seconds["pandas"]),
            ratio=ratio(seconds["ctl"], seconds["pandas"]),
            rate=f"{mine * 1e3:,.1f} ms",
            most=0.003,
            note=f"verdict {certificate.decision}; pandas pairs {found['paired']} rolls, checks and explains nothing",
        )
    ]
