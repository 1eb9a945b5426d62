"""A certificate in words, for the screen and the page alike: cause, cure, layers, what would change the decision."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from ctl.drawing import number
from ctl.model.certificate import Counterfactuals, JudgedSeries, ParityFigures
from ctl.model.findings import counted
from ctl.model.reference import ASSUMED_UNADJUSTED

if TYPE_CHECKING:
    from ctl.model.certificate import Certificate, ComparedReference
    from ctl.model.findings import LayerReport

_CAUSES: Final = {
    "timing": "other contracts around the roll",
    "unmatched": "a roll of one side alone",
    "contract": "other contracts, or contracts that are not known",
    "print": "one close off both neighbours",
    "reference_residual": "the reference's own series do not agree",
    "canonical_residual": "our series is not adjusted by differences",
}
ALTERNATIVES: Final = {
    "daily": "the vendor's daily bars",
    "settlement": "settlement closes",
    "session": "session-true bars",
    "session_settlement": "session-true bars and settlement closes",
}
_BETTER: Final = ("ERROR", "REJECT", "WATCH", "ACCEPT")
_CLOSES: Final = {"last_trade": "last trades", "settlement": "settlements"}
_SESSIONS: Final = {"utc_day": "UTC days", "exchange_session": "exchange sessions"}
# Findings that explain roll counts, and gaps and drift, beyond their limits; the first found leads.
_OF_ROLLS: Final = (
    "PRICES_SCALED", "COARSE_GRID", "PRICES_DRIFT", "UNADJUSTED_PATCH", "MONTH_CYCLE_MISMATCH", "ROLL_RULE_CHANGED",
    "ROLL_RULE_MISMATCH",
    "REFERENCE_INCONSISTENT", "NO_FINGERPRINT_MATCH", "CONTRACT_SKIPPED", "CONTRACTS_APART", "UNATTRIBUTED_STEP",
    "INDISTINGUISHABLE_CONTRACTS",
)  # fmt: skip
_OF_PRICES: Final = (
    "INVERTED_ADJUSTMENT", "ADJUSTMENT_MISMATCH", "GAPS_TAKEN_LATE", "GAPS_FROM_OPENS", "REFERENCE_INCONSISTENT",
    "PRICES_SCALED", "COARSE_GRID", "PRICES_DRIFT", "FOREIGN_CONTRACT", "GAPS_INVERTED", "GAPS_DOUBLED", "WRONG_GAPS",
    "UNADJUSTED_PATCH", "LEVEL_PATCH",
)  # fmt: skip
_LIMITS: Final = frozenset({
    "PAIRED_ROLLS", "UNMATCHED_SHARE", "FAIL_SHARE", "MEAN_GAP_DIFF", "MEAN_DRIFT", "MEAN_DEVIATION", "MAX_DEVIATION",
})  # fmt: skip
_ROLL_REASONS: Final = frozenset({"PAIRED_ROLLS", "UNMATCHED_SHARE", "FAIL_SHARE"})


def reasons(certificate: Certificate) -> list[str]:
    """Why it is decided as it is, the first reason first; a limit that is broken says so without its code."""
    return [
        reason.text if reason.code in _LIMITS else f"{reason.code}: {reason.text}" for reason in certificate.reasons
    ]


def cause_and_cure(certificate: Certificate) -> dict[str, str]:
    """Both in words, where they are known and the first reason does not say them, and what was assumed or left out."""
    found = {
        "Cause:": cause(certificate),
        "Cure:": cure(certificate),
        "Assumed:": assumed(certificate),
        "Not compared:": "; ".join(certificate.unread),
    }
    return {name: text for name, text in found.items() if text and text not in reasons(certificate)[:1]}


def why_lines(certificate: Certificate) -> list[str]:
    """Its reasons, cause and cure, a sentence each."""
    return [*reasons(certificate), *(f"{name} {text}" for name, text in cause_and_cure(certificate).items())]


def cause(certificate: Certificate) -> str:
    """What the decision rests on, in words; empty where it is an ACCEPT or its reason says all."""
    codes = {reason.code for reason in certificate.reasons}
    told = {made.code: made.text for _, layer in certificate.layers.items() for made in layer.findings if made.code}
    order = [*(_OF_ROLLS if codes & _ROLL_REASONS else ()), *(_OF_PRICES if codes else ())]
    text = next((told[code] for code in order if code in told), "")
    if text or not codes & {"MEAN_DRIFT", "MEAN_GAP_DIFF"} or certificate.ledger is None:
        return text
    largest = next(iter(certificate.ledger.components), None)
    if largest is None:
        return ""
    share = f" ({100 * largest.share:.1f} %)" if largest.share is not None else ""
    if largest.name == "basis":
        return basis_words(certificate) + share
    if largest.name.partition(":")[2].rpartition(":")[0] in _unadjusted_blocks(certificate):
        return told["UNADJUSTED_ROLL"] + share
    return f"{largest.name}: {why(certificate, largest.name)}{share}"


def cure(certificate: Certificate) -> str:
    """Which series of ours, or which rule, would do better; empty where none is known."""
    best = best_alternative(certificate)
    if best is not None:
        name, judged = best
        drift = f"mean drift {number(judged.mean_drift)}"
        return f"{ALTERNATIVES.get(name, name)} make it {judged.decision}, {drift}"
    if {reason.code for reason in certificate.reasons} & _ROLL_REASONS:
        for code in ("MONTH_CYCLE_MISMATCH", "ROLL_RULE_MISMATCH"):
            for made in certificate.layers.L2.findings:
                if made.code == code:
                    options = made.evidence.get("options") or (
                        f"--months {made.evidence['months']}" if "months" in made.evidence else ""
                    )
                    return f"build with {options}" if options else ""
    return ""


def best_alternative(certificate: Certificate) -> tuple[str, JudgedSeries] | None:
    """The first of our other series, the least changed, that makes the decision better."""
    if certificate.counterfactuals is None:
        return None
    for name in ALTERNATIVES:
        judged = certificate.counterfactuals.alternatives.get(name)
        if isinstance(judged, JudgedSeries) and _better(judged.decision, certificate.decision):
            return name, judged
    return None


def _better(decision: str, than: str) -> bool:
    return _BETTER.index(decision) > _BETTER.index(than)


def basis_words(certificate: Certificate) -> str:
    """Why closes of the same contract differ, where the stated bases say so."""
    inputs = certificate.inputs
    ours, theirs = inputs.canonical, inputs.reference_unadjusted or inputs.reference_adjusted
    if ours is not None and theirs is not None:
        vendor = inputs.reference_vendor or "the reference"
        closes = [_CLOSES.get(side.close_basis) for side in (ours, theirs)]
        if None not in closes and closes[0] != closes[1]:
            return f"our closes are {closes[0]}, {vendor}'s are {closes[1]}"
        bars = [_SESSIONS.get(side.session_basis) for side in (ours, theirs)]
        if None not in bars and bars[0] != bars[1]:
            return f"our bars are {bars[0]}, {vendor}'s are {bars[1]}"
    return "closes differ, reason not stated"


def layer_text(certificate: Certificate, name: str, layer: LayerReport[object], *, brief: bool, years: str = "") -> str:
    """What one layer found.

    brief: of identity what it is refused for, of raw data what each finding is of. years: the drift by year, of L4.
    """
    told = [made.text for made in layer.findings if made.status not in ("PASS", "NOT_RUN")]
    if name == "L4" and certificate.ledger is not None:
        limit = next((made for made in layer.findings if made.check == "mean_drift"), None)
        told = [text for text in told if limit is None or text != limit.text]
        return "; ".join(filter(None, [f"mean drift {_against(certificate)}", years, *told]))
    if name == "L2" and certificate.n_paired is not None:
        schedule = layer.finding("schedule")
        told = [text for text in told if schedule is None or text != schedule.text]
        return "; ".join((_paired(certificate), *told))
    span = certificate.overlap
    if name == "L0" and brief:
        # Another instrument's newest prices and dates differ as well: that explains nothing.
        refused = [text for text in told if any(text in reason.text for reason in certificate.reasons)]
        rest = len(told) - len(refused)
        told = [*refused, f"{counted(rest, 'further finding')} (--verbose)"] if refused and rest else told
    if name == "L0" and span is not None:
        told.append(f"{span.shared_sessions} shared sessions from {span.first_session}")
        told = told if len(told) > 1 else [layer.text, *told]
    if name == "L1" and brief:
        told = [re.split("; |: ", text, maxsplit=1)[0] for text in told]
    return "; ".join(told) or layer.text


def _paired(certificate: Certificate) -> str:
    rolls = f"{certificate.n_paired} of {max(certificate.n_canonical or 0, certificate.n_reference or 0)} rolls paired"
    alone = f", {certificate.n_fail} without a partner" if certificate.n_fail else ""
    return f"{rolls}, {certificate.n_pass} on the same session{alone}"


def _against(certificate: Certificate) -> str:
    return f"{number(certificate.mean_drift)}, largest {number(certificate.max_drift)} ({certificate.quote_unit})"


def why(certificate: Certificate, component: str) -> str:
    """What a component of the ledger stands for, in a trader's words."""
    kind, _, rest = component.partition(":")
    block, _, effect = rest.rpartition(":")
    match kind, effect:
        case "basis", _:
            return basis_words(certificate)
        case "gap", "price" if block in _unadjusted_blocks(certificate):
            return "the reference left this gap in its adjusted series"
        case "gap", "date":
            return "the sides rolled on different sessions"
        case "gap", "price":
            return "same session, other closes"
        case "gap", _:
            return "the sides' gaps differ"
        case _:
            return _CAUSES.get(kind, "")


