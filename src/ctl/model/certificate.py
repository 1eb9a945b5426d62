"""The certificate of one symbol: one canonical JSON document and the tables beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ctl import digests
from ctl.model.findings import Decision, Reason

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was found about one symbol.

    document: JSON-ready, complete (docs/schemas/certificate_v1.schema.json).
    tables: file name -> frame of the CSV companions.
    """

    symbol: str
    decision: Decision
    reasons: tuple[Reason, ...]
    document: Mapping[str, Any]
    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """sha256 of the canonical JSON: identifies the certificate."""
        return digests.digest(dict(self.document))

    @property
    def detail(self) -> str:
        """The reasons in one line; empty for a clean ACCEPT."""
        return "; ".join(reason.text for reason in self.reasons)
