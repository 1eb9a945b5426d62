"""Restated bars: what is reported, what refuses, and what an adjusted file may be new by."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import polars as pl
import pytest

from ctl.model.contracts import Contract
from ctl.model.run import Restatement
from ctl.since_lock.restated import Shift, Table, compare, past_gone, with_moved_rolls

START = np.datetime64("2024-01-01")
COUNT = 600
PLAIN = Table("ES", "tradestation", "unadjusted", tick=0.25)


def bars(
    changed: Mapping[int, float] | None = None, *, count: int = COUNT, level: float = 0.0, factor: float = 1.0,
    contract: str | None = None,
) -> pl.DataFrame:  # fmt: skip
    """Session n closes at 100 + n / 4; changed: what is added to single closes."""
    close = 100.0 + np.arange(count) / 4
    for at, by in (changed or {}).items():
        close[at] += by
    close = close * factor + level
    return pl.DataFrame(
        {
            "session": START + np.arange(count),
            "contract": pl.Series([contract] * count, dtype=pl.String),
            "open": close,
            "high": close + 1.0,
            "low": close - 1.0,
            "close": close,
            "volume": np.full(count, 10),
            "open_interest": pl.Series([None] * count, dtype=pl.Int64),
        }
    )


def day(at: int) -> date:
    found: date = (START + at).astype(object)
    return found


def found(made: Restatement | None) -> Restatement:
    assert made is not None
    return made


def test_the_same_bars_and_new_sessions_are_no_restatement() -> None:
    assert compare(PLAIN, [bars()], bars(count=COUNT + 5)) is None


def test_a_single_old_close_is_reported_with_vendor_contract_session_and_both_values() -> None:
    made = found(compare(PLAIN, [bars()], bars({100: 5.0})))
    assert (made.symbol, made.vendor, made.series, made.refusal) == ("ES", "tradestation", "unadjusted", "")
    # The bar's open, high and low moved along.
    assert (made.total, made.sessions) == (4, 1)
    change = next(change for change in made.changes if change.column == "close")
    assert (change.contract, change.session, change.old, change.new) == ("ES", day(100), 125.0, 130.0)
    assert "ES, tradestation unadjusted" in made.text


def test_sessions_gone_at_the_end_are_named_and_left_to_staleness() -> None:
    made = found(compare(PLAIN, [bars()], bars(count=COUNT - 3)))
    assert [(change.session, change.column, change.new) for change in made.changes] == [
        (day(at), "bar", None) for at in (597, 598, 599)
    ]
    assert made.refusal == ""


@pytest.mark.parametrize(
    ("at", "refused"),
    # The newest is 599; the 60 before it are 539 to 598.
    [(538, False), (539, True), (598, True), (599, False)],
)
def test_one_of_the_newest_sixty_refuses_but_for_the_very_last(at: int, refused: bool) -> None:
    assert bool(found(compare(PLAIN, [bars()], bars({at: 0.5}))).refusal) is refused


@pytest.mark.parametrize(
    ("sessions", "refused"),
    # 1 % of 250 sessions are 2.5.
    [([10, 20], False), ([10, 20, 259], True), ([10, 20, 260], False), ([50, 200, 400, 500], False)],
)
def test_more_than_one_percent_of_any_250_sessions_refuses(sessions: list[int], refused: bool) -> None:
    made = found(compare(PLAIN, [bars()], bars(dict.fromkeys(sessions, 1.0))))
    assert bool(made.refusal) is refused
    assert made.sessions == len(sessions)


def test_a_tick_is_reported_and_never_refuses() -> None:
    made = found(compare(PLAIN, [bars()], bars(dict.fromkeys(range(COUNT), 0.25))))
    assert (made.sessions, made.refusal) == (COUNT, "")
    assert made.truncated
    assert len(made.changes) == 100


def test_a_few_sessions_count_against_what_there_is() -> None:
    old, new = bars(count=70), bars({0: 1.0}, count=70)
    # One of 70 is more than 1 %.
    assert found(compare(PLAIN, [old], new)).refusal


def test_bars_that_went_or_came_in_locked_history_count_as_off() -> None:
    without = bars().filter(pl.col("session") != day(590))
    went, came = found(compare(PLAIN, [bars()], without)), found(compare(PLAIN, [without], bars()))
    assert went.refusal
    assert came.refusal
    assert [(change.column, change.old, change.new) for change in went.changes] == [("bar", 247.5, None)]
    assert [(change.column, change.old, change.new) for change in came.changes] == [("bar", None, 247.5)]


def test_opens_highs_and_lows_refuse_where_the_strategy_reads_them() -> None:
    new = bars().with_columns(high=pl.when(pl.col("session") == day(590)).then(900.0).otherwise(pl.col("high")))
    assert not found(compare(PLAIN, [bars()], new)).refusal
    assert found(compare(Table("ES", "databento", "contracts", 0.25, traded=True), [bars()], new)).refusal


def test_volume_refuses_only_where_a_roll_moves() -> None:
    new = bars().with_columns(volume=pl.when(pl.col("session") == day(590)).then(99).otherwise(pl.col("volume")))
    made = found(compare(PLAIN, [bars()], new))
    assert not with_moved_rolls(made, []).refusal
    assert "ESH25>ESM25" in with_moved_rolls(made, ["ESH25>ESM25"]).refusal


def test_a_lost_bar_of_the_contract_held_the_session_before_refuses() -> None:
    """The series has no row of the session that it lost, so that nothing names the contract there."""
    then = bars(contract="ESH26")
    now = then.filter(pl.col("session") != day(590))
    held = now.select("session", "contract")
    made = found(compare(Table("ES", "databento", "contracts", 0.25, held=held), [then], now))
    assert str(day(590)) in made.refusal
    assert [(change.column, change.old, change.new) for change in made.changes] == [("bar", 247.5, None)]
    other = held.with_columns(contract=pl.lit("ESM26"))
    assert found(compare(Table("ES", "databento", "contracts", 0.25, held=other), [then], now)).refusal == ""


def test_of_contracts_that_were_never_held_restatements_are_reported_alone() -> None:
    old = pl.concat([bars(contract="ESH26"), bars(contract="ESM26")])
    new = pl.concat([bars(contract="ESH26"), bars({590: 9.0}, contract="ESM26")])
    held = pl.DataFrame({"session": [day(590)], "contract": ["ESH26"]})
    table = Table("ES", "databento", "contracts", 0.25, held=held)
    assert found(compare(table, [old], new)).refusal == ""
    swapped = Table("ES", "databento", "contracts", 0.25, held=held.with_columns(contract=pl.lit("ESM26")))
    assert found(compare(swapped, [old], new)).refusal


class TestLastPass:
    def test_sessions_since_the_lock_are_held_against_the_last_pass(self) -> None:
        locked, passed = bars(count=COUNT), bars(count=COUNT + 20).tail(20)
        assert compare(PLAIN, [locked, passed], bars(count=COUNT + 25)) is None
        made = found(compare(PLAIN, [locked, passed], bars({COUNT + 10: 1.0}, count=COUNT + 25)))
        assert made.refusal
        assert made.changes[0].session == day(COUNT + 10)

    def test_its_reading_of_locked_sessions_is_not_asked(self) -> None:
        passed = bars({10: 1.0}, count=COUNT + 20)
        assert compare(PLAIN, [bars(), passed], bars({}, count=COUNT + 20)) is None

    def test_the_newest_session_of_the_pass_is_still_corrected(self) -> None:
        passed = bars(count=COUNT + 20)
        assert not found(compare(PLAIN, [bars(), passed], bars({COUNT + 19: 1.0}, count=COUNT + 25))).refusal


class TestAdjusted:
    BY = Table("ES", "tradestation", "adjusted", 0.25, adjusted="difference", shifts=(
        Shift(day(300), 7.0, 0.25), Shift(day(COUNT + 2), 12.5, 0.25), Shift(day(COUNT + 4), 3.0, 0.25)))  # fmt: skip

    @pytest.mark.parametrize("level", [0.0, 12.5, 12.25, 15.5])
    def test_what_rolls_since_account_for_is_taken_out(self, level: float) -> None:
        assert compare(self.BY, [bars()], bars(level=level)) is None

    @pytest.mark.parametrize("level", [400.0, 7.0, -12.5, 13.5])
    def test_what_none_accounts_for_is_restated_and_refuses(self, level: float) -> None:
        made = found(compare(self.BY, [bars()], bars(level=level)))
        assert made.sessions == COUNT
        assert made.refusal

    def test_a_part_that_is_raised_is_seen_beside_a_roll(self) -> None:
        made = found(compare(self.BY, [bars()], bars(dict.fromkeys(range(450), 400.0), level=12.5)))
        assert made.sessions == 450
        assert made.refusal

    def test_each_reading_has_its_own_constant(self) -> None:
        # The pass was read after the roll of COUNT + 2 and before that of COUNT + 4.
        passed = bars(count=COUNT + 4, level=12.5)
        assert compare(self.BY, [bars(), passed], bars(count=COUNT + 6, level=15.5)) is None

    def test_one_factor_of_ratio_files_to_a_tick_of_rounding(self) -> None:
        table = Table("ES", "norgate", "adjusted", 0.25, adjusted="ratio", shifts=(
            Shift(day(COUNT + 2), float(np.log(1.02)), 0.001),))  # fmt: skip
        new = bars(factor=1.02).with_columns(pl.col("open", "high", "low", "close").round(1))
        assert compare(table, [bars()], new) is None
        assert found(compare(table, [bars()], bars(factor=1.05))).refusal
        assert found(compare(table, [bars()], bars({590: 1.0}, factor=1.02))).refusal


def test_one_roll_too_late_to_be_seen_may_have_moved_an_adjusted_file_once() -> None:
    seen = (Shift(day(COUNT + 2), 12.5, 0.25),)
    table = Table("ES", "norgate", "adjusted", tick=0.25, adjusted="difference", shifts=seen,
        unseen=(Shift(day(COUNT + 4), 3.0, 0.25), Shift(day(COUNT + 5), 7.0, 0.25)))  # fmt: skip
    now = {level: compare(table, [bars()], bars(count=COUNT + 5, level=level)) for level in (12.5, 15.5, 19.5, 22.5)}
    assert [level for level, made in now.items() if made is None] == [12.5, 15.5, 19.5]


def test_a_roll_past_a_contract_that_is_gone_is_told() -> None:
    """The file of the next contract was lost: what is rolled to instead hardly trades."""
    z26, h27, m27 = Contract(2026, 12, "ZB"), Contract(2027, 3, "ZB"), Contract(2027, 6, "ZB")
    rolls = [("ZBU26", "ZBZ26"), ("ZBZ26", "ZBM27")]
    assert past_gone(rolls, [z26, h27], [Contract(2026, 9, "ZB"), z26, m27]) == (("ZBZ26", "ZBM27"),)
    assert past_gone(rolls[:1], [z26, h27], [Contract(2026, 9, "ZB"), z26, m27]) == ()
    assert past_gone([("ZBZ26", "ZBH27")], [z26, h27], [z26, h27, m27]) == ()
