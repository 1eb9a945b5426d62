"""What acceptance looks at, taken from the layers of one window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ctl.certification.acceptance import Measures
from ctl.certification.layers.roll_schedule import NOT_ALIGNED
from ctl.model.findings import NotRun

if TYPE_CHECKING:
    from ctl.certification.layers.drift import ExplainedDrift
    from ctl.certification.layers.roll_gaps import RollGaps
    from ctl.certification.layers.roll_schedule import RollSchedules
    from ctl.certification.window import Window
    from ctl.model.findings import Decision

ATR_SESSIONS: Final = 14


def take_measures(
    window: Window | NotRun,
    schedules: RollSchedules | NotRun,
    gaps: RollGaps | NotRun,
    explained: ExplainedDrift | NotRun,
    *,
    tick: float,
    policy: str,
    rebuilt_decision: Decision | None,
) -> Measures:
    """The measures of what the layers came to; counts of 0 and undefined means where they did not run."""
    alignment = NOT_ALIGNED.alignment if isinstance(schedules, NotRun) else schedules.alignment
    scale_free = policy == "v2"
    return Measures(
        shared_sessions=0 if isinstance(window, NotRun) else int(window.overlap.sessions.size),
        n_paired=len(alignment.pairs),
        unmatched_canonical=len(alignment.unmatched_canonical),
        unmatched_reference=len(alignment.unmatched_reference),
        mean_gap_diff=None if isinstance(gaps, NotRun) else gaps.figures.mean_gap_diff,
        mean_drift=None if isinstance(explained, NotRun) else explained.drift.figures.mean_drift,
        tick=tick,
        atr=average_true_range(window) if scale_free else None,
        unexplained_share=_unexplained_share(explained) if scale_free else None,
        rebuilt_decision=rebuilt_decision,
    )


def average_true_range(window: Window | NotRun) -> float | None:
    """Median over the window of Wilder's ATR(14), in quote units; of close-to-close moves where bars are settlements.

    None without a window or with fewer than 15 sessions in it.
    """
    if isinstance(window, NotRun):
        return None
    import polars as pl

    before = pl.col("close").shift(1)
    high, low = pl.max_horizontal("high", "close", before), pl.min_horizontal("low", "close", before)
    true_range = (high - low).ewm_mean(alpha=1.0 / ATR_SESSIONS, adjust=False)
    first, last = window.overlap.first, window.overlap.last
    inside = window.canonical.frame.filter(pl.col("session").is_between(first, last))
    median = inside.select(true_range.slice(ATR_SESSIONS).median()).item()
    return None if median is None else float(median)


def _unexplained_share(explained: ExplainedDrift | NotRun) -> float | None:
    """Unexplained drift as a share of all drift, in size; 0 where there is no drift."""
    return None if isinstance(explained, NotRun) else abs(explained.ledger.summary.unexplained.share or 0.0)
