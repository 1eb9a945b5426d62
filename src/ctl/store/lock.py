"""One run at a time per workspace: an operating-system lock that dies with its process."""

from __future__ import annotations

import json
import os
import socket
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from ctl.errors import BusyError, WorkspaceError


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a workspace: as it wrote itself into the lock file; None where that could not be read."""

    pid: int | None
    host: str | None
    since: str | None
    purpose: str | None

    @property
    def text(self) -> str:
        """`ctl ops, process 123 on host, since 2026-03-02T05:00:00Z`."""
        who = f"process {self.pid} on {self.host}" if self.pid is not None else "an unknown process"
        return f"{self.purpose + ', ' if self.purpose else ''}{who}, since {self.since or 'an unknown time'}"


class RunLock:
    """A context manager that holds the lock file at `path` or raises BusyError saying who does.

    The lock is flock(2): the system releases it when the process ends, however it ends; the file
    itself stays and says nothing on its own. instant: the command's reading of the clock, aware UTC.
    """

    def __init__(self, path: Path, *, instant: datetime, purpose: str) -> None:
        self._path = path
        self._holder = Holder(os.getpid(), socket.gethostname(), instant.isoformat(timespec="seconds"), purpose)
        self._handle: int | None = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()

    def acquire(self) -> None:
        """Take the lock. Raises BusyError if another run holds it, WorkspaceError if the file is unusable."""
        import fcntl

        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise WorkspaceError(
                "the run lock cannot be opened",
                where=str(self._path),
                found=error.strerror or type(error).__name__,
                remedy="mend the permissions of the workspace",
            ) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _read_holder(handle)
            os.close(handle)
            raise BusyError(
                f"another run holds the workspace: {holder.text}",
                where=str(self._path),
                remedy="wait for it to end, then run again",
            ) from None
        except OSError as error:
            os.close(handle)
            raise WorkspaceError(
                "the file system does not lock",
                where=str(self._path),
                found=error.strerror or type(error).__name__,
                remedy="keep the workspace on a local disk",
            ) from error
        self._handle = handle
        # Saying who holds it may fail, which is no failure of the lock: the next run reads `unknown`.
        with suppress(OSError):
            os.ftruncate(handle, 0)
            os.pwrite(handle, json.dumps(asdict(self._holder)).encode() + b"\n", 0)

    def release(self) -> None:
        """Give the lock back; without effect if it is not held."""
        if self._handle is None:
            return
        handle, self._handle = self._handle, None
        try:
            os.ftruncate(handle, 0)
        except OSError:
            pass  # what the file says does not matter: the lock itself goes with the handle
        finally:
            os.close(handle)


def holder(path: Path) -> Holder | None:
    """Who holds the lock file now; None where nobody does, or that cannot be told."""
    import fcntl

    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_holder(handle)
    except OSError:
        return None
    finally:
        os.close(handle)
    return None


def _read_holder(handle: int) -> Holder:
    try:
        found = json.loads(os.pread(handle, 4096, 0))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        return Holder(None, None, None, None)
    pid = found.get("pid")
    return Holder(
        pid if isinstance(pid, int) else None, *(_text(found.get(key)) for key in ("host", "since", "purpose"))
    )


def _text(value: object) -> str | None:
    return " ".join(value.split())[:200] if isinstance(value, str) else None
