"""Changing the lock: what the data now derive against the profile in force, and the next version of the profile.

`plan` changes nothing. `lock` writes the next version beside the old one, records the decision, and names the new
version in ctl.toml as its last step: killed anywhere before, the old profile is in force.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ctl import digests, operating_profile, store, strict_files
from ctl.errors import GateRefused, ProfileError, UsageError, WorkspaceError
from ctl.flows import portfolio
from ctl.flows.inputs import ReadOnce
from ctl.model.lock import (
    DerivedRecommendation,
    FileChange,
    InputDifference,
    Locked,
    LockPlan,
    PlannedSymbol,
    RecordedEntry,
    SessionSpan,
)
from ctl.model.run import ProfileReference
from ctl.operating_profile import OperatingProfile
from ctl.store import Workspace
from ctl.store.files import remove_temporaries
from ctl.store.workspace import FILE_NAME, parse

if TYPE_CHECKING:
    from ctl.gatekeeper import GateDecision
    from ctl.store.decision_log import DecisionEntry

MAX_REASON: Final = 4000

_LOCKABLE: Final = ("ACCEPT", "WATCH")
_PROFILE_LINE: Final = re.compile(rb"""(?m)^([ \t]*profile[ \t]*=[ \t]*)(?:"[^"\r\n]*"|'[^'\r\n]*')""")
_TABLE_LINE: Final = re.compile(rb"(?m)^[ \t]*\[")


