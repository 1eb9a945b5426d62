"""Work spread over processes and a Dask cluster: the same results in the same order, whoever dies."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from ctl import digests
from ctl.errors import UsageError
from ctl.flows.bar_cache import package_version
from ctl.flows.workers import HERE, Workers, _done_there, _require_same, opened

ENVIRONMENT: Final = {
    **os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[3]), *sys.path])
}  # fmt: skip


def squared(number: int) -> int:
    return number * number


def where(_number: int) -> int:
    return os.getpid()


def dies_once(mark: Path, number: int) -> int:
    """As `squared`; the first process that comes to 7 is killed."""
    if number == 7:
        try:
            mark.touch(exist_ok=False)
        except FileExistsError:
            return squared(number)
        os.kill(os.getpid(), signal.SIGKILL)
    return squared(number)


def fails_at_five(number: int) -> int:
    if number == 5:
        raise UsageError("five")
    return number


@pytest.fixture(scope="module", params=["processes", "cluster"])
def workers(request: pytest.FixtureRequest) -> Iterator[Workers]:
    if request.param == "cluster":
        pytest.importorskip("distributed", reason="Dask is not installed (extra `cluster`)")
    with opened(**{"processes": {"jobs": 2}, "cluster": {"cluster": "local:2"}}[request.param]) as found:
        yield found


def test_results_come_in_the_order_asked(workers: Workers) -> None:
    assert list(workers.each(squared, range(40))) == [number * number for number in range(40)]


def test_it_is_done_elsewhere(workers: Workers) -> None:
    assert os.getpid() not in set(workers.each(where, range(20)))
    assert set(HERE.each(where, range(20))) == {os.getpid()}


def test_an_error_is_the_one_that_was_raised(workers: Workers) -> None:
    with pytest.raises(UsageError, match=r"^five$"):
        list(workers.each(fails_at_five, range(20)))


@pytest.mark.parametrize("asked", [{"jobs": 2}, {"cluster": "local:2"}], ids=["processes", "cluster"])
def test_a_killed_worker_loses_nothing(asked: dict[str, object], tmp_path: Path) -> None:
    if "cluster" in asked:
        pytest.importorskip("distributed", reason="Dask is not installed (extra `cluster`)")
    with opened(**asked) as found:  # type: ignore[arg-type]
        made = list(found.each(partial(dies_once, tmp_path / "killed"), range(20)))
        assert made == [number * number for number in range(20)]
        assert (tmp_path / "killed").exists()
        assert list(found.each(squared, range(9))) == [number * number for number in range(9)]


@pytest.mark.parametrize("cluster", ["local:0", "local:", "local:two", "local:4000"])
def test_a_local_cluster_needs_a_number(cluster: str) -> None:
    with pytest.raises(UsageError), opened(cluster=cluster):
        pass


def test_few_items_are_not_worth_a_process() -> None:
    with opened() as found:
        assert set(found.each(where, range(3))) == {os.getpid()}


@pytest.mark.parametrize("asked", [{"cluster": ""}, {"cluster": "nonsense"}, {"cluster": "local:2", "jobs": 2}])
def test_what_cannot_be_used_is_refused(asked: dict[str, object]) -> None:
    with pytest.raises(UsageError), opened(**asked) as found:  # type: ignore[arg-type]
        list(found.each(squared, range(3)))


@pytest.fixture
def deaf() -> Iterator[str]:
    """An address where somebody listens who never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"


def test_an_address_without_a_scheduler_is_refused(deaf: str) -> None:
    pytest.importorskip("distributed", reason="Dask is not installed (extra `cluster`)")
    with pytest.raises(UsageError), opened(cluster=deaf) as found:
        list(found.each(squared, range(3)))


@pytest.fixture(scope="module")
def scheduler() -> Iterator[Any]:
    """A Dask scheduler of its own, without workers."""
    dask = pytest.importorskip("distributed", reason="Dask is not installed (extra `cluster`)")
    with dask.LocalCluster(
        n_workers=0, threads_per_worker=1, dashboard_address="127.0.0.1:0", scheduler_kwargs={"dashboard": False}
    ) as found:
        yield found


