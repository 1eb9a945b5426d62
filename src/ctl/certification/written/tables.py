"""The tables beside a certificate, made only when they are read: most are never written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ctl.certification.written.document import roll_statuses

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import polars as pl

    from ctl.certification.layers.drift import Drift
    from ctl.certification.layers.roll_gaps import RollGaps
    from ctl.certification.layers.roll_schedule import RollAlignment
    from ctl.certification.state import CertificationState
    from ctl.certification.window import Overlap, WindowRoll


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


def tables(state: CertificationState) -> Mapping[str, Callable[[], pl.DataFrame]]:
    makers: dict[str, Callable[[], pl.DataFrame]] = {}
    own, other, alignment, gaps = state.canonical_rolls, state.reference_rolls, state.alignment, state.gaps
    overlap, found, book, tick = state.overlap, state.drift, state.ledger, state.request.tick
    if alignment is not None:
        makers["L2_roll_schedule.csv"] = lambda: roll_schedule_table(alignment, own, other)
        if gaps is not None:
            makers["L3_roll_gaps.csv"] = lambda: roll_gaps_table(alignment, gaps, own, other, tick)
    if overlap is not None and found is not None and book is not None:
        makers["L4_drift.csv"] = lambda: drift_table(overlap, found, book.columns())
    parity = state.parity
    if parity is not None:
        makers["L5_trades.csv"] = lambda: trades_table([row.document() for row in parity.rows])
    return makers


def roll_schedule_table(
    alignment: RollAlignment, canonical: Sequence[WindowRoll], reference: Sequence[WindowRoll]
) -> pl.DataFrame:
    """Every roll of either side with its partner, in order of time: `L2_roll_schedule.csv`."""
    import polars as pl

    own_status, other_status = roll_statuses(alignment, len(canonical), len(reference))
    rows: list[tuple[WindowRoll | None, WindowRoll | None, int | None, str]] = [
        (canonical[pair.canonical], reference[pair.reference], pair.day_delta, pair.status) for pair in alignment.pairs
    ]
    taken_own = {pair.canonical for pair in alignment.pairs}
    taken_other = {pair.reference for pair in alignment.pairs}
    rows += [(found, None, None, own_status[i]) for i, found in enumerate(canonical) if i not in taken_own]
    rows += [(None, found, None, other_status[j]) for j, found in enumerate(reference) if j not in taken_other]
    rows.sort(key=lambda row: next(found.gap_session for found in row[:2] if found is not None))
    columns: dict[str, list[Any]] = {"status": [row[3] for row in rows], "day_delta": [row[2] for row in rows]}
    schema: dict[str, Any] = {"status": pl.String, "day_delta": pl.Int64}
    types = {"gap_session": pl.Date, "roll_date": pl.Date, "gap": pl.Float64}
    for side, place in (("canonical", 0), ("reference", 1)):
        for name in ("gap_session", "roll_date", "from_contract", "to_contract", "gap", "source"):
            key = f"{side}_{name}"
            columns[key] = [None if row[place] is None else getattr(row[place], name) for row in rows]
            schema[key] = types.get(name, pl.String)
    return pl.DataFrame(columns, schema=schema)


def roll_gaps_table(
    alignment: RollAlignment,
    gaps: RollGaps,
    canonical: Sequence[WindowRoll],
    reference: Sequence[WindowRoll],
    tick: float,
) -> pl.DataFrame:
    """Gaps of every pair and their split: `L3_roll_gaps.csv`."""
    import polars as pl

    own = [canonical[pair.canonical] for pair in alignment.pairs]
    other = [reference[pair.reference] for pair in alignment.pairs]
    return pl.DataFrame(
        {
            "from_contract": pl.Series([found.from_contract for found in own], dtype=pl.String),
            "to_contract": pl.Series([found.to_contract for found in own], dtype=pl.String),
            "canonical_gap_session": pl.Series([found.gap_session for found in own], dtype=pl.Date),
            "reference_gap_session": pl.Series([found.gap_session for found in other], dtype=pl.Date),
            "canonical_gap": gaps.canonical,
            "reference_gap": gaps.reference,
            "gap_diff": gaps.difference,
            "gap_diff_ticks": gaps.difference / tick,
            "date_effect": gaps.date_effect,
            "price_effect": gaps.price_effect,
        }
    ).with_columns(pl.col(pl.Float64).fill_nan(None))


def drift_table(overlap: Overlap, drift: Drift, components: Mapping[str, np.ndarray]) -> pl.DataFrame:
    """Session, both closes, D and every component of the ledger: `L4_drift.csv`."""
    import polars as pl

    return pl.DataFrame(
        {
            "session": overlap.sessions,
            "canonical_close": overlap.canonical_adjusted,
            "reference_close": overlap.reference_adjusted,
            "drift": drift.d,
            **components,
        }
    )


def trades_table(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Triggers of both sides, paired, with what moved them: `L5_trades.csv`."""
    import polars as pl

    text = ("class", "canonical_session", "reference_session", "moved_by")
    numbers = ("margin", "canonical_r", "reference_r", "delta_r")
    schema = {**dict.fromkeys(text, pl.String()), **dict.fromkeys(numbers, pl.Float64())}
    order = (*text[:3], *numbers, text[3])
    return pl.DataFrame([dict(row) for row in rows], schema={name: schema[name] for name in order})
