"""`import ctl`: five functions in the order of the flow, the same results and errors as the commands."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import polars as pl
import pytest

import ctl as package
from ctl.drawing import Picture, Scale
from ctl.errors import DataError, InputError, ProfileError, UsageError
from ctl.model.display import Card, html, pandas_frame
from ctl.model.documents import document
from ctl.model.manifest import RollManifest

REPOSITORY = Path(__file__).resolve().parents[2]
README, SOURCE = REPOSITORY / "README.md", REPOSITORY / "src"
HEAVY = "polars numpy numba pandas pydantic exchange_calendars httpx typer rich"


def fresh(code: str) -> str:
    """What a new interpreter prints."""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def raw(filled_workspace: Path) -> Path:
    return filled_workspace / "data" / "raw"


@pytest.fixture(scope="module")
def es(raw: Path):
    bars = package.load(raw / "databento" / "ES", root="ES")
    return bars, package.build(bars, months="HMUZ")


def reference(raw: Path, kind: str) -> Path:
    (path,) = (raw / "tradestation").glob(f"TS_ES_CUSTOM_{kind}_1D_*")
    return path


def test_the_public_names_are_the_flow_in_order():
    assert package.__all__ == ["load", "build", "certify", "gate", "backtest"]
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = package.nonsense


@pytest.mark.parametrize("name", package.__all__)
def test_a_public_function_is_a_plain_function_with_its_own_signature_and_help(name: str):
    function = getattr(package, name)
    assert inspect.isfunction(function)
    assert function.__module__ == "ctl"
    signature = inspect.signature(function)
    assert signature.return_annotation is not inspect.Signature.empty
    for parameter in signature.parameters.values():
        assert parameter.kind in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}
        assert parameter.annotation is not inspect.Parameter.empty
        assert re.search(rf"\b{parameter.name}\b", function.__doc__), f"{parameter.name} is not explained"


def test_the_lines_of_the_readme_pass_a_type_check(tmp_path: Path):
    """What a reader pastes into a typed module is typed: mypy, strict, on the very lines."""
    (lines,) = re.findall(r"## In a notebook\n\n```python\n(.*?)```", README.read_text(), re.DOTALL)
    checked = tmp_path / "readme_lines.py"
    shown = "".join(f"reveal_type({name})\n" for name in ("bars", "series", "certificate", "decision", "result"))
    checked.write_text(lines + shown)
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file", os.devnull, checked],
        check=False, capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "MYPYPATH": str(SOURCE)},
    )  # fmt: skip
    assert re.findall(r'Revealed type is "ctl[\w.]*\.(\w+)"', ran.stdout) == [
        "ContractBars", "ContinuousSeries", "Certificate", "GateDecision", "Result",
    ], ran.stdout + ran.stderr  # fmt: skip
    assert ran.returncode == 0, ran.stdout


def test_importing_the_package_imports_nothing_heavy():
    assert fresh(f"import sys, ctl; print([m for m in '{HEAVY}'.split() if m in sys.modules])") == "[]"


def test_build_gives_the_manifest_of_the_command(ctl, raw: Path, es):
    ran = ctl("build", "--contracts", raw / "databento" / "ES", "--root", "ES", "--months", "HMUZ", "--json")
    assert json.loads(json.dumps(document(RollManifest.of(es[1], package_version=package.__version__)))) == ran.document


def test_certify_gives_the_certificate_of_the_command(ctl, raw: Path, es):
    files = {"adjusted": reference(raw, "ADJ"), "unadjusted": reference(raw, "UNADJ")}
    certificate = package.certify(*es, tick=0.25, max_day_delta=3, **files)
    words = [word for name, path in files.items() for word in (f"--{name}", path)]
    ran = ctl(
        "certify", "--contracts", raw / "databento" / "ES", "--root", "ES", "--months", "HMUZ",
        "--tick", "0.25", "--max-day-delta", "3", *words, "--json",
    )  # fmt: skip
    assert certificate.decision == "WATCH"
    assert json.loads(json.dumps(certificate.document)) == ran.document
    shown = certificate._repr_html_()
    assert certificate.caption.startswith("ES: WATCH   mean drift ")
    assert repr(certificate) == certificate.caption
    assert certificate.causes()["mean"].to_list()[-1] == pytest.approx(certificate.mean_drift)
    assert certificate.alternatives()["series"].to_list()[0] == "as built"
    assert "ES: WATCH" in shown
    assert "mean drift" in shown
    checks = certificate.to_polars()
    assert set(checks["layer"]) >= {"L0", "L1", "L2", "L3", "L4"}
    assert certificate.to_pandas().shape == checks.shape


def test_backtest_gives_the_document_of_the_command(ctl, es, tmp_path: Path):
    path = tmp_path / "ES.csv"
    es[1].frame.drop("close_unadjusted", "contract").write_csv(path)
    ran = ctl("backtest", path, "--tick", "0.25", "--slippage", "0.25", "--param", "slope_threshold=6", "--json")
    from_file = package.backtest(path, tick=0.25, slippage=0.25, parameters={"slope_threshold": 6})
    from_series = package.backtest(es[1], tick=0.25, slippage=0.25, parameters={"slope_threshold": 6})
    published = ran.document
    assert (published.pop("kind"), published.pop("schema_version")) == ("backtest", 1)
    statistics = published.pop("statistics")
    assert from_file.document() == from_series.document() == published
    assert statistics["curve"][-1]["total_r"] == pytest.approx(published["metrics"]["total_r"])
    assert published["trades"]
    trades = from_series.to_polars()
    assert trades.height == len(from_series.trades) + len(from_series.open)
    assert trades.schema["entry_session"] == pl.Date
    assert trades["r_theoretical"].sum() == pytest.approx(from_series.metrics.total_r + from_series.metrics.open_r)
    assert from_series.triggers_frame().height == from_series.metrics.trigger_count
    assert from_series.to_pandas()["entry_session"].dtype.kind == "M"


def test_gate_gives_the_decision_of_the_command(ctl, filled_workspace: Path, monkeypatch: pytest.MonkeyPatch):
    decision = package.gate(filled_workspace)
    shown = ctl("gate", "-w", filled_workspace, "--json").document
    assert decision.passed
    assert {**document(decision), "timestamp": None} == {**shown, "timestamp": None}
    assert decision.to_polars()["actual"].to_list() == ["WATCH", "ACCEPT", "WATCH"]
    monkeypatch.chdir(filled_workspace / "data")
    assert package.gate().passed
    with pytest.raises(ProfileError, match="nothing may run without one"):
        package.gate(filled_workspace, profile=filled_workspace / "absent_v1.yaml")


def test_as_of_leaves_later_sessions_out(raw: Path):
    until = date(2020, 6, 30)
    bars = package.load(raw / "databento" / "ES", root="ES", as_of=until)
    assert bars.frame["session"].max() == until
    certificate = package.certify(
        bars,
        package.build(bars, months="HMUZ"),
        tick=0.25,
        max_day_delta=3,
        adjusted=reference(raw, "ADJ"),
        as_of=until,
    )
    assert certificate.document["overlap"]["last_session"] == "2020-06-30"


def test_a_mixed_up_root_is_refused_by_build_and_named_by_certify(raw: Path):
    bars = package.load(raw / "databento" / "ES", root="CL")
    with pytest.raises(DataError, match="found ES; expected CL"):
        package.build(bars)
    found = package.certify(bars, None, tick=0.01, max_day_delta=3, adjusted=reference(raw, "ADJ"))
    assert found.decision in {"REJECT", "ERROR"}
    assert any(reason.code == "IDENTITY_MISMATCH" for reason in found.reasons)


def test_patterns_are_spread_in_order_and_may_not_match_nothing(tmp_path: Path):
    header = "session,contract,open,high,low,close,volume\n"
    for name in ("ESM25", "ESH25"):
        (tmp_path / f"{name}.csv").write_text(f"{header}2025-01-06,{name},1,2,1,1,5\n")
    bars = package.load(str(tmp_path / "ES*.csv"), root="ES")
    assert [source.name for source in bars.meta.sources] == ["ESH25.csv", "ESM25.csv"]
    with pytest.raises(InputError, match="no files"):
        package.load(str(tmp_path / "NQ*.csv"), root="NQ")
    with pytest.raises(UsageError, match="a series is one file"):
        package.load(str(tmp_path / "ES*.csv"))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"months": "AB"}, "no delivery months"),
        ({"months": ""}, "no delivery months"),
        ({"policy": "schedule"}, "go together"),
        ({"policy": "calendar", "anchor": "fixed_day"}, "needs --fixed-day"),
    ],
)
def test_build_refuses_options_that_do_not_fit(es, options, text: str):
    with pytest.raises(UsageError, match=text):
        package.build(es[0], **options)


@pytest.mark.parametrize(
    ("terms", "text"),
    [
        ({"tick": 0.0, "max_day_delta": 3}, "tick must be a positive"),
        ({"tick": float("nan"), "max_day_delta": 3}, "tick must be a positive"),
        ({"tick": 0.25, "max_day_delta": -1}, "negative"),
        ({"tick": 0.25, "max_day_delta": 3, "acceptance": "v3"}, "v1 or v2"),
        ({"tick": 0.25, "max_day_delta": 3}, "nothing to certify against"),
    ],
)
def test_certify_refuses_terms_that_cannot_be_used(es, terms, text: str):
    with pytest.raises(UsageError, match=text):
        package.certify(*es, **terms)


def test_backtest_refuses_a_parameter_out_of_its_range_unless_unregistered(es):
    with pytest.raises(UsageError, match="registered range"):
        package.backtest(es[1], parameters={"slope_threshold": 99})
    assert (
        package.backtest(es[1], parameters={"slope_threshold": 99}, unregistered=True).parameters["slope_threshold"]
        == 99
    )
    with pytest.raises(ProfileError, match="'nonsense' is not installed; installed: b1"):
        package.backtest(es[1], strategy="nonsense")


def test_every_result_shows_itself(es, filled_workspace: Path):
    bars, series = es
    for shown in (bars, series, package.load(series_file(filled_workspace)), package.gate(filled_workspace)):
        page = shown._repr_html_()
        assert page.startswith("<div>")
        assert page.endswith("</div>")
        assert len(page) < 20_000
        assert repr(shown) == shown.caption
        assert shown.caption in page
    assert series.caption == "ES 2018-01-02 to 2026-02-27, 2053 sessions, 32 rolls, difference, last trade, UTC days"
    assert series._repr_html_().count("<svg xmlns=") == 1
    assert series.plot().title.startswith("ES: 32 gaps add up to ")
    with pytest.raises(DataError, match="nothing of it can be drawn"):
        bars.plot()
    assert series.rolls_frame()["roll_date"].to_list() == [roll.roll_date for roll in series.rolls]


def series_file(workspace: Path) -> Path:
    return reference(workspace / "data" / "raw", "ADJ")


def test_every_text_in_a_notebook_is_escaped():
    frame = pl.DataFrame({"<i>": ["<script>alert(1)</script>", None]})
    picture = Picture("<u>", Scale(0, 1), Scale(0, 1)).text(0, 0, "<u>")
    page = html(Card("<b>", [frame], picture, ["<img src=x>"]))
    assert "<script>" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page
    assert "&lt;b&gt;" in page
    assert "<td>-</td>" in page
    assert "<u>" not in page


def test_long_frames_show_both_ends():
    page = html(Card("x", [pl.DataFrame({"n": range(1000, 1025)})]))
    assert "19 more rows" in page
    assert [f"<td>{n}</td>" in page for n in (1000, 1002, 1003, 1021, 1022, 1024)] == [
        True,
        True,
        False,
        False,
        True,
        True,
    ]


def test_pandas_keeps_values_and_missing_ones():
    frame = pl.DataFrame(
        {"day": [date(2025, 1, 6), None], "n": [1, None], "x": [1.5, 2.5], "t": ["a", None], "b": [True, False]}
    )
    found = pandas_frame(frame)
    assert list(found.columns) == ["day", "n", "x", "t", "b"]
    assert str(found["day"][0].date()) == "2025-01-06"
    assert found["n"].isna().tolist() == [False, True]
    assert found["x"].tolist() == [1.5, 2.5]
    assert found["t"].tolist() == ["a", None]
    assert found["b"].dtype == bool
