"""What a person reads of a certificate: the verdict, the layers, and with `--explain` the story behind them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from ctl.cli import output
from ctl.cli.output import number
from ctl.model.certificate import DeviationFigures, JudgedSeries, ParityFigures
from ctl.model.findings import counted

if TYPE_CHECKING:
    from ctl.model.certificate import Certificate, Component, NotComputed, SeriesDescription

_CAUSES: Final = {
    "basis": "closes of the same contract differ: settlement against last trade, session against UTC day",
    "timing": "the sides held different contracts around the roll",
    "unmatched": "a roll of one side alone",
    "contract": "different contracts, or contracts that are not known",
    "reference_residual": "the reference's adjusted series does not follow from its own rolls",
    "canonical_residual": "our series is not adjusted by differences",
}
# Below this, in ticks, a drift is rounding of floats, and its causes are noise.
_NO_DRIFT_TICKS: Final = 1e-6
_CAUSES_SHOWN: Final = 3

_ALTERNATIVES: Final = {
    "daily": "the vendor's daily bars",
    "settlement": "settlement closes",
    "session": "session-true bars",
    "session_settlement": "session-true bars and settlement closes",
}
_BETTER: Final = ("ERROR", "REJECT", "WATCH", "ACCEPT")
_BASES: Final = {
    "last_trade": "closes at the last trade",
    "settlement": "closes at the settlement",
    "utc_day": "bars of UTC days",
    "exchange_session": "bars of exchange sessions",
}


def print_certificate(
    certificate: Certificate, files: Sequence[str], *, explain: bool, simulated: bool = False
) -> None:
    """The verdict, the layers and the figures behind it; with `explain` the story."""
    print(f"{certificate.symbol}: {certificate.decision}" + (f"   ({output.SIMULATED})" if simulated else ""))
    for reason in certificate.reasons:
        print(f"  {reason.severity} {reason.code}: {reason.text}")
    rows = []
    for name, layer in certificate.layers.items():
        texts = [check.text for check in layer.findings if check.status not in ("PASS", "NOT_RUN")]
        rows.append((name, layer.title, layer.status, "\n".join(texts) or layer.text))
    output.print_table(("layer", "", "status", "findings"), rows)
    for line in _figures(certificate):
        print(f"  {line}")
    if explain:
        _explain(certificate)
    output.print_files(files)


def _figures(certificate: Certificate) -> Iterator[str]:
    overlap = certificate.overlap
    if overlap is not None:
        rolls = "rolls not compared"
        deviation = certificate.layers.L4.values
        if isinstance(deviation, DeviationFigures):
            rolls = (
                f"closes {100 * deviation.mean_deviation:.3f} % apart on average, at most "
                f"{100 * deviation.max_deviation:.2f} % on {deviation.max_deviation_session}"
            )
        if certificate.n_paired is not None:
            rolls = (
                f"rolls {certificate.n_canonical} against {certificate.n_reference}, {certificate.n_paired} paired "
                f"({certificate.n_pass} same session), {certificate.n_fail} unmatched"
            )
        span = f"{overlap.first_session} to {overlap.last_session}"
        yield f"{overlap.shared_sessions} shared sessions {span}; {rolls}"
    if certificate.mean_drift is not None and certificate.ledger is not None:
        yield (
            f"gap difference mean {number(certificate.mean_gap_diff)} max {number(certificate.max_gap_diff)}; "
            f"drift mean {number(certificate.mean_drift)} max {number(certificate.max_drift)} "
            f"({certificate.quote_unit})"
        )


def _explain(certificate: Certificate) -> None:
    """The largest causes of the drift, what would change the verdict, and what would not."""
    _print_causes(certificate)
    rebuilt, unit = certificate.rebuilt, certificate.quote_unit
    if isinstance(rebuilt, JudgedSeries):
        drift = f"mean drift {number(rebuilt.mean_drift)} {unit}"
        print(f"Rebuilt on the reference's rolls: {rebuilt.decision}, {drift}")
    if certificate.counterfactuals is not None:
        again = certificate.counterfactuals.read_again
        if isinstance(again, JudgedSeries):
            print(
                "Read with our rolls where the reference's closes cannot tell contracts apart: "
                f"{again.decision}, {again.n_pass} pass, {again.n_watch} watch, {again.n_fail} fail"
            )
        for line in _alternative_lines(certificate, certificate.counterfactuals.alternatives):
            print(line)
    if certificate.acceptance.policy != "e1":
        print(f"What would change the verdict: {_flip_text(certificate)}")
    basis = certificate.layers.L0.finding("adjustment_basis")
    if basis is not None:
        print(f"Adjustment basis: {basis.text}")
    functional = certificate.layers.L5
    if functional.status != "NOT_RUN":
        print(f"What it costs in trades: {functional.text}")
    if isinstance(functional.values, ParityFigures):
        for line in _r_by_cause(functional.values):
            print(line)


def _r_by_cause(parity: ParityFigures) -> Iterator[str]:
    """What ours less the reference's R comes from, the largest first, and the sum."""
    if parity.moved_note is not None:
        yield f"R by cause: not known: {parity.moved_note}"
        return
    told = sorted((item for item in parity.moved if item.triggers), key=lambda item: -abs(item.delta_r))
    total = parity.canonical_total_r - parity.reference_total_r
    parts = ", ".join(f"{item.name} {item.delta_r:+.2f}" for item in told)
    yield f"R by cause: {parts}; sum {total:+.2f}" if told else "R by cause: no trade differs"


