"""Commands that show, change and check the lock: plan, lock, profile diff, verify, replay."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ctl import clock, strict_files
from ctl.cli import arguments, output, screens
from ctl.cli.workspace_commands import open_workspace, read_profile
from ctl.errors import EXIT_MISMATCH, EXIT_OK, ProfileError, UsageError
from ctl.model.findings import counted, in_points
from ctl.model.lock import LockPlan, ProfileDifference, Replay
from ctl.model.run import ProfileReference, ValueChange

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner

    from ctl.flows.lock import Planned
    from ctl.operating_profile import OperatingProfile


def plan(workspace_path: Path | None, settings: Sequence[str], *, json: bool) -> int:
    """What the data now derive against the profile in force; nothing is changed."""
    from ctl.flows import lock

    instant = clock.now()
    with output.progress("certifying"):
        planned = lock.plan(open_workspace(workspace_path), arguments.settings(settings), figures=True, instant=instant)
    found = planned.document
    output.answer(found, lambda on: [*_plan_lines(found, on, "nothing written"), *_follow(planned, on)], json=json)
    return EXIT_OK


def _follow(planned: Planned, on: screens.Terminal) -> list[str]:
    """What a plan leads to: why it cannot be locked, or the lock that it would be."""
    found = planned.document
    if planned.refusals:
        first = next(item.symbol for item in found.symbols if item.derived not in ("ACCEPT", "WATCH"))
        text = f"cannot be locked: a profile can expect only ACCEPT or WATCH; found {'; '.join(planned.refusals)}"
        return [*screens.wrapped(text, on), f"next: ctl certify {first} --explain"]
    if not found.changed:
        return []
    tried = "".join(f" --set {shlex.quote(f'{key}={value}')}" for key, value in found.settings.items())
    reason = "set " + ", ".join(f"{key}={value}" for key, value in found.settings.items())
    return [
        f"would write: {found.next_profile}",
        f"next: ctl lock{tried} --reason {shlex.quote(reason if found.settings else 'what the data derive now')}",
    ]


def lock(
    workspace_path: Path | None,
    settings: Sequence[str],
    *,
    reason: str,
    next_actions: Sequence[str],
    cycle: str | None,
    sign: Sequence[Path],
    json: bool,
) -> int:
    """Write the next version of the profile, record why, put it in force."""
    from ctl import store
    from ctl.flows import lock

    instant = clock.now()
    found = open_workspace(workspace_path)
    signers = signing_keys(sign)
    with (
        store.RunLock(found.lock_path, instant=instant, purpose="ctl lock"),
        output.progress("certifying and locking"),
    ):
        workspace = store.Workspace.load(found.root)  # another lock may have switched the profile meanwhile
        locked = lock.lock(
            workspace,
            reason=reason,
            next_actions=next_actions,
            settings=arguments.settings(settings),
            cycle=cycle,
            sign=signers,
            instant=instant,
        )
    profile, entry = locked.profile, locked.entry
    signed = {"Signed": ", ".join(f"key {each.public_key.keyid[:12]}" for each in signers)}
    in_force = {"In force": f"{profile.path}, locked by {entry.id}"}

    def drawn(on: screens.Terminal) -> list[str]:
        if entry.was_there and locked.files:
            facts = screens.facts({**in_force, **signed, "Written": ", ".join(locked.files)}, on)
            return ["LOCK: SIGNED   nothing else to lock", *facts, "next: ctl gate"]
        if not locked.files:
            facts = screens.facts(in_force, on)
            return ["LOCK: UNCHANGED   nothing to lock, nothing written", *facts, "next: ctl run"]
        told = {
            "Profile": f"{profile.path}, sha256 {_brief(profile.digest)}",
            "Decision": f"{entry.id} recorded, {workspace.relative(workspace.decision_log)}",
            "In force": f"ctl.toml now names {profile.path}; {locked.plan.profile.path} stays as it is",
            **signed,
        }
        lines = [f"LOCK: DONE   {profile.path}   {entry.id}", "", *_plan_lines(locked.plan, on)]
        return [*lines, "", *screens.facts(told, on), "next: ctl gate"]

    output.answer(locked, drawn, json=json)
    return EXIT_OK


def _brief(digest: str) -> str:
    """A digest as screens show it."""
    return digest if screens.verbose.get() else digest[:12]


def signing_keys(paths: Sequence[Path]) -> list[CryptoSigner]:
    """The private keys of `--sign`. Raises UsageError for what is none."""
    from ctl.store import signatures

    return [signatures.signing_key(path, os.environ.get(signatures.PASSPHRASE)) for path in paths]


def profile_diff(old_path: Path, new_path: Path, *, json: bool) -> int:
    """The semantic difference of two profile files."""
    from ctl import operating_profile, strict_files

    problems: list[str] = []
    loaded: list[OperatingProfile] = []
    for path in (old_path, new_path):
        try:
            loaded.append(operating_profile.load(strict_files.read_bytes(path), str(path)))
        except ProfileError as error:
            problems += error.problems or (str(error),)
        except OSError as error:
            problems.append(f"{path}: cannot be read ({error.strerror})")
    if problems:
        raise ProfileError.of_problems(tuple(problems))
    old, new = loaded
    changes = operating_profile.difference(old.text, new.text)
    sides = (ProfileReference(item.name, item.version, item.sha256) for item in loaded)
    found = ProfileDifference(equal=not changes, old=next(sides), new=next(sides), changes=changes)

    def drawn(on: screens.Terminal) -> list[str]:
        if not changes:
            return ["PROFILE: no difference   comments and layout do not count"]
        lines = screens.parts([f"PROFILE: {counted(len(changes), 'key')} differ", f"{old_path} -> {new_path}"], on)
        lines.append("")
        for item in changes:
            lines += screens.wrapped(_change(item.key, item), on, indent="    ")
        return [*lines, "next: ctl plan"]

    output.answer(found, drawn, json=json)
    return EXIT_OK


def verify(workspace_path: Path | None, *, render: bool, keys: Sequence[Path], json: bool) -> int:
    """Check the decision log and the signatures over it: exit 0, or 2 naming the first broken entry."""
    from ctl import store
    from ctl.flows import signing
    from ctl.store import decision_log, signatures

    public = {
        str(path): signatures.public_key(strict_files.read_bytes(path), f"--key {path}", UsageError) for path in keys
    }
    instant, workspace = clock.now(), open_workspace(workspace_path)
    if render:
        with store.RunLock(workspace.lock_path, instant=instant, purpose="ctl verify --render"):
            decision_log.write_document(workspace, decision_log.read(workspace))
    found = signing.verify(workspace, public)

    def drawn(on: screens.Terminal) -> list[str]:
        state = "OK, the chain holds" if found.verified else f"MISMATCH, {counted(len(found.problems), 'problem')}"
        log = workspace.relative(workspace.decision_log)
        lines = screens.parts([f"VERIFY: {state}", f"{found.entries} entries in {log}"], on)
        for problem in found.problems:
            lines += screens.wrapped(f"{problem.code}: {problem.text}", on, indent="  ")
        facts = {"Newest": f"D-{found.entries:04d}, sha256 {_brief(found.head)}" if found.head else ""}
        facts |= {f"Signed {row.entry}": ", ".join(row.by) for row in found.signatures if row.by}
        facts |= {f"Note {number}": note for number, note in enumerate(found.notes, 1)}
        return [*lines, *screens.facts(facts, on), "next: ctl gate" if found.verified else "next: ctl plan"]

    output.answer(found, drawn, json=json)
    return EXIT_OK if found.verified else EXIT_MISMATCH


def replay(
    workspace_path: Path | None,
    profile_path: Path | None,
    *,
    first: str,
    last: str,
    jobs: int | None = None,
    cluster: str | None = None,
    json: bool,
) -> int:
    """The gate as of each past week's last session; exit 0 whatever it would have said."""
    from ctl.flows import replay as replaying
    from ctl.flows.workers import opened

    instant, start, end = clock.now(), _day(first, "--from"), _day(last, "--to")
    if end < start:
        raise UsageError("--to lies before --from", found=f"{start} to {end}")
    workspace = open_workspace(workspace_path)
    profile = read_profile(workspace, profile_path)
    with output.progress("asking the gate") as track, opened(jobs, cluster, workspace.root) as workers:
        found = replaying.replay(
            workspace, profile, first=start, last=end, instant=instant, track=track, workers=workers
        )
    output.answer(found, lambda on: _replay_lines(found, on), json=json)
    return EXIT_OK


