"""The closeout of a cycle: a document derived from state alone, and the check that every claim of it still holds.

Texts that no state holds (purposes, limitations, plan) stand in a small YAML beside it; whether a limitation is lifted
or a plan item done is a check of state. A claim is a row of the document: verifying derives all rows anew.
"""

from __future__ import annotations

import ast
import io
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.resources import files
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final, Literal

from ctl import clock, digests, store, strict_files
from ctl.errors import EXIT_ERROR, EXIT_MISMATCH, EXIT_OK, EXIT_USAGE, GateRefused, WorkspaceError
from ctl.flows import demo, portfolio
from ctl.model.documents import document
from ctl.model.run import OPS_ENDING, OpsLog
from ctl.model.trades import Metrics
from ctl.operating_profile import OperatingProfile
from ctl.operating_profile import load as load_profile
from ctl.ops import schedule
from ctl.ops.weekly import WeeklyOptions, run_weekly
from ctl.run_orchestrator import RunOptions
from ctl.store import anchors, decision_log
from ctl.store.decision_log import DecisionEntry
from ctl.strict_files import Strict

PROVED_AT: Final = datetime(2026, 3, 1, 22, 49, 32, tzinfo=UTC)
"""The instant of a founding cycle's proof: after its data end, and the same in every simulated workspace."""

_MOVING: Final = ("durations",)
"""What of an ops log differs from run to run."""
_EXIT_CODES: Final = {
    EXIT_OK: "the gate passed and the run completed",
    EXIT_ERROR: "an unexpected error, said on stderr",
    EXIT_MISMATCH: "the gate refused, nothing ran",
    EXIT_USAGE: "wrong arguments, nothing was looked at",
}
_RAW: Final = "data/raw"
_COPIED: Final = ("ctl.toml", "configs", "docs/governance", _RAW)


class _Limitation(Strict):
    """Something that is known not to work, while its check holds."""

    text: str
    holds: str


class _Planned(Strict):
    """What is to come: done where its check holds; the command that gets there."""

    text: str
    holds: str
    command: str


class CloseoutText(Strict):
    """The YAML beside a closeout. inventory: kind -> path -> purpose. commands: command -> what it does."""

    inventory: dict[str, dict[str, str] | None]
    commands: dict[str, str]
    limitations: list[_Limitation]
    risks: list[str]
    plan: list[_Planned]


@dataclass(frozen=True, slots=True)
class Section:
    """A table of the closeout; each row is a claim."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Closeout:
    """`ctl closeout --json`: the document's sections, its path and that of the proof, in the workspace."""

    kind: Literal["closeout"] = "closeout"
    schema_version: Literal[1] = 1
    cycle_id: str
    simulated: bool
    path: str
    proof: str
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True)
class BrokenClaim:
    """A row that does not hold: what the document says and what the state derives; None where one lacks it."""

    section: str
    found: str | None
    expected: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseoutVerification:
    """`ctl closeout --verify --json`: how many claims were derived anew, and those that do not hold."""

    kind: Literal["closeout_verification"] = "closeout_verification"
    schema_version: Literal[1] = 1
    verified: bool
    cycle_id: str
    path: str
    claims: int
    broken: tuple[BrokenClaim, ...]


@dataclass(frozen=True, slots=True)
class _State:
    """What claims are derived from. options: command -> its options. proof: the tracked dry-run log."""

    root: Path
    workspace: store.Workspace
    profile: OperatingProfile
    text: CloseoutText
    entries: tuple[DecisionEntry, ...]
    options: Mapping[str, frozenset[str]]
    proof: OpsLog
    proof_sha256: str
    delivered: bool = field(default=False)


# ---------------------------------------------------------------- what a person calls


