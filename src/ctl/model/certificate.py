"""The certificate of one symbol: every published record is a dataclass here, in the order of the document.

The document (docs/schemas/certificate_v1.schema.json) is what `ctl.model.documents` makes of them; text output,
tables, the notebook card and the power study read their attributes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

from ctl import digests
from ctl.model.bars import AdjustmentBasis, CloseBasis, SessionBasis, SourceFile
from ctl.model.display import NOTEBOOK_POINTS, Card, Tabular
from ctl.model.documents import Records, document, json_schema
from ctl.model.findings import Decision, LayerName, LayerReport, NoFigures, Reason, Severity, Status
from ctl.model.locked import KnownRoll, Verdict, Watched
from ctl.model.rolls import PendingRoll, RollSource

if TYPE_CHECKING:
    import polars as pl

SCHEMA_ID: Final = "certificate_v1.schema.json"
DRIFT_LIMIT: Final = "max_mean_drift"  # its name among the limits of an acceptance
RollStatus = Literal["PASS", "WATCH", "FAIL", "EDGE"]
AligningRule = Literal["same_contract_run", "after_last_roll"]


# ---------------------------------------------------------------- what was compared


@dataclass(frozen=True, slots=True)
class AcceptanceTerms:
    """The policy and its limits, all inclusive."""

    policy: Literal["v1", "v2", "e1"]
    limits: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class OverlapSpan:
    """The window from the later first to the earlier last session of both sides, both inclusive."""

    first_session: date
    last_session: date
    shared_sessions: int
    union_sessions: int
    same_contract_sessions: int
    contracts_known: bool


@dataclass(frozen=True, slots=True)
class SeriesDescription:
    """What one series is: vendor, bases, range, what the reader folded or dropped."""

    vendor: str
    root: str
    session_basis: SessionBasis
    close_basis: CloseBasis
    adjustment_basis: AdjustmentBasis | None
    quote_unit: str
    rows: int
    first_session: date | None
    last_session: date | None
    counts: Mapping[str, int]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Inputs:
    """Both sides' series and the files they came from; our series from other closes, null where unreadable."""

    contracts: SeriesDescription | None
    canonical: SeriesDescription | None
    reference_vendor: str | None
    reference_adjusted: SeriesDescription | None
    reference_unadjusted: SeriesDescription | None
    reference_contracts: SeriesDescription | None
    canonical_files: tuple[SourceFile, ...]
    reference_files: tuple[SourceFile, ...]
    alternatives: Mapping[str, SeriesDescription | None]
    alternative_files: tuple[SourceFile, ...]


@dataclass(frozen=True, slots=True)
class UnattributedStep:
    """A step of the reference's spread that no change of contract explains."""

    code: str
    roll_date: date
    gap: float | None


@dataclass(frozen=True, slots=True)
class IndistinguishableStretch:
    """Sessions on which our schedule and the reference's recovered one differ, and its closes cannot say which holds.

    first_session, last_session: inclusive. distance_ticks: between the closes of the two sides' contracts, mean per
    session. own_ticks, recovered_ticks: summed distance of the reference's closes to either. fits: ours fits no worse.
    """

    code: str
    first_session: date
    last_session: date
    own_contracts: tuple[str, ...]
    recovered_contracts: tuple[str, ...]
    distance_ticks: float
    own_ticks: float
    recovered_ticks: float
    fits: bool


@dataclass(frozen=True, slots=True)
class ReferenceRecovery:
    """How the reference's rolls were found: the source that was used, and what the others say of it."""

    source: RollSource | None
    contracts_known: bool
    basis_identifiable: bool
    median_residual_ticks: float | None
    n_rolls: int
    unattributed_steps: tuple[UnattributedStep, ...]
    indistinguishable: tuple[IndistinguishableStretch, ...]
    methods: Mapping[str, Mapping[str, Any]]
    notes: tuple[str, ...]


# ---------------------------------------------------------------- what the layers publish


@dataclass(frozen=True, slots=True)
class CertifiedRoll:
    """One roll. gap: new less old price on the gap session. status: how it fared in L2; EDGE counts nowhere."""

    gap_session: date
    roll_date: date
    from_contract: str | None
    to_contract: str | None
    gap: float | None
    source: RollSource
    status: RollStatus


@dataclass(frozen=True, slots=True)
class CertifiedPair:
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


