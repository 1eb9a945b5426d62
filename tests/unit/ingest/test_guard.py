"""Files that cannot be data are refused at once: nothing is waited for, nothing large is read."""

from __future__ import annotations

import os
import resource
import time

import pytest

from ctl.errors import InputError
from ctl.ingest import guard, load_instruments, mapping_named_or_at, read_contracts, read_series, source


def fifo(path):
    os.mkfifo(path)


def device(path):
    path.symlink_to("/dev/zero")


def sparse(path):
    path.touch()
    os.truncate(path, 10 << 30)


def sparse_below_the_limit(path):
    path.touch()
    os.truncate(path, source.MAX_BYTES - 1)


@pytest.mark.parametrize("make", [fifo, device, sparse, sparse_below_the_limit, os.mkdir])
@pytest.mark.parametrize("name", ["a.csv", "a.toml"])
def test_refused_at_once(make, name, tmp_path, instruments):
    path = tmp_path / name
    make(path)
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    readers = {
        "a.csv": [lambda: read_series(path, symbol="ES", instruments=instruments), lambda: source.load(path)],
        "a.toml": [lambda: mapping_named_or_at(str(path)), lambda: load_instruments(path)],
    }
    if make is not os.mkdir:  # a folder stands for its data files
        readers["a.csv"].append(lambda: read_contracts([path], "ES", instruments=instruments))
    for read in readers[name]:
        with pytest.raises(InputError, match=name):
            read()
    assert time.process_time() - started < 5.0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


def test_a_folder_with_a_fifo_does_not_wait_for_it(tmp_path, write, instruments):
    write("a.csv", "session,contract,open,high,low,close,volume\n2025-01-06,ESH25,1,4,0.5,3,10\n")
    os.mkfifo(tmp_path / "b.csv")
    with pytest.raises(InputError, match=r"b\.csv: cannot be read; found a FIFO"):
        read_contracts([tmp_path], "ES", instruments=instruments)


def test_an_error_of_the_caller_is_not_taken_for_the_file(write):
    with pytest.raises(ValueError, match="the caller's"), guard.opened(write("a", "x"), 10):
        raise ValueError("the caller's")
