"""The glossary: one source for the command and the page, and no line wider than the terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctl.cli import glossary

PAGE = Path(__file__).resolve().parents[3] / "docs" / "glossary.md"


def test_the_page_holds_what_the_command_prints():
    assert PAGE.read_text() == glossary.markdown()


def test_a_term_has_one_meaning():
    terms = [term for term, _ in glossary.TERMS]
    assert len(set(terms)) == len(terms)


@pytest.mark.parametrize("width", [40, 60, 80])
def test_no_line_is_wider_than_the_terminal(width: int):
    assert max(map(len, glossary.lines(width))) <= width
    assert " ".join(" ".join(glossary.lines(width)).split()) == " ".join(glossary.lines(None))


def test_the_command_prints_a_line_a_term(ctl):
    ran = ctl("glossary")
    assert ran.code == 0
    assert len(ran.out.splitlines()) == len(glossary.TERMS)
    assert ctl("glossary", "--json").document["terms"]["gap session"] == "the session whose closes give the gap"
