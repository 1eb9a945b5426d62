"""The certificate as a document of plain JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ctl.certification.acceptance import limits_document
from ctl.errors import CtlError
from ctl.model.rolls import ContinuousSeries

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from ctl.certification.layers.roll_gaps import RollGaps
    from ctl.certification.layers.roll_schedule import RollAlignment
    from ctl.certification.state import CertificationState
    from ctl.certification.window import WindowRoll
    from ctl.model.bars import ContractBars, DailySeries, SeriesMeta, SourceFile
    from ctl.model.findings import Decision, LayerResult, Reason
    from ctl.model.reference import Reference
    from ctl.model.rolls import RollPolicy

SCHEMA_VERSION: Final = 1
_READY: Final = frozenset({str, int, bool, type(None)})
# Arrays of truth values, integers and text hold plain values alone.
_PLAIN_KINDS: Final = frozenset("biuU")


TOP_LEVEL_VALUES: Final = (
    "n_canonical", "n_reference", "n_pass", "n_watch", "n_fail", "n_paired",
    "n_unmatched_canonical", "n_unmatched_reference", "n_edge_canonical", "n_edge_reference",
    "unmatched_share", "fail_share", "strict_status", "policy_status", "day_delta_histogram",
    "mean_gap_diff", "max_gap_diff", "mean_gap_diff_ticks", "max_gap_diff_ticks",
    "mean_drift", "max_drift", "signed_mean", "p95", "anchor",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rows:
    """A list of records that is kept by column, one array per name, until it is written."""

    columns: Mapping[str, npt.NDArray[Any]]


def certificate_document(state: CertificationState, decision: Decision, reasons: tuple[Reason, ...]) -> dict[str, Any]:
    request = state.request
    canonical, reference = request.canonical, request.reference
    built = canonical if isinstance(canonical, ContinuousSeries) else None
    values: dict[str, Any] = {}
    for layer in ("L2", "L3", "L4"):
        values.update(state.layers[layer].values)
    counterfactuals = plain(state.counterfactuals)
    return {
        "schema_version": SCHEMA_VERSION,
        "symbol": request.symbol,
        "root": request.root,
        "decision": decision,
        "reasons": [reason_document(found) for found in reasons],
        "acceptance": limits_document(request.acceptance_policy),
        "package_version": request.package_version,
        "quote_unit": request.quote_unit,
        "tick": float(request.tick),
        "max_day_delta": int(request.max_day_delta),
        "overlap": plain(_overlap(state)),
        **plain({name: values.get(name) for name in TOP_LEVEL_VALUES}),
        "rule_mismatch": state.rule_mismatch,
        **_roll_lists(state),
        "ledger": None if state.ledger is None else plain(state.ledger.document()),
        "rebuilt": plain(state.rebuilt) or None,
        "smallest_flip": counterfactuals.get("smallest_flip"),
        "flips_by_check": counterfactuals.get("flips_by_check"),
        "counterfactuals": counterfactuals or None,
        "layers": {name: layer_document(state.layers[name]) for name in sorted(state.layers)},
        "reference_recovery": None if state.recovered is None else plain(state.recovered.document()),
        "inputs": _inputs(request.contracts, canonical, reference, request.alternatives),
        "roll_policy": policy_document(None if built is None else built.policy),
        "pending_roll": None if built is None else plain(_pending(built)),
        "equity_basis": None if request.equity_basis is None else plain(dict(request.equity_basis.document)),
    }


def _overlap(state: CertificationState) -> dict[str, Any] | None:
    overlap = state.overlap
    if overlap is None:
        return None
    return {
        "first_session": overlap.first,
        "last_session": overlap.last,
        "shared_sessions": int(overlap.sessions.size),
        "union_sessions": int(overlap.union.size),
        "same_contract_sessions": int(np.count_nonzero(overlap.same_contract)),
        "contracts_known": overlap.contracts_known,
    }


def _roll_lists(state: CertificationState) -> dict[str, Any]:
    own, other, alignment = state.canonical_rolls, state.reference_rolls, state.alignment
    if alignment is None:
        return {
            "canonical_rolls": [], "reference_rolls": [], "pairs": [], "unmatched_canonical": [],
            "unmatched_reference": [],
        }  # fmt: skip
    own_status, other_status = roll_statuses(alignment, len(own), len(other))
    canonical = [roll_document(found, status) for found, status in zip(own, own_status, strict=True)]
    reference = [roll_document(found, status) for found, status in zip(other, other_status, strict=True)]
    return {
        "canonical_rolls": canonical,
        "reference_rolls": reference,
        "pairs": [] if state.gaps is None else pair_documents(alignment, state.gaps, canonical, reference),
        "unmatched_canonical": [canonical[i] for i in alignment.unmatched_canonical],
        "unmatched_reference": [reference[j] for j in alignment.unmatched_reference],
    }


def _inputs(
    contracts: ContractBars | None,
    canonical: ContinuousSeries | DailySeries | None,
    reference: Reference | None,
    alternatives: Mapping[str, ContinuousSeries | CtlError],
) -> dict[str, Any]:
    sides = (None, None, None) if reference is None else (reference.adjusted, reference.unadjusted, reference.contracts)
    sides = (*sides[:2], None if isinstance(sides[2], CtlError) else sides[2])
    others = {name: None if isinstance(held, CtlError) else held for name, held in sorted(alternatives.items())}
    own = [series.meta for series in (contracts, canonical) if series is not None]
    other = [series.meta for series in sides if series is not None]
    return {
        "contracts": describe(contracts),
        "canonical": describe(canonical),
        "reference_vendor": None if reference is None else reference.vendor,
        "reference_adjusted": describe(sides[0]),
        "reference_unadjusted": describe(sides[1]),
        "reference_contracts": describe(sides[2]),
        "canonical_files": source_files(*own),
        "reference_files": source_files(*other),
        "alternatives": {name: describe(series) for name, series in others.items()},
        "alternative_files": source_files(*(series.meta for series in others.values() if series is not None)),
    }


def _pending(series: ContinuousSeries) -> dict[str, Any] | None:
    pending = series.pending_roll
    if pending is None:
        return None
    return {
        "known_at": pending.known_at,
        "from_contract": pending.from_contract,
        "to_contract": pending.to_contract,
        "reason": pending.reason,
    }


def plain(value: Any) -> Any:
    """JSON-ready copy: dates as ISO text, numpy numbers as Python's, NaN and infinities as null, tuples as lists."""
    kind = type(value)
    if kind in _READY:
        return value
    if kind is float:
        return value if isfinite(value) else None
    # Most items are plain already: they are let through here, because a call for each would take the longest.
    if kind is dict:
        return {
            key if type(key) is str else str(key): item
            if type(item) in _READY or (type(item) is float and isfinite(item))
            else plain(item)
            for key, item in value.items()
        }
    if kind is list or kind is tuple:
        return [
            item if type(item) in _READY or (type(item) is float and isfinite(item)) else plain(item) for item in value
        ]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, np.datetime64):
        return str(value)
    if kind is Rows:
        columns = [plain(column) for column in value.columns.values()]
        return [dict(zip(value.columns, row, strict=True)) for row in zip(*columns, strict=True)]
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "M":
            return np.datetime_as_string(value).tolist()
        listed = value.tolist()
        return listed if value.dtype.kind in _PLAIN_KINDS or _all_finite(value) else plain(listed)
    if isinstance(value, np.generic):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return plain(dict(value))
    raise TypeError(f"a certificate cannot carry {kind.__name__}: {value!r}")


