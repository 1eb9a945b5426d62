"""The help of every command: within its terminal, no word broken, every option with what it takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from ctl.cli import help as help_text
from ctl.cli import screens
from ctl.cli.app import app


def commands(item: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """A command and all under it."""
    yield words, item
    for name, below in getattr(item, "commands", {}).items():
        yield from commands(below, (*words, name))


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_help_fits_its_terminal(width: int, ctl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screens, "terminal", lambda: screens.Terminal(width))
    for words, command in commands(typer.main.get_command(app)):
        ran = ctl(*words, "--help")
        assert (ran.code, ran.err) == (0, "")
        assert f"usage: ctl {' '.join(words)}".strip() in ran.out
        for line in ran.out.splitlines():
            assert len(line) <= width or len(line.split()) == 1, line
        for option in command.params:
            if option.param_type_name == "option":
                assert re.search(rf"^  .*{option.opts[0]}\b", ran.out, re.MULTILINE), option.opts


def test_choices_ranges_and_defaults_stand_with_their_option(ctl) -> None:
    text = " ".join(ctl("certify", "--help").out.split())
    assert (
        "--policy POLICY Roll policy. One of: volume, open_interest, calendar, schedule, databento_c, databento_n, "
        "databento_v. Default: volume." in text
    )
    assert "--fixed-day N Day of the month (--anchor fixed_day). 1 to 31." in text
    assert "--reason TEXT Why; goes into the decision log. Required." in " ".join(ctl("lock", "--help").out.split())


def test_a_command_to_paste_is_one_command_over_several_lines(ctl) -> None:
    lines = ctl("certify", "--help").out.splitlines()
    at = lines.index("Plain files:")
    assert lines[at + 1].startswith("  ctl certify --contracts ")
    assert lines[at + 1].endswith(" \\")
    assert lines[at + 2] == "    --adjusted A.csv --unadjusted U.csv"


NUMBERS = [
    (command, option)
    for _, command in commands(typer.main.get_command(app))
    for option in command.params
    if option.param_type_name == "option" and help_text._kind(option) in (int, float)
]


@pytest.mark.parametrize("value", ["-1", "0", "1.5", "1e99", "9" * 30, "nan", "inf", "many", ""])
def test_a_number_out_of_its_range_is_refused_in_our_words(value: str) -> None:
    """Every numeric option of every command: what is no number of its kind, or outside its range, never gets in."""
    for command, option in NUMBERS:
        name = option.opts[0]
        try:
            command.make_context(command.name, [f"{name}={value}"])
        except typer.BadParameter.__bases__[0] as error:  # click's own usage error, or typer's copy of it
            if getattr(error, "param", None) is option:
                told = help_text.what_is_wrong(error)
                assert told.startswith(f"{name}: found {value!r}; expected a "), command.name
                assert "Input" not in told, command.name
                continue
        number = float(value)  # it was accepted, or what is missing beside it is said
        if name != "--tick":  # without bounds here: its own range says what a tick can be
            assert option.min <= number <= option.max, (command.name, name)


def test_a_number_out_of_its_range_is_one_usage_error(ctl) -> None:
    for value in ("-5", "nan"):
        ran = ctl("data", "head", "ES", "-n", value)
        assert (ran.code, ran.out) == (64, "")
        told = f"ctl data head: --rows: found {value!r}; expected a whole number from 1 to 100,000"
        assert ran.err == f"{told}; see `ctl data head --help`\n"
    assert len(NUMBERS) > 20
