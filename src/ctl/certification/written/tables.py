"""The tables beside a certificate, made only when they are read: most are never written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from ctl.model.certificate import DeviationFigures
from ctl.model.findings import NotRun

if TYPE_CHECKING:
    import polars as pl

    from ctl.certification.examination import Examination
    from ctl.certification.layers.drift import ExplainedDrift
    from ctl.certification.layers.functional import FunctionalParity
    from ctl.certification.layers.roll_gaps import RollGaps
    from ctl.certification.layers.roll_schedule import RollAlignment
    from ctl.certification.window import Window, WindowRoll


class LazyTables(Mapping[str, "pl.DataFrame"]):
    """File name -> frame, each made when it is first asked for: most certificates' tables are never written."""

    def __init__(self, makers: Mapping[str, Callable[[], pl.DataFrame]]) -> None:
        self._makers = dict(makers)
        self._made: dict[str, pl.DataFrame] = {}

    def __getitem__(self, name: str) -> pl.DataFrame:
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    def __reduce__(self) -> tuple[type[dict[str, pl.DataFrame]], tuple[dict[str, pl.DataFrame]]]:
        """Another process gets them made."""
        return dict, (dict(self),)


def table_makers(examination: Examination) -> dict[str, Callable[[], pl.DataFrame]]:
    """What makes each table that the layers came to."""
    makers: dict[str, Callable[[], pl.DataFrame]] = {}
    window, schedules = examination.window, examination.roll_schedule.measured
    gaps, explained, parity = (
        examination.roll_gaps.measured, examination.drift.measured, examination.functional.measured,
    )  # fmt: skip
    if not isinstance(window, NotRun) and not isinstance(schedules, NotRun):
        makers["L2_roll_schedule.csv"] = partial(roll_schedule_table, window, schedules.alignment)
        if not isinstance(gaps, NotRun):
            makers["L3_roll_gaps.csv"] = partial(roll_gaps_table, window, schedules.alignment, gaps)
    if not isinstance(window, NotRun) and not isinstance(explained, NotRun):
        makers["L4_drift.csv"] = partial(drift_table, window, explained)
    if not isinstance(window, NotRun) and isinstance(examination.drift.report.values, DeviationFigures):
        makers["L4_drift.csv"] = partial(deviation_table, window)
    if not isinstance(parity, NotRun):
        makers["L5_trades.csv"] = partial(trades_table, parity)
    return makers


def deviation_table(window: Window) -> pl.DataFrame:
    """Closes of both sides of a share on the common basis, and ours less theirs: `L4_drift.csv`."""
    import polars as pl

    overlap = window.overlap
    theirs = overlap.reference_adjusted if overlap.has_reference_adjusted else overlap.reference_unadjusted
    ours = overlap.canonical_adjusted
    columns = {"canonical_close": ours, "reference_close": theirs, "drift": ours - theirs}
    return pl.DataFrame({"session": overlap.sessions, **columns})


def roll_schedule_table(window: Window, alignment: RollAlignment) -> pl.DataFrame:
    """Every roll of either side with its partner, in order of time: `L2_roll_schedule.csv`."""
    import polars as pl

    canonical, reference = window.canonical_rolls, window.reference_rolls
    our_status, their_status = alignment.statuses()
    rows: list[tuple[WindowRoll | None, WindowRoll | None, int | None, str]] = [
        (canonical[pair.canonical], reference[pair.reference], pair.day_delta, pair.status) for pair in alignment.pairs
    ]
    paired = {pair.canonical for pair in alignment.pairs}
    paired_reference = {pair.reference for pair in alignment.pairs}
    rows += [(roll, None, None, our_status[i]) for i, roll in enumerate(canonical) if i not in paired]
    rows += [(None, roll, None, their_status[j]) for j, roll in enumerate(reference) if j not in paired_reference]
    rows.sort(key=lambda row: next(roll.gap_session for roll in row[:2] if roll is not None))
    columns: dict[str, list[Any]] = {"status": [row[3] for row in rows], "day_delta": [row[2] for row in rows]}
    schema: dict[str, Any] = {"status": pl.String, "day_delta": pl.Int64}
    types = {"gap_session": pl.Date, "roll_date": pl.Date, "gap": pl.Float64}
    for side, place in (("canonical", 0), ("reference", 1)):
        for name in ("gap_session", "roll_date", "from_contract", "to_contract", "gap", "source"):
            key = f"{side}_{name}"
            columns[key] = [None if row[place] is None else getattr(row[place], name) for row in rows]
            schema[key] = types.get(name, pl.String)
    return pl.DataFrame(columns, schema=schema)


def roll_gaps_table(window: Window, alignment: RollAlignment, gaps: RollGaps) -> pl.DataFrame:
    """Gaps of every pair and their split: `L3_roll_gaps.csv`."""
    import polars as pl

    rolls = [window.canonical_rolls[pair.canonical] for pair in alignment.pairs]
    partners = [window.reference_rolls[pair.reference] for pair in alignment.pairs]
    return pl.DataFrame(
        {
            "from_contract": pl.Series([roll.from_contract for roll in rolls], dtype=pl.String),
            "to_contract": pl.Series([roll.to_contract for roll in rolls], dtype=pl.String),
            "canonical_gap_session": pl.Series([roll.gap_session for roll in rolls], dtype=pl.Date),
            "reference_gap_session": pl.Series([partner.gap_session for partner in partners], dtype=pl.Date),
            "canonical_gap": gaps.canonical,
            "reference_gap": gaps.reference,
            "gap_diff": gaps.difference,
            "gap_diff_ticks": gaps.difference / window.request.tick,
            "date_effect": gaps.date_effect,
            "price_effect": gaps.price_effect,
        }
    ).with_columns(pl.col(pl.Float64).fill_nan(None))


def drift_table(window: Window, explained: ExplainedDrift) -> pl.DataFrame:
    """Session, both closes, D and every component of the ledger: `L4_drift.csv`."""
    import polars as pl

    return pl.DataFrame(
        {
            "session": window.overlap.sessions,
            "canonical_close": window.overlap.canonical_adjusted,
            "reference_close": window.overlap.reference_adjusted,
            "drift": explained.drift.d,
            **explained.ledger.columns(),
        }
    )


def trades_table(parity: FunctionalParity) -> pl.DataFrame:
    """Triggers of both sides, paired, with what each ingredient adds to the difference of R: `L5_trades.csv`."""
    import polars as pl

    text = ("class", "canonical_session", "reference_session", "moved_by")
    numbers = ("margin", "canonical_r", "reference_r", "delta_r")
    parts = {name: f"r_of_{name.replace(' ', '_')}" for name in parity.ingredients}
    schema = {**dict.fromkeys(text, pl.String()), **dict.fromkeys((*numbers, *parts.values()), pl.Float64())}
    order = (*text[:3], *numbers, *parts.values(), text[3])
    rows = [{**row.evidence(), **{parts[name]: part for name, part in row.parts.items()}} for row in parity.rows]
    return pl.DataFrame([{name: row[name] for name in order} for row in rows], {name: schema[name] for name in order})
