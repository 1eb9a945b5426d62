"""Canonical bars kept as Parquet beside the workspace, by the content of the files that they were read from.

A file whose content is known is not parsed again, a changed one is. Nothing here can make an answer wrong: an entry of
the cache is used only where it was made by the same readers, of the same content, for the same question; where it is
damaged, or cannot be written, the files are read. Per vendor, symbol and kind one entry is kept, of small files when
they are read a second time.
"""

from __future__ import annotations

import json
import os
import platform
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ctl import __version__, digests
from ctl.errors import WorkspaceError
from ctl.model.bars import UNFINISHED, ContractBars, ContractTerms, DailySeries, SeriesMeta
from ctl.model.contracts import Contract
from ctl.model.documents import document
from ctl.model.reference import Reference
from ctl.model.rolls import ReferenceRoll
from ctl.store.cache import Cache, Entry
from ctl.store.files import write_atomic

if TYPE_CHECKING:
    import polars as pl

    from ctl.store import Workspace

_LARGEST: Final = 1 << 31
"""Readers refuse what is larger, and say so."""

_LONG_TO_READ: Final = 1 << 24
"""Bytes of files whose bars are kept when they are first read. Of fewer, keeping costs as much as reading: they are
kept when they are asked for again."""

_SETTLED: Final = 3_000_000_000
"""ns that a file must have lain unchanged before its times vouch for its content: the coarsest clock of file systems
counts 2 s, so that two edits within it leave the same times."""

_READERS: Final = (
    "ingest", "model", "sessions.py", "calendar_corrections.py", "calendar_corrections.toml", "flows/inputs.py",
)  # fmt: skip
_LIBRARIES: Final = ("polars", "databento-dbn", "exchange_calendars", "pandas_market_calendars")

_Read = TypeVar("_Read", ContractBars, DailySeries, Reference)


@dataclass(frozen=True)
class _Plain:
    """What of bars is no frame."""

    meta: dict[str, SeriesMeta]
    contracts: tuple[Contract, ...] = ()
    terms: dict[str, ContractTerms] = field(default_factory=dict)
    vendor: str = ""
    stated_rolls: tuple[ReferenceRoll, ...] = ()


@dataclass(frozen=True)
class _Bars:
    """Bars without their frames. until: microseconds up to which the files and the command spoke when it was made."""

    until: int
    unfinished: bool
    plain: _Plain


class BarCache:
    """The bars in the cache of one workspace.

    keep: whether what is read is written down; commands that promise to write nothing only use what is there. anew:
    files are read in any case, as for a lock: whoever can write here can make an entry that looks whole.
    """

    def __init__(self, workspace: Workspace, *, keep: bool, anew: bool = False) -> None:
        self._workspace, self._keep, self._anew = workspace, keep, anew
        self._cache = Cache(workspace.cache_folder)

    def bars(
        self,
        kind: type[_Read],
        slot: tuple[str, ...],
        paths: Sequence[Path],
        asked: Mapping[str, Any],
        read: Callable[[], _Read],
        now: datetime | None = None,
    ) -> _Read:
        """What `read` makes of the files at `paths` (a folder stands for its files): from the cache, else read now.

        slot: vendor, symbol and kind of files, names that can stand in a path. asked: everything beside the files
        that the answer depends on, but the time: `now` is the instant of the command, at which a session must be over.
        """
        digest_of = self.digests(slot, paths)
        if digest_of is None:
            return read()
        named = [[self._workspace.relative(path), sha256] for path, sha256 in digest_of.items()]
        key = digests.digest({"readers": readers_version(), "files": named, "asked": document(dict(asked))})
        until = read_until(digest_of, now)
        entry = self._cache.load(slot, key)
        if entry is not None and entry.value is not None and not self._anew:
            with suppress(ValueError, KeyError, TypeError):
                bars = _bars().validate_python(entry.value)
                # Later than when it was made no session is unfinished that was finished then.
                if until >= bars.until and not bars.unfinished:
                    return _put_together(kind, bars.plain, entry.frames)
        found = read()
        if self._keep and entry is None and sum(path.stat().st_size for path in digest_of) < _LONG_TO_READ:
            self._cache.keep(slot, key, Entry(None))  # that they were read; most are not asked for again
        elif self._keep:
            plain, frames = _taken_apart(found)
            was_read = {source.sha256 for meta in plain.meta.values() for source in meta.sources}
            if was_read != set(digest_of.values()) and self.digests(slot, paths) != digest_of:
                return found  # the files changed meanwhile
            unfinished = any(meta.counts.get(UNFINISHED) for meta in plain.meta.values())
            self._cache.keep(slot, key, Entry(document(_Bars(until, unfinished, plain)), frames))
        return found

    def digests(self, slot: tuple[str, ...], paths: Sequence[Path]) -> dict[Path, str] | None:
        """The sha256 of every file, a folder standing for its files; None where one is no file that readers take.

        slot: beside which entry it is written down what was seen: what one symbol costs does not grow with the others.

        A file that has lain unchanged since its sha256 was taken is not read for it: its device, number, size and
        times are the evidence.
        """
        seen_path = self._cache.folder.joinpath(*slot, "seen.json")
        seen = _seen(seen_path)
        found: dict[Path, str] = {}
        new: dict[str, tuple[list[int], str]] = {}
        try:
            for path in _files(paths):
                before = path.stat()
                if not stat.S_ISREG(before.st_mode) or before.st_size > _LARGEST:
                    return None
                evidence, (known, sha256) = _evidence(before), seen.get(str(path), ([], ""))
                if known != evidence:
                    sha256 = digests.sha256_file(path)
                    new[str(path)] = (evidence, sha256)
                found[path] = sha256
        except OSError:
            return None
        if new and self._keep:
            # Of files that changed so lately that a further edit might not show, what was seen does not count: `_seen`.
            kept = {path: known for path, known in seen.items() if Path(path) in found} | new
            with suppress(WorkspaceError):
                write_atomic(seen_path, json.dumps(kept).encode(), durable=False)
        return found


