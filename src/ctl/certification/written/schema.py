"""The published shape of a certificate, version 1: what docs/schemas/certificate_v1.schema.json is generated from.

Certificates are written as plain values; these models state their shape for readers and check it in tests.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ctl.model.findings import Decision, Severity, Status

SCHEMA_ID = "certificate_v1.schema.json"
Count = Annotated[int, Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ReasonPart(_Part):
    """Why the decision is not ACCEPT. value and limit are in `unit`; value is null where undefined."""

    code: str
    severity: Severity
    value: float | None
    limit: float | None
    unit: str
    text: str


class AcceptancePart(_Part):
    """The policy and its limits, all inclusive."""

    policy: Literal["v1", "v2"]
    limits: dict[str, float]


class OverlapPart(_Part):
    """The window from the later first to the earlier last session of both sides, both inclusive."""

    first_session: date
    last_session: date
    shared_sessions: Count
    union_sessions: Count
    same_contract_sessions: Count
    contracts_known: bool


class RollPart(_Part):
    """One roll. gap: new less old price on the gap session. status: how it fared in L2; EDGE counts nowhere."""

    gap_session: date
    roll_date: date
    from_contract: str | None
    to_contract: str | None
    gap: float | None
    source: Literal["fingerprint", "contract_column", "spread_step", "stated", "canonical"]
    status: Literal["PASS", "WATCH", "FAIL", "EDGE"]


class PairPart(_Part):
    """A canonical roll and its partner. Deltas and differences are canonical less reference."""

    from_contract: str | None
    to_contract: str | None
    canonical_gap_session: date
    reference_gap_session: date
    day_delta: int
    status: Literal["PASS", "WATCH"]
    canonical_gap: float | None
    reference_gap: float | None
    gap_diff: float | None
    date_effect: float | None
    price_effect: float | None


class ComponentPart(_Part):
    """One cause of drift. share: signed, of the summed |D|; mean and max of |component|; null without drift."""

    name: str
    share: float | None
    mean: float
    max: float
    gross: float | None


class UnexplainedPart(_Part):
    """The components contract and reference_residual together, in quote units and as shares."""

    mean: float
    share: float | None
    of_median_price: float | None


class LedgerPart(_Part):
    """D(t) as an exact sum of components; sum_residual is the largest error of that sum."""

    anchor: float
    alignment: Literal["same_contract_run", "after_last_roll"]
    aligning_sessions: Count
    contracts_known: bool
    n_sessions: Count
    n_same_contract: Count
    mean_drift: float
    max_drift: float
    signed_mean: float
    p95: float
    gross: float | None
    unexplained: UnexplainedPart
    sum_residual: float
    components: list[ComponentPart]
    notes: list[str]


class FlipPart(_Part):
    """Units whose removal changes the verdict. exact: no smaller set does."""

    units: list[str]
    size: Count
    exact: bool
    decision: Decision
    mean_drift: float | None
    mean_gap_diff: float | None
    n_paired: Count
    remaining: list[str]


class FindingPart(_Part):
    """One check of a layer."""

    check: str
    status: Status
    code: str | None
    text: str
    value: float | None
    limit: float | None
    unit: str
    evidence: dict[str, Any]


class LayerPart(_Part):
    """One layer. NOT_RUN and ERROR are never PASS; the text says why."""

    title: str
    status: Status
    text: str
    findings: list[FindingPart]
    values: dict[str, Any]


class LayersPart(_Part):
    """L0 identity, L1 raw data, L2 roll schedule, L3 roll gaps, L4 drift, L5 functional parity."""

    L0: LayerPart
    L1: LayerPart
    L2: LayerPart
    L3: LayerPart
    L4: LayerPart
    L5: LayerPart


class FilePart(_Part):
    """A file that bars were read from."""

    name: str
    sha256: str
    size: Count
    rows: Count
    first_session: date | None
    last_session: date | None


class SidePart(_Part):
    """What one series is."""

    vendor: str
    root: str
    session_basis: Literal["exchange_session", "utc_day"]
    close_basis: Literal["settlement", "last_trade"]
    adjustment_basis: Literal["raw", "split_adjusted", "total_return"] | None
    quote_unit: str
    rows: Count
    first_session: date | None
    last_session: date | None
    counts: dict[str, int]
    notes: list[str]


class InputsPart(_Part):
    """Both sides' series and the files they came from; our series from other closes, null where unreadable."""

    contracts: SidePart | None
    canonical: SidePart | None
    reference_vendor: str | None
    reference_adjusted: SidePart | None
    reference_unadjusted: SidePart | None
    reference_contracts: SidePart | None
    canonical_files: list[FilePart]
    reference_files: list[FilePart]
    alternatives: dict[str, SidePart | None]
    alternative_files: list[FilePart]


class PendingRollPart(_Part):
    """A roll known at the end of the data but not yet in force."""

    known_at: date
    from_contract: str
    to_contract: str
    reason: str


class CertificateV1(_Part):
    """The certificate of one symbol. Prices, gaps and drift are in quote_unit; null where a layer did not run."""

    schema_version: Literal[1]
    symbol: str
    root: str
    decision: Decision
    reasons: list[ReasonPart]
    acceptance: AcceptancePart
    package_version: str
    quote_unit: str
    tick: Annotated[float, Field(gt=0)]
    max_day_delta: Count
    overlap: OverlapPart | None
    n_canonical: Count | None
    n_reference: Count | None
    n_pass: Count | None
    n_watch: Count | None
    n_fail: Count | None
    n_paired: Count | None
    n_unmatched_canonical: Count | None
    n_unmatched_reference: Count | None
    n_edge_canonical: Count | None
    n_edge_reference: Count | None
    unmatched_share: float | None
    fail_share: float | None
    strict_status: Status | None
    policy_status: Status | None
    day_delta_histogram: dict[str, Count] | None
    mean_gap_diff: float | None
    max_gap_diff: float | None
    mean_gap_diff_ticks: float | None
    max_gap_diff_ticks: float | None
    mean_drift: float | None
    max_drift: float | None
    signed_mean: float | None
    p95: float | None
    anchor: float | None
    rule_mismatch: bool
    canonical_rolls: list[RollPart]
    reference_rolls: list[RollPart]
    pairs: list[PairPart]
    unmatched_canonical: list[RollPart]
    unmatched_reference: list[RollPart]
    ledger: LedgerPart | None
    rebuilt: dict[str, Any] | None
    smallest_flip: FlipPart | None
    flips_by_check: dict[str, FlipPart | None] | None
    counterfactuals: dict[str, Any] | None
    layers: LayersPart
    reference_recovery: dict[str, Any] | None
    inputs: InputsPart
    roll_policy: dict[str, Any] | None
    pending_roll: PendingRollPart | None
    equity_basis: dict[str, Any] | None


def certificate_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a certificate."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **CertificateV1.model_json_schema(),
    }


def validate(document: dict[str, Any]) -> None:
    """Raise pydantic's ValidationError where a document is no certificate of version 1."""
    CertificateV1.model_validate_json(_json(document))


def _json(document: dict[str, Any]) -> bytes:
    from ctl.digests import canonical_json

    return canonical_json(document)
