"""The backtest command against B1 written a second time from the specification (tests/answers/b1_independent.py).

Every trigger and every trade, field by field, on six real futures and on tapes made without any vendor.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import b1_independent as independent
import pytest

from ctl.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
ANSWERS = ROOT / "tests" / "answers"
QUANTIACS = ROOT / ".." / "shared" / "data" / "continuous" / "quantiacs"
SYMBOLS = ("CL", "ES", "GC", "HG", "PA", "PL")

needs_vendor_data = pytest.mark.skipif(
    not QUANTIACS.is_dir(), reason=f"real futures are not present at {QUANTIACS}: vendor terms forbid copying them here"
)


@pytest.fixture
def backtest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Write bars to a file, run `ctl backtest FILE --json` in this process, return its document."""

    def run(bars: Any, *arguments: str) -> dict[str, Any]:
        path = tmp_path / "bars.csv"
        with path.open("w") as file:
            independent.write_bars(bars, file)
        capsys.readouterr()
        code = main(["backtest", str(path), "--json", "--calendar", "none", *arguments])
        captured = capsys.readouterr()
        assert code == 0, captured.err
        return json.loads(captured.out)

    return run


def _arguments(parameters: dict[str, Any], timeframe: str, slippage: float, tick: float | None, lots: int) -> list[str]:
    words = ["--timeframe", timeframe, "--slippage", repr(slippage), "--lots", str(lots)]
    if tick is not None:
        words += ["--tick", repr(tick)]
    for name, value in parameters.items():
        words += ["--param", f"{name}={value}"]
    return words


def _same(ours: Any, theirs: Any) -> bool:
    numbers = [isinstance(value, (int, float)) and not isinstance(value, bool) for value in (ours, theirs)]
    if all(numbers):
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)
    return type(ours) is type(theirs) and bool(ours == theirs)


def _differences(path: str, ours: Any, theirs: Any) -> Iterator[str]:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        if list(ours) != list(theirs):
            yield f"{path}: fields {list(ours)} against {list(theirs)}"
        for name in theirs.keys() & ours.keys():
            yield from _differences(f"{path}.{name}", ours[name], theirs[name])
    elif isinstance(theirs, list) and isinstance(ours, list) and len(ours) == len(theirs):
        for n, (mine, answer) in enumerate(zip(ours, theirs, strict=True)):
            yield from _differences(f"{path}[{n}]", mine, answer)
    elif not _same(ours, theirs):
        yield f"{path}: {ours!r} against {theirs!r}"


def _compare(ours: dict[str, Any], theirs: dict[str, Any], where: str) -> None:
    """Fail with the first differences, each with the session of the trigger it belongs to."""
    found = []
    for part in ("triggers", "trades", "open"):
        mine = {row["trigger_session"]: row for row in ours[part]}
        answer = {row["trigger_session"]: row for row in theirs[part]}
        assert len(mine) == len(ours[part])
        for session in sorted(mine.keys() | answer.keys()):
            if session not in mine or session not in answer:
                found.append(f"{part} {session}: only {'ctl' if session in mine else 'the independent script'} has it")
            else:
                found += _differences(f"{part} {session}", mine[session], answer[session])
        if not found and list(mine) != list(answer):
            found.append(f"{part}: in another order")
    metrics = {name: ours["metrics"].get(name, "missing") for name in theirs["metrics"]}
    found += _differences("metrics", metrics, theirs["metrics"])
    known = {name: value for name, value in theirs["parameters"].items() if name in ours["parameters"]}
    found += _differences("parameters", {name: ours["parameters"][name] for name in known}, known)
    assert not found, f"{where}: {len(found)} differences\n" + "\n".join(found[:12])


def _check(
    backtest: Any,
    bars: Any,
    where: str,
    parameters: dict[str, Any] | None = None,
    *,
    timeframe: str = "daily",
    slippage: float = 0.0,
    tick: float | None = None,
    lots: int = 3,
) -> dict[str, Any]:
    parameters = parameters or {}
    theirs = independent.run(bars, parameters, timeframe=timeframe, slippage=slippage, tick=tick, lots=lots)
    ours = backtest(bars, *_arguments(parameters, timeframe, slippage, tick, lots))
    _compare(ours, theirs, where)
    return theirs


def _head(bars: Any, count: int) -> Any:
    cut = independent.Bars()
    for name, column in vars(bars).items():
        setattr(cut, name, column[:count])
    return cut


# ---------------------------------------------------------------- real futures