def write(root: Path, options: Mapping[str, frozenset[str]], *, instant: datetime) -> Closeout:
    """Derive a workspace's closeout and write it, its YAML where there is none, and its proof where it is another.

    Raises WorkspaceError and ProfileError where the workspace or the YAML cannot be read, GateRefused where the dry run
    that is to prove it does not pass.
    """
    with _standing(root) as workspace:
        paths = _Paths.of(root, workspace.cycle_id)
        if not paths.text.exists():
            store.write_atomic(paths.text, _template(root))
        proof = _dry_run(workspace, instant)
        if proof["exit_code"] != EXIT_OK or proof["has_errors"]:
            raise GateRefused(
                "no closeout was written, because the dry weekly run that proves it did not pass",
                found=(proof["error"] or {"text": "symbols that failed"})["text"],
                remedy="ctl gate",
            )
        if not (paths.proof.exists() and not _unlike(_read(paths.proof), proof)):
            store.write_atomic(paths.proof, store.json_bytes(proof))
        made = _derive(_state(root, workspace, paths, options), paths)
        store.write_atomic(paths.document, render(made))
    return made


def verify(root: Path, options: Mapping[str, frozenset[str]], *, instant: datetime) -> CloseoutVerification:
    """Derive every claim of a closeout anew and compare.

    Raises WorkspaceError where it cannot be looked at, GateRefused where its proof is none.
    """
    with _standing(root) as workspace:
        paths = _Paths.of(root, workspace.cycle_id)
        for path in (paths.document, paths.text):
            if not path.is_file():
                raise WorkspaceError("there is no closeout to verify", where=str(path), remedy="write it: ctl closeout")
        state = _state(root, workspace, paths, options)
        made = _derive(state, paths)
        broken = [*_differences(paths.document.read_text(errors="replace"), made), *_doubts(state)]
        if workspace.simulated:
            broken += _unlike(_read(paths.proof), _dry_run(workspace, instant))
    claims = sum(len(section.rows) for section in made.sections)
    return CloseoutVerification(
        verified=not broken, cycle_id=made.cycle_id, path=made.path, claims=claims, broken=tuple(broken)
    )


def render(made: Closeout) -> bytes:
    """The closeout as Markdown."""
    lines = [f"# Closeout of {made.cycle_id}", ""]
    if made.simulated:
        lines += ["Simulated market: no number here comes from an exchange.", ""]
    lines += ["Written by `ctl closeout` from state; `ctl closeout --verify` derives every row of it anew."]
    for section in made.sections:
        lines += ["", f"## {section.title}", "", _row(section.columns), "|" + "---|" * len(section.columns)]
        lines += [_row(row) for row in section.rows]
    return ("\n".join(lines) + "\n").encode()


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "&#124;").replace("\n", " ") for cell in cells) + " |"


# ---------------------------------------------------------------- state


@dataclass(frozen=True, slots=True)
class _Paths:
    """Where a cycle's closeout stands."""

    document: Path
    text: Path
    proof: Path

    @classmethod
    def of(cls, root: Path, cycle_id: str) -> _Paths:
        folder = root / "docs" / "governance"
        return cls(
            folder / f"{cycle_id}_closeout.md",
            folder / f"{cycle_id}_closeout.yaml",
            folder / f"{cycle_id}_proof_ops.json",
        )


@contextmanager
def _standing(root: Path) -> Iterator[store.Workspace]:
    """The workspace to derive from: its own; where it is simulated, a copy, its market generated where it has none.

    A copy needs no filled workspace, and its records of today stand in the way of no proof.
    """
    if (root / "ctl.toml").exists():
        workspace = store.Workspace.load(root)
        if not workspace.simulated:
            yield workspace
            return
    with tempfile.TemporaryDirectory(prefix="ctl-closeout-") as name:
        copy = Path(name) / "workspace"
        kept = [*_COPIED, *(str(path.relative_to(root)) for path in root.glob("data/processed/*/locked"))]
        for part in kept:
            source, target = root / part, copy / part
            if source.is_dir():
                shutil.copytree(source, target)
            elif source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
        if not (copy / _RAW).is_dir():
            demo.fill(copy)
        if (root / "ctl.toml").exists():
            shutil.copyfile(root / "ctl.toml", copy / "ctl.toml")
        yield store.Workspace.load(copy)


def _state(root: Path, workspace: store.Workspace, paths: _Paths, options: Mapping[str, frozenset[str]]) -> _State:
    text, _ = strict_files.read_model(paths.text.read_bytes(), str(paths.text), CloseoutText, WorkspaceError)
    return _State(
        root=root,
        workspace=workspace,
        profile=portfolio.read_profile(workspace, None),
        text=text,
        entries=decision_log.read(workspace),
        options=options,
        proof=_proved(paths.proof),
        proof_sha256=digests.sha256_bytes(paths.proof.read_bytes()),
        delivered=any(_by_webhook(_read(path)) for path in sorted(_ops_logs(root, workspace).glob(f"*{OPS_ENDING}"))),
    )


