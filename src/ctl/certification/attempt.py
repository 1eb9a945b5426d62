"""The one place where certification catches what its own work raises."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ctl import stopping
from ctl.errors import CtlError
from ctl.model.findings import NotRun

Result = TypeVar("Result")


def attempt(work: Callable[[], Result]) -> Result | NotRun:
    """Do a piece of work; what it raises becomes a value that says so: it may not read as a pass or stop the rest."""
    try:
        return work()
    except CtlError as error:
        return NotRun(str(error), failed=True, code=error.code)
    except Exception as error:  # noqa: BLE001  # whatever a layer raises is that layer's ERROR
        stopping.check()  # but for what foreign code has made of a signal
        return NotRun(f"{type(error).__name__}: {error}", failed=True)
