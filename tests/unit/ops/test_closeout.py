"""A closeout: derived from state, and refused where any one claim of it does not hold."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ctl.errors import EXIT_MISMATCH, CtlError, GateRefused, WorkspaceError
from ctl.ops import closeout
from ctl.store import Workspace

REPOSITORY = Path(__file__).resolve().parents[3]
INSTANT = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
OPTIONS = {"ops": frozenset({"--retention-max-files"}), "run": frozenset({"--timeframe"})}
DOCUMENT = "docs/governance/cutover_v1_closeout.md"
PROOF = "docs/governance/cutover_v1_proof_ops.json"
TEXT = "docs/governance/cutover_v1_closeout.yaml"


@pytest.fixture(scope="module")
def closed(filled_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, closeout.Closeout]:
    """A workspace with its closeout; tests that change it take a copy."""
    folder = tmp_path_factory.mktemp("closed") / "workspace"
    shutil.copytree(filled_workspace, folder)
    return folder, closeout.write(folder, OPTIONS, instant=INSTANT)


@pytest.fixture
def own(closed: tuple[Path, closeout.Closeout], tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    for part in ("ctl.toml", "configs", "docs"):  # a closeout needs no filled workspace
        source = closed[0] / part
        folder.mkdir(exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / part)
    return folder


def rows(made: closeout.Closeout, title: str) -> dict[str, tuple[str, ...]]:
    (section,) = [section for section in made.sections if section.title == title]
    return {row[0]: row[1:] for row in section.rows}


def test_it_says_what_the_founding_cycle_was(closed):
    made = closed[1]
    assert rows(made, "Status board") == {
        "ES": ("WATCH", "WATCH", "ok"),
        "CL": ("ACCEPT", "ACCEPT", "ok"),
        "PL": ("WATCH", "WATCH", "ok"),
        "portfolio": ("", "CONDITIONAL GO", "ok"),
    }
    assert rows(made, "Gating universe") == {
        "ES": ("WATCH", "0.25", "3", "0.25"), "CL": ("ACCEPT", "0.01", "3", "0.01"), "PL": ("WATCH", "0.1", "2", "0.1"),
    }  # fmt: skip
    decisions = rows(made, "Decisions")
    assert list(decisions) == [f"H.{number}" for number in range(2, 13)]
    assert {name: said[0] for name, said in decisions.items() if said[0]} == {"H.7": "2026-03-01"}
    proof = rows(made, "Scheduler dry-run proof")
    assert proof["its first line"] == ("`[OK] Portfolio run completed successfully. Gate: PASS. Mode: dry-run.`",)
    assert (proof["timestamp"], proof["dry run"], proof["exit code"]) == (("2026-03-01T22:49:32Z",), ("true",), ("0",))
    lifted = {text for text, (now,) in rows(made, "Known limitations").items() if now == "lifted"}
    assert lifted == {"retention by age alone", "the daily timeframe alone"}
    done = {text for text, said in rows(made, "Go-forward plan").items() if said[0] == "done"}
    assert done == {"weekly and monthly confluence reported"}
    assert len(rows(made, "Go-forward plan")) == 7


def test_the_proof_names_no_path_of_a_machine(closed):
    assert str(closed[0]) not in (closed[0] / PROOF).read_text()
    assert "/tmp" not in (closed[0] / PROOF).read_text()  # noqa: S108 - what must not be there


def test_it_holds_and_writing_it_again_changes_nothing(own, closed):
    before = (own / DOCUMENT).read_bytes(), (own / PROOF).read_bytes()
    found = closeout.verify(own, OPTIONS, instant=INSTANT)
    assert (found.verified, found.broken) == (True, ())
    assert found.claims == sum(len(section.rows) for section in closed[1].sections)
    closeout.write(own, OPTIONS, instant=INSTANT)
    assert ((own / DOCUMENT).read_bytes(), (own / PROOF).read_bytes()) == before


def test_every_row_is_a_claim(closed):
    """A changed, a missing and an additional row of any section is found, in that section alone."""
    folder, made = closed
    lines = (folder / DOCUMENT).read_text().splitlines()
    claims = [at for at, line in enumerate(lines) if line and not line.startswith("## ")]
    title = ""
    assert len(claims) > 60
    for at, line in enumerate(lines):
        title = line.removeprefix("## ") if line.startswith("## ") else title
        if at not in claims:
            continue
        changed = "\n".join([*lines[:at], f"{line[:-3]}x |", *lines[at + 1 :]])
        missing = "\n".join([*lines[:at], *lines[at + 1 :]])
        added = "\n".join([*lines[: at + 1], "| more |", *lines[at + 1 :]])
        for text in (changed, missing, added):
            assert {claim.section for claim in closeout._differences(text, made)} == {title or "heading"}, (at, line)
    assert [*closeout._differences("\n".join(lines), made)] == []


# ---------------------------------------------------------------- claim by claim, on the repository's own


LINES = (REPOSITORY / DOCUMENT).read_text().splitlines()
TEXTS = closeout.CloseoutText.model_validate(closeout.strict_files.read_yaml((REPOSITORY / TEXT).read_bytes()).value)
FILES = [path for kind in TEXTS.inventory.values() for path in kind or ()]
TRACKED = json.loads((REPOSITORY / PROOF).read_text())
LOG = "docs/governance/decision_log.jsonl"
COUNTED = "configs/cutover/operating_profile_v1.yaml", "configs/cutover/operating_profile_v1.lock.json"


def rows_of(lines: list[str]) -> list[tuple[str, int, str]]:
    """Section, line and text of every claim."""
    titles = [at for at, line in enumerate(lines) if line.startswith("## ")]
    return [
        (lines[max(title for title in titles if title < at)].removeprefix("## "), at, line)
        for at, line in enumerate(lines)
        if line.startswith("| ") and at > titles[0] and not "".join(lines[at + 1 : at + 2]).startswith("|---")
    ]


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What the closeout of the repository rests on, closed as it stands; its dry run is the tracked one."""
    folder = tmp_path_factory.mktemp("repository")
    for path in ["ctl.toml", "configs/cutover", "docs/governance", *FILES]:
        source, target = REPOSITORY / path, folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    (folder / "data/raw").mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(closeout, "_dry_run", lambda *_: json.loads(json.dumps(TRACKED)))
        closeout.write(folder, OPTIONS, instant=INSTANT)
        yield folder


