"""L0: is this the instrument that was asked for?"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ctl.arrays import Bools, Days, Floats
from ctl.certification.acceptance import LIMITS_V1
from ctl.certification.layers import newest, prints
from ctl.certification.overlap import INSUFFICIENT_OVERLAP
from ctl.certification.price_grid import divides, infer_grid, off_grid_share
from ctl.certification.recovery import adjustment
from ctl.certification.recovery.reference import recover
from ctl.certification.series_arrays import median
from ctl.certification.tolerance import compared, exceeds
from ctl.certification.window import roll_starts
from ctl.model.contracts import parse_symbol
from ctl.model.findings import Finding, LayerName, LayerResult, NotRun, counted, finding, in_full, worst_status
from ctl.model.rolls import ContinuousSeries

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from ctl.certification.our_side import OurSide
    from ctl.certification.recovery.reference import RecoveredReference
    from ctl.certification.request import CertifyRequest, EquityBasis
    from ctl.certification.window import Window
    from ctl.model.bars import ContractBars
    from ctl.model.findings import Status
    from ctl.model.reference import Reference


LAYER: Final[LayerName] = "L0"
GATING_CHECKS: Final = ("root", "tick_grid", "reference_match")
# Checks 5 to 7, and our closes that are ahead of the reference, in the order in which they name a refusal.
NEWEST_CHECKS: Final = ("dates", "unit", "level_step", "level_now", "ahead")
MOST_PRINTS: Final = 0.05
MOST_OUTLIERS: Final = 0.01
OUTLIER_CHANGES: Final = 10.0
# A ratio of both sides that so nearly lies on a line in time, and moves by so much a year, drifts.
DRIFTS_CORRELATION: Final = 0.95
DRIFTS_A_YEAR: Final = 0.001
# It drifts within contracts too, where wrong gaps only step from one to the next: over so many sessions in the median.
DRIFTS_OVER: Final = 10
# One factor of all prices: with it they agree to the tick on so many sessions, and on so many more than by a constant.
SCALED_SHARE: Final = 0.8
SCALED_LEAD: Final = 0.2
LEAST_SCALED: Final = 0.001
DRIFTS_ALIKE: Final = 0.25
MIN_CHANGES: Final = 30
LONG_CHANGE: Final = 5


def check_ours(request: CertifyRequest, ours: OurSide) -> tuple[Finding, ...]:
    """Checks 1, 2 and 4, which need no reference, and what an equity's two series are adjusted for."""
    root = check_root(request)
    if root.status == "FAIL":
        # Bars of several roots are in no order that the later checks could rely on.
        return (root,)
    basis = request.equity_basis
    closes = closes_for_grid(request, ours)
    if isinstance(closes, NotRun):
        grid = finding("tick_grid", "NOT_RUN", closes.reason)
    else:
        grid = check_grid(closes, request.tick)
    checks = (root, grid, check_terms(request))
    return checks if basis is None else (*checks, check_basis(basis))


def gate_failed(checks: Sequence[Finding]) -> bool:
    """Whether a gating check failed."""
    return any(made.status == "FAIL" for made in checks if made.check in GATING_CHECKS)


def check(ours: Sequence[Finding], window: Window | NotRun) -> LayerResult[None]:
    """The layer: `check_ours`, and with a window check 3. After a failed check of ours nothing else is compared."""
    if gate_failed(ours):
        return result(ours)
    if isinstance(window, NotRun):
        status: Status = "ERROR" if window.code == INSUFFICIENT_OVERLAP else "NOT_RUN"
        match = finding("reference_match", status, window.reason, window.code)
        return result((*ours[:2], match, *ours[2:]))
    match = check_reference_match(window)
    checks = [*ours[:2], match, *ours[2:], check_fingerprint(window.recovered), *newest.check(window)]
    checks += [*check_scaled(window), *check_drifts(window), *check_ratio(window)]
    if match.status == "FAIL" and window.log_points is None:
        # Changes of another adjustment correlate less the farther back they lie: no other instrument is needed.
        checks += adjustment.mismatch(window.canonical, window.recovered, tick=window.request.tick)
    return result(checks)


