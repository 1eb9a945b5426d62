"""The workspace's continuous series on disk: built where the inputs or the policy have changed, else left alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctl import __version__, digests, ingest
from ctl.errors import DataError
from ctl.flows import inputs
from ctl.flows.series import canonical_series, require_root, write_series
from ctl.model.bars import AS_DELIVERED, SeriesChoice
from ctl.model.documents import document
from ctl.model.manifest import RollManifest
from ctl.model.rolls import ContinuousSeries, RollPolicy

if TYPE_CHECKING:
    from ctl.store import Workspace


@dataclass(frozen=True, slots=True)
class BuiltSeries:
    """A series on disk. unchanged: it was there already, from the same inputs and the same policy."""

    manifest: dict[str, Any]
    files: tuple[Path, ...]
    unchanged: bool


def build_symbol(
    workspace: Workspace,
    symbol: str,
    policy: RollPolicy | None = None,
    choice: SeriesChoice = AS_DELIVERED,
    *,
    csv: bool = False,
) -> BuiltSeries:
    """Build one future of the workspace; `policy` is the profile's, without one the root's liquid cycle by volume.

    choice: of the bars that the series is made of.

    Raises DataError for an equity and for contracts of another root, InputError for unreadable files.
    """
    config = workspace.symbol(symbol)
    if config.asset_class != "future":
        raise DataError(f"{symbol} is an equity: there is nothing to roll", expected="a future")
    chosen = inputs.with_cycle(policy or RollPolicy(), config.root, ingest.load_instruments())
    manifest_path = workspace.manifest_path(config.root)
    vendor = workspace.vendors[config.canonical]
    within = {"daily": None, "intraday": vendor.intraday if choice.bars == "session" else None}
    within["statistics"] = vendor.statistics if choice.closes == "settlement" else None
    folders = {
        key: workspace.vendor_folder(vendor.name, symbol, folder)
        for key, folder in within.items()
        if key == "daily" or folder is not None
    }
    identity = _identity(folders, chosen, choice, config.calendar)
    known = _known(manifest_path, identity)
    if known is not None and (not csv or f"{config.root}_continuous.csv" in known["outputs"]):
        files = tuple(manifest_path.parent / name for name in known["outputs"])
        return BuiltSeries(known, (*files, manifest_path), unchanged=True)
    held = inputs.read_symbol(workspace, symbol, policy=chosen, series=choice, with_reference=False)
    if held.contracts is not None:
        require_root(held.contracts, config.root, symbol)
    series = canonical_series(held, config.calendar)
    if not isinstance(series, ContinuousSeries):
        raise DataError(f"no contracts of {symbol} to build on")
    manifest = document(RollManifest.of(series, package_version=__version__))
    written = write_series(manifest_path.parent, config.root, series, {**manifest, "build_digest": identity}, csv=csv)
    return BuiltSeries(json.loads(written[-1].read_bytes()), tuple(written), unchanged=False)


def _identity(folders: Mapping[str, Path], policy: RollPolicy, choice: SeriesChoice, calendar: str) -> str:
    """Digest of everything that a build depends on; folders: of each kind of files that it reads."""

    def files(folder: Path) -> dict[str, str]:
        paths = sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
        return {path.name: digests.sha256_file(path) for path in paths}

    return digests.digest(
        {
            "inputs": {kind: files(folder) for kind, folder in folders.items()},
            "policy": document(policy),
            "series": choice.name,
            "calendar": calendar,
            "package_version": __version__,
        }
    )


def _known(manifest_path: Path, identity: str) -> dict[str, Any] | None:
    """The manifest on disk where it has this identity and every file it cites is there unaltered; else None."""
    try:
        manifest = json.loads(manifest_path.read_bytes())
        if not isinstance(manifest, dict) or manifest.get("build_digest") != identity:
            return None
        for name, sha256 in manifest["outputs"].items():
            if digests.sha256_file(manifest_path.parent / name) != sha256:
                return None
    except (OSError, ValueError, KeyError, AttributeError):
        return None  # missing, damaged or of an older form: build it again
    return manifest
