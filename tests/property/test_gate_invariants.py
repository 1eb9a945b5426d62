"""The gate passes in exactly one case: everything as locked."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from certificate_of import certificate_of
from hypothesis import given
from hypothesis import strategies as st

from ctl import gatekeeper
from ctl import operating_profile as op
from ctl.errors import GateRefused
from ctl.model.findings import Decision
from ctl.model.lock_file import LockedStrategy, LockedText, LockFile
from ctl.model.recommendation import recommend

TEMPLATE = (Path(__file__).resolve().parents[2] / "configs/cutover/operating_profile_v1.yaml").read_bytes()
DIGESTS = ("1" * 64, "2" * 64)
PROFILE = op.load(TEMPLATE, "p.yaml")
LOCK = LockFile(
    previous_head=None,
    profile=LockedText("p.yaml", PROFILE.sha256, PROFILE.text),
    thresholds={"v1": DIGESTS[0]},
    strategy=LockedStrategy("b1", DIGESTS[1]),
    workspace={},
    symbols={},
    inputs={},
)
INSTANT = datetime(2026, 3, 2, tzinfo=UTC)
EXPECTED: dict[str, Decision] = {"ES": "WATCH", "CL": "ACCEPT", "PL": "WATCH"}

decisions = st.sampled_from(["ACCEPT", "WATCH", "REJECT", "ERROR"])
derived = st.one_of(decisions, st.just("unavailable"), st.just("absent"))
digests = st.sampled_from([*DIGESTS, "3" * 64])


def certificates(board: dict[str, str]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for symbol, status in board.items():
        if status == "unavailable":
            made[symbol] = gatekeeper.Unavailable("INPUT_MISSING", "no files")
        elif status != "absent":
            made[symbol] = certificate_of(symbol, status)  # type: ignore[arg-type]
    return made


def likely(expected: str, other: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(st.just(expected), other)


@given(
    board=st.fixed_dictionaries({symbol: likely(status, derived) for symbol, status in EXPECTED.items()}),
    thresholds=likely(DIGESTS[0], digests),
    strategy=likely(DIGESTS[1], digests),
    stale=st.fixed_dictionaries({symbol: st.integers(0, 6) for symbol in EXPECTED}),
    limit=st.one_of(st.none(), st.integers(3, 6)),
    locked=st.booleans(),
)
def test_passed_means_everything_as_locked_and_nothing_else(
    board: dict[str, str],
    thresholds: str,
    strategy: str,
    stale: dict[str, int],
    limit: int | None,
    locked: bool,
) -> None:
    profile = PROFILE.model_copy(update={"max_staleness_sessions": "none" if limit is None else limit})
    decision = gatekeeper.decide(
        profile,
        gatekeeper.LockRead(LOCK if locked else None),
        current=gatekeeper.CurrentParts({"v1": thresholds}, LockedStrategy("b1", strategy), {}),
        certificates=certificates(board),
        staleness=stale,
        instant=INSTANT,
    )
    fresh = limit is None or max(stale.values()) <= limit
    as_locked = board == EXPECTED and (thresholds, strategy) == DIGESTS and fresh and locked
    assert decision.passed is as_locked
    assert bool(decision.failures) is not as_locked
    assert decision.recommendation == recommend(item.actual for item in decision.symbol_results)
    if as_locked:
        assert decision.grant().profile_sha256 == profile.sha256
    else:
        with pytest.raises(GateRefused):
            decision.grant()
    for item in decision.symbol_results:
        assert item.passed or item.reasons, "a mismatch always says why"
        assert f"{item.symbol} " in gatekeeper.render_board(decision, profile)


@given(st.lists(decisions))
def test_recommendation(found: list[Decision]) -> None:
    expected = "CONDITIONAL GO"
    if not found or "REJECT" in found or "ERROR" in found:
        expected = "NO-GO"
    elif "WATCH" not in found:
        expected = "GO"
    assert recommend(found) == expected


COLUMNS = ("open", "high", "low", "close", "volume", "open_interest")
rows = st.dictionaries(
    st.tuples(st.integers(0, 30), st.sampled_from(["ESH26", "ESM26"])),
    st.tuples(*[st.one_of(st.none(), st.integers(-3, 3))] * 6),
    min_size=1,
    max_size=12,
)


def frame(cells: dict[tuple[int, str], tuple[int | None, ...]]) -> pl.DataFrame:
    schema = {
        "session": pl.Date,
        "contract": pl.String,
        **dict.fromkeys(COLUMNS[:4], pl.Float64),
        **dict.fromkeys(COLUMNS[4:], pl.Int64),
    }
    first = date(2025, 12, 20)
    table = [
        (
            first + timedelta(days=day),
            contract,
            *(None if value is None else float(value) for value in values[:4]),
            *values[4:],
        )
        for (day, contract), values in cells.items()
    ]
    return pl.DataFrame(table, schema=schema, orient="row")


@given(rows, rows)
def test_restatement_lists_exactly_what_differs(
    old: dict[tuple[int, str], tuple[int | None, ...]], new: dict[tuple[int, str], tuple[int | None, ...]]
) -> None:
    last = max(day for day, _ in old)
    expected = set()
    for key in {*old, *new}:
        if key[0] > last:
            continue
        if (key in old) != (key in new):
            expected.add((key, "bar"))
        else:
            expected |= {(key, name) for name, a, b in zip(COLUMNS, old[key], new[key], strict=True) if a != b}
    found = gatekeeper.restatement("ES", frame(old), frame(new), limit=1000)
    listed = set()
    if found is not None:
        listed = {
            (((change.session - date(2025, 12, 20)).days, change.contract), change.column) for change in found.changes
        }
        assert found.total == len(found.changes) == len(listed)
    assert listed == expected
    locked = op.session_ranges(frame(old), symbol="ES")
    assert bool(op.restated_ranges(locked, frame(new), symbol="ES")) is bool(expected), "digests see what values see"


@given(rows)
def test_history_compared_with_itself_is_not_restated(cells: dict[tuple[int, str], tuple[int | None, ...]]) -> None:
    bars = frame(cells)
    assert gatekeeper.restatement("ES", bars, bars.reverse()) is None
    assert op.restated_ranges(op.session_ranges(bars, symbol="ES"), bars.reverse(), symbol="ES") == ()
