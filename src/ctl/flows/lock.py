"""Changing the lock: what the data now derive against the profile in force, and the next version of the profile.

`plan` changes nothing. `lock` writes the next version beside the old one, records the decision, and names the new
version in ctl.toml: killed anywhere before its entry, the old profile is in force, and after it the new one.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ctl import digests, operating_profile, store, strict_files
from ctl.errors import CtlError, DataError, DecisionLogError, GateRefused, ProfileError, UsageError, WorkspaceError
from ctl.flows import kept_bars, lock_parts, locked_past, portfolio, signing, watched_before, watching
from ctl.flows.backtest import run_strategy, strategy_bars
from ctl.flows.earlier_locks import AFTER_REFUSAL, earlier_locks
from ctl.flows.inputs import instruments_of
from ctl.flows.series import as_traded
from ctl.flows.workers import opened
from ctl.gatekeeper import LockRead
from ctl.model.lock import (
    ChangedTrades,
    DerivedRecommendation,
    EarlierLocks,
    FileChange,
    InputDifference,
    Locked,
    LockPlan,
    PlannedFigures,
    PlannedSymbol,
    RecordedEntry,
    SessionSpan,
)
from ctl.model.names import SAFE_NAME_TEXT, is_safe_name
from ctl.model.recommendation import recommend
from ctl.model.run import ProfileReference
from ctl.operating_profile import OperatingProfile
from ctl.store import Workspace, anchors, decision_log, signatures
from ctl.store.decision_log import Decision, LockCitation
from ctl.store.files import remove_temporaries
from ctl.store.workspace import FILE_NAME, WAITING_NAME, parse
from ctl.strategy import registry

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner

    from ctl.flows.pipeline import Certified
    from ctl.gatekeeper import GateDecision
    from ctl.model.lock_file import LockedInputs, LockFile
    from ctl.store.decision_log import DecisionEntry

MAX_REASON: Final = 4000

_LOCKABLE: Final = ("ACCEPT", "WATCH")
_NAMING_LINE: Final = rb"""(?m)^([ \t]*%s[ \t]*=[ \t]*)(?:"[^"\r\n]*"|'[^'\r\n]*')"""
_TABLE_LINE: Final = re.compile(rb"(?m)^[ \t]*\[")


