"""The ratchet: a symbol may be as flawed as it was locked, and not much worse.

Locked history and later sessions are judged apart, because mean drift alone moves with every roll: (a) the locked
sessions, certified again, (b) gaps and basis of the sessions since, (c) a ceiling of mean drift, both sides aligned on
many sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import numpy as np

from ctl.model.findings import Decision, Reason, in_points
from ctl.model.locked import LockedSymbol, Watched, WatchedMetrics

WORSE_THAN_LOCKED: Final = "WORSE_THAN_LOCKED"
ROLL_SETTLING: Final = "ROLL_SETTLING"
DRIFTING: Final = "DRIFTING"
BETTER_THAN_EXPECTED: Final = "BETTER_THAN_EXPECTED"
NEAR_LIMIT: Final = "NEAR_LIMIT"

HISTORY_SHARE: Final = 0.05
"""Of a locked metric: what the same sessions may be worse by."""
GAP_FACTOR: Final = 2.0
LEAST_GAP_TICKS: Final = 4.0
"""So much counts as the largest locked gap difference where that is smaller still: twice a tick or two is noise."""
BASIS_FACTOR: Final = 1.5
SETTLING_SESSIONS: Final = 10
"""Sessions within which a roll of either side may account for another decision."""
NEAR: Final = 0.1
"""Of a limit: so near to it, on either side, the level of the newest roll decides whether a mean breaches it."""

# What counts more as it is worse, with its name; fewer paired rolls are worse.
_COUNTS: Final = (("n_unmatched_canonical", "unmatched rolls of ours"), ("n_unmatched_reference", "unmatched rolls of "
                  "the reference"), ("n_fail", "failed rolls"))  # fmt: skip
_PRICES: Final = (
    ("mean_gap_diff", "mean gap difference"),
    ("mean_drift", "mean drift"),
    ("max_gap_diff", "largest gap difference"),
    ("max_basis", "largest mean basis"),
    ("aligned_drift", "aligned mean drift"),
)
# A refused identity is never a matter of a roll: it is of the newest prices, or of all of them.
_OF_ROLLS: Final = (
    "PAIRED_ROLLS", "UNMATCHED_SHARE", "FAIL_SHARE", "MEAN_GAP_DIFF", "MEAN_DRIFT", "MEAN_GAP_DIFF_TICKS",
    "MEAN_GAP_DIFF_ATR", "MEAN_DRIFT_TICKS", "MEAN_DRIFT_ATR", "UNEXPLAINED_SHARE", "REBUILT_SERIES",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Judged:
    """Whether a symbol is as expected, and what is to be said of it either way."""

    passed: bool
    reasons: tuple[Reason, ...]


def judge(
    expected: Decision,
    locked: LockedSymbol,
    now: Watched,
    *,
    history: LockedSymbol,
    ratchet: float,
    cut_before: Callable[[date], LockedSymbol],
) -> Judged:
    """Hold today's certificate against the locked figures.

    history: the locked sessions certified again, both sides cut at their locked last session. At an instant before it,
    `locked` has the metrics of the locked reading cut at that instant, and `history` is today's symbol. ratchet: how
    far above its locked value mean drift may lie, as a share. cut_before: the symbol certified on the sessions before
    a day, asked for rolls that may account for another decision.
    """
    old = worse_history(locked.metrics, history.metrics)
    since = worse_since(locked, now)
    level = above_ceiling(locked.metrics, now.symbol.metrics, ratchet)
    differs = _differs(expected, locked, now.symbol)
    refused = [*old]
    told: list[Reason] = []
    if differs is not None:
        same = None
        if not old and not since:
            near = None if level else _near_limit(expected, locked, now)
            same = near or _settling(expected, locked, now, cut_before)
        if same is None:
            refused.insert(0, differs)
        else:
            told.append(same)
    if expected == "ACCEPT":
        told += [replace(worse, code=DRIFTING, severity="WATCH") for worse in since]
        for worse in level:
            drift, most = worse.value or 0.0, worse.limit or 0.0
            text = f"drift {_number(drift)} (locked {_number(most / (1.0 + ratchet))})"
            told.append(replace(worse, code=DRIFTING, severity="WATCH", text=text))
    else:
        refused += since + level
    return Judged(not refused, (*refused, *told))


def _differs(expected: Decision, locked: LockedSymbol, now: LockedSymbol) -> Reason | None:
    """Why a decision is not the expected one on the expected grounds; None where it is."""
    if now.decision == expected:
        new = _new_breaches(locked, now)
        if not new:
            return None
        text = f"{', '.join(new)} breached; locked: {', '.join(locked.breached) or 'none'}"
        return Reason(WORSE_THAN_LOCKED, "ERROR", text)
    if _RANK[now.decision] > _RANK[expected]:
        text = f"better than expected {expected}: a promotion needs a new profile version (ctl lock)"
        return Reason(BETTER_THAN_EXPECTED, "ERROR", text)
    return Reason("STATUS_MISMATCH", "ERROR", f"expected {expected}, derived {now.decision}")


_RANK: Final[Mapping[Decision, int]] = {"ERROR": 0, "REJECT": 1, "WATCH": 2, "ACCEPT": 3}


def _new_breaches(locked: LockedSymbol, now: LockedSymbol) -> list[str]:
    return [code for code in now.breached if code not in locked.breached]


def _near_limit(expected: Decision, locked: LockedSymbol, now: Watched) -> Reason | None:
    """That a decision differs by so little of a mean that it is the locked state: either way less than a tenth."""
    if _RANK[now.symbol.decision] > _RANK[expected]:
        held = [now.margins[code] for code in locked.breached if code in now.margins]
        if not any(value > (1.0 - NEAR) * limit for value, limit in held):
            return None
        text = f"{now.symbol.decision} by less than a tenth of the limit: not yet a promotion"
        return Reason(BETTER_THAN_EXPECTED, "WATCH", text)
    new = _new_breaches(locked, now.symbol)
    if not new or not set(new) <= set(_DRIFT) & set(now.margins):
        return None
    value, limit = max((now.margins[code] for code in new), key=lambda margin: margin[0] / margin[1])
    if value >= (1.0 + NEAR) * limit:
        return None
    text = f"mean drift above its limit by less than a tenth: {expected} as locked"
    return Reason(NEAR_LIMIT, "WATCH", text, value, limit)


_DRIFT: Final = ("MEAN_DRIFT", "MEAN_DRIFT_TICKS", "MEAN_DRIFT_ATR")
"""Checks of the one mean whose level hangs on the newest roll; any other moves with its own sessions alone."""


def _settling(
    expected: Decision, locked: LockedSymbol, now: Watched, cut_before: Callable[[date], LockedSymbol]
) -> Reason | None:
    """That a roll of the last 10 sessions alone accounts for what differs."""
    if not set(now.symbol.breached) <= set(_OF_ROLLS) or now.symbol.decision == "ERROR":
        return None
    recent = now.newest[-SETTLING_SESSIONS:]
    for day in reversed([day for day in now.roll_days if recent and day >= recent[0]]):
        before = cut_before(day)
        if before.decision == expected and set(before.breached) <= set(locked.breached):
            text = f"{now.symbol.decision} since the roll of {day}, {expected} before it: judged when it has settled"
            return Reason(ROLL_SETTLING, "WATCH", text)
    return None


# ---------------------------------------------------------------- (a), (b), (c)


def worse_history(locked: WatchedMetrics, again: WatchedMetrics) -> list[Reason]:
    """(a): metrics of the locked sessions that are worse by more than 5 %, of prices also by more than one tick."""
    found: list[Reason] = []

    def worse(name: str, was: float, now: float, unit: str) -> None:
        text = f"locked sessions: {name} {_number(now)}, locked {_number(was)}"
        found.append(Reason(WORSE_THAN_LOCKED, "ERROR", text, now, was, unit))

    for key, name in (("n_paired", "paired rolls"), *_COUNTS):
        was, is_now = getattr(locked, key), getattr(again, key)
        if was is None or is_now is None:
            if was is not None:
                found.append(_unmeasured(name, was))
            continue
        fewer = key == "n_paired"
        if (was - is_now if fewer else is_now - was) > HISTORY_SHARE * was:
            worse(name, was, is_now, "rolls")
    factor = scale_factor(locked, again)
    for key, name in _PRICES:
        was, is_now = getattr(locked, key), getattr(again, key)
        if was is None or is_now is None:
            if was is not None:
                found.append(_unmeasured(name, was))
            continue
        was *= factor
        if _above(is_now, was * (1.0 + HISTORY_SHARE)) and _above(is_now, was + again.tick):
            worse(name, was, is_now, "")
    was_share, share = locked.unexplained_share, again.unexplained_share
    if was_share is not None and share is not None:
        # A share has no tick: the drift that it is a share of has.
        was_size, size = was_share * (locked.mean_drift or 0.0) * factor, share * (again.mean_drift or 0.0)
        if _above(share, was_share * (1.0 + HISTORY_SHARE)) and _above(size, was_size + again.tick):
            worse("unexplained share", was_share, share, "fraction")
    return found


def _unmeasured(name: str, was: float) -> Reason:
    text = f"locked sessions: {name} cannot be measured any more, locked {_number(was)}"
    return Reason(WORSE_THAN_LOCKED, "ERROR", text, None, was)


def worse_since(locked: LockedSymbol, now: Watched) -> list[Reason]:
    """(b): later gap differences above twice, later means of basis above 1.5 times the largest locked one.

    Closes of another hour lie farther apart when prices move more: basis must be above in prices and beside the moves.
    """
    last = locked.data_to.both
    if last is None:
        return []
    was, factor, tick = locked.metrics, scale_factor(locked.metrics, now.symbol.metrics), now.symbol.metrics.tick
    found: list[Reason] = []
    gaps = [gap for gap in now.gaps if gap.session > last]
    if gaps and was.max_gap_diff is not None:
        worst = max(gaps, key=lambda gap: gap.size)
        most = max(was.max_gap_diff * factor, LEAST_GAP_TICKS * tick)
        if _above(worst.size, GAP_FACTOR * most + tick):
            text = (
                f"gap difference {_number(worst.size)} at {worst.block} ({worst.session}); largest locked "
                f"{_number(most)}, at most {_number(GAP_FACTOR * most)}"
            )
            found.append(Reason(WORSE_THAN_LOCKED, "ERROR", text, worst.size, GAP_FACTOR * most))
    larger = now.basis_to_moves > BASIS_FACTOR * (was.max_basis_to_moves or 0.0)
    later = np.flatnonzero((now.days > np.datetime64(last)) & larger)
    if later.size and was.max_basis is not None:
        at = int(later[np.argmax(now.basis[later])])
        value, most = float(now.basis[at]), was.max_basis * factor
        if _above(value, BASIS_FACTOR * most + tick):
            text = (
                f"mean basis {_number(value)} over the 20 sessions to {now.days[at]}; largest locked {_number(most)}, "
                f"at most {_number(BASIS_FACTOR * most)}"
            )
            found.append(Reason(WORSE_THAN_LOCKED, "ERROR", text, value, BASIS_FACTOR * most))
    return found


def above_ceiling(locked: WatchedMetrics, now: WatchedMetrics, ratchet: float) -> list[Reason]:
    """(c): mean drift above (1 + ratchet) times its locked value, and more than a tick above that value."""
    if locked.aligned_drift is None or now.aligned_drift is None:
        return []
    was = locked.aligned_drift * scale_factor(locked, now)
    most = (1.0 + ratchet) * was
    if not (_above(now.aligned_drift, most) and _above(now.aligned_drift, was + now.tick)):
        return []
    text = f"mean drift {_number(now.aligned_drift)}, locked {_number(was)}, at most {_number(most)}"
    return [Reason(WORSE_THAN_LOCKED, "ERROR", text, now.aligned_drift, most)]


def scale_factor(locked: WatchedMetrics, now: WatchedMetrics) -> float:
    """What locked prices are multiplied by to compare: ratios and shares are told at the newest close of their day."""
    if locked.scale is None or now.scale is None:
        return 1.0
    return now.scale / locked.scale


def _above(value: float, limit: float) -> bool:
    return round(value, 9) > round(limit, 9)


def _number(value: float) -> str:
    return f"{value:.0f}" if isinstance(value, int) else in_points(value)