def _unadjusted_blocks(certificate: Certificate) -> frozenset[str]:
    """Blocks whose roll the reference did not adjust for."""
    told = certificate.layers.L3.finding("unadjusted_rolls")
    return frozenset() if told is None else frozenset(roll["block"] for roll in told.evidence["rolls"])


def assumed(certificate: Certificate) -> str:
    """What was assumed of the reference's files, where the pair is not accepted."""
    side = certificate.inputs.reference_unadjusted
    notes = () if side is None or certificate.decision == "ACCEPT" else side.notes
    return "; ".join(note for note in notes if ASSUMED_UNADJUSTED in note)


def what_changes(certificate: Certificate) -> Mapping[str, str]:
    """What would change the decision and what it hangs on, each with what it is about; empty texts say nothing."""
    told: dict[str, str] = {}
    if certificate.acceptance.policy != "e1":
        told["Would change it:"] = _flip_text(certificate)
    if certificate.path_range is not None:
        low, high = (number(end) for end in (certificate.path_range.low, certificate.path_range.high))
        told["Rolls shuffled:"] = (
            f"had the same gap differences fallen on other rolls, mean drift would lie between {low} and {high} "
            "(in 90 of 100 shuffles)"
        )
    basis = certificate.layers.L0.finding("adjustment_basis")
    told["Adjusted for:"] = "" if basis is None else basis.text
    if certificate.quorum is not None:
        odd = "; ".join(item.text for item in certificate.quorum.odd)
        told["Odd one out:"] = odd or f"none of ours and {counted(len(certificate.quorum.references), 'reference')}"
        told["References:"] = "; ".join(map(_reference, certificate.quorum.references))
    if isinstance(certificate.layers.L5.values, ParityFigures):
        told["R by cause:"] = _r_by_cause(certificate.layers.L5.values)
    return told