# ---------------------------------------------------------------- plan


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, and what it was made from.

    in_force: the profile that ctl.toml names. profile, data: it with the settings that are tried, and its bytes.
    """

    workspace: Workspace
    in_force: OperatingProfile
    profile: OperatingProfile
    data: bytes
    locked: LockRead
    made: portfolio.CertifiedSymbols
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


def plan(
    workspace: Workspace,
    settings: Mapping[str, str] | None = None,
    *,
    figures: bool = False,
    keep: bool = False,
    instant: datetime,
) -> Planned:
    """Certify the gating symbols from the files now on disk and compare with the lock of the profile in force.

    settings: keys of the profile to be tried, as typed (`ES.series.closes` of a symbol's settings, `ratchet` of the
    profile; `AAPL.gating=true` has a non-gating symbol gate, `ES.gating=false` a gating one no longer). figures:
    whether trades and R are told, too. keep: whether a lock follows, whose files are then made, and what is read kept
    for later commands; else nothing is written. A profile that has no lock yet is compared as well.
    Raises ProfileError where it is missing or invalid, UsageError where it would be with the settings.
    """
    data = _profile_bytes(workspace)
    in_force = operating_profile.load(data, workspace.relative(workspace.profile_path))
    data, profile = with_settings(workspace, data, in_force, settings) if settings else (data, in_force)
    locked = lock_parts.read_lock(workspace, in_force, instant=instant)
    kept = kept_bars.KeptBars(workspace, workspace.profile_path)
    with opened() as workers:
        gate = partial(
            portfolio.gate,
            workspace,
            instant=instant,
            locked=locked,
            kept=kept,
            keep=keep,
            workers=workers,
        )
        gated = gate(profile, also=partial(_parts, workspace, profile, figures=figures, lock=keep))
        as_it_is = gated
        if settings:
            as_it_is = gate(in_force, also=partial(_parts, workspace, in_force, figures=figures, lock=False))
    made, decision = gated.made, gated.decision
    # What the files hold otherwise is told on the settings in force: other bars by choice are no restated history.
    inputs = tuple(
        as_it_is.also[symbol].difference
        if symbol in as_it_is.also
        else InputDifference.of(symbol, None, locked=locked.lock is not None and symbol in locked.lock.inputs)
        for symbol in in_force.gating_universe
    )
    beside = _beside(as_it_is.also, gated.also if profile.sha256 != in_force.sha256 else {}) if figures else {}
    earlier = earlier_locks(workspace, _entries(workspace), as_it_is.decision, instant.date())
    document = _plan_document(workspace, decision, inputs, locked.lock, settings or {}, beside, earlier)
    restated = as_it_is.decision.restatements
    refused = any(each.refusal for each in restated)  # until a new version is locked, whichever side it is
    recommendation = DerivedRecommendation(in_force.portfolio_recommendation, decision.recommendation)
    document = replace(
        document, restatements=restated, changed=document.changed or refused, recommendation=recommendation
    )
    return Planned(workspace, in_force, profile, data, locked, made, decision, document)


def with_settings(
    workspace: Workspace, data: bytes, profile: OperatingProfile, settings: Mapping[str, str]
) -> tuple[bytes, OperatingProfile]:
    """The profile with the settings of `--set`. Raises UsageError with every problem that they make."""
    values: dict[tuple[str, ...], Any] = {}
    moved: dict[bool, list[str]] = {True: [], False: []}
    for key, text in settings.items():
        tree = strict_files.read_yaml(f"value: {text}".encode())
        if tree.problems or not isinstance(tree.value, dict):
            raise UsageError(f"--set {key}: found {text!r}; expected one value, as it would stand in the profile")
        symbol, _, name = key.rpartition(".")
        value = tree.value["value"]
        if name == "gating" and isinstance(value, bool) and symbol in profile.symbols:
            if value != (symbol in profile.gating_universe):
                moved[value].append(symbol)
        else:
            values[operating_profile.settings_path(profile, key)] = value
    if moved[True] or moved[False]:
        values = _gating(workspace, profile, moved[True]) | _not_gating(profile, moved[False]) | values
        universe = (*profile.gating_universe, *moved[True])
        values["gating_universe",] = [symbol for symbol in universe if symbol not in moved[False]]
    try:
        tried = operating_profile.with_values(data, values)
        return tried, operating_profile.load(tried, profile.name)
    except ProfileError as error:
        said = "; ".join(text.partition(": ")[2] or text for text in error.problems) or str(error)
        raise UsageError(f"--set {' '.join(f'{key}={text}' for key, text in settings.items())}: {said}") from error


FIRST_DAY_DELTA: Final = 3
"""Trading days that paired rolls may lie apart, where nobody has said otherwise."""


def _gating(workspace: Workspace, profile: OperatingProfile, symbols: Sequence[str]) -> dict[tuple[str, ...], Any]:
    """What moves non-gating symbols to the gating universe; settings that they lack are those of `ctl init`.

    The status is whatever the data derive; ACCEPT stands for it until then.
    """
    moved: dict[tuple[str, ...], Any] = {}
    for symbol in symbols:
        config = workspace.symbol(symbol)
        known = instruments_of(workspace).get(config.root)
        first: dict[str, Any] = {
            "tick_size": config.tick,
            "max_day_delta": FIRST_DAY_DELTA,
            "slippage_per_side": config.tick,
            "quote_unit": config.quote_unit,
            "asset_class": config.asset_class,
            "reference": config.reference,
        }
        if config.asset_class == "equity" and profile.portfolio_scope == "futures_only":
            moved["portfolio_scope",] = "futures_and_equities"
        elif known is not None and known.liquid_months:
            first["roll_policy"] = {"eligible_months": known.liquid_months}
        held = profile.symbol_settings.get(symbol)
        for name, value in {"expected_status": "ACCEPT", **({} if held else first)}.items():
            moved["symbol_settings", symbol, name] = value
        moved["non_gating_symbols", symbol] = operating_profile.REMOVED
    return moved


def _not_gating(profile: OperatingProfile, symbols: Sequence[str]) -> dict[tuple[str, ...], Any]:
    """What moves gating symbols out of the gate; their settings stay for the day that they gate again."""
    if not symbols:
        return {}
    left = [profile.symbol_settings[each].expected_status for each in profile.gating_universe if each not in symbols]
    moved: dict[tuple[str, ...], Any] = {
        ("non_gating_symbols", symbol): {"reason": "taken out of the gate"} for symbol in symbols
    }
    if left:  # a gating symbol has an expected status
        moved["portfolio_recommendation",] = recommend(status for status in left if status is not None)
    return moved


_Beside = tuple[PlannedFigures | None, PlannedFigures | None, ChangedTrades | None]


_Figures = tuple[PlannedFigures, dict[date, float]]


@dataclass(frozen=True, slots=True)
class _Parts:
    """What a plan and a lock say and write of the frames of one symbol. files: by name in the folder of a version."""

    difference: InputDifference
    figures: _Figures | None
    inputs: LockedInputs | None
    files: Mapping[str, bytes]


def _parts(
    workspace: Workspace,
    profile: OperatingProfile,
    certified: Certified,
    locked: watching.Locked | None,
    *,
    figures: bool,
    lock: bool,
) -> _Parts:
    """figures: whether trades and R are told. lock: whether a lock is made of it."""
    symbol, files = certified.inputs.symbol, {}
    if lock:
        for table in kept_bars.tables(certified.inputs):
            files[workspace.locked_bars(symbol, table.series).name] = kept_bars.packed(table.frame)
        files[f"{symbol}_certificate.json"] = certified.certificate.canonical_json
        watched = certified.certificate.watched
        if watched is not None:  # what the next gates come to on the sessions of this lock
            locked_past.certified_again(workspace, certified.inputs, certified.terms, lambda: watched.symbol, keep=True)
    return _Parts(
        _input_difference(symbol, certified, None if locked is None else locked.inputs),
        _figures(workspace, profile, symbol, certified) if figures else None,
        lock_parts.inputs_of(certified.inputs) if lock else None,
        files,
    )


def _beside(before: Mapping[str, _Parts], after: Mapping[str, _Parts]) -> dict[str, _Beside]:
    """By symbol: figures on the settings in force, on those tried where they differ, and the trades that change."""
    found: dict[str, _Beside] = {}
    for symbol, parts in before.items():
        tried = after[symbol].figures if symbol in after else None
        if parts.figures is None or tried is None:
            found[symbol] = parts.figures and parts.figures[0], None, None
        else:
            found[symbol] = parts.figures[0], tried[0], _changed_trades(parts.figures[1], tried[1])
    return found


def _figures(workspace: Workspace, profile: OperatingProfile, symbol: str, certified: Certified) -> _Figures:
    """What a symbol comes to, and the R of its closed trades by entry session."""
    watched = certified.certificate.watched
    drift = None if watched is None else watched.symbol.metrics.mean_drift
    settings, decision = profile.symbol_settings[symbol], certified.certificate.decision
    series = as_traded(certified.inputs, certified.series)
    try:
        if series is None:
            raise DataError(f"no series of {symbol} to run on")
        result = run_strategy(
            registry.find(profile.strategy),
            strategy_bars(series, symbol, workspace.symbol(symbol).calendar),
            slippage_per_side=settings.slippage_per_side,
            tick=settings.tick_size,
        )
    except CtlError:
        return PlannedFigures(decision, drift, None, None), {}
    trades = {trade.entry_session: trade.r_theoretical for trade in result.trades}
    return PlannedFigures(decision, drift, len(result.trades), sum(trades.values())), trades


def _changed_trades(before: Mapping[date, float], after: Mapping[date, float]) -> ChangedTrades:
    days = before.keys() | after.keys()
    moved = {day: after.get(day, 0.0) - before.get(day, 0.0) for day in sorted(days)}
    on_one_side = before.keys() ^ after.keys()
    changed = {day: r for day, r in moved.items() if day in on_one_side or abs(r) > _SAME}
    most = max(changed, key=lambda day: abs(changed[day]), default=None)
    return ChangedTrades(len(changed), len(days), None if most is None else changed[most], most)


_SAME: Final = 1e-9


def _plan_document(
    workspace: Workspace,
    decision: GateDecision,
    inputs: tuple[InputDifference, ...],
    lock: LockFile | None,
    settings: Mapping[str, str],
    beside: Mapping[str, _Beside],
    earlier: EarlierLocks,
) -> LockPlan:
    none: _Beside = (None, None, None)
    held = {} if lock is None else lock.symbols
    symbols = tuple(
        PlannedSymbol(
            symbol=result.symbol,
            expected=result.expected,
            derived=result.actual,
            changed=result.expected != result.actual,
            locked_drift=held[result.symbol].metrics.mean_drift if result.symbol in held else None,
            now=beside.get(result.symbol, none)[0],
            tried=beside.get(result.symbol, none)[1],
            trades=beside.get(result.symbol, none)[2],
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
            or any(problem.code not in signatures.CODES for problem in decision.problems)
        ),
        lockable=all(symbol.derived in _LOCKABLE for symbol in symbols),
        profile=decision.profile,
        next_profile=workspace.relative(free),
        settings=settings,
        problems=decision.problems,
        recommendation=recommendation,
        symbols=symbols,
        locks=decision.locks,
        inputs=inputs,
        restatements=decision.restatements,
        earlier=earlier,
    )


def _entries(workspace: Workspace) -> tuple[DecisionEntry, ...]:
    """The log's entries; none of a damaged log, which the plan names among its problems."""
    try:
        return decision_log.read(workspace)
    except DecisionLogError:
        return ()


