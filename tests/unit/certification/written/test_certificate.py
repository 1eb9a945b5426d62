"""The published schema: generated, current, and met by every kind of certificate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from certify_market import Market
from published_schemas import misfits

from ctl.certification import certify
from ctl.model.certificate import certificate_schema

PUBLISHED = Path(__file__).resolve().parents[4] / "docs" / "schemas" / "certificate_v1.schema.json"


def misfits_of(document: Any) -> list[str]:
    schema = certificate_schema()
    return misfits(document, schema, schema)


def test_the_published_schema_is_the_generated_one() -> None:
    assert json.loads(PUBLISHED.read_text()) == certificate_schema()


def test_every_kind_of_certificate_meets_the_schema() -> None:
    market = Market()
    earlier = [index - 20 for index in market.gap_sessions()]
    requests = [
        market.request(),
        market.request(reference=market.reference(gap_errors={22: 7.75})),
        market.request(reference=market.reference(earlier)),
        market.request(reference=None),
        market.request(canonical=None),
        market.request(contracts=None),
        market.request(tick=0.4),
        market.request(reference=market.reference(unadjusted=False)),
        market.request(reference=market.reference(adjusted=False)),
        market.request(acceptance_policy="v2", rebuild=lambda _: market.canonical()),
        market.request(alternatives={"settlement": market.canonical()}),
        Market(contracts=7).request(),
    ]
    decisions = set()
    for request in requests:
        document = dict(certify(request).document)
        assert misfits_of(document) == []
        decisions.add(document["decision"])
    assert decisions == {"ACCEPT", "WATCH", "REJECT", "ERROR"}


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"verdict": "ACCEPT"}, "$: unknown verdict"),
        ({"tick": "0.25"}, "$.tick: no number"),
        ({"decision": "GO"}, "$.decision: 'GO' is not one of ['ACCEPT', 'WATCH', 'REJECT', 'ERROR']"),
    ],
)
def test_another_shape_is_refused(change: dict[str, Any], where: str) -> None:
    document = dict(certify(Market(contracts=7).request()).document)
    assert misfits_of({**document, **change}) == [where]
    del document["mean_drift"]
    assert misfits_of(document) == ["$: lacks mean_drift"]