@needs_vendor_data
@pytest.mark.parametrize("timeframe", ["daily", "weekly"])
@pytest.mark.parametrize("symbol", SYMBOLS)
def test_b1_equals_the_independent_script_on_real_futures(backtest: Any, symbol: str, timeframe: str) -> None:
    bars = independent.read_quantiacs(QUANTIACS / f"F_{symbol}.txt", independent.POINT_VALUES[symbol])
    for mode in (1, 2, 3):
        for collision in ("tp_wins", "stop_wins"):
            parameters = {"stop_mode": mode, "collision": collision}
            _check(backtest, bars, f"{symbol} {timeframe} {parameters}", parameters, timeframe=timeframe)
    tick = {"CL": 0.01, "ES": 0.25, "GC": 0.1, "HG": 0.05, "PA": 0.05, "PL": 0.1}[symbol]
    wide = {"slope_threshold": 4, "min_bars_of_air": 3, "breakdown_buffer_atr": 0.7, "min_risk_atr": 0}
    found = _check(
        backtest, bars, f"{symbol} {timeframe} wide", wide, timeframe=timeframe, slippage=tick, tick=tick, lots=5
    )
    assert len(found["trades"]) >= 10


@needs_vendor_data
@pytest.mark.parametrize("symbol", SYMBOLS)
def test_the_answers_in_the_repository_are_those_of_the_script(symbol: str) -> None:
    answers = json.loads((ANSWERS / "b1_quantiacs.json").read_bytes())[symbol]
    bars = independent.read_quantiacs(QUANTIACS / f"F_{symbol}.txt", independent.POINT_VALUES[symbol])
    for case in independent.CASES:
        stored = answers["cases"][independent.case_name(case)]
        assert independent.summary(independent.run_case(bars, case)) == stored


@needs_vendor_data
@pytest.mark.parametrize("symbol", SYMBOLS)
def test_rinfo_stands_on_the_first_row_of_the_new_contract(symbol: str) -> None:
    evidence = independent.roll_row_evidence(QUANTIACS / f"F_{symbol}.txt")
    helped = [offset for offset, (before, after) in evidence.items() if after < before]
    assert helped == [0]


# ---------------------------------------------------------------- tapes without a vendor


@pytest.mark.parametrize("timeframe", ["daily", "weekly"])
@pytest.mark.parametrize("seed", [1, 2, 4, 6])
def test_b1_equals_the_independent_script_on_made_tapes(backtest: Any, seed: int, timeframe: str) -> None:
    bars = independent.synthetic_bars(seed)
    trades = 0
    for mode, collision, lots in (
        (1, "tp_wins", 3),
        (2, "tp_wins", 1),
        (3, "tp_wins", 2),
        (1, "stop_wins", 4),
        (2, "stop_wins", 5),
        (3, "stop_wins", 6),
    ):
        parameters = {"stop_mode": mode, "collision": collision}
        wide = {**parameters, "slope_threshold": 4, "min_bars_of_air": 3}
        where = f"seed {seed} {timeframe} {parameters}"
        _check(backtest, bars, where, parameters, timeframe=timeframe, lots=lots)
        found = _check(backtest, bars, f"{where} wide", wide, timeframe=timeframe, slippage=0.25, tick=0.25, lots=lots)
        trades += len(found["trades"])
    assert trades >= (6 * 60 if timeframe == "daily" else 6 * 10)


@pytest.mark.parametrize(
    "parameters",
    [
        {"ema": 9, "slope_lookback": 15, "slope_threshold": 5, "swing_lookback": 15},
        {"ema": 11, "slope_lookback": 30, "slope_threshold": 14, "gap_scan_window": 200},
        {"min_bars_of_air": 10, "max_air_lookback": 20, "slope_threshold": 4},
        {"entry_grace_bars": 1, "breakdown_buffer_atr": 0.3, "slope_threshold": 4},
        {"entry_grace_bars": 5, "breakdown_buffer_atr": 0.7, "min_risk_atr": 0.25, "slope_threshold": 4},
        {"swing_lookback": 25, "gap_scan_window": 50, "max_air_lookback": 100, "min_risk_atr": 0},
    ],
    ids=str,
)
def test_every_registered_parameter_means_the_same(backtest: Any, parameters: dict[str, Any]) -> None:
    bars = independent.synthetic_bars(6)
    found = _check(backtest, bars, str(parameters), parameters, tick=0.25)
    assert found["triggers"] != independent.run(bars, {}, tick=0.25)["triggers"]


def test_percentages_are_undefined_where_the_price_of_the_day_was_not_positive(backtest: Any) -> None:
    bars = independent.synthetic_bars(2)
    for name in "ohlc":
        setattr(bars, name, [price - 1200.0 for price in getattr(bars, name)])
    found = _check(backtest, bars, "shifted down", {"slope_threshold": 4})
    assert found["metrics"]["slope_undefined_count"] > 100
    assert found["metrics"]["trigger_count"] > 20