def _input_difference(symbol: str, certified: Certified, locked: LockedInputs | None) -> InputDifference:
    held = certified.inputs
    days: list[date] = held.bars["session"].unique().sort().to_list()
    on_disk = SessionSpan(days[0], days[-1])
    if locked is None:
        return InputDifference.of(symbol, on_disk, locked=False)
    files = lock_parts.raw_files(held)
    restated = operating_profile.restated_ranges(locked.canonical.sessions, held.bars, symbol=symbol)
    return InputDifference.of(
        symbol,
        on_disk,
        files=[
            FileChange(name, locked.files.get(name), files.get(name))
            for name in sorted({*locked.files, *files})
            if locked.files.get(name) != files.get(name)
        ],
        new_sessions=[day for day in days if locked.canonical.last is None or day > locked.canonical.last],
        restated=[SessionSpan(part.first, part.last) for part in restated],
    )


# ---------------------------------------------------------------- lock


def lock(
    workspace: Workspace,
    *,
    reason: str,
    next_actions: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
    cycle: str | None = None,
    sign: Sequence[CryptoSigner] = (),
    instant: datetime,
) -> Locked:
    """Write the next version of the profile and its lock file as the data derive them, record why, put it in force.

    settings: as for `plan`. cycle: the name of a new cycle that this opens; profile and ctl.toml then both name it.
    sign: who sign it; what is in force already is then signed as well.

    In this order, each file whole or not at all: the bars and certificates it rests on, the lock file, the profile, the
    envelope of the signatures, the ctl.toml that names it, under another name, the entry of the decision log; and last
    that file takes the place of ctl.toml. A lock that was killed before that last step is finished. Where nothing
    differs from the lock in force, nothing is written but signatures. Call it while holding the run lock.

    Raises UsageError for an empty reason, ProfileError for an invalid profile in force, GateRefused where a gating
    symbol derives REJECT or ERROR, or a signer's signature is missing, DecisionLogError where the log is damaged,
    WorkspaceError where ctl.toml or a file cannot be written; the old profile is then in force, unless the entry was
    written already.
    """
    if not reason.strip() or len(reason) > MAX_REASON:
        found = "nothing" if not reason.strip() else f"{len(reason)} characters"
        raise UsageError("--reason says why", found=found, expected=f"1 to {MAX_REASON} characters")
    workspace = _finish(workspace)
    config = _unchanged_config(workspace)
    entries = decision_log.require_whole(workspace)
    if cycle is not None:
        workspace, settings = _of_cycle(workspace, cycle), {**(settings or {}), "cycle_id": cycle}
    planned = plan(workspace, settings, keep=True, instant=instant)
    if planned.refusals:
        raise GateRefused(
            "nothing was locked, because a profile can expect only ACCEPT or WATCH",
            found="; ".join(planned.refusals),
            remedy="mend the data, or take the symbol out of gating_universe",
            code="NOT_LOCKABLE",
        )
    in_force = decision_log.locking(entries)
    if not planned.document.changed and in_force is not None:
        _clear_left_over(workspace, workspace)
        decision_log.write_document(workspace, entries)
        return _locked(
            planned, planned.profile, in_force, was_there=True, files=_signed_again(workspace, planned, entries, sign)
        )
    signing.require_signers(workspace, (planned.in_force, planned.profile), sign)
    data = _next_profile(planned, instant)
    made = _next_version(planned, entries, data)
    after = replace(workspace, profile_path=made.path)
    name = workspace.relative(made.path)
    switched = _switched(config, workspace, name)
    passed = _require_passing(planned, made, instant)
    _clear_left_over(workspace, after)
    files = _files_beside(after, planned.made)
    for file, content in files.items():
        store.write_atomic(file, content)
    for path, content in ((anchors.lock_path(made.path), made.lock_bytes), (made.path, data)):
        if not path.exists():
            store.write_new(path, content)
        files[path] = content
    _for_the_next_gate(after, made, passed)
    decision = _decision(planned, made, reason, next_actions, instant)
    after_it = decision_log.chained(entries, (decision,))
    files |= signing.write(workspace, after_it, sign)
    if cycle is not None:
        decision_log.write_document(workspace, entries)  # a cycle's document has its own name
    store.write_atomic(workspace.root / WAITING_NAME, switched)
    _unchanged_config(workspace)
    entry = decision_log.append(workspace, decision)
    store.replace_whole(workspace.root / WAITING_NAME, workspace.root / FILE_NAME)
    written = (*files, workspace.decision_log, workspace.decision_document, workspace.root / FILE_NAME)
    return _locked(planned, made.profile, entry, was_there=False, files=written)


