"""Every document that a cycle writes fits its published schema, in every ending."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ops_workspace import INSTANT, make_steps, make_workspace

from ctl.ops import weekly

SCHEMAS = Path(__file__).resolve().parents[2] / "docs/schemas"
_TYPES = {"string": str, "boolean": bool, "integer": int, "object": dict, "array": list, "null": type(None)}


def misfits(value: Any, schema: dict[str, Any], root: dict[str, Any], path: str = "$") -> list[str]:
    """Where a value leaves its schema, for the keywords that our schemas use."""
    if "$ref" in schema:
        return misfits(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root, path)
    if "anyOf" in schema:
        found = [misfits(value, option, root, path) for option in schema["anyOf"]]
        return [] if any(not item for item in found) else [f"{path}: none of {len(found)} forms"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{path}: {value!r} is not one of {schema['enum']}"]
    if "const" in schema and value != schema["const"]:
        return [f"{path}: {value!r} is not {schema['const']!r}"]
    kind = schema.get("type")
    if kind == "number":
        return [] if isinstance(value, (int, float)) and not isinstance(value, bool) else [f"{path}: no number"]
    if kind is None:
        return []
    if not isinstance(value, _TYPES[kind]) or (kind == "integer" and isinstance(value, bool)):
        return [f"{path}: {value!r} is no {kind}"]
    if kind == "array":
        items = enumerate(value)
        return [text for index, item in items for text in misfits(item, schema["items"], root, f"{path}[{index}]")]
    if kind == "object":
        properties, extra = schema.get("properties", {}), schema.get("additionalProperties", True)
        found = [f"{path}: lacks {key}" for key in schema.get("required", ()) if key not in value]
        for key, item in value.items():
            rule = properties.get(key, extra)
            if rule is False:
                found.append(f"{path}: unknown {key}")
            elif isinstance(rule, dict):
                found += misfits(item, rule, root, f"{path}.{key}")
        return found
    return []


def check(name: str, document: Any) -> None:
    schema = json.loads((SCHEMAS / name).read_bytes())
    assert misfits(document, schema, schema) == []


def fail(_: Any) -> Any:
    raise ZeroDivisionError("division by zero")


@pytest.mark.parametrize("ending", ["passed", "dry", "mismatch", "profile", "error", "symbol"])
def test_documents_fit_their_schemas(tmp_path: Path, ending: str) -> None:
    workspace = make_workspace(tmp_path)
    steps = make_steps(workspace)
    if ending == "mismatch":
        steps = make_steps(workspace, board={"ES": "REJECT", "CL": "ACCEPT", "PL": "WATCH"})
    elif ending == "profile":
        workspace.profile_path.write_bytes(b"nothing: here\n")
    elif ending == "error":
        steps = replace(steps, decide=fail)
    elif ending == "symbol":
        steps = make_steps(workspace, run_symbol=fail)
    found = weekly.run_weekly(workspace, steps, weekly.WeeklyOptions(dry_run=ending == "dry"), instant=INSTANT)
    assert found.log_path is not None
    check("ops_log_v1.schema.json", json.loads(found.log_path.read_bytes()))
    if found.decision is not None:
        check("gate_result_v1.schema.json", found.decision.to_document())
    if found.summary is not None:
        check("run_summary_v1.schema.json", found.summary.to_document())
    if found.document["summary_path"] is not None:
        summary = json.loads((workspace.root / found.document["summary_path"]).read_bytes())
        check("run_summary_v1.schema.json", summary)
        check("gate_result_v1.schema.json", summary["gate_result"])


def test_the_checker_can_fail() -> None:
    with pytest.raises(AssertionError):
        check("ops_log_v1.schema.json", {"timestamp": 1})