@dataclass(frozen=True, slots=True)
class ScheduleFigures:
    """L2. n_canonical, n_reference: rolls that count, paired or not. day_delta_histogram: pairs by signed days."""

    n_canonical: int
    n_reference: int
    n_pass: int
    n_watch: int
    n_fail: int
    n_paired: int
    n_unmatched_canonical: int
    n_unmatched_reference: int
    n_edge_canonical: int
    n_edge_reference: int
    unmatched_share: float | None
    fail_share: float | None
    strict_status: Status
    policy_status: Status
    day_delta_histogram: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class GapFigures:
    """L3. Differences in size, in quote units and ticks; null without a pair whose gaps are known."""

    mean_gap_diff: float | None
    max_gap_diff: float | None
    mean_gap_diff_ticks: float | None
    max_gap_diff_ticks: float | None
    n_compared: int


@dataclass(frozen=True, slots=True)
class AlignedOn:
    """The shared sessions that the constant between both series was measured on, both ends inclusive."""

    rule: AligningRule
    first_session: date
    last_session: date
    sessions: int
    contract: str | None


@dataclass(frozen=True, slots=True)
class DriftInterval:
    """Drift between consecutive rolls of either side. mean, signed_mean: of |D| and D. share: of the summed |D|."""

    first_session: date
    last_session: date
    sessions: int
    mean: float
    signed_mean: float
    share: float


@dataclass(frozen=True, slots=True)
class DriftFigures:
    """L4. D(t) = canonical - reference adjusted close - anchor, in quote units."""

    mean_drift: float
    max_drift: float
    signed_mean: float
    p95: float
    max_drift_session: date
    anchor: float
    aligned_on: AlignedOn
    contracts_known: bool
    intervals: Records[DriftInterval]


@dataclass(frozen=True, slots=True)
class LevelDifference:
    """Sizes of the difference of two adjusted closes, nothing aligned."""

    mean: float
    max: float


@dataclass(frozen=True, slots=True)
class LevelDriftFigures(DriftFigures):
    """L4 without contracts, as for equities: the levels themselves are to agree."""

    level_difference: LevelDifference


@dataclass(frozen=True, slots=True)
class DeviationFigures:
    """L4 of a share: how far the closes of both sides lie apart on the common basis, as fractions of the price and, as
    drift, in quote units.
    """

    mean_deviation: float
    max_deviation: float
    max_deviation_session: date
    mean_drift: float
    max_drift: float
    signed_mean: float
    p95: float


@dataclass(frozen=True, slots=True)
class MovedTrades:
    """What one ingredient of the reference moved when it was put into our series: triggers by session, and by how much
    R in all, canonical less reference. `unexplained` is what is left.
    """

    name: str
    delta_r: float
    triggers: tuple[date, ...]


@dataclass(frozen=True, slots=True)
class ParityFigures:
    """L5. Triggers by class (a pair counts once), trades closed on both sides and on one, R of either side.

    moved: what R differs by, by ingredient, in the order in which they were put in; their sum is canonical less
    reference total R. Empty where they were not put in: moved_note says why.
    """

    n_matched: int
    n_borderline: int
    n_mismatched: int
    share_borderline: float | None
    n_matched_trades: int
    n_one_sided_trades: int
    max_delta_r: float | None
    mean_delta_r: float | None
    canonical_total_r: float
    reference_total_r: float
    moved: tuple[MovedTrades, ...]
    moved_note: str | None


@dataclass(frozen=True, slots=True)
class Layers:
    """L0 identity, L1 raw data, L2 roll schedule, L3 roll gaps, L4 drift, L5 functional parity."""

    L0: LayerReport[NoFigures]
    L1: LayerReport[NoFigures]
    L2: LayerReport[ScheduleFigures]
    L3: LayerReport[GapFigures]
    L4: LayerReport[LevelDriftFigures | DriftFigures | DeviationFigures]
    L5: LayerReport[ParityFigures]

    def items(self) -> Iterator[tuple[LayerName, LayerReport[Any]]]:
        """Name and report of each, in order."""
        yield from (("L0", self.L0), ("L1", self.L1), ("L2", self.L2))
        yield from (("L3", self.L3), ("L4", self.L4), ("L5", self.L5))


# ---------------------------------------------------------------- the ledger


@dataclass(frozen=True, slots=True)
class Component:
    """One cause of drift. share: of the summed |D|, signed. mean, max: of |component|. gross: summed |component| over
    summed |D|. share and gross are null without drift.
    """

    name: str
    share: float | None
    mean: float
    max: float
    gross: float | None


@dataclass(frozen=True, slots=True)
class Unexplained:
    """The components contract and residuals together, in quote units and as shares."""

    mean: float
    share: float | None
    of_median_price: float | None