# ---------------------------------------------------------------- what a person sees

_WIDTH: Final = 48
_CURVE: Final = 26


def _plan_lines(plan: LockPlan, on: screens.Terminal, written: str = "") -> list[str]:
    """Verdict, what changes key by key, the board as locked, now and with other settings, and what stays."""
    if not plan.changed:
        lines = [f"PLAN: no changes, the data derive profile v{plan.profile.version}"]
        for problem in plan.problems:
            lines += screens.wrapped(f"{problem.code}: {problem.text}", on, indent="  ")
        return lines
    moved = [f"{item.symbol} {item.expected} -> {item.derived}" for item in plan.symbols if item.changed]
    universe = next((item for lock in plan.locks for item in lock.changes if item.key == "gating_universe"), None)
    if universe is not None:
        moved += [f"{symbol} gates now" for symbol in universe.new if symbol not in universe.old]
        moved += [f"{symbol} gates no longer" for symbol in universe.old if symbol not in universe.new]
    derived = plan.recommendation
    portfolio = (
        f"portfolio stays {derived.derived}"
        if derived.expected == derived.derived
        else f"portfolio {derived.expected} -> {derived.derived}"
    )
    lines = screens.parts(
        [
            f"PLAN: {', '.join(moved) or 'no status changes'}",
            portfolio,
            written,
            "simulated market" if plan.simulated else "",
        ],
        on,
    )
    for lock in plan.locks:
        where = "" if lock.name == "profile" else f"{lock.name}."
        lines += [_change(f"{where}{item.key.removeprefix('symbol_settings.')}", item) for item in lock.changes]
        if not (lock.held or lock.changes):
            lines.append(f"~ {lock.name}   comments or layout alone")
    for problem in plan.problems:
        lines += screens.wrapped(f"{problem.code}: {problem.text}", on, indent="  ")
    for item in plan.inputs:
        if item.changed:
            lines += screens.wrapped(f"{item.symbol} inputs: {item.text}", on, indent="  ")
    for restated in plan.restatements:
        lines += screens.wrapped(restated.text, on, indent="  ")
    lines += ["", *_plan_table(plan, on)]
    changed = [
        f"{item.symbol} trades changed: {item.trades.changed} of {item.trades.of}"
        + ("" if item.trades.most_r is None else f", most {item.trades.most_r:+.2f} R (entry {item.trades.entry})")
        for item in plan.symbols
        if item.trades is not None and item.trades.changed
    ]
    earlier = _earlier_facts(plan)
    same: list[str] = [lock.name for lock in plan.locks if lock.held]
    same += [] if plan.restatements or any(item.changed for item in plan.inputs) else ["inputs"]
    return [*lines, "", *changed, *screens.facts(earlier, on), f"unchanged: {', '.join(same)}"]


