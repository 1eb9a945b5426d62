"""What a gate found of a symbol beside its lock, kept for the next gate on the very same files, lock and code.

Of the bars that passed gates kept only those count that read otherwise: the first gate on new data keeps its own, which
are no news to the second.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any, Final

from ctl import digests
from ctl.errors import DataError
from ctl.flows.bar_cache import BarCache
from ctl.flows.kept_bars import KeptBars, nothing_after
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
    place = _Place(workspace, symbol, certified_on, lock, kept, keep=keep)
    found = place.load()
    if found is not None:
        return found
    on = place.depends_on()
    made = watch()
    if keep and place.depends_on() == on:
        place.keep(on, made)
    return made


def just_locked(
    workspace: Workspace, symbol: str, certified_on: str, lock: Locked, kept: KeptBars, made: Watched
) -> None:
    """Keep for the next gate what holds of a symbol whose bars were just locked, and written, as they were certified:
    none of them was restated. made: what was found beside that lock. The rest: as for `watched`.
    """
    place = _Place(workspace, symbol, certified_on, lock, kept, keep=True)
    place.keep(place.depends_on(), replace(made, after=nothing_after()))


class _Place:
    """Where it is kept, and under what."""

    def __init__(
        self, workspace: Workspace, symbol: str, certified_on: str, lock: Locked, kept: KeptBars, *, keep: bool
    ) -> None:
        self._workspace, self._symbol, self._lock, self._kept = workspace, symbol, lock, kept
        self._cache, self._slot = Cache(workspace.cache_folder), ("watched", symbol)
        self._bars = BarCache(workspace, keep=keep)
        self._on = {
            "certificate": certified_on, "lock": lock.sha256, "expected": lock.expected, "ratchet": lock.ratchet
        }  # fmt: skip

    def depends_on(self) -> tuple[str, str] | None:
        """A digest of all it depends on but the passed gates' files, and one of those; None where it cannot be told."""
        paths = self._kept.locked_paths(self._symbol, self._lock.inputs), self._kept.passes
        locked, passes = (self._bars.digests(self._slot, each) for each in paths)
        if locked is None or passes is None:
            return None
        files = {self._workspace.relative(path): sha256 for path, sha256 in locked.items()}
        return digests.digest({**self._on, "files": files}), digests.digest(list(passes.values()))

    def load(self) -> Watched | None:
        """What is kept, where it still holds."""
        on = self.depends_on()
        entry = None if on is None else self._cache.load(self._slot, on[0])
        if entry is not None and on is not None:
            with suppress(ValueError, KeyError, TypeError, DataError):
                value: _Kept = _reading().validate_python(entry.value)
                after = entry.frames["after"]
                if value.passes == on[1] or (
                    not value.restatements and self._kept.passed_the_same(self._symbol, after, self._lock.symbol)
                ):
                    return Watched(**{name: getattr(value, name) for name in _PLAIN}, after=after)
        return None

    def keep(self, on: tuple[str, str] | None, made: Watched) -> None:
        """Keep what was found, unless time decides on it."""
        if on is None or made.after is None or made.ours_lack or made.theirs_lack or made.missing:
            return
        value = _Kept(**{name: getattr(made, name) for name in _PLAIN}, passes=on[1])
        self._cache.keep(self._slot, on[0], Entry(document(value), {"after": made.after}))


_PLAIN: Final = tuple(item.name for item in fields(_Kept) if item.name != "passes")
