"""The published schemas are the generated ones, and say what the code writes."""

from __future__ import annotations

import json
from pathlib import Path

from ctl.cli.schemas import write
from ctl.ops.schemas import schemas

FOLDER = Path(__file__).resolve().parents[3] / "docs/schemas"

OPS_LOG_FIELDS = {
    *("timestamp", "gate_passed", "aborted", "dry_run", "exit_code", "has_errors", "portfolio_recommendation"),
    *("gate", "run", "notification", "retention", "summary_path", "durations", "digests"),
}
RUN_SUMMARY_FIELDS = {
    *("timestamp", "cycle_id", "gate_passed", "portfolio_recommendation", "dry_run", "plan", "gate_result"),
    *("symbol_run_results", "digests", "package_version"),
}
GATE_FIELDS = {"passed", "recommendation", "profile", "symbol_results", "locks", "restatements", "timestamp"}


def test_the_published_files_are_current() -> None:
    for name, data in schemas().items():
        assert (FOLDER / name).read_bytes() == data, f"{name} is stale: regenerate docs/schemas"


def test_every_field_of_the_specification_is_required() -> None:
    for name, fields in (
        ("ops_log_v1.schema.json", OPS_LOG_FIELDS),
        ("run_summary_v1.schema.json", RUN_SUMMARY_FIELDS),
        ("gate_result_v1.schema.json", GATE_FIELDS),
    ):
        schema = json.loads(schemas()[name])
        assert fields <= set(schema["required"])
        assert schema["additionalProperties"] is False
    gate = json.loads(schemas()["gate_result_v1.schema.json"])["$defs"]["SymbolResult"]
    assert gate["required"] == [
        "symbol",
        "expected",
        "actual",
        "passed",
        "detail",
        "reasons",
        "metrics",
        "locked",
        "data_to",
        "certificate_sha256",
    ]
    log = json.loads(schemas()["ops_log_v1.schema.json"])["$defs"]["Notification"]
    assert {"mode", "level", "text", "delivered", "attempts"} <= set(log["required"])


def test_writing_changes_only_what_differs(tmp_path: Path) -> None:
    assert write(tmp_path, None, check_only=True) == 1
    assert list(tmp_path.iterdir()) == []
    assert write(tmp_path, None, check_only=False) == 0
    assert {path.name for path in tmp_path.iterdir()} == set(schemas())
    assert write(tmp_path, None, check_only=True) == 0
    (tmp_path / "ops_log_v1.schema.json").write_bytes(b"old")
    assert write(tmp_path, None, check_only=True) == 1
    assert write(tmp_path, None, check_only=False) == 0
    assert (tmp_path / "ops_log_v1.schema.json").read_bytes() == schemas()["ops_log_v1.schema.json"]