def _ops_logs(root: Path, workspace: store.Workspace) -> Path:
    return root / workspace.relative(workspace.ops_logs)


def _by_webhook(log: Mapping[str, Any]) -> bool:
    told = log.get("notification") or {}
    return told.get("mode") == "webhook" and told.get("delivered") is True


def _read(path: Path) -> dict[str, Any]:
    """The JSON object of a file; what is none has no key."""
    try:
        found = json.loads(strict_files.read_bytes(path))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _proved(path: Path) -> OpsLog:
    """The tracked log of the dry weekly run. Raises GateRefused where there is none that can be read."""
    from pydantic import TypeAdapter

    try:
        return TypeAdapter(OpsLog).validate_json(strict_files.read_bytes(path), strict=True)
    except (OSError, ValueError) as error:
        found = error.strerror if isinstance(error, OSError) else str(error).splitlines()[0]
        raise GateRefused(
            "the proof of the closeout is no log of a weekly run",
            where=str(path), found=found, remedy="ctl closeout", code="PROOF_INVALID",
        ) from None  # fmt: skip


def _dry_run(workspace: store.Workspace, instant: datetime) -> dict[str, Any]:
    """The log of a dry weekly cycle, as a scheduler runs it."""
    options = WeeklyOptions(run=RunOptions(dry_run=True), notify="stdout")
    at = _proved_at(workspace) if workspace.simulated else instant
    outcome = run_weekly(workspace, options, instant=at, stream=io.StringIO())
    made = json.loads(outcome.log_path.read_bytes())
    if workspace.simulated:
        outcome.log_path.unlink()  # verifying derives it again at the same instant
    return dict(made)


def _proved_at(workspace: store.Workspace) -> datetime:
    """When a simulated workspace is proved: on the day of its newest dated decision, which no run may come before."""
    days = [entry.date for entry in decision_log.read(workspace) if entry.date is not None]
    return datetime.combine(max([*days, PROVED_AT.date()]), PROVED_AT.timetz())


def _template(root: Path) -> bytes:
    """The YAML of a workspace that has none: the packaged one, without the files that do not stand there."""
    lines = files("ctl.ops").joinpath("closeout.yaml").read_text().splitlines(keepends=True)
    names = CloseoutText.model_validate(strict_files.read_yaml("".join(lines).encode()).value).inventory
    absent = {path for kind in names.values() for path in kind or () if not (root / path).is_file()}
    return "".join(line for line in lines if line.strip().split(": ")[0] not in absent).encode()


# ---------------------------------------------------------------- claims


def _derive(state: _State, paths: _Paths) -> Closeout:
    workspace, profile = state.workspace, state.profile
    relative = {path: path.relative_to(state.root).as_posix() for path in (paths.document, paths.proof)}
    sections = (
        _scope(profile),
        _gating(profile),
        Section("Non-gating symbols", ("symbol", "role"), _non_gating(profile)),
        _board(state.proof),
        Section(
            "Decisions",
            ("id", "date", "decision", "sha256"),
            tuple(
                (entry.id, "" if entry.date is None else entry.date.isoformat(), entry.decision, entry.sha256[:12])
                for entry in state.entries
            ),
        ),
        Section("Inventory", ("kind", "path", "holds", "purpose"), tuple(_inventory(state))),
        Section(
            "Commands", ("command", "does"), tuple((f"`{key}`", text) for key, text in state.text.commands.items())
        ),
        Section("Exit codes", ("code", "means"), tuple((str(code), text) for code, text in _EXIT_CODES.items())),
        _proof(state, relative[paths.proof]),
        Section(
            "Known limitations",
            ("limitation", "now"),
            tuple((item.text, "holds" if _holds(item.holds, state) else "lifted") for item in state.text.limitations),
        ),
        Section("Risk statements", ("risk",), tuple((text,) for text in state.text.risks)),
        Section(
            "Go-forward plan",
            ("item", "now", "command"),
            tuple(
                (item.text, "done" if _holds(item.holds, state) else "open", f"`{item.command}`")
                for item in state.text.plan
            ),
        ),
    )
    return Closeout(
        cycle_id=workspace.cycle_id,
        simulated=workspace.simulated,
        path=relative[paths.document],
        proof=relative[paths.proof],
        sections=sections,
    )