def _signed_again(
    workspace: Workspace, planned: Planned, entries: Sequence[DecisionEntry], sign: Sequence[CryptoSigner]
) -> tuple[Path, ...]:
    """The envelope of the lock in force, written anew where somebody signs; the files written."""
    in_force = decision_log.locking(entries)
    if not sign or in_force is None:
        return ()
    signing.require_signers(workspace, (planned.profile,), sign)
    return tuple(signing.write(workspace, entries[: entries.index(in_force) + 1], sign))


def _finish(workspace: Workspace) -> Workspace:
    """Put in place what a lock that was killed after its entry left waiting; remove what one left before it."""
    waiting = workspace.root / WAITING_NAME
    if not workspace.unfinished:
        store.remove(waiting)
        return workspace
    store.replace_whole(waiting, workspace.root / FILE_NAME)
    return replace(workspace, unfinished=False)


@dataclass(frozen=True, slots=True)
class _Version:
    """A version about to be put in force."""

    path: Path
    profile: OperatingProfile
    lock: LockFile
    lock_bytes: bytes


def _version(planned: Planned, path: Path, data: bytes, previous: str | None) -> _Version:
    profile, made = operating_profile.load(data, planned.workspace.relative(path)), planned.made
    lock = lock_parts.derive(planned.workspace, profile, _inputs_of(made), made.symbols, previous_head=previous)
    return _Version(path, profile, lock, lock_parts.lock_bytes(lock))


