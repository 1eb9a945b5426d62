"""Commands that show, change and check the lock: plan, lock, profile diff, verify, replay."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ctl import clock
from ctl.cli import output
from ctl.cli.arguments import day
from ctl.cli.workspace_commands import open_workspace, read_profile
from ctl.errors import EXIT_MISMATCH, EXIT_OK, ProfileError, UsageError
from ctl.model.documents import document
from ctl.model.lock import LockPlan, ProfileDifference
from ctl.model.run import ProfileReference

if TYPE_CHECKING:
    from ctl.operating_profile import OperatingProfile


def plan(workspace_path: Path | None, settings: Sequence[str], *, json: bool) -> int:
    """What the data now derive against the profile in force; nothing is changed."""
    from ctl.flows import lock

    instant = clock.now()
    with output.progress("certifying"):
        planned = lock.plan(open_workspace(workspace_path), _settings(settings), instant=instant)
    found = planned.document
    if json:
        output.print_json(document(found))
        return EXIT_OK
    _print_plan(found)
    if planned.refusals:
        print(f"Cannot be locked: a profile can expect only ACCEPT or WATCH; found {'; '.join(planned.refusals)}")
    elif found.changed:
        print(f"`ctl lock --reason TEXT` would write {found.next_profile} and put it in force")
    else:
        print("The profile says what the data derive: nothing to lock")
    return EXIT_OK


def lock(
    workspace_path: Path | None,
    settings: Sequence[str],
    *,
    reason: str,
    next_actions: Sequence[str],
    cycle: str | None,
    json: bool,
) -> int:
    """Write the next version of the profile, record why, put it in force."""
    from ctl import store
    from ctl.flows import lock

    instant = clock.now()
    found = open_workspace(workspace_path)
    with (
        store.RunLock(found.lock_path, instant=instant, purpose="ctl lock"),
        output.progress("certifying and locking"),
    ):
        workspace = store.Workspace.load(found.root)  # another lock may have switched the profile meanwhile
        locked = lock.lock(
            workspace,
            reason=reason,
            next_actions=next_actions,
            settings=_settings(settings),
            cycle=cycle,
            instant=instant,
        )
    if json:
        output.print_json(document(locked))
        return EXIT_OK
    _print_plan(locked.plan)
    profile, entry = locked.profile, locked.entry
    if not locked.files:
        print(f"nothing to lock: {profile.path} is in force, locked by {entry.id}; nothing was written")
        return EXIT_OK
    state = "was recorded by a lock that did not end" if entry.was_there else "recorded"
    print(f"profile      {profile.path}   sha256 {profile.digest[:12]}")
    print(f"decision     {entry.id} {state}   {workspace.relative(workspace.decision_log)}")
    print(f"in force     ctl.toml now names {profile.path}; {locked.plan.profile.path} stays as it is")
    return EXIT_OK


def _settings(given: Sequence[str]) -> dict[str, str]:
    """KEY=VALUE as typed. Raises UsageError for anything else, and for a key that is given twice."""
    settings: dict[str, str] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not (key and equals) or key in settings:
            raise UsageError("--set takes KEY=VALUE, each key once", found=text, expected="such as ratchet=0.3")
        settings[key] = value
    return settings


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
    if json:
        sides = (ProfileReference(item.name, item.version, item.sha256) for item in loaded)
        output.print_json(
            document(ProfileDifference(equal=not changes, old=next(sides), new=next(sides), changes=changes))
        )
    elif changes:
        output.print_table(
            ("key", str(old_path), str(new_path)),
            [(item.key, *_sides(item.old, item.new)) for item in changes],
        )
    else:
        print("no difference; comments and layout do not count")
    return EXIT_OK


def verify(workspace_path: Path | None, *, render: bool, json: bool) -> int:
    """Check the decision log: exit 0, or 2 naming the first broken entry."""
    from ctl import store
    from ctl.store import anchors, decision_log

    instant, workspace = clock.now(), open_workspace(workspace_path)
    if render:
        with store.RunLock(workspace.lock_path, instant=instant, purpose="ctl verify --render"):
            decision_log.write_document(workspace, decision_log.read(workspace))
    found = anchors.verify(workspace)
    if json:
        output.print_json(document(found))
    else:
        log = workspace.relative(workspace.decision_log)
        if found.verified:
            head = f", newest D-{found.entries:04d} sha256 {found.head}" if found.entries else ""
            print(f"{log}: {found.entries} entries, the chain holds{head}")
        for problem in found.problems:
            print(f"{problem.code}: {problem.text}")
        for note in found.notes:
            print(f"note: {note}")
    return EXIT_OK if found.verified else EXIT_MISMATCH


def replay(workspace_path: Path | None, profile_path: Path | None, *, first: str, last: str, json: bool) -> int:
    """The gate as of each past week's last session; exit 0 whatever it would have said."""
    from ctl.flows import replay as replaying

    instant, start, end = clock.now(), _day(first, "--from"), _day(last, "--to")
    if end < start:
        raise UsageError("--to lies before --from", found=f"{start} to {end}")
    workspace = open_workspace(workspace_path)
    profile = read_profile(workspace, profile_path)
    with _week_under_way() as progress:
        found = replaying.replay(workspace, profile, first=start, last=end, instant=instant, progress=progress)
    if json:
        output.print_json(document(found))
        return EXIT_OK
    output.print_table(
        ("week to", "gate", *profile.gating_universe, "first reason"),
        [
            (
                week.as_of.isoformat(),
                "passed" if week.passed else "BLOCKED",
                *(result.actual for result in week.symbols),
                week.first_reason or "",
            )
            for week in found.weeks
        ],
    )
    print(f"{profile.name}: passed {found.passed}, blocked {found.blocked} of {len(found.weeks)} weeks")
    if found.through < end:
        print(f"The data end at {found.through}; later weeks are left out")
    print(f"Note: {found.note}")
    if workspace.simulated:
        print("Data: simulated market")
    return EXIT_OK


