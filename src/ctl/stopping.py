"""How SIGTERM, SIGINT and SIGHUP end a command: the first of them raises Stopped wherever the main thread is.

What is raised inside foreign code may be swallowed there, so the signal is noted as well, and `check` raises it again:
after everything that catches broadly, and before anything is put on record. Signals are the process's, and so is this.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
CODE: Final = "RUN_STOPPED"


class Stopped(BaseException):
    """The process was asked to end. Not an Exception: no handler of one symbol's errors may swallow it."""

    def __init__(self, by: signal.Signals) -> None:
        self.by = by
        super().__init__(f"stopped by {by.name}")

    @property
    def exit_code(self) -> int:
        """128 and the signal's number."""
        return 128 + self.by


@dataclass(slots=True)
class _State:
    """The first signal that came, and whether signals are only noted."""

    asked: signal.Signals | None = None
    holding: bool = False


_state = _State()


@contextmanager
def stoppable() -> Iterator[None]:
    """Within the block a signal raises Stopped, once; the outermost block's end brings the former handlers back.

    A signal that was ignored before stays ignored (nohup, a shell's background job). Without effect outside the main
    thread, where Python delivers no signals, and inside another such block.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(SIGNALS[0]) is _answer:
        yield
        return
    _state.asked, _state.holding = None, False
    former = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        for number, handler in former.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, _answer)
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
        _state.asked, _state.holding = None, False


def check() -> None:
    """Raise Stopped where a signal has come, also one that was swallowed. Not while signals are held."""
    if _state.asked is not None and not _state.holding:
        raise Stopped(_state.asked)


def hold() -> None:
    """From here to `release` a signal is only noted: for what must not be torn apart."""
    _state.holding = True


def release() -> None:
    """The end of `hold`. Raises nothing: call `check` where the work can be left."""
    _state.holding = False


def asked() -> Stopped | None:
    """What a signal has asked, held or not; None where none has come."""
    return None if _state.asked is None else Stopped(_state.asked)


def ignore() -> None:
    """The end is on record: what comes from here on changes nothing any more."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(SIGNALS[0]) is _answer:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)


def _answer(number: int, _frame: FrameType | None) -> None:
    if _state.asked is not None:
        return
    _state.asked = signal.Signals(number)
    if not _state.holding:
        raise Stopped(_state.asked)
