"""Rolls of a continuous series: the policy that makes them and the manifest that explains them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from ctl.model.bars import series_caption
from ctl.model.display import NOTEBOOK_POINTS, Card, Tabular

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

    from ctl.model.bars import ContractTerms, SeriesMeta

# The roll policies: each is the module of that name in ctl/continuous/policies. Every other list follows this one.
PolicyKind = Literal["volume", "open_interest", "calendar", "schedule", "databento_c", "databento_n", "databento_v"]
Timing = Literal["next_session", "same_session"]
Adjustment = Literal["difference", "ratio", "none"]
CalendarAnchor = Literal["expiry", "first_notice", "fixed_day"]
RollTarget = Literal["adjacent", "most_active"]
RollReason = PolicyKind | Literal["rank", "guard", "contract_ended"]
NoticeCode = Literal[
    "DATA_HOLE", "BAD_CLOSE", "BAD_BAR", "MIXED_UNITS", "THIN_CONTRACT", "HELD_TO_THE_END", "TERMS_UNKNOWN",
    "RULE_NEVER_FIRST",
]  # fmt: skip

GUARD_SESSIONS: Final = 2  # sessions before last trade or first notice from which a contract is held no more
MOST_SESSIONS: Final = 60  # of guard, offset and confirming days
MOST_MONTHS_BEFORE: Final = 2
RollSource = Literal["ours", "fingerprint", "contract_column", "spread_step", "stated", "canonical"]


@dataclass(frozen=True, slots=True)
class ScheduledRoll:
    """A roll to follow: the first session on `to_contract`."""

    roll_date: date
    from_contract: str | None
    to_contract: str


@dataclass(frozen=True, slots=True)
class RollPolicy:
    """How a continuous series chooses its contract.

    eligible_months: None means every month present. guard_sessions: how many sessions before the earlier of last trade
    and first notice the next contract is in force at the latest; None: no limit. months_before: from the delivery month
    back to the one whose `fixed_day` is meant. target: the contract that a roll leads to. bridge_holes: join what lies
    before a hole in the data instead of beginning after it.
    """

    kind: PolicyKind = "volume"
    consecutive_days: int = 2
    eligible_months: str | None = None
    timing: Timing = "next_session"
    adjustment: Adjustment = "difference"
    anchor: CalendarAnchor = "expiry"
    offset: int = 0
    fixed_day: int | None = None
    months_before: int = 0
    schedule: tuple[ScheduledRoll, ...] = ()
    guard_sessions: int | None = GUARD_SESSIONS
    target: RollTarget = "adjacent"
    bridge_holes: bool = False


@dataclass(frozen=True, slots=True)
class Roll:
    """One roll of a canonical series.

    roll_date: first session on the new contract. known_at: the session whose close made it knowable. gap: new less
    old close on the gap session. cumulative_adjustment: the sum of this and all later gaps: what the session before
    the roll carries under `difference` (under `ratio` it carries the product of to_close / from_close of the later
    rolls). from_volume, to_volume: of the confirming sessions. concurrent: both closes are of the gap session.
    """

    roll_date: date
    gap_session: date
    known_at: date
    from_contract: str
    to_contract: str
    from_close: float
    to_close: float
    gap: float
    cumulative_adjustment: float
    from_volume: tuple[int | None, ...]
    to_volume: tuple[int | None, ...]
    reason: RollReason
    concurrent: bool


@dataclass(frozen=True, slots=True)
class PendingRoll:
    """A roll already known at the end of the data but not yet in force."""

    known_at: date
    from_contract: str
    to_contract: str
    reason: RollReason


@dataclass(frozen=True, slots=True)
class Notice:
    """What the builder has to say of the bars or of its own rolls."""

    code: NoticeCode
    text: str

    def __str__(self) -> str:
        return f"{self.code}: {self.text}"


@dataclass(frozen=True, slots=True)
class BadClose:
    """A close that cannot be a price of its contract there: no gap is taken from it."""

    session: date
    contract: str
    close: float


@dataclass(frozen=True, slots=True, repr=False)
class ContinuousSeries(Tabular):
    """An adjusted daily series, its unadjusted twin and its rolls.

    frame: columns of SERIES_COLUMNS and close_unadjusted.
    counts: by reason, what was dropped or could not be decided on the way. warnings: what a reader should know; those
    with a code are notices too. bad_closes: what no gap is taken from. terms: of the contracts held, in
    their order, with who says them.
    """

    frame: pl.DataFrame
    meta: SeriesMeta
    policy: RollPolicy
    rolls: tuple[Roll, ...]
    pending_roll: PendingRoll | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()
    bad_closes: tuple[BadClose, ...] = ()
    terms: tuple[ContractTerms, ...] = ()

    def to_polars(self) -> pl.DataFrame:
        """One row per session: SERIES_COLUMNS and close_unadjusted."""
        return self.frame

    def rolls_frame(self) -> pl.DataFrame:
        """One row per roll, its volumes left out: they stand in the manifest."""
        import polars as pl

        rows = [
            (r.roll_date, r.known_at, r.from_contract, r.to_contract, r.gap, r.cumulative_adjustment, r.reason)
            for r in self.rolls
        ]
        schema = {
            "roll_date": pl.Date,
            "known_at": pl.Date,
            "from_contract": pl.String,
            "to_contract": pl.String,
            "gap": pl.Float64,
            "cumulative_adjustment": pl.Float64,
            "reason": pl.String,
        }
        return pl.DataFrame(rows, schema=schema, orient="row")

    @property
    def caption(self) -> str:
        """Root, sessions, rolls, adjustment and bases."""
        return series_caption(self.frame, self.meta, f"{len(self.rolls)} rolls", self.policy.adjustment)

    def _card(self) -> Card:
        from ctl.model.pictures import closes

        return Card(self.caption, (self.frame,), closes(self, NOTEBOOK_POINTS), self.warnings)


class SeriesColumns(NamedTuple):
    """Columns of a continuous series: datetime64[D], float64, NaN where missing."""

    session: npt.NDArray[np.datetime64]
    open: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    close: npt.NDArray[np.float64]
    volume: npt.NDArray[np.float64]
    adjustment: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ReferenceRoll:
    """A roll of a reference series, as stated or recovered. `gap_session` is the session before `roll_date`."""

    gap_session: date
    roll_date: date
    from_contract: str | None
    to_contract: str | None
    gap: float | None
    source: RollSource
