"""What holds the decision log, the lock files and the clock to each other: digests that each cites of the others.

A chain protects its inside. Its end and its whole are held by what cites it from outside: the lock file names the head
before its own entry, every ops log and run summary the head of its time, and the entry the lock file's sha256.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal

from ctl import digests, strict_files
from ctl.errors import WorkspaceError
from ctl.model.findings import Reason
from ctl.model.lock_file import MAX_BYTES, LockFile, lock_name, parse
from ctl.model.run import OPS_ENDING, SUMMARY_ENDING
from ctl.store.decision_log import DecisionEntry, Problem, bytes_if_any, examined, locking
from ctl.store.signatures import Checked
from ctl.store.workspace import Workspace

CLOCK_DOUBTFUL: Final = "CLOCK_DOUBTFUL"

_ENDINGS: Final = {"ops_logs": OPS_ENDING, "run_summaries": SUMMARY_ENDING}
_LARGEST_RECORD: Final = 1 << 26
_MOST_RECORDS: Final = 4
"""Of a kind: how many of the newest are looked at for the bars that they cite; a run that came to an end cites some."""
_RESTORE: Final = "restore it from a backup or from version control"
_LOCK: Final = "or lock a new version (ctl lock)"


@dataclass(frozen=True, slots=True)
class LockOnDisk:
    """A lock file as it was read; lock is None where it cannot be used, and problem then says why."""

    lock: LockFile | None
    sha256: str | None = None
    problem: Reason | None = None


def lock_path(profile: Path) -> Path:
    """Where the lock file of a profile stands."""
    return profile.with_name(lock_name(profile.name))


def read_lock(workspace: Workspace, profile: Path) -> LockOnDisk:
    """The lock file beside a profile."""
    path = lock_path(profile)
    sha256: str | None = None
    try:
        data = strict_files.read_bytes(path, MAX_BYTES)
        sha256 = digests.sha256_bytes(data)
        return LockOnDisk(parse(data), sha256)
    except FileNotFoundError:
        return LockOnDisk(None, None, _problem("LOCK_MISSING", f"{workspace.relative(path)} is not there"))
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        return LockOnDisk(None, sha256, _problem("LOCK_EDITED", f"{workspace.relative(path)} is no lock file ({said})"))


def contradictions(
    workspace: Workspace, profile: Path, locked: LockOnDisk, entries: Sequence[DecisionEntry]
) -> Iterator[Reason]:
    """What the decision log says otherwise of a profile's lock than its lock file and ctl.toml."""
    name = workspace.relative(profile)
    entry, newest = locking(entries, name), locking(entries)
    log = workspace.relative(workspace.decision_log)
    if entry is None or entry.lock is None:
        yield _problem("DECISION_MISSING", f"no entry of {log} locks {name}: it has {len(entries)} entries")
        return
    if locked.sha256 is not None and locked.sha256 != entry.lock.digest:
        found = f"found sha256 {locked.sha256[:12]}; {entry.id} names {entry.lock.digest[:12]}"
        yield _problem("LOCK_EDITED", f"{entry.lock.path}: {found}")
    if locked.lock is not None and locked.lock.profile.sha256 != entry.profiles[-1].digest:
        held = f"the lock file holds sha256 {locked.lock.profile.sha256[:12]} of {name}"
        yield _problem("LOG_CONTRADICTED", f"{held}; {entry.id} names {entry.profiles[-1].digest[:12]}")
    if locked.lock is not None and locked.lock.previous_head != entry.previous:
        cited = f"the lock file of {name} was made after the entry {_short(locked.lock.previous_head)}"
        yield _problem("LOG_CONTRADICTED", f"{cited}; {entry.id} stands after {_short(entry.previous)}")
    if newest is not None and newest is not entry and profile == workspace.profile_path:
        now = newest.profiles[-1].path
        text = f"ctl.toml names {name}; {newest.id} of {log} puts {now} in force; name that, or go back with `ctl lock`"
        yield Reason("NOT_IN_FORCE", "ERROR", text)