@dataclass(frozen=True, slots=True)
class PathRange:
    """5 % and 95 % of the mean |D| when the blocks' gap differences change places; their sum stays.

    orders: how many were drawn, 0 where no gap differs. The observed mean may lie outside.
    """

    low: float
    high: float
    orders: int


@dataclass(frozen=True, slots=True)
class LedgerSummary:
    """D(t) as an exact sum of components, largest mean first; sum_residual is the largest error of that sum."""

    anchor: float
    alignment: AligningRule
    aligning_sessions: int
    contracts_known: bool
    n_sessions: int
    n_same_contract: int
    mean_drift: float
    max_drift: float
    signed_mean: float
    p95: float
    gross: float | None
    unexplained: Unexplained
    sum_residual: float
    components: Records[Component]
    notes: tuple[str, ...]


# ---------------------------------------------------------------- what if


@dataclass(frozen=True, slots=True)
class NotComputed:
    """A counterfactual that lacks an input, could not finish, or rests on rolls that are in doubt, and why."""

    status: Literal["NOT_RUN", "ERROR", "RECOVERY_DOUBTFUL"]
    text: str


@dataclass(frozen=True, slots=True)
class Flip:
    """Units whose removal changes the verdict. exact: no smaller set does, and none of this size is better.

    remaining: codes of the reasons that stay.
    """

    units: tuple[str, ...]
    size: int
    exact: bool
    decision: Decision
    mean_drift: float | None
    mean_gap_diff: float | None
    n_paired: int
    remaining: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Removal:
    """One unit removed alone. mean: of its |contribution|; the rest is the decision without it."""

    unit: str
    mean: float
    decision: Decision
    reasons: tuple[str, ...]
    mean_drift: float | None
    mean_gap_diff: float | None
    n_paired: int
    unmatched_share: float | None
    fail_share: float | None


@dataclass(frozen=True, slots=True)
class Removals:
    """What would turn the decision. smallest_flip_note: why there is none. flips_by_check: by reason code."""

    status: Literal["RUN"]
    removals: tuple[Removal, ...]
    smallest_flip: Flip | None
    smallest_flip_note: str
    flips_by_check: Mapping[str, Flip | None]


@dataclass(frozen=True, slots=True)
class Breach:
    """A reason of a counterfactual decision."""

    code: str
    severity: Severity
    text: str


@dataclass(frozen=True, slots=True)
class JudgedParity:
    """L5 of another series. trades: closed ones of ours; null, as figures, where the strategy did not run."""

    status: Status
    text: str
    trades: int | None
    figures: ParityFigures | None


@dataclass(frozen=True, slots=True)
class JudgedSeries:
    """Another canonical series in place of the certified one, by the same layers and limits."""

    status: Literal["RUN"]
    decision: Decision
    reasons: tuple[Breach, ...]
    shared_sessions: int
    n_canonical: int
    n_reference: int
    n_pass: int
    n_watch: int
    n_fail: int
    n_paired: int
    unmatched_share: float | None
    fail_share: float | None
    mean_gap_diff: float | None
    max_gap_diff: float | None
    mean_drift: float
    max_drift: float
    signed_mean: float
    p95: float
    smallest_flip: Flip | None
    smallest_flip_note: str
    functional: JudgedParity


@dataclass(frozen=True, slots=True)
class RollRuleDifference:
    """What is left of drift and gap difference once data parity (rebuilt) is taken off the series as built."""

    mean_drift: float | None
    mean_gap_diff: float | None


@dataclass(frozen=True, slots=True)
class RebuiltSeries(JudgedSeries):
    """Our contracts built on the reference's own rolls, judged."""

    roll_rule_difference: RollRuleDifference


@dataclass(frozen=True, slots=True)
class RebuiltNotComputed(NotComputed):
    """Why our contracts were not built on the reference's rolls, or not judged."""

    roll_rule_difference: None = None


@dataclass(frozen=True, slots=True)
class Counterfactuals(Removals):
    """Causes removed, our series from other closes, and the reference read again with our rolls."""

    alternatives: Mapping[str, JudgedSeries | NotComputed]
    read_again: JudgedSeries | NotComputed


@dataclass(frozen=True, slots=True)
class CounterfactualsNotComputed(NotComputed):
    """The same where no cause could be removed, with the reason."""

    alternatives: Mapping[str, JudgedSeries | NotComputed]
    read_again: JudgedSeries | NotComputed


# ---------------------------------------------------------------- several references


