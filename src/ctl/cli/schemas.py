"""The published JSON Schemas: written, or compared with what is written."""

from __future__ import annotations

import sys
from pathlib import Path

from ctl import store
from ctl.errors import EXIT_ERROR, EXIT_OK


def write(folder: Path, *, check_only: bool) -> int:
    """Write every schema into `folder`; with `check_only` compare, and say what differs."""
    differing = []
    for name, data in published().items():
        path = folder / name
        if path.is_file() and path.read_bytes() == data:
            continue
        differing.append(name)
        if not check_only:
            store.write_atomic(path, data)
    extra = sorted(path.name for path in folder.glob("*.json") if path.name not in published())
    if check_only and (differing or extra):
        for name in (*differing, *extra):
            print(f"ctl schemas: {folder / name} is not what the code publishes; run `make schemas`", file=sys.stderr)
        return EXIT_ERROR
    return EXIT_OK


def published() -> dict[str, bytes]:
    """File name -> bytes of every schema."""
    from ctl.certification.written.schema import certificate_schema
    from ctl.model import documents
    from ctl.model.contract_list import ContractList
    from ctl.ops.schemas import schemas
    from ctl.store import decision_log

    return {
        **schemas(),
        "certificate_v1.schema.json": store.json_bytes(certificate_schema()),
        "contracts_v1.schema.json": store.json_bytes(documents.json_schema(ContractList, "contracts")),
        "decision_log_entry_v1.schema.json": store.json_bytes(decision_log.json_schema()),
    }
