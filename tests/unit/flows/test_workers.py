"""Work spread over processes and a Dask cluster: the same results in the same order, whoever dies."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from ctl.errors import UsageError
from ctl.flows.workers import HERE, Workers, opened


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
