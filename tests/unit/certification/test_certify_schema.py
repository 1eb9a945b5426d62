"""The published schema: generated, current, and met by every kind of certificate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from certify_market import Market
from pydantic import ValidationError

from ctl.certification import certificate_schema, certify
from ctl.certification.written.schema import validate

PUBLISHED = Path(__file__).resolve().parents[3] / "docs" / "schemas" / "certificate_v1.schema.json"


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
        Market(contracts=7).request(),
    ]
    decisions = set()
    for request in requests:
        document = dict(certify(request).document)
        validate(document)
        decisions.add(document["decision"])
    assert decisions == {"ACCEPT", "WATCH", "REJECT", "ERROR"}


def test_an_unknown_or_missing_field_is_refused() -> None:
    document = dict(certify(Market(contracts=7).request()).document)
    with pytest.raises(ValidationError):
        validate({**document, "verdict": "ACCEPT"})
    del document["mean_drift"]
    with pytest.raises(ValidationError):
        validate(document)
