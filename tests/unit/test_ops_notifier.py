"""Messages, their splitting, and that a webhook's URL is never shown."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import get_args

import pytest

from ctl import ops_notifier as notifier
from ctl.channels import webhook
from ctl.channels._web import shown_target, url_problem
from ctl.model.documents import document
from ctl.model.notifications import Route
from ctl.model.notify import NotifyMode

DRY = notifier.Occasion("cutover_v1", datetime(2026, 3, 2, 5, 0, tzinfo=UTC), dry_run=True)
REAL = notifier.Occasion("cutover_v1", datetime(2026, 3, 2, 5, 0, tzinfo=UTC), dry_run=False)
SECRET = "https://hooks.slack.com/services/T00000000000/B00000000000/abcdefghijklmnopqrstuvwx"  # noqa: S105 - made up


def test_a_clean_dry_run_is_exactly_one_line() -> None:
    message = notifier.success(DRY, recommendation="CONDITIONAL GO")
    assert message.text == "[OK] Portfolio run completed successfully. Gate: PASS. Mode: dry-run."
    assert message.level == "info"
    assert notifier.success(REAL, recommendation="GO").text.endswith("Gate: PASS. Mode: real.")


def test_symbol_failures_warn_with_each_reason() -> None:
    message = notifier.symbol_failure(REAL, {"CL": "no\nopen"}, recommendation="GO")
    assert message.level == "warn"
    assert message.text == (
        "[WARN] Portfolio run completed with errors in 1 symbol. Gate: PASS. Mode: real.\nCL: no open"
    )
    assert message.meta["symbols"] == ["CL"]
    two = notifier.symbol_failure(REAL, {"CL": "x", "ES": "y"}, recommendation="GO")
    assert "errors in 2 symbols" in two.text


def test_a_gate_failure_alerts_with_expected_actual_and_reason() -> None:
    message = notifier.gate_failure(
        DRY,
        [notifier.GateLine("ES", "WATCH", "ERROR", "no files"), notifier.GateLine("CL", "ACCEPT", "WATCH", "")],
        ["PROFILE_EDITED: the profile was edited"],
        recommendation="NO-GO",
    )
    assert message.level == "alert"
    assert message.text.splitlines() == [
        "[ALERT] Portfolio run aborted. Gate: MISMATCH. Mode: dry-run.",
        "ES: expected WATCH, actual ERROR (no files)",
        "CL: expected ACCEPT, actual WATCH",
        "PROFILE_EDITED: the profile was edited",
    ]
    assert message.meta["symbols"]["ES"] == {"expected": "WATCH", "actual": "ERROR"}


def test_a_runner_error_and_an_unusable_profile_alert() -> None:
    assert notifier.runner_error(REAL, "disk\nfull").text == "[ALERT] Portfolio run failed. Mode: real. disk full"
    message = notifier.profile_failure(REAL, ["p:1: a: found 1; expected 2", "p:2: b"])
    assert message.level == "alert"
    assert message.text.splitlines()[1:] == ["p:1: a: found 1; expected 2", "p:2: b"]


def test_the_key_tells_messages_apart_and_stays_with_one() -> None:
    one = notifier.success(DRY, recommendation="GO")
    later = notifier.Occasion("cutover_v1", datetime(2026, 3, 9, 5, 0, tzinfo=UTC), dry_run=True)
    assert one.idempotency_key == notifier.success(DRY, recommendation="GO").idempotency_key
    assert one.idempotency_key != notifier.success(later, recommendation="GO").idempotency_key


def test_the_url_comes_from_the_first_place_that_has_one() -> None:
    both = {"CTL_OPS_WEBHOOK_URL": "https://new", "OPS_WEBHOOK_URL": "https://old"}
    assert notifier.resolve_url("https://argument", both) == "https://argument"
    assert notifier.resolve_url(None, both) == "https://new"
    assert notifier.resolve_url("", {**both, "CTL_OPS_WEBHOOK_URL": " "}) == "https://old"
    assert notifier.resolve_url(None, {}) is None


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://hooks.slack.com/x", True),
        ("http://127.0.0.1:80/x", True),
        ("http://localhost/x", True),
        ("http://[::1]:8080/x", True),
        ("http://hooks.slack.com/x", False),
        ("http://127.0.0.1.evil.example/x", False),
        ("http://localhost.evil.example/x", False),
        ("ftp://127.0.0.1/x", False),
        ("file:///etc/passwd", False),
        ("https://", False),
        ("nonsense", False),
        ("https://[::1", False),
        ("https://host:notaport/", False),
    ],
)
def test_only_https_or_loopback_is_posted_to(url: str, allowed: bool) -> None:
    assert (url_problem(url) is None) is allowed
    if not allowed:
        result = notifier.notify(notifier.success(DRY, recommendation="GO"), mode="webhook", route=Route(url))
        assert (result.delivered, result.attempts, result.permanent) == (False, 0, True)


def test_a_target_shows_host_and_digest_only() -> None:
    assert shown_target(SECRET).startswith("hooks.slack.com#")
    assert len(shown_target(SECRET)) == len("hooks.slack.com#") + 8
    assert shown_target("https://user:secretsecret@host/x").startswith("host#")
    assert shown_target("https://[::1").startswith("?#")
    assert shown_target("https://ho st\n/x").startswith("?#")


def test_secrets_are_blotted_out_of_texts() -> None:
    text = f"cannot post to {SECRET}: path /services/T00000000000/B00000000000/abcdefghijklmnopqrstuvwx refused"
    clean = notifier.redact(text, [SECRET])
    assert "abcdefghijkl" not in clean
    assert "T00000000000" not in clean
    assert clean.startswith("cannot post to [redacted]: path ")
    assert notifier.redact("services run", [SECRET]) == "services run"
    message = notifier.runner_error(REAL, f"failed at {SECRET}")
    for mode in get_args(NotifyMode):
        result = notifier.notify(message, mode=mode, route=Route(SECRET.replace("https", "ftp"), io.StringIO()))
        assert "abcdefghijkl" not in json.dumps(document(result.record))


def test_modes_without_a_network() -> None:
    message = notifier.success(DRY, recommendation="GO")
    quiet = notifier.notify(message, mode="none", route=Route())
    assert (quiet.delivered, quiet.attempts, quiet.error) == (False, 0, None)
    stream = io.StringIO()
    printed = notifier.notify(message, mode="stdout", route=Route(stream=stream))
    assert (printed.delivered, printed.attempts) == (True, 1)
    assert stream.getvalue() == message.text + "\n"
    closed = io.StringIO()
    closed.close()
    assert notifier.notify(message, mode="stdout", route=Route(stream=closed)).error == "ValueError"
    assert notifier.notify(message, mode="stdout", route=Route()).delivered is False
    missing = notifier.notify(message, mode="webhook", route=Route())
    assert missing.error == "no webhook URL: pass --webhook-url or set CTL_OPS_WEBHOOK_URL or OPS_WEBHOOK_URL"
    assert (missing.delivered, missing.permanent) == (False, False)


def test_long_texts_are_split_between_lines() -> None:
    text = "\n".join(f"line {number} " + "x" * 60 for number in range(100))
    parts = webhook.split_text(text)
    assert all(len(part) < 3000 for part in parts)
    assert "\n".join(parts) == text
    assert webhook.split_text("x" * 7000) == ("x" * 2900, "x" * 2900, "x" * 1200)
    assert webhook.split_text("") == ("",)
    assert webhook.split_text("short") == ("short",)


def test_the_payload_is_what_slack_reads() -> None:
    message = notifier.success(DRY, recommendation="GO")
    body = webhook.payload(message, message.text, 1, 1)
    assert list(body) == ["text", "level", "meta"]
    assert body["meta"]["idempotency_key"] == message.idempotency_key
    assert body["meta"]["kind"] == "success"
    assert body["meta"]["mode"] == "dry-run"
    assert webhook.payload(message, "part", 2, 3)["meta"]["idempotency_key"] == f"{message.idempotency_key}-2"


def test_what_orders_need_a_hand_for_alerts_whatever_the_run() -> None:
    clean = notifier.success(REAL, recommendation="GO")
    assert notifier.with_alerts(clean, ()) is clean
    told = notifier.with_alerts(clean, ("CL: CONTRACT_ENDED: 2 CLH26 in the book",))
    assert (told.level, told.kind, told.meta["alerts"]) == ("alert", clean.kind, 1)
    head, alert = told.text.splitlines()
    assert head.startswith("[ALERT] ")
    assert "[OK]" not in head
    assert "CONTRACT_ENDED" in alert


REPORT = notifier.Report(
    "CONDITIONAL GO, data to 2026-02-27",
    "ES WATCH 7.30, CL ACCEPT 4.30",
    "Orders: none. Rolls, caps: none",
    "Changed since 2026-02-22: CL drift 2.10 -> 4.30",
    "3f9c21a7" * 8,
    "ctl orders",
)


def test_the_verdict_stands_first_and_the_next_command_last() -> None:
    assert notifier.success(DRY, REPORT, recommendation="CONDITIONAL GO").text.splitlines() == [
        "[OK] Portfolio run completed successfully. Gate: PASS. Mode: dry-run.",
        "CONDITIONAL GO, data to 2026-02-27",
        "ES WATCH 7.30, CL ACCEPT 4.30",
        "Orders: none. Rolls, caps: none",
        "Changed since 2026-02-22: CL drift 2.10 -> 4.30",
        "decision log 3f9c21a7",
        "next: ctl orders",
    ]


def test_a_phone_shows_twelve_lines_at_most() -> None:
    many = {f"S{number}": "x" * 1000 for number in range(500)}
    built = [
        notifier.symbol_failure(REAL, many, REPORT, recommendation="GO"),
        notifier.restated(REAL, many, REPORT, recommendation="GO"),
        notifier.gate_failure(REAL, [], list(many.values()), REPORT, recommendation="NO-GO"),
        notifier.profile_failure(REAL, list(many.values()), REPORT),
        notifier.with_alerts(notifier.success(REAL, REPORT, recommendation="GO"), list(many.values())),
        notifier.heartbeat(notifier.profile_failure(REAL, list(many.values()), REPORT), since="2026-02-15", runs=3),
    ]
    for message in built:
        lines = message.text.splitlines()
        assert len(lines) == notifier.MOST_LINES == 12 or message is built[-1]
        assert lines[-1] == "next: ctl orders"
        assert all(len(line) <= 240 for line in lines)
    assert "and 496 more" in built[0].text


def test_a_heartbeat_keeps_the_verdict_first_and_never_falls_below_warn() -> None:
    alert = notifier.gate_failure(
        REAL, [notifier.GateLine("PL", "WATCH", "REJECT", "palladium")], recommendation="NO-GO"
    )
    beat = notifier.heartbeat(alert, since="2026-02-15", runs=3)
    assert beat.text.splitlines() == [
        "[WARN] Portfolio run aborted. Gate: MISMATCH. Mode: real.",
        "Unchanged since 2026-02-15, run 3 in a row",
        "PL: expected WATCH, actual REJECT (palladium)",
    ]
    assert (beat.level, beat.meta["unchanged_since"], beat.meta["runs"]) == ("warn", "2026-02-15", 3)
    assert beat.idempotency_key != alert.idempotency_key