def test_a_scheduler_needs_workers(scheduler: Any) -> None:
    with (
        pytest.raises(UsageError, match="no workers"),
        opened(cluster=scheduler.scheduler_address) as found,
    ):
        list(found.each(squared, range(3)))


@pytest.fixture
def two_workers(scheduler: Any, tmp_path: Path) -> Iterator[str]:
    """The scheduler's address, with two workers that nobody starts again, at home in another folder."""
    command = [sys.executable, "-m", "distributed.cli.dask_worker", scheduler.scheduler_address]
    command += ["--no-nanny", "--nthreads", "1", "--no-dashboard"]
    started = [subprocess.Popen(command, cwd=tmp_path, env=ENVIRONMENT, stderr=subprocess.DEVNULL) for _ in range(2)]
    scheduler.wait_for_workers(2, timeout=60)
    yield scheduler.scheduler_address
    for worker in started:
        worker.kill()
        worker.wait()


def dies_elsewhere(home: int, number: int) -> int:
    """As `squared`; every other process than `home` is killed."""
    if os.getpid() != home:
        os.kill(os.getpid(), signal.SIGKILL)
    return squared(number)


def test_a_killed_worker_at_an_address_loses_nothing(two_workers: str, tmp_path: Path) -> None:
    with opened(cluster=two_workers) as found:
        made = list(found.each(partial(dies_once, tmp_path / "killed"), range(20)))
        assert made == [number * number for number in range(20)]
        assert (tmp_path / "killed").exists()
        assert os.getpid() not in set(found.each(where, range(20)))


def test_without_any_worker_the_command_goes_on_alone(two_workers: str) -> None:
    with opened(cluster=two_workers) as found:
        assert list(found.each(partial(dies_elsewhere, os.getpid()), range(20))) == [n * n for n in range(20)]


def test_workers_must_see_the_same_workspace(tmp_path: Path) -> None:
    file = tmp_path / "ctl.toml"
    file.write_text("schema_version = 1\n")
    same = package_version(), file, digests.sha256_file(file)
    assert _done_there(same, squared, [3]) == [9]
    file.write_text("schema_version = 2\n")
    _require_same.cache_clear()
    with pytest.raises(UsageError, match="another workspace"):
        _done_there(same, squared, [3])
    file.unlink()
    with pytest.raises(UsageError, match="does not see"):
        _done_there(same, squared, [3])
    with pytest.raises(UsageError, match="another ctl"):
        _done_there(("0" * 64, None, None), squared, [3])


def test_processes_end_with_a_killed_command(tmp_path: Path) -> None:
    """A command that is killed while its processes work leaves none of them behind."""
    mark = tmp_path / "worker"
    script = (
        "from functools import partial\nfrom pathlib import Path\n"
        "from tests.unit.flows.test_workers import waits\nfrom ctl.flows.workers import opened\n"
        "if __name__ == '__main__':\n"
        "    with opened(jobs=2) as found:\n"
        f"        list(found.each(partial(waits, Path({str(mark)!r})), range(2)))\n"
    )
    (tmp_path / "command.py").write_text(script)
    command = subprocess.Popen([sys.executable, str(tmp_path / "command.py")], env=ENVIRONMENT)
    assert until(lambda: len(list(tmp_path.glob("worker.*"))) == 2), "both processes are at work"
    working = [path.suffix[1:] for path in tmp_path.glob("worker.*")]
    assert all(is_running(pid) for pid in working)
    command.kill()
    assert command.wait() == -signal.SIGKILL
    assert until(lambda: not any(is_running(pid) for pid in working)), "none outlives the command"


def is_running(pid: str) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", pid], check=False, capture_output=True, text=True).stdout
    return state[:1] not in {"", "Z"}


def until(holds: Callable[[], bool]) -> bool:
    """Whether it comes to hold within a minute and a half."""
    for _ in range(900):
        if holds():
            return True
        time.sleep(0.1)
    return False


def waits(mark: Path, _number: int) -> None:
    mark.with_suffix(f".{os.getpid()}").touch()
    time.sleep(600)
