"""A closeout: derived from state, and refused where any one claim of it does not hold."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ctl.errors import UsageError, WorkspaceError
from ctl.ops import closeout

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


def break_proof(folder: Path) -> None:
    proof = json.loads((folder / PROOF).read_text())
    proof["gate"]["PL"]["actual"] = "ACCEPT"
    (folder / PROOF).write_text(json.dumps(proof))


def lift_a_limitation(folder: Path) -> None:
    (folder / ".ctl").mkdir()
    (folder / ".ctl/schedule.json").write_text("{}")


def cut_the_log(folder: Path) -> None:
    log = folder / "docs/governance/decision_log.jsonl"
    log.write_bytes(b"\n".join(log.read_bytes().splitlines()[:-1]) + b"\n")


def grow_a_file(folder: Path) -> None:
    (folder / "ctl.toml").write_text((folder / "ctl.toml").read_text() + "# one line more\n")


@pytest.mark.parametrize(
    ("breaking", "section"),
    [
        (break_proof, "Scheduler dry-run proof"),
        (lift_a_limitation, "Go-forward plan"),
        (cut_the_log, "Decisions"),
        (grow_a_file, "Inventory"),
    ],
)
def test_state_that_moved_on_breaks_its_claim(own, breaking, section):
    breaking(own)
    found = closeout.verify(own, OPTIONS, instant=INSTANT)
    assert not found.verified
    assert section in {claim.section for claim in found.broken}


def test_a_claim_that_nobody_can_check_is_an_error(own):
    (own / TEXT).write_text((own / TEXT).read_text().replace("no command execute", "all is well"))
    with pytest.raises(UsageError):
        closeout.verify(own, OPTIONS, instant=INSTANT)
    (own / DOCUMENT).unlink()
    with pytest.raises(WorkspaceError):
        closeout.verify(own, OPTIONS, instant=INSTANT)


def test_the_repository_carries_its_own_and_the_text_beside_it_names_every_file():
    text = closeout.CloseoutText.model_validate(closeout.strict_files.read_yaml((REPOSITORY / TEXT).read_bytes()).value)
    named = {path for kind in text.inventory.values() for path in kind or ()}
    assert all((REPOSITORY / path).is_file() for path in named)
    assert (REPOSITORY / DOCUMENT).is_file()
