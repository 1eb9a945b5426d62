"""The decisions of the simulated market's founding cycle, with which its decision log begins."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

LOCKED_BY: Final = "H.7"
"""The decision that put the first profile in force; the others are neither dated nor do they name digests."""

LOCKED_AT: Final = datetime(2026, 3, 1, tzinfo=UTC)
LOCK_REASON: Final = "locked on the clean simulated market"

DECISIONS: Final = (
    ("H.2", "the CL variant that H.3 recommends is taken; strict stays NO-GO, the bridge status is WATCH"),
    ("H.3", "that CL variant is accepted for bridge diagnostics; strict NO-GO, policy WATCH"),
    ("H.4", "Databento becomes the system of record; normalisation metadata; WATCH while going canonical"),
    ("H.5", "canonical acceptance by explaining L2, L3 and L4; statuses mixed, portfolio NO-GO"),
    ("H.6", "CL rises to ACCEPT; PL blocked, its extract held the wrong commodity; ES WATCH; portfolio CONDITIONAL GO"),
    ("H.7", "operating profile locked in YAML; regression script of the gate"),
    ("H.8", "B1 portfolio runner behind the gate: dry run, JSON, summaries kept"),
    ("H.9", "B1 detection and simulation wired into the runner"),
    ("H.10", "weekly wrapper for schedulers: notifications, retention"),
    ("H.11", "production webhook configuration, typed notifications, safe dispatch, runbook"),
    ("H.12", "closeout: scheduler dry-run proof, verification of files"),
)
"""Their ids and texts."""
