"""Retention of run summaries and ops logs, by age, count and size together.

The unit is a record: the files of one run, that is an ops log, or a run summary with its trades. Only
files of the cycle's own naming pattern in its own folders are looked at, and no link is followed. A
record that is one of the newest four of its kind, or that the decision log or a certificate cites, always stays. Where
the clock has jumped, everything stays: one false reading must not destroy what cannot be made again.
"""

from __future__ import annotations

import heapq
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

from ctl import store
from ctl.digests import sha256_file
from ctl.model.run import Retention, RetentionItem
from ctl.store.files import TEMPORARY

DEFAULT_DAYS: Final = 45
KEPT_OF_A_KIND: Final = 4
CLOCK_DOUBTFUL: Final = "CLOCK_DOUBTFUL"
_AT_ONCE: Final = 8

_STEM: Final = r"(?P<stamp>\d{8}_\d{6})(?:_(?P<number>[1-9]\d{0,3}))?"
_PATTERNS: Final = {
    "run_summaries": (re.compile(_STEM + r"_portfolio_run\.json"), re.compile(_STEM + r"_trades\.parquet")),
    "ops_logs": (re.compile(_STEM + r"_ops\.json"),),
    "passes": (re.compile(_STEM + r"_bars\.parquet"),),
}
# Written by the very run that asks: they say nothing about the clock.
_OF_THE_RUN: Final = "passes"
# What a citation looks like: the name of one of our files, or the digest of any.
_CITATION: Final = re.compile(
    rb"\d{8}_\d{6}(?:_[1-9]\d{0,3})?_(?:portfolio_run\.json|trades\.parquet|ops\.json)|[0-9a-f]{64}"
)


@dataclass(frozen=True, slots=True)
class RetentionLimits:
    """What to keep at most; None sets no limit. A record of exactly `days` days is kept.

    max_files: records per folder. max_mb: megabytes (10**6 bytes) of all records together.
    """

    days: int | None = DEFAULT_DAYS
    max_files: int | None = None
    max_mb: float | None = None


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    pattern: int


@dataclass(frozen=True, slots=True)
class _Record:
    """The files of one run in one folder, oldest first by (stamp, number)."""

    folder: Path
    stamp: datetime
    number: int
    files: tuple[_File, ...]

    @property
    def age_key(self) -> tuple[datetime, int]:
        return (self.stamp, self.number)


def retain(
    workspace: store.Workspace,
    limits: RetentionLimits,
    *,
    instant: datetime,
    dry_run: bool,
    own: Collection[str] = (),
) -> Retention:
    """Remove what the limits do not keep; a dry run only says what it would remove. Never raises OSError.

    instant: the command's reading of the clock; ages are counted from the stamp in a file's name to it. own: names of
    the files that this very run has written, which say nothing about the clock.
    Call it while holding the run lock: temporary files found then are left over from killed runs.
    """
    return _Sweep(workspace, limits, instant, dry_run=dry_run, own=frozenset(own)).run()


def newest_ops_logs(folder: Path, most: int) -> list[Path]:
    """The newest ops logs of a folder by the stamp and number in their names; an absent folder has none."""
    (pattern,) = _PATTERNS["ops_logs"]
    try:
        found = [match for name in os.listdir(folder) if (match := pattern.fullmatch(name))]  # noqa: PTH208
    except OSError:
        return []
    newest = heapq.nlargest(most, found, key=lambda match: (match["stamp"], int(match["number"] or 1)))
    return [folder / match.string for match in newest]