def check_ratio(window: Window) -> list[Finding]:
    """That the reference is adjusted by ratios and ours is not: ours is built by ratio for the comparison."""
    if window.log_points is None:
        return []
    scale, series = window.log_points.scale, window.canonical
    own = series.policy.adjustment if isinstance(series, ContinuousSeries) else "none"
    evidence = {"canonical": own, "reference": "ratio", "scale": scale}
    if own == "ratio":
        return [
            finding("adjustment", "PASS", "both sides are adjusted by ratios, which are compared", evidence=evidence)
        ]
    text = (
        f"our series is {adjustment.WORDS[own]}, the reference {adjustment.WORDS['ratio']}: for the comparison ours is "
        f"built by ratio; gaps and drift are ratios, told in price units at {scale:g}"
    )
    return [finding("adjustment", "WATCH", text, adjustment.ADJUSTMENT_MISMATCH, evidence=evidence)]


def check_root(request: CertifyRequest) -> Finding:
    """Check 1: every contract's root is the one asked for."""
    if request.contracts is None:
        return finding("root", "NOT_RUN", "no contract bars: roots cannot be compared")
    foreign: dict[str, list[str]] = {}
    for contract in request.contracts.contracts:
        if contract.root != request.root:
            foreign.setdefault(contract.root, []).append(contract.name)
    total = len(request.contracts.contracts)
    if not total:
        return finding("root", "ERROR", f"no contracts of {request.root} found")
    if not foreign:
        return finding("root", "PASS", f"all {total} contracts are {request.root}")
    roots_found = ", ".join(sorted(foreign))
    evidence = {"requested": request.root, "found": {root: sorted(names) for root, names in sorted(foreign.items())}}
    return finding("root", "FAIL", f"{roots_found} found where {request.root} was asked for", evidence=evidence)


def closes_for_grid(request: CertifyRequest, ours: OurSide) -> Floats | NotRun:
    """The prices whose grid is checked: our contracts' closes, else the canonical series' unadjusted ones."""
    basis = request.equity_basis
    if basis is not None and basis.refusal is not None and basis.refusal[0] == "DOUBLE_ADJUSTED":
        return NotRun("prices that were adjusted twice lie on no grid")
    if ours.closes.names:
        return ours.closes.flat
    if basis is not None:
        return basis.closes
    if request.canonical is None:
        return NotRun("no closes to compare with the tick grid")
    return ours.canonical.unadjusted


def check_grid(closes: Floats, tick: float) -> Finding:
    """Check 2: closes lie on the profile's tick grid, or on a finer one that divides it."""
    share = off_grid_share(closes, tick)
    limit = LIMITS_V1.max_off_grid_share
    if not np.isfinite(share):
        return finding("tick_grid", "ERROR", "no finite close to compare with the tick grid")
    if not exceeds(share, limit):
        text = f"{100 * share:.2f} % of closes off the grid of {in_full(tick)}"
        return finding("tick_grid", "PASS", text, value=share, limit=limit, unit="fraction")
    grid = infer_grid(closes)
    left, right = compared(100 * share, 100 * limit)
    text = f"{left} % of closes off the grid of {in_full(tick)} > {right} %"
    evidence = {"tick": tick, "inferred_grid": grid}
    if grid is not None and divides(grid, tick):
        text += f"; they lie on the finer grid of {in_full(grid)}"
        return finding("tick_grid", "WATCH", text, "FINER_GRID", share, limit, "fraction", evidence)
    text += "; no grid found" if grid is None else f"; they lie on a grid of {in_full(grid)}"
    return finding("tick_grid", "FAIL", text, None, share, limit, "fraction", evidence)


def refusals(findings: Sequence[Finding]) -> list[Finding]:
    """What a failed layer is refused for, the cause first.

    A wrong date, unit or level names itself, unless it is another instrument's: then check 3 comes first.
    """
    failed = {made.check: made for made in findings if made.status == "FAIL"}
    ours = [failed[name] for name in GATING_CHECKS[:2] if name in failed]
    named = [failed[name] for name in NEWEST_CHECKS if name in failed]
    match = failed.get("reference_match")
    if match is None:
        return ours + named
    typical = match.evidence["typical_correlation"]
    unlike = typical is None or exceeds(LIMITS_V1.min_change_correlation, typical)
    level = match.evidence["median_level_difference"]
    off_level = level is not None and exceeds(level, LIMITS_V1.max_median_level_difference)
    first = "dates" not in failed and (unlike or (off_level and "unit" not in failed))
    if not first:
        return [*ours, *named, match]
    # Another instrument's level is wrong by itself: that stays a finding.
    return [*ours, match, *(failed[name] for name in ("dates", "unit") if name in failed)]


