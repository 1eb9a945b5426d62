"""Drawing of screens: nothing is cut, columns leave by their rank, prose wraps, curves have their scale."""

from __future__ import annotations

import io
import re
import sys
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctl.cli import screens
from ctl.cli.screens import Column, Terminal

WIDTHS = (60, 80, 100, 120)
COLUMNS = (Column(""), Column("trades", right=True), Column("win", right=True, least=80), Column("curve", least=81))
ROWS = (("ES", "9", "89 %", "##########"), ("strategy", "35", "66 %", "##########"))


def test_columns_stand_two_apart_words_left_numbers_right() -> None:
    assert screens.table(COLUMNS, ROWS, Terminal()) == [
        "          trades   win  curve",
        "ES             9  89 %  ##########",
        "strategy      35  66 %  ##########",
    ]


def test_columns_leave_where_the_terminal_is_narrower_than_they_ask_for() -> None:
    assert screens.table(COLUMNS, ROWS, Terminal(80))[0] == "          trades   win"
    assert screens.table(COLUMNS, ROWS, Terminal(79))[0] == "          trades"


def test_a_table_too_wide_gives_up_columns_of_the_largest_least_first_and_never_one_that_stays() -> None:
    columns = (Column("a" * 50), Column("b" * 20, least=10), Column("c" * 20, least=20), Column("d" * 20, least=10))
    row = ("x", "x", "x", "x")
    heads = [screens.table(columns, [row], Terminal(width))[0].split() for width in (120, 100, 80, 40)]
    assert ["".join(word[0] for word in head) for head in heads] == ["abcd", "abd", "ab", "a"]


def test_prose_of_a_table_wraps_within_its_own_column() -> None:
    columns = (Column("symbol"), Column("found"))
    lines = screens.table(columns, [("ES", "mean drift 7.30 > 5.00 (locked 7.30)")], Terminal(36), prose="found")
    assert lines == ["symbol  found", "ES      mean drift 7.30 > 5.00", "        (locked 7.30)"]


def test_facts_hang_under_their_own_text_and_empty_ones_are_left_out() -> None:
    texts = {"Evidence": "no edge shown: 35 trades, 5 a year; about 670 needed", "Years": "", "Risk": "none"}
    assert screens.facts(texts, Terminal(40)) == [
        "Evidence  no edge shown: 35 trades, 5 a",
        "          year; about 670 needed",
        "Risk      none",
    ]
    assert screens.facts(texts, Terminal())[0].endswith("670 needed")


def test_statements_of_a_verdict_stay_whole_and_wrap_between_them() -> None:
    texts = ("GATE: PASS", "CONDITIONAL GO", "", "data to 2026-02-27", "simulated market")
    assert screens.parts(texts, Terminal(60)) == [
        "GATE: PASS   CONDITIONAL GO   data to 2026-02-27",
        "simulated market",
    ]


words = st.text("abcdefghij-0123456789", min_size=1, max_size=15)


@given(st.lists(words, min_size=1, max_size=40), st.sampled_from(WIDTHS))
def test_wrapped_prose_keeps_every_word_whole(text: list[str], width: int) -> None:
    lines = screens.wrapped(" ".join(text), Terminal(width), first="ES  ", indent="    ")
    assert [word for line in lines for word in line.split()] == ["ES", *text]
    assert all(len(line) <= width for line in lines)


def test_a_curve_reads_the_same_in_blocks_and_in_tenths() -> None:
    """The pair of forms that the specification shows."""
    values = [0.40, 0.55, 0.70, 1.0]
    assert screens.sparkline(values, 0.0, 1.0, Terminal()) == "▄▅▆█"
    assert screens.sparkline(values, 0.0, 1.0, Terminal(unicode=False)) == "4579"


def test_a_curve_is_full_at_its_high_and_empty_at_its_low_and_blank_where_unknown() -> None:
    assert screens.sparkline([0.0, None, 7.3, 14.6, 99.0], 0.0, 14.6, Terminal()) == "▁ ▅██"
    assert screens.sparkline([2.0, 2.0], 2.0, 2.0, Terminal(unicode=False)) == "00"


def test_steps_are_equal_in_time_and_hold_the_last_value_known() -> None:
    points = [(date(2020, 1, 5), 1.0), (date(2020, 1, 6), 2.0), (date(2020, 1, 11), 3.0)]
    assert screens.in_steps(points, date(2020, 1, 1), date(2020, 1, 11), 6, 0.0) == [0.0, 0.0, 1.0, 2.0, 2.0, 3.0]


class _Stream(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def on_a_tty(monkeypatch: pytest.MonkeyPatch) -> _Stream:
    """stdout as a terminal of 80 columns; called within a test, since pytest replaces what a fixture sets."""
    stream = _Stream()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return stream


def test_only_what_is_now_is_coloured(monkeypatch: pytest.MonkeyPatch) -> None:
    tty = on_a_tty(monkeypatch)
    screens.show(lambda _: ["GATE: MISMATCH", "PL  REJECT  expected WATCH (locked WATCH)", "next: ctl plan"])
    first, second, last, _ = tty.getvalue().split("\n")
    assert first == "\x1b[1mGATE: \x1b[31mMISMATCH\x1b[0m\x1b[1m\x1b[0m"
    assert second == "PL  \x1b[31mREJECT\x1b[0m  expected WATCH (locked WATCH)"
    assert last.startswith("\x1b[1m")


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_colour_where_it_is_not_wanted(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tty = on_a_tty(monkeypatch)
    monkeypatch.setenv(name, value)
    on = screens.terminal()
    screens.show(lambda _: ["GATE: PASS"])
    assert tty.getvalue() == "GATE: PASS\n"
    assert on.width == 80
    assert on.unicode == (name != "TERM")


def test_piped_output_has_neither_width_nor_colour(ctl) -> None:
    """Held to the command line: the options are allowed anywhere, and what is piped is plain."""
    ran = ctl("--no-color", "glossary", "--ascii")
    assert ran.code == 0
    assert screens.ascii_only.get()
    assert not re.search("\x1b", ran.out)
    ctl("glossary")
    assert not screens.ascii_only.get()
