"""Argument values that need more than the parser knows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

from ctl.errors import UsageError, one_of

_FIRST_YEAR: Final = 1800
_LAST_YEAR: Final = 2199


def day(text: str | None, option: str = "--as-of") -> date | None:
    """A session given as YYYY-MM-DD. Raises UsageError for anything else, and where no bar can be."""
    if text is None:
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} is no date", found=repr(text), expected="YYYY-MM-DD") from None
    if not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise UsageError(f"{option} is no session", found=text, expected=f"a year from {_FIRST_YEAR} to {_LAST_YEAR}")
    return found


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


def named_values(words: Sequence[str], option: str, example: str) -> dict[str, str]:
    """`KEY=VALUE` words of an option by key. Raises UsageError for another form and for a key that comes twice."""
    values: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        key = key.strip()
        if not (key and equals) or key in values:
            raise UsageError(f"{option} takes KEY=VALUE, each key once", found=word, expected=f"such as {example}")
        values[key] = value.strip()
    return values


def parameters(words: Sequence[str]) -> dict[str, str]:
    """The words of `--param`."""
    return named_values(words, "--param", "slope_threshold=6")


def settings(words: Sequence[str]) -> dict[str, str]:
    """The words of `--set`."""
    return named_values(words, "--set", "ratchet=0.3")
