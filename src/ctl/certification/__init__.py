"""Certification: is a canonical series what we think it is, and is every difference from a reference explained?

Pure: same request, same certificate, byte for byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ctl.certification.request import CertifyRequest, EquityBasis

if TYPE_CHECKING:
    from ctl.model.certificate import Certificate

__all__ = ["CertifyRequest", "EquityBasis", "certificate_schema", "certify", "limits_document"]


def certify(request: CertifyRequest) -> Certificate:
    """Certify one symbol: layers L0 to L5, the drift ledger, the decision with every reason.

    Whatever a layer raises becomes its ERROR. Raises DataError only for a request that no certificate can
    answer: a tick that is not positive, a negative day limit, an unknown acceptance policy.
    """
    from ctl.certification.assemble import certify as run

    return run(request)


def limits_document(policy: str) -> dict[str, Any]:
    """The limits of an acceptance policy (`v1`, `v2`), JSON-ready: what `lock.thresholds` is the digest of."""
    from ctl.certification.acceptance import limits_document as document

    return document(policy)


def certificate_schema() -> dict[str, Any]:
    """JSON Schema of a certificate: what docs/schemas/certificate_v1.schema.json is generated from."""
    from ctl.certification.written.schema import certificate_schema as schema

    return schema()