def check_reference_match(window: Window) -> Finding:
    """Check 3: changes correlate with the reference's, and levels agree where it ships unadjusted closes.

    Daily changes; over 5 sessions where the stated closes or sessions are others. Changes beside an isolated print
    are left out where they alone spoil the correlation.
    """
    compared_changes = _comparable_changes(window)
    correlation, left_out = _pearson(*compared_changes.values), 0
    if correlation is not None and exceeds(LIMITS_V1.min_change_correlation, correlation):
        without = _without_outliers(window, compared_changes)
        found = _pearson(*without.values)
        if found is not None and not exceeds(LIMITS_V1.min_change_correlation, found):
            left_out = compared_changes.used - without.used
            correlation, compared_changes = found, without
    used, basis, words = compared_changes.used, compared_changes.basis, compared_changes.words
    ratio, level = _levels(window)
    evidence: dict[str, Any] = {
        "correlation": correlation,
        "changes": used,
        "changes_over": basis,
        "changes_left_out": left_out,
        "typical_correlation": None,
        "median_level_ratio": ratio,
        "median_level_difference": level,
    }
    least, most = LIMITS_V1.min_change_correlation, LIMITS_V1.max_median_level_difference
    if correlation is None:
        why = f"{used} comparable changes" if used < MIN_CHANGES else f"one side does not move over {used} changes"
        text = f"correlation of {words} is undefined: {why}"
        return finding("reference_match", "ERROR", text, evidence=evidence)
    problems = []
    evidence["typical_correlation"] = correlation
    if exceeds(least, correlation):
        left, right = compared(correlation, least)
        problems.append(f"correlation of {words} {left} < {right}")
        typical = newest.typical_correlation(*compared_changes.all_sessions)
        evidence["typical_correlation"] = typical if math.isfinite(typical) else None
    if level is not None and exceeds(level, most):
        left, right = compared(100 * level, 100 * most)
        problems.append(f"median level difference {left} % > {right} %{_level_words(window)}")
    code = None
    if len(problems) == 1 and ratio is not None and level is not None and exceeds(level, most):
        power = _power_of_ten(ratio)
        if power is not None:
            code = "UNIT_MISMATCH"
            problems.append(f"prices are {10.0**power:g} times the reference's: another quote unit")
    text = "; ".join(problems) or f"correlation of {words} {correlation:.4f} over {used} sessions"
    if left_out:
        text += f", {counted(left_out, 'change')} that no market makes left out"
    status: Status = "FAIL" if problems else "PASS"
    return finding("reference_match", status, text, code, correlation, least, "correlation", evidence)


def check_terms(request: CertifyRequest) -> Finding:
    """Check 4: the vendor's definition records agree with what was asked for. Informs; does not gate."""
    held = request.contracts.terms if request.contracts is not None else {}
    terms = {name: term for name, term in held.items() if term.stated}
    if request.contracts is None or not terms:
        return finding("definition", "NOT_RUN", "no definition records")
    last_bars = _last_bars(request.contracts)
    problems = []
    for name in sorted(terms):
        term = terms[name]
        parsed = parse_symbol(name)
        if term.asset is not None and term.asset != request.root:
            problems.append(f"{name}: asset {term.asset}, expected {request.root}")
        if term.tick is not None and abs(term.tick - request.tick) > 1e-9 * max(1.0, request.tick):
            problems.append(f"{name}: tick {in_full(term.tick)}, expected {in_full(request.tick)}")
        if term.currency is not None and request.currency and term.currency != request.currency:
            problems.append(f"{name}: currency {term.currency}, expected {request.currency}")
        if term.last_trade is not None:
            if parsed is not None and not _expires_near_delivery(term.last_trade.year, term.last_trade.month, parsed):
                problems.append(f"{name}: expires {term.last_trade}, far from its delivery month")
            last_bar = last_bars.get(name)
            if last_bar is not None and last_bar > term.last_trade:
                problems.append(f"{name}: bar of {last_bar} after its expiration {term.last_trade}")
    evidence = {"contracts": len(terms), "disagreements": problems[:50], "n_disagreements": len(problems)}
    if problems:
        return finding(
            "definition", "FAIL", f"{counted(len(problems), 'disagreement')}, first: {problems[0]}", evidence=evidence
        )
    return finding("definition", "PASS", f"definition records of {len(terms)} contracts agree", evidence=evidence)


