"""What a lock file holds, derived from the workspace's files and this package; and the lock file beside a profile."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctl import certification, digests, operating_profile, store, strict_files
from ctl.gatekeeper import CurrentParts, LockRead
from ctl.model.documents import document
from ctl.model.findings import Reason
from ctl.model.lock_file import MAX_BYTES, LockedInputs, LockedSide, LockedText, LockFile, lock_name, parse
from ctl.strategy import registry

if TYPE_CHECKING:
    from ctl.flows.inputs import SymbolInputs
    from ctl.model.locked import LockedSymbol
    from ctl.operating_profile import OperatingProfile
    from ctl.store import Workspace


def derive(
    workspace: Workspace,
    profile: OperatingProfile,
    read: Mapping[str, SymbolInputs],
    symbols: Mapping[str, LockedSymbol],
    *,
    previous_head: str | None,
) -> LockFile:
    """The lock file that the workspace's files and this package give a profile.

    read: the gating symbols on all sessions. symbols: what their certificates say of them. previous_head: of the
    decision log before the lock's entry.
    """
    current = current_parts(profile)
    return LockFile(
        previous_head=previous_head,
        profile=LockedText(profile.name, profile.sha256, profile.text),
        thresholds=current.thresholds,
        strategy=current.strategy,
        symbols=symbols,
        inputs={
            symbol: LockedInputs(
                LockedSide(raw_files(read[symbol]), operating_profile.session_ranges(read[symbol].bars, symbol=symbol))
            )
            for symbol in profile.gating_universe
        },
    )


def current_parts(profile: OperatingProfile) -> CurrentParts:
    """What runs now, in the form in which a lock file holds it."""
    return CurrentParts(_thresholds(profile), registry.locked(registry.find(profile.strategy)))


def lock_bytes(lock: LockFile) -> bytes:
    """The bytes of a lock file."""
    return store.json_bytes(document(lock))


def lock_path(profile: Path) -> Path:
    """Where the lock file of a profile stands."""
    return profile.with_name(lock_name(profile.name))


def read_lock(workspace: Workspace, profile: Path) -> LockRead:
    """The lock file beside a profile; where it cannot be used, why."""
    path = lock_path(profile)
    try:
        data = strict_files.read_bytes(path, MAX_BYTES)
        lock = parse(data)
    except FileNotFoundError:
        text = f"{workspace.relative(path)} is not there; restore it, or lock a new version (ctl lock)"
        return LockRead(None, (Reason("LOCK_MISSING", "ERROR", text),))
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        text = f"{workspace.relative(path)} is no lock file ({said}); restore it, or lock a new version (ctl lock)"
        return LockRead(None, (Reason("LOCK_EDITED", "ERROR", text),))
    return LockRead(lock, sha256=digests.sha256_bytes(data), workspace_sha256=workspace.config_sha256)


def raw_files(symbol_inputs: SymbolInputs) -> dict[str, str]:
    """Name -> sha256 of every raw file that a symbol was read from, by name."""
    metas = [symbol_inputs.meta]
    if symbol_inputs.reference is not None:
        sides = (symbol_inputs.reference.adjusted, symbol_inputs.reference.unadjusted)
        metas += [side.meta for side in sides if side is not None]
    return dict(sorted((source.name, source.sha256) for meta in metas for source in meta.sources))


def _thresholds(profile: OperatingProfile) -> dict[str, Any]:
    policies: list[str] = [profile.acceptance_policy]
    if any(profile.symbol_settings[symbol].asset_class == "equity" for symbol in profile.gating_universe):
        policies.append("e1")
    return {policy: document(certification.limits_document(policy)["limits"]) for policy in policies}
