"""The exception tree and the exit codes of every command.

    CtlError                      exit 1   something ctl understands went wrong
    ├── InputError                exit 1   a data file cannot be read as what it should be
    ├── DataError                 exit 1   readable data that cannot support what was asked
    ├── WorkspaceError            exit 1   the workspace or its ctl.toml is missing or unusable
    ├── BusyError                 exit 1   another run holds the workspace
    ├── ProfileError              exit 2   the operating profile cannot be used: the gate refuses
    ├── GateRefused               exit 2   the gate did not pass
    ├── DecisionLogError          exit 2   the decision log is damaged: nothing is added to it
    └── UsageError                exit 64  an argument is wrong

SlotTaken is no error: a schedule slot that is not to be run here.

This module imports no sibling.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final, Self

EXIT_OK: Final = 0
EXIT_ERROR: Final = 1
EXIT_MISMATCH: Final = 2
EXIT_USAGE: Final = 64


class SlotTaken(Exception):
    """The slot is not to be run here: it has been served, or another run holds it."""


class CtlError(Exception):
    """An error that a person can act on.

    The message is one line: what happened, where, what was found, what was expected, what to do.
    `code` is the machine-readable reason. `problems`: of a file that people edit, everything that is wrong with it.
    """

    exit_code: ClassVar[int] = EXIT_ERROR
    default_code: ClassVar[str] = "ERROR"

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        found: str | None = None,
        expected: str | None = None,
        remedy: str | None = None,
        code: str | None = None,
        problems: tuple[str, ...] = (),
    ) -> None:
        self.problems = problems
        self.what = what
        self.where = where
        self.found = found
        self.expected = expected
        self.remedy = remedy
        self.code = code or self.default_code
        text = f"{where}: {what}" if where else what
        if found is not None:
            text += f"; found {found}"
        if expected is not None:
            text += f"; expected {expected}"
        if remedy is not None:
            text += f"; {remedy}"
        super().__init__(" ".join(text.split()))

    @classmethod
    def of_problems(cls, problems: tuple[str, ...]) -> Self:
        """The error that says the first of at least one problem, and how many there are."""
        more = f" (and {len(problems) - 1} more problems)" if len(problems) > 1 else ""
        return cls(f"{problems[0]}{more}", problems=problems)


class InputError(CtlError):
    """A data file cannot be read: nothing of it is used."""

    default_code: ClassVar[str] = "INPUT_UNREADABLE"


class DataError(CtlError):
    """The data were read but cannot support what was asked of them."""

    default_code: ClassVar[str] = "DATA_UNFIT"


class WorkspaceError(CtlError):
    """No workspace here, or its ctl.toml cannot be used."""

    default_code: ClassVar[str] = "WORKSPACE_UNUSABLE"


class BusyError(CtlError):
    """Another run holds the workspace."""

    default_code: ClassVar[str] = "WORKSPACE_BUSY"


class ProfileError(CtlError):
    """The operating profile is missing or invalid."""

    exit_code: ClassVar[int] = EXIT_MISMATCH
    default_code: ClassVar[str] = "PROFILE_INVALID"


class GateRefused(CtlError):
    """The gate did not pass; nothing may run."""

    exit_code: ClassVar[int] = EXIT_MISMATCH
    default_code: ClassVar[str] = "GATE_MISMATCH"


class DecisionLogError(CtlError):
    """The decision log is not what was appended to it."""

    exit_code: ClassVar[int] = EXIT_MISMATCH
    default_code: ClassVar[str] = "DECISION_LOG_BROKEN"


class UsageError(CtlError):
    """An argument is wrong."""

    exit_code: ClassVar[int] = EXIT_USAGE
    default_code: ClassVar[str] = "USAGE"


_WHOLE_LIST: Final = 24


def one_of(found: str, known: Iterable[str]) -> str:
    """`one of A, B, C; nearest B` as what was expected instead of `found`; of a long list its nearest names alone."""
    from difflib import get_close_matches

    names = list(known)
    by_lower = {name.lower(): name for name in names}
    near = ", ".join(by_lower[name] for name in get_close_matches(found.lower(), by_lower, n=3, cutoff=0.5))
    if near and len(names) > _WHOLE_LIST:
        return f"one of {len(names)}; nearest {near}"
    return f"one of {', '.join(names)}" + (f"; nearest {near}" if near else "")
