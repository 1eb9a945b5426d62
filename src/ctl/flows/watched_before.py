"""What a gate found of a symbol beside its lock, kept for the next gate on the very same files, lock and code."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from ctl import digests
from ctl.flows.bar_cache import BarCache
from ctl.flows.kept_bars import KeptBars
from ctl.flows.watching import Locked, Watched
from ctl.model.documents import document
from ctl.model.findings import Reason
from ctl.model.locked import DataTo
from ctl.model.run import Restatement, SymbolState
from ctl.since_lock.ratchet import Judged
from ctl.store import Workspace
from ctl.store.cache import Cache, Entry


@dataclass(frozen=True)
class _Kept:
    """`Watched` without its bars, which are a table, and without sessions that are lacking: time decides on those."""

    judged: Judged | None
    missing: Reason | None
    restatements: tuple[Restatement, ...]
    data_to: DataTo
    contradicted: tuple[Reason, ...]
    changed: tuple[Reason, ...]
    state: SymbolState


@cache
def _reading() -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(_Kept)


def watched(
    workspace: Workspace,
    symbol: str,
    certified_on: str,
    lock: Locked,
    kept: KeptBars,
    watch: Callable[[], Watched],
    *,
    keep: bool,
) -> Watched:
    """What `watch` finds of a symbol, or an earlier gate found.

    certified_on: digest of all that its certificate depends on. kept: earlier readings, told by the content of their
    files. keep: whether what is found now is kept.
    """
    cache, slot = Cache(workspace.cache_folder), ("watched", symbol)
    bars = BarCache(workspace, keep=keep)
    paths = kept.paths(symbol, lock.inputs)

    def depends_on() -> str | None:
        found = bars.digests(slot, paths)
        if found is None:
            return None
        files = {workspace.relative(path): sha256 for path, sha256 in found.items()}
        return digests.digest(
            {"certificate": certified_on, "lock": lock.sha256, "expected": lock.expected, "ratchet": lock.ratchet,
             "files": files}
        )  # fmt: skip

    on = depends_on()
    entry = None if on is None else cache.load(slot, on)
    if entry is not None:
        with suppress(ValueError, KeyError, TypeError):
            value: _Kept = _reading().validate_python(entry.value)
            parts = {item.name: getattr(value, item.name) for item in fields(_Kept)}
            return Watched(**parts, after=entry.frames["after"])
    made = watch()
    lasting = keep and not (made.ours_lack or made.theirs_lack or made.missing)
    if lasting and made.after is not None and on is not None and depends_on() == on:
        value = _Kept(**{item.name: getattr(made, item.name) for item in fields(_Kept)})
        cache.keep(slot, on, Entry(document(value), {"after": made.after}))
    return made