@dataclass(frozen=True, slots=True)
class ComparedReference:
    """One of several references: what the pair with it comes to. decision: null where it could not be read; text."""

    vendor: str
    decision: Decision | None
    mean_drift: float | None
    text: str


@dataclass(frozen=True, slots=True)
class OddOneOut:
    """A side that stands alone against all others, which agree. vendor: `ours`, or a reference.

    what: rolls that it alone makes otherwise, or sessions on which its adjusted close lies apart. first, last: of the
    gap sessions or the sessions, both inclusive.
    """

    code: Literal["ODD_ONE_OUT"]
    vendor: str
    what: Literal["rolls", "level"]
    first: date
    last: date
    text: str


@dataclass(frozen=True, slots=True)
class Quorum:
    """Every reference of the symbol compared with ours, the first of which decides; and who stands alone."""

    decides: str
    references: tuple[ComparedReference, ...]
    odd: tuple[OddOneOut, ...]


# ---------------------------------------------------------------- the certificate


@dataclass(frozen=True, kw_only=True)
class CertificateV1:
    """What is published of one symbol. Prices, gaps and drift are in quote_unit; null where a layer did not run."""

    kind: Literal["certificate"] = "certificate"
    schema_version: Literal[1] = 1
    symbol: str
    root: str
    decision: Decision
    reasons: tuple[Reason, ...]
    acceptance: AcceptanceTerms
    package_version: str
    quote_unit: str
    tick: float
    max_day_delta: int
    overlap: OverlapSpan | None
    n_canonical: int | None
    n_reference: int | None
    n_pass: int | None
    n_watch: int | None
    n_fail: int | None
    n_paired: int | None
    n_unmatched_canonical: int | None
    n_unmatched_reference: int | None
    n_edge_canonical: int | None
    n_edge_reference: int | None
    unmatched_share: float | None
    fail_share: float | None
    strict_status: Status | None
    policy_status: Status | None
    day_delta_histogram: Mapping[str, int] | None
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
    canonical_rolls: Records[CertifiedRoll]
    reference_rolls: Records[CertifiedRoll]
    pairs: Records[CertifiedPair]
    unmatched_canonical: Records[CertifiedRoll]
    unmatched_reference: Records[CertifiedRoll]
    ledger: LedgerSummary | None
    path_range: PathRange | None
    rebuilt: RebuiltSeries | RebuiltNotComputed | None
    smallest_flip: Flip | None
    flips_by_check: Mapping[str, Flip | None] | None
    counterfactuals: Counterfactuals | CounterfactualsNotComputed | None
    layers: Layers
    reference_recovery: ReferenceRecovery | None
    inputs: Inputs
    roll_policy: Mapping[str, Any] | None
    pending_roll: PendingRoll | None
    equity_basis: Mapping[str, Any] | None
    quorum: Quorum | None = None