def check_basis(basis: EquityBasis) -> Finding:
    """Which adjustments an equity's two series carry. Informs; without a common basis nothing else is compared."""
    if basis.refusal is not None:
        code, text = basis.refusal
        status: Status = "FAIL" if code == "DOUBLE_ADJUSTED" else "NOT_RUN"
        return finding("adjustment_basis", status, text, code, evidence=basis.document)
    if basis.notes:
        text = "; ".join((basis.text, *basis.notes))
        return finding("adjustment_basis", "WATCH", text, "BASIS_MISSTATED", evidence=basis.document)
    return finding("adjustment_basis", "PASS", basis.text, evidence=basis.document)


def check_fingerprint(recovered: RecoveredReference) -> Finding:
    """Evidence: how well the reference's closes are those of our contracts. Informs; does not gate."""
    evidence = {"source": recovered.source, "median_residual_ticks": recovered.median_residual_ticks}
    if recovered.median_residual_ticks is None:
        return finding("fingerprint", "NOT_RUN", "contract closes were not matched", evidence=evidence)
    residual = recovered.median_residual_ticks
    if recovered.source not in ("fingerprint", "ours"):
        text = f"the reference's closes match no path through our contracts: median residual {residual:.2f} ticks"
        return finding("fingerprint", "WATCH", text, "NO_FINGERPRINT_MATCH", residual, unit="ticks", evidence=evidence)
    text = f"the reference's closes follow our contracts: median residual {residual:.2f} ticks"
    if recovered.rolls_uncertain:
        text += "; it ships only its adjusted series and no highs and lows that are ours: its contracts are uncertain"
        return finding("fingerprint", "WATCH", text, "UNCERTAIN_ROLLS", residual, unit="ticks", evidence=evidence)
    return finding("fingerprint", "PASS", text, None, residual, unit="ticks", evidence=evidence)


def result(findings: Sequence[Finding]) -> LayerResult[None]:
    """The layer from its checks. A gating check that did not run makes the layer NOT_RUN, unless one failed."""
    by_check = {made.check: made.status for made in findings}
    gating = [by_check.get(check, "NOT_RUN") for check in GATING_CHECKS]
    status = worst_status([*gating, *(by_check[check] for check in NEWEST_CHECKS if check in by_check)])
    if status in {"PASS", "WATCH"} and "NOT_RUN" in gating:
        status = "NOT_RUN"
    if status == "PASS" and any(made.status in {"WATCH", "FAIL"} for made in findings):
        status = "WATCH"
    told = [f"{made.check}: {made.text}" for made in findings if made.status not in {"PASS", "NOT_RUN"}]
    silent = [
        f"{made.check}: {made.text}" for made in findings if made.status == "NOT_RUN" and made.check in GATING_CHECKS
    ]
    text = "; ".join(told or (silent if status == "NOT_RUN" else [])) or "the instrument is the one asked for"
    return LayerResult.of(LAYER, status, text, findings, measured=None)


def best_matching_root(bars: ContractBars, others: Mapping[str, ContractBars]) -> tuple[str, float] | None:
    """The other root whose contracts these bars are, with the correlation of daily changes; None where none is.

    The most active contract of each session is compared on shared sessions: changes must correlate by 0.90 and the
    median level must agree within 5 %. Ties go to the first root by name.
    """
    best: tuple[str, float] | None = None
    for root in sorted(others):
        correlation = _match(bars, others[root])
        if correlation is not None and (best is None or correlation > best[1]):
            best = (root, correlation)
    return best


