"""Certification: is a canonical series what we think it is, and is every difference from a reference explained?

A chain of values: request -> window -> one result per layer -> examination -> decision -> certificate.
Pure: same request, same certificate, byte for byte.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ctl.certification.request import CertifyRequest, EquityBasis, Recovered

if TYPE_CHECKING:
    from ctl.model.certificate import Certificate
    from ctl.model.locked import Watched

__all__ = ["CertifyRequest", "EquityBasis", "Recovered", "certify", "limits_document", "watch"]


def certify(request: CertifyRequest) -> Certificate:
    """Certify one symbol: layers L0 to L5, the drift ledger, the decision with every reason.

    Whatever a layer raises becomes its ERROR. Raises DataError only for a request that no certificate can
    answer: a tick that is not positive, a negative day limit, an unknown acceptance policy.
    """
    from ctl.certification.decision import decide
    from ctl.certification.examination import examine
    from ctl.certification.what_if import other_series
    from ctl.certification.written.certificate import write

    request.validate()
    limits_document(request.acceptance_policy)
    examination = examine(request)
    rebuilt = other_series.rebuilt(examination)
    decision, reasons = decide(examination, rebuilt)
    return write(examination, decision, reasons, other_series.what_ifs(examination, decision, rebuilt))


def watch(request: CertifyRequest) -> Watched:
    """The decision and the figures that a lock holds, as `certify` comes to them, without what else it writes.

    Neither L5 nor counterfactuals are made, but for policy v2's rebuilt series. Raises as `certify`.
    """
    from ctl.certification import watched
    from ctl.certification.decision import decide
    from ctl.certification.examination import examine
    from ctl.certification.what_if import other_series
    from ctl.model.certificate import NotComputed

    request.validate()
    limits_document(request.acceptance_policy)
    rebuild = request.rebuild if request.acceptance_policy == "v2" else None
    bare = replace(request, functional=None, run_on_recovered=None, run_on=None, alternatives={}, rebuild=rebuild)
    examination = examine(bare)
    unread = NotComputed("NOT_RUN", "no limit rests on it")
    rebuilt = other_series.rebuilt(examination) if request.acceptance_policy == "v2" else unread
    return watched.watch(examination, *decide(examination, rebuilt))


def limits_document(policy: str) -> dict[str, Any]:
    """The limits of an acceptance policy (`v1`, `v2`), JSON-ready: what `lock.thresholds` is the digest of."""
    from ctl.certification.acceptance import limits_document as document

    return document(policy)
