"""How a command ends, and sentences that several symbols share."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from ctl import cli
from ctl.cli import output


def test_what_failed_is_said_once_on_stderr_and_is_exit_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert output.ended(["ES: its file\nis gone", "CL: stale", "CL: stale"]) == 1
    assert capsys.readouterr() == ("", "ctl: ES: its file is gone\nctl: CL: stale\n")


def test_nothing_failed_is_exit_0_without_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert output.ended([]) == 0
    assert capsys.readouterr() == ("", "")


def test_no_command_ends_with_1_by_itself() -> None:
    """Exit 1 comes of `output.ended`, which says why, or of an exception, which the outermost frame says."""
    found = set()
    for path in Path(cli.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Return) and node.value is not None:
                ones = {"EXIT_ERROR"} & {name.id for name in ast.walk(node.value) if isinstance(name, ast.Name)}
                if ones or (isinstance(node.value, ast.Constant) and node.value.value == 1):
                    found.add(path.name)
    assert found == {"__init__.py", "output.py"}


def test_a_sentence_is_said_once_by_those_it_holds_of() -> None:
    said = [("ES", "a"), ("CL", ""), ("CL", "b"), ("PL", "a"), ("PL", "c"), ("CL", "a"), ("CL", "b")]
    assert output.shared_facts(said) == {"ES PL CL": "a", "CL": "b", "PL": "c"}
    many = [(f"S{number}", "a") for number in range(9)]
    assert output.shared_facts([*many, ("S0", "b"), ("S0", "c")]) == {"9 symbols": "a", "S0": "b; c"}
