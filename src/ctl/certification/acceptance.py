"""Acceptance: measures against locked limits. Every decision, also every counterfactual one, is made here."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from ctl.certification.tolerance import compared, exceeds
from ctl.errors import DataError
from ctl.model.findings import Decision, Reason

if TYPE_CHECKING:
    from ctl.model.findings import Severity


@dataclass(frozen=True, slots=True)
class LimitsV1:
    """Policy v1. Every limit is inclusive: a value equal to it passes. Drift and gap are in quote units."""

    min_shared_sessions: int = 500
    min_paired_rolls: int = 20
    max_unmatched_share: float = 0.10
    max_fail_share: float = 0.15
    max_mean_gap_diff: float = 1.0
    max_mean_drift: float = 5.0
    min_change_correlation: float = 0.90
    max_median_level_difference: float = 0.05
    max_off_grid_share: float = 0.01


@dataclass(frozen=True, slots=True)
class LimitsV2:
    """Policy v2: v1's counts, with gap and drift free of the quote unit."""

    min_shared_sessions: int = 500
    min_paired_rolls: int = 20
    max_unmatched_share: float = 0.10
    max_fail_share: float = 0.15
    max_mean_gap_diff_ticks: float = 4.0
    max_mean_gap_diff_atr: float = 0.05
    max_mean_drift_ticks: float = 20.0
    max_mean_drift_atr: float = 0.25
    max_unexplained_share: float = 0.05
    min_change_correlation: float = 0.90
    max_median_level_difference: float = 0.05
    max_off_grid_share: float = 0.01


@dataclass(frozen=True, slots=True)
class LimitsE1:
    """Policy e1, of shares. Every limit is inclusive; deviations and residuals are fractions of the price."""

    min_shared_sessions: int = 500
    max_action_residual: float = 0.005
    accept_mean_deviation: float = 0.001
    accept_max_deviation: float = 0.02
    watch_mean_deviation: float = 0.005
    watch_max_deviation: float = 0.05
    min_change_correlation: float = 0.90
    max_median_level_difference: float = 0.05
    max_off_grid_share: float = 0.01


NO_DRIFT_TICKS: Final = 1e-6
LIMITS_E1: Final = LimitsE1()
LIMITS_V1: Final = LimitsV1()
LIMITS_V2: Final = LimitsV2()


@dataclass(frozen=True, slots=True)
class Measures:
    """What acceptance looks at. Shares derive from the counts, so that a counterfactual cannot forget one.

    unmatched_*: rolls without a partner; paired and unmatched ones are all that count on a side.
    mean_gap_diff, mean_drift: quote units; None where there is nothing to average.
    The last five are read by policy v2 only.
    """

    shared_sessions: int
    n_paired: int
    unmatched_canonical: int
    unmatched_reference: int
    mean_gap_diff: float | None
    mean_drift: float | None
    tick: float = 0.0
    atr: float | None = None
    unexplained_share: float | None = None
    rebuilt_decision: Decision | None = None

    @property
    def n_fail(self) -> int:
        """Unmatched rolls of either side."""
        return self.unmatched_canonical + self.unmatched_reference

    @property
    def unmatched_share(self) -> float | None:
        """(unmatched_c + unmatched_r) / (n_c + n_r); None without rolls."""
        rolls = 2 * self.n_paired + self.n_fail
        return self.n_fail / rolls if rolls else None

    @property
    def fail_share(self) -> float | None:
        """n_fail / n_paired; None without pairs."""
        return self.n_fail / self.n_paired if self.n_paired else None

    @property
    def judged_share(self) -> float | None:
        """The unexplained share; 0 where the drift is but the last bit of sums, of which any share is noise."""
        rounding = self.mean_drift is not None and self.mean_drift < NO_DRIFT_TICKS * self.tick
        return 0.0 if rounding else self.unexplained_share


def evaluate(measures: Measures, *, quote_unit: str, policy: str = "v1") -> tuple[Decision, tuple[Reason, ...]]:
    """The decision on symbols whose identity stands and whose layers have run, with every breach.

    REJECT breaches come first, in the order of the acceptance table. A missing mean without a missing pair
    cannot be compared and counts as breached. Raises DataError for an unknown policy.
    """
    limits = _limits(policy)
    reasons = _counts(measures, limits)
    if isinstance(limits, LimitsV2):
        reasons += _scale_free(measures, limits)
    else:
        if measures.n_paired or measures.mean_gap_diff is not None:
            reasons += _at_most(
                "MEAN_GAP_DIFF", "mean gap difference", measures.mean_gap_diff, limits.max_mean_gap_diff, quote_unit
            )
        reasons += _at_most("MEAN_DRIFT", "mean drift", measures.mean_drift, limits.max_mean_drift, quote_unit)
    return worst(reasons), tuple(reasons)


