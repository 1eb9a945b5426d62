"""The decision log: append-only entries, each naming the digest of the one before.

A line of the log is the canonical JSON (RFC 8785) of one entry, and its sha256 is the entry's digest: any other
tool can recompute the chain. What the chain cannot show, that entries are missing at its end, shows in the
rendered document, which repeats every entry with its digest. The log is read strictly: damage is an error that
names the line, and nothing is ever repaired.
"""

from __future__ import annotations

import datetime
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, ValidationError

from ctl import digests, strict_files
from ctl.errors import DecisionLogError, WorkspaceError
from ctl.store.files import write_atomic
from ctl.store.workspace import Workspace
from ctl.strict_files import Strict, printable

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, Field(max_length=4000)]
Symbol = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]

_LARGEST: Final = 1 << 26
_RESTORE: Final = "restore it from a backup or from version control"


def _inside(path: str) -> str:
    if not path.isprintable() or any(part in {"", ".", ".."} for part in path.split("/")):
        raise ValueError("not a path inside the workspace")
    return path


InnerPath = Annotated[str, Field(min_length=1, max_length=4000), AfterValidator(_inside)]


class ProfileCitation(Strict):
    """A profile that an entry rests on: its path in the workspace and the sha256 of its file."""

    path: InnerPath
    version: Annotated[int, Field(ge=0, le=1_000_000)] | None
    digest: Digest


class LockCitation(Strict):
    """The lock file that an entry puts in force: its path in the workspace and its sha256."""

    path: InnerPath
    digest: Digest


class DecisionEntry(Strict):
    """One decision. `previous` is the digest of the entry before; None in the first.

    id: `D-` and the entry's number; those of the founding cycle, at the log's beginning, are H.2, H.3, ... and say only
    what is known of them: date None, no digests. lock: of an entry that puts the last of its profiles in force.
    """

    schema_version: Literal[1]
    id: Annotated[str, Field(pattern=r"^(D-\d{4,}|H\.\d+)$")]
    date: datetime.date | None
    scope: Text
    inputs: list[Text]
    decision: Annotated[Text, Field(min_length=1)]
    rationale: Text
    gate_impact: Text
    next_actions: list[Text]
    profiles: list[ProfileCitation]
    lock: LockCitation | None
    certificates: dict[Symbol, Digest]
    previous: Digest | None

    @property
    def line(self) -> bytes:
        """The entry as it stands in the log, without the newline: its canonical JSON.

        Written by `json`, ten times as fast as RFC 8785 in full and the same here: ASCII keys, no fractions.
        """
        content = self.model_dump(mode="json")
        return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    @property
    def sha256(self) -> str:
        """The entry's digest."""
        return digests.sha256_bytes(self.line)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with the log. entry: id of the entry concerned, where there is one."""

    code: str
    entry: str | None
    text: str


# ---------------------------------------------------------------- reading


def parse(data: bytes, name: str) -> tuple[DecisionEntry, ...]:
    """The entries of a log's bytes; `name` is how errors call it. Raises DecisionLogError at the first damage."""
    entries, broken = _chain(data, name)
    if broken is not None:
        raise DecisionLogError(broken.text)
    return entries


def read(workspace: Workspace) -> tuple[DecisionEntry, ...]:
    """The entries of a workspace's log; none where there is no log. Raises DecisionLogError, WorkspaceError."""
    data = bytes_if_any(workspace.decision_log)
    return () if data is None else parse(data, workspace.relative(workspace.decision_log))


def _chain(data: bytes, name: str) -> tuple[tuple[DecisionEntry, ...], Problem | None]:
    """The entries before the first broken line, and what is wrong with it."""
    entries: list[DecisionEntry] = []
    if not data:
        return (), Problem("DECISION_LOG_BROKEN", None, f"{name}: found no entry; {_RESTORE}")
    *lines, rest = data.split(b"\n")
    founding, previous = True, None
    for number, line in enumerate([*lines, *([rest] if rest else [])], start=1):
        ids = _next_ids(len(entries), founding=founding)
        expected = next((each for each in ids if f'"id":"{each}"'.encode() in line), ids[0])
        found = _entry(line, expected, previous) if number <= len(lines) else "found a line without its end"
        if isinstance(found, str):
            where = f"{name}:{number}: entry {expected}"
            return tuple(entries), Problem("DECISION_LOG_BROKEN", expected, f"{where}: {found}; {_RESTORE}")
        entries.append(found)
        previous = digests.sha256_bytes(line)
        founding = founding and found.id.startswith("H.")
    return tuple(entries), None