def best_matching_reference(
    reference: Reference, others: Mapping[str, ContractBars], *, tick: float
) -> tuple[str, float] | None:
    """The other root through whose contracts the reference's closes run, with the median residual in ticks.

    None where none matches; ties go to the first root by name.
    """
    best: tuple[str, float] | None = None
    for root in sorted(others):
        recovered = recover(others[root], reference, tick=tick)
        residual = recovered.median_residual_ticks
        if recovered.source == "fingerprint" and residual is not None and (best is None or residual < best[1]):
            best = (root, residual)
    return best


def _match(bars: ContractBars, other: ContractBars) -> float | None:
    """Correlation of the active contracts' changes; None where changes or levels are another market's."""
    joined = active_changes(bars).join(active_changes(other), on="session", suffix="_other")
    close, close_other, change, change_other = (
        joined[name].to_numpy() for name in ("close", "close_other", "change", "change_other")
    )
    finite = np.isfinite(change) & np.isfinite(change_other) & (close_other != 0.0)
    correlation = _pearson(change[finite], change_other[finite])
    if correlation is None or exceeds(LIMITS_V1.min_change_correlation, correlation):
        return None
    level = float(np.median(np.abs(close[finite] / close_other[finite] - 1.0)))
    return None if exceeds(level, LIMITS_V1.max_median_level_difference) else correlation


def active_changes(bars: ContractBars) -> pl.DataFrame:
    """Per session the close, and its change, of the contract with the largest volume (ties, unknown: the earliest).

    Named contracts say nothing here: bars under the wrong name may stand under the wrong delivery month as well.
    """
    import polars as pl

    change = (pl.col("close") - pl.col("close").shift(1).over("contract")).alias("change")
    return (
        bars.frame.lazy()
        .select("session", "volume", "close", change)
        .drop_nulls(["close", "change"])
        .sort("session", "volume", descending=[False, True], nulls_last=True, maintain_order=True)
        .unique("session", keep="first", maintain_order=True)
        .collect()
    )


@dataclass(frozen=True, slots=True)
class _Changes:
    """Changes of both sides on the shared sessions after the first (n), and which of them are compared."""

    ours: Floats
    theirs: Floats
    usable: Bools
    basis: str
    words: str = "daily changes"

    @property
    def used(self) -> int:
        """How many are compared."""
        return int(np.count_nonzero(self.usable))

    @property
    def values(self) -> tuple[Floats, Floats]:
        """The compared ones."""
        return self.ours[self.usable], self.theirs[self.usable]

    @property
    def all_sessions(self) -> tuple[Floats, Floats]:
        """All of them, NaN where not compared."""
        return np.where(self.usable, self.ours, np.nan), np.where(self.usable, self.theirs, np.nan)


def _comparable_changes(window: Window) -> _Changes:
    """Close-to-close changes of one contract on both sides; where contracts are unknown, with no roll of either."""
    overlap = window.overlap
    ours = overlap.canonical_adjusted
    theirs = overlap.reference_adjusted if overlap.has_reference_adjusted else overlap.reference_unadjusted
    usable = np.ones(max(ours.size - 1, 0), dtype=np.bool_)
    switched = roll_starts(overlap, window.canonical_rolls, window.reference_rolls) - 1
    usable[switched[(switched >= 0) & (switched < usable.size)]] = False
    basis = "sessions on which neither side rolls"
    x, y = np.diff(ours), np.diff(theirs)
    usable &= np.isfinite(x) & np.isfinite(y)
    same, held = overlap.same_contract, overlap.canonical_contract
    alike = usable & same[1:] & same[:-1] & (held[1:] == held[:-1])
    if np.count_nonzero(alike) >= MIN_CHANGES:
        usable, basis = alike, "same-contract sessions"
    found = _Changes(x, y, usable, basis)
    return found if _bases_agree(window) else _over_sessions(found, LONG_CHANGE)


def _over_sessions(daily: _Changes, sessions: int) -> _Changes:
    """Overlapping changes over so many sessions: sums of daily ones, all of which are compared."""
    if daily.usable.size < sessions:
        return daily
    ours, theirs = (
        np.convolve(np.where(daily.usable, values, 0.0), np.ones(sessions), mode="valid")
        for values in (daily.ours, daily.theirs)
    )
    usable = np.convolve(daily.usable, np.ones(sessions, dtype=np.int64), mode="valid") == sessions
    if np.count_nonzero(usable) < MIN_CHANGES:
        return daily
    return _Changes(ours, theirs, usable, daily.basis, f"changes over {sessions} sessions")


