"""What somebody who edits, copies or deletes records of a workspace can and cannot have traded unreported."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from changed_values import leaves, with_other

from ctl import digests, store
from ctl import operating_profile as op
from ctl.errors import DataError
from ctl.flows import kept_bars, lock_parts, paper, portfolio
from ctl.store import anchors, decision_log

CYCLE = Path("data/processed/cutover_v1")
INSTANT = datetime(2026, 3, 2, 5, 0, 7, tzinfo=UTC)
LOCKED_TO = date(2026, 2, 13)
REFERENCE = "data/raw/tradestation/TS_ES_CUSTOM_UNADJ_1D_20180102_20260227.csv"


def lock_earlier(folder: Path) -> None:
    """Make the demo one that was locked two weeks before its data end: lock file, locked bars and log, whole."""
    workspace = store.Workspace.load(folder)
    profile = op.load(workspace.profile_path.read_bytes(), workspace.relative(workspace.profile_path))
    made = {
        symbol: portfolio.certify_symbol(
            workspace, symbol, profile.symbol_settings[symbol], as_of=LOCKED_TO, now=INSTANT
        )
        for symbol in profile.gating_universe
    }
    symbols = {
        symbol: each.certificate.watched.symbol for symbol, each in made.items() if each.certificate.watched is not None
    }
    held = {symbol: lock_parts.inputs_of(each.inputs) for symbol, each in made.items()}
    entries = decision_log.read(workspace)
    entry = decision_log.locking(entries)
    assert entry is not None
    assert entry.lock is not None
    lock = lock_parts.derive(workspace, profile, held, symbols, previous_head=entry.previous)
    data = lock_parts.lock_bytes(lock)
    (folder / entry.lock.path).write_bytes(data)
    for symbol, each in made.items():
        for table in kept_bars.tables(each.inputs):
            workspace.locked_bars(symbol, table.series).write_bytes(kept_bars.packed(table.frame))
    lines: list[bytes] = []
    for line in workspace.decision_log.read_text().splitlines():
        document = json.loads(line.replace(entry.lock.digest, digests.sha256_bytes(data)))
        document["previous"] = digests.sha256_bytes(lines[-1]) if lines else None
        lines.append(digests.canonical_json(document))
    workspace.decision_log.write_bytes(b"".join(line + b"\n" for line in lines))
    decision_log.write_document(workspace, decision_log.read(workspace))


@pytest.fixture(scope="module")
def ran_once(filled_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Locked on 2026-02-13, with sessions since, and run once on them."""
    from ctl.cli import main

    folder = tmp_path_factory.mktemp("tampering") / "workspace"
    shutil.copytree(filled_workspace, folder)
    lock_earlier(folder)
    assert main(["ops", "-w", str(folder)]) == 0
    return folder


@pytest.fixture
def ran(ran_once: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    shutil.copytree(ran_once, folder)
    return folder


def the_pass(folder: Path) -> Path:
    (found,) = (folder / CYCLE / "passes").glob("*_bars.parquet")
    return found


def restate(folder: Path, day: str = "02/18/2026") -> None:
    """Move a close of the reference after the lock by less than refuses: it is reported."""
    path = folder / REFERENCE
    lines = path.read_text().splitlines()
    number = next(n for n, line in enumerate(lines) if line.split(",")[0].strip('"') == day)
    fields = lines[number].split(",")
    fields[5] = f"{float(fields[5]) - 0.25}"
    path.write_text("\n".join([*lines[:number], ",".join(fields), *lines[number + 1 :], ""]))


def codes(document: Any) -> set[str]:
    return {problem["code"] for problem in document["problems"]}


def with_another_value(path: Path) -> pl.DataFrame:
    frame = pl.read_parquet(path)
    return frame.with_columns(close=pl.when(pl.int_range(pl.len()) == 0).then(pl.col("close") + 1).otherwise("close"))


def test_a_run_cites_the_bars_that_its_pass_kept(ran: Path, ctl: Any) -> None:
    assert ctl("gate", "-w", ran, "--json").document["passed"]
    expected = {the_pass(ran).name: digests.sha256_file(the_pass(ran))}
    for name in ("run_summaries/*_portfolio_run.json", "ops_logs/*_ops.json"):
        (path,) = (ran / CYCLE).glob(name)
        assert json.loads(path.read_text())["digests"]["passed_bars"] == expected


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: the_pass(folder).unlink(),
        lambda folder: shutil.rmtree(folder / CYCLE / "passes"),
        lambda folder: with_another_value(the_pass(folder)).write_parquet(the_pass(folder)),
        lambda folder: the_pass(folder).rename(the_pass(folder).with_name("20200101_000000_bars.parquet")),
    ],
)
def test_kept_bars_that_are_gone_or_altered_refuse(ran: Path, ctl: Any, change: Callable[[Path], Any]) -> None:
    change(ran)
    document = ctl("gate", "-w", ran, "--json").document
    assert not document["passed"]
    assert codes(document) == {"LOCKED_BARS_MISSING"}
    assert ctl("run", "-w", ran).code == 2