def evaluate_share(shared_sessions: int, mean_deviation: float, max_deviation: float) -> tuple[Reason, ...]:
    """Every breach of policy e1 by a share's closes, REJECT first."""
    limits = LIMITS_E1
    reasons: list[Reason] = []
    if shared_sessions < limits.min_shared_sessions:
        reasons.append(
            _fewer("INSUFFICIENT_OVERLAP", "shared sessions", shared_sessions, limits.min_shared_sessions, "sessions")
        )
    for code, name, value, accept, watch in (
        ("MEAN_DEVIATION", "mean deviation", mean_deviation,
         limits.accept_mean_deviation, limits.watch_mean_deviation),
        ("MAX_DEVIATION", "largest deviation", max_deviation, limits.accept_max_deviation, limits.watch_max_deviation),
    ):  # fmt: skip
        severity: Severity = "REJECT" if exceeds(value, watch) else "WATCH"
        limit = watch if severity == "REJECT" else accept
        if exceeds(value, limit):
            left, right = compared(100.0 * value, 100.0 * limit)
            text = f"{name} {left} % > {right} % of price"
            reasons.append(Reason(code, severity, text, value, limit, "fraction of price"))
    reasons.sort(key=lambda reason: reason.severity != "REJECT")
    return tuple(reasons)


def margins(measures: Measures, *, policy: str) -> dict[str, tuple[float, float]]:
    """Value and limit of every measured check that makes a WATCH at most, by its code."""
    limits = _limits(policy)
    if isinstance(limits, LimitsV2):
        checks = [(code, value, limit) for code, _, value, limit, _ in _scaled(measures, limits)]
        checks.append(("UNEXPLAINED_SHARE", measures.judged_share, limits.max_unexplained_share))
    else:
        checks = [
            ("MEAN_GAP_DIFF", measures.mean_gap_diff, limits.max_mean_gap_diff),
            ("MEAN_DRIFT", measures.mean_drift, limits.max_mean_drift),
        ]
    return {code: (value, limit) for code, value, limit in checks if value is not None}


def share_margins(mean_deviation: float, max_deviation: float) -> dict[str, tuple[float, float]]:
    """`margins` of a share."""
    return {
        "MEAN_DEVIATION": (mean_deviation, LIMITS_E1.accept_mean_deviation),
        "MAX_DEVIATION": (max_deviation, LIMITS_E1.accept_max_deviation),
    }


def refuses_rolls(n_paired: int, unmatched_canonical: int, unmatched_reference: int) -> bool:
    """Whether the counts of two roll schedules alone mean REJECT; the limits are both policies'."""
    sessions = LIMITS_V1.min_shared_sessions
    counts = Measures(sessions, n_paired, unmatched_canonical, unmatched_reference, None, None)
    return bool(_counts(counts, LIMITS_V1))


def worst(reasons: list[Reason] | tuple[Reason, ...]) -> Decision:
    """ERROR before REJECT before WATCH; ACCEPT only without any reason."""
    severities = {reason.severity for reason in reasons}
    for decision in ("ERROR", "REJECT", "WATCH"):
        if decision in severities:
            return decision
    return "ACCEPT"


def limits_document(policy: str) -> dict[str, Any]:
    """The limits of a policy, JSON-ready: what the profile's `thresholds` digest is taken of."""
    return {"policy": policy, "limits": asdict(_limits_of(policy))}


def _limits_of(policy: str) -> LimitsV1 | LimitsV2 | LimitsE1:
    return LIMITS_E1 if policy == "e1" else _limits(policy)


def _limits(policy: str) -> LimitsV1 | LimitsV2:
    # Read here and nowhere else, so that what decides is what the thresholds lock is taken of.
    match policy:
        case "v1":
            return LIMITS_V1
        case "v2":
            return LIMITS_V2
    raise DataError("unknown acceptance policy", found=repr(policy), expected="v1 or v2; e1 of shares")


