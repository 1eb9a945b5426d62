"""The run registry: the same tests against SQLite and a real PostgreSQL; the files stay the record."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import postgres
import pytest
from ops_workspace import INSTANT, MadeUp, make_workspace, outcome

from ctl import store
from ctl.errors import SlotTaken, WorkspaceError
from ctl.model.documents import document
from ctl.model.run import PlanEntry
from ctl.ops import registered, schedule, status, weekly
from ctl.ops.schedule import Installed
from ctl.run_orchestrator import RunOptions
from ctl.store import registry as registry_module
from ctl.store.registry import Registry

SLOT = INSTANT.replace(hour=4, minute=0, second=0)
numbers = itertools.count()


@pytest.fixture(scope="module")
def running() -> Iterator[postgres.Server]:
    reason = postgres.missing()
    if reason is not None:
        pytest.skip(reason)
    pytest.importorskip("psycopg")
    with postgres.server() as found:
        yield found


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str | None:
    if request.param == "sqlite":
        return None
    found: postgres.Server = request.getfixturevalue("running")
    return found.url


@pytest.fixture
def workspace(tmp_path: Path, made_up: MadeUp) -> store.Workspace:
    return make_workspace(tmp_path)


def of_its_own(workspace: store.Workspace) -> store.Workspace:
    """The workspace under a cycle of its own: the tests share one database, whose slots are the cycle's."""
    return replace(workspace, cycle_id=f"cutover_test_{next(numbers)}")


def cycle(workspace: store.Workspace, *, days: int = 0, dry_run: bool = False) -> weekly.WeeklyOutcome:
    options = weekly.WeeklyOptions(run=RunOptions(dry_run=dry_run))
    return weekly.run_weekly(workspace, options, instant=INSTANT + timedelta(days=days))


def opened(workspace: store.Workspace, url: str | None) -> Registry:
    found = Registry(workspace, url=url)
    found.sync()
    return found


def test_every_cycle_is_one_row_and_a_second_reading_changes_nothing(
    workspace: store.Workspace, url: str | None, made_up: MadeUp
) -> None:
    cycle(workspace)
    made_up(board={"ES": "REJECT", "CL": "ACCEPT", "PL": "WATCH"})
    cycle(workspace, days=7)
    cycle(workspace, days=8, dry_run=True)
    held = opened(workspace, url)
    runs = held.runs(limit=10)
    assert [(run.name, run.kind, run.letter, run.dry_run) for run in runs] == [
        ("20260310_050007", "ops", "M", True),
        ("20260309_050007", "ops", "M", False),
        ("20260302_050007", "ops", "P", False),
    ]
    assert runs[-1].symbols["CL"]["actual"] == "ACCEPT"
    assert runs[-1].summary_path == "data/processed/cutover_v1/run_summaries/20260302_050007_portfolio_run.json"
    assert (runs[1].error, runs[1].exit_code) == ("GATE_MISMATCH", 2)
    assert [run.name for run in held.runs(limit=1, dry_run=False)] == ["20260309_050007"]
    assert [run.name for run in held.runs(limit=10, failed=True)] == ["20260310_050007", "20260309_050007"]
    held.sync()
    assert held.runs(limit=10) == runs
    held.close()


def test_a_lost_registry_is_made_anew_from_the_files_and_outlives_them(
    workspace: store.Workspace, url: str | None
) -> None:
    cycle(workspace)
    cycle(workspace, days=7)
    first = opened(workspace, url)
    before = first.runs(limit=10)
    first.close()
    for path in (workspace.root / ".ctl").glob("registry.sqlite*"):
        path.unlink()
    again = opened(workspace, url)
    assert again.runs(limit=10) == before
    shutil.rmtree(workspace.ops_logs)
    again.sync()
    assert again.runs(limit=10) == before
    again.close()


