"""The published JSON Schemas: of the operating profile, and of every document that commands write."""

from __future__ import annotations

from typing import Any

from ctl import operating_profile, store
from ctl.flows.first_workspace import InitResult
from ctl.flows.research import Lookahead
from ctl.flows.slippage import SlippageReport
from ctl.model import manifest, printed
from ctl.model.certificate import certificate_schema
from ctl.model.contract_list import ContractList
from ctl.model.data_report import DataReport, DoctorReport
from ctl.model.documents import DIALECT, json_schema
from ctl.model.failure import Failure
from ctl.model.lock import Locked, LockPlan, ProfileDifference, Replay
from ctl.model.lock_file import LockFile
from ctl.model.orders import NextOpenOrders
from ctl.model.paper import LedgerRecord, PaperReport
from ctl.model.promotion import Promotion
from ctl.model.registry import RunComparison, RunList, Status
from ctl.model.revisions import Revisions
from ctl.model.run import GateResult, OpsLog, RunSummary
from ctl.ops import closeout, schedule
from ctl.power.study import PowerReport
from ctl.store.anchors import Verification
from ctl.store.decision_log import DecisionEntry


def schemas() -> dict[str, bytes]:
    """File name -> content of every schema, the same bytes each time."""
    records: dict[str, tuple[Any, str]] = {
        "gate_result_v1": (GateResult, "Gate result"),
        "run_summary_v1": (RunSummary, "Run summary"),
        "orders_v1": (NextOpenOrders, "Orders for the next open"),
        "paper_v1": (PaperReport, "Paper trades beside the backtest"),
        "paper_ledger_record_v1": (LedgerRecord, "One line of the live-sim ledger"),
        "ops_log_v1": (OpsLog, "Ops log"),
        "lock_plan_v1": (LockPlan, "What a lock would change"),
        "error_v1": (Failure, "An error under --json"),
        "lock_file_v1": (LockFile, "Lock file"),
        "lock_v1": (Locked, "A lock that was put in force"),
        "profile_difference_v1": (ProfileDifference, "Difference of two profiles"),
        "replay_v1": (Replay, "The gate as of past weeks"),
        "contracts_v1": (ContractList, "Contracts with their terms"),
        "init_v1": (InitResult, "A workspace that was made"),
        "data_v1": (DataReport, "What the files of a workspace hold"),
        "runs_v1": (RunList, "Runs of the registry"),
        "runs_compared_v1": (RunComparison, "What one run says otherwise than another"),
        "status_v1": (Status, "How a workspace stands"),
        "doctor_v1": (DoctorReport, "What is amiss with a workspace"),
        "lookahead_v1": (Lookahead, "Whether a strategy knows the future"),
        "promotion_v1": (Promotion, "What stands between symbols and their next status"),
        "revisions_v1": (Revisions, "Every reading of past bars that was kept"),
        "verification_v1": (Verification, "Whether the decisions on record are whole"),
        "decision_log_entry_v1": (DecisionEntry, "Decision log entry"),
        "demo_v1": (printed.DemoFilled, "A simulated workspace that was filled"),
        "causes_v1": (printed.Causes, "Defects that can be injected"),
        "glossary_v1": (printed.Glossary, "What each word means"),
        "mapping_v1": (printed.ProposedMapping, "A mapping proposed for a file"),
        "bars_v1": (printed.Bars, "Bars of a symbol as they are read"),
        "fetch_v1": (printed.Fetched, "What was missing, priced and bought"),
        "run_v1": (printed.RunShown, "One run of the registry"),
        "not_due_v1": (printed.NotDue, "A weekly cycle that is not to be run here"),
        "backtest_v1": (printed.Backtest, "A backtest of one series"),
        "research_v1": (printed.Researched, "Strategies and parameters side by side"),
        "report_v1": (printed.WrittenReport, "A report that was written"),
        "power_v1": (PowerReport, "From which size on each layer detects a defect"),
        "slippage_v1": (SlippageReport, "Slippage per side, estimated"),
        **closeout.SCHEMAS,
        **schedule.SCHEMAS,
    }
    found: dict[str, Any] = {name: json_schema(record, title) for name, (record, title) in records.items()}
    found["roll_manifest_v1"] = manifest.json_schema()
    found["operating_profile_v1"] = {
        "$schema": DIALECT,
        **operating_profile.json_schema(),
        "title": "Operating profile",
    }
    found["certificate_v1"] = certificate_schema()
    run, entry = found["run_summary_v1"], found["decision_log_entry_v1"]
    run["properties"]["summary_path"] = {"type": ["string", "null"], "title": "Summary Path"}  # what `ctl run` adds
    found["decision_v1"] = {**_of_kind("decision", entry), "title": "A decision that was recorded"}
    for name in ("certificate", "roll_manifest"):
        several = {"type": "object", "additionalProperties": {"$ref": f"{name}_v1.schema.json"}}
        title = f"{found[f'{name}_v1']['title']}s of several symbols, by symbol"
        found[f"{name}s_v1"] = {"$schema": DIALECT, **_of_kind(f"{name}s", several), "title": title}
    return {f"{name}.schema.json": store.json_bytes(schema) for name, schema in found.items()}


def _of_kind(kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of what stands without a kind in a file, or in no record, as it is printed."""
    held = {"kind": {"const": kind, "type": "string"}, "schema_version": {"const": 1, "type": "integer"}}
    required = dict.fromkeys(("kind", "schema_version", *schema.get("required", ())))
    return {**schema, "properties": {**held, **schema.get("properties", {})}, "required": list(required)}
