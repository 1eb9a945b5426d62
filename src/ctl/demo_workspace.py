"""A complete simulated workspace in a folder: raw files, ctl.toml, and a profile locked on the clean market."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from ctl import demo, operating_profile, portfolio, store
from ctl.digests import sha256_bytes
from ctl.errors import UsageError

PROFILE: Final = "configs/cutover/operating_profile_v1.yaml"
RECORD: Final = "data/raw/simulated_files.json"


@dataclass(frozen=True, slots=True)
class Filled:
    """What a folder was filled with. profile_kept: a profile other than the one derived here stood there and stays."""

    workspace: store.Workspace
    raw_files: int
    raw_bytes: int
    injected: tuple[tuple[str, str], ...]
    profile_kept: bool


def fill(folder: Path, inject: Sequence[tuple[str, str]] = ()) -> Filled:
    """Make `folder` a simulated workspace; a simulated one that is there already is filled anew.

    The profile is locked on the clean market, then the injected raw files replace the clean ones: what the
    gate says of them is what it would say of a vendor's. Raises UsageError for a folder that holds a real workspace.
    """
    _require_ours(folder)
    clean = demo.generate()
    injected = demo.generate(inject=inject) if inject else clean
    _write_raw(folder, clean)
    workspace = store.Workspace.load(folder)
    kept = _write_profile(workspace)
    if inject:
        _write_raw(folder, injected)
    return Filled(
        workspace=workspace,
        raw_files=len(injected) - 1,
        raw_bytes=sum(len(data) for data in injected.values()),
        injected=tuple(inject),
        profile_kept=kept,
    )


def _require_ours(folder: Path) -> None:
    """Refuse a folder whose workspace is not simulated: its files are somebody's data."""
    if (folder / "ctl.toml").exists() and not store.Workspace.load(folder).simulated:
        raise UsageError(
            "the folder holds a workspace that is not simulated",
            where=str(folder),
            remedy="name another folder: ctl demo DIR",
        )


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
    """Lock the packaged profile on the files on disk; True where a different profile stood there and stays."""
    template = files("ctl.demo").joinpath("operating_profile_v1.yaml").read_bytes()
    profile = operating_profile.load(template, PROFILE, require_lock=False)
    lock, bars = portfolio.derive_lock(workspace, profile)
    for symbol, frame in bars.items():
        buffer = io.BytesIO()
        frame.write_parquet(buffer, compression="zstd")
        store.write_atomic(workspace.locked_bars(symbol), buffer.getvalue())
    derived = operating_profile.with_lock(template, lock, name=PROFILE)
    path = workspace.root / PROFILE
    if path.is_file():
        return path.read_bytes() != derived
    store.write_atomic(path, derived)
    return False