def recorded_heads(workspace: Workspace, entries: Sequence[DecisionEntry], most: int | None) -> Iterator[Reason]:
    """Ops logs and run summaries that cite a head which the log does not hold, newest first; of each kind one.

    most: how many of the newest that cite one to look at; None: all. A few answer for all before them: the chain holds
    what its cited entry comes after, and a run that finds the log contradicted cites none.
    """
    known = {entry.sha256 for entry in entries}
    for folder in (workspace.ops_logs, workspace.run_summaries):
        for path, cited in islice(_citing(folder), most):
            if cited not in known:
                where, log = workspace.relative(path), workspace.relative(workspace.decision_log)
                text = f"{where} cites the entry {_short(cited)}; {log} holds none of that digest"
                yield Reason("LOG_CONTRADICTED", "ERROR", f"{text}; {_RESTORE}")
                break


def cited_pass(workspace: Workspace, lock_sha256: str | None = None) -> tuple[str, str, str] | None:
    """The kept bars that the newest record which cites some cites: the record, their file's name and its sha256.

    lock_sha256: of a lock file; only records that rest on it count. None: every record.
    """
    for folder in (workspace.run_summaries, workspace.ops_logs):
        for path, record in islice(_records(folder), _MOST_RECORDS):
            said = record.get("digests")
            cited = said.get("passed_bars") if isinstance(said, dict) else None
            if isinstance(said, dict) and isinstance(cited, dict) and lock_sha256 in (None, said.get("lock")):
                for name, sha256 in cited.items():
                    return workspace.relative(path), str(name), str(sha256)
    return None


def missing_pass(workspace: Workspace, lock_sha256: str | None) -> Iterator[Reason]:
    """Kept bars that a record cites, and that are not there or not as they were cited: of one lock, the newest."""
    cited = None if lock_sha256 is None else cited_pass(workspace, lock_sha256)
    if cited is None:
        return
    record, name, sha256 = cited
    data = bytes_if_any(workspace.passes / name) if Path(name).name == name else None
    if data is None or digests.sha256_bytes(data) != sha256:
        what = "is not there" if data is None else "is not what was kept"
        where = f"{workspace.relative(workspace.passes / name)} {what}, and {record} cites it"
        yield _problem("LOCKED_BARS_MISSING", f"{where}: whether bars since the lock were restated cannot be told")


def contradicted_records(workspace: Workspace) -> Iterator[Reason]:
    """A run summary that an ops log cites and that was edited, or is gone with every later one: brakes and paper
    results rest on it. Retention never takes the newest, so that an older one that is gone says nothing.
    """
    newest = next((path for _, path in _newest(workspace.run_summaries)), None)
    for path, record in _records(workspace.ops_logs):
        cited, sha256 = record.get("summary_path"), record.get("summary_sha256")
        if not isinstance(cited, str):
            continue
        data = bytes_if_any(workspace.run_summaries / Path(cited).name)
        if data is None and (newest is None or newest.name < Path(cited).name):
            what = "is gone, with every later run summary"
        elif data is not None and sha256 is not None and digests.sha256_bytes(data) != sha256:
            what = "was edited since"
        else:
            return
        text = (
            f"{workspace.relative(path)} cites {cited}, which {what}: brakes and paper results may not be as they were"
        )
        yield Reason("RECORDS_CONTRADICTED", "WATCH", f"{text}; {_RESTORE}")
        return


def doubtful_clock(workspace: Workspace, entries: Sequence[DecisionEntry], instant: datetime) -> Reason | None:
    """Why the clock cannot be believed: a record of a later time. Those that are marked doubtful do not count."""
    newest: tuple[datetime, str] | None = None
    marked: set[str] = set()
    for folder in (workspace.ops_logs, workspace.run_summaries):
        for at, path in _newest(folder):
            if at <= instant:
                break
            data = _read(path)
            if CLOCK_DOUBTFUL.encode() in data:
                marked.add(str(_document(data).get("summary_path")))
            elif workspace.relative(path) not in marked and (newest is None or at > newest[0]):
                newest = at, workspace.relative(path)
    for entry in entries:
        if entry.date is not None and entry.date > instant.date():
            at = datetime(entry.date.year, entry.date.month, entry.date.day, tzinfo=UTC)
            if newest is None or at > newest[0]:
                newest = at, f"{entry.id} of {workspace.relative(workspace.decision_log)}"
    if newest is None:
        return None
    text = f"the clock says {instant:%Y-%m-%d %H:%M} UTC, and {newest[1]} is of {newest[0]:%Y-%m-%d %H:%M}"
    return Reason(
        CLOCK_DOUBTFUL, "ERROR", f"{text}; set the clock right, or move that record away if it is the false one"
    )


