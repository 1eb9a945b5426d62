"""What is unchanged is not parsed twice, what changed is, and no state of the cache makes an answer wrong."""

from __future__ import annotations

import json
import os
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from vendor_workspace import contracts, series, workspace

from ctl import digests, ingest, store
from ctl.flows import bar_cache, build, inputs
from ctl.flows.bar_cache import BarCache
from ctl.model.bars import DailySeries

VENDORS = """
[vendors.ours]
format = "csv"
contracts = "ours/{root}.csv"
[vendors.theirs]
format = "csv"
adjusted = "ref/{symbol}_adj.csv"
unadjusted = "ref/{symbol}_raw.csv"
"""

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def small(tmp_path: Path) -> store.Workspace:
    contracts(tmp_path / "ours/C.csv", "C")
    series(tmp_path / "ref/C_adj.csv", 90.0)
    series(tmp_path / "ref/C_raw.csv", 110.0)
    for path in tmp_path.rglob("*.csv"):
        _aged(path)
    return workspace(tmp_path, VENDORS, ("C", "future", 'reference = "theirs"'))


@pytest.fixture
def space(small: store.Workspace, monkeypatch: pytest.MonkeyPatch) -> store.Workspace:
    """Whose files take as long to read as large ones."""
    monkeypatch.setattr(bar_cache, "_LONG_TO_READ", 1)
    return small


