"""`ctl fetch` through Databento's official client, against a local server that speaks its HTTP API over TLS."""

from __future__ import annotations

import base64
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import trustme

# The client leaves its own file open where a stream breaks off.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

KEY = "db-0123456789abcdefghijklmnopqrs"


@dataclass
class Databento:
    """The server: what it was asked, and what it answers."""

    bodies: dict[str, bytes]
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    gateway: str = ""

    def downloads(self) -> list[dict[str, str]]:
        return [form for name, form in self.asked if name == "timeseries.get_range"]


@pytest.fixture
def databento(workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Databento]:
    raw = workspace / "data" / "raw"
    server = Databento(
        {
            "ohlcv-1d": next((raw / "databento" / "ES").glob("*ohlcv-1d*")).read_bytes(),
            "definition": next((raw / "databento" / "ES").glob("*definition*")).read_bytes(),
            "statistics": next((raw / "databento_statistics" / "ES").iterdir()).read_bytes(),
            "ohlcv-1h": next((raw / "databento_hourly" / "ES").iterdir()).read_bytes(),
        }
    )
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(parse_qs(urlsplit(self.path).query))

        def do_POST(self) -> None:
            self._answer(parse_qs(self.rfile.read(int(self.headers["content-length"])).decode()))

        def _answer(self, query: dict[str, list[str]]) -> None:
            name = urlsplit(self.path).path.removeprefix("/v0/")
            form = {key: value[0] for key, value in query.items()}
            server.asked.append((name, form))
            server.keys.add(base64.b64decode(self.headers["authorization"].split()[1]).decode().rstrip(":"))
            fault = server.faults.pop(0) if server.faults and name == "timeseries.get_range" else ""
            if fault.isdigit():
                self._send(int(fault), b'{"detail": {"case": "fault", "message": "key %s", "docs": ""}}' % KEY.encode())
            elif name == "metadata.get_dataset_range":
                self._send(200, b'{"start": "2010-06-06T00:00:00.000000000Z", "end": "2026-03-03T00:00:00.000000000Z"}')
            elif name == "metadata.get_cost":
                self._send(200, b"1.25")
            else:
                body = server.bodies[form["schema"]]
                self._send(200, body[: len(body) // 2] if fault == "cut" else body)

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Nothing on the tests' stderr."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.socket = context.wrap_socket(http.socket, server_side=True)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    server.gateway = f"https://127.0.0.1:{http.server_port}"
    monkeypatch.setenv("DATABENTO_API_KEY", KEY)
    monkeypatch.setenv("DATABENTO_GATEWAY", server.gateway)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    yield server
    http.shutdown()
    http.server_close()
    thread.join()


def fetch(ctl: Callable, workspace: Path, *options: str):
    return ctl("fetch", "ES", "-w", workspace, "--to", "2026-03-02", *options)


def test_an_estimate_buys_nothing(ctl, workspace: Path, databento: Databento):
    ran = fetch(ctl, workspace, "--estimate", "--json")
    assert ran.code == 0
    # The simulated files end on 2026-02-27: three days are missing of each kind that ES has a folder of.
    assert [(row["schema"], row["first"], row["last"]) for row in ran.document["files"]] == [
        (schema, "2026-02-28", "2026-03-02") for schema in ("ohlcv-1d", "definition", "statistics", "ohlcv-1h")
    ]
    assert (ran.document["total_usd"], ran.document["bought"]) == (5.0, 0)
    assert databento.downloads() == []
    costs = [form for name, form in databento.asked if name == "metadata.get_cost"]
    assert costs[0] == {
        "dataset": "GLBX.MDP3", "start": "2026-02-28", "end": "2026-03-03", "symbols": "ES.FUT", "schema": "ohlcv-1d",
        "stype_in": "parent", "stype_out": "instrument_id",
    }  # fmt: skip
    assert databento.keys == {KEY}


def test_what_was_bought_is_whole_and_not_bought_again(ctl, workspace: Path, databento: Databento):
    ran = fetch(ctl, workspace, "--yes", "--json")
    assert (ran.code, ran.document["bought"]) == (0, 4)
    for row in ran.document["files"]:
        assert (workspace / row["file"]).read_bytes() == databento.bodies[row["schema"]]
    assert (workspace / "data/raw/databento/ES/glbx-mdp3-20260228-20260302.ohlcv-1d.dbn.zst").is_file()
    again = fetch(ctl, workspace, "--yes", "--json")
    assert (again.code, again.document["files"]) == (0, [])
    assert len(databento.downloads()) == 4


def test_a_longer_history_is_bought_a_calendar_year_a_file(ctl, workspace: Path, databento: Databento):
    ran = fetch(ctl, workspace, "--from", "2016-06-01", "--estimate", "--json")
    daily = [(row["first"], row["last"]) for row in ran.document["files"] if row["schema"] == "ohlcv-1d"]
    assert daily == [
        ("2016-06-01", "2016-12-31"), ("2017-01-01", "2017-12-31"), ("2018-01-01", "2018-01-01"),
        ("2026-02-28", "2026-03-02"),
    ]  # fmt: skip


@pytest.mark.parametrize("fault", ["cut", "422"])
def test_a_purchase_that_was_stopped_goes_on_where_it_ended(ctl, workspace: Path, databento: Databento, fault: str):
    databento.faults = ["", "", fault]
    stopped = fetch(ctl, workspace, "--yes")
    assert stopped.code == 1
    assert "statistics" in stopped.err
    left = list((workspace / "data" / "raw" / "databento_statistics" / "ES").iterdir())
    assert len(left) == 1, "nothing is left of the file that did not come whole"
    ran = fetch(ctl, workspace, "--yes", "--json")
    assert ran.code == 0
    assert [row["schema"] for row in ran.document["files"]] == ["statistics", "ohlcv-1h"]


def test_a_passing_fault_is_tried_again(ctl, workspace: Path, databento: Databento):
    databento.faults = ["503", "429"]
    assert fetch(ctl, workspace, "--yes").code == 0
    assert len(databento.downloads()) == 6


def test_the_key_is_in_no_message(ctl, workspace: Path, databento: Databento):
    databento.faults = ["401"]
    ran = fetch(ctl, workspace, "--yes")
    assert ran.code == 1
    assert "DATABENTO_API_KEY" in ran.err
    assert KEY not in ran.out + ran.err


@pytest.mark.parametrize(
    ("options", "word"), [((), "--yes"), (("--yes", "--max-cost", "4.99"), "5.00"), (("--to", "yesterday"), "--to")]
)
def test_money_is_spent_only_where_somebody_said_so(ctl, workspace, databento, options: tuple[str, ...], word: str):
    ran = fetch(ctl, workspace, *options)
    assert ran.code == 64
    assert word in ran.err
    assert databento.downloads() == []


def test_without_a_key_nothing_is_asked(ctl, workspace: Path, databento: Databento, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("DATABENTO_API_KEY")
    ran = fetch(ctl, workspace, "--yes")
    assert ran.code == 64
    assert "DATABENTO_API_KEY" in ran.err
    assert databento.asked == []


def test_other_vendors_are_not_fetched(ctl, workspace: Path, databento: Databento):
    settings = workspace / "ctl.toml"
    text = settings.read_text().replace('canonical = "databento"', 'canonical = "norgate"')
    settings.write_text(text.replace('reference = "norgate"', 'reference = "tradestation"'))
    ran = fetch(ctl, workspace, "--yes")
    assert ran.code == 64
    assert "norgate" in ran.err