class _Sweep:
    """One pass over the folders, and what it did."""

    def __init__(
        self,
        workspace: store.Workspace,
        limits: RetentionLimits,
        instant: datetime,
        *,
        dry_run: bool,
        own: frozenset[str],
    ) -> None:
        self._workspace, self._limits, self._instant, self._dry_run = workspace, limits, instant, dry_run
        self._own = own
        self._taken: list[tuple[Path, _File, RetentionItem]] = []
        self._kept: list[RetentionItem] = []
        self._problems: list[str] = []
        self._citations: Mapping[bytes, str] | None = None

    def run(self) -> Retention:
        records: list[_Record] = []
        for kind, patterns in _PATTERNS.items():
            records += self._scanned(self._workspace.cycle / kind, patterns)
        records.sort(key=lambda record: (record.age_key, record.folder.name))
        doubt = self._clock_doubt(records)
        if doubt is None:
            newest = {id(record) for record in _newest(records)}
            excess = self._excess_by_age_and_count(records)
            left: list[_Record] = []
            for record in records:
                reason = excess.get(id(record))
                if reason is None or not self._take(record, reason, newest=id(record) in newest):
                    left.append(record)
            self._cut_to_size(left, newest, considered=excess)
        else:
            self._problems.append(doubt)
        return Retention(
            self._dry_run,
            self._limits.days,
            self._limits.max_files,
            self._limits.max_mb,
            tuple(self._removed()),
            tuple(self._kept),
            tuple(self._problems),
        )

    def _clock_doubt(self, records: Sequence[_Record]) -> str | None:
        """Why the clock cannot be trusted with removals, or None.

        The instant, and each of the newest records up to it, must lie within twice the retention age of the record
        before: also a clock that is ahead for the second time finds the gap that the first time left.
        """
        if self._limits.days is None:
            return None
        stamps = {
            record.stamp
            for record in records
            if record.folder.name != _OF_THE_RUN
            and record.stamp <= self._instant
            and self._own.isdisjoint(file.name for file in record.files)
        }
        chain = [self._instant, *heapq.nlargest(KEPT_OF_A_KIND, stamps)]
        for later, earlier in pairwise(chain):
            if later - earlier > timedelta(days=2 * self._limits.days):
                return (
                    f"{CLOCK_DOUBTFUL}: nothing is removed: {later:%Y-%m-%d} lies more than twice the retention age "
                    f"({2 * self._limits.days} days) after the record before it, {earlier:%Y-%m-%d}; check the clock"
                )
        return None

    def _scanned(self, folder: Path, patterns: Sequence[re.Pattern[str]]) -> list[_Record]:
        link = _link_within(self._workspace.root, folder)
        if link is not None:
            self._problems.append(f"{self._workspace.relative(link)} is a link, which retention does not follow")
            return []
        try:
            records, temporaries = _scan(folder, patterns)
        except OSError as error:
            self._problems.append(f"{self._workspace.relative(folder)}: {error.strerror}")
            return []
        self._remove(folder, temporaries, "left over from a killed run")
        return records

    def _excess_by_age_and_count(self, records: Sequence[_Record]) -> dict[int, str]:
        """The reason of each record (by id) that is beyond the age or count limit."""
        excess: dict[int, str] = {}
        if self._limits.max_files is not None:
            for kind in _PATTERNS:
                ranked = [record for record in reversed(records) if record.folder.name == kind]
                for record in ranked[self._limits.max_files :]:
                    excess[id(record)] = f"beyond the newest {self._limits.max_files}"
        if self._limits.days is not None:
            for record in records:
                if self._instant - record.stamp > timedelta(days=self._limits.days):
                    excess[id(record)] = f"older than {self._limits.days} days"
        return excess

    def _cut_to_size(self, records: Sequence[_Record], newest: set[int], *, considered: dict[int, str]) -> None:
        """Take records, oldest first, until the rest is within the size limit."""
        if self._limits.max_mb is None:
            return
        sizes = {id(record): sum(_size(record.folder, file) for file in record.files) for record in records}
        total = sum(sizes.values())
        for record in records:
            if total <= self._limits.max_mb * 1e6:
                return
            if id(record) in considered:
                continue  # a rule has already kept it
            if self._take(record, f"beyond {self._limits.max_mb:g} MB", newest=id(record) in newest):
                total -= sizes[id(record)]

    def _take(self, record: _Record, reason: str, *, newest: bool) -> bool:
        """Remove a record unless a rule keeps it; whether it was removed (in a dry run: would be)."""
        keeper = f"one of the newest {KEPT_OF_A_KIND} of its kind" if newest else self._citing(record)
        if keeper is not None:
            self._kept += self._items(record.folder, record.files, f"{reason}, but {keeper}")
            return False
        self._remove(record.folder, record.files, reason)
        return True

    def _citing(self, record: _Record) -> str | None:
        """Why a citation keeps the record, or None. What cannot be read might cite it."""
        try:
            if self._citations is None:
                self._citations = _citations(self._workspace)
            for file in record.files:
                where = self._citations.get(file.name.encode())
                if where is None and self._citations:
                    where = self._citations.get(sha256_file(record.folder / file.name).encode())
                if where is not None:
                    return f"cited by {where}"
        except OSError as error:
            problem = f"{error.filename} cannot be read ({error.strerror}), so what it cites is unknown"
            if problem not in self._problems:
                self._problems.append(problem)
            return "citations are unknown"
        return None

    def _remove(self, folder: Path, files: Sequence[_File], reason: str) -> None:
        """Note what is to be removed, once everything has been looked at."""
        self._taken += [
            (folder, file, item) for file, item in zip(files, self._items(folder, files, reason), strict=True)
        ]

    def _removed(self) -> list[RetentionItem]:
        """Remove files by name inside their open folders, so that nothing swapped in is followed; what is gone.

        Several at once: a file that has reached the disk can cost its file system a millisecond of waiting.
        """
        if self._dry_run:
            return [item for _, _, item in self._taken]
        with ExitStack() as stack:
            handles: dict[Path, int] = {}
            for folder in {folder for folder, _, _ in self._taken}:
                try:
                    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
                except OSError as error:
                    self._problems.append(f"{self._workspace.relative(folder)}: {error.strerror}")
                    continue
                stack.callback(os.close, handle)
                handles[folder] = handle
            taken = [(handles[folder], file.name, item) for folder, file, item in self._taken if folder in handles]
            threads = stack.enter_context(ThreadPoolExecutor(_AT_ONCE))
            failures = list(threads.map(_unlink, [handle for handle, _, _ in taken], [name for _, name, _ in taken]))
        self._problems += [
            f"{item.file}: {failure.strerror}"
            for (_, _, item), failure in zip(taken, failures, strict=True)
            if failure is not None and not isinstance(failure, FileNotFoundError)
        ]
        return [item for (_, _, item), failure in zip(taken, failures, strict=True) if failure is None]

    def _items(self, folder: Path, files: Sequence[_File], reason: str) -> list[RetentionItem]:
        where = self._workspace.relative(folder)
        return [RetentionItem(f"{where}/{file.name}", reason, _size(folder, file)) for file in files]


