"""Two vendors' series of an equity on a common adjustment basis, or why they are on none. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ctl.equity_basis.conversion import BASES, FORMULAS, Formula, as_basis, convert, events_within
from ctl.equity_basis.inference import AROUND, Inference, compare, contradicts, infer, levels, split_degree, steps
from ctl.model.documents import document

if TYPE_CHECKING:
    from ctl.model.actions import CorporateActions
    from ctl.model.bars import AdjustmentBasis, DailySeries

LEAST_FACTOR: Final = 0.18
"""In log price: two vendors' closes of one day never lie so far apart, a split of 6 for 5 does."""
LATER_FACTOR: Final = 0.002
"""In log price: closer than this two closes of the last sessions need no constant between them."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """Two equity series on a common basis, or why they are on none.

    canonical, reference: on `common` where that is not None, else as they were given. canonical_basis,
    reference_basis: what they were given in; None where it is not told. refusal: code and text of why they cannot be
    compared; None where they can, also where both are adjusted alike and nothing tells in which basis. later: what was
    done about actions after the last session, as it reads behind the text; empty where nothing was. residuals: of each
    action its session, `split` or `dividend`, and the step in log price that it leaves between canonical and reference.
    """

    canonical: DailySeries
    reference: DailySeries
    canonical_basis: AdjustmentBasis | None
    reference_basis: AdjustmentBasis | None
    common: AdjustmentBasis | None
    formula: Formula | None
    refusal: tuple[str, str] | None
    notes: tuple[str, ...]
    own: Inference
    pair: Inference
    later: str = ""
    residuals: tuple[tuple[date, str, float], ...] = ()

    @property
    def text(self) -> str:
        """Both bases, and the one they are compared on."""
        if self.refusal is not None:
            return self.refusal[1]
        if self.common is None:
            return f"canonical and reference are adjusted alike; which basis that is, is not told: {self.own.text}"
        by = f", dividends by {self.formula}" if self.formula else ""
        if self.canonical_basis == self.reference_basis == self.common:
            return f"canonical and reference are {self.common}{self.later}"
        sides = f"canonical is {self.canonical_basis}, reference {self.reference_basis}"
        return f"{sides}: compared as {self.common}{by}{self.later}"

    def document(self) -> dict[str, Any]:
        """JSON-ready. `events`: what is left of each event between the two series as given."""
        return {
            "canonical_basis": self.canonical_basis,
            "reference_basis": self.reference_basis,
            "common_basis": self.common,
            "dividend_formula": self.formula,
            "notes": list(self.notes),
            "canonical_alone": document(self.own),
            "reference_against_canonical": document(self.pair),
        }


def align(
    canonical: DailySeries,
    reference: DailySeries,
    actions: CorporateActions,
    *,
    declared: AdjustmentBasis | None = None,
) -> Alignment:
    """Say which basis each series is in, and bring both to a common one.

    Alike: they are left as they are, unless another basis is declared. Different: only on the basis `declared`, which
    names the pair as intended. A basis that a series states is believed unless the actions contradict it.
    """
    own = infer(canonical, actions)
    notes = []
    reference, later = _without_later_actions(canonical, reference, actions)
    held = canonical.meta.adjustment_basis
    if held is None or contradicts(own, held):
        if held is not None:
            notes.append(f"canonical is stated as {held}, but {own.text}")
        held = own.basis
    first = as_basis(canonical, held)
    pair = compare(first, reference, actions)
    stated = reference.meta.adjustment_basis
    other = stated if pair.basis is None and not pair.events else pair.basis
    if stated is not None and other is not None and stated != other:
        notes.append(f"reference is stated as {stated}, against ours it is {other}: {pair.text}")
    second = as_basis(reference, other)
    common, refusal = _common(held, other, declared, own, pair)
    missing = _unexplained_factor(first, reference, actions)
    if missing is not None:
        common, refusal = None, ("ACTION_MISSING", missing)
    formula: Formula | None = None
    if common is not None and (held, other) != (common, common):
        formula, first, second = _nearest_formula(first, second, common, actions)
    left = _residuals(first, second, actions)
    return Alignment(first, second, held, other, common, formula, refusal, tuple(notes), own, pair, later, left)


def _residuals(
    canonical: DailySeries, reference: DailySeries, actions: CorporateActions
) -> tuple[tuple[date, str, float], ...]:
    """What each action leaves between two series: the step of their log ratio over its ex-date."""
    sessions, level = levels(canonical, reference)
    events = events_within(sessions, actions)
    return tuple(
        (sessions[at].astype(object), "split" if split else "dividend", float(step))
        for at, split, step in zip(
            events.at.tolist(), events.split.tolist(), steps(level, events.at).tolist(), strict=True
        )
    )


def _without_later_actions(
    canonical: DailySeries, reference: DailySeries, actions: CorporateActions
) -> tuple[DailySeries, str]:
    """The reference at the level of its last session, where its file carries actions that came after it.

    An export made later than the last session looked at has later factors in all its prices: one constant. The text
    says so; empty where nothing was to be done.
    """
    import polars as pl

    last = reference.frame["session"][-1]
    _, level = levels(canonical, reference)
    if not level.size or not any(action.ex_date > last for action in actions.events):
        return reference, ""
    constant = float(np.median(level[-AROUND:]))
    if abs(constant) < LATER_FACTOR:
        return reference, ""
    text = f"; the reference carries actions after {last}: its prices are taken times {math.exp(constant):.4g}"
    prices = [pl.col(name) * math.exp(constant) for name in ("open", "high", "low", "close")]
    return replace(reference, frame=reference.frame.with_columns(prices)), text


def _unexplained_factor(canonical: DailySeries, reference: DailySeries, actions: CorporateActions) -> str | None:
    """Where the two sides part by a factor that no action explains; None where they nowhere do."""
    sessions, level = levels(canonical, reference)
    known = events_within(sessions, actions).at
    jumps = np.flatnonzero(np.abs(np.diff(level)) >= LEAST_FACTOR) + 1
    jumps = jumps[~np.isin(jumps, known)]
    for place, step in zip(jumps.tolist(), steps(level, jumps).tolist(), strict=True):
        if abs(step) >= LEAST_FACTOR:
            return (
                f"canonical and reference part by a factor of {math.exp(abs(step)):.4g} on {sessions[place]}, "
                "which no action explains: the actions file lacks it, or has it on another day"
            )
    return None


def _common(
    held: AdjustmentBasis | None,
    other: AdjustmentBasis | None,
    declared: AdjustmentBasis | None,
    own: Inference,
    pair: Inference,
) -> tuple[AdjustmentBasis | None, tuple[str, str] | None]:
    """The basis to compare on, or the code and text of why there is none."""
    if own.double_adjusted:
        return None, ("DOUBLE_ADJUSTED", f"canonical is {own.text}, or the actions file is wrong")
    if held is None:
        if pair.alike and declared is None:
            return None, None
        return None, ("BASIS_UNKNOWN", f"the basis of canonical is not told: {own.text}")
    if other is None:
        twice = (split_degree(held) or 0) + (pair.split_degree or 0) > 1
        twice |= int(held == "total_return") + (pair.dividend_degree or 0) > 1
        text = "the reference is adjusted twice" if twice else "the reference is in no basis that follows from it"
        told = f"canonical is {held}, {text}, or the actions file is wrong: {pair.text}"
        return None, ("DOUBLE_ADJUSTED" if twice else "BASIS_UNKNOWN", told)
    most = max(held, other, key=BASES.index)
    if held != other and declared is None:
        return None, (
            "BASIS_DIFFERS",
            f"canonical is {held}, reference {other}; declare common_basis to compare them on one",
        )
    if declared is not None and BASES.index(declared) < BASES.index(most):
        return None, (
            "BASIS_DIFFERS",
            f"canonical is {held}, reference {other}: adjustments cannot be taken out again for {declared}",
        )
    return declared or most, None


def _nearest_formula(
    canonical: DailySeries, reference: DailySeries, common: AdjustmentBasis, actions: CorporateActions
) -> tuple[Formula | None, DailySeries, DailySeries]:
    """Both on the common basis, by the dividend formula that leaves them closer; None where no dividend is applied."""
    tried: list[tuple[float, Formula, DailySeries, DailySeries]] = []
    for formula in FORMULAS:
        first, second = (convert(side, common, actions, formula=formula) for side in (canonical, reference))
        _, level = levels(first, second)
        spread = float(np.abs(level - np.median(level)).mean()) if level.size else 0.0
        tried.append((spread, formula, first, second))
    _, nearest, ours, theirs = min(tried, key=lambda one: one[0])
    return (nearest if common == "total_return" else None), ours, theirs
