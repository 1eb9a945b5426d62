"""What a shell completes: symbols, causes, parameters, strategies and past runs. Fails to nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ctl.errors import CtlError

if TYPE_CHECKING:
    from ctl.store import Workspace


def symbols(context: typer.Context, incomplete: str) -> list[str]:
    """Symbols of the workspace that are not named yet."""
    workspace = _workspace(context)
    named = context.params.get("symbols") or ()
    known = () if workspace is None else workspace.symbols
    return [name for name in known if name.startswith(incomplete.upper()) and name not in named]


def causes(incomplete: str) -> list[str]:
    """`CAUSE:`, then `CAUSE:SYMBOL`."""
    from ctl import demo

    cause, colon, symbol = incomplete.partition(":")
    if not colon:
        return [f"{name}:{one}" for name in demo.CAUSES if name.startswith(cause) for one in demo.symbols_of(name)]
    known = demo.symbols_of(cause) if cause in demo.CAUSES else ()
    return [f"{cause}:{name}" for name in known if name.startswith(symbol.upper())]


def parameters(incomplete: str) -> list[str]:
    """`NAME=` of B1."""
    from ctl.strategy.b1.parameters import registered_ranges

    return [f"{name}=" for name in registered_ranges("daily") if name.startswith(incomplete)]


def strategies(incomplete: str) -> list[str]:
    """Installed strategies."""
    from ctl.strategy import registry

    return [name for name in registry.installed() if name.startswith(incomplete)]


def runs(context: typer.Context, incomplete: str) -> list[str]:
    """Names of past runs, the newest first, and `last`."""
    workspace = _workspace(context)
    folders = () if workspace is None else (workspace.ops_logs, workspace.run_summaries)
    names = {path.name[:15] for folder in folders if folder.is_dir() for path in folder.glob("*.json")}
    return [name for name in ("last", *sorted(names, reverse=True)) if name.startswith(incomplete)]


def _workspace(context: typer.Context) -> Workspace | None:
    from ctl.store import Workspace

    named = context.params.get("workspace")
    try:
        return Workspace.find(Path.cwd()) if named is None else Workspace.load(Path(named))
    except CtlError:
        return None