def _records(folder: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """The records of a folder, newest first, each read when it is asked for."""
    return ((path, _document(_read(path))) for _, path in _newest(folder))


def _citing(folder: Path) -> Iterator[tuple[Path, str]]:
    """The records of a folder that cite a head of the decision log, and that head; newest first."""
    for path, record in _records(folder):
        cited = record.get("digests")
        if isinstance(cited, dict) and cited.get("log_head") is not None:
            yield path, str(cited["log_head"])


def _newest(folder: Path) -> Iterator[tuple[datetime, Path]]:
    """The records of a folder and the instants in their names, newest first."""
    ending = _ENDINGS[folder.name]
    try:
        names = sorted((name for name in os.listdir(folder) if name.endswith(ending)), reverse=True)  # noqa: PTH208
    except FileNotFoundError:
        return
    except OSError as error:
        raise WorkspaceError("cannot be read", where=str(folder), found=error.strerror) from error
    for name in names:
        at = _stamped(name)
        if at is not None:
            yield at, folder / name


def _stamped(name: str) -> datetime | None:
    try:
        return datetime.strptime(name[:15], "%Y%m%d_%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _read(path: Path) -> bytes:
    try:
        return strict_files.read_bytes(path, _LARGEST_RECORD)
    except OSError:
        return b""  # a record that cannot be read cites nothing


def _document(data: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _problem(code: str, text: str) -> Reason:
    return Reason(code, "ERROR", f"{text}; {_RESTORE}, {_LOCK}")


def _short(digest: str | None) -> str:
    return "none" if digest is None else digest[:12]


# ---------------------------------------------------------------- verifying


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """`ctl verify --json`: how many entries hold up to the first broken one, and the digest of the last of them.

    problems in order; notes: remarks that are none. signatures: every envelope that was checked.
    """

    kind: Literal["verification"] = "verification"
    schema_version: Literal[1] = 1
    verified: bool
    entries: int
    head: str | None
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    signatures: tuple[Checked, ...] = ()


def verify(workspace: Workspace) -> Verification:
    """Check the chain, the rendered document, every profile and lock file that entries cite and that is still there,
    and every record that cites the log.

    Raises WorkspaceError where a file cannot be read.
    """
    entries, found, notes = examined(workspace)
    problems = [*found]
    for path, (entry, digest, code) in (_last_citations(entries) | _certificates(workspace, entries)).items():
        data = bytes_if_any(workspace.root / path)
        if data is not None and (now := digests.sha256_bytes(data)) != digest:
            text = f"{entry} cites {path} with sha256 {digest[:12]}; found {now[:12]}; {_RESTORE}"
            problems.append(Problem(code, entry, text))
    if not found:  # what cites a broken chain contradicts it anyway
        profiles = {workspace.profile_path} if workspace.profile_path.exists() or entries else set()
        profiles |= {workspace.root / entry.profiles[-1].path for entry in entries if entry.lock and entry.profiles}
        for profile in sorted(profiles):
            locked = read_lock(workspace, profile)
            said = [*contradictions(workspace, profile, locked, entries), *filter(None, [locked.problem])]
            problems += [
                Problem(item.code, None, item.text) for item in said if item.code != "LOCK_EDITED" or not locked.lock
            ]
        problems += [Problem(item.code, None, item.text) for item in recorded_heads(workspace, entries, None)]
    return Verification(
        verified=not problems,
        entries=len(entries),
        head=entries[-1].sha256 if entries else None,
        problems=tuple(problems),
        notes=tuple(notes),
    )


def _certificates(workspace: Workspace, entries: Sequence[DecisionEntry]) -> dict[str, tuple[str, str, str]]:
    """The same of the certificates beside the locked bars that the profile in force was locked on."""
    entry = locking(entries)
    if entry is None:
        return {}
    folder = workspace.relative(workspace.locked_folder)
    return {
        f"{folder}/{symbol}_certificate.json": (entry.id, sha256, "CERTIFICATE_EDITED")
        for symbol, sha256 in entry.certificates.items()
    }


def _last_citations(entries: Sequence[DecisionEntry]) -> dict[str, tuple[str, str, str]]:
    """Path -> (entry, digest, code where it differs) of every cited file, by the last entry that cites it."""
    cited: dict[str, tuple[str, str, str]] = {}
    for entry in entries:
        cited |= {item.path: (entry.id, item.digest, "PROFILE_EDITED") for item in entry.profiles}
        if entry.lock is not None:
            cited[entry.lock.path] = (entry.id, entry.lock.digest, "LOCK_EDITED")
    return cited