_PUBLISHED: Final = tuple(item.name for item in fields(CertificateV1))


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Certificate(CertificateV1, Tabular):
    """What was found about one symbol, with the tables beside it.

    tables: file name -> frame of the CSV companions, made when they are read. watched: what a lock holds of it.
    """

    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict, repr=False)
    watched: Watched | None = field(default=None, repr=False)

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """JSON-ready, complete."""
        return {name: document(getattr(self, name)) for name in _PUBLISHED}

    @cached_property
    def canonical_json(self) -> bytes:
        """The certificate's file: made once, because no other step takes as long."""
        return digests.canonical_json(self.document)

    @cached_property
    def sha256(self) -> str:
        """sha256 of the canonical JSON: identifies the certificate."""
        return digests.sha256_bytes(self.canonical_json)

    @property
    def verdict(self) -> Verdict:
        """What a gate reads of it. Raises ValueError for a certificate that has no digest."""
        return Verdict(
            symbol=self.symbol,
            decision=self.decision,
            reasons=self.reasons,
            sha256=self.sha256,
            reference_rolls=tuple(
                KnownRoll(roll.roll_date, roll.to_contract, roll.gap) for roll in self.reference_rolls
            ),
            watched=self.watched,
            unread=self.unread,
        )

    @property
    def unread(self) -> tuple[str, ...]:
        """The references beside the deciding one that cannot be read, each with why."""
        compared = () if self.quorum is None else self.quorum.references
        return tuple(f"{each.vendor}: {each.text}" for each in compared if each.decision is None)

    def __getstate__(self) -> dict[str, Any]:
        """Without the document and its bytes, which are made again where they are asked for."""
        return {name: value for name, value in self.__dict__.items() if name not in ("document", "canonical_json")}

    @property
    def detail(self) -> str:
        """The reasons in one line; empty for a clean ACCEPT."""
        return "; ".join(reason.text for reason in self.reasons)

    def to_polars(self) -> pl.DataFrame:
        """One row per check of each layer: layer, check, status, text, code, value, limit, unit."""
        import polars as pl

        columns = {
            "layer": pl.String, "check": pl.String, "status": pl.String, "text": pl.String, "code": pl.String,
            "value": pl.Float64, "limit": pl.Float64, "unit": pl.String,
        }  # fmt: skip
        rows = [
            (name, found.check, found.status, found.text, found.code, found.value, found.limit, found.unit)
            for name, layer in self.layers.items()
            for found in layer.findings
        ]
        return pl.DataFrame(rows, schema=columns, orient="row")

    @property
    def caption(self) -> str:
        """Verdict, the largest cause of the drift, and what would make the verdict better."""
        parts = [f"{self.symbol}: {self.decision}", self.detail]
        largest = next(iter(self.ledger.components), None) if self.ledger is not None else None
        if largest is not None and largest.share and self.decision != "ACCEPT":
            parts.append(f"largest cause {largest.name} ({100 * largest.share:.1f} %)")
        if self.smallest_flip is not None:
            parts.append(f"{self.smallest_flip.decision} without {', '.join(self.smallest_flip.units)}")
        return "   ".join(part for part in parts if part)

    __repr__ = Tabular.__repr__

    def causes(self, most: int = 8) -> pl.DataFrame:
        """Where the drift comes from, in signed parts that add up: cause, share, mean (quote units), largest.

        The `most` largest one by one, then the others, then the total. No rows where nothing drifts.
        """
        import polars as pl

        found = self.ledger
        parts = [item for item in found.components if item.mean > 0.0] if found is not None else []
        parts.sort(key=lambda item: -abs(item.share or 0.0))
        mean = 0.0 if found is None else found.mean_drift
        rows: list[tuple[str, float, float, float | None]] = [
            (item.name, item.share or 0.0, (item.share or 0.0) * mean, item.max) for item in parts[:most]
        ]
        if len(parts) > most:
            share = sum(item.share or 0.0 for item in parts[most:])
            rows.append((f"{len(parts) - most} others", share, share * mean, None))
        if found is not None and parts:
            share = sum(item.share or 0.0 for item in parts)
            rows.append(("total", share, share * mean, found.max_drift))
        schema = {"cause": pl.String, "share": pl.Float64, "mean": pl.Float64, "largest": pl.Float64}
        return pl.DataFrame(rows, schema=schema, orient="row")

    def alternatives(self) -> pl.DataFrame:
        """The certificate on other series of ours: series, decision, drift, total_r, minus_reference, why.

        As built first; `why` says what kept one from being judged, empty where it was.
        """
        import polars as pl

        parity = self.layers.L5.values
        ours, theirs = getattr(parity, "canonical_total_r", None), getattr(parity, "reference_total_r", None)
        rows: list[tuple[Any, ...]] = [("as built", self.decision, self.mean_drift, ours, _less(ours, theirs), "")]
        others: dict[str, JudgedSeries | NotComputed] = {}
        if self.rebuilt is not None:
            others["rebuilt"] = self.rebuilt
        if self.counterfactuals is not None:
            others |= dict(sorted(self.counterfactuals.alternatives.items()))
        for name, judged in others.items():
            if isinstance(judged, JudgedSeries):
                figures = judged.functional.figures
                ours, theirs = (figures.canonical_total_r, figures.reference_total_r) if figures else (None, None)
                rows.append((name, judged.decision, judged.mean_drift, ours, _less(ours, theirs), ""))
            else:
                rows.append((name, judged.status, None, None, None, judged.text))
        schema = {
            "series": pl.String, "decision": pl.String, "drift": pl.Float64, "total_r": pl.Float64,
            "minus_reference": pl.Float64, "why": pl.String,
        }  # fmt: skip
        return pl.DataFrame(rows, schema=schema, orient="row")

    def _card(self) -> Card:
        from ctl.model.pictures import drift

        return Card(self.caption, (self.causes(), self.alternatives()), drift(self, most=NOTEBOOK_POINTS))


def _less(ours: float | None, theirs: float | None) -> float | None:
    return None if ours is None or theirs is None else ours - theirs


def certificate_schema() -> dict[str, Any]:
    """JSON Schema of a certificate: what docs/schemas/certificate_v1.schema.json is generated from."""
    return {"$id": SCHEMA_ID, **json_schema(CertificateV1, "Certificate")}