def _next_version(planned: Planned, entries: Sequence[DecisionEntry], data: bytes) -> _Version:
    """The version after the one in force, under the first name that is free."""
    head = entries[-1].sha256 if entries else None
    for path in _later_versions(planned.workspace.profile_path):
        made = _version(planned, path, data, head)
        if _free_or_same(path, data) and _free_or_same(anchors.lock_path(path), made.lock_bytes):
            return made
    raise AssertionError("there is always a later version")


def first_lock(
    workspace: Workspace,
    template: bytes,
    *,
    reason: str,
    instant: datetime,
    before: Sequence[Decision] = (),
    named: Decision | None = None,
    after: Sequence[Decision] = (),
) -> bool:
    """Lock a profile on the files on disk, and write it, all it rests on and its entry as the workspace's own.

    before, after: decisions that the log says around that of the lock; named: what its own entry says. Returns True,
    with nothing of it written but the bars that are missing, where another profile, lock or log stands there.
    """
    name = workspace.relative(workspace.profile_path)
    profile = operating_profile.load(template, name)
    parts = partial(_parts, workspace, profile, figures=False, lock=True)
    made = portfolio.certify_gating(workspace, profile, instant=instant, also=parts)
    made.require_all()
    earlier = decision_log.chained((), before)
    head = earlier[-1].sha256 if earlier else None
    lock = lock_parts.derive(workspace, profile, _inputs_of(made), made.symbols, previous_head=head)
    decision = replace(
        named or Decision(decision=f"{workspace.profile_path.name} is in force, the first of its cycle"),
        date=profile.locked_date,
        scope=profile.portfolio_scope,
        rationale=reason,
        profiles=(decision_log.ProfileCitation(path=name, version=profile.version, digest=profile.sha256),),
        lock=_citation(workspace, workspace.profile_path, lock_parts.lock_bytes(lock)),
        certificates={symbol: certified.certificate.sha256 for symbol, certified in made.certified.items()},
    )
    log = b"".join(entry.line + b"\n" for entry in decision_log.chained((), (*before, decision, *after)))
    files = {
        anchors.lock_path(workspace.profile_path): lock_parts.lock_bytes(lock),
        workspace.profile_path: template,
        workspace.decision_log: log,
    }
    kept = any(path.is_file() and path.read_bytes() != content for path, content in files.items())
    for path, content in _files_beside(workspace, made).items():
        if not (kept and path.exists()):
            store.write_atomic(path, content)
    if not kept:
        for path, content in files.items():
            if not path.exists():
                store.write_new(path, content)
        decision_log.write_document(workspace, decision_log.read(workspace))
    return kept


