"""What a command says under `--json` where it ends in an error instead of its own document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ctl.errors import CtlError


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The one document of a command that failed. code: the machine-readable reason; message: one line.

    where, found, expected, remedy: parts of the message, null where it has none. problems: of a file that people edit,
    everything that is wrong with it.
    """

    kind: Literal["error"] = "error"
    schema_version: Literal[1] = 1
    code: str
    message: str
    exit_code: int
    where: str | None = None
    found: str | None = None
    expected: str | None = None
    remedy: str | None = None
    problems: tuple[str, ...] = ()

    @classmethod
    def of(cls, error: CtlError) -> Failure:
        """The document of an error."""
        return cls(
            code=error.code,
            message=str(error),
            exit_code=error.exit_code,
            where=error.where,
            found=error.found,
            expected=error.expected,
            remedy=error.remedy,
            problems=error.problems,
        )
