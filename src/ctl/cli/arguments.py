"""Argument values that need more than the parser knows."""

from __future__ import annotations

from datetime import date

from ctl.errors import UsageError


def day(text: str | None, option: str = "--as-of") -> date | None:
    """A session given as YYYY-MM-DD. Raises UsageError for anything else."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} is no date", found=repr(text), expected="YYYY-MM-DD") from None