def _bases_agree(window: Window) -> bool:
    """Whether both sides state one close and one session basis."""
    theirs = window.reference.adjusted or window.reference.unadjusted
    if theirs is None or not isinstance(window.canonical, ContinuousSeries):
        return True
    ours, other = window.canonical.meta, theirs.meta
    return (ours.close_basis, ours.session_basis) == (other.close_basis, other.session_basis)


def _without_outliers(window: Window, changes: _Changes) -> _Changes:
    """Without the changes that touch an isolated print or that no market makes, where these are few."""
    found = prints.of_window(window).prints
    count = window.overlap.sessions.size
    usual = float(np.median(np.abs(changes.ours[changes.usable])))
    touched = np.zeros(count + 1, dtype=np.bool_)
    # The change at position t is from session t to t + 1; one over several sessions ends later.
    length = count - changes.usable.size
    for back in range(length + 1):
        touched[np.maximum(found.at - back, 0)] = True
    usable = changes.usable & ~touched[: changes.usable.size]
    far = usable & (np.abs(changes.ours - changes.theirs) > OUTLIER_CHANGES * usual)
    if found.at.size > MOST_PRINTS * count or np.count_nonzero(far) > MOST_OUTLIERS * count:
        return changes
    return replace(changes, usable=usable & ~far)


def _pearson(x: Floats, y: Floats) -> float | None:
    if x.size < MIN_CHANGES:
        return None
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt(np.dot(x, x) * np.dot(y, y)))
    return float(np.dot(x, y)) / scale if scale > 0.0 else None


def _levels(window: Window) -> tuple[float | None, float | None]:
    """Medians of canonical / reference and of |canonical / reference - 1| of unadjusted closes.

    None without the reference's own unadjusted closes.
    """
    overlap = window.overlap
    if not overlap.has_reference_unadjusted:
        return None, None
    ours, theirs = window.prices(overlap.canonical_unadjusted), window.prices(overlap.reference_unadjusted)
    usable = theirs != 0.0
    ratio = ours[usable] / theirs[usable]
    ratio = ratio[np.isfinite(ratio)]
    return (median(ratio), median(np.abs(ratio - 1.0))) if ratio.size else (None, None)


def _level_words(window: Window) -> str:
    """What a level difference is: a constant, or one that grows with time; empty where neither."""
    overlap = window.overlap
    ours, theirs = window.prices(overlap.canonical_unadjusted), window.prices(overlap.reference_unadjusted)
    usable = np.isfinite(ours) & np.isfinite(theirs) & (ours > 0.0) & (theirs > 0.0)
    if np.count_nonzero(usable) < MIN_CHANGES:
        return ""
    apart = (theirs - ours)[usable]
    if np.ptp(np.quantile(apart, (0.05, 0.95))) <= 2.0 * window.request.tick and np.median(apart) != 0.0:
        level = float(np.median(apart))
        return f": the reference lies {in_full(abs(level))} {'above' if level > 0 else 'below'} ours throughout"
    slope = _drift_a_year(np.log(theirs[usable] / ours[usable]), overlap.sessions[usable])
    return "" if slope is None else f": the reference {_drift_words(slope)}"