# ---------------------------------------------------------------- plan


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, and what it was made from. data: the bytes of the profile's file."""

    workspace: Workspace
    profile: OperatingProfile
    data: bytes
    files: ReadOnce
    certified: Mapping[str, portfolio.Certified]
    decision: GateDecision
    document: LockPlan

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why the next version cannot be locked on these data: the symbols that no profile can expect."""
        return tuple(
            f"{result.symbol} {result.actual} ({result.detail})"
            for result in self.decision.symbol_results
            if result.actual not in _LOCKABLE
        )


def plan(workspace: Workspace, *, instant: datetime) -> Planned:
    """Certify the gating symbols from the files now on disk and compare with the profile in force.

    A profile that carries no lock yet is compared as well. Raises ProfileError where it is missing or invalid.
    """
    data = _profile_bytes(workspace)
    profile = operating_profile.load(data, workspace.relative(workspace.profile_path), require_lock=False)
    files = ReadOnce(workspace, instant)
    gated = portfolio.gate(workspace, profile, instant=instant, files=files)
    inputs = tuple(
        _input_difference(profile, symbol, gated.certified.get(symbol)) for symbol in profile.gating_universe
    )
    document = _plan_document(workspace, gated.decision, inputs)
    return Planned(workspace, profile, data, files, gated.certified, gated.decision, document)


def _plan_document(workspace: Workspace, decision: GateDecision, inputs: tuple[InputDifference, ...]) -> LockPlan:
    symbols = tuple(
        PlannedSymbol(
            symbol=result.symbol,
            expected=result.expected,
            derived=result.actual,
            changed=result.expected != result.actual,
            reasons=result.reasons,
            certificate_sha256=result.certificate_sha256,
        )
        for result in decision.symbol_results
    )
    recommendation = DerivedRecommendation(decision.expected_recommendation, decision.recommendation)
    free = next(path for path in _later_versions(workspace.profile_path) if not os.path.lexists(path))
    return LockPlan(
        timestamp=decision.timestamp,
        simulated=workspace.simulated,
        changed=(
            any(symbol.changed for symbol in symbols)
            or any(item.changed for item in inputs)
            or recommendation.expected != recommendation.derived
            or any(not lock.held for lock in decision.locks)
        ),
        lockable=all(symbol.derived in _LOCKABLE for symbol in symbols),
        profile=decision.profile,
        next_profile=workspace.relative(free),
        recommendation=recommendation,
        symbols=symbols,
        locks=decision.locks,
        inputs=inputs,
        restatements=decision.restatements,
    )


def _input_difference(profile: OperatingProfile, symbol: str, certified: portfolio.Certified | None) -> InputDifference:
    locked = profile.lock.inputs.get(symbol) if profile.lock else None
    if certified is None:
        return InputDifference.of(symbol, None, locked=locked is not None)
    held = certified.inputs
    days: list[date] = held.bars["session"].unique().sort().to_list()
    on_disk = SessionSpan(days[0], days[-1])
    if locked is None:
        return InputDifference.of(symbol, on_disk, locked=False)
    files = portfolio.raw_files(held)
    restated = operating_profile.restated_ranges(locked.sessions, held.bars, symbol=symbol)
    return InputDifference.of(
        symbol,
        on_disk,
        files=[
            FileChange(name, locked.files.get(name), files.get(name))
            for name in sorted({*locked.files, *files})
            if locked.files.get(name) != files.get(name)
        ],
        new_sessions=[day for day in days if not locked.sessions or day > locked.sessions[-1].last],
        restated=[SessionSpan(part.first, part.last) for part in restated],
    )


# ---------------------------------------------------------------- lock


def lock(workspace: Workspace, *, reason: str, next_actions: Sequence[str] = (), instant: datetime) -> Locked:
    """Write the next version of the profile as the data derive it, record why, and put it in force.

    In this order, each file whole or not at all: the bars and certificates it rests on, the profile, the entry of the
    decision log, and last its name in ctl.toml. Where a lock was killed before that last step and the data are the
    same, its profile and its entry are used; where it is in force for the same reason, nothing is written. Call it
    while holding the run lock.

    Raises UsageError for an empty reason, ProfileError for an invalid profile in force, GateRefused where a gating
    symbol derives REJECT or ERROR, DecisionLogError where the log is damaged, WorkspaceError where ctl.toml or a file
    cannot be written; ctl.toml then still names the old profile, unless only the last sync of its folder failed.
    """
    from ctl.store import decision_log

    if not reason.strip() or len(reason) > MAX_REASON:
        found = "nothing" if not reason.strip() else f"{len(reason)} characters"
        raise UsageError("--reason says why", found=found, expected=f"1 to {MAX_REASON} characters")
    config = _unchanged_config(workspace)
    entries = decision_log.require_whole(workspace)
    planned = plan(workspace, instant=instant)
    if planned.refusals:
        raise GateRefused(
            "nothing was locked, because a profile can expect only ACCEPT or WATCH",
            found="; ".join(planned.refusals),
            remedy="mend the data, or take the symbol out of gating_universe",
            code="NOT_LOCKABLE",
        )
    data, bars = _next_profile(planned, instant)
    last = entries[-1] if entries else None
    if last is not None and data == planned.data and last.rationale == reason.strip():
        # The same lock again, perhaps because nobody saw the first one end: it is in force, nothing is left to write.
        _clear_left_over(workspace, workspace)
        decision_log.write_document(workspace, entries)
        return _locked(planned, planned.profile, last, was_there=True, files=())
    path = next(path for path in _later_versions(workspace.profile_path) if _free_or_same(path, data))
    after = replace(workspace, profile_path=path)
    name = workspace.relative(path)
    profile = operating_profile.load(data, name)
    switched = _switched(config, workspace, name)
    _require_passing(after, profile, planned, instant)
    cited = [
        decision_log.ProfileCitation(path=item.name, version=item.version, digest=item.sha256)
        for item in (planned.profile, profile)
    ]
    certificates = {result.symbol: result.certificate_sha256 or "" for result in planned.decision.symbol_results}

    _clear_left_over(workspace, after)
    files: dict[Path, bytes] = {}
    for symbol, parquet in bars.items():
        files[after.locked_bars(symbol)] = parquet
        document = planned.certified[symbol].certificate.document
        files[after.locked_folder / f"{symbol}_certificate.json"] = digests.canonical_json(dict(document))
    for file, content in files.items():
        store.write_atomic(file, content)
    if not path.exists():
        store.write_new(path, data)
    was_there = last is not None and last.profiles == cited and last.certificates == certificates
    if last is not None and was_there:
        entry = last
        decision_log.write_document(workspace, entries)
    else:
        entry = decision_log.append(
            workspace,
            day=instant.date(),
            scope=profile.portfolio_scope,
            inputs=_inputs_text(planned),
            decision=f"{path.name} is in force in place of {workspace.profile_path.name}",
            rationale=reason.strip(),
            gate_impact=_impact_text(planned),
            next_actions=[*next_actions, *_watched(planned)],
            profiles=cited,
            certificates=certificates,
        )
    _unchanged_config(workspace)
    store.write_atomic(workspace.root / FILE_NAME, switched)
    written = (*files, path, workspace.decision_log, workspace.decision_document, workspace.root / FILE_NAME)
    return _locked(planned, profile, entry, was_there=was_there, files=written)


def _locked(
    planned: Planned, profile: OperatingProfile, entry: DecisionEntry, *, was_there: bool, files: Sequence[Path]
) -> Locked:
    expected = {symbol: profile.symbol_settings[symbol].expected_status for symbol in profile.gating_universe}
    return Locked(
        timestamp=planned.decision.timestamp,
        simulated=planned.workspace.simulated,
        profile=ProfileReference(profile.name, profile.version, profile.sha256),
        recommendation=profile.portfolio_recommendation,
        symbols={symbol: status for symbol, status in expected.items() if status is not None},
        entry=RecordedEntry(entry.id, entry.sha256, was_there),
        files=tuple(planned.workspace.relative(path) for path in files),
        plan=planned.document,
    )


def _next_profile(planned: Planned, instant: datetime) -> tuple[bytes, dict[str, bytes]]:
    """The text of the next version, comments kept, and per symbol the Parquet bytes of the bars it is locked on."""
    old, decision = planned.profile, planned.decision
    changes: dict[tuple[str, ...], Any] = {}
    for result in decision.symbol_results:
        if result.actual != result.expected:
            changes["symbol_settings", result.symbol, "expected_status"] = result.actual
    if decision.recommendation != old.portfolio_recommendation:
        changes["portfolio_recommendation",] = decision.recommendation
    if instant.date() != old.locked_date:
        changes["locked_date",] = instant.date()
    data = operating_profile.with_values(planned.data, changes, name=old.name) if changes else planned.data
    unlocked = operating_profile.load(data, old.name, require_lock=False)
    held = {symbol: certified.inputs for symbol, certified in planned.certified.items()}
    derived, bars = portfolio.derive_lock(planned.workspace, unlocked, held)
    packed: dict[str, bytes] = {}
    for symbol, frame in bars.items():
        buffer = io.BytesIO()
        frame.write_parquet(buffer, compression="zstd")
        packed[symbol] = buffer.getvalue()
    return operating_profile.with_lock(data, derived, name=old.name), packed


def _require_passing(after: Workspace, profile: OperatingProfile, planned: Planned, instant: datetime) -> None:
    """The gate's own word on the new version and the same files: one that does not pass is not written."""
    decision = portfolio.gate(after, profile, instant=instant, files=planned.files).decision
    if not decision.passed:
        raise GateRefused("nothing was locked, because the new version does not pass: " + "; ".join(decision.failures))