def _inputs_of(made: portfolio.CertifiedSymbols) -> dict[str, LockedInputs]:
    return {symbol: parts.inputs for symbol, parts in made.also.items() if parts.inputs is not None}


def _files_beside(workspace: Workspace, made: portfolio.CertifiedSymbols) -> dict[Path, bytes]:
    """The bars and certificates that the workspace's profile is locked on."""
    return {workspace.locked_folder / name: data for parts in made.also.values() for name, data in parts.files.items()}


def _decision(
    planned: Planned, made: _Version, reason: str, next_actions: Sequence[str], instant: datetime
) -> Decision:
    """What the entry of a lock says."""
    workspace = planned.workspace
    return Decision(
        date=instant.date(),
        scope=made.profile.portfolio_scope,
        inputs=_inputs_text(planned),
        decision=f"{made.path.name} is in force in place of {workspace.profile_path.name}",
        rationale=reason.strip(),
        gate_impact=_impact_text(planned),
        next_actions=[*next_actions, *_watched(planned)],
        profiles=[
            decision_log.ProfileCitation(path=item.name, version=item.version, digest=item.sha256)
            for item in (planned.in_force, made.profile)
        ],
        lock=_citation(workspace, made.path, made.lock_bytes),
        certificates={result.symbol: result.certificate_sha256 or "" for result in planned.decision.symbol_results},
    )