def test_an_interrupted_cycle_and_a_run_of_its_own_are_told(workspace: store.Workspace, url: str | None) -> None:
    done = json.loads(cycle(workspace).log_path.read_bytes())
    killed = workspace.ops_logs / "20260303_050007_ops.json"
    begun = done | {"timestamp": "2026-03-03T05:00:07Z", "exit_code": 1, "summary_path": None, "gate": {}}
    store.write_atomic(killed, store.json_bytes(begun | {"error": {"code": "RUN_INTERRUPTED"}}))
    own = workspace.run_summaries / "20260304_050007_portfolio_run.json"
    summary = json.loads((workspace.root / done["summary_path"]).read_bytes())
    store.write_atomic(own, store.json_bytes(summary | {"timestamp": "2026-03-04T05:00:07Z"}))
    store.write_atomic(workspace.run_summaries / "20260303_050007_portfolio_run.json", store.json_bytes(summary))
    for name, text in (("20260305_050007_ops.json", "{"), ("20260306_050007_ops.json", "[]")):
        (workspace.ops_logs / name).write_text(text)
    held = opened(workspace, url)
    assert [(run.name, run.kind, run.letter) for run in held.runs(limit=10)] == [
        ("20260304_050007", "run", "P"),
        ("20260303_050007", "ops", "I"),
        ("20260302_050007", "ops", "P"),
    ]
    # what had not ended is read again
    store.write_atomic(killed, store.json_bytes(begun | {"error": None, "exit_code": 0}))
    held.sync()
    found = held.find("20260303_050007")
    assert found is not None
    assert found.letter == "P"
    held.close()


def test_what_differs_between_two_runs_is_said_key_by_key(
    workspace: store.Workspace, url: str | None, made_up: MadeUp
) -> None:
    cycle(workspace)
    made_up(board={"ES": "REJECT", "CL": "ACCEPT", "PL": "WATCH"})
    cycle(workspace, days=7)
    held = opened(workspace, url)
    new, old = held.runs(limit=2)
    changes = {item.key: (item.old, item.new) for item in status.compare(old, new).changes}
    assert changes["ES.actual"] == ("WATCH", "REJECT")
    assert changes["exit_code"] == (0, 2)
    assert changes["recommendation"] == ("CONDITIONAL GO", "NO-GO")
    assert not any(key.startswith("CL.") for key in changes)
    assert status.compare(old, old).changes == ()
    held.close()


# ---------------------------------------------------------------- slots


def installed(workspace: store.Workspace) -> None:
    state = Installed("cron", "ctl-x", "Mon 04:00", "UTC", ("ctl",), (), "2026-01-01T00:00:00+00:00")
    store.write_atomic(workspace.root / schedule.STATE, store.json_bytes(document(state)))


def serve(workspace: store.Workspace, url: str | None, *, hours: int = 0) -> weekly.WeeklyOutcome:
    instant = INSTANT + timedelta(hours=hours)
    return registered.run_registered(
        workspace,
        lambda: weekly.run_weekly(workspace, weekly.WeeklyOptions(), instant=instant),
        instant=instant,
        url=url,
        scheduled=True,
    )


def test_a_slot_is_served_once_and_the_next_one_again(workspace: store.Workspace, url: str | None) -> None:
    workspace = of_its_own(workspace)
    installed(workspace)
    assert serve(workspace, url).log.exit_code == 0
    with pytest.raises(SlotTaken, match="2026-03-02T04:00:00Z was served by"):
        serve(workspace, url, hours=1)
    assert serve(workspace, url, hours=24 * 7).log.exit_code == 0
    assert len(list(workspace.ops_logs.iterdir())) == 2


