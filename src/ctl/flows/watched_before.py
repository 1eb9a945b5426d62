"""What a gate found of a symbol beside its lock, kept for the next gate on the very same files, lock and code.

Of the bars that passed gates kept only those count that read otherwise: the first gate on new data keeps its own, which
are no news to the second.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Final

from ctl import digests
from ctl.errors import DataError
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
    passes: str  # digest of the passed gates' files that were read


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

    def depends_on() -> tuple[str, str] | None:
        locked, passes = (bars.digests(slot, paths) for paths in (kept.locked_paths(symbol, lock.inputs), kept.passes))
        if locked is None or passes is None:
            return None
        files = {workspace.relative(path): sha256 for path, sha256 in locked.items()}
        on = {"certificate": certified_on, "lock": lock.sha256, "expected": lock.expected, "ratchet": lock.ratchet}
        return digests.digest({**on, "files": files}), digests.digest(list(passes.values()))

    on = depends_on()
    entry = None if on is None else cache.load(slot, on[0])
    if entry is not None and on is not None:
        with suppress(ValueError, KeyError, TypeError, DataError):
            value: _Kept = _reading().validate_python(entry.value)
            after = entry.frames["after"]
            if value.passes == on[1] or (not value.restatements and kept.passed_the_same(symbol, after, lock.symbol)):
                return Watched(**{name: getattr(value, name) for name in _PLAIN}, after=after)
    made = watch()
    lasting = keep and not (made.ours_lack or made.theirs_lack or made.missing)
    if lasting and made.after is not None and on is not None and depends_on() == on:
        value = _Kept(**{name: getattr(made, name) for name in _PLAIN}, passes=on[1])
        cache.keep(slot, on[0], Entry(document(value), {"after": made.after}))
    return made


_PLAIN: Final = tuple(item.name for item in fields(_Kept) if item.name != "passes")