@pytest.fixture
def repository(copied: Path) -> Iterator[Path]:
    """The same for one test, which may change files in it: they come back."""
    kept = {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()}
    yield copied
    for path in {path for path in copied.rglob("*") if path.is_file()} - {*kept}:
        path.unlink()
    for path, data in kept.items():
        if not path.exists() or path.read_bytes() != data:
            path.write_bytes(data)


def broken_in(folder: Path, options: dict[str, frozenset[str]] = OPTIONS) -> set[str]:
    """The sections with a claim that does not hold; of a command that ends with 2 for another reason, its code."""
    try:
        found = closeout.verify(folder, options, instant=INSTANT)
    except CtlError as error:
        return {error.code if error.exit_code == EXIT_MISMATCH else f"{error.exit_code}: {error}"}
    assert found.verified is (not found.broken)
    return {claim.section for claim in found.broken}


def test_the_copy_holds(repository):
    assert broken_in(repository) == set()
    assert len(rows_of(LINES)) == closeout.verify(repository, OPTIONS, instant=INSTANT).claims > 80


@pytest.mark.parametrize(
    ("section", "at"),
    [pytest.param(section, at, id=f"{section}: {line.split(' | ')[0][2:]}") for section, at, line in rows_of(LINES)],
)
def test_each_row_that_says_something_else_is_refused(repository, section, at):
    document = repository / DOCUMENT
    lines = document.read_text().splitlines()
    last = lines[at].rstrip(" |")
    document.write_text("\n".join([*lines[:at], f"{last}x |", *lines[at + 1 :]]) + "\n")
    assert broken_in(repository) == {section}


@pytest.mark.parametrize("name", TRACKED)
def test_each_field_of_the_proof_is_the_dry_runs(repository, name):
    proof = repository / PROOF
    if name == "durations":  # the one that differs from run to run; the file's digest is a claim all the same
        proof.write_text(json.dumps({**TRACKED, name: {}}))
        assert broken_in(repository) == {"Scheduler dry-run proof"}
        return
    for changed in (
        {key: value for key, value in TRACKED.items() if key != name},
        {**TRACKED, name: None if TRACKED[name] is not None else "something"},
        {**TRACKED, name: "something"},
    ):
        proof.write_text(json.dumps(changed))
        assert broken_in(repository) & {"Scheduler dry-run proof", "PROOF_INVALID"}


@pytest.mark.parametrize("data", [None, b"", b"{", b"[]", b"null", b"\xff\xfe"])
def test_a_proof_that_is_no_log_is_refused(repository, data):
    (repository / PROOF).unlink() if data is None else (repository / PROOF).write_bytes(data)
    assert broken_in(repository) == {"PROOF_INVALID"}


FAILURES = [
    {"exit_code": 2, "gate_passed": False, "aborted": True, "portfolio_recommendation": "NO-GO"},
    {"exit_code": 1, "error": {"code": "UNEXPECTED", "text": "it broke", "problems": []}},
    {"has_errors": True},
    {"aborted": True},
    {"dry_run": False},
    {"cycle_id": "cutover_v0"},
    {"digests": {**TRACKED["digests"], "profile": "0" * 64}},
]