def test_a_killed_claim_is_taken_over_at_once_here_and_after_an_hour_elsewhere(
    workspace: store.Workspace, url: str | None
) -> None:
    held = Registry(of_its_own(workspace), url=url)
    with held.claimed(SLOT, instant=INSTANT):
        pass  # ends without saying how, as a killed process does
    with held.claimed(SLOT, instant=INSTANT + timedelta(minutes=1)):
        pass
    held.label = "another:/machine"
    half_an_hour, an_hour = INSTANT + timedelta(minutes=30), INSTANT + timedelta(minutes=62)
    with pytest.raises(SlotTaken, match="since 2026-03-02T05:01:07Z"), held.claimed(SLOT, instant=half_an_hour):
        pass
    with held.claimed(SLOT, instant=an_hour) as ending:
        ending.put(0, INSTANT)
    held.close()


@pytest.mark.parametrize("end", ["served", "stopped", "killed"])
def test_a_slot_is_served_again_only_where_its_run_was_cut_short(
    workspace: store.Workspace, url: str | None, made_up: MadeUp, end: str
) -> None:
    workspace = of_its_own(workspace)
    installed(workspace)

    def stop(entry: PlanEntry) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return outcome(entry)

    if end == "stopped":
        made_up(run_symbol=stop)
        assert serve(workspace, url).log.exit_code == 143
        made_up()
    else:
        held = Registry(workspace, url=url)
        with held.claimed(SLOT, instant=INSTANT):  # the process dies before it can say how the run ended
            done = cycle(workspace).log_path
        held.close()
        if end == "killed":
            log = json.loads(done.read_bytes())
            interrupted = {"exit_code": 1, "aborted": True, "error": {"code": "RUN_INTERRUPTED", "text": ""}}
            store.write_atomic(done, store.json_bytes(log | interrupted))
    if end == "served":
        with pytest.raises(SlotTaken, match=r"was served by .*, exit 0"):
            serve(workspace, url, hours=1)
    else:
        assert serve(workspace, url, hours=1).log.exit_code == 0


def test_a_slot_that_a_log_says_was_served_is_not_served_again(workspace: store.Workspace, url: str | None) -> None:
    """The registry was lost, or somebody ran the cycle by hand; a dry run and one cut short serve nothing."""
    workspace = of_its_own(workspace)
    installed(workspace)
    weekly.run_weekly(workspace, weekly.WeeklyOptions(run=RunOptions(dry_run=True)), instant=INSTANT)
    done = cycle(workspace).log_path
    log = json.loads(done.read_bytes())
    interrupted = {"exit_code": 1, "aborted": True, "error": {"code": "RUN_INTERRUPTED", "text": ""}}
    with pytest.raises(SlotTaken, match=r"was served by .*, exit 0"):
        serve(workspace, url, hours=1)
    store.write_atomic(done, store.json_bytes(log | interrupted))
    assert serve(workspace, url, hours=2).log.exit_code == 0


# ---------------------------------------------------------------- the file


@pytest.mark.parametrize("fault", ["empty", "no database", "cut"])
def test_a_damaged_file_is_set_aside_and_made_anew(
    ctl: Callable[..., Any], workspace: store.Workspace, fault: str
) -> None:
    installed(workspace)
    assert serve(workspace, None).log.exit_code == 0
    held = opened(workspace, None)
    before = held.runs(limit=10)
    held.close()
    path = workspace.root / ".ctl" / "registry.sqlite"
    data = {"empty": b"", "no database": b"nonsense" * 500, "cut": path.read_bytes()[:4096]}[fault]
    path.write_bytes(data)
    again = opened(workspace, None)
    assert again.runs(limit=10) == before
    again.close()
    aside = path.with_name("registry.sqlite.damaged")
    assert (aside.read_bytes() == data) if fault != "empty" else not aside.exists()
    with pytest.raises(SlotTaken, match=r"was served by .*, exit 0"):
        serve(workspace, None, hours=1)
    assert ctl("status", "-w", workspace.root).code == 0