def _earlier_facts(plan: LockPlan) -> dict[str, str]:
    """Each symbol's drift in every version so far, where there were several, and how many locks followed a refusal."""
    earlier = plan.earlier
    facts: dict[str, str] = {}
    for item in plan.symbols if len(earlier.versions) > 1 else ():
        drifts = [(each.version or each.entry, each.mean_drift.get(item.symbol)) for each in earlier.versions]
        said = [f"v{version} {in_points(drift)}" for version, drift in drifts if drift is not None]
        facts[f"{item.symbol} drift"] = ", ".join(said)
    if earlier.recent or earlier.refused:
        now = f"; this one follows {', '.join(earlier.refused)}" if earlier.refused else ""
        facts["Locks"] = f"{earlier.recent} in {earlier.days} days, {earlier.after_refusal} after a refusal{now}"
    return facts


def _plan_table(plan: LockPlan, on: screens.Terminal) -> list[str]:
    columns = [screens.Column(""), screens.Column("locked"), screens.Column("now")]
    if plan.settings:
        columns.append(screens.Column("with --set"))
    figures = any(item.now or item.tried for item in plan.symbols)  # a lock certifies without running the strategy
    if figures:
        columns += [screens.Column("trades", least=80), screens.Column("total R", least=80)]
    rows = []
    for item in plan.symbols:
        locked = _status(item.expected, item.locked_drift)
        now = locked if item.now is None else _status(item.now.decision, item.now.mean_drift)
        last = (
            _status(item.derived, None if item.changed else item.locked_drift)
            if item.tried is None
            else _status(item.tried.decision, item.tried.mean_drift)
        )
        middle = [now, last] if plan.settings else [now if item.now is not None else last]
        cells, before = [item.symbol, locked], locked
        for text in middle:
            cells.append("=" if text == before else text)
            before = text
        if figures:
            both = [side for side in (item.now, item.tried) if side is not None]
            trades = ["-" if side.trades is None else str(side.trades) for side in both]
            total_r = ["-" if side.total_r is None else f"{side.total_r:+.2f}" for side in both]
            cells += [" -> ".join(dict.fromkeys(column)) for column in (trades, total_r)]
        rows.append(cells)
    return screens.table(columns, rows, on)


