"""The weekly cycle: its order, its log in every ending, its exit codes."""

from __future__ import annotations

import contextlib
import errno
import io
import itertools
import json
import os
import signal
import socket
import threading
import uuid
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ops_workspace import INSTANT, MadeUp, make_workspace, outcome

from ctl import ops_notifier, run_orchestrator, stopping, store
from ctl.errors import BusyError, CtlError, DataError, WorkspaceError
from ctl.flows import portfolio
from ctl.flows.portfolio import SymbolOutcome
from ctl.model.documents import document
from ctl.model.run import PlanEntry
from ctl.ops import weekly
from ctl.ops.retention import RetentionLimits
from ctl.run_orchestrator import RunOptions

ONCE = ops_notifier.DeliveryLimits(attempts=1, connect=20.0, read=20.0, total=60.0)  # a loaded machine answers late


@pytest.fixture
def workspace(tmp_path: Path, made_up: MadeUp) -> store.Workspace:
    return make_workspace(tmp_path)


def run(
    workspace: store.Workspace, *, instant: Any = INSTANT, dry_run: bool = False, **options: Any
) -> weekly.WeeklyOutcome:
    ticks = itertools.count()
    return weekly.run_weekly(
        workspace,
        weekly.WeeklyOptions(run=RunOptions(dry_run=dry_run), **options),
        instant=instant,
        monotonic=lambda: next(ticks) * 0.5,
        stream=io.StringIO(),
        limits=ONCE,
    )


def logs(workspace: store.Workspace) -> list[dict[str, Any]]:
    return [json.loads(path.read_bytes()) for path in sorted(workspace.ops_logs.iterdir())]


def test_a_real_run_passes_persists_and_logs(workspace: store.Workspace) -> None:
    found = run(workspace)
    assert found.log.exit_code == 0
    (log,) = logs(workspace)
    assert log == document(found.log)
    assert found.log_path == workspace.ops_logs / "20260302_050007_ops.json"
    assert log["summary_path"] == "data/processed/cutover_v1/run_summaries/20260302_050007_portfolio_run.json"
    assert (workspace.root / log["summary_path"]).is_file()
    assert (log["gate_passed"], log["aborted"], log["has_errors"], log["error"]) == (True, False, False, None)
    assert log["portfolio_recommendation"] == "CONDITIONAL GO"
    assert [log["gate"]["ES"][name] for name in ("expected", "actual", "passed")] == ["WATCH", "WATCH", True]
    assert log["run"]["CL"] == {"status": "EXECUTED", "reason": ""}
    assert log["run"]["PA"] == {"status": "SKIPPED", "reason": "non-gating"}
    assert log["durations"] == {"gate": 0.5, "run": 0.5, "notification": 0.5, "retention": 0.5}
    digests = {"profile", "lock", "workspace", "certificates", "strategy", "thresholds", "log_head", "passed_bars"}
    assert set(log["digests"]) == digests
    assert log["notification"]["mode"] == "none"
    assert log["simulated"] is True


def test_a_clean_dry_run_says_the_exact_line_and_leaves_only_its_log(workspace: store.Workspace) -> None:
    stream = io.StringIO()
    found = weekly.run_weekly(
        workspace,
        weekly.WeeklyOptions(run=RunOptions(dry_run=True), notify="stdout"),
        instant=INSTANT,
        stream=stream,
    )
    assert stream.getvalue() == "[OK] Portfolio run completed successfully. Gate: PASS. Mode: dry-run.\n"
    assert found.log.exit_code == 0
    (log,) = logs(workspace)
    assert log["dry_run"] is True
    assert log["summary_path"] is None
    assert set(log["run"]) == {"ES", "CL", "PL", "PA", "AAPL", "XLE"}
    assert log["run"]["ES"]["status"] == "DRY_RUN"
    assert not workspace.run_summaries.exists()
    assert log["notification"]["delivered"] is True


