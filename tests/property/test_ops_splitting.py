"""Texts split for a webhook lose nothing, and no text shows a secret."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ctl import ops_notifier as notifier
from ctl.channels import webhook


@given(st.text(alphabet="ab \n", max_size=400), st.integers(1, 50))
def test_parts_are_short_and_lose_nothing_but_line_ends_at_cuts(text: str, limit: int) -> None:
    parts = webhook.split_text(text, limit)
    assert parts
    assert all(len(part) <= limit for part in parts)
    assert "".join(parts).replace("\n", "") == text.replace("\n", "")
    assert all(parts) or not text.strip("\n")


@given(
    st.text(max_size=60),
    st.text(alphabet="abcdefgh0123456789", min_size=12, max_size=30),
    st.text(max_size=60),
)
def test_no_part_of_a_secret_survives_redaction(before: str, secret: str, after: str) -> None:
    url = f"https://hooks.example.com/services/{secret}"
    text = f"{before}{url}{after} and /services/{secret} and {secret}"
    assert secret not in notifier.redact(text, [url])
    assert secret not in notifier.shown_target(url)


@given(st.text(max_size=80))
def test_a_target_can_be_shown_for_any_text(url: str) -> None:
    shown = notifier.shown_target(url)
    assert shown.count("#") == 1
    assert "/" not in shown
    assert "@" not in shown
