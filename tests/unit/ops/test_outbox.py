"""Messages survive in the outbox until they are delivered, refused for good, or too old."""

from __future__ import annotations

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


def test_a_message_waits_with_its_key_and_attempts(tmp_path: Path) -> None:
    waiting = outbox.put(tmp_path, message(), instant=INSTANT)
    (found,) = outbox.pending(tmp_path, instant=INSTANT)
    assert found.message == message()
    assert found.message.idempotency_key == message().idempotency_key
    outbox.settle(waiting, result(message()))
    (found,) = outbox.pending(tmp_path, instant=INSTANT)
    assert found.attempts == 2


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

    def send(item: notifier.Message) -> notifier.DeliveryResult:
        sent.append(item.meta["timestamp"])
        return result(item, delivered=len(sent) == 1, permanent=len(sent) == 2)

    outbox.resend(tmp_path, send, instant=INSTANT + timedelta(days=4))
    assert sent == ["2026-03-02T05:00:00Z", "2026-03-03T05:00:00Z", "2026-03-04T05:00:00Z"]
    left = [item.message.meta["timestamp"] for item in outbox.pending(tmp_path, instant=INSTANT + timedelta(days=4))]
    assert left == ["2026-03-04T05:00:00Z", "2026-03-05T05:00:00Z"]


def test_one_run_sends_a_bounded_number(tmp_path: Path) -> None:
    for day in range(8):
        outbox.put(tmp_path, message(day), instant=INSTANT + timedelta(days=day))
    sent = outbox.resend(tmp_path, lambda item: result(item, delivered=True), instant=INSTANT + timedelta(days=8))
    assert len(sent) == 5
    assert len(outbox.pending(tmp_path, instant=INSTANT + timedelta(days=8))) == 3


def test_old_and_unreadable_messages_are_dropped_and_strangers_left(tmp_path: Path) -> None:
    old = outbox.put(tmp_path, message(), instant=INSTANT)
    broken = tmp_path / f"20260302_050000_{'0' * 32}.json"
    broken.write_bytes(b'{"created": "yesterday"')
    naive = tmp_path / f"20260302_050001_{'1' * 32}.json"
    naive.write_bytes(old.path.read_bytes().replace(b"+00:00", b""))
    stranger = tmp_path / "readme.txt"
    stranger.write_bytes(b"")
    link = tmp_path / f"20260302_050002_{'2' * 32}.json"
    link.symlink_to(stranger)
    assert outbox.pending(tmp_path, instant=INSTANT + timedelta(days=14, seconds=1)) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([stranger.name, link.name])


def test_no_outbox_is_an_empty_one(tmp_path: Path) -> None:
    assert outbox.pending(tmp_path / "absent", instant=INSTANT) == []
    (tmp_path / "link").symlink_to(tmp_path)
    assert outbox.pending(tmp_path / "link", instant=INSTANT) == []


def test_a_withdrawn_message_and_half_written_ones_are_gone(tmp_path: Path) -> None:
    half = tmp_path / f".20260302_050000_{'0' * 32}.json.0a1b2c3d.tmp"
    half.write_bytes(b"{")
    outbox.withdraw(outbox.put(tmp_path, message(), instant=INSTANT))
    assert outbox.pending(tmp_path, instant=INSTANT) == []
    assert list(tmp_path.iterdir()) == []