def test_a_later_pass_that_agrees_with_altered_data_does_not_take_their_place(ran: Path, ctl: Any) -> None:
    restate(ran)
    forged = pl.read_parquet(the_pass(ran))
    moved = (pl.col("symbol") == "ES") & (pl.col("series") == "unadjusted") & (pl.col("session") == date(2026, 2, 18))
    forged = forged.with_columns(close=pl.when(moved).then(pl.col("close") - 0.25).otherwise("close"))
    forged.write_parquet(the_pass(ran).with_name("20261230_000000_bars.parquet"))
    document = ctl("gate", "-w", ran, "--json").document
    (found,) = document["restatements"]
    assert [(change["session"], change["column"]) for change in found["changes"]] == [("2026-02-18", "close")]


def test_a_new_lock_does_without_the_bars_of_the_old_passes(ran: Path, ctl: Any) -> None:
    shutil.rmtree(ran / CYCLE / "passes")
    assert ctl("lock", "-w", ran, "--reason", "the kept bars were lost").code == 0
    assert ctl("gate", "-w", ran).code == 0
    assert ctl("run", "-w", ran).code == 0


def test_run_summaries_that_are_gone_are_reported(ran: Path, ctl: Any) -> None:
    """Without them a paper ledger that was removed, too, is a new one, and brakes count from now on."""
    shutil.rmtree(ran / CYCLE / "run_summaries")
    shutil.rmtree(ran / CYCLE / "paper")
    gate = ctl("gate", "-w", ran, "--json").document
    assert [note["code"] for note in gate["notes"]] == ["RECORDS_CONTRADICTED"]
    ops = ctl("ops", "-w", ran, "--notify", "stdout")
    assert ops.code == 0
    assert "RECORDS_CONTRADICTED" in ops.out
    newest = sorted((ran / CYCLE / "ops_logs").glob("*_ops.json"))[-1]
    assert "RECORDS_CONTRADICTED" in newest.read_text()
    assert ctl("gate", "-w", ran, "--json").document["notes"] == [], "said until a later run is on record"


def test_a_certificate_that_was_altered_is_named_by_verify(ran: Path, ctl: Any) -> None:
    path = next((ran / CYCLE / "locked").glob("*/ES_certificate.json"))
    path.write_bytes(path.read_bytes().replace(b"WATCH", b"ACCEPT", 1))
    verified = ctl("verify", "-w", ran, "--json")
    assert (verified.code, codes(verified.document)) == (2, {"CERTIFICATE_EDITED"})


def test_every_value_of_a_run_summary_and_of_the_ledger(ran: Path) -> None:
    """A summary that an ops log cites, and a ledger that a summary cites, one value changed."""
    workspace = store.Workspace.load(ran)
    (path,) = workspace.run_summaries.glob("*_portfolio_run.json")
    whole = path.read_bytes()
    document = json.loads(whole)
    paths = [each for each in leaves(document) if each[0] != "gate_result"]
    assert len(paths) > 200
    for each in paths:
        path.write_bytes(store.json_bytes(with_other(document, each)))
        assert [reason.code for reason in anchors.contradicted_records(workspace)] == ["RECORDS_CONTRADICTED"], each
    path.write_bytes(whole)
    assert list(anchors.contradicted_records(workspace)) == []
    lines = workspace.paper_ledger.read_bytes().splitlines(keepends=True)
    assert paper.ledger_head(workspace) is not None
    for number, line in enumerate(lines):
        record = json.loads(line)
        for each in leaves(record):
            edited = digests.canonical_json(with_other(record, each)) + b"\n"
            workspace.paper_ledger.write_bytes(b"".join((*lines[:number], edited, *lines[number + 1 :])))
            with pytest.raises(DataError) as raised:
                paper.ledger_head(workspace)
            assert raised.value.code in ("LEDGER_CONTRADICTED", "PAPER_LEDGER_DAMAGED"), (number, each)


def test_every_table_of_locked_bars(ran: Path) -> None:
    """One value of each column changed, a row dropped, a row added: nothing else can be held against such bars."""
    workspace = store.Workspace.load(ran)
    lock = anchors.read_lock(workspace, workspace.profile_path).lock
    assert lock is not None
    seen = 0
    for symbol, inputs in lock.inputs.items():
        for series in ("contracts", *inputs.reference):
            frame = pl.read_parquet(workspace.locked_bars(symbol, series))
            side = inputs.side(series)
            assert side is not None
            assert kept_bars.digest(frame) == side.bars
            at = pl.int_range(pl.len()) == frame.height // 2
            changed = [
                frame.with_columns(pl.when(at).then(pl.col(name) + 1).otherwise(pl.col(name)).alias(name))
                for name in ("open", "high", "low", "close", "volume")
            ]
            changed += [
                frame.with_columns(session=pl.when(at).then(pl.lit(date(1999, 1, 4))).otherwise("session")),
                frame.filter(~at),
                pl.concat([frame, frame.tail(1)]),
            ]
            for other in changed:
                seen += 1
                assert kept_bars.digest(other) != side.bars, (symbol, series)
    assert seen == 3 * 3 * 8
