"""The only reading of the wall clock. Commands call `now()` once and pass the instant down."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """The current instant: aware, UTC."""
    return datetime.now(UTC)


def stamp(instant: datetime) -> str:
    """`YYYYMMDD_HHMMSS` of an aware instant, in UTC: the prefix of every file a run leaves behind."""
    return _utc(instant).strftime("%Y%m%d_%H%M%S")


def iso(instant: datetime) -> str:
    """ISO-8601 of an aware instant in UTC to the second, ending in `Z`."""
    return _utc(instant).strftime("%Y-%m-%dT%H:%M:%SZ")


def _utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError(f"a naive datetime is not an instant: {instant!r}; pass an aware UTC datetime")
    return instant.astimezone(UTC)
