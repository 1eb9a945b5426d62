"""The certificate of one symbol: one canonical JSON document and the tables beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ctl import digests
from ctl.model.display import Card, Tabular
from ctl.model.findings import Decision, Reason

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Certificate(Tabular):
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

    def to_polars(self) -> pl.DataFrame:
        """One row per check of each layer: layer, check, status, text, code, value, limit, unit."""
        import polars as pl

        columns = {
            "layer": pl.String, "check": pl.String, "status": pl.String, "text": pl.String, "code": pl.String,
            "value": pl.Float64, "limit": pl.Float64, "unit": pl.String,
        }  # fmt: skip
        findings = [
            {"layer": name, **{key: item[key] for key in columns if key != "layer"}}
            for name, layer in self.document["layers"].items()
            for item in layer["findings"]
        ]
        return pl.DataFrame(findings, schema=columns)

    def _card(self) -> Card:
        import polars as pl

        layers = [
            (name, layer["title"], layer["status"], layer["text"]) for name, layer in self.document["layers"].items()
        ]
        return Card(
            f"{self.symbol}: {self.decision}",
            {"sha256": self.sha256[:12], "package": self.document.get("package_version")},
            pl.DataFrame(layers, schema=["layer", "title", "status", "text"], orient="row"),
            [f"{reason.severity} {reason.code}: {reason.text}" for reason in self.reasons],
        )
