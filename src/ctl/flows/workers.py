"""Where the work on many symbols is done: here, in further processes of this machine, or on a Dask cluster.

Work and items are values that can be pickled, and results come in the order of the items, so that what is made of them
is the same wherever it was done. A process or worker that dies loses nothing: its items are done again.
"""

from __future__ import annotations

import gc
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from logging import ERROR
from typing import Any, Final, TypeVar

from ctl import stopping
from ctl.errors import UsageError

WORTH_IT: Final = 40
"""Symbols from which on further processes save more than the second and a half that each takes to start."""

_TASKS: Final = 8
"""Tasks that each process gets, so that none waits long for the last one."""

_LOCAL: Final = "local:"

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Workers:
    """How work is spread. jobs: processes of this machine; None: its cores where the work is worth it. cluster:
    `local:N` or the address of a Dask scheduler whose workers see the same files.
    """

    jobs: int | None = None
    cluster: str | None = None
    _open: ExitStack = field(default_factory=ExitStack, repr=False, compare=False)
    _made: list[Any] = field(default_factory=list, repr=False, compare=False)

    @property
    def here(self) -> bool:
        """Whether nothing else was asked for than this process."""
        return self.cluster is None and self.jobs in (None, 1)

    def each(self, work: Callable[[T], R], items: Sequence[T], *, least: int = 1) -> Iterator[R]:
        """`work` of every item, in their order; raises what it raises.

        least: items a task holds at least, so that it takes 80 ms or more.
        """
        count = self._count(len(items))
        if count == 0 or (count == 1 and self.cluster is None):
            for item in items:
                yield work(item)
                stopping.check()
            return
        size = max(least, -(-len(items) // (_TASKS * count)))
        batches = [items[at : at + size] for at in range(0, len(items), size)]
        submit = self._submit(count)
        lost = _lost(self.cluster)
        waiting = deque(submit(_done, work, batch) for batch in batches)
        try:
            for batch in batches:
                try:
                    made = waiting.popleft().result()
                except lost:
                    made = _done(work, batch)
                yield from made
                stopping.check()
        finally:
            for future in waiting:
                future.cancel()

    def _count(self, items: int) -> int:
        if self.cluster is not None:
            return items and (_local(self.cluster) or 2)
        if self.jobs is not None:
            return min(self.jobs, items)
        return min(_cores(), items) if items >= WORTH_IT else 1

    def _submit(self, count: int) -> Callable[..., Any]:
        """What hands a task over; the processes or the cluster are started once."""
        if not self._made:
            self._made.append(_cluster(self.cluster, self._open) if self.cluster else _processes(count, self._open))
        return self._made[0]  # type: ignore[no-any-return]


HERE: Final = Workers(jobs=1)
"""Everything in this process."""


@contextmanager
def opened(jobs: int | None = None, cluster: str | None = None) -> Iterator[Workers]:
    """Workers for the time of the block. Raises UsageError for a cluster that cannot be used."""
    if cluster is not None and cluster.startswith(_LOCAL):
        _local(cluster)
    with ExitStack() as stack:
        yield Workers(jobs, cluster, stack)


def _done(work: Callable[[T], R], batch: Sequence[T]) -> list[R]:
    return [work(item) for item in batch]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _begin(collections: tuple[int, int, int]) -> None:
    """One thread each, garbage collected as rarely as where it was started (`collections`), and no answer to the
    interrupt that a terminal sends to all: the command ends them.
    """
    os.environ["POLARS_MAX_THREADS"] = "1"
    gc.set_threshold(*collections)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _processes(count: int, stack: ExitStack) -> Callable[..., Any]:
    from multiprocessing import get_context

    # Never fork: polars has threads by then.
    pool = ProcessPoolExecutor(
        count, mp_context=get_context("spawn"), initializer=_begin, initargs=(gc.get_threshold(),)
    )
    stack.callback(pool.shutdown, wait=True, cancel_futures=True)

    def submit(*task: Any) -> Any:
        try:
            return pool.submit(*task)
        except BrokenProcessPool as error:
            return _Broken(error)

    return submit


@dataclass(frozen=True)
class _Broken:
    """A task that could not be handed over."""

    error: BaseException

    def result(self) -> Any:
        raise self.error

    def cancel(self) -> None:
        """There is nothing to cancel."""


def _cluster(address: str, stack: ExitStack) -> Callable[..., Any]:
    try:
        dask = import_module("distributed")
    except ImportError as error:
        raise UsageError("--cluster needs Dask", remedy="install ctl with its extra `cluster`") from error
    count = _local(address)
    if count is None:
        try:
            client = stack.enter_context(dask.Client(address, timeout=10))
        except (OSError, ValueError) as error:
            raise UsageError(
                "--cluster: no scheduler answers", found=address, expected="local:N or tcp://HOST:PORT"
            ) from error
    else:
        cluster = dask.LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard": False},
            silence_logs=ERROR,
        )
        client = stack.enter_context(dask.Client(stack.enter_context(cluster)))
    return lambda *task: client.submit(*task, pure=False)


def _local(address: str) -> int | None:
    """N of `local:N`; None for an address. Raises UsageError for an N that is no number above 0."""
    if not address.startswith(_LOCAL):
        return None
    text = address.removeprefix(_LOCAL)
    if not text.isdecimal() or not 0 < int(text) <= 1024:
        raise UsageError("--cluster local:N starts N workers here", found=address, expected="N from 1 to 1024")
    return int(text)


def _lost(cluster: str | None) -> tuple[type[BaseException], ...]:
    """What says that a task was lost, and not that it failed."""
    if cluster is None:
        return (BrokenProcessPool,)
    dask = import_module("distributed")
    return (dask.KilledWorker, dask.CancelledError)
