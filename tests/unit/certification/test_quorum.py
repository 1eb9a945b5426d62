"""Where all sides but one agree, the odd one is named; where two differ from two, or all from all, nobody is."""

from __future__ import annotations

import numpy as np
from certify_market import Market

from ctl.certification import certify
from ctl.certification.quorum import compare
from ctl.errors import DataError
from ctl.model.certificate import Certificate, OddOneOut
from ctl.model.reference import Reference

MARKET = Market()


def against(reference: Reference) -> Certificate:
    return certify(MARKET.request(reference=reference))


def odd(*references: Reference) -> list[OddOneOut]:
    made = {f"v{n}": against(reference) for n, reference in enumerate(references)}
    return list(compare(made, {}, "v0").odd)


def shifted(by: int, of: int) -> list[int]:
    """Every roll as ours, but one that lies some sessions off."""
    return [at + (by if k == of else 0) for k, at in enumerate(MARKET.gap_sessions())]


RIGHT = MARKET.reference()


def test_a_reference_that_alone_rolls_elsewhere_is_named() -> None:
    late = MARKET.reference(shifted(-6, 10))
    (found,) = [item for item in odd(RIGHT, late) if item.what == "rolls"]
    assert (found.code, found.vendor) == ("ODD_ONE_OUT", "v1")
    assert found.first == found.last == MARKET.day(MARKET.gap_sessions()[10])
    assert "XXU07>XXZ07" in found.text


def test_we_are_named_where_the_references_agree_against_us() -> None:
    late = MARKET.reference(shifted(-6, 10))
    assert {item.vendor for item in odd(late, late) if item.what == "rolls"} == {"ours"}
    # One on a third day: all differ.
    other = MARKET.reference(shifted(6, 10))
    assert [item for item in odd(late, other) if item.what == "rolls"] == []


def test_a_level_of_one_side_is_named_from_when_to_when() -> None:
    off = np.zeros(MARKET.total)
    off[400:460] = 200.0
    wrong = MARKET.reference(change=lambda closes: closes + off)
    (found,) = odd(RIGHT, wrong, RIGHT)
    assert (found.vendor, found.what) == ("v1", "level")
    assert (found.first, found.last) == (MARKET.day(400), MARKET.day(459))
    assert "v1 stands 200 above all others on 60 sessions" in found.text
    assert {item.vendor for item in odd(wrong, wrong)} == {"ours"}
    assert odd(RIGHT, wrong, wrong) == []  # two against two


def test_references_that_agree_leave_nobody_and_one_is_no_quorum() -> None:
    assert odd(RIGHT, RIGHT) == []
    assert odd(MARKET.reference(shifted(-6, 10))) == []


def test_a_reference_that_cannot_be_read_only_says_so() -> None:
    made = compare({"v0": against(RIGHT)}, {"v1": DataError("no files")}, "v0")
    assert [(item.vendor, item.decision) for item in made.references] == [("v0", "ACCEPT"), ("v1", None)]
    assert "no files" in made.references[1].text