def test_a_registry_of_a_newer_ctl_is_left_alone(workspace: store.Workspace, url: str | None) -> None:
    import sqlalchemy as sa

    held = opened(workspace, url)
    changed = held._engine
    with changed.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = 'r9999'"))
    try:
        with pytest.raises(WorkspaceError, match="upgrade ctl") as raised:
            Registry(workspace, url=url)
        assert (raised.value.code, raised.value.found) == ("REGISTRY_UNAVAILABLE", "version r9999")
        assert ("remove .ctl/registry.sqlite" in str(raised.value)) is (url is None)
    finally:
        with changed.begin() as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = 'r0001'"))
        held.close()


def test_records_older_than_the_registry_are_named(
    ctl: Callable[..., Any], workspace: store.Workspace, monkeypatch: pytest.MonkeyPatch, url: str | None
) -> None:
    """A backup was put back: what the registry knows beyond it is said, and the next cycle mends it."""
    if url is not None:
        monkeypatch.setenv("CTL_REGISTRY_URL", url)
    cycle(workspace)
    cycle(workspace, days=7)
    assert ctl("status", "-w", workspace.root, "--json").document["problems"] == []
    for path in workspace.cycle.rglob("20260309_050007_*"):
        path.unlink()
    told = ctl("status", "-w", workspace.root, "--json").document
    assert [item["code"] for item in told["problems"]] == ["RECORDS_LOST"]
    assert (told["verdict"], told["last_run"]["name"], len(told["runs"])) == ("WARN", "20260309_050007", 2)
    cycle(workspace, days=14)
    assert ctl("status", "-w", workspace.root, "--json").document["problems"] == []


# ---------------------------------------------------------------- PostgreSQL alone


def test_two_machines_at_once_serve_a_slot_once(
    running: postgres.Server, tmp_path_factory: pytest.TempPathFactory, made_up: MadeUp
) -> None:
    one, two = (make_workspace(tmp_path_factory.mktemp("machine")) for _ in range(2))
    for item in (one, two):
        installed(item)
    refused: list[str] = []

    def run_symbol(entry: PlanEntry) -> Any:
        if entry.symbol == "CL":
            with pytest.raises(SlotTaken) as taken:
                serve(two, running.url)
            refused.append(str(taken.value))
        return outcome(entry)

    made_up(run_symbol=run_symbol)
    assert serve(one, running.url).log.exit_code == 0
    assert "another run holds the slot" in refused[0]
    with pytest.raises(SlotTaken, match="was served by"):
        serve(two, running.url)
    assert not two.ops_logs.exists()


@pytest.mark.parametrize("fault", ["restarted", "gone"])
def test_a_database_that_goes_away_mid_run_loses_nothing(
    running: postgres.Server, workspace: store.Workspace, made_up: MadeUp, fault: str
) -> None:
    workspace = of_its_own(workspace)
    installed(workspace)

    def run_symbol(entry: PlanEntry) -> Any:
        if entry.symbol == "CL":
            running.stop()
            if fault == "restarted":
                running.start()
        return outcome(entry)

    made_up(run_symbol=run_symbol)
    try:
        found = serve(workspace, running.url)
    finally:
        if fault == "gone":
            running.start()
    assert found.log.exit_code == 0
    assert (workspace.root / str(found.log.summary_path)).is_file()
    warned = [warning for warning in found.warnings if "the registry was not told" in warning]
    assert bool(warned) is (fault == "gone")
    assert "abcdefghijklmnop" not in " ".join(found.warnings)
    held = opened(workspace, running.url)
    assert [run.letter for run in held.runs(limit=5)] == ["P"]
    # another machine does not serve the slot again: it was served, or was begun less than an hour ago
    held.label = "another:/machine"
    with pytest.raises(SlotTaken), held.claimed(SLOT, instant=INSTANT):
        pass
    held.close()


