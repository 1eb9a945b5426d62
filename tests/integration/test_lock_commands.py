"""plan, lock, profile diff and verify on the simulated workspace, whose board is that of the specification."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import zstandard

from ctl import demo, store
from ctl import operating_profile as op
from ctl.errors import WorkspaceError
from ctl.flows import inputs, lock, lock_parts, portfolio
from ctl.model.lock_file import parse
from ctl.store import anchors

V1, V2 = "configs/cutover/operating_profile_v1.yaml", "configs/cutover/operating_profile_v2.yaml"
L2 = "configs/cutover/operating_profile_v2.lock.json"
TS_CL = "data/raw/tradestation/TS_CL_CUSTOM_UNADJ_1D_20180102_20260227.csv"
BOARD = {"ES": "WATCH", "CL": "ACCEPT", "PL": "WATCH"}


def tree(folder: Path) -> dict[str, bytes]:
    """Every file but those that can be made again."""
    files = (path for path in folder.rglob("*") if path.is_file() and folder / ".ctl/cache" not in path.parents)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def inject(folder: Path, cause: str, symbol: str) -> None:
    for name, data in demo.generate(inject=[(cause, symbol)]).items():
        if name.startswith("data/raw/"):
            (folder / name).write_bytes(data)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def newest(folder: Path) -> Any:
    """The newest entry of the decision log."""
    return json.loads((folder / "docs/governance/decision_log.jsonl").read_bytes().splitlines()[-1])


# ---------------------------------------------------------------- plan


def test_plan_on_what_was_locked_says_that_nothing_differs_and_changes_nothing(workspace: Path, ctl: Any) -> None:
    before = tree(workspace)
    ran = ctl("plan", "-w", workspace, "--json")
    assert (ran.code, tree(workspace)) == (0, before)
    document = ran.document
    assert document["changed"] is False
    assert document["lockable"] is True
    assert document["profile"] == {"path": V1, "version": 1, "digest": sha256(workspace / V1)}
    assert document["next_profile"] == V2
    assert document["recommendation"] == {"expected": "CONDITIONAL GO", "derived": "CONDITIONAL GO"}
    assert {item["symbol"]: item["derived"] for item in document["symbols"]} == BOARD
    assert {item["name"]: item["held"] for item in document["locks"]} == dict.fromkeys(
        ("profile", "thresholds", "strategy", "workspace"), True
    )
    assert all(item["files"] == item["new_sessions"] == item["restated"] == [] for item in document["inputs"])
    text = ctl("plan", "-w", workspace).out
    assert text == "PLAN: no changes, the data derive profile v1\n"


def test_plan_names_changed_added_and_removed_files(workspace: Path, ctl: Any) -> None:
    path = workspace / TS_CL
    lines = path.read_text().splitlines(keepends=True)
    was = sha256(path)
    path.write_text("".join(lines[:-1]))
    document = ctl("plan", "-w", workspace, "--json").document
    inputs = {item["symbol"]: item for item in document["inputs"]}
    assert inputs["CL"]["files"] == [{"name": path.name, "locked": was, "current": sha256(path)}]
    assert (inputs["CL"]["changed"], document["changed"]) == (False, False), "files are a record: they grow"
    path.rename(path.with_name("TS_CL_CUSTOM_UNADJ_1D_20180102_20260226.csv"))
    inputs = {item["symbol"]: item for item in ctl("plan", "-w", workspace, "--json").document["inputs"]}
    assert [(item["name"], item["locked"] is None, item["current"] is None) for item in inputs["CL"]["files"]] == [
        ("TS_CL_CUSTOM_UNADJ_1D_20180102_20260226.csv", True, False),
        (path.name, False, True),
    ]


def test_plan_names_the_restated_range_and_the_value(workspace: Path, ctl: Any) -> None:
    inject(workspace, "restated-bar", "CL")
    document = ctl("plan", "-w", workspace, "--json").document
    (found,) = [item for item in document["inputs"] if item["restated"]]
    (part,) = found["restated"]
    (restatement,) = document["restatements"]
    session = restatement["changes"][0]["session"]
    assert found["symbol"] == restatement["symbol"] == "CL"
    assert part["first"] <= session <= part["last"]
    assert part["first"][:4] == session[:4]
    (close,) = [change for change in restatement["changes"] if change["column"] == "close"]
    assert abs(close["new"] / close["old"] - 1) == pytest.approx(0.015, abs=0.001)
    assert restatement["text"].startswith("RESTATED_HISTORY: CL, databento contracts: ")
    assert "RESTATED_HISTORY: CL, databento contracts: " in ctl("plan", "-w", workspace).out


def test_plan_counts_the_sessions_that_came_since(workspace: Path, ctl: Any) -> None:
    raw = workspace / "data/raw/databento/CL/glbx-mdp3-20180102-20260227.ohlcv-1d.csv.zst"
    text = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(raw.read_bytes())).read().decode()
    came = sorted({date.fromisoformat(line[:10]) for line in text.splitlines()[1:]})
    held = inputs.read_symbol(store.Workspace.load(workspace), "CL")
    ranges = op.session_ranges(held.bars, symbol="CL", last=date(2026, 1, 31))
    locked = anchors.lock_path(workspace / V1)
    held = parse(locked.read_bytes())
    side = replace(held.inputs["CL"].canonical, sessions=ranges)
    inputs_ = {**held.inputs, "CL": replace(held.inputs["CL"], canonical=side)}
    locked.write_bytes(lock_parts.lock_bytes(replace(held, inputs=inputs_)))
    found = {item["symbol"]: item for item in ctl("plan", "-w", workspace, "--json").document["inputs"]}["CL"]
    # The hours of a Sunday belong to Monday's session, those of Presidents' Day to Tuesday's.
    assert date(2026, 2, 16) in came
    days = [day.isoformat() for day in came if day >= date(2026, 2, 1) and day.weekday() < 5 and day.day != 16]
    assert len(days) >= 19, "the weekdays of February 2026 less a holiday"
    assert found["new_sessions"] == days
    assert (found["restated"], found["last_session"]) == ([], days[-1])


def test_plan_is_computed_where_a_symbol_is_not_lockable(workspace: Path, ctl: Any) -> None:
    inject(workspace, "wrong-commodity", "PL")
    ran = ctl("plan", "-w", workspace, "--json")
    assert (ran.code, ran.document["lockable"]) == (0, False)
    assert {item["symbol"]: item["derived"] for item in ran.document["symbols"]} == {**BOARD, "PL": "REJECT"}
    assert ran.document["recommendation"]["derived"] == "NO-GO"
    shutil.rmtree(workspace / "data/raw/databento/PL")
    ran = ctl("plan", "-w", workspace, "--json")
    assert (ran.code, {item["symbol"]: item["derived"] for item in ran.document["symbols"]}["PL"]) == (0, "ERROR")
    (unreadable,) = [item for item in ran.document["inputs"] if not item["readable"]]
    assert (unreadable["symbol"], unreadable["last_session"]) == ("PL", None)


def test_plan_refuses_an_invalid_profile(workspace: Path, ctl: Any) -> None:
    edit(workspace / V1, "portfolio_recommendation: CONDITIONAL GO", "portfolio_recommendation: GO")
    ran = ctl("plan", "-w", workspace)
    assert ran.code == 2
    assert "portfolio_recommendation" in ran.err


def test_plan_shows_what_settings_would_make_and_changes_nothing(workspace: Path, ctl: Any) -> None:
    before = tree(workspace)
    ran = ctl("plan", "-w", workspace, "--set", "ES.series.closes=settlement", "--json")
    assert (ran.code, tree(workspace)) == (0, before)
    found = ran.document
    assert (found["changed"], found["settings"]) == (True, {"ES.series.closes": "settlement"})
    (profile,) = [row for row in found["locks"] if row["name"] == "profile"]
    assert profile["changes"] == [{"key": "symbol_settings.ES.series.closes", "old": None, "new": "settlement"}]
    es, cl, _ = found["symbols"]
    assert (es["expected"], es["now"]["decision"], es["tried"]["decision"]) == ("WATCH", "WATCH", "ACCEPT")
    assert es["tried"]["mean_drift"] < es["now"]["mean_drift"] == es["locked_drift"]
    assert es["trades"]["changed"] > 0
    assert (cl["now"], cl["trades"]["changed"]) == (cl["tried"], 0)
    assert (found["restatements"], [item["changed"] for item in found["inputs"]]) == ([], [False] * 3)
    text = ctl("plan", "-w", workspace, "--set", "ES.series.closes=settlement").out
    assert text.startswith("PLAN: ES WATCH -> ACCEPT   portfolio stays CONDITIONAL GO")
    assert "+ ES.series.closes   settlement" in text
    assert "next: ctl lock --set ES.series.closes=settlement --reason " in text


# ---------------------------------------------------------------- lock


def test_lock_writes_the_next_version_records_it_and_puts_it_in_force(workspace: Path, ctl: Any) -> None:
    before = tree(workspace)
    ran = ctl(
        "lock", "-w", workspace, "--set", "ratchet=0.5", "--reason", "review of March", "--next", "calibrate slippage",
        "--json",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    document, after = ran.document, tree(workspace)
    assert document["profile"] == {"path": V2, "version": 2, "digest": sha256(workspace / V2)}
    # nothing that was there is touched but the one line of ctl.toml and the log
    assert {name for name in before if after[name] != before[name]} == {
        "ctl.toml", "docs/governance/decision_log.jsonl", "docs/governance/cutover_h2_h3_decision_log.md",
    }  # fmt: skip
    assert after["ctl.toml"] == before["ctl.toml"].replace(V1.encode(), V2.encode())
    # comments survive, the text says the command's date
    old, new = (after[name].decode().splitlines() for name in (V1, V2))
    assert [line for line in new if "#" in line] == [line for line in old if "#" in line]
    assert f"locked_date: {document['timestamp'][:10]}" in new
    assert "ratchet: 0.5" in new
    # the new version passes the gate, on the bars it was locked on
    gate = ctl("gate", "-w", workspace, "--json")
    assert (gate.code, gate.document["profile"]["path"]) == (0, V2)
    # the decision rests on both profiles and on the certificates that the gate finds, which are kept
    *_, previous, line = (workspace / "docs/governance/decision_log.jsonl").read_bytes().splitlines()
    entry = json.loads(line)
    assert entry["lock"] == {"path": L2, "digest": sha256(workspace / L2)}
    assert json.loads((workspace / L2).read_bytes())["previous_head"] == hashlib.sha256(previous).hexdigest()
    assert [item["digest"] for item in entry["profiles"]] == [sha256(workspace / V1), sha256(workspace / V2)]
    assert entry["certificates"] == {
        item["symbol"]: item["certificate_sha256"] for item in gate.document["symbol_results"]
    }
    kept = workspace / "data/processed/cutover_v1/locked/operating_profile_v2"
    assert {symbol: sha256(kept / f"{symbol}_certificate.json") for symbol in BOARD} == entry["certificates"]
    for symbol in BOARD:
        assert (kept / f"{symbol}_contracts.parquet").read_bytes() == (
            kept.with_name("operating_profile_v1") / f"{symbol}_contracts.parquet"
        ).read_bytes()
    assert (entry["id"], entry["rationale"]) == ("D-0012", "review of March")
    assert entry["previous"] == hashlib.sha256(previous).hexdigest()
    assert entry["date"] == document["timestamp"][:10]
    assert entry["next_actions"][0] == "calibrate slippage"
    assert document["entry"] == {"id": "D-0012", "digest": hashlib.sha256(line).hexdigest(), "was_there": False}
    verified = ctl("verify", "-w", workspace, "--json")
    assert (verified.code, verified.document["entries"]) == (0, 12)


def test_a_second_lock_never_writes_over_a_version_and_chains_its_entry(workspace: Path, ctl: Any) -> None:
    assert ctl("lock", "-w", workspace, "--set", "ratchet=0.5", "--reason", "first").code == 0
    first = tree(workspace)
    taken = workspace / "configs/cutover/operating_profile_v3.yaml"
    taken.write_text("# somebody's draft\n")
    ran = ctl("lock", "-w", workspace, "--set", "ratchet=0.4", "--reason", "second", "--json")
    assert (ran.code, ran.document["profile"]["version"]) == (0, 4)
    assert taken.read_text() == "# somebody's draft\n"
    assert all(tree(workspace)[name] == first[name] for name in (V1, V2))
    lines = (workspace / "docs/governance/decision_log.jsonl").read_bytes().splitlines()
    assert json.loads(lines[12])["previous"] == hashlib.sha256(lines[11]).hexdigest()
    assert ctl("verify", "-w", workspace).code == 0


def test_nothing_to_lock_is_said_and_nothing_written(workspace: Path, ctl: Any) -> None:
    before = tree(workspace)
    ran = ctl("lock", "-w", workspace, "--reason", "again")
    after = tree(workspace)
    after.pop(".ctl/run.lock", None)
    assert (ran.code, after) == (0, before)
    assert ran.out.startswith("LOCK: UNCHANGED")
    assert f"{V1}, locked by H.7" in ran.out
    document = ctl("lock", "-w", workspace, "--reason", "again", "--json").document
    assert (document["files"], document["entry"]["was_there"], document["profile"]["path"]) == ([], True, V1)


def test_a_promotion_is_locked_with_the_recommendation_that_follows(workspace: Path, ctl: Any) -> None:
    # a profile that expects less than the data derive: the gate refuses it, the next version expects what they derive
    edit(workspace / V1, "expected_status: ACCEPT", "expected_status: WATCH")
    assert ctl("gate", "-w", workspace).code == 2
    ran = ctl("lock", "-w", workspace, "--reason", "CL has earned it", "--json")
    assert (ran.code, ran.document["symbols"]) == (0, BOARD)
    assert "CL WATCH -> ACCEPT" in newest(workspace)["gate_impact"]
    assert ctl("gate", "-w", workspace).code == 0


def test_a_symbol_leaves_the_gate_and_comes_back_with_its_settings(workspace: Path, ctl: Any) -> None:
    """Without the one WATCH that ES and PL leave, CL alone is GO; PL comes back as what the data derive."""
    settings = op.load((workspace / V1).read_bytes(), V1).symbol_settings["PL"]
    out = ("--set", "PL.gating=false", "--set", "ES.gating=false")
    plan = ctl("plan", "-w", workspace, *out, "--json").document
    assert plan["recommendation"] == {"expected": "CONDITIONAL GO", "derived": "GO"}
    assert ctl("lock", "-w", workspace, *out, "--reason", "CL alone").code == 0
    left = op.load((workspace / V2).read_bytes(), V2)
    assert (left.gating_universe, left.portfolio_recommendation) == (("CL",), "GO")
    assert {"ES", "PL"} < set(left.non_gating_symbols)
    gate = ctl("gate", "-w", workspace, "--json").document
    assert (gate["passed"], [item["symbol"] for item in gate["symbol_results"]]) == (True, ["CL"])
    assert ctl("lock", "-w", workspace, "--set", "PL.gating=true", "--reason", "PL again").code == 0
    path = "configs/cutover/operating_profile_v3.yaml"
    again = op.load((workspace / path).read_bytes(), path)
    assert (again.gating_universe, again.portfolio_recommendation) == (("CL", "PL"), "CONDITIONAL GO")
    assert again.symbol_settings["PL"] == settings
    assert ctl("plan", "-w", workspace, "--set", "CL.gating=false", "--set", "PL.gating=false").code == 64


def test_an_edited_profile_is_locked_anew_and_its_inputs_with_it(workspace: Path, ctl: Any) -> None:
    path = workspace / V1
    path.write_text(path.read_text().replace("slippage_per_side: 0.25", "slippage_per_side: 0.50"))
    inject(workspace, "restated-bar", "ES")
    (broken,) = [row for row in ctl("gate", "-w", workspace, "--json").document["locks"] if not row["held"]]
    assert broken["code"] == "PROFILE_EDITED"
    assert broken["changes"] == [{"key": "symbol_settings.ES.slippage_per_side", "old": 0.25, "new": 0.5}]
    assert ctl("lock", "-w", workspace, "--reason", "slippage calibrated; ES restated").code == 0
    gate = ctl("gate", "-w", workspace, "--json")
    assert (gate.code, gate.document["restatements"]) == (0, [])
    entry = newest(workspace)
    assert "profile locked anew" in entry["gate_impact"]
    assert any(text.startswith("ES: ") and "restated" in text for text in entry["inputs"])


@pytest.mark.parametrize(("harm", "code"), [("gone", "LOCK_MISSING"), ("no lock", "LOCK_EDITED")])
def test_a_profile_without_a_usable_lock_file_is_locked(workspace: Path, ctl: Any, harm: str, code: str) -> None:
    locked = anchors.lock_path(workspace / V1)
    document = json.loads(locked.read_bytes())
    document.pop("inputs")
    locked.write_text(json.dumps(document)) if harm == "no lock" else locked.unlink()
    ran = ctl("gate", "-w", workspace, "--json")
    assert (ran.code, code in {item["code"] for item in ran.document["problems"]}) == (2, True)
    assert ctl("plan", "-w", workspace, "--json").document["changed"] is True
    assert ctl("certify", "CL", "-w", workspace).code == 0  # decides nothing, so it needs no lock
    assert ctl("lock", "-w", workspace, "--reason", "the first lock").code == 0
    assert ctl("gate", "-w", workspace).code == 0


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("ratchet=x", "ratchet: found 'x'"),
        ("ratchet=[", "expected one value"),
        ("ratchet", "KEY=VALUE"),
        ("ES.tick=0.25", "symbol_settings.ES.tick: found an unknown key"),
        ("NQ.tick_size=0.25", "NQ"),
        ("portfolio_recommendation=GO", "portfolio_recommendation"),
    ],
)
def test_a_setting_that_no_profile_can_have_is_a_usage_error(
    workspace: Path, ctl: Any, setting: str, said: str
) -> None:
    ran = ctl("plan", "-w", workspace, "--set", setting)
    assert (ran.code, ran.out) == (64, "")
    assert said in ran.err


REFUSED: dict[str, tuple[Callable[[Path], None], list[str], int, str]] = {
    "reject": (lambda folder: inject(folder, "wrong-commodity", "PL"), ["--reason", "x"], 2, "PL REJECT"),
    "error": (lambda folder: shutil.rmtree(folder / "data/raw/databento/ES"), ["--reason", "x"], 2, "ES ERROR"),
    "empty reason": (lambda folder: None, ["--reason", " \n"], 64, "--reason"),
    "long reason": (lambda folder: None, ["--reason", "x" * 4001], 64, "4001 characters"),
    "no reason": (lambda folder: None, [], 64, "--reason"),
    "invalid profile": (
        lambda folder: edit(folder / V1, "schema_version: 1", "schema_version: 2"),
        ["--reason", "x"], 2, "schema_version",
    ),
    "no profile": (lambda folder: (folder / V1).unlink(), ["--reason", "x"], 2, "cannot be read"),
    "damaged log": (
        lambda folder: store.write_atomic(folder / "docs/governance/decision_log.jsonl", b"{}"),
        ["--reason", "x"], 2, "decision_log.jsonl:1",
    ),
    "profile named in two ways": (
        lambda folder: edit(folder / "ctl.toml", "profile = ", "'profile' = "),
        ["--set", "ratchet=0.5", "--reason", "x"], 1, "profile",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_nothing_written(workspace: Path, ctl: Any, case: str) -> None:
    arrange, arguments, code, text = REFUSED[case]
    arrange(workspace)
    before = tree(workspace)
    ran = ctl("lock", "-w", workspace, *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert text in ran.err
    after = tree(workspace)
    after.pop(".ctl/run.lock", None)
    assert after == before


def test_another_command_holding_the_workspace_is_waited_for_by_nobody(workspace: Path, ctl: Any) -> None:
    from ctl import clock

    held = store.RunLock(store.Workspace.load(workspace).lock_path, instant=clock.now(), purpose="ctl ops")
    with held:
        ran = ctl("lock", "-w", workspace, "--reason", "x")
    assert ran.code == 1
    assert "ctl ops" in ran.err


def test_any_write_that_fails_leaves_the_old_profile_in_force(
    workspace: Path, ctl: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ctl import clock

    opened, instant = store.Workspace.load(workspace), clock.now()
    planned = lock.plan(opened, {"ratchet": "0.5"}, keep=True, instant=instant)
    monkeypatch.setattr(lock, "plan", lambda found, settings, **_: planned)
    monkeypatch.setattr(lock, "_require_passing", lambda *_: portfolio.Gated(planned.decision, {}))
    real, governance = os.fsync, workspace / "docs/governance"
    kept = {path: path.read_bytes() for path in [workspace / "ctl.toml", *governance.iterdir()]}
    codes: list[str] = []
    while codes[-1:] != ["none"]:
        calls = 0

        def fsync(handle: int, failing: int = len(codes) + 1) -> None:
            nonlocal calls
            calls += 1
            if calls == failing:
                raise OSError(28, "No space left on device")
            real(handle)

        monkeypatch.setattr(os, "fsync", fsync)
        try:
            lock.lock(opened, reason="x", instant=instant)
            codes.append("none")
        except WorkspaceError as error:
            codes.append(error.code)
            monkeypatch.setattr(os, "fsync", real)
            document = ctl("verify", "-w", workspace, "--json").document
            assert document["problems"] == []
            now = store.Workspace.load(workspace)
            # the entry decides: after it the new version is in force, whether or not ctl.toml names it yet
            assert (now.relative(now.profile_path) == V2) is (document["entries"] == 12)
            for path, data in kept.items():
                path.write_bytes(data)
            (workspace / "ctl.toml.next").unlink(missing_ok=True)
    assert len(codes) > 15
    assert {*codes[:-1]} == {"WRITE_FAILED"}
    assert ctl("verify", "-w", workspace, "--json").document["entries"] == 12
    assert ctl("gate", "-w", workspace).code == 0


# ---------------------------------------------------------------- verify


def test_verify_names_the_first_broken_entry(workspace: Path, ctl: Any) -> None:
    log = workspace / "docs/governance/decision_log.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(
        b"".join((*lines[:8], lines[8].replace(b"reason", b"raison", 1), *lines[9:])).replace(b"wired", b"put")
    )
    ran = ctl("verify", "-w", workspace, "--json")
    assert ran.code == 2
    assert (ran.document["verified"], ran.document["problems"][0]["entry"]) == (False, "H.10")
    log.write_bytes(b"".join((*lines[:4], *lines[5:])))
    ran = ctl("verify", "-w", workspace)
    assert (ran.code, "entry D-0005" in ran.out) == (2, True)
    log.write_bytes(b"".join(lines[:8]))
    assert ctl("verify", "-w", workspace).code == 2
    assert ctl("lock", "-w", workspace, "--reason", "x").code == 2
    log.write_bytes(b"".join(lines))
    assert ctl("verify", "-w", workspace).code == 0
    (workspace / V1).write_bytes((workspace / V1).read_bytes() + b"# edited\n")
    ran = ctl("verify", "-w", workspace)
    assert (ran.code, V1 in ran.out) == (2, True)


def test_verify_renders_a_lost_document_anew_when_asked_to(workspace: Path, ctl: Any) -> None:
    document = workspace / "docs/governance/cutover_h2_h3_decision_log.md"
    whole = document.read_bytes()
    document.unlink()
    assert ctl("verify", "-w", workspace).code == 2
    assert ctl("verify", "-w", workspace, "--render").code == 0
    assert document.read_bytes() == whole


# ---------------------------------------------------------------- profile diff


def test_profile_diff_says_what_differs_and_nothing_else(workspace: Path, ctl: Any) -> None:
    old, new = workspace / V1, workspace / "draft.yaml"
    text = old.read_text()
    new.write_text("# a comment\n" + text.replace("max_day_delta: 2", "max_day_delta: 4"))
    ran = ctl("profile", "diff", old, new, "--json")
    assert ran.code == 0
    assert ran.document["changes"] == [{"key": "symbol_settings.PL.max_day_delta", "old": 2, "new": 4}]
    assert (ran.document["old"]["version"], ran.document["new"]["version"]) == (1, None)
    assert "symbol_settings.PL.max_day_delta" in ctl("profile", "diff", old, new).out
    new.write_text("# only a comment\n" + text)
    ran = ctl("profile", "diff", old, new, "--json")
    assert (ran.code, ran.document["equal"], ran.document["changes"]) == (0, True, [])
    assert "no difference" in ctl("profile", "diff", old, new).out


def test_profile_diff_refuses_bad_files_with_every_problem(workspace: Path, ctl: Any) -> None:
    bad = workspace / "bad.yaml"
    bad.write_text((workspace / V1).read_text().replace("schema_version: 1", "schema_version: 2"))
    worse = workspace / "worse.yaml"
    worse.write_text("cycle_id: [\n")
    ran = ctl("profile", "diff", bad, worse)
    assert (ran.code, ran.out) == (2, "")
    assert "bad.yaml:" in ran.err
    assert "worse.yaml:" in ran.err
    assert ctl("profile", "diff", bad, workspace / "none.yaml").code == 64
