"""Delivery against a real local server that answers, refuses, stalls, resets and rambles."""

from __future__ import annotations

import json
import logging
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest

from ctl import ops_notifier as notifier
from ctl.channels import apprise as apprise_channel
from ctl.model.documents import document
from ctl.model.notifications import Route

PATH = "/services/T00000000000/B00000000000/abcdefghijklmnopqrstuvwx"
OCCASION = notifier.Occasion("cutover_v1", datetime(2026, 3, 2, 5, 0, tzinfo=UTC), dry_run=True)
MESSAGE = notifier.success(OCCASION, recommendation="CONDITIONAL GO")
# A loaded machine answers late: only what is to time out has a short time.
LIMITS = notifier.DeliveryLimits(attempts=3, connect=20.0, read=20.0, total=60.0)
IMPATIENT = replace(LIMITS, read=0.2)

Reply = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Takes the next reply of its server's script for every request; the last one repeats."""

    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((dict(self.headers), json.loads(body)))
        script = self.server.script
        (script.pop(0) if len(script) > 1 else script[0])(self)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name it has in the base class
        pass


class Server(ThreadingHTTPServer):
    """A local server; `release` lets stalled replies end."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: list[Reply] = []
        self.requests: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.release = threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that has given up is what some of these tests are about

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{PATH}"


def answer(status: int, body: bytes = b"ok", **headers: str) -> Reply:
    def reply(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return reply


def hang(handler: Handler) -> None:
    handler.server.release.wait(20)


def reset(handler: Handler) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def garbage(handler: Handler) -> None:
    handler.wfile.write(b"\x00\xff not http at all \r\n\r\n")
    handler.close_connection = True


def endless_header(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-A: ")
    while not handler.server.release.wait(0.02):
        handler.wfile.write(b"a")


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield found
        found.release.set()
        found.shutdown()
        thread.join(10)


def deliver(
    server: Server, *script: Reply, message: notifier.Message = MESSAGE, limits: notifier.DeliveryLimits = LIMITS
) -> tuple[notifier.DeliveryResult, list[float]]:
    server.script = list(script)
    slept: list[float] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tenacity.nap.time", SimpleNamespace(sleep=slept.append))
        result = notifier.notify(message, mode="webhook", route=Route(server.url, limits=limits))
    return result, slept


def assert_backoff(slept: list[float], *firsts: float) -> None:
    """Each wait is its exponential part plus a jitter of at most the first wait (LIMITS: 0.25 s)."""
    assert len(slept) == len(firsts)
    assert all(first <= wait <= first + 0.25 for wait, first in zip(slept, firsts, strict=True))


def test_one_message_is_posted_once(server: Server) -> None:
    result, slept = deliver(server, answer(200))
    assert (result.delivered, result.attempts, result.error, slept) == (True, 1, None, [])
    ((headers, body),) = server.requests
    assert headers["Content-Type"] == "application/json"
    assert headers["Idempotency-Key"] == MESSAGE.idempotency_key == body["meta"]["idempotency_key"]
    assert body["text"] == MESSAGE.text
    assert body["level"] == "info"
    assert set(body) == {"text", "level", "meta"}


def test_a_server_error_is_tried_again_with_the_same_key(server: Server) -> None:
    result, slept = deliver(server, answer(500), answer(502), answer(200))
    assert (result.delivered, result.attempts) == (True, 3)
    assert_backoff(slept, 0.25, 0.5)
    assert len({headers["Idempotency-Key"] for headers, _ in server.requests}) == 1


def test_a_server_error_that_stays_is_given_up_and_may_be_tried_later(server: Server) -> None:
    result, _ = deliver(server, answer(500))
    assert (result.delivered, result.attempts, result.error, result.permanent) == (False, 3, "HTTP 500", False)


def test_retry_after_is_honoured(server: Server) -> None:
    result, slept = deliver(server, answer(429, Retry_After="2"), answer(200))
    assert (result.delivered, result.attempts, slept) == (True, 2, [2.0])


def test_retry_after_may_be_a_date(server: Server) -> None:
    def reply(handler: Handler) -> None:
        handler.send_response_only(429)
        handler.send_header("Date", "Mon, 02 Mar 2026 05:00:00 GMT")
        handler.send_header("Retry-After", "Mon, 02 Mar 2026 05:00:03 GMT")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    result, slept = deliver(server, reply, answer(200))
    assert (result.delivered, slept) == (True, [3.0])


@pytest.mark.parametrize("value", ["soon", "-1", "1e9", ""])
def test_an_unreadable_retry_after_is_our_own_backoff(server: Server, value: str) -> None:
    result, slept = deliver(server, answer(429, Retry_After=value), answer(200))
    assert result.delivered
    assert_backoff(slept, 0.25)


def test_a_long_retry_after_is_left_to_the_next_run(server: Server) -> None:
    result, slept = deliver(server, answer(429, Retry_After="3600"), answer(200))
    assert (result.delivered, result.attempts, result.permanent, slept) == (False, 1, False, [])


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_permanent_refusal_is_not_tried_again(server: Server, status: int) -> None:
    result, slept = deliver(server, answer(status), answer(200))
    assert (result.delivered, result.attempts, result.permanent, slept) == (False, 1, True, [])
    assert result.error == f"HTTP {status}"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(server: Server, status: int) -> None:
    with Server() as other:
        thread = threading.Thread(target=other.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        other.script = [answer(200)]
        result, _ = deliver(server, answer(status, Location=other.url))
        other.shutdown()
        thread.join(10)
    assert (result.delivered, result.attempts, result.permanent) == (False, 1, True)
    assert other.requests == []


def test_a_hanging_server_times_out(server: Server) -> None:
    result, slept = deliver(server, hang, limits=IMPATIENT)
    assert (result.delivered, result.attempts, result.error) == (False, 3, "timeout")
    assert len(slept) == 2


def test_a_dripping_server_cannot_hold_the_run(server: Server) -> None:
    limits = replace(LIMITS, total=0.5)
    result, _ = deliver(server, endless_header, limits=limits)
    assert (result.delivered, result.error) == (False, "no answer within 0.5 s")


def test_a_reset_connection_is_tried_again(server: Server) -> None:
    result, _ = deliver(server, reset, answer(200))
    assert (result.delivered, result.attempts) == (True, 2)


def test_garbage_is_tried_again_and_then_given_up(server: Server) -> None:
    result, _ = deliver(server, garbage)
    assert (result.delivered, result.attempts) == (False, 3)
    assert result.error is not None
    assert result.error.startswith("connection failed")


def test_an_endless_body_is_not_read(server: Server) -> None:
    def reply(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not handler.server.release.is_set():
            handler.wfile.write(b"x" * 65536)

    result, _ = deliver(server, reply)
    assert (result.delivered, result.attempts) == (True, 1)


def test_nobody_listening_is_a_failure_not_an_exception() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}{PATH}"
        result = notifier.notify(MESSAGE, mode="webhook", route=Route(url, limits=LIMITS))
    assert (result.delivered, result.attempts, result.error) == (False, 3, "connection failed (ConnectError)")


def test_a_wait_that_would_outlast_the_total_time_is_left_to_the_next_run(server: Server) -> None:
    limits = replace(LIMITS, total=10.0, retry_after_most=60.0)
    result, slept = deliver(server, answer(429, Retry_After="11"), answer(200), limits=limits)
    assert (result.delivered, result.attempts, result.permanent, slept) == (False, 1, False, [])


def test_long_texts_arrive_in_parts(server: Server) -> None:
    message = notifier.Message("symbol_failure", "warn", "\n".join("x" * 500 for _ in range(12)), {})
    result, _ = deliver(server, answer(200), message=message)
    assert result.delivered
    bodies = [body for _, body in server.requests]
    assert len(bodies) == 3
    assert all(len(body["text"]) < 3000 for body in bodies)
    assert "\n".join(body["text"] for body in bodies) == message.text
    assert [body["meta"]["part"] for body in bodies] == [1, 2, 3]
    assert len({headers["Idempotency-Key"] for headers, _ in server.requests}) == 3


@pytest.mark.parametrize(
    ("status", "permanent", "attempts"), [(429, False, 3), (403, True, 1), (404, True, 1), (503, False, 3)]
)
def test_teams_says_in_the_body_of_a_200_that_it_failed(
    server: Server, status: int, permanent: bool, attempts: int
) -> None:
    body = f"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error {status} with ..."
    result, _ = deliver(server, answer(200, body.encode()))
    assert (result.delivered, result.permanent, result.attempts) == (False, permanent, attempts)
    assert f"HTTP {status}" in str(result.error)


@pytest.mark.parametrize("body", [b"1", b"ok", b"", b"x" * 100_000, b"\xff\xfe"])
def test_any_other_body_of_a_200_is_a_delivery(server: Server, body: bytes) -> None:
    assert deliver(server, answer(200, body))[0].delivered


def test_apprise_urls_have_the_message_beside_the_webhook_and_each_once(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    import apprise

    sent: list[tuple[str, str, str]] = []

    class Service:
        def __init__(self, *, asset: Any) -> None:
            assert asset.http_redirects is False

        def add(self, url: str) -> bool:
            self.url = url
            return "nonsense" not in url

        def notify(self, *, body: str, title: str, notify_type: str) -> bool:
            sent.append((self.url, title, notify_type))
            return "down" not in self.url

    monkeypatch.setattr(apprise, "Apprise", Service)
    urls = ("mailto://user:secretsecret@example.com", "tgram://down/secretsecret", "nonsense://secretsecret")
    server.script = [answer(200)]
    report = notifier.Report(board="ES WATCH")
    message = notifier.success(OCCASION, report, recommendation="GO")
    result = notifier.notify(message, mode="webhook", route=Route(server.url, urls, limits=LIMITS))
    assert (result.delivered, result.permanent, result.attempts) == (False, False, 4)
    assert [url for url, _, _ in sent] == list(urls[:2])
    assert sent[0][1:] == (MESSAGE.text, "success")
    assert "secretsecret" not in json.dumps([result.error, result.target, *result.served])
    assert len(result.served) == 2
    again = Route(server.url, urls, limits=LIMITS, served=frozenset(result.served))
    notifier.notify(message, mode="webhook", route=again)
    assert len(server.requests) == 1
    assert [url for url, _, _ in sent] == [*urls[:2], urls[1]]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # apprise's own
def test_apprise_alone_reaches_a_real_local_service(server: Server) -> None:
    server.script = [answer(200)]
    url = server.url.replace("http://", "json://")
    result = notifier.notify(MESSAGE, mode="apprise", route=Route(urls=(url,), limits=LIMITS))
    assert (result.delivered, result.attempts) == (True, 1)
    assert server.requests[0][1]["message"] == MESSAGE.text
    assert result.target is not None
    assert result.target.startswith("json#")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # apprise's own
@pytest.mark.parametrize("status", [302, 307, 404, 429, 500])
def test_what_an_apprise_service_does_not_take_waits_and_no_redirect_is_followed(server: Server, status: int) -> None:
    server.script = [answer(status, Location=server.url, Retry_After="1"), answer(200)]
    url = server.url.replace("http://", "json://")
    result = notifier.notify(MESSAGE, mode="apprise", route=Route(urls=(url,), limits=LIMITS))
    assert (result.delivered, result.attempts, result.permanent, result.served) == (False, 1, False, ())
    assert str(result.error).endswith(": not accepted")
    assert len(server.requests) == 1


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # apprise's own
@pytest.mark.parametrize("reply", [endless_header, hang])
def test_a_dripping_or_hanging_apprise_service_cannot_hold_the_run(server: Server, reply: Reply) -> None:
    server.script = [reply]
    url = server.url.replace("http://", "json://")
    result = notifier.notify(MESSAGE, mode="apprise", route=Route(urls=(url,), limits=replace(LIMITS, total=0.5)))
    assert (result.delivered, str(result.error).partition(": ")[2]) == (False, "no answer within 0.5 s")


def test_the_urls_of_the_variable_are_split_where_the_next_begins() -> None:
    assert apprise_channel.split_urls(None) == ()
    text = "mailto://a@b.c?to=x,y, tgram://1/2\njson://h"
    assert apprise_channel.split_urls(text) == ("mailto://a@b.c?to=x,y", "tgram://1/2", "json://h")


@pytest.mark.parametrize(
    "reply", [answer(200), answer(404), answer(500), answer(302, Location="https://elsewhere/x"), hang, reset, garbage]
)
def test_the_secret_is_nowhere(
    server: Server, reply: Reply, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        result, _ = deliver(server, reply, limits=IMPATIENT)
    printed = capfd.readouterr()
    seen = json.dumps(document(result.record)) + repr(result) + caplog.text + printed.out + printed.err
    assert "127.0.0.1" in seen
    for part in ("abcdefghijkl", "T00000000000", "B00000000000"):
        assert part not in seen