def _seen(path: Path) -> dict[str, tuple[list[int], str]]:
    """By file the evidence and the sha256, of files that had settled when that was written down, by the same clock."""
    try:
        written, found = path.stat().st_mtime_ns, json.loads(path.read_bytes())
        return {
            name: (evidence, sha256) for name, (evidence, sha256) in found.items()
            if isinstance(sha256, str) and max(evidence[3:]) < written - _SETTLED
        }  # fmt: skip
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(inside for inside in path.iterdir() if not inside.name.startswith("."))
        else:
            yield path


def _evidence(found: os.stat_result) -> list[int]:
    return [found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def read_until(paths: Mapping[Path, str], now: datetime | None) -> int:
    """Up to where files that state no end speak, and the command may know, in microseconds."""
    written = min((path.stat().st_mtime_ns // 1000 for path in paths), default=0)
    return written if now is None else min(written, int(now.timestamp() * 1e6))


@cache
def readers_version() -> str:
    """Digest of everything that reads files: our code and data, and the versions of the libraries under it."""
    return _version(_READERS, _LIBRARIES)


@cache
def package_version() -> str:
    """Digest of all code and data of this package, and the versions of what computes under it."""
    return _version((".",), (*_LIBRARIES, "numpy", "numba"))


def _version(names: Sequence[str], libraries: Sequence[str]) -> str:
    package = files("ctl")
    found: dict[str, str] = {"ctl": __version__, "python": platform.python_version()}
    for name in names:
        top = Path(str(package.joinpath(name)))
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.suffix in {".py", ".toml"}:
                found[path.relative_to(top.parent).as_posix()] = digests.sha256_file(path) if path.is_file() else ""
    for library in libraries:
        with suppress(metadata.PackageNotFoundError):
            found[library] = metadata.version(library)
    return digests.digest(found)


# ---------------------------------------------------------------- entries


def _taken_apart(found: ContractBars | DailySeries | Reference) -> tuple[_Plain, dict[str, pl.DataFrame]]:
    if isinstance(found, ContractBars):
        return _Plain({"bars": found.meta}, found.contracts, dict(found.terms)), {"bars": found.frame}
    if isinstance(found, DailySeries):
        return _Plain({"bars": found.meta}), {"bars": found.frame}
    sides = {"adjusted": found.adjusted, "unadjusted": found.unadjusted}
    there = {name: side for name, side in sides.items() if side is not None}
    plain = _Plain(
        {name: side.meta for name, side in there.items()}, vendor=found.vendor, stated_rolls=found.stated_rolls
    )
    return plain, {name: side.frame for name, side in there.items()}


def _put_together(kind: type[_Read], plain: _Plain, frames: Mapping[str, pl.DataFrame]) -> _Read:
    made: ContractBars | DailySeries | Reference
    if kind is ContractBars:
        made = ContractBars(frames["bars"], plain.meta["bars"], plain.contracts, plain.terms)
    elif kind is DailySeries:
        made = DailySeries(frames["bars"], plain.meta["bars"])
    else:
        sides = {name: DailySeries(frame, plain.meta[name]) for name, frame in frames.items()}
        made = Reference(plain.vendor, sides.get("adjusted"), sides.get("unadjusted"), plain.stated_rolls)
    if not isinstance(made, kind):
        raise TypeError(f"an entry of {type(made).__name__}, asked for {kind.__name__}")
    return made


@cache
def _bars() -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(_Bars)
