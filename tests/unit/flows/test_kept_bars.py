"""Bars kept at a lock and at every pass: what is kept, what is read back, and which of them count."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from certify_market import Market
from locked_symbols import locked_symbol

from ctl import store
from ctl.errors import DataError
from ctl.flows import inputs, kept_bars
from ctl.flows.inputs import SymbolInputs
from ctl.store.workspace import parse

CONFIG = (Path(__file__).resolve().parents[3] / "ctl.toml").read_bytes()
MARKET = Market(contracts=3)
INSTANT = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)


def held() -> SymbolInputs:
    return SymbolInputs("XX", "XX", MARKET.bars(), None, MARKET.reference(), None)


def workspace(folder: Path) -> store.Workspace:
    return parse(CONFIG, folder)


def test_a_pass_keeps_the_sessions_after_the_locked_ones_of_each_side(tmp_path: Path) -> None:
    place, last = workspace(tmp_path), MARKET.day(MARKET.total - 4)
    locked = replace(locked_symbol(), last_canonical=last, last_reference=MARKET.day(MARKET.total - 2))
    assert kept_bars.keep_pass(place, [kept_bars.after(held(), locked)], INSTANT) is not None
    # The same again is not written twice.
    assert kept_bars.keep_pass(place, [kept_bars.after(held(), locked)], INSTANT) is None
    assert [path.name for path in kept_bars.pass_files(place)] == ["20260302_050000_bars.parquet"]
    kept = kept_bars.KeptBars(place, tmp_path / "p.yaml")
    found = {table.series: pl.concat(kept.last_passed("XX", table)) for table in kept_bars.tables(held())}
    assert found["contracts"]["session"].unique().sort().to_list() == [MARKET.day(MARKET.total - n) for n in (3, 2, 1)]
    assert found["adjusted"]["session"].to_list() == [MARKET.day(MARKET.total - 1)]
    assert found["adjusted"]["close"].to_list() == held().reference.adjusted.frame["close"].tail(1).to_list()  # type: ignore[union-attr]


def test_bars_are_kept_under_the_name_that_the_workspace_gives_their_vendor(filled_workspace: Path) -> None:
    text = (filled_workspace / "ctl.toml").read_bytes()
    for old, new in ((b"[vendors.databento]", b"[vendors.desk]"), (b'canonical = "databento"', b'canonical = "desk"')):
        text = text.replace(old, new)
    read = inputs.read_symbol(parse(text, filled_workspace), "CL")
    assert [table.vendor for table in kept_bars.tables(read)] == ["desk", "tradestation", "tradestation"]


def test_the_newest_pass_counts(tmp_path: Path) -> None:
    place = workspace(tmp_path)
    locked = replace(locked_symbol(), last_canonical=date(2005, 1, 3), last_reference=date(2005, 1, 3))
    changed = MARKET.bars()
    changed = replace(changed, frame=changed.frame.with_columns(close=pl.col("close") + 1.0))
    kept_bars.keep_pass(place, [kept_bars.after(held(), locked)], INSTANT)
    kept_bars.keep_pass(place, [kept_bars.after(replace(held(), contracts=changed), locked)], INSTANT)
    assert [path.name for path in kept_bars.pass_files(place)] == [
        "20260302_050000_bars.parquet",
        "20260302_050000_2_bars.parquet",
    ]
    table = next(kept_bars.tables(held()))
    (read,) = kept_bars.KeptBars(place, tmp_path / "p.yaml").last_passed("XX", table)
    now = changed.frame.filter(pl.col("session") > date(2005, 1, 3))
    assert read["close"].to_list() == now["close"].to_list()


def test_a_pass_that_reads_the_same_is_told_from_one_that_reads_otherwise(tmp_path: Path) -> None:
    place, day = workspace(tmp_path), MARKET.day
    locked = replace(locked_symbol(), last_canonical=day(MARKET.total - 6), last_reference=day(MARKET.total - 5))
    now = kept_bars.after(held(), locked)
    kept_bars.keep_pass(place, [now.filter(pl.col("session") < day(MARKET.total - 2))], INSTANT)
    kept = kept_bars.KeptBars(place, tmp_path / "p.yaml")
    assert kept.passed_the_same("XX", now, locked)
    relocked = replace(locked, last_canonical=day(MARKET.total - 4), last_reference=day(MARKET.total - 4))
    assert kept.passed_the_same("XX", kept_bars.after(held(), relocked), relocked)
    for series, passed in (("contracts", True), ("unadjusted", True), ("unadjusted", False)):
        reached = pl.col("session") < day(MARKET.total - 2)
        rows = now.with_row_index().filter(pl.col("series") == series, reached if passed else ~reached)
        at = pl.int_range(pl.len()) == rows["index"][0]
        otherwise = now.with_columns(close=pl.when(at).then(1.0).otherwise("close"))
        assert kept.passed_the_same("XX", otherwise, locked) is not passed
        assert kept.passed_the_same("XX", now.filter(~at), locked) is not passed
    assert not kept.passed_the_same("XX", now.clear(), locked)
    assert kept.passed_the_same("YY", now.clear(), locked)


def test_without_later_sessions_nothing_is_kept(tmp_path: Path) -> None:
    locked = replace(locked_symbol(), last_canonical=date(2030, 1, 1), last_reference=date(2030, 1, 1))
    assert kept_bars.keep_pass(workspace(tmp_path), [kept_bars.after(held(), locked)], INSTANT) is None


def test_the_digest_is_of_the_bars_not_of_their_file() -> None:
    frame = MARKET.bars().frame
    again = pl.read_parquet(kept_bars.packed(frame))
    assert kept_bars.digest(again) == kept_bars.digest(frame)
    for name in ("close", "volume"):
        changed = frame.with_columns(pl.when(pl.int_range(pl.len()) == 7).then(1).otherwise(pl.col(name)).alias(name))
        assert kept_bars.digest(changed) != kept_bars.digest(frame)
    assert kept_bars.digest(frame.with_columns(contract=pl.lit("XXH05"))) != kept_bars.digest(frame)
    assert kept_bars.digest(frame.head(-1)) != kept_bars.digest(frame)


def test_another_reading_has_its_own_contracts() -> None:
    frame = MARKET.bars().frame.filter(pl.col("contract") != MARKET.names[1])
    read = kept_bars.with_tables(replace(held(), reference=None), {"contracts": frame})
    assert read.contracts is not None
    assert [contract.name for contract in read.contracts.contracts] == [MARKET.names[0], MARKET.names[2]]


def test_a_pass_that_cannot_be_read_is_no_pass_without_bars(tmp_path: Path) -> None:
    place = workspace(tmp_path)
    place.passes.mkdir(parents=True)
    (place.passes / "20260302_050000_bars.parquet").write_bytes(b"PAR1")
    table = next(kept_bars.tables(held()))
    with pytest.raises(DataError) as raised:
        kept_bars.KeptBars(place, tmp_path / "p.yaml").last_passed("XX", table)
    assert raised.value.code == "LOCKED_BARS_MISSING"
