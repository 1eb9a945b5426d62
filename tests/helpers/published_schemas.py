"""Whether a document fits its published schema, for the keywords that our schemas use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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
    """Fail, saying where, unless the document is one of the schema named."""
    schema = json.loads((SCHEMAS / name).read_bytes())
    found = misfits(document, schema, schema)
    assert not found, "; ".join(found)