ADDRESSES = ["postgresql://u:abcdefghijklmnop@127.0.0.1:9/x", "nonsense://abcdefghijklmnop", "abcdefghijklmnop"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_database_that_is_not_there_is_one_error_without_its_address(
    workspace: store.Workspace, address: str
) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(WorkspaceError) as raised:
        Registry(workspace, url=address)
    assert raised.value.code == "REGISTRY_UNAVAILABLE"
    assert "abcdefghijklmnop" not in str(raised.value)
    installed(workspace)
    with pytest.raises(WorkspaceError):
        serve(workspace, address)
    assert not workspace.ops_logs.exists()


# ---------------------------------------------------------------- commands


def test_status_and_runs_say_it(ctl: Callable[..., Any], workspace: store.Workspace, made_up: MadeUp) -> None:
    root = workspace.root
    assert ctl("status", "-w", root).out.startswith("STATUS: NEVER RUN   no run scheduled")
    cycle(workspace)
    made_up(board={"ES": "REJECT", "CL": "ACCEPT", "PL": "WATCH"})
    cycle(workspace, days=7)
    found = ctl("status", "-w", root)
    assert found.code == 0
    assert found.out.startswith("STATUS: MISMATCH   last run Mon 2026-03-09 05:00 MISMATCH   no run scheduled")
    assert "PM   P pass, M mismatch (2026-03-09: GATE_MISMATCH)" in found.out
    assert "0 undelivered; caps hit: none" in found.out
    assert found.out.endswith("next: ctl gate\n")
    told = ctl("status", "-w", root, "--json").document
    assert (told["kind"], told["verdict"]) == ("status", "MISMATCH")
    assert [item["now"] for item in told["symbols"]] == ["REJECT", "ACCEPT", "WATCH"]
    listed = ctl("runs", "list", "-w", root, "--json").document
    assert [run["exit_code"] for run in listed["runs"]] == [2, 0]
    assert "20260302_050007" not in ctl("runs", "list", "-w", root, "-n", "1").out
    assert ctl("runs", "show", "-w", root).out.startswith("RUN: MISMATCH   20260309_050007   real")
    assert ctl("runs", "show", "20260302_050007", "-w", root, "--json").document["run"]["exit_code"] == 0
    compared = ctl("runs", "compare", "20260302_050007", "last", "-w", root)
    assert "~ ES.actual" in compared.out
    assert ctl("runs", "show", "nonsense", "-w", root).code == 64


def test_status_says_who_runs_and_works_where_nothing_can_be_written(
    ctl: Callable[..., Any], workspace: store.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    cycle(workspace)
    with store.RunLock(workspace.lock_path, instant=INSTANT, purpose="ctl ops"):
        assert f"running: ctl ops, process {os.getpid()} on" in ctl("status", "-w", workspace.root).out
    for path in (workspace.root / ".ctl").glob("registry.sqlite*"):
        path.unlink()
    monkeypatch.setattr(registry_module, "_can_write", lambda _: False)
    assert ctl("status", "-w", workspace.root).out.startswith("STATUS: OK")
    assert not list((workspace.root / ".ctl").glob("registry.sqlite*"))


KILLED_WHILE_MADE = """
import os, signal, sys
from pathlib import Path
import alembic.command
import sqlalchemy as sa
from ops_workspace import make_workspace
from ctl.store.registry import Registry

for number in range(1, 1000):
    folder = Path(sys.argv[1]) / str(number)
    folder.mkdir()
    workspace = make_workspace(folder)
    child = os.fork()
    if child == 0:
        count = 0

        @sa.event.listens_for(sa.Engine, "after_cursor_execute")
        def die(*_):
            global count
            count += 1
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)

        Registry(workspace)
        os._exit(0)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    held = Registry(workspace)
    held.sync()
    print(ended, len(held.runs(limit=1)))
    held.close()
    if ended == 0:
        break
"""


def test_a_registry_whose_making_was_killed_at_any_statement_is_made_by_the_next(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KILLED_WHILE_MADE, str(tmp_path)],
        capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    *killed, last = done.stdout.splitlines()
    assert {*killed} == {"-9 0"}
    assert last == "0 0"
    assert len(killed) > 6