def test_a_mismatch_aborts_with_code_2_and_alerts(workspace: store.Workspace, made_up: MadeUp) -> None:
    calls: list[str] = []

    def run_symbol(entry: PlanEntry) -> SymbolOutcome:
        calls.append(entry.symbol)
        return outcome(entry)

    board: Any = {"ES": "REJECT", "CL": "ACCEPT", "PL": "WATCH"}
    made_up(board=board, run_symbol=run_symbol)
    found = run(workspace, notify="stdout")
    assert (found.log.exit_code, calls) == (2, [])
    (log,) = logs(workspace)
    assert (log["gate_passed"], log["aborted"], log["exit_code"], log["has_errors"]) == (False, True, 2, False)
    assert log["portfolio_recommendation"] == "NO-GO"
    assert [log["gate"]["ES"][name] for name in ("expected", "actual", "passed")] == ["WATCH", "REJECT", False]
    assert log["run"] == {}
    assert log["error"]["code"] == "GATE_MISMATCH"
    assert log["notification"]["level"] == "alert"
    assert "ES: expected WATCH, actual REJECT (mean drift 7.33 > 5.00 (index points))" in log["notification"]["text"]
    assert not workspace.run_summaries.exists()


def test_an_invalid_profile_aborts_with_code_2(workspace: store.Workspace) -> None:
    text = workspace.profile_path.read_text().replace("tick_size: 0.25", "tick_size: -1")
    workspace.profile_path.write_text(text.replace("portfolio_scope", "scope"))
    found = run(workspace, notify="stdout")
    assert found.log.exit_code == 2
    (log,) = logs(workspace)
    assert log["error"]["code"] == "PROFILE_INVALID"
    assert len(log["error"]["problems"]) == 3
    assert (log["aborted"], log["gate_passed"], log["portfolio_recommendation"]) == (True, False, None)
    assert log["notification"]["level"] == "alert"


def test_an_edited_profile_names_its_lock_in_log_and_alert(workspace: store.Workspace) -> None:
    text = workspace.profile_path.read_text()
    workspace.profile_path.write_text(text.replace("slippage_per_side: 0.01", "slippage_per_side: 0.02"))
    found = run(workspace)
    assert found.log.exit_code == 2
    assert [lock.code for lock in found.log.locks if not lock.held] == ["PROFILE_EDITED"]
    assert "PROFILE_EDITED" in found.notification.text


