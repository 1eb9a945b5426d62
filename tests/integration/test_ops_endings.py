"""How `ctl ops` ends where something around it fails: it says why, tells the dead-man's switch, and loses nothing."""

from __future__ import annotations

import contextlib
import json as json_module
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ops_workspace import INSTANT, MadeUp, make_workspace

from ctl import ops_notifier, store
from ctl.flows import portfolio


class Pings(BaseHTTPRequestHandler):
    got: list[tuple[str, str]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.got.append((self.path.split("?")[0], body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name it has in the base class
        pass


@contextmanager
def switch() -> Iterator[tuple[list[tuple[str, str]], str]]:
    class Mine(Pings):
        got: list[tuple[str, str]] = []  # noqa: RUF012 - one list per server is the point

    with ThreadingHTTPServer(("127.0.0.1", 0), Mine) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield Mine.got, f"http://127.0.0.1:{server.server_address[1]}/ping/abcdefghijklmnop"
        server.shutdown()
        thread.join(10)


@pytest.fixture
def pings(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str]]]:
    with switch() as (got, url):
        monkeypatch.setenv("CTL_OPS_PING_URL", url)
        yield got


@pytest.fixture
def workspace(tmp_path: Path, made_up: MadeUp) -> store.Workspace:
    return make_workspace(tmp_path)


@pytest.mark.parametrize("words", [["--bogus"], ["--as-of", "yesterday"], ["--retention-days", "0"]])
def test_wrong_arguments_ping_the_failure(
    ctl: Callable[..., Any], workspace: store.Workspace, pings: list[tuple[str, str]], words: list[str]
) -> None:
    found = ctl("ops", "-w", workspace.root, *words)
    assert found.code == 64
    assert [path for path, _ in pings] == ["/ping/abcdefghijklmnop/fail"]
    assert pings[0][1] != ""
    ctl("gate", "-w", workspace.root, "--bogus")
    assert len(pings) == 1


@pytest.mark.parametrize("fault", ["missing", "damaged", "fifo", "log", "lock", "busy"])
def test_a_cycle_that_cannot_start_says_why_and_pings_the_failure(
    ctl: Callable[..., Any], workspace: store.Workspace, pings: list[tuple[str, str]], fault: str
) -> None:
    toml = workspace.root / "ctl.toml"
    held = store.RunLock(workspace.lock_path, instant=INSTANT, purpose="ctl ops")
    match fault:
        case "missing":
            toml.unlink()
        case "damaged":
            toml.write_text("schema_version = 2")
        case "fifo":
            toml.unlink()
            os.mkfifo(toml)
        case "log":
            workspace.cycle.mkdir(parents=True)
            workspace.ops_logs.touch()
        case "lock":
            (workspace.root / ".ctl").touch()
        case "busy":
            held.acquire()
    found = ctl("ops", "-w", workspace.root, "--notify", "stdout", "--json")
    held.release()
    assert found.code == 1
    failure = json_module.loads(found.out)
    code = "WORKSPACE_BUSY" if fault == "busy" else "WORKSPACE_UNUSABLE"
    assert (failure["kind"], failure["code"], failure["exit_code"]) == ("error", code, 1)
    assert found.err.startswith("[ALERT] Portfolio run not started. Mode: real. ")
    assert "\nctl: " in found.err
    assert [path for path, _ in pings] == ["/ping/abcdefghijklmnop/fail"]
    assert pings[0][1].startswith("[ALERT] Portfolio run not started.")


@pytest.mark.parametrize("board", ["passes", "refuses", "unreachable"])
def test_what_came_of_the_pings_is_recorded_and_status_says_it(
    ctl: Callable[..., Any], workspace: store.Workspace, pings: list[tuple[str, str]], made_up: MadeUp,
    monkeypatch: pytest.MonkeyPatch, board: str,
) -> None:  # fmt: skip
    if board == "refuses":
        made_up(board={"ES": "REJECT"})
    if board == "unreachable":
        monkeypatch.setenv("CTL_OPS_PING_URL", "http://127.0.0.1:9/ping/abcdefghijklmnop")
    assert ctl("status", "-w", workspace.root, "--json").document["last_ping"] is None
    ctl("ops", "-w", workspace.root)
    (path,) = workspace.ops_logs.iterdir()
    log = json_module.loads(path.read_text())
    end = "failure" if board == "refuses" else "success"
    assert [item["signal"] for item in log["pings"]] == ["start", end]
    assert all(item["at"] >= log["timestamp"] and "abcdefg" not in item["target"] for item in log["pings"])
    assert {item["error"] is None for item in log["pings"]} == {board != "unreachable"}
    assert len(pings) == (0 if board == "unreachable" else 2)
    status = ctl("status", "-w", workspace.root)
    assert ("; last ping failed at " if board == "unreachable" else "; last ping ") in status.out
    assert ctl("status", "-w", workspace.root, "--json").document["last_ping"] == log["pings"][-1]


@pytest.mark.parametrize("json", [False, True])
def test_an_error_after_a_passing_board_is_said(
    ctl: Callable[..., Any], workspace: store.Workspace, monkeypatch: pytest.MonkeyPatch, json: bool
) -> None:
    real = os.link

    def full(source: Any, target: Any) -> None:
        if str(target).endswith("_portfolio_run.json"):
            raise OSError(28, os.strerror(28))
        real(source, target)

    monkeypatch.setattr(os, "link", full)
    found = ctl("ops", "-w", workspace.root, *(["--json"] if json else []))
    assert found.code == 1
    assert "WRITE_FAILED" in found.err
    assert "No space left on device" in found.err


@pytest.mark.parametrize("command", ["gate", "run", "ops"])
def test_a_signal_ends_any_command(
    ctl: Callable[..., Any], workspace: store.Workspace, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    def gate(*_: Any, **__: Any) -> Any:
        os.kill(os.getpid(), signal.SIGHUP)

    monkeypatch.setattr(portfolio, "gate", gate)
    found = ctl(command, "-w", workspace.root)
    assert found.code == 129
    assert "RUN_STOPPED: stopped by SIGHUP" in found.err


@pytest.mark.parametrize(("board", "code"), [("", 0), ("corrupt", 2)])
def test_a_reader_that_has_gone_changes_no_exit_code(workspace: store.Workspace, board: str, code: int) -> None:
    driver = (
        "import sys; from ops_workspace import make_up; make_up(board={'ES': 'REJECT'} if sys.argv.pop() else None); "
        "from ctl.cli import script; sys.exit(script(sys.argv[1:]))"
    )
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", driver, "ops", "-w", str(workspace.root), board],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (code, "")


SECRET = "abcdefghijklmnop"  # noqa: S105 - made up


@pytest.mark.parametrize("notify", ["webhook", "apprise"])
@pytest.mark.parametrize("fault", ["none", "gate", "symbol", "error", "busy"])
def test_no_secret_stands_in_anything_that_a_run_emits(
    workspace: store.Workspace, made_up: MadeUp, ctl: Callable[..., Any], monkeypatch: pytest.MonkeyPatch,
    notify: str, fault: str,
) -> None:  # fmt: skip
    urls = {
        "CTL_OPS_WEBHOOK_URL": f"http://127.0.0.1:9/services/{SECRET}?token={SECRET}",
        "CTL_OPS_NOTIFY_URLS": f"json://user:{SECRET}@127.0.0.1:9/{SECRET} nonsense://{SECRET}",
        "CTL_OPS_PING_URL": f"http://127.0.0.1:9/ping/{SECRET}",
        "CTL_REGISTRY_URL": f"postgresql://user:{SECRET}@127.0.0.1:9/{SECRET}",
        "DATABENTO_API_KEY": f"db-{SECRET}",
    }
    everything = " ".join(urls.values())

    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError(everything)

    if fault == "symbol":
        made_up(run_symbol=fail)
    elif fault == "error":
        monkeypatch.setattr(portfolio, "gate", fail)
    elif fault == "gate":
        made_up(board={"ES": "REJECT"})
    lock = store.RunLock(workspace.lock_path, instant=INSTANT, purpose="ctl ops")
    emitted: list[str] = []
    monkeypatch.setattr("ctl.ops.weekly.DeliveryLimits", lambda: ops_notifier.DeliveryLimits(attempts=1, total=5.0))
    for words in (
        ["--json"],
        ["--log-format", "json", "--debug", "--verbose", "--metrics", str(workspace.root / "metrics.prom")],
    ):
        for name, value in urls.items():
            monkeypatch.setenv(name, value)
        with lock if fault == "busy" else contextlib.nullcontext():
            found = ctl("ops", "-w", workspace.root, "--notify", notify, *words)
        emitted += [found.out, found.err]
    for command in (["status"], ["runs", "list"], ["runs", "show", "last", "--json"]):
        found = ctl(*command, "-w", workspace.root)
        emitted += [found.out, found.err]
    emitted += [path.read_bytes().decode("latin-1") for path in workspace.root.rglob("*") if path.is_file()]
    monkeypatch.delenv("CTL_REGISTRY_URL")
    for command in (["status"], ["runs", "list"]):
        found = ctl(*command, "-w", workspace.root)
        emitted += [found.out, found.err]
    assert len(emitted) > 10
    assert not any(SECRET in text for text in emitted)


def test_events_are_one_json_object_a_line(ctl: Callable[..., Any], workspace: store.Workspace) -> None:
    found = ctl("ops", "-w", workspace.root, "--log-format", "json", "--notify", "webhook")
    assert found.code == 0
    events = [json_module.loads(line) for line in found.err.splitlines()]
    assert [event["stage"] for event in events if event["event"] == "stage"] == [
        "gate", "run", "notification", "retention",
    ]  # fmt: skip
    (end,) = [event for event in events if event["event"] == "ended"]
    assert (end["exit_code"], end["gate_passed"], end["level"]) == (0, True, "info")
    assert any(event["level"] == "warning" and "no webhook URL" in event["event"] for event in events)