def _size(folder: Path, file: _File) -> int:
    """Bytes of a file; 0 where it has gone meanwhile. Asked for what a limit or a removal concerns alone."""
    try:
        return os.lstat(folder / file.name).st_size
    except OSError:
        return 0


def _unlink(folder: int, name: str) -> OSError | None:
    """Remove a file of an open folder; why it could not be."""
    try:
        os.unlink(name, dir_fd=folder)
    except OSError as error:
        return error
    return None


def _citing_texts(workspace: store.Workspace) -> Iterator[tuple[str, bytes]]:
    """The decision log and the certificates: name and content. Raises OSError for one that cannot be read."""
    paths = [workspace.decision_log] if os.path.lexists(workspace.decision_log) else []
    if os.path.lexists(workspace.certificates):
        # Not glob, which passes over folders that it may not read: they might hold a citation.
        for folder in sorted(workspace.certificates.iterdir()):
            if folder.is_dir():
                paths += sorted(path for path in folder.iterdir() if path.name.endswith("_certificate.json"))
    for path in paths:
        yield workspace.relative(path), path.read_bytes()


def _citations(workspace: store.Workspace) -> dict[bytes, str]:
    """Every file name and digest that is cited, and where first. Raises OSError for what cannot be read."""
    found: dict[bytes, str] = {}
    for name, text in _citing_texts(workspace):
        for citation in _CITATION.findall(text):
            found.setdefault(citation, name)
    return found


def _newest(records: Iterable[_Record]) -> list[_Record]:
    """Per file pattern of each folder, the records that hold the newest files of it."""
    of_kind: dict[tuple[Path, int], list[_Record]] = {}
    for record in records:
        for file in record.files:
            of_kind.setdefault((record.folder, file.pattern), []).append(record)
    return [
        record
        for held in of_kind.values()
        for record in heapq.nlargest(KEPT_OF_A_KIND, held, key=lambda record: record.age_key)
    ]


def _link_within(root: Path, folder: Path) -> Path | None:
    """The first link on the way from the workspace's root to `folder`, or None."""
    try:
        parts = folder.relative_to(root).parts
    except ValueError:
        return folder
    here = root
    for part in parts:
        here = here / part
        if here.is_symlink():
            return here
    return None


def _scan(folder: Path, patterns: Sequence[re.Pattern[str]]) -> tuple[list[_Record], list[_File]]:
    """Records and left-over temporary files of one folder; anything else, links included, is not ours."""
    grouped: dict[tuple[str, int], list[_File]] = {}
    temporaries: list[_File] = []
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return [], []
    for entry in sorted(entries, key=lambda item: item.name):
        if not entry.is_file(follow_symlinks=False):
            continue
        if TEMPORARY.fullmatch(entry.name):
            temporaries.append(_File(entry.name, -1))
            continue
        for index, pattern in enumerate(patterns):
            match = pattern.fullmatch(entry.name)
            if match is not None:
                key = (match["stamp"], int(match["number"] or 1))
                grouped.setdefault(key, []).append(_File(entry.name, index))
    records: list[_Record] = []
    for (stamp, number), files in grouped.items():
        try:
            instant = datetime.fromisoformat(f"{stamp[:8]}T{stamp[9:]}+00:00")
        except ValueError:
            continue  # digits that are no date: not a name we gave
        records.append(_Record(folder, instant, number, tuple(files)))
    return records, temporaries