@pytest.mark.parametrize(
    ("error", "code"), [(DataError("no data"), "DATA_UNFIT"), (ZeroDivisionError("division by zero"), "UNEXPECTED")]
)
def test_an_unexpected_error_is_code_1_logged_and_alerted(
    workspace: store.Workspace, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(portfolio, "gate", fail)
    found = run(workspace, notify="stdout")
    assert found.log.exit_code == 1
    (log,) = logs(workspace)
    assert (log["aborted"], log["has_errors"], log["exit_code"]) == (True, True, 1)
    assert log["error"]["code"] == code
    assert log["notification"]["level"] == "alert"
    assert str(error) in log["notification"]["text"]


def test_a_symbols_failure_is_a_warning_and_exit_0(workspace: store.Workspace, made_up: MadeUp) -> None:
    def run_symbol(entry: PlanEntry) -> SymbolOutcome:
        if entry.symbol == "CL":
            raise DataError("no open, high, low", where="CL")
        return outcome(entry)

    made_up(run_symbol=run_symbol)
    found = run(workspace, notify="stdout")
    assert found.log.exit_code == 0
    (log,) = logs(workspace)
    assert (log["has_errors"], log["aborted"]) == (True, False)
    assert log["run"]["CL"] == {"status": "ERROR", "reason": "CL: no open, high, low"}
    assert log["notification"]["level"] == "warn"


def test_two_cycles_of_one_second_keep_two_logs(workspace: store.Workspace) -> None:
    first, second = run(workspace), run(workspace)
    assert first.log_path != second.log_path
    assert len(logs(workspace)) == 2
    assert len(list(workspace.run_summaries.iterdir())) == 4


def test_the_same_inputs_give_the_same_log(
    workspace: store.Workspace, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = make_workspace(tmp_path_factory.mktemp("other"))
    one, two = run(workspace), run(other)
    assert one.log_path.read_bytes() == two.log_path.read_bytes()


def test_a_second_run_is_told_who_holds_the_workspace(workspace: store.Workspace, made_up: MadeUp) -> None:
    def run_symbol(_: PlanEntry) -> SymbolOutcome:
        with pytest.raises(BusyError, match=r"ctl ops, process \d+ on .* since 2026-03-02T05:00:07"):
            run(workspace)
        raise DataError("enough")

    made_up(run_symbol=run_symbol)
    run(workspace)
    assert len(logs(workspace)) == 1
    made_up()
    assert run(workspace).log.exit_code == 0


def test_without_a_log_nothing_runs(workspace: store.Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def gate(*_: Any, **__: Any) -> Any:
        calls.append("gate")

    real = os.write

    def full(handle: int, data: Any) -> int:
        if b"RUN_INTERRUPTED" in bytes(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(handle, data)

    monkeypatch.setattr(os, "write", full)
    monkeypatch.setattr(portfolio, "gate", gate)
    with pytest.raises(WorkspaceError, match="No space left"):
        run(workspace)
    assert calls == []
    assert logs(workspace) == []


def test_a_disk_that_fills_up_during_the_run_is_an_error_and_leaves_whole_files(
    workspace: store.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.link

    def full(source: Any, target: Any) -> None:
        if str(target).endswith("_portfolio_run.json"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(source, target)

    monkeypatch.setattr(os, "link", full)
    found = run(workspace)
    assert found.log.exit_code == 1
    assert found.log.error is not None
    assert found.log.error.code == "WRITE_FAILED"
    assert logs(workspace)[0]["exit_code"] == 1
    assert [path.name for path in workspace.run_summaries.iterdir()] == ["20260302_050007_trades.parquet"]


def test_a_log_that_cannot_be_finished_fails_the_cycle(
    workspace: store.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "replace", full)
    found = run(workspace)
    assert found.log.exit_code == 1
    assert any("ops log cannot be written" in warning for warning in found.warnings)
    assert found.notification.text.startswith("[ALERT] Portfolio run failed.")
    assert logs(workspace)[0]["error"]["code"] == "RUN_INTERRUPTED"


def test_retention_comes_last_and_is_reported(workspace: store.Workspace) -> None:
    old = workspace.ops_logs / "20250101_000000_ops.json"
    store.write_atomic(old, b"{}")
    for day in range(23, 28):
        store.write_atomic(workspace.ops_logs / f"202602{day}_000000_ops.json", b"{}")
    found = run(workspace, dry_run=True)
    assert old.exists()
    assert found.log.retention is not None
    assert [item.file for item in found.log.retention.removed] == [workspace.relative(old)]
    found = run(workspace, retention=RetentionLimits(days=45))
    assert not old.exists()
    assert found.log.retention is not None
    assert found.log.retention.removed[0].reason == "older than 45 days"


def test_a_retention_problem_does_not_stop_the_run(workspace: store.Workspace) -> None:
    elsewhere = workspace.root / "elsewhere"
    elsewhere.mkdir()
    workspace.cycle.mkdir(parents=True)
    workspace.run_summaries.symlink_to(elsewhere)
    found = run(workspace)
    assert found.log.exit_code == 0
    assert any("is a link" in warning for warning in found.warnings)


SIGNALLED = [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]


@pytest.mark.parametrize(("number", "code"), SIGNALLED)
def test_a_signal_stops_cleanly_and_gives_the_lock_back(
    workspace: store.Workspace, made_up: MadeUp, number: signal.Signals, code: int
) -> None:
    def run_symbol(entry: PlanEntry) -> SymbolOutcome:
        if entry.symbol == "CL":
            os.kill(os.getpid(), number)
        return outcome(entry)

    before = [signal.getsignal(item) for item, _ in SIGNALLED]
    made_up(run_symbol=run_symbol)
    found = run(workspace, notify="stdout")
    assert found.log.exit_code == code
    (log,) = logs(workspace)
    assert (log["aborted"], log["exit_code"], log["error"]["code"]) == (True, code, "RUN_STOPPED")
    assert log["notification"]["level"] == "alert"
    assert f"stopped by {number.name} before the run had completed" in log["notification"]["text"]
    assert not workspace.run_summaries.exists()
    assert [signal.getsignal(item) for item, _ in SIGNALLED] == before
    made_up()
    assert run(workspace).log.exit_code == 0


@pytest.mark.parametrize("kind", [DataError, ZeroDivisionError])
def test_a_stop_that_a_symbol_swallows_ends_the_run_all_the_same(
    workspace: store.Workspace, made_up: MadeUp, kind: type[Exception]
) -> None:
    def run_symbol(entry: PlanEntry) -> SymbolOutcome:
        if entry.symbol == "CL":
            try:
                os.kill(os.getpid(), signal.SIGTERM)
            except stopping.Stopped:
                raise kind("damaged content") from None
        return outcome(entry)

    made_up(run_symbol=run_symbol)
    found = run(workspace)
    assert (found.log.exit_code, found.log.run) == (143, {})
    assert "damaged content" not in found.log_path.read_text()


def test_an_ignored_signal_stays_ignored(workspace: store.Workspace, made_up: MadeUp) -> None:
    def run_symbol(entry: PlanEntry) -> SymbolOutcome:
        os.kill(os.getpid(), signal.SIGHUP)
        return outcome(entry)

    made_up(run_symbol=run_symbol)
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert run(workspace).log.exit_code == 0
    finally:
        signal.signal(signal.SIGHUP, former)


def test_a_signal_while_the_run_is_put_on_record_waits_for_it(
    workspace: store.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = run_orchestrator.persist

    def persist(*arguments: Any) -> Path:
        os.kill(os.getpid(), signal.SIGTERM)
        return real(*arguments)

    monkeypatch.setattr(run_orchestrator, "persist", persist)
    found = run(workspace, notify="stdout")
    (log,) = logs(workspace)
    assert (log["exit_code"], log["error"]["code"], log["aborted"]) == (143, "RUN_STOPPED", False)
    assert "after the run had completed" in log["error"]["text"]
    assert (workspace.root / str(log["summary_path"])).is_file()
    assert found.log.gate_passed


def test_a_signal_during_a_delivery_ends_it_and_the_message_waits(workspace: store.Workspace) -> None:
    with socket.socket() as hanging:
        hanging.bind(("127.0.0.1", 0))
        hanging.listen()

        def strike() -> None:
            with hanging.accept()[0]:
                os.kill(os.getpid(), signal.SIGTERM)
                struck.wait(300)

        struck, thread = threading.Event(), threading.Thread(target=strike)
        thread.start()
        url = f"http://127.0.0.1:{hanging.getsockname()[1]}/services/abcdefghijklmnop"
        options = weekly.WeeklyOptions(notify="webhook", webhook_url=url)
        found = weekly.run_weekly(workspace, options, instant=INSTANT, limits=ONCE)
        struck.set()
        thread.join()
    assert found.log.exit_code == 143
    assert found.log.summary_path is not None
    assert found.notification.error == "stopped by SIGTERM while it was delivered; it waits in the outbox"
    assert len(waiting(workspace)) == 1


@pytest.mark.parametrize("fault", ["busy", "log"])
def test_a_cycle_that_cannot_start_is_announced_and_pinged(
    workspace: store.Workspace, hook: Any, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, url = hook
    options = weekly.WeeklyOptions(notify="webhook", webhook_url=url, ping_url=url.replace("services", "ping"))
    if fault == "log":
        workspace.cycle.mkdir(parents=True)
        workspace.ops_logs.touch()
    lock = store.RunLock(workspace.lock_path, instant=INSTANT, purpose="ctl ops")
    with lock if fault == "busy" else contextlib.nullcontext(), pytest.raises(CtlError) as raised:
        weekly.run_weekly(workspace, options, instant=INSTANT, limits=ONCE)
    warnings = weekly.not_started(raised.value, options, workspace=workspace, instant=INSTANT, stream=io.StringIO())
    assert warnings == ()
    (body,) = server.bodies
    assert body["level"] == "alert"
    assert body["text"].startswith("[ALERT] Portfolio run not started. Mode: real. ")
    assert str(raised.value) in body["text"]
    assert [path.split("?")[0] for path in server.pings] == ["/ping/abcdefghijklmnop/fail"]
    assert waiting(workspace) == []


# ---------------------------------------------------------------- webhook and outbox


class Hook(BaseHTTPRequestHandler):
    statuses: list[int]
    bodies: list[dict[str, Any]]
    pings: list[str]
    texts: list[str]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Type"].startswith("text/plain"):
            self.pings.append(self.path)
            self.texts.append(body.decode())
        else:
            self.bodies.append(json.loads(body))
        self.send_response(self.statuses.pop(0) if self.statuses else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name it has in the base class
        pass


@pytest.fixture
def hook() -> Any:
    class Mine(Hook):
        statuses: list[int] = []  # noqa: RUF012 - one list per server is the point
        bodies: list[dict[str, Any]] = []  # noqa: RUF012
        pings: list[str] = []  # noqa: RUF012
        texts: list[str] = []  # noqa: RUF012

    with ThreadingHTTPServer(("127.0.0.1", 0), Mine) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield Mine, f"http://127.0.0.1:{server.server_address[1]}/services/abcdefghijklmnop"
        server.shutdown()
        thread.join(10)


def waiting(workspace: store.Workspace) -> list[Path]:
    folder = workspace.root / ".ctl" / "outbox"
    return sorted(folder.iterdir()) if folder.exists() else []


def test_a_failed_notification_changes_no_exit_code_and_waits_for_the_next_run(
    workspace: store.Workspace, hook: Any
) -> None:
    server, url = hook
    server.statuses[:] = [503]
    first = run(workspace, notify="webhook", webhook_url=url)
    assert (first.log.exit_code, first.notification.delivered) == (0, False)
    assert first.warnings == ("the notification was not delivered: HTTP 503",)
    assert len(waiting(workspace)) == 1
    second = run(workspace, notify="webhook", webhook_url=url, instant=INSTANT + timedelta(days=7))
    assert second.notification.delivered
    assert waiting(workspace) == []
    keys = [body["meta"]["idempotency_key"] for body in server.bodies]
    assert keys[0] == keys[2] == first.notification.idempotency_key
    assert keys[1] == second.notification.idempotency_key


def test_a_webhook_that_is_down_for_three_runs_gets_each_message_once(workspace: store.Workspace, hook: Any) -> None:
    server, url = hook
    server.statuses[:] = [503, 503, 503]
    found = [
        run(workspace, notify="webhook", webhook_url=url, instant=INSTANT + timedelta(days=7 * week))
        for week in range(5)
    ]
    assert [item.notification.delivered for item in found] == [False, False, False, True, True]
    keys = [body["meta"]["idempotency_key"] for body in server.bodies]
    expected = [item.notification.idempotency_key for item in found]
    assert keys[3:] == [expected[3], *expected[:3], expected[4]]
    assert waiting(workspace) == []
    assert [late.delivered for late in found[3].log.late] == [True, True, True]
    assert found[4].log.late == ()


def test_a_permanent_refusal_is_recorded_and_not_kept(workspace: store.Workspace, hook: Any) -> None:
    server, url = hook
    server.statuses[:] = [404]
    found = run(workspace, notify="webhook", webhook_url=url)
    assert found.log.exit_code == 0
    assert found.log.notification is not None
    assert found.log.notification.error == "HTTP 404"
    assert waiting(workspace) == []


def test_the_webhooks_url_is_in_no_file(workspace: store.Workspace, hook: Any, made_up: MadeUp) -> None:
    _, url = hook

    def run_symbol(_: Any) -> SymbolOutcome:
        raise DataError(f"cannot reach {url}")

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{taken.getsockname()[1]}/services/abcdefghijklmnop"
        made_up(run_symbol=run_symbol)
        found = run(workspace, notify="webhook", webhook_url=dead)
    assert not found.notification.delivered
    assert len(waiting(workspace)) == 1
    everything = b"".join(path.read_bytes() for path in workspace.root.rglob("*") if path.is_file())
    assert b"abcdefghijklmnop" not in everything
    assert b"127.0.0.1#" in everything
    assert "abcdefghijklmnop" not in repr(found)


def test_an_unusable_outbox_does_not_stop_the_delivery(workspace: store.Workspace, hook: Any) -> None:
    server, url = hook
    (workspace.root / ".ctl").mkdir()
    (workspace.root / ".ctl" / "outbox").touch()
    found = run(workspace, notify="webhook", webhook_url=url)
    assert (found.log.exit_code, found.notification.delivered, len(server.bodies)) == (0, True, 1)
    assert any("the outbox cannot be written" in warning for warning in found.warnings)


def test_an_unchanged_failure_sends_a_heartbeat_and_every_change_alerts(
    workspace: store.Workspace, hook: Any, made_up: MadeUp
) -> None:
    server, url = hook
    rejected: Any = {"ES": "REJECT", "CL": "ACCEPT", "PL": "WATCH"}
    worse: Any = {"ES": "REJECT", "CL": "REJECT", "PL": "WATCH"}
    levels: list[str] = []
    for week, board in enumerate([rejected, rejected, rejected, worse, None, None, rejected]):
        made_up(board=board)
        found = run(
            workspace,
            notify="webhook",
            webhook_url=url,
            instant=INSTANT + timedelta(weeks=week),
            retention=RetentionLimits(days=None),
        )
        assert found.log.exit_code == (0 if board is None else 2)
        levels.append(found.notification.level)
    assert levels == ["alert", "warn", "warn", "alert", "info", "info", "alert"]
    texts = [body["text"] for body in server.bodies]
    assert texts[1].splitlines()[:2] == [
        "[WARN] Portfolio run aborted. Gate: MISMATCH. Mode: real.",
        "Unchanged since 2026-03-02, run 2 in a row",
    ]
    assert texts[2].splitlines()[1] == "Unchanged since 2026-03-02, run 3 in a row"
    assert "ES: expected WATCH, actual REJECT" in texts[2]
    assert "Changed since 2026-03-16: CL ACCEPT -> REJECT" in texts[3]


def test_an_alert_that_nobody_got_is_an_alert_again(workspace: store.Workspace, hook: Any, made_up: MadeUp) -> None:
    server, url = hook
    server.statuses[:] = [404]
    rejected: Any = {"ES": "REJECT", "CL": "ACCEPT", "PL": "WATCH"}
    made_up(board=rejected)
    found = [run(workspace, notify="webhook", webhook_url=url, dry_run=dry) for dry in (False, False, True)]
    assert [(item.notification.level, item.notification.delivered) for item in found] == [
        ("alert", False),
        ("alert", True),
        ("alert", True),
    ]


def test_a_terminal_always_shows_the_whole_alert(workspace: store.Workspace, made_up: MadeUp) -> None:
    made_up(board={"ES": "REJECT", "CL": "ACCEPT", "PL": "WATCH"})
    for _ in range(2):
        assert run(workspace, notify="stdout").notification.level == "alert"


@pytest.mark.parametrize(("board", "last"), [(None, "/ping/abc"), ({"ES": "REJECT"}, "/ping/abc/fail")])
def test_a_dead_mans_switch_is_told_of_start_and_end(
    workspace: store.Workspace, hook: Any, made_up: MadeUp, board: Any, last: str
) -> None:
    server, url = hook
    made_up(board=board)
    ping = url.replace("/services/abcdefghijklmnop", "/ping/abc/")
    found = run(workspace, ping_url=ping)
    paths, queries = zip(*(path.split("?") for path in server.pings), strict=True)
    assert paths == ("/ping/abc/start", last)
    assert queries[0] == queries[1]
    assert uuid.UUID(queries[0].removeprefix("rid=")).version == 5
    assert server.texts == ["", found.notification.text]
    assert found.warnings == ()


def test_a_dead_switch_changes_nothing_but_a_warning(workspace: store.Workspace, hook: Any) -> None:
    server, url = hook
    server.statuses[:] = [500, 302]
    found = run(workspace, ping_url=url)
    assert found.log.exit_code == 0
    assert found.warnings == (
        "the dead-man's switch was not told of the start: HTTP 500",
        "the dead-man's switch was not told of the success: HTTP 302: a redirect, which is not followed",
    )
    plain = run(workspace, ping_url="http://example.com/abcdefghijklmnop")
    assert "the ping URL must be https" in plain.warnings[0]
    assert "abcdefghijklmnop" not in repr(plain)