def _scope(profile: OperatingProfile) -> Section:
    constraints = ", ".join(name for name, held in profile.policy_constraints.model_dump().items() if held) or "none"
    rows = (
        ("cycle", profile.cycle_id),
        ("profile", f"{profile.name}, sha256 {profile.sha256[:12]}"),
        ("locked", profile.locked_date.isoformat()),
        ("recommendation", profile.portfolio_recommendation),
        ("scope", profile.portfolio_scope),
        ("policy constraints", constraints),
    )
    return Section("Final scope", ("", ""), rows)


def _non_gating(profile: OperatingProfile) -> tuple[tuple[str, str], ...]:
    return tuple(
        (symbol, "; ".join(filter(None, (said.role, said.reason))))
        for symbol, said in profile.non_gating_symbols.items()
    )


def _gating(profile: OperatingProfile) -> Section:
    rows = []
    for symbol in profile.gating_universe:
        settings = profile.symbol_settings[symbol]
        numbers = (settings.tick_size, settings.max_day_delta, settings.slippage_per_side)
        rows.append((symbol, str(settings.expected_status), *(f"{number:g}" for number in numbers)))
    return Section("Gating universe", ("symbol", "expected", "tick", "max day delta", "slippage per side"), tuple(rows))


def _board(proof: OpsLog) -> Section:
    rows = tuple(
        (symbol, row.expected, row.actual, "ok" if row.passed else "MISMATCH") for symbol, row in proof.gate.items()
    )
    last = ("portfolio", "", str(proof.portfolio_recommendation), "ok" if proof.gate_passed else "MISMATCH")
    return Section("Status board", ("symbol", "expected", "derived", ""), (*rows, last))


def _inventory(state: _State) -> Iterator[tuple[str, str, str, str]]:
    for kind, named in state.text.inventory.items():
        for path, purpose in (named or {}).items():
            yield kind, path, _count(state.root / path), purpose
    lock = anchors.lock_path(state.workspace.profile_path)
    for file, purpose in ((state.workspace.profile_path, "the profile in force"), (lock, "its lock")):
        path = state.workspace.relative(file)
        yield "in force", path, _count(state.root / path), purpose


def _count(path: Path) -> str:
    """Lines of a file, or the tests in it."""
    try:
        data = path.read_bytes()
        if not (path.name.startswith("test_") and path.suffix == ".py"):
            return f"{len(data.splitlines())} lines"
        found = [node for node in ast.walk(ast.parse(data)) if isinstance(node, ast.FunctionDef)]
        return f"{sum(node.name.startswith('test_') for node in found)} tests"
    except OSError:
        return "missing"
    except (SyntaxError, ValueError):
        return "unreadable"


def _proof(state: _State, path: str) -> Section:
    proof = state.proof
    told = proof.notification
    rows = (
        ("artifact", path),
        ("artifact's sha256", state.proof_sha256),
        ("timestamp", clock.iso(proof.timestamp)),
        ("gate passed", str(proof.gate_passed).lower()),
        ("aborted", str(proof.aborted).lower()),
        ("dry run", str(proof.dry_run).lower()),
        ("exit code", str(proof.exit_code)),
        ("has errors", str(proof.has_errors).lower()),
        ("recommendation", str(proof.portfolio_recommendation)),
        ("symbols", ", ".join(f"{symbol} {row.status}" for symbol, row in proof.run.items())),
        ("notification", f"{told.mode}, {told.level}, delivered {str(told.delivered).lower()}" if told else "none"),
        ("its first line", f"`{told.text.partition(chr(10))[0] if told else ''}`"),
        ("profile's sha256", str(proof.digests.profile)),
        ("package version", proof.package_version),
    )
    return Section("Scheduler dry-run proof", ("field", "value"), rows)


# ---------------------------------------------------------------- checks


