"""Messages survive in the outbox until they are delivered or refused for good."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ctl import ops_notifier as notifier
from ctl.ops import outbox

INSTANT = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)


def message(days: int = 0) -> notifier.Message:
    occasion = notifier.Occasion("cutover_v1", INSTANT + timedelta(days=days), dry_run=False)
    return notifier.success(occasion, recommendation="GO")


def result(item: notifier.Message, *, delivered: bool = False, permanent: bool = False) -> notifier.DeliveryResult:
    return notifier.DeliveryResult(
        "webhook", item.level, item.text, delivered, 2, "h#0", None, item.idempotency_key, permanent
    )


def waiting(folder: Path) -> list[str]:
    """The timestamps of the messages that wait, in the order in which they will be sent."""
    return [json.loads((folder / name).read_bytes())["meta"]["timestamp"] for name in outbox.names(folder)]


def deliver(item: notifier.Message, _: frozenset[str] = frozenset()) -> notifier.DeliveryResult:
    return result(item, delivered=True)


def test_a_message_waits_with_its_key_and_attempts(tmp_path: Path) -> None:
    put = outbox.put(tmp_path, message(), instant=INSTANT)
    outbox.settle(put, result(message()))
    assert json.loads(put.path.read_bytes())["attempts"] == 2
    sent: list[notifier.Message] = []
    outbox.resend(tmp_path, lambda item, _: sent.append(item) or deliver(item))  # type: ignore[func-returns-value]
    assert sent == [message()]
    assert sent[0].idempotency_key == message().idempotency_key


@pytest.mark.parametrize("end", ["delivered", "permanent"])
def test_a_settled_message_is_gone(tmp_path: Path, end: str) -> None:
    waiting = outbox.put(tmp_path, message(), instant=INSTANT)
    outbox.settle(waiting, result(message(), **{end: True}))
    assert list(tmp_path.iterdir()) == []
    outbox.settle(waiting, result(message(), delivered=True))


def test_the_oldest_goes_first_and_a_passing_failure_ends_the_round(tmp_path: Path) -> None:
    for day in range(4):
        outbox.put(tmp_path, message(day), instant=INSTANT + timedelta(days=day))
    sent: list[str] = []

    def send(item: notifier.Message, _: frozenset[str]) -> notifier.DeliveryResult:
        sent.append(item.meta["timestamp"])
        return result(item, delivered=len(sent) == 1, permanent=len(sent) == 2)

    found = outbox.resend(tmp_path, send)
    assert sent == ["2026-03-02T05:00:00Z", "2026-03-03T05:00:00Z", "2026-03-04T05:00:00Z"]
    assert waiting(tmp_path) == ["2026-03-04T05:00:00Z", "2026-03-05T05:00:00Z"]
    assert (len(found.results), found.left) == (3, 2)


def test_one_run_sends_a_bounded_number_and_says_how_many_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for day in range(outbox.MOST_PER_RUN + 3):
        outbox.put(tmp_path, message(day), instant=INSTANT + timedelta(days=day))
    found = outbox.resend(tmp_path, deliver)
    assert (len(found.results), found.left, len(waiting(tmp_path))) == (outbox.MOST_PER_RUN, 3, 3)
    monkeypatch.setattr(outbox, "MOST_SECONDS", -1.0)
    assert outbox.resend(tmp_path, deliver) == outbox.Resent((), 3, ())


def test_nothing_is_dropped_for_its_age_and_what_cannot_be_read_is_put_aside_and_said(tmp_path: Path) -> None:
    old = outbox.put(tmp_path, message(), instant=INSTANT - timedelta(days=4000))
    broken = tmp_path / f"20260302_050000_{'0' * 32}.json"
    broken.write_bytes(b'{"created": "yesterday"')
    naive = tmp_path / f"20260302_050001_{'1' * 32}.json"
    naive.write_bytes(old.path.read_bytes().replace(b"+00:00", b""))
    stranger = tmp_path / "readme.txt"
    stranger.write_bytes(b"")
    found = outbox.resend(tmp_path, deliver)
    assert [item.delivered for item in found.results] == [True]
    assert found.left == 0
    assert len(found.problems) == 2
    assert f"{broken}.damaged" in found.problems[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"{broken.name}.damaged",
        f"{naive.name}.damaged",
        stranger.name,
    ]


def test_a_destination_that_has_had_a_message_is_not_sent_it_again(tmp_path: Path) -> None:
    put = outbox.put(tmp_path, message(), instant=INSTANT)
    outbox.settle(put, replace(result(message()), served=("mailto#1",)))
    seen: list[frozenset[str]] = []

    def send(item: notifier.Message, served: frozenset[str]) -> notifier.DeliveryResult:
        seen.append(served)
        return replace(result(item), served=("h#0",))

    outbox.resend(tmp_path, send)
    outbox.resend(tmp_path, send)
    assert seen == [frozenset({"mailto#1"}), frozenset({"mailto#1", "h#0"})]


def test_no_outbox_is_an_empty_one(tmp_path: Path) -> None:
    assert outbox.resend(tmp_path / "absent", deliver) == outbox.Resent((), 0, ())
    (tmp_path / "link").symlink_to(tmp_path)
    assert outbox.names(tmp_path / "link") == []


def test_a_withdrawn_message_and_half_written_ones_are_gone(tmp_path: Path) -> None:
    half = tmp_path / f".20260302_050000_{'0' * 32}.json.0a1b2c3d.tmp"
    half.write_bytes(b"{")
    outbox.withdraw(outbox.put(tmp_path, message(), instant=INSTANT))
    outbox.clear(tmp_path)
    assert list(tmp_path.iterdir()) == []
