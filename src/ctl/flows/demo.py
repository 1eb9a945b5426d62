"""A complete simulated workspace in a folder: raw files, ctl.toml, and a profile locked on the clean market."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from ctl import demo, store
from ctl.demo import decisions
from ctl.digests import sha256_bytes
from ctl.errors import UsageError
from ctl.flows import compile_ahead, lock
from ctl.store.decision_log import Decision
from ctl.tracking import Track, untracked

PROFILE: Final = "configs/cutover/operating_profile_v1.yaml"
RECORD: Final = "data/raw/simulated_files.json"

_CONFIG: Final = "ctl.toml"


@dataclass(frozen=True, slots=True)
class Filled:
    """What a folder was filled with. profile_kept: a profile other than the one derived here stood there and stays."""

    workspace: store.Workspace
    raw_files: int
    raw_bytes: int
    injected: tuple[tuple[str, str], ...]
    profile_kept: bool


def fill(folder: Path, inject: Sequence[tuple[str, str]] = (), *, track: Track = untracked) -> Filled:
    """Make `folder` a simulated workspace; a simulated one that is there already is filled anew.

    The profile is locked on the clean market, then the injected raw files replace the clean ones: what the
    gate says of them is what it would say of a vendor's. Raises UsageError for a folder that holds a real workspace.
    """
    held = _held(folder)
    later = held is not None and held.profile_path != held.root / PROFILE
    step = iter(track(("clean market", "defects", "files", "profile")))
    compiling = compile_ahead.start()
    next(step)
    clean = demo.generate()
    next(step)
    injected = demo.generate(inject=inject) if inject else clean
    if later:
        # A later version is in force: its ctl.toml and the bars it was locked on are not ours to replace.
        clean, injected = (
            {name: data for name, data in content.items() if name != _CONFIG} for content in (clean, injected)
        )
    next(step)
    _write_raw(folder, clean)
    workspace = store.Workspace.load(folder)
    compile_ahead.finish(compiling)
    next(step)
    kept = later or _write_profile(workspace)
    if inject:
        _write_raw(folder, injected)
    return Filled(
        workspace=workspace,
        raw_files=sum(name != _CONFIG for name in injected),
        raw_bytes=sum(len(data) for data in injected.values()),
        injected=tuple(inject),
        profile_kept=kept,
    )


def _held(folder: Path) -> store.Workspace | None:
    """The simulated workspace in `folder`, if any. Refuses one that is not simulated: its files are somebody's data."""
    if not (folder / _CONFIG).exists():
        return None
    held = store.Workspace.load(folder)
    if not held.simulated:
        raise UsageError(
            "the folder holds a workspace that is not simulated",
            where=str(folder),
            remedy="name another folder: ctl demo DIR",
        )
    return held


def _write_raw(folder: Path, content: Mapping[str, bytes]) -> None:
    """Write what differs, and remove what an earlier filling wrote and this one does not."""
    record = folder / RECORD
    earlier: dict[str, str] = json.loads(record.read_bytes()) if record.is_file() else {}
    for name in earlier.keys() - content.keys():
        path = folder / name
        if path.is_file() and sha256_bytes(path.read_bytes()) == earlier[name]:
            path.unlink()
    written = {name: sha256_bytes(data) for name, data in content.items()}
    store.write_atomic(record, store.json_bytes({name: written[name] for name in sorted(written)}))
    for name, data in content.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != data:
            store.write_atomic(path, data)


def _write_profile(workspace: store.Workspace) -> bool:
    """Lock the packaged profile on the files on disk; True where another profile, lock or log stood there and stays."""
    template = files("ctl.demo").joinpath("operating_profile_v1.yaml").read_bytes()
    said = [Decision(id=key, decision=text) for key, text in decisions.DECISIONS]
    at = [decision.id for decision in said].index(decisions.LOCKED_BY)
    return lock.first_lock(
        workspace, template, reason=decisions.LOCK_REASON, instant=decisions.LOCKED_AT,
        before=said[:at], named=said[at], after=said[at + 1 :],
    )  # fmt: skip