# ---------------------------------------------------------------- what a person sees

_WIDTH: Final = 48


def _print_plan(plan: LockPlan) -> None:
    """Profile and data side by side; `=` where they agree."""
    rows = [("portfolio", *_moved(plan.recommendation.expected, plan.recommendation.derived), "")]
    for symbol in plan.symbols:
        reasons = "; ".join(reason.text for reason in symbol.reasons)
        rows.append((symbol.symbol, *_moved(symbol.expected, symbol.derived), reasons))
    for lock in plan.locks:
        rows.append((lock.name, *_moved(lock.locked[:12], lock.current[:12]), lock.code or ""))
        rows += [(f"  {item.key}", *_sides(item.old, item.new), "") for item in lock.changes]
    rows += [(f"{item.symbol} inputs", "", "changed" if item.changed else "=", item.text) for item in plan.inputs]
    rows += [(f"{item.symbol} history", "", "restated", item.text) for item in plan.restatements]
    print(f"{plan.profile.path}   sha256 {plan.profile.digest[:12]}")
    output.print_table(("", "locked", "derived now", "why"), rows)
    if plan.simulated:
        print("Data: simulated market")


def _moved(old: str, new: str) -> tuple[str, str]:
    return old, "=" if old == new else new


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


@contextmanager
def _week_under_way() -> Iterator[Callable[[date], None]]:
    """A spinner on stderr that names the week under way; silent where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield lambda day: None
        return
    from rich.console import Console

    with Console(stderr=True).status("asking the gate") as status:
        yield lambda day: status.update(f"asking the gate as of {day}")


def _day(text: str, option: str) -> date:
    found = day(text, option)
    if found is None:
        raise UsageError(f"{option} is missing", expected="YYYY-MM-DD")
    return found