def _all_finite(values: np.ndarray) -> bool:
    return values.dtype.kind == "f" and bool(np.isfinite(values).all())


def reason_document(found: Reason) -> dict[str, Any]:
    """One reason of the decision."""
    return {
        "code": found.code,
        "severity": found.severity,
        "value": plain(found.value),
        "limit": plain(found.limit),
        "unit": found.unit,
        "text": found.text,
    }


def layer_document(result: LayerResult) -> dict[str, Any]:
    """One layer with its findings and values."""
    return {
        "title": result.title,
        "status": result.status,
        "text": result.text,
        "findings": [
            {
                "check": finding.check,
                "status": finding.status,
                "code": finding.code,
                "text": finding.text,
                "value": plain(finding.value),
                "limit": plain(finding.limit),
                "unit": finding.unit,
                "evidence": plain(finding.evidence),
            }
            for finding in result.findings
        ],
        "values": plain(result.values),
    }


def roll_document(found: WindowRoll, status: str) -> dict[str, Any]:
    """One roll of either side. status: PASS, WATCH, FAIL or EDGE."""
    return {
        "gap_session": found.gap_session.isoformat(),
        "roll_date": found.roll_date.isoformat(),
        "from_contract": found.from_contract,
        "to_contract": found.to_contract,
        "gap": plain(found.gap),
        "source": found.source,
        "status": status,
    }