def _counts(measures: Measures, limits: LimitsV1 | LimitsV2) -> list[Reason]:
    reasons: list[Reason] = []
    shared, paired = measures.shared_sessions, measures.n_paired
    if shared < limits.min_shared_sessions:
        reasons.append(
            _fewer("INSUFFICIENT_OVERLAP", "shared sessions", shared, limits.min_shared_sessions, "sessions")
        )
    if paired < limits.min_paired_rolls:
        reasons.append(_fewer("PAIRED_ROLLS", "paired rolls", paired, limits.min_paired_rolls, "rolls"))
    if measures.unmatched_share is not None:
        reasons += _share("UNMATCHED_SHARE", "unmatched share", measures.unmatched_share, limits.max_unmatched_share)
    if measures.fail_share is None:
        text = "fail share is undefined: no paired rolls"
        reasons.append(Reason("FAIL_SHARE", "REJECT", text, None, limits.max_fail_share, "fraction"))
    elif measures.fail_share > 1.0:
        text = f"{measures.n_fail} rolls without a partner beside {paired} pairs"
        reasons.append(Reason("FAIL_SHARE", "REJECT", text, measures.fail_share, limits.max_fail_share, "fraction"))
    else:
        reasons += _share("FAIL_SHARE", "fail share", measures.fail_share, limits.max_fail_share)
    return reasons


def _scale_free(measures: Measures, limits: LimitsV2) -> list[Reason]:
    reasons: list[Reason] = []
    for code, name, value, limit, unit in _scaled(measures, limits):
        reasons += _at_most(code, name, value, limit, unit)
    share = measures.judged_share
    if share is None or exceeds(share, limits.max_unexplained_share):
        reasons += _share("UNEXPLAINED_SHARE", "unexplained share", share, limits.max_unexplained_share, "WATCH")
    if measures.rebuilt_decision != "ACCEPT":
        text = f"rebuilt on the reference's rolls: {measures.rebuilt_decision or 'not run'}"
        severity: Severity = "REJECT" if measures.rebuilt_decision in ("REJECT", "ERROR") else "WATCH"
        reasons.append(Reason("REBUILT_SERIES", severity, text))
    return sorted(reasons, key=lambda reason: reason.severity != "REJECT")


def _scaled(measures: Measures, limits: LimitsV2) -> list[tuple[str, str, float | None, float, str]]:
    """Gap and drift free of the quote unit: code, name, value (None: nothing to average), limit, unit."""
    gap, drift = measures.mean_gap_diff, measures.mean_drift
    checks = [
        ("MEAN_DRIFT_TICKS", "mean drift", drift, measures.tick, limits.max_mean_drift_ticks, "ticks"),
        ("MEAN_DRIFT_ATR", "mean drift", drift, measures.atr, limits.max_mean_drift_atr, "ATR(14)"),
    ]
    if gap is not None or measures.n_paired:
        checks = [
            ("MEAN_GAP_DIFF_TICKS", "mean gap difference", gap, measures.tick, limits.max_mean_gap_diff_ticks, "ticks"),
            ("MEAN_GAP_DIFF_ATR", "mean gap difference", gap, measures.atr, limits.max_mean_gap_diff_atr, "ATR(14)"),
            *checks,
        ]
    return [
        (code, name, value / scale if value is not None and scale else None, limit, unit)
        for code, name, value, scale, limit, unit in checks
    ]


def _fewer(code: str, name: str, value: int, limit: int, unit: str) -> Reason:
    return Reason(code, "REJECT", f"{name} {value} < {limit}", float(value), float(limit), unit)


def _at_most(code: str, name: str, value: float | None, limit: float, unit: str) -> list[Reason]:
    if value is None:
        return [Reason(code, "WATCH", f"{name} is undefined: nothing to average", None, limit, unit)]
    if not exceeds(value, limit):
        return []
    left, right = compared(value, limit)
    text = f"{name} {left} > {right} ({unit})" if unit else f"{name} {left} > {right}"
    return [Reason(code, "WATCH", text, value, limit, unit)]


def _share(code: str, name: str, value: float | None, limit: float, severity: Severity = "REJECT") -> list[Reason]:
    if value is None:
        return [Reason(code, severity, f"{name} is undefined", None, limit, "fraction")]
    if not exceeds(value, limit):
        return []
    left, right = compared(100.0 * value, 100.0 * limit)
    return [Reason(code, severity, f"{name} {left} % > {right} %", value, limit, "fraction")]
