"""A certificate that says no more than its decision: for tests of those who read it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from ctl.certification import CertifyRequest, certify
from ctl.model.certificate import Certificate
from ctl.model.findings import Decision, Reason


def certificate_of(symbol: str, decision: Decision, *reasons: Reason, **changes: Any) -> Certificate:
    """A certificate on no data at all, with the decision and reasons given."""
    return replace(_of_nothing(), symbol=symbol, root=symbol, decision=decision, reasons=reasons, **changes)


@cache
def _of_nothing() -> Certificate:
    return certify(CertifyRequest("ES", "ES", 0.25, 3, "index points", contracts=None, canonical=None, reference=None))
