"""The published JSON Schemas of the profile and of the documents that commands write, the certificate's apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from ctl import operating_profile, store
from ctl.model.lock import LockDocument, LockPlanDocument, ProfileDifferenceDocument, ReplayDocument
from ctl.model.manifest import RollManifestDocument
from ctl.model.orders import OrdersDocument
from ctl.model.paper import PaperDocument, RecordDocument
from ctl.model.run import GateResultDocument, OpsLogDocument, RunSummaryDocument

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> dict[str, bytes]:
    """File name -> content of every schema here, the same bytes each time."""
    from pydantic import TypeAdapter

    documents: dict[str, tuple[str, dict[str, Any]]] = {
        "operating_profile_v1.schema.json": ("Operating profile", operating_profile.json_schema()),
        "gate_result_v1.schema.json": ("Gate result", TypeAdapter(GateResultDocument).json_schema()),
        "run_summary_v1.schema.json": ("Run summary", TypeAdapter(RunSummaryDocument).json_schema()),
        "orders_v1.schema.json": ("Orders for the next open", TypeAdapter(OrdersDocument).json_schema()),
        "paper_v1.schema.json": ("Paper trades beside the backtest", TypeAdapter(PaperDocument).json_schema()),
        "paper_ledger_record_v1.schema.json": (
            "One line of the live-sim ledger",
            TypeAdapter(RecordDocument).json_schema(),
        ),
        "ops_log_v1.schema.json": ("Ops log", TypeAdapter(OpsLogDocument).json_schema()),
        "roll_manifest_v1.schema.json": ("Roll manifest", TypeAdapter(RollManifestDocument).json_schema()),
        "lock_plan_v1.schema.json": ("What a lock would change", TypeAdapter(LockPlanDocument).json_schema()),
        "lock_v1.schema.json": ("A lock that was put in force", TypeAdapter(LockDocument).json_schema()),
        "profile_difference_v1.schema.json": (
            "Difference of two profiles",
            TypeAdapter(ProfileDifferenceDocument).json_schema(),
        ),
        "replay_v1.schema.json": ("The gate as of past weeks", TypeAdapter(ReplayDocument).json_schema()),
    }
    return {
        name: store.json_bytes({"$schema": _DIALECT, **_closed(schema), "title": title})
        for name, (title, schema) in documents.items()
    }


def write_schemas(folder: Path) -> tuple[Path, ...]:
    """Write every schema into `folder` (docs/schemas); returns the paths whose content changed."""
    changed: list[Path] = []
    for name, data in schemas().items():
        path = folder / name
        if not path.exists() or path.read_bytes() != data:
            store.write_atomic(path, data)
            changed.append(path)
    return tuple(changed)


def _closed(schema: Any) -> Any:
    """The schema with every object of fixed properties closed: documents carry no other keys."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if closed.get("type") == "object" and isinstance(closed.get("properties"), dict):
        closed.setdefault("additionalProperties", False)
    return closed