def check_scaled(window: Window) -> list[Finding]:
    """PRICES_SCALED: one side's prices are the other's times one factor throughout, to the tick."""
    overlap, tick = window.overlap, window.request.tick
    if window.log_points is not None:
        return []
    ours, theirs = overlap.canonical_adjusted, overlap.reference_adjusted
    if overlap.has_reference_unadjusted:
        ours, theirs = overlap.canonical_unadjusted, overlap.reference_unadjusted
    known = np.isfinite(ours) & np.isfinite(theirs)
    ours, theirs = ours[known], theirs[known]
    if ours.size < MIN_CHANGES:
        return []
    apart = theirs - ours
    constant = float(np.mean(np.abs(apart - np.median(apart)) <= tick * (1.0 + 1e-9)))
    if constant > 1.0 - SCALED_LEAD:
        return []
    # The level of adjusted closes is nobody's.
    level = 0.0
    if overlap.has_reference_unadjusted:
        factor = float(np.median(theirs[ours != 0.0] / ours[ours != 0.0]))
    else:
        factor = float(np.polyfit(ours, theirs, 1)[0])
        level = float(np.median(theirs - factor * ours))
    share = float(np.mean(np.abs(theirs - factor * ours - level) <= tick * (1.0 + 1e-9)))
    if share < max(SCALED_SHARE, constant + SCALED_LEAD) or not factor > 0.0 or abs(factor - 1.0) < LEAST_SCALED:
        return []
    text = (
        f"the reference's prices are ours times {factor:.5g} throughout, to the tick on {100 * share:.0f} % of the "
        "sessions: one side's are scaled"
    )
    return [finding("scale", "WATCH", text, "PRICES_SCALED", factor, 1.0, "factor", {"factor": factor, "share": share})]


def check_drifts(window: Window) -> list[Finding]:
    """PRICES_DRIFT: adjusted closes alone that gain on ours by a share a year, within contracts as between them."""
    overlap = window.overlap
    if overlap.has_reference_unadjusted or not overlap.has_reference_adjusted:
        return []
    ours, theirs = window.prices(overlap.canonical_adjusted), window.prices(overlap.reference_adjusted)
    usable = np.isfinite(ours) & np.isfinite(theirs) & (ours > 0.0) & (theirs > 0.0)
    if np.count_nonzero(usable) < MIN_CHANGES + DRIFTS_OVER:
        return []
    ratio, sessions = np.log(theirs[usable] / ours[usable]), overlap.sessions[usable]
    slope = _drift_a_year(ratio, sessions)
    if slope is None:
        return []
    years = (sessions[DRIFTS_OVER:] - sessions[:-DRIFTS_OVER]).astype(np.int64) / 365.25
    within = float(np.median((ratio[DRIFTS_OVER:] - ratio[:-DRIFTS_OVER]) / years))
    if abs(within - slope) > DRIFTS_ALIKE * abs(slope):
        return []
    text = (
        f"the reference's adjusted series {_drift_words(slope)}, within contracts as between them: no roll makes that, "
        "but interest, costs or another kind of return"
    )
    evidence = {"a_year": slope, "within_contracts": within}
    return [finding("drift_rate", "WATCH", text, "PRICES_DRIFT", slope, DRIFTS_A_YEAR, "fraction a year", evidence)]


def _drift_a_year(ratio: Floats, sessions: Days) -> float | None:
    """By how much a ratio's logarithm grows a year, where it so nearly lies on a line in time; else None."""
    years = (sessions - sessions[-1]).astype(np.int64) / 365.25
    correlation = _pearson(years, ratio)
    if correlation is None or abs(correlation) < DRIFTS_CORRELATION:
        return None
    slope = float(np.polyfit(years, ratio, 1)[0])
    return slope if abs(slope) >= DRIFTS_A_YEAR else None


def _drift_words(slope: float) -> str:
    return f"{'gains on' if slope > 0 else 'falls behind'} ours by {100 * abs(slope):.2g} % a year"


def _power_of_ten(ratio: float) -> int | None:
    """The power of ten, other than 1, that a ratio is within the tolerated level difference; None where none is."""
    if not ratio > 0.0:
        return None
    power = round(math.log10(ratio))
    return power if power and abs(ratio / 10.0**power - 1.0) <= LIMITS_V1.max_median_level_difference else None


def _last_bars(bars: ContractBars) -> dict[str, Any]:
    import polars as pl

    last = bars.frame.group_by("contract").agg(pl.col("session").max())
    return dict(zip(last["contract"].to_list(), last["session"].to_list(), strict=True))


def _expires_near_delivery(year: int, month: int, parsed: Any) -> bool:
    """Whether an expiration lies from two months before to one month after the delivery month."""
    expiry, cycle = year * 12 + month, 10**parsed.year_digits * 12
    ahead = (parsed.year * 12 + parsed.month - expiry) % cycle
    return bool(ahead <= 2 or ahead >= cycle - 1)
