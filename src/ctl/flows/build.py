"""The workspace's continuous series on disk: built where the inputs or the policy have changed, else left alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctl import __version__, digests
from ctl.errors import DataError
from ctl.flows import inputs
from ctl.flows.bar_cache import BarCache
from ctl.flows.series import canonical_series, require_root, write_series
from ctl.model.bars import AS_DELIVERED, UNFINISHED, SeriesChoice
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
    instant: datetime,
    csv: bool = False,
) -> BuiltSeries:
    """Build one future of the workspace; `policy` is the profile's, without one the root's liquid cycle by volume.

    choice: of the bars that the series is made of. instant: of the command, at which a session must be over to count.

    Raises DataError for an equity and for contracts of another root, InputError for unreadable files.
    """
    config = workspace.symbol(symbol)
    if config.asset_class != "future":
        raise DataError(f"{symbol} is an equity: there is nothing to roll", expected="a future")
    chosen = inputs.with_cycle(policy or RollPolicy(), config.root, inputs.instruments_of(workspace))
    manifest_path = workspace.manifest_path(config.root)
    identity = _identity(inputs.contracts_identity(workspace, symbol, choice), chosen, choice, config.calendar)
    known = _known(workspace, manifest_path, identity, instant)
    if known is not None and (not csv or f"{config.root}_continuous.csv" in known["outputs"]):
        files = tuple(manifest_path.parent / name for name in known["outputs"])
        return BuiltSeries(known, (*files, manifest_path), unchanged=True)
    held = inputs.read_symbol(
        workspace, symbol, policy=chosen, series=choice, with_reference=False, now=instant, keep=True
    )
    if held.contracts is not None:
        require_root(held.contracts, config.root, symbol)
    series = canonical_series(held, config.calendar)
    if not isinstance(series, ContinuousSeries):
        raise DataError(f"no contracts of {symbol} to build on")
    manifest = document(RollManifest.of(series, package_version=__version__))
    written = write_series(manifest_path.parent, config.root, series, {**manifest, "build_digest": identity}, csv=csv)
    return BuiltSeries(json.loads(written[-1].read_bytes()), tuple(written), unchanged=False)


def _identity(
    contracts: Mapping[str, Any] | None, policy: RollPolicy, choice: SeriesChoice, calendar: str
) -> str | None:
    """Digest of everything that a build depends on; None where the contracts cannot be identified."""
    if contracts is None:
        return None
    return digests.digest(
        {
            "inputs": dict(contracts),
            "policy": document(policy),
            "series": choice.name,
            "calendar": calendar,
            "package_version": __version__,
        }
    )


def _known(workspace: Workspace, manifest_path: Path, identity: str | None, instant: datetime) -> dict[str, Any] | None:
    """The manifest on disk where it has this identity, every file it cites is there unaltered, and the instant takes
    no session from it or gives it one; else None.
    """
    try:
        manifest = json.loads(manifest_path.read_bytes())
        if identity is None or not isinstance(manifest, dict) or manifest.get("build_digest") != identity:
            return None
        over = datetime.combine(date.fromisoformat(manifest["last_session"]) + timedelta(days=1), time(tzinfo=UTC))
        if manifest["counts"].get(UNFINISHED) or over > instant:
            return None
        outputs = {manifest_path.parent / name: sha256 for name, sha256 in manifest["outputs"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # missing, damaged or of an older form: build it again
    slot = "built", manifest_path.parent.name
    return manifest if BarCache(workspace, keep=True).digests(slot, list(outputs)) == outputs else None
