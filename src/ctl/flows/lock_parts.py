"""What a lock file holds, derived from the workspace's files and this package; and the lock file beside a profile."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ctl import certification, digests, operating_profile, store
from ctl.errors import DecisionLogError
from ctl.flows import kept_bars, signing
from ctl.flows.locked_workspace import Windows, locked_workspace, terms_of
from ctl.gatekeeper import CurrentParts, LockRead
from ctl.model.documents import document
from ctl.model.findings import Reason
from ctl.model.lock_file import LockedInputs, LockedSide, LockedStrategy, LockedText, LockFile
from ctl.store import anchors, decision_log
from ctl.strategy import registry

if TYPE_CHECKING:
    from ctl.flows.inputs import SymbolInputs
    from ctl.model.locked import LockedSymbol
    from ctl.operating_profile import OperatingProfile
    from ctl.store import Workspace
    from ctl.store.decision_log import DecisionEntry


def derive(
    workspace: Workspace,
    profile: OperatingProfile,
    inputs: Mapping[str, LockedInputs],
    symbols: Mapping[str, LockedSymbol],
    *,
    previous_head: str | None,
) -> LockFile:
    """The lock file that the workspace's files and this package give a profile.

    inputs: of the gating symbols on all sessions. symbols: what their certificates say of them. previous_head: of the
    decision log before the lock's entry.
    """
    current = current_parts(workspace, profile, windows_of(inputs))
    return LockFile(
        previous_head=previous_head,
        profile=LockedText(profile.name, profile.sha256, profile.text),
        thresholds=current.thresholds,
        strategy=current.strategy,
        symbols=symbols,
        workspace=current.workspace,
        inputs={symbol: inputs[symbol] for symbol in profile.gating_universe},
    )


def inputs_of(held: SymbolInputs) -> LockedInputs:
    """What a lock file holds of what was read of a symbol on all sessions."""
    sides = {
        table.series: LockedSide(
            dict(sorted((source.name, source.sha256) for source in table.meta.sources)),
            kept_bars.digest(table.frame),
            operating_profile.session_ranges(table.frame, symbol=held.symbol),
        )
        for table in kept_bars.tables(held)
    }
    ours = next(series for series in sides if series in kept_bars.CANONICAL)
    return LockedInputs(sides.pop(ours), sides, terms_of(held))


def current_parts(workspace: Workspace, profile: OperatingProfile, windows: Windows) -> CurrentParts:
    """What runs now, in the form in which a lock file holds it.

    windows: by gating symbol the first and last locked session, both inclusive.
    """
    return CurrentParts(
        thresholds=_thresholds(profile),
        strategy=locked_strategy(profile.strategy),
        workspace=locked_workspace(workspace, profile, windows),
    )


def windows_of(inputs: Mapping[str, LockedInputs]) -> Windows:
    """The first and last locked session of every symbol."""
    sides = {symbol: held.canonical.sessions for symbol, held in inputs.items()}
    return {symbol: (found[0].first, found[-1].last) for symbol, found in sides.items() if found}


def locked_strategy(name: str) -> LockedStrategy:
    """The strategy of that name as a lock file holds it. Raises ProfileError for one that cannot be used."""
    fingerprint, offered = registry.fingerprint(registry.find(name)), registry.offered(name)
    if offered is None:
        return LockedStrategy(name, fingerprint)
    home = offered.dist
    return LockedStrategy(
        name,
        fingerprint,
        None if home is None else home.name,
        None if home is None else home.version,
        _source(offered.module),
    )


def _source(module: str) -> str:
    """sha256 over the names and contents of the files of a module's top package, or of its one file.

    Links are followed, as the import follows them.
    """
    found = importlib.util.find_spec(module.partition(".")[0])
    files: dict[str, str] = {}
    for folder in (found.submodule_search_locations or ()) if found is not None else ():
        walked: set[str] = set()
        for place, below, names in os.walk(folder, followlinks=True):
            real = os.path.realpath(place)
            if Path(place).name == "__pycache__" or real in walked:
                below.clear()
                continue
            walked.add(real)
            below.sort()
            for path in (Path(place, name) for name in names):
                if path.is_file():
                    files[path.relative_to(folder).as_posix()] = digests.sha256_file(path)
    if found is not None and not files and found.origin is not None:
        files[Path(found.origin).name] = digests.sha256_file(Path(found.origin))
    return digests.digest(files)


def lock_bytes(lock: LockFile) -> bytes:
    """The bytes of a lock file."""
    return store.json_bytes(document(lock))


def read_lock(workspace: Workspace, profile: OperatingProfile, *, instant: datetime) -> LockRead:
    """The lock file beside a profile, held against the decision log, and the clock against every record.

    Raises WorkspaceError where the log cannot be read.
    """
    path = workspace.root / profile.name
    on_disk = anchors.read_lock(workspace, path)
    problems = [] if on_disk.problem is None else [on_disk.problem]
    entries: tuple[DecisionEntry, ...] = ()
    signed = signing.Signed()
    try:
        entries = decision_log.read(workspace)
    except DecisionLogError as error:
        problems.append(Reason("LOG_CONTRADICTED", "ERROR", str(error)))
    else:
        problems += anchors.contradictions(workspace, path, on_disk, entries)
        problems += anchors.recorded_heads(workspace, entries, _NEWEST_CITATIONS)
        signed = signing.of_lock(workspace, profile, entries)
        problems += signed.problems
    problems += anchors.missing_pass(workspace, on_disk.sha256)
    doubtful = anchors.doubtful_clock(workspace, entries, instant)
    problems += [] if doubtful is None else [doubtful]
    if profile.cycle_id != workspace.cycle_id:
        text = f"ctl.toml says {workspace.cycle_id}, the profile {profile.cycle_id}: `ctl lock --cycle NAME` opens one"
        problems.append(Reason("CYCLE_MISMATCH", "ERROR", text))
    contradicted = any(problem.code == "LOG_CONTRADICTED" for problem in problems)
    head = entries[-1].sha256 if entries and not contradicted else None
    notes = tuple(anchors.contradicted_records(workspace))
    if workspace.unfinished:
        text = f"ctl lock did not finish: ctl.toml does not name {profile.name} yet, which is in force; run it again"
        notes = (*notes, Reason("LOCK_UNFINISHED", "WATCH", text))
    entry = decision_log.locking(entries, workspace.relative(path))
    return LockRead(
        on_disk.lock,
        tuple(problems),
        on_disk.sha256,
        head,
        workspace.config_sha256,
        None if entry is None else entry.id,
        notes,
        signed.by,
    )


_NEWEST_CITATIONS: Final = 4


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
