"""The ledger against answers worked from the definitions by tests/answers/ledger_answers.py."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ctl.certification.layers.ledger import Side, compute
from ctl.model.rolls import ReferenceRoll

ANSWERS = json.loads((Path(__file__).resolve().parents[3] / "answers/ledger_answers.json").read_text(encoding="utf-8"))
START = date(2010, 1, 4)


def day(index: int) -> date:
    return START + timedelta(days=index)


def side(given: dict[str, Any]) -> Side:
    rolls = tuple(
        ReferenceRoll(day(at - 1), day(at), old, new, gap, "fingerprint") for at, old, new, gap in given["rolls"]
    )
    count = len(given["adjusted"])
    held = np.full(count, -1) if given["held"] is None else np.array(given["held"], dtype=np.int64)
    return Side(np.array(given["adjusted"]), np.array(given["unadjusted"]), held, rolls)


def dated(name: str) -> str:
    """Answers count sessions; the ledger names unmatched rolls without contracts by date."""
    label = name.removeprefix("unmatched:")
    return f"unmatched:{day(int(label))}" if label != name and label.isdigit() else name


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_every_component_of_every_session(name: str) -> None:
    case = ANSWERS[name]
    canonical = side(case["canonical"])
    ledger = compute(
        np.array([day(t) for t in range(len(canonical.adjusted))], dtype="datetime64[D]"),
        canonical,
        side(case["reference"]),
        names=case["names"],
        our_gaps=np.array([np.nan if gap is None else gap for gap in case["our_gaps"]], dtype=float),
        pairs=[(i, j) for i, j in case["pairs"]],
    )
    expected = {dated(key): values for key, values in case["expected"].items()}
    np.testing.assert_allclose(ledger.drift, expected.pop("drift"), rtol=0, atol=1e-9)
    columns = ledger.columns()
    assert set(columns) == set(expected)
    for key, values in expected.items():
        np.testing.assert_allclose(columns[key], values, rtol=0, atol=1e-9, err_msg=key)
    # The answers sum as well, so that an error in them would show.
    np.testing.assert_allclose(np.sum(list(expected.values()), axis=0), ledger.drift, rtol=0, atol=1e-9)