def roll_statuses(alignment: RollAlignment, canonical: int, reference: int) -> tuple[list[str], list[str]]:
    """Status of every roll of each side, in the order of the lists that were aligned."""
    own, other = ["EDGE"] * canonical, ["EDGE"] * reference
    for pair in alignment.pairs:
        own[pair.canonical] = other[pair.reference] = pair.status
    for i in alignment.unmatched_canonical:
        own[i] = "FAIL"
    for j in alignment.unmatched_reference:
        other[j] = "FAIL"
    return own, other


def pair_documents(
    alignment: RollAlignment,
    gaps: RollGaps,
    canonical: Sequence[Mapping[str, Any]],
    reference: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Every pair with its dates, gaps and what the difference splits into. canonical, reference: roll documents."""
    columns = (gaps.difference, gaps.date_effect, gaps.price_effect)
    rows = []
    for pair, difference, date_effect, price_effect in zip(alignment.pairs, *map(plain, columns), strict=True):
        own, other = canonical[pair.canonical], reference[pair.reference]
        rows.append(
            {
                "from_contract": own["from_contract"],
                "to_contract": own["to_contract"],
                "canonical_gap_session": own["gap_session"],
                "reference_gap_session": other["gap_session"],
                "day_delta": pair.day_delta,
                "status": pair.status,
                "canonical_gap": own["gap"],
                "reference_gap": other["gap"],
                "gap_diff": difference,
                "date_effect": date_effect,
                "price_effect": price_effect,
            }
        )
    return rows


def source_files(*metas: SeriesMeta | None) -> list[dict[str, Any]]:
    """Every file that bars came from, once, in order of name and digest."""
    files: dict[tuple[str, str], SourceFile] = {}
    for meta in metas:
        for file in () if meta is None else meta.sources:
            files.setdefault((file.name, file.sha256), file)
    return [
        {
            "name": file.name,
            "sha256": file.sha256,
            "size": file.size,
            "rows": file.rows,
            "first_session": plain(file.first_session),
            "last_session": plain(file.last_session),
        }
        for _, file in sorted(files.items())
    ]


def describe(series: ContractBars | ContinuousSeries | DailySeries | None) -> dict[str, Any] | None:
    """What a side's data are: vendor, bases, range, what the reader folded or dropped."""
    if series is None:
        return None
    found = series.meta
    days = series.frame.get_column("session")
    return {
        "vendor": found.vendor,
        "root": found.root,
        "session_basis": found.session_basis,
        "close_basis": found.close_basis,
        "adjustment_basis": found.adjustment_basis,
        "quote_unit": found.quote_unit,
        "rows": series.frame.height,
        "first_session": plain(days.min()),
        "last_session": plain(days.max()),
        "counts": dict(sorted(found.counts.items())),
        "notes": list(found.notes),
    }


def policy_document(found: RollPolicy | None) -> dict[str, Any] | None:
    """A roll policy with all its options; a schedule's rolls are counted, not repeated."""
    if found is None:
        return None
    options = asdict(found)
    options["schedule"] = len(found.schedule)
    return {str(key): plain(value) for key, value in options.items()}