def _status(decision: str, drift: float | None) -> str:
    return decision if drift is None else f"{decision} {in_points(drift)}"


def _change(key: str, item: ValueChange) -> str:
    """`~ ES.series.closes   last_trade -> settlement`; `+` new, `-` gone."""
    sign = "+" if item.old is None else "-" if item.new is None else "~"
    old, new = _sides(item.old, item.new)
    return f"{sign} {key}   " + (f"{old} -> {new}" if sign == "~" else new if sign == "+" else old)


def _sides(old: Any, new: Any) -> tuple[str, str]:
    """Both values for a table; of two long lists only how far they agree."""
    if isinstance(old, list | tuple) and isinstance(new, list | tuple):
        names = [", ".join(str(item) for item in side) for side in (old, new)]
        if max(map(len, names)) <= _WIDTH:
            return names[0], names[1]
        same = sum(1 for left, right in zip(old, new, strict=False) if left == right)
        return f"{len(old)} items", f"{len(new)} items, {same} of them as before"
    return _shown(old), _shown(new)


def _shown(value: Any) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "true" if value else "false"
        case list() | tuple():
            return f"{len(value)} items"
        case _:
            text = str(value)
            return text if len(text) <= _WIDTH else f"{text[:12]}... ({len(text)} characters)"


def _replay_lines(replay: Replay, on: screens.Terminal) -> list[str]:
    """The weeks at which the gate's word changed, all weeks as letters, and each drift on its own scale."""
    weeks = replay.weeks
    lines = screens.parts(
        [
            f"REPLAY: {replay.passed} of {len(weeks)} weeks pass",
            f"{weeks[0].as_of} to {weeks[-1].as_of}",
            f"profile v{replay.profile.version}",
            "simulated market" if replay.simulated else "",
        ],
        on,
    )
    lines.append("")
    before = None
    for week in weeks:
        state = (week.passed, week.first_reason, *(item.actual for item in week.symbols))
        if state != before:
            board = ", ".join(f"{item.symbol} {item.actual}" for item in week.symbols)
            first = f"{week.as_of}  {'PASS' if week.passed else 'MISMATCH':<8}  "
            lines += screens.wrapped(week.first_reason or board, on, first=first, indent=" " * len(first))
        before = state
    facts = {"weeks": "".join("P" if week.passed else "M" for week in weeks)}
    for number, symbol in enumerate(weeks[0].symbols):
        drifts = [week.symbols[number].mean_drift for week in weeks]
        known = [drift for drift in drifts if drift is not None]
        if known:
            most = max(*known, symbol.most_drift or 0.0)
            limit = "" if symbol.most_drift is None else f", at most {in_points(symbol.most_drift)}"
            curve = screens.sparkline(_thinned(drifts), 0.0, most, on)
            facts[f"{symbol.symbol} drift"] = f"{in_points(known[0])} {curve} {in_points(known[-1])}{limit}"
    facts["through"] = f"{replay.through}: the data end there" if replay.through < replay.to else ""
    facts["note"] = replay.note
    blocked = next((week for week in weeks if not week.passed), None)
    command = "ctl gate" if blocked is None else f"ctl gate --as-of {blocked.as_of}"
    return [*lines, "", *screens.facts(facts, on), f"next: {command}"]


def _thinned(values: Sequence[float | None]) -> list[float | None]:
    """At most as many values as a curve has characters, at equal steps, both ends kept."""
    count = min(_CURVE, len(values))
    return [values[round(step * (len(values) - 1) / max(1, count - 1))] for step in range(count)]


def _day(text: str, option: str) -> date:
    found = arguments.day(text, option)
    if found is None:
        raise UsageError(f"{option} is missing", expected="YYYY-MM-DD")
    return found