def _later_versions(path: Path) -> Iterator[Path]:
    """The names of later versions beside `path`, nearest first."""
    name = path.name
    while True:
        name = operating_profile.next_version_name(name)
        yield path.with_name(name)


def _free_or_same(path: Path, data: bytes) -> bool:
    """Whether a version may take this name: it is free, or a lock that was killed wrote the very same there."""
    if not os.path.lexists(path):
        return True
    try:
        return strict_files.read_bytes(path) == data
    except OSError:
        return False


def _switched(config: bytes, workspace: Workspace, name: str) -> bytes:
    """The text of ctl.toml with the profile named anew and everything else, comments included, as it was."""
    table = _TABLE_LINE.search(config)
    head = config[: table.start()] if table else config
    written, count = _PROFILE_LINE.subn(lambda found: found[1] + json.dumps(name, ensure_ascii=False).encode(), head)
    if count == 1:
        switched = written + config[len(head) :]
        expected = replace(workspace, profile_path=workspace.root / name, config_sha256=digests.sha256_bytes(switched))
        with contextlib.suppress(WorkspaceError):
            if parse(switched, workspace.root) == expected:
                return switched
    raise WorkspaceError(
        "its profile cannot be named anew",
        where=str(workspace.root / FILE_NAME),
        found=f"{count} lines of it" if count != 1 else "a text that would then say something else",
        expected='one line profile = "..." before the first table',
        remedy="write it so, then run `ctl lock` again",
    )


def _unchanged_config(workspace: Workspace) -> bytes:
    """The bytes of ctl.toml, if they are those that the workspace was read from."""
    path = workspace.root / FILE_NAME
    try:
        data = strict_files.read_bytes(path)
    except OSError as error:
        raise WorkspaceError("cannot be read", where=str(path), found=error.strerror or type(error).__name__) from error
    if digests.sha256_bytes(data) != workspace.config_sha256:
        raise WorkspaceError(
            "changed meanwhile; the old profile is still in force", where=str(path), remedy="run `ctl lock` again"
        )
    return data


def _profile_bytes(workspace: Workspace) -> bytes:
    try:
        return strict_files.read_bytes(workspace.profile_path)
    except OSError as error:
        raise ProfileError(
            f"{workspace.relative(workspace.profile_path)}: the operating profile cannot be read ({error.strerror})",
            code="PROFILE_MISSING",
        ) from error


def _clear_left_over(workspace: Workspace, after: Workspace) -> None:
    """Remove what killed commands left half written where a lock writes."""
    for folder in (
        workspace.root,
        workspace.profile_path.parent,
        workspace.decision_log.parent,
        after.locked_folder,
    ):
        remove_temporaries(folder)


# ---------------------------------------------------------------- the entry's texts


def _inputs_text(planned: Planned) -> list[str]:
    texts = ["simulated market: no number here comes from an exchange"] if planned.workspace.simulated else []
    for item in planned.document.inputs:
        texts.append(_cut(f"{item.symbol}: bars {item.first_session} to {item.last_session}; {item.text}"))
    return texts


def _impact_text(planned: Planned) -> str:
    decision = planned.decision
    moves: list[tuple[str, str, str]] = [("portfolio", decision.expected_recommendation, decision.recommendation)]
    moves += [(result.symbol, result.expected, result.actual) for result in decision.symbol_results]
    parts = [f"{what} {old}" + (" as before" if old == new else f" -> {new}") for what, old, new in moves]
    parts += [f"{row.name} {'as before' if row.held else 'locked anew'}" for row in decision.locks]
    return _cut("; ".join(parts))


def _watched(planned: Planned) -> list[str]:
    """What keeps a symbol from ACCEPT is to be watched."""
    texts = []
    for result in planned.decision.symbol_results:
        if result.actual == "WATCH":
            causes = "; ".join(reason.text for reason in result.reasons if reason.limit is not None)
            texts.append(_cut(f"watch {result.symbol}" + (f": {causes}" if causes else "")))
    return texts


def _cut(text: str) -> str:
    return text if len(text) <= MAX_REASON else f"{text[: MAX_REASON - 3]}..."
