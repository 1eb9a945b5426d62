"""The published JSON Schemas of the profile and of the documents that commands write, the certificate's apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ctl import operating_profile, store
from ctl.model.documents import DIALECT, json_schema
from ctl.model.lock import LockDocument, LockPlanDocument, ProfileDifferenceDocument, ReplayDocument
from ctl.model.manifest import RollManifestDocument
from ctl.model.orders import NextOpenOrders
from ctl.model.paper import LedgerRecord, PaperReport
from ctl.model.run import GateResult, OpsLog, RunSummary


def schemas() -> dict[str, bytes]:
    """File name -> content of every schema here, the same bytes each time."""
    records: dict[str, tuple[Any, str]] = {
        "gate_result_v1": (GateResult, "Gate result"),
        "run_summary_v1": (RunSummary, "Run summary"),
        "orders_v1": (NextOpenOrders, "Orders for the next open"),
        "paper_v1": (PaperReport, "Paper trades beside the backtest"),
        "paper_ledger_record_v1": (LedgerRecord, "One line of the live-sim ledger"),
        "ops_log_v1": (OpsLog, "Ops log"),
        "roll_manifest_v1": (RollManifestDocument, "Roll manifest"),
        "lock_plan_v1": (LockPlanDocument, "What a lock would change"),
        "lock_v1": (LockDocument, "A lock that was put in force"),
        "profile_difference_v1": (ProfileDifferenceDocument, "Difference of two profiles"),
        "replay_v1": (ReplayDocument, "The gate as of past weeks"),
    }
    schemas = {f"{name}.schema.json": json_schema(record, title) for name, (record, title) in records.items()}
    manifest = schemas["roll_manifest_v1.schema.json"]
    for beside_its_series in ("build_digest", "outputs"):
        manifest["required"].remove(beside_its_series)
    profile = {"$schema": DIALECT, **operating_profile.json_schema(), "title": "Operating profile"}
    schemas["operating_profile_v1.schema.json"] = profile
    return {name: store.json_bytes(schema) for name, schema in schemas.items()}


def write_schemas(folder: Path) -> tuple[Path, ...]:
    """Write every schema into `folder` (docs/schemas); returns the paths whose content changed."""
    changed: list[Path] = []
    for name, data in schemas().items():
        path = folder / name
        if not path.exists() or path.read_bytes() != data:
            store.write_atomic(path, data)
            changed.append(path)
    return tuple(changed)