@pytest.mark.parametrize("timeframe", ["daily", "weekly"])
def test_a_missing_volume_leaves_its_flag_unknown(backtest: Any, timeframe: str) -> None:
    bars = independent.synthetic_bars(1)
    bars.v = [None if n % 97 == 0 else volume for n, volume in enumerate(bars.v)]
    found = _check(backtest, bars, f"missing volumes {timeframe}", {"slope_threshold": 4}, timeframe=timeframe)
    assert {row["volume_declining"] for row in found["triggers"]} >= {None, False}


def test_every_state_at_the_end_of_the_data(backtest: Any) -> None:
    """Cut the tape on each of the bars around some triggers: the last state is reported and nothing earlier changes."""
    bars = independent.synthetic_bars(4, sessions=1500)
    parameters = {"slope_threshold": 4, "min_bars_of_air": 3, "stop_mode": 3}
    where = {session.isoformat(): n for n, session in enumerate(bars.session)}
    whole = independent.run(bars, parameters)
    lengths = set()
    chosen = whole["triggers"][:5]
    for status in ("expired", "no_trade"):
        chosen += [row for row in whole["triggers"] if row["status"] == status][:2]
    for row in chosen:
        lengths |= set(range(where[row["trigger_session"]] + 1, where[row["trigger_session"]] + 8))
    for trade in [trade for trade in whole["trades"] if trade["exit_reason"] == "Stop"][:3]:
        lengths |= {where[trade["exit_session"]] - 1, where[trade["exit_session"]], where[trade["exit_session"]] + 1}
    seen: Counter[str] = Counter()
    for length in sorted(lengths):
        found = _check(backtest, _head(bars, length), f"first {length} bars", parameters)
        if found["triggers"]:
            seen[found["triggers"][-1]["status"]] += 1
        for position in found["open"]:
            seen["awaiting_exit" if position["awaiting_exit"] else "open"] += 1
    assert seen.keys() >= {"pending", "awaiting_entry", "confirmed", "expired", "no_trade", "open", "awaiting_exit"}


@pytest.mark.parametrize("length", [1, 5, 199, 200, 201, 220])
def test_a_short_history(backtest: Any, length: int) -> None:
    bars = _head(independent.synthetic_bars(1, sessions=260), length)
    _check(backtest, bars, f"{length} bars")


def test_the_tapes_hold_what_they_are_for() -> None:
    """Guard against tapes that pass because nothing happens on them."""
    seen: Counter[str] = Counter()
    for seed in (1, 2, 4, 6):
        bars = independent.synthetic_bars(seed)
        assert all(
            low <= min(o, c) <= max(o, c) <= h for o, h, low, c in zip(bars.o, bars.h, bars.l, bars.c, strict=True)
        )
        for mode in (1, 2, 3):
            parameters = {"slope_threshold": 4, "min_bars_of_air": 3, "stop_mode": mode}
            found = independent.run(bars, parameters, slippage=0.25)
            for row in found["triggers"]:
                seen[row["status"]] += 1
                seen[str(row["reason"])] += 1
                for name in ("wr_divergence", "clean_pullback", "gap_below", "near_high", "fib_confluence"):
                    seen[f"{name} {row[name]}"] += 1
                for name in ("weekly_aligned", "monthly_aligned"):
                    seen[f"{name} {row[name]}"] += 1
            for row in found["trades"]:
                hit = row["tp1_hit"] + row["tp2_hit"] + row["tp3_hit"]
                seen[f"mode {mode} {row['outcome']} after {hit}"] += 1
                seen["collision"] += row["same_bar_collision"]
                seen["day1_fail"] += row["day1_fail"]
                seen["gapped through TP3"] += row["tp3_hit"] and row["tp3_fill"] > row["tp3"]
    wanted = {"expired", "no_trade", "risk_too_small", "entry_at_or_below_stop", "collision", "day1_fail"}
    wanted |= {"gapped through TP3", "wr_divergence True", "wr_divergence False", "fib_confluence True"}
    wanted |= {f"{name} {value}" for name in ("clean_pullback", "gap_below", "near_high") for value in (True, False)}
    wanted |= {"weekly_aligned True", "weekly_aligned False", "monthly_aligned None", "monthly_aligned True"}
    wanted |= {"mode 1 Loss after 0", "mode 1 Loss after 1", "mode 1 Loss after 2", "mode 2 Win after 1"}
    wanted |= {"mode 3 Win after 1", "mode 3 Win after 2", "mode 1 Loss after 3"}
    assert sorted(name for name in wanted if not seen[name]) == []


def test_the_command_as_a_user_runs_it(tmp_path: Path) -> None:
    bars = independent.synthetic_bars(1)
    path = tmp_path / "bars.csv"
    with path.open("w") as file:
        independent.write_bars(bars, file)
    done = subprocess.run(
        [sys.executable, "-m", "ctl", "backtest", str(path), "--json", "--calendar", "none", "--param", "stop_mode=2"],
        capture_output=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr.decode()
    _compare(json.loads(done.stdout), independent.run(bars, {"stop_mode": 2}), "as a user runs it")
