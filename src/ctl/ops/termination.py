"""SIGTERM ends a run cleanly: the work stops where it is, and what must be written still is."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

EXIT_TERMINATED: Final = 128 + signal.SIGTERM


class Terminated(BaseException):
    """The process was asked to end. Not an Exception: no handler of one symbol's errors may swallow it."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Within the block SIGTERM raises Terminated, once; further signals are left unanswered.

    After the block a signal that came too late to stop anything has been ignored and the former handler
    is back. Without effect outside the main thread, where Python delivers no signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signal: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Terminated

    former = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Within the block SIGTERM waits: for the few writes that finish a record. Main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)