def _citation(workspace: Workspace, profile: Path, data: bytes) -> LockCitation:
    return LockCitation(path=workspace.relative(anchors.lock_path(profile)), digest=digests.sha256_bytes(data))


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


def _next_profile(planned: Planned, instant: datetime) -> bytes:
    """The text of the next version, comments kept."""
    old, decision = planned.profile, planned.decision
    changes: dict[tuple[str, ...], Any] = {}
    for result in decision.symbol_results:
        if result.actual != result.expected:
            changes["symbol_settings", result.symbol, "expected_status"] = result.actual
    if decision.recommendation != old.portfolio_recommendation:
        changes["portfolio_recommendation",] = decision.recommendation
    if instant.date() != old.locked_date:
        changes["locked_date",] = instant.date()
    return operating_profile.with_values(planned.data, changes) if changes else planned.data


def _require_passing(planned: Planned, made: _Version, instant: datetime) -> portfolio.Gated:
    """The gate's own word on the new version and the same certificates: one that does not pass is not written."""
    locked = LockRead(made.lock)
    gated = portfolio.gate(planned.workspace, made.profile, instant=instant, certified=planned.made, locked=locked)
    if not gated.decision.passed:
        failures = "; ".join(gated.decision.failures)
        raise GateRefused(f"nothing was locked, because the new version does not pass: {failures}")
    return gated


def _for_the_next_gate(workspace: Workspace, made: _Version, passed: portfolio.Gated) -> None:
    """What the next gate would find beside the new version, kept for it."""
    kept = kept_bars.KeptBars(workspace, made.path)
    read = LockRead(made.lock, sha256=digests.sha256_bytes(made.lock_bytes))
    for symbol, known_by in passed.known_by.items():
        lock = watching.locked(made.profile, read, symbol)
        if lock is not None:
            watched_before.just_locked(workspace, symbol, known_by, lock, kept, passed.watched[symbol])


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
    """The text of ctl.toml with profile and cycle named anew and everything else, comments included, as it was."""
    table = _TABLE_LINE.search(config)
    head = config[: table.start()] if table else config
    written, count = _named(head, "profile", name)
    if parse(config, workspace.root).cycle_id != workspace.cycle_id:
        written, cycles = _named(written, "cycle_id", workspace.cycle_id)
        count = min(count, cycles)
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


def _named(head: bytes, key: str, value: str) -> tuple[bytes, int]:
    """The text with another value of a key, and how many lines of it there are."""
    pattern = re.compile(_NAMING_LINE % key.encode())
    return pattern.subn(lambda found: found[1] + json.dumps(value, ensure_ascii=False).encode(), head)


def _of_cycle(workspace: Workspace, cycle: str) -> Workspace:
    """The workspace as it will be in another cycle. Raises UsageError for a name that no folder can have."""
    if not is_safe_name(cycle) or cycle == workspace.cycle_id:
        raise UsageError(
            "--cycle names a new cycle",
            found=repr(cycle),
            expected=f"another name than {workspace.cycle_id}: {SAFE_NAME_TEXT}",
        )
    return replace(workspace, cycle_id=cycle)


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
    if planned.document.earlier.refused:
        texts.append(_cut(AFTER_REFUSAL + ", ".join(planned.document.earlier.refused)))
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
