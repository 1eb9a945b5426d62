"""Older manifests that state both contracts and both closes in lists of two."""

from __future__ import annotations

import json

from ctl.continuous import read_manifest


def test_contracts_and_closes_in_lists():
    entry = {
        "date": "2025-03-17",
        "contracts": ["ESH25", "ESM25"],
        "closes": [5600.25, 5655.0],
        "gap": 54.75,
        "cumulative_adj": 54.75,
    }
    header, (roll,) = read_manifest(json.dumps([entry]).encode())
    assert header == {}
    assert (roll.from_contract, roll.to_contract) == ("ESH25", "ESM25")
    assert (roll.from_close, roll.to_close, roll.gap) == (5600.25, 5655.0, 54.75)


def test_an_inverted_one_is_told_by_its_closes():
    entry = {"date": "2025-03-17", "contracts": ["ESH25", "ESM25"], "closes": [5600.25, 5655.0], "gap": -54.75}
    header, (roll,) = read_manifest(json.dumps([entry]).encode())
    assert [finding["code"] for finding in header["findings"]] == ["INVERTED_ADJUSTMENT"]
    assert roll.gap == 54.75