def _aged(path: Path) -> None:
    """A file last written an hour ago; the system's own time of its change stays what it is."""
    before = datetime.now(tz=UTC).timestamp() - 3600
    os.utime(path, (before, before))


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the readers that were asked."""
    asked: list[str] = []
    for name in ("read_contracts", "read_reference", "read_series"):
        read = getattr(ingest, name)

        def counted(*args: Any, _read: Any = read, _name: str = name, **keys: Any) -> Any:
            asked.append(_name)
            return _read(*args, **keys)

        monkeypatch.setattr(ingest, name, counted)
    return asked


def _read(space: store.Workspace) -> inputs.SymbolInputs:
    return inputs.read_symbol(space, "C", keep=True)


def _same(one: inputs.SymbolInputs, other: inputs.SymbolInputs) -> bool:
    assert one.contracts is not None
    assert other.contracts is not None
    assert one.reference is not None
    assert other.reference is not None
    pairs = [
        (one.contracts, other.contracts),
        (one.reference.adjusted, other.reference.adjusted),
        (one.reference.unadjusted, other.reference.unadjusted),
    ]
    frames = all(a is not None and b is not None and a.frame.equals(b.frame) for a, b in pairs)
    return (
        frames
        and all(a is not None and b is not None and a.meta == b.meta for a, b in pairs)
        and one.contracts.contracts == other.contracts.contracts
        and dict(one.contracts.terms) == dict(other.contracts.terms)
        and one.reference.stated_rolls == other.reference.stated_rolls
    )


def test_unchanged_files_are_not_parsed_again(space: store.Workspace, reads: list[str]) -> None:
    first = _read(space)
    assert sorted(reads) == ["read_contracts", "read_reference"]
    assert _same(first, _read(space))
    assert len(reads) == 2


def test_bars_of_small_files_are_kept_when_they_are_asked_for_again(small: store.Workspace, reads: list[str]) -> None:
    def kept() -> int:
        return len(list((small.root / ".ctl/cache").rglob("*.parquet")))

    first = _read(small)
    assert (len(reads), kept()) == (2, 0)
    assert _same(first, _read(small))
    assert (len(reads), kept()) == (4, 3)
    assert _same(first, _read(small))
    assert len(reads) == 4
    path = small.root / "ours/C.csv"
    path.write_text(path.read_text().replace("CH24,100.0,101.0", "CH24,100.0,101.5", 1))
    changed = _read(small).contracts
    assert changed is not None
    assert changed.frame["high"][0] == 101.5


def test_who_promises_to_write_nothing_uses_what_is_there(space: store.Workspace, reads: list[str]) -> None:
    first = inputs.read_symbol(space, "C")
    assert not (space.root / ".ctl").exists()
    _read(space)
    before = {path: path.read_bytes() for path in (space.root / ".ctl").rglob("*") if path.is_file()}
    assert _same(first, inputs.read_symbol(space, "C"))
    assert len(reads) == 4
    assert {path: path.read_bytes() for path in (space.root / ".ctl").rglob("*") if path.is_file()} == before


def test_a_copy_written_later_is_known_by_its_content(space: store.Workspace, reads: list[str]) -> None:
    first, path = _read(space), space.root / "ours/C.csv"
    path.write_bytes(path.read_bytes())
    assert _same(first, _read(space))
    assert len(reads) == 2


@pytest.mark.parametrize("times", ["as they come", "put back"])
def test_an_edit_within_the_same_second_is_seen(space: store.Workspace, reads: list[str], times: str) -> None:
    _read(space)
    path = space.root / "ours/C.csv"
    before, text = path.stat(), path.read_text()
    path.write_text(text.replace("CH24,100.0,101.0", "CH24,100.0,101.5", 1))
    assert path.stat().st_size == before.st_size
    if times == "put back":
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    changed = _read(space).contracts
    assert changed is not None
    assert changed.frame["high"][0] == 101.5
    assert reads.count("read_contracts") == 2


def test_one_that_settled_is_vouched_for_by_its_times_alone(
    space: store.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bar_cache, "_SETTLED", -(10**12))  # as if the files had lain there for long
    _read(space)
    monkeypatch.setattr(digests, "sha256_file", lambda path: pytest.fail(f"{path} was read"))
    _read(space)


def test_a_second_build_reads_no_input(space: store.Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bar_cache, "_SETTLED", -(10**12))
    assert not build.build_symbol(space, "C", instant=NOW).unchanged
    assert build.build_symbol(space, "C", instant=NOW).unchanged  # now its outputs are known as well
    monkeypatch.setattr(digests, "sha256_file", lambda path: pytest.fail(f"{path} was read"))
    monkeypatch.setattr(ingest, "read_contracts", lambda *_, **__: pytest.fail("parsed"))
    assert build.build_symbol(space, "C", instant=NOW).unchanged


def test_a_build_is_that_of_its_instant(space: store.Workspace) -> None:
    whole = build.build_symbol(space, "C", instant=NOW).manifest
    last = date.fromisoformat(whole["last_session"])
    noon = datetime.combine(last, time(12), tzinfo=UTC)
    early = build.build_symbol(space, "C", instant=noon)
    assert not early.unchanged
    assert early.manifest["last_session"] < whole["last_session"]
    assert early.manifest["counts"]["unfinished_sessions_dropped"] == 1
    later = build.build_symbol(space, "C", instant=NOW)
    assert not later.unchanged
    assert later.manifest == whole


def test_damage_costs_time_only(space: store.Workspace, reads: list[str]) -> None:
    first = _read(space)
    entries = sorted(path for path in (space.root / ".ctl/cache").rglob("*") if path.is_file())
    assert len(entries) >= 6
    for path in entries:
        data = path.read_bytes()
        for bad in (
            b"",
            data[: len(data) // 2],
            data[:-20] + b"x" * min(20, len(data)),
            b"[]",
            b"null",
            b'{"entry": 1}',
        ):
            path.write_bytes(bad)
            assert _same(first, _read(space)), f"{path.name}: {bad[:20]!r}"


def test_who_reads_anew_believes_no_entry_that_looks_whole(space: store.Workspace) -> None:
    first, entry = _read(space), space.root / ".ctl/cache/ours/C/contracts/entry.json"
    packed = entry.with_name("bars.parquet")
    pl.read_parquet(packed).with_columns(pl.col("close") + 1.0).write_parquet(packed)
    value = json.loads(entry.read_bytes().partition(b"\n")[2])
    value["frames"]["bars"] = digests.sha256_file(packed)
    data = json.dumps(value).encode()
    entry.write_bytes(digests.sha256_bytes(data).encode() + b"\n" + data)
    assert not _same(first, _read(space)), "nothing tells the forged entry"
    assert _same(first, inputs.read_symbol(space, "C", keep=True, anew=True))
    assert _same(first, _read(space)), "and the entry is that of the files again"


def test_a_folder_in_an_entrys_place_costs_time_only(space: store.Workspace) -> None:
    first = _read(space)
    for path in [path for path in (space.root / ".ctl/cache").rglob("*") if path.is_file()]:
        path.unlink()
        path.mkdir()
    assert _same(first, _read(space))


def test_where_nothing_can_be_written_files_are_read(space: store.Workspace, reads: list[str]) -> None:
    (space.root / ".ctl").write_text("no folder")
    assert _same(_read(space), _read(space))
    assert len(reads) == 4


def test_other_questions_and_other_readers_are_other_entries(
    space: store.Workspace, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _read(space)
    monkeypatch.setattr(bar_cache, "readers_version", lambda: "newer")
    _read(space)
    assert len(reads) == 4
    text = (space.root / "ctl.toml").read_text()
    (space.root / "ctl.toml").write_text(text.replace('contracts = "ours', 'publisher = 1\ncontracts = "ours'))
    _read(store.Workspace.load(space.root))
    assert reads.count("read_contracts") == 3


def test_an_instant_before_the_entrys_is_read_anew(space: store.Workspace) -> None:
    path = space.root / "ref/C_adj.csv"
    counted: list[datetime] = []
    now = datetime(2024, 3, 1, 12, tzinfo=UTC)

    def read(instant: datetime, unfinished: int = 0) -> None:
        def made() -> DailySeries:
            counted.append(instant)
            found = ingest.read_series(path, symbol="C", instruments=ingest.load_instruments())
            counts = {"unfinished_sessions_dropped": unfinished} if unfinished else {}
            return DailySeries(found.frame, _with_counts(found.meta, counts))

        BarCache(space, keep=True).bars(DailySeries, ("v", "s", "k"), [path], {}, made, instant)

    read(now)
    read(now + timedelta(days=1))
    assert len(counted) == 1, "what was finished stays finished"
    read(now - timedelta(days=1))
    assert len(counted) == 2, "what was finished may not have been"
    read(now + timedelta(days=2), unfinished=1)
    assert len(counted) == 2
    read(now - timedelta(days=2), unfinished=1)
    read(now + timedelta(days=2), unfinished=1)
    assert len(counted) == 4, "what was unfinished may be finished now"


def _with_counts(meta: Any, counts: dict[str, int]) -> Any:
    from dataclasses import replace

    return replace(meta, counts=counts)
