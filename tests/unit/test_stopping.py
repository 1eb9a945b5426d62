"""A signal is raised once, noted for good, and never lost between."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from ctl import stopping
from ctl.certification.attempt import attempt
from ctl.errors import InputError
from ctl.ingest.guard import decoding
from ctl.stopping import Stopped


def kill(number: signal.Signals = signal.SIGTERM) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_each_signal_is_raised_with_its_exit_code_and_the_handlers_come_back(number: signal.Signals, code: int) -> None:
    before = [signal.getsignal(item) for item in stopping.SIGNALS]
    with pytest.raises(Stopped) as stop, stopping.stoppable(), stopping.stoppable():
        kill(number)
    assert (stop.value.exit_code, str(stop.value)) == (code, f"stopped by {number.name}")
    assert [signal.getsignal(item) for item in stopping.SIGNALS] == before
    assert stopping.asked() is None


def test_what_is_swallowed_is_raised_again_and_a_second_signal_is_not() -> None:
    with stopping.stoppable():
        with pytest.raises(Stopped):
            kill()
        kill(signal.SIGINT)
        for _ in range(2):
            with pytest.raises(Stopped, match="SIGTERM"):
                stopping.check()


def test_held_signals_are_noted_and_raised_after_the_release() -> None:
    with stopping.stoppable():
        stopping.hold()
        kill()
        stopping.check()
        assert stopping.asked() is not None
        stopping.release()
        with pytest.raises(Stopped):
            stopping.check()


def test_after_the_end_signals_change_nothing() -> None:
    with stopping.stoppable():
        stopping.ignore()
        kill()
        kill(signal.SIGHUP)
        assert stopping.asked() is None


def test_other_threads_are_left_alone() -> None:
    found: list[object] = []

    def work() -> None:
        with stopping.stoppable():
            found.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [before]


class Panic(BaseException):
    """What a Rust decoder raises."""


Panic.__module__ = "pyo3_runtime"


def test_a_decoder_turns_its_own_failures_into_findings_and_no_stop() -> None:
    for failure in (ValueError("bad"), Panic("bad")):
        with pytest.raises(InputError, match="damaged content; found bad"), decoding("file"):
            raise failure
    with pytest.raises(SystemExit), decoding("file"):
        raise SystemExit
    with stopping.stoppable():
        with pytest.raises(Stopped), decoding("file"):
            kill()
        with pytest.raises(Stopped), decoding("file"):
            raise ValueError("what a decoder has made of the signal")


def test_a_layer_turns_its_own_failures_into_findings_and_no_stop() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    assert getattr(attempt(fail), "failed", False)
    with stopping.stoppable():
        with pytest.raises(Stopped):
            attempt(kill)
        with pytest.raises(Stopped):
            attempt(fail)
