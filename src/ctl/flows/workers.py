"""Where the work on many symbols is done: here, in further processes of this machine, or on a Dask cluster.

Work and items are values that can be pickled, and results come in the order of the items, so that what is made of them
is the same wherever it was done. A process or worker that dies loses nothing: its items are done again. Whatever kills
the command ends the processes that it started.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from logging import CRITICAL, getLogger
from multiprocessing import resource_tracker
from pathlib import Path
from threading import Thread
from time import perf_counter
from typing import Any, Final, TypeVar

from ctl import digests, stopping
from ctl.errors import UsageError
from ctl.store.workspace import FILE_NAME

WORTH_IT: Final = 40
"""Symbols from which on further processes save more than the second and a half that each takes to start."""

_TASKS: Final = 8
"""Tasks that each process gets, so that none waits long for the last one."""

_TRIED: Final = 9
"""Items that are done here before processes are started for the others."""

_SHORT: Final = 4.0
"""Seconds of work for which none are started."""

_LOCAL: Final = "local:"

_PATIENCE: Final = 5.0
"""Seconds until a scheduler or a worker must have answered."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Workers:
    """How work is spread. jobs: processes of this machine; None: its cores where the work is worth it. cluster:
    `local:N` or the address of a Dask scheduler, whose workers must see the workspace `root` as it is here.
    """

    jobs: int | None = None
    cluster: str | None = None
    root: Path | None = None
    _open: ExitStack = field(default_factory=ExitStack, repr=False, compare=False)
    _made: list[Callable[..., Any]] = field(default_factory=list, repr=False, compare=False)

    @property
    def here(self) -> bool:
        """Whether nothing else was asked for than this process."""
        return self.cluster is None and self.jobs in (None, 1)

    @property
    def asked(self) -> bool:
        """Whether processes or a cluster were asked for, and not left to the number of items."""
        return self.cluster is not None or self.jobs not in (None, 1)

    def each(self, work: Callable[[T], R], items: Sequence[T], *, least: int = 1) -> Iterator[R]:
        """`work` of every item, in their order; raises what it raises.

        least: items a task holds at least, so that it takes 80 ms or more.
        """
        count = self._count(len(items))
        if count > 1 and self.cluster is None and self.jobs is None and not self._made:
            # What an earlier command has done mostly takes less time than processes to start.
            began = 0.0
            for number, item in enumerate(items[:_TRIED]):
                began = began or (perf_counter() if number else 0.0)  # the first one loads code
                yield work(item)
                stopping.check()
            items = items[_TRIED:]
            if (perf_counter() - began) / (_TRIED - 1) * len(items) < _SHORT:
                count = 1
        if count == 0 or (count == 1 and self.cluster is None):
            for item in items:
                yield work(item)
                stopping.check()
            return
        size = max(least, -(-len(items) // (_TASKS * count)))
        batches = [items[at : at + size] for at in range(0, len(items), size)]
        with _held(signal.SIGINT):
            submit = self._submit(count)
            waiting = deque(submit(work, batch) for batch in batches)
        try:
            stopping.check()
            for batch in batches:
                try:
                    made = waiting.popleft().result()
                except _LOST:
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
            started = _processes(count) if self.cluster is None else _cluster(self.cluster, self.root)
            self._made.append(self._open.enter_context(started))
        return self._made[0]


HERE: Final = Workers(jobs=1)
"""Everything in this process."""


@contextmanager
def opened(jobs: int | None = None, cluster: str | None = None, root: Path | None = None) -> Iterator[Workers]:
    """Workers for the time of the block, as `Workers` has it. Raises UsageError for a cluster that cannot be used."""
    if cluster is not None:
        _local(cluster)
        if jobs is not None:
            raise UsageError("--jobs and --cluster exclude each other", remedy="give one of them")
    with ExitStack() as stack:
        yield Workers(jobs, cluster, root, stack)


@contextmanager
def _held(number: signal.Signals) -> Iterator[None]:
    """A signal waits for the end of the block, and processes that are started in it never see it: the interrupt that a
    terminal sends to all is the command's, which ends them.
    """
    resource_tracker.ensure_running()  # which lets signals through when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _done(work: Callable[[T], R], batch: Sequence[T]) -> list[R]:
    return [work(item) for item in batch]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# ---------------------------------------------------------------- processes


def _begin(collections: tuple[int, int, int]) -> None:
    """One thread each, garbage collected as rarely as where it was started (`collections`), and an end with it."""
    os.environ["POLARS_MAX_THREADS"] = "1"
    gc.set_threshold(*collections)
    Thread(target=_end_with_command, daemon=True).start()


def _end_with_command() -> None:
    command = multiprocessing.parent_process()
    if command is not None:
        command.join()
        os._exit(1)


@contextmanager
def _processes(count: int) -> Iterator[Callable[..., Any]]:
    # Never fork: polars has threads by then.
    pool = ProcessPoolExecutor(
        count,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(gc.get_threshold(),),
    )

    def submit(*task: Any) -> Any:
        try:
            return pool.submit(_done, *task)
        except BrokenProcessPool:
            return _NEVER

    try:
        yield submit
    except BaseException:  # nobody waits for what they are at
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class _Lost(Exception):
    """Nobody is left to do a task."""


_LOST: Final = (_Lost, BrokenProcessPool)


class _Never:
    """A task that could not be handed over."""

    def result(self) -> Any:
        raise _Lost

    def cancel(self) -> None:
        """There is nothing to cancel."""


_NEVER: Final = _Never()


# ---------------------------------------------------------------- Dask


@contextmanager
def _cluster(address: str, root: Path | None) -> Iterator[Callable[..., Any]]:
    from ctl.flows.bar_cache import package_version

    try:
        dask = import_module("distributed")
    except ImportError as error:
        raise UsageError("--cluster needs Dask", remedy='pip install "ctl-cutover[cluster]"') from error
    with ExitStack() as stack:
        count = _local(address)
        if count is None:
            client = stack.enter_context(_connected(dask, address))
        else:
            cluster = dask.LocalCluster(
                n_workers=count,
                threads_per_worker=1,
                processes=True,
                dashboard_address="127.0.0.1:0",
                scheduler_kwargs={"dashboard": False},
                silence_logs=CRITICAL,
            )
            client = stack.enter_context(dask.Client(stack.enter_context(cluster)))
        shared = root and root / FILE_NAME
        same = package_version(), shared, None if shared is None else digests.sha256_file(shared)
        yield lambda *task: _Task(client.submit(_done_there, same, *task, pure=False), client, dask)


def _connected(dask: Any, address: str) -> Any:
    """A client of the scheduler at `address`, which has workers, of the same versions as here."""

    async def answers() -> None:
        terms = dask.Security().get_connection_args("client")
        # Dask itself waits for ever for the greeting of a server of another kind.
        found = await asyncio.wait_for(
            import_module("distributed.comm").connect(address, _PATIENCE, **terms), _PATIENCE
        )
        await found.close()

    getLogger("distributed").setLevel(CRITICAL)  # what it has to say is in the errors
    try:
        asyncio.run(answers())
        client = dask.Client(address, timeout=_PATIENCE)
    except Exception as error:
        stopping.check()
        raise UsageError(
            "--cluster: no Dask scheduler answers", found=address, expected="local:N or tcp://HOST:PORT"
        ) from error
    try:
        client.wait_for_workers(1, timeout=_PATIENCE)
    except TimeoutError as error:
        client.close()
        raise UsageError("--cluster: the scheduler has no workers", found=address) from error
    versions = client.get_versions(packages=["ctl-cutover"])
    here = versions["client"]["packages"]
    for who, there in {"scheduler": versions["scheduler"], **versions["workers"]}.items():
        for name in ("python", "dask", "distributed", "ctl-cutover"):
            if there["packages"].get(name) != here[name]:
                client.close()
                raise UsageError(
                    "--cluster: other software than here",
                    where=str(who),
                    found=f"{name} {there['packages'].get(name)}",
                    expected=f"{name} {here[name]}",
                )
    return client


@dataclass(frozen=True)
class _Task:
    """A task handed to Dask; lost where it killed several workers, or the last worker or the scheduler is gone."""

    future: Any
    client: Any
    dask: Any

    def result(self) -> Any:
        try:
            while not self._done():
                stopping.check()
            return self.future.result()
        except (self.dask.KilledWorker, self.dask.CancelledError) as error:
            raise _Lost from error
        except RuntimeError as error:
            if "deserialization of the task graph" not in str(error):
                raise
            raise UsageError(
                "--cluster: the scheduler runs another ctl, or other libraries",
                remedy="start it and its workers again from the same installation",
            ) from error

    def _done(self) -> bool:
        """Whether it is done after a while; raises _Lost where nobody is there to do it."""
        alone = not self.client.scheduler_info()["workers"]
        try:
            self.dask.wait([self.future], timeout=0.1 if alone else _PATIENCE)
        except TimeoutError:
            if alone:
                self.cancel()
                raise _Lost from None
            return False
        return True

    def cancel(self) -> None:
        self.future.cancel()


def _done_there(same: tuple[str, Path | None, str | None], work: Callable[[T], R], batch: Sequence[T]) -> list[R]:
    _require_same(*same)
    return _done(work, batch)


@cache
def _require_same(code: str, shared: Path | None, sha256: str | None) -> None:
    """Raise UsageError where this worker runs other code than the command, or sees other files."""
    from ctl.flows.bar_cache import package_version

    if package_version() != code:
        raise UsageError(
            "--cluster: a worker runs another ctl, or other libraries", found=package_version(), expected=code
        )
    try:
        found = None if shared is None else digests.sha256_file(shared)
    except OSError as error:
        raise UsageError(
            "--cluster: a worker does not see the workspace's files", where=str(shared), found=str(error)
        ) from error
    if found != sha256:
        raise UsageError("--cluster: a worker sees another workspace", where=str(shared), found=found, expected=sha256)


def _local(address: str) -> int | None:
    """N of `local:N`; None for an address. Raises UsageError for an N that is no number above 0."""
    if not address.startswith(_LOCAL):
        return None
    text = address.removeprefix(_LOCAL)
    if not text.isdecimal() or not 0 < int(text) <= 1024:
        raise UsageError("--cluster local:N starts N workers here", found=address, expected="N from 1 to 1024")
    return int(text)
