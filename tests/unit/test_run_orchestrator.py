"""Plan, execution and summary of a portfolio run, with made-up strategies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from certificate_of import certificate_of
from certify_market import Market
from locked_symbols import locked_symbol, since_lock
from ops_workspace import BOARD, CURRENT, INSTANT, TEMPLATE, TOML, lock_of

from ctl import __version__, digests, gatekeeper, store
from ctl import operating_profile as op
from ctl import run_orchestrator as runner
from ctl.errors import DataError, GateRefused, WorkspaceError
from ctl.flows import kept_bars, portfolio
from ctl.flows.inputs import SymbolInputs
from ctl.flows.portfolio import SymbolOutcome
from ctl.flows.watching import Watched
from ctl.model.certificate import Certificate
from ctl.model.documents import document
from ctl.model.findings import Decision, Reason
from ctl.model.run import PlanEntry, SymbolRun
from ctl.run_orchestrator import RunOptions


def locked_profile() -> op.OperatingProfile:
    return op.load(TEMPLATE.read_bytes(), TEMPLATE.name)


def certificates_of(es: Decision = "WATCH") -> dict[str, Certificate]:
    statuses: dict[str, Decision] = {"ES": es, "CL": "ACCEPT", "PL": "WATCH"}
    drift = Reason("MEAN_DRIFT", "WATCH", "mean drift 7.33 > 5.00 (index points)")
    return {
        symbol: certificate_of(symbol, status, *(() if status == "ACCEPT" else (drift,)))
        for symbol, status in statuses.items()
    }


def decide(es: Decision = "WATCH") -> gatekeeper.GateDecision:
    lock, certificates = lock_of(locked_profile()), certificates_of(es)
    return gatekeeper.decide(
        locked_profile(),
        gatekeeper.LockRead(lock, sha256="3" * 64, workspace_sha256="4" * 64, log_head="5" * 64),
        current=CURRENT,
        certificates=certificates,
        watched=since_lock(BOARD, certificates, lock.symbols),
        instant=INSTANT,
    )


@pytest.fixture
def workspace(tmp_path: Path) -> store.Workspace:
    (tmp_path / "ctl.toml").write_text(TOML)
    return store.Workspace.load(tmp_path)


def outcome(entry: PlanEntry) -> SymbolOutcome:
    exits = {"ES": [date(2020, 5, 4), date(2021, 1, 5)], "CL": [date(2020, 5, 4)], "PL": [], "PA": []}[entry.symbol]
    trades = pl.DataFrame(
        {"exit_session": exits, "r_theoretical": [entry.slippage_per_side] * len(exits)},
        schema={"exit_session": pl.Date, "r_theoretical": pl.Float64},
    )
    return executed(entry, {"trade_count": len(exits)}, trades)


def executed(entry: PlanEntry, metrics: dict[str, Any], trades: pl.DataFrame | None = None) -> SymbolOutcome:
    return SymbolOutcome(
        SymbolRun(entry.symbol, entry.role, "EXECUTED", metrics=metrics, extra={"open": []}), trades=trades
    )


class Made:
    """The stages of runs whose gate and strategy are made up."""

    def __init__(self, workspace: store.Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
        self._workspace, self._monkeypatch = workspace, monkeypatch

    def stages(self, run_symbol: Any = outcome, *, es: Decision = "WATCH", **options: Any) -> Iterator[runner.Run]:
        self._monkeypatch.setattr(portfolio, "gate", lambda *_, **__: portfolio.Gated(decide(es), {}))
        self._monkeypatch.setattr(portfolio, "run_symbol", lambda _, entry, *__, **___: run_symbol(entry))
        return runner.run(self._workspace, locked_profile(), RunOptions(**options), instant=INSTANT)

    def __call__(self, run_symbol: Any = outcome, **options: Any) -> runner.Run:
        *_, last = self.stages(run_symbol, **options)
        return last


@pytest.fixture
def run(workspace: store.Workspace, monkeypatch: pytest.MonkeyPatch) -> Made:
    return Made(workspace, monkeypatch)


def statuses(made: runner.Run) -> dict[str, str]:
    return {result.symbol: result.status for result in made.finished().symbol_run_results}


def plan_of(workspace: store.Workspace, profile: op.OperatingProfile | None = None) -> runner.RunPlan:
    return runner.build_plan(profile or locked_profile(), decide(), workspace.symbols, RunOptions())


def written(workspace: store.Workspace, made: runner.Run) -> dict[str, Any]:
    assert made.summary_path is not None
    assert made.summary_path.parent == workspace.run_summaries
    return dict(json.loads(made.summary_path.read_bytes()))


def test_the_plan_takes_slippage_from_the_profile(workspace: store.Workspace) -> None:
    plan = plan_of(workspace)
    rows = [(e.symbol, e.role, e.action, e.reason, e.tick, e.slippage_per_side) for e in plan.entries]
    assert rows == [
        ("ES", "gating", "RUN", "", 0.25, 0.25),
        ("CL", "gating", "RUN", "", 0.01, 0.01),
        ("PL", "gating", "RUN", "", 0.1, 0.1),
        ("PA", "non-gating", "SKIP", "non-gating", 0.5, 0.5),
        ("AAPL", "non-gating", "SKIP", "non-gating", 0.0, 0.0),
        ("XLE", "non-gating", "SKIP", "non-gating", 0.0, 0.0),
    ]
    assert [entry.slippage_source for entry in plan.entries[:4]] == ["profile"] * 3 + ["one tick of the workspace"]


def test_non_gating_symbols_run_when_asked_for(run: Made) -> None:
    made = run(include_non_gating=True)
    assert statuses(made) == {
        "ES": "EXECUTED", "CL": "EXECUTED", "PL": "EXECUTED", "PA": "EXECUTED", "AAPL": "SKIPPED", "XLE": "SKIPPED",
    }  # fmt: skip
    assert made.results[4].reason == "neither the profile nor ctl.toml has settings of it"
    assert statuses(run())["PA"] == "SKIPPED"


def test_a_dry_run_shows_the_same_plan_and_runs_nothing(workspace: store.Workspace, run: Made) -> None:
    def never(entry: PlanEntry) -> SymbolOutcome:
        raise AssertionError(entry.symbol)

    made = run(never, dry_run=True)
    assert set(statuses(made).values()) == {"DRY_RUN", "SKIPPED"}
    assert made.summary_path is None
    with pytest.raises(DataError, match="dry run"):
        runner.persist(made.finished(), None, workspace)
    assert not workspace.processed.exists()
    real, dry = document(run().plan), document(made.plan)
    assert dry.pop("dry_run") is True
    assert real.pop("dry_run") is False
    assert dry == real


def test_a_run_that_is_not_to_be_recorded_writes_nothing(workspace: store.Workspace, run: Made) -> None:
    made = run(record=False)
    assert set(statuses(made).values()) == {"EXECUTED", "SKIPPED"}
    assert made.summary_path is None
    assert not workspace.processed.exists()


def test_executing_needs_the_pass_of_this_profile(workspace: store.Workspace) -> None:
    plan = plan_of(workspace)
    for forged in (None, "pass", object(), decide()):
        with pytest.raises(TypeError, match="GatePass"):
            next(runner.execute(plan, forged, workspace, {}, locked_profile(), RunOptions(), instant=INSTANT))  # type: ignore[arg-type]
    other = op.load(
        op.with_values(TEMPLATE.read_bytes(), {("policy_constraints", "thresholds_locked"): False}), "other.yaml"
    )
    with pytest.raises(GateRefused, match="another profile"):
        plan_of(workspace, other)


def test_a_refused_gate_gives_its_decision_and_runs_nothing(workspace: store.Workspace, run: Made) -> None:
    calls: list[str] = []
    stages = run.stages(lambda entry: calls.append(entry.symbol), es="REJECT")
    first = next(stages)
    assert (first.decision.passed, first.plan, first.results) == (False, None, ())
    with pytest.raises(GateRefused, match="ES: expected WATCH, actual REJECT"):
        next(stages)
    assert calls == []
    assert not workspace.processed.exists()


@pytest.mark.parametrize(
    ("broken", "code", "text"),
    [
        (DataError("no open, high, low", where="CL"), "DATA_UNFIT", "CL: no open, high, low"),
        (ZeroDivisionError("division by zero"), "UNEXPECTED", "unexpected ZeroDivisionError: division by zero"),
        ({"metrics": {"x": float("nan")}}, "RESULT_UNREADABLE", "cannot be written as JSON"),
        ({"metrics": {"x": object()}}, "RESULT_UNREADABLE", "cannot be written as JSON"),
        ({"metrics": {}, "trades": pl.DataFrame({"a": [1]})}, "RESULT_UNREADABLE", "no exit_session"),
    ],
)
def test_one_symbol_fails_and_the_others_run(run: Made, broken: Any, code: str, text: str) -> None:
    def run_symbol(entry: PlanEntry) -> SymbolOutcome:
        if entry.symbol != "CL":
            return outcome(entry)
        if isinstance(broken, Exception):
            raise broken
        return executed(entry, **broken)

    made = run(run_symbol)
    assert statuses(made)["CL"] == "ERROR"
    assert statuses(made)["ES"] == statuses(made)["PL"] == "EXECUTED"
    assert made.finished().has_errors
    assert made.results[1].code == code
    assert text in made.results[1].reason
    assert made.summary_path is not None


def test_a_reason_shows_no_secret(workspace: store.Workspace, run: Made) -> None:
    def run_symbol(_: PlanEntry) -> SymbolOutcome:
        raise DataError("cannot reach https://hooks.example.com/services/abcdefghijklmnop")

    made = run(run_symbol, secrets=("https://hooks.example.com/services/abcdefghijklmnop",))
    assert made.results[0].reason == "cannot reach [redacted]"
    assert "abcdefghijklmnop" not in repr(made)
    assert "abcdefghijklmnop" not in json.dumps(written(workspace, made))


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_an_interruption_is_not_one_symbols_error(run: Made, stop: type[BaseException]) -> None:
    def run_symbol(_: PlanEntry) -> SymbolOutcome:
        raise stop

    with pytest.raises(stop):
        run(run_symbol)


def test_the_summary_and_its_trades(workspace: store.Workspace, run: Made) -> None:
    made = run()
    summary = written(workspace, made)
    path = workspace.run_summaries / "20260302_050007_portfolio_run.json"
    assert made.summary_path == path
    trades = path.with_name("20260302_050007_trades.parquet")
    assert summary["timestamp"] == "2026-03-02T05:00:07Z"
    assert summary["trades"] == {"file": trades.name, "sha256": digests.sha256_file(trades), "rows": 3}
    assert summary["digests"] == {
        "profile": locked_profile().sha256,
        "lock": "3" * 64,
        "workspace": "4" * 64,
        "certificates": {symbol: found.sha256 for symbol, found in certificates_of().items()},
        "strategy": digests.digest(document(CURRENT.strategy)),
        "thresholds": digests.digest(CURRENT.thresholds),
        "log_head": "5" * 64,
        "passed_bars": {},
    }
    assert summary["package_version"] == __version__
    assert summary["simulated"] is True
    assert summary["symbol_run_results"][0]["metrics"] == {"trade_count": 2}
    assert summary["symbol_run_results"][0]["extra"] == {"open": []}
    assert {**summary, "trades": None} == document(made.finished())
    rows = pl.read_parquet(trades).select("exit_session", "symbol", "r_theoretical").rows()
    assert rows == [
        (date(2020, 5, 4), "CL", 0.01),
        (date(2020, 5, 4), "ES", 0.25),
        (date(2021, 1, 5), "ES", 0.25),
    ]


def test_same_inputs_same_bytes_and_two_runs_in_one_second(workspace: store.Workspace, run: Made) -> None:
    first, second = (run().summary_path for _ in range(2))
    assert first is not None
    assert second is not None
    assert second.name == "20260302_050007_2_portfolio_run.json"
    one, two = first.read_text(), second.read_text()
    assert one.replace("20260302_050007_trades", "X") == two.replace("20260302_050007_2_trades", "X")
    folder = workspace.run_summaries
    assert (folder / "20260302_050007_trades.parquet").read_bytes() == (
        folder / "20260302_050007_2_trades.parquet"
    ).read_bytes()
    assert len(list(folder.iterdir())) == 4


def test_a_run_without_any_trade_still_writes_the_file(workspace: store.Workspace, run: Made) -> None:
    summary = written(workspace, run(lambda entry: executed(entry, {"trade_count": 0})))
    assert summary["trades"]["rows"] == 0
    assert pl.read_parquet(workspace.run_summaries / summary["trades"]["file"]).height == 0


def test_a_run_in_which_nothing_could_be_executed_has_no_trades_and_no_orders(
    workspace: store.Workspace, run: Made
) -> None:
    def run_symbol(_: PlanEntry) -> SymbolOutcome:
        raise DataError("no data")

    summary = written(workspace, run(run_symbol))
    assert [summary[name] for name in ("trades", "portfolio", "orders", "risk")] == [None] * 4
    assert [path.name for path in workspace.run_summaries.iterdir()] == ["20260302_050007_portfolio_run.json"]


def test_each_stage_names_the_symbol_under_way(run: Made) -> None:
    stages = list(run.stages())
    assert [stage.coming for stage in stages] == ["", "ES", "CL", "PL", "PA", "AAPL", "XLE", "", "", ""]
    assert [len(stage.results) for stage in stages] == [0, 0, 1, 2, 3, 4, 5, 6, 6, 6]
    with pytest.raises(ValueError, match="no summary yet"):
        stages[-3].finished()


# ---------------------------------------------------------------- bars of a pass


def gated_on_bars(es: Decision = "WATCH") -> portfolio.Gated:
    """A decision on locked symbols, of which ES was read from made-up bars that go on after the lock."""
    last = replace(locked_symbol(), last_canonical=date(2005, 1, 3), last_reference=date(2005, 1, 3))
    decided: Any = SimpleNamespace(passed=es == "WATCH")
    market = Market(contracts=3)
    held = SymbolInputs("ES", "XX", market.bars(), None, market.reference(), None)
    return portfolio.Gated(decided, {}, watched={"ES": Watched(after=kept_bars.after(held, last))})


@pytest.mark.parametrize(
    ("es", "rehearsal", "kept"), [("WATCH", "", 1), ("REJECT", "", 0), ("WATCH", "as of 2026-02-20", 0)]
)
def test_bars_are_kept_of_a_gate_that_passed_and_is_no_rehearsal(
    workspace: store.Workspace, es: Decision, rehearsal: str, kept: int
) -> None:
    assert runner.keep_pass(workspace, gated_on_bars(es), rehearsal=rehearsal, instant=INSTANT) is None
    assert len(kept_bars.pass_files(workspace)) == kept


def test_where_nobody_may_write_a_pass_is_a_pass_and_says_that_its_bars_were_not_kept(
    workspace: store.Workspace,
) -> None:
    workspace.passes.parent.mkdir(parents=True)
    workspace.passes.write_text("in the way of the folder")
    why = runner.keep_pass(workspace, gated_on_bars(), instant=INSTANT)
    assert isinstance(why, WorkspaceError)
