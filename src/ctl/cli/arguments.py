"""Argument values that need more than the parser knows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from ctl.errors import UsageError, one_of


def day(text: str | None, option: str = "--as-of") -> date | None:
    """A session given as YYYY-MM-DD. Raises UsageError for anything else."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} is no date", found=repr(text), expected="YYYY-MM-DD") from None


def require_mappings(*names: str | None) -> None:
    """Raise UsageError for what is neither a packaged mapping nor a TOML file."""
    from ctl.ingest.mapping import PACKAGED

    for name in names:
        if name is not None and name not in PACKAGED and not name.lower().endswith(".toml"):
            expected = f"{one_of(name, PACKAGED)}, or a TOML file"
            raise UsageError("no packaged mapping of this name", found=name, expected=expected)


def require_strategies(names: Sequence[str]) -> None:
    """Raise UsageError for a strategy that is not installed."""
    from ctl.strategy import registry

    for name in names:
        if name not in registry.installed():
            raise UsageError("no such strategy", found=name, expected=one_of(name, registry.installed()))


def parameters(words: Sequence[str]) -> dict[str, str]:
    """`NAME=VALUE` words by name. Raises UsageError for another form and for a name that comes twice."""
    overrides: dict[str, str] = {}
    for item in words:
        name, separator, value = item.partition("=")
        if not separator or not name.strip():
            raise UsageError("--param needs NAME=VALUE", found=repr(item), expected="e.g. slope_threshold=6")
        if name.strip() in overrides:
            raise UsageError("--param names a parameter twice", found=name.strip())
        overrides[name.strip()] = value.strip()
    return overrides
