"""Names that become parts of paths: symbols, cycles, vendors."""

from __future__ import annotations

import re
from typing import Final

SAFE_NAME_TEXT: Final = "letters, digits, '.', '_' or '-', starting with a letter or digit, at most 64 characters"

_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def is_safe_name(name: str) -> bool:
    """Whether `name` can stand as one component of a path without leading anywhere else."""
    return _SAFE_NAME.fullmatch(name) is not None
