"""L0 to L5 of one symbol with a hundred rolls, and its certificate against the comparison that a notebook makes."""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from itertools import repeat
from typing import Any

import numpy as np
import polars as pl

from benchmarks.builds import contract_bars
from benchmarks.measure import Figure, clocked, ratio, rounds
from benchmarks.tapes import contract_panel

_TICK = 0.25


def request() -> Any:
    """Ten years of monthly contracts on which B1 trades.

    The reference rolls a session later and settles a tick away now and then.
    """
    from ctl import continuous
    from ctl.certification.request import CertifyRequest
    from ctl.model.bars import DailySeries
    from ctl.model.reference import Reference
    from ctl.model.rolls import RollPolicy

    bars = contract_bars(contract_panel(years=10, listed=6, every=1, trending=True))
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
    asked = request()
    return [*_layers(asked, repeats), _certificate(asked, repeats), _universe()]


def _layers(asked: Any, repeats: int) -> list[Figure]:
    """The layers on their own and the whole certificate with its bytes and digest, in processor time.

    Recovering the reference's rolls by fingerprint is timed apart: the first two limits are read without it,
    the others with everything. L5 is timed with its input, B1 and its margins on both sides, made inside.
    """
    from ctl import digests
    from ctl.certification import certify
    from ctl.certification.contract_closes import ContractCloses
    from ctl.certification.examination import examine
    from ctl.certification.recovery.reference import recover
    from ctl.flows.functional import functional_input
    from ctl.flows.terms import CertifyTerms

    closes = ContractCloses.from_bars(asked.contracts)
    terms = CertifyTerms(_TICK, asked.max_day_delta, "", "CMES", slippage_per_side=_TICK)

    def both_sides() -> Any:
        return functional_input(asked.symbol, asked.canonical, asked.reference, terms)

    def complete() -> Any:
        return certify(replace(asked, functional=both_sides()))

    document = dict(complete().document)
    seconds = rounds(
        {
            "L0-L4": _on_processor(lambda: examine(asked)),
            "L0-L5": _on_processor(lambda: examine(replace(asked, functional=both_sides()))),
            "fingerprinting": _on_processor(lambda: recover(closes, asked.reference, tick=_TICK)),
            "B1": _on_processor(both_sides),
            "complete": _on_processor(lambda: complete().sha256),
            "JSON": _on_processor(lambda: digests.digest(document)),
        },
        5 * repeats,
    )

    def middle(job: str, less: str | None = None) -> float:
        return statistics.median(
            took - apart for took, apart in zip(seconds[job], seconds[less] if less else repeat(0.0), strict=False)
        )

    given = both_sides()
    triggers = f"{len(given.canonical.triggers)} and {len(given.reference.triggers)} triggers"
    everything = middle("L0-L5")
    found = (
        ("L0-L4 without fingerprinting", middle("L0-L4", less="fingerprinting"), 0.003),
        ("L0-L5 without fingerprinting, B1 run on both sides inside", middle("L0-L5", less="fingerprinting"), 0.005),
        ("L0-L5 with B1 inside, fingerprinting included", everything, 0.010),
        (f"of it: B1 and its margins on both sides, {triggers}", middle("B1"), None),
        ("certificate complete: counterfactuals, JSON and digest", middle("complete"), 0.010),
        ("of it: canonical JSON and its digest (rfc8785, one pass)", middle("JSON"), None),
    )
    return [
        Figure(
            job=job,
            ours="layers",
            seconds=took,
            peer="processor time of the same rounds: all of L0-L5",
            peer_seconds=everything,
            ratio=everything / took,
            rate=f"{took * 1e3:,.2f} ms",
            most=most,
        )
        for job, took, most in found
    ]


def _on_processor(job: Callable[[], Any]) -> Callable[[], float]:
    """As `clocked`, but counting processor time: a neighbour's load makes no difference to what is asked for."""

    def run() -> float:
        start = time.process_time()
        job()
        return time.process_time() - start

    return run


def _universe(symbols: int = 500) -> Figure:
    """Many symbols generated, built and certified: one after the other, in two threads, in two processes."""
    shards = [range(start, start + 25) for start in range(0, symbols, 25)]
    context = multiprocessing.get_context("spawn")
    with ThreadPoolExecutor(2) as threads, ProcessPoolExecutor(2, mp_context=context) as processes:
        # Both processes load their kernels before the clock starts.
        list(processes.map(_shard, shards[:4]))
        alone = clocked(lambda: [_shard(shard) for shard in shards])()
        threaded = clocked(lambda: list(threads.map(_shard, shards)))()
        forked = clocked(lambda: list(processes.map(_shard, shards)))()
    return Figure(
        job=f"{symbols} symbols of 100 rolls generated, built, certified",
        ours="two processes",
        seconds=forked,
        peer="one after the other",
        peer_seconds=alone,
        ratio=alone / forked,
        rate=f"{symbols / forked:,.0f} symbols/s",
        note=f"two threads {alone / threaded:.2f}x: between kernels a certificate is Python, which one thread runs",
    )


def _shard(seeds: range) -> list[str]:
    from ctl.cli.power_command import certify
    from ctl.power import vendor_pairs

    markets = [vendor_pairs.Market(seed, contracts=101, cycle=21) for seed in seeds]
    return [certify(vendor_pairs.generate(market, {"wrong_gap": 8})).decision for market in markets]


def _certificate(asked: Any, repeats: int) -> Figure:
    """A whole certificate against a notebook's comparison."""
    import pandas as pd

    from ctl.certification import certify

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
    return Figure(
        job=f"certificate of one symbol, {rolls} rolls, {asked.canonical.frame.height:,} sessions, counterfactuals",
        ours="certify",
        seconds=mine,
        peer=f"pandas {pd.__version__}: roll pairing and drift alone",
        peer_seconds=statistics.median(seconds["pandas"]),
        ratio=ratio(seconds["ctl"], seconds["pandas"]),
        rate=f"{mine * 1e3:,.1f} ms",
        note=f"verdict {certificate.decision}; pandas pairs {found['paired']} rolls, checks and explains nothing",
    )