@pytest.mark.parametrize("failed", FAILURES, ids=lambda failed: next(iter(failed)))
def test_a_proof_of_a_failed_cycle_proves_nothing_whatever_the_document_says(repository, failed, monkeypatch):
    """Also where no dry run can be compared with it, and the document states what it says."""
    toml = repository / "ctl.toml"
    toml.write_text(toml.read_text().replace("simulated = true", "simulated = false"))
    proof = {**TRACKED, "simulated": False, **failed}
    monkeypatch.setattr(closeout, "_dry_run", lambda *_: {**proof, "exit_code": 0, "has_errors": False})
    closeout.write(repository, OPTIONS, instant=INSTANT)
    (repository / PROOF).write_text(json.dumps(proof))
    with closeout._standing(repository) as workspace:
        paths = closeout._Paths.of(repository, workspace.cycle_id)
        made = closeout._derive(closeout._state(repository, workspace, paths, OPTIONS), paths)
    (repository / DOCUMENT).write_bytes(closeout.render(made))
    assert broken_in(repository) >= {"Scheduler dry-run proof"}


@pytest.mark.parametrize("failed", [{"exit_code": 2}, {"has_errors": True}])
def test_no_closeout_is_written_on_a_dry_run_that_failed(repository, failed, monkeypatch):
    before = (repository / DOCUMENT).read_bytes(), (repository / PROOF).read_bytes()
    monkeypatch.setattr(closeout, "_dry_run", lambda *_: {**TRACKED, **failed})
    with pytest.raises(GateRefused):
        closeout.write(repository, OPTIONS, instant=INSTANT)
    assert ((repository / DOCUMENT).read_bytes(), (repository / PROOF).read_bytes()) == before


def test_a_workspace_whose_log_is_gone_is_proved_on_the_founding_day(own):
    for path in (own / "docs/governance").glob("*log*"):
        path.unlink()
    assert closeout._proved_at(Workspace.load(own)) == closeout.PROVED_AT


@pytest.mark.parametrize("path", [*FILES, *COUNTED])
def test_each_file_of_the_inventory_is_counted_anew(repository, path):
    file = repository / path
    more = "\n\ndef test_one_more():\n    pass\n" if Path(path).name.startswith("test_") else "\n# more\n"
    file.write_text(file.read_text() + more)
    assert broken_in(repository) & {"Inventory", "PROFILE_INVALID"}
    if path != "ctl.toml":  # without it the folder is no workspace
        file.unlink()
        assert broken_in(repository) & {"Inventory", "PROFILE_INVALID", "PROFILE_MISSING"}
        file.write_bytes(b"\xff\xfe\x00")
        assert broken_in(repository) & {"Inventory", "PROFILE_INVALID"}


@pytest.mark.parametrize("number", range(11))
def test_each_decision_is_read_anew(repository, number):
    log = repository / LOG
    entries = log.read_bytes().splitlines(keepends=True)
    for changed in (b"", entries[number].replace(b'"decision":"', b'"decision":"not ')):
        assert changed != entries[number]
        log.write_bytes(b"".join([*entries[:number], changed, *entries[number + 1 :]]))
        assert broken_in(repository) & {"Decisions", "DECISION_LOG_BROKEN"}


SAID = [line for line in (REPOSITORY / TEXT).read_text().splitlines() if ": " in line or line.startswith("  - ")]


@pytest.mark.parametrize("line", SAID, ids=str.strip)
def test_each_text_beside_it_is_stated(repository, line):
    text = repository / TEXT
    changed = line.replace(": ", ": not ", 1) if ": " in line else line.replace("- ", "- not ", 1)
    text.write_text(text.read_text().replace(line, changed))
    if "holds: " in line:  # no check of that name
        with pytest.raises(WorkspaceError):
            closeout.verify(repository, OPTIONS, instant=INSTANT)
    else:
        assert broken_in(repository) & {"Inventory", "Commands", "Known limitations", "Risk statements"} or (
            broken_in(repository) == {"Go-forward plan"}
        )


@pytest.mark.parametrize(
    ("options", "sections"),
    [
        ({**OPTIONS, "execute": frozenset()}, {"Known limitations"}),
        ({**OPTIONS, "ops": frozenset()}, {"Known limitations"}),
        ({**OPTIONS, "run": frozenset()}, {"Known limitations"}),
    ],
)
def test_a_limitation_that_came_or_went_is_found(repository, options, sections):
    assert broken_in(repository, options) == sections


def test_a_plan_that_moved_on_is_found(repository):
    (repository / ".ctl").mkdir(exist_ok=True)
    (repository / ".ctl/schedule.json").write_text("{}")
    assert broken_in(repository) == {"Go-forward plan"}


def test_a_claim_that_nobody_can_check_is_an_error(own):
    (own / TEXT).write_text((own / TEXT).read_text().replace("no command execute", "all is well"))
    with pytest.raises(WorkspaceError):
        closeout.verify(own, OPTIONS, instant=INSTANT)
    (own / DOCUMENT).unlink()
    with pytest.raises(WorkspaceError):
        closeout.verify(own, OPTIONS, instant=INSTANT)


def test_the_repository_carries_its_own_and_the_text_beside_it_names_every_file():
    assert all((REPOSITORY / path).is_file() for path in FILES)
    assert (REPOSITORY / DOCUMENT).is_file()