def _print_causes(certificate: Certificate) -> None:
    ledger, tick = certificate.ledger, certificate.tick
    if ledger is None:
        return
    if ledger.mean_drift <= _NO_DRIFT_TICKS * tick:
        print("\nNo drift: both series move alike on every session")
        return
    unit = certificate.quote_unit
    print(f"\nWhere the drift comes from (share of the mean; the shares sum to 1; {unit}):")
    shown: list[Component] = [item for item in ledger.components[:_CAUSES_SHOWN] if item.mean]
    rows = [
        (
            item.name, f"{100 * (item.share or 0.0):.1f} %", number(item.mean), number(item.mean / tick),
            number(item.max),
        )
        for item in shown
    ]  # fmt: skip
    output.print_table(("component", "share", "mean", "mean (ticks)", "max"), rows, right=(1, 2, 3, 4))
    unadjusted = _unadjusted_blocks(certificate)
    for item in shown:
        print(f"  {item.name}: {_cause(item.name, unadjusted)}")


def _unadjusted_blocks(certificate: Certificate) -> frozenset[str]:
    """Blocks whose roll the reference did not adjust for."""
    told = certificate.layers.L3.finding("unadjusted_rolls")
    return frozenset() if told is None else frozenset(roll["block"] for roll in told.evidence["rolls"])


def _cause(component: str, unadjusted: frozenset[str]) -> str:
    """What a component of the ledger stands for, in a trader's words."""
    kind, _, rest = component.partition(":")
    block, _, effect = rest.rpartition(":")
    match kind, effect:
        case "gap", "price" if block in unadjusted:
            return "the reference left this roll's gap in its adjusted series"
        case "gap", "date":
            return "the sides rolled on different sessions"
        case "gap", "price":
            return "same session, other closes: settlement against last trade, or a vendor's error"
        case "gap", _:
            return "the sides' gaps differ"
        case _:
            return _CAUSES.get(kind, "")


def _alternative_lines(
    certificate: Certificate, alternatives: Mapping[str, JudgedSeries | NotComputed]
) -> Iterator[str]:
    """What the decision would be with other closes of ours, and whether that names its cause."""
    better: list[tuple[str, JudgedSeries]] = []
    ran = 0
    for name in sorted(alternatives, key=[*_ALTERNATIVES, *sorted(alternatives)].index):
        item, label = alternatives[name], _ALTERNATIVES.get(name, name)
        if not isinstance(item, JudgedSeries):
            why = "not run" if item.status == "NOT_RUN" else "could not be computed"
            yield f"With {label}: {why}: {item.text}"
            continue
        ran += 1
        as_built = f"{number(certificate.mean_drift)} as built, {certificate.quote_unit}"
        traded = item.functional.text
        if item.functional.figures is not None:
            figures = item.functional.figures
            traded = f"{counted(item.functional.trades or 0, 'trade')}, {figures.canonical_total_r:+.2f} R"
            traded += f" against {figures.reference_total_r:+.2f}"
        yield f"With {label}: {item.decision}, mean drift {number(item.mean_drift)} ({as_built}); {traded}"
        if _BETTER.index(item.decision) > _BETTER.index(certificate.decision):
            better.append((name, item))
    if better:
        yield _basis_cause(certificate, *better[0])
    elif ran and certificate.decision != "ACCEPT":
        yield "Other closes do not turn the decision: its cause lies elsewhere"


def _basis_cause(certificate: Certificate, name: str, judged: JudgedSeries) -> str:
    """Which difference of basis the decision rests on: that between our bars and those that turn it."""
    inputs = certificate.inputs
    ours, other = inputs.canonical, inputs.alternatives[name]
    reference = inputs.reference_unadjusted or inputs.reference_adjusted
    label = _ALTERNATIVES.get(name, name).capitalize()
    text = f"{label} turn {certificate.decision} into {judged.decision}"
    if ours is None or other is None or reference is None:
        return text
    changed = [basis for basis, other_basis in zip(_bases(ours), _bases(other), strict=True) if basis != other_basis]
    theirs = [basis for basis, ours_of in zip(_bases(reference), _bases(ours), strict=True) if ours_of in changed]
    if changed == theirs:
        return text
    our_bases, their_bases = (" with ".join(_BASES[basis] for basis in side) for side in (changed, theirs))
    return f"{text}: the cause is our {our_bases} against the reference's {their_bases}"


def _bases(series: SeriesDescription) -> tuple[str, str]:
    return series.session_basis, series.close_basis


def _flip_text(certificate: Certificate) -> str:
    flip = certificate.smallest_flip
    if flip is not None:
        exact = "" if flip.exact else " (found greedily: a smaller set may exist)"
        return f"without {', '.join(flip.units)} it is {flip.decision}{exact}"
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