def _holds(check: str, state: _State) -> bool:
    """Whether a check of the YAML holds. Raises WorkspaceError for one that is not known."""
    words = check.split()
    for pattern, test in _CHECKS.items():
        wanted = pattern.split()
        if len(wanted) == len(words) and all(a == b or a.isupper() for a, b in zip(wanted, words, strict=True)):
            return test(state, [word for name, word in zip(wanted, words, strict=True) if name.isupper()])
    raise WorkspaceError("no such check of a closeout", found=check, expected=", ".join(_CHECKS))


def _expected(state: _State, given: Sequence[str]) -> bool:
    settings = state.profile.symbol_settings.get(given[0])
    return settings is not None and settings.expected_status == given[1]


def _slippage_locked_anew(state: _State, _: Sequence[str]) -> bool:
    """Whether the profile in force has other slippage than the first one that the log puts in force."""
    first = next((entry.profiles[-1].path for entry in state.entries if entry.lock is not None), None)
    path = state.workspace.root / (first or "")
    if first is None or not path.is_file():
        return False
    before = load_profile(path.read_bytes(), first).symbol_settings
    now = state.profile.symbol_settings
    return any(before[name].slippage_per_side != now[name].slippage_per_side for name in before.keys() & now.keys())


_CHECKS: Final[Mapping[str, Callable[[_State, Sequence[str]], bool]]] = {
    "expected SYMBOL STATUS": _expected,
    "no command NAME": lambda state, given: given[0] not in state.options,
    "no option COMMAND OPTION": lambda state, given: given[1] not in state.options.get(given[0], frozenset()),
    "webhook delivered": lambda state, _: state.delivered,
    "no webhook delivered": lambda state, _: not state.delivered,
    "schedule installed": lambda state, _: (state.root / schedule.STATE).is_file(),
    "slippage locked anew": _slippage_locked_anew,
    "metric NAME": lambda _, given: given[0].lower() in Metrics.__dataclass_fields__,
    "an equity gates": lambda state, _: any(
        state.profile.symbol_settings[symbol].asset_class == "equity" for symbol in state.profile.gating_universe
    ),
}


# ---------------------------------------------------------------- verifying


def _differences(text: str, made: Closeout) -> Iterator[BrokenClaim]:
    """Rows of the document that are not what the state derives, section by section."""
    found, expected = _sections(text), _sections(render(made).decode())
    for title in [*expected, *(title for title in found if title not in expected)]:
        for says, derives in zip_longest(found.get(title, []), expected.get(title, [])):
            if says != derives:
                yield BrokenClaim(title, says, derives)


def _sections(text: str) -> dict[str, list[str]]:
    """Title -> its lines; what stands before the first title is the heading's."""
    sections: dict[str, list[str]] = {"heading": []}
    title = "heading"
    for line in text.splitlines():
        if line.startswith("## "):
            title = line.removeprefix("## ")
            sections.setdefault(title, [])
        elif line:
            sections[title].append(line)
    return sections


def _doubts(state: _State) -> Iterator[BrokenClaim]:
    """What makes a proof none, whatever the document says of it."""
    proof = state.proof
    proving = replace(
        proof, dry_run=True, gate_passed=True, aborted=False, exit_code=EXIT_OK, has_errors=False, error=None,
        cycle_id=state.workspace.cycle_id, digests=replace(proof.digests, profile=state.profile.sha256),
    )  # fmt: skip
    yield from _unlike(document(proof), document(proving))
    verified = anchors.verify(state.workspace)
    for problem in verified.problems:
        yield BrokenClaim("Decisions", problem.text, None)


def _unlike(tracked: Mapping[str, Any], derived: Mapping[str, Any]) -> list[BrokenClaim]:
    """Fields of the tracked proof that a dry run derives otherwise now; durations apart."""
    return [
        BrokenClaim("Scheduler dry-run proof", f"{key}: {tracked.get(key)}", f"{key}: {derived.get(key)}")
        for key in sorted({*tracked, *derived} - {*_MOVING})
        if tracked.get(key) != derived.get(key)
    ]


SCHEMAS: Final = {
    "closeout_v1": (Closeout, "Closeout of a cycle"),
    "closeout_verification_v1": (CloseoutVerification, "Whether the claims of a closeout hold"),
}