def _reference(compared: ComparedReference) -> str:
    """One of several references, and what the pair with it comes to."""
    if compared.decision is None:
        return f"{compared.vendor} not read: {compared.text}"
    why = f" ({compared.text})" if compared.decision == "ERROR" else ""
    drift = "" if compared.mean_drift is None else f" {number(compared.mean_drift)}"
    return f"{compared.vendor} {compared.decision}{drift}{why}"


def _r_by_cause(parity: ParityFigures) -> str:
    """What ours less the reference's R comes from, the largest first, and the sum."""
    if parity.moved_note is not None:
        return f"not known: {parity.moved_note}"
    told = sorted((item for item in parity.moved if item.triggers), key=lambda item: -abs(item.delta_r))
    total = parity.canonical_total_r - parity.reference_total_r
    parts = ", ".join(f"{item.name} {item.delta_r:+.2f}" for item in told)
    return f"{parts}; sum {total:+.2f}" if told else "no trade differs"


def _flip_text(certificate: Certificate) -> str:
    flip = certificate.smallest_flip
    if flip is not None:
        exact = "" if flip.exact else " (found greedily: a smaller set may exist)"
        drift = "" if flip.mean_drift is None else f", {number(flip.mean_drift)}"
        text = f"without {', '.join(flip.units)} {flip.decision}{drift}{exact}"
        return text + ("; no roll by itself" if flip.units == ("basis",) and not _a_roll_would(certificate) else "")
    if certificate.decision == "ACCEPT":
        return "nothing is to be changed"
    if certificate.rule_mismatch:
        by_check = {code: found for code, found in (certificate.flips_by_check or {}).items() if found}
        cleared = "; ".join(f"{code} clears without {', '.join(found.units)}" for code, found in by_check.items())
        return "the two sides must follow the same roll rule first" + (f"; {cleared}" if cleared else "")
    if any(reason.code == "IDENTITY_MISMATCH" for reason in certificate.reasons):
        return "files of the instrument that was asked for; nothing else was compared"
    if certificate.mean_drift is None:
        return "the layers that did not run must run first"
    return "no set of up to ten causes"


def _a_roll_would(certificate: Certificate) -> bool:
    """Whether one of the largest blocks, removed alone, makes the decision better."""
    removed = certificate.counterfactuals
    return isinstance(removed, Counterfactuals) and any(
        item.unit.startswith("block:") and _better(item.decision, certificate.decision) for item in removed.removals
    )
