"""The workspace on disk: its configuration and paths, whole-or-nothing files, one run at a time."""

from __future__ import annotations

from ctl.store.files import json_bytes, remove, replace_whole, unique_path, unique_stem, write_atomic, write_new
from ctl.store.lock import Holder, RunLock
from ctl.store.workspace import SymbolConfig, VendorConfig, Workspace

__all__ = [
    "Holder",
    "RunLock",
    "SymbolConfig",
    "VendorConfig",
    "Workspace",
    "json_bytes",
    "remove",
    "replace_whole",
    "unique_path",
    "unique_stem",
    "write_atomic",
    "write_new",
]
