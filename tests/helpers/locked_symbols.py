"""Symbols as they were locked, and as they are watched, with figures given by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np

from ctl.gatekeeper import SinceLock
from ctl.model.certificate import Certificate
from ctl.model.findings import Decision
from ctl.model.locked import GapDifference, LockedSymbol, Watched, WatchedMetrics
from ctl.since_lock import ratchet

STATUSES = ("ACCEPT", "WATCH", "REJECT", "ERROR")
LAST = date(2026, 2, 27)
ES = WatchedMetrics(
    n_paired=32, n_unmatched_canonical=0, n_unmatched_reference=1, n_fail=1, mean_gap_diff=0.4, mean_drift=7.3,
    unexplained_share=0.01, max_gap_diff=2.75, max_basis=8.0, max_basis_to_moves=0.2, aligned_drift=7.3, tick=0.25,
)  # fmt: skip


def locked_symbol(
    decision: Decision = "WATCH", breached: Sequence[str] = ("MEAN_DRIFT",), **metrics: Any
) -> LockedSymbol:
    """ES, WATCH at a mean drift of 7.30, or otherwise."""
    return LockedSymbol(
        decision=decision, breached=tuple(breached), metrics=replace(ES, **metrics), last_canonical=LAST,
        last_reference=LAST,
    )  # fmt: skip


def watched(
    symbol: LockedSymbol,
    *,
    gaps: Sequence[tuple[str, date, float]] = (),
    basis: Sequence[tuple[date, float]] = (),
    roll_days: Sequence[date] = (),
    to_moves: float = 0.31,
    newest: date = LAST,
    **margins: tuple[float, float],
) -> Watched:
    """The symbol today; to_moves: its means of basis beside the moves. newest: the last of ten shared days."""
    return Watched(
        symbol,
        tuple(GapDifference(*gap) for gap in gaps),
        np.array([day for day, _ in basis], dtype="datetime64[D]"),
        np.array([value for _, value in basis], dtype=np.float64),
        np.full(len(basis), to_moves),
        tuple(roll_days),
        tuple(newest - timedelta(days=9 - back) for back in range(10)),
        margins,
    )


def since_lock(
    expected: Mapping[str, Decision], certificates: Mapping[str, Any], locked: Mapping[str, LockedSymbol], **more: Any
) -> SinceLock:
    """What is to be said of certificates whose figures are those that were locked."""
    judged = {}
    for symbol, certificate in certificates.items():
        if isinstance(certificate, Certificate) and symbol in locked and certificate.decision in STATUSES:
            breached = [reason.code for reason in certificate.reasons]
            now = watched(replace(locked[symbol], decision=certificate.decision, breached=tuple(breached)))
            judged[symbol] = ratchet.judge(
                expected[symbol], locked[symbol], now, history=locked[symbol], ratchet=1.0, cut_before=_no_roll
            )
    return SinceLock(judged=judged, **more)


def _no_roll(day: date) -> LockedSymbol:
    raise AssertionError(f"no symbol has rolled, and {day} was asked for")