def _next_ids(count: int, *, founding: bool) -> tuple[str, ...]:
    """The ids that the entry after `count` others may have. founding: all of them are of the founding cycle."""
    return (f"D-{count + 1:04d}", *([f"H.{count + 2}"] if founding else []))


def _entry(line: bytes, expected: str, previous: str | None) -> DecisionEntry | str:
    """The entry of a line, or what is wrong with it."""
    try:
        entry = DecisionEntry.model_validate_json(line)
        canonical = entry.line == line
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        return f"found {'no entry' if not key else f'a bad {_printable(key)[:80]}'} ({_printable(first['msg'])})"
    except ValueError as error:
        return f"found what canonical JSON cannot carry ({_printable(str(error))[:80]})"
    if not canonical:
        return "found other bytes than the canonical JSON of its content"
    if entry.id != expected:
        return f"found id {entry.id}; expected {expected}"
    if entry.previous != previous:
        return f"found previous {_short(entry.previous)}; expected {_short(previous)}, the entry before as it stands"
    return entry


def _short(digest: str | None) -> str:
    return "none" if digest is None else digest[:12]


# ---------------------------------------------------------------- appending


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What an entry says before it has its place in the chain. id: of the founding cycle; else its number."""

    decision: str
    date: datetime.date | None = None
    scope: str = ""
    inputs: Sequence[str] = ()
    rationale: str = ""
    gate_impact: str = ""
    next_actions: Sequence[str] = ()
    profiles: Sequence[ProfileCitation] = ()
    lock: LockCitation | None = None
    certificates: Mapping[str, str] = field(default_factory=dict)
    id: str | None = None


def append(workspace: Workspace, *decisions: Decision) -> DecisionEntry:
    """Add entries to the workspace's log and render the document anew; the last of them. Call it with the run lock.

    The log is written first: killed in between, the document is behind, which `verify` knows.
    Raises DecisionLogError, with nothing written, where log and document are not whole or an entry is not valid.
    """
    before = require_whole(workspace)
    entries = chained(before, decisions)
    write_atomic(workspace.decision_log, b"".join(entry.line + b"\n" for entry in entries))
    write_document(workspace, entries)
    return entries[-1]


def chained(before: Sequence[DecisionEntry], decisions: Sequence[Decision]) -> tuple[DecisionEntry, ...]:
    """The entries before and one for each decision. Raises DecisionLogError for one that is not valid."""
    entries = [*before]
    for decision in decisions:
        allowed = _next_ids(len(entries), founding=all(entry.id.startswith("H.") for entry in entries))
        try:
            if decision.id not in (None, *allowed):
                raise ValueError(f"id: found {decision.id}; expected {' or '.join(allowed)}")
            entry = DecisionEntry(
                schema_version=1,
                id=decision.id or allowed[0],
                date=decision.date,
                scope=decision.scope,
                inputs=list(decision.inputs),
                decision=decision.decision,
                rationale=decision.rationale,
                gate_impact=decision.gate_impact,
                next_actions=list(decision.next_actions),
                profiles=list(decision.profiles),
                lock=decision.lock,
                certificates=dict(decision.certificates),
                previous=entries[-1].sha256 if entries else None,
            )
            entry.line  # noqa: B018 - refuses what canonical JSON cannot carry
        except ValueError as error:
            raise DecisionLogError(
                f"the decision cannot be recorded: {_printable(str(error))}", code="ENTRY_INVALID"
            ) from None
        entries.append(entry)
    return tuple(entries)


def locking(entries: Sequence[DecisionEntry], profile: str | None = None) -> DecisionEntry | None:
    """The newest entry that puts a profile in force, or that one (its path in the workspace); None where none does."""
    of_locks = (entry for entry in reversed(entries) if entry.lock is not None and entry.profiles)
    return next((entry for entry in of_locks if profile in (None, entry.profiles[-1].path)), None)


def require_whole(workspace: Workspace) -> tuple[DecisionEntry, ...]:
    """The entries, if chain and document are whole. Raises DecisionLogError with the first problem."""
    entries, problems, _ = examined(workspace)
    if problems:
        raise DecisionLogError(problems[0].text)
    return entries


def write_document(workspace: Workspace, entries: Sequence[DecisionEntry]) -> None:
    """Write the rendered document where it differs."""
    data = render(entries)
    if bytes_if_any(workspace.decision_document) != data:
        write_atomic(workspace.decision_document, data)


# ---------------------------------------------------------------- verifying


def examined(workspace: Workspace) -> tuple[tuple[DecisionEntry, ...], list[Problem], list[str]]:
    """Chain and document: the whole entries, what is wrong, and what is only unfinished."""
    log, document = bytes_if_any(workspace.decision_log), bytes_if_any(workspace.decision_document)
    name, rendered = workspace.relative(workspace.decision_log), workspace.relative(workspace.decision_document)
    entries, broken = ((), None) if log is None else _chain(log, name)
    if broken is not None:
        return entries, [broken], []
    if document == (render(entries) if entries else None):
        return entries, [], []
    before = render(entries[:-1]) if len(entries) > 1 else None
    if entries and document == before:
        return (
            entries,
            [],
            [f"{rendered} is one entry behind the log: a command was killed; the next entry renders it anew"],
        )
    text = (
        f"{rendered}: is not what {name} with its {len(entries)} entries renders to: entries are missing at the log's "
        f"end, or the document was edited; restore both from a backup or from version control, or, "
        "if you know the log to be whole, run `ctl verify --render`"
    )
    return entries, [Problem("DOCUMENT_DIFFERS", None, text)], []


def bytes_if_any(path: Path) -> bytes | None:
    try:
        return strict_files.read_bytes(path, most=_LARGEST)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise WorkspaceError("cannot be read", where=str(path), found=error.strerror or type(error).__name__) from error


# ---------------------------------------------------------------- rendering


def render(entries: Sequence[DecisionEntry]) -> bytes:
    """The log as Markdown, each entry with its digest; text is escaped, so that it shows as it was written."""
    lines = [
        "# Decision log",
        "",
        "Rendered from `decision_log.jsonl`; not to be edited: `ctl verify` compares the two.",
    ]
    for entry in entries:
        profiles = [f"{_cell(item.path)} sha256 `{item.digest}`" for item in entry.profiles]
        certificates = [f"{symbol} sha256 `{digest}`" for symbol, digest in sorted(entry.certificates.items())]
        rows = {
            "date": "" if entry.date is None else entry.date.isoformat(),
            "scope": _cell(entry.scope),
            "inputs": "<br>".join(_cell(item) for item in entry.inputs),
            "decision": _cell(entry.decision),
            "rationale": _cell(entry.rationale),
            "gate impact": _cell(entry.gate_impact),
            "next actions": "<br>".join(_cell(item) for item in entry.next_actions),
            "profiles": "<br>".join(profiles),
            "lock file": "" if entry.lock is None else f"{_cell(entry.lock.path)} sha256 `{entry.lock.digest}`",
            "certificates": "<br>".join(certificates),
            "previous entry": "none" if entry.previous is None else f"sha256 `{entry.previous}`",
            "this entry": f"sha256 `{entry.sha256}`",
        }
        lines += ["", f"## {entry.id}", "", "| | |", "|---|---|"]
        lines += [f"| {name} | {value} |" for name, value in rows.items()]
    return ("\n".join(lines) + "\n").encode()


_MARKS: Final = str.maketrans({**{mark: f"\\{mark}" for mark in "\\`*_[]~#!"}, "|": "&#124;"})


def _cell(text: str) -> str:
    """Text in a table cell: nothing in it is HTML or Markdown, lines are kept as breaks."""
    shown = (_printable(line) for line in text.splitlines())
    return "<br>".join(html.escape(line, quote=False).translate(_MARKS) for line in shown)


def _printable(text: str) -> str:
    """`text` on one line, with what would drive a terminal or reorder a line written as escapes."""
    return printable(" ".join(text.split()))
