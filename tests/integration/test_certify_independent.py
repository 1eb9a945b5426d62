"""Certificates against a second reading of the specification (tests/answers/certify_independent.py), field by field."""

from __future__ import annotations

import csv
import itertools
import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import certify_independent as witness
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED_DATA = REPOSITORY.parent / "shared" / "data"


def fields(answer: dict[str, Any], document: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """(name, the witness's value, the certificate's) of everything that both say."""
    for key, value in answer["overlap"].items():
        yield f"overlap.{key}", value, document["overlap"][key]
    for key, value in answer["counts"].items():
        yield key, value, document[key]
    for key in ("decision", "rule_mismatch", "mean_gap_diff", "max_gap_diff"):
        yield key, answer[key], document[key]
    recovery = document["reference_recovery"]
    yield "median_residual_ticks", answer["median_residual"], recovery["median_residual_ticks"]
    names = {"from": "from_contract", "to": "to_contract"}
    for side in ("canonical_rolls", "reference_rolls"):
        yield f"{side}.count", len(answer[side]), len(document[side])
        for number, (mine, theirs) in enumerate(zip(answer[side], document[side], strict=False)):
            for key in ("gap_session", "roll_date", "from", "to", "gap", "source"):
                yield f"{side}[{number}].{key}", mine[key], theirs[names.get(key, key)]
    yield "pairs.count", len(answer["pairs"]), len(document["pairs"])
    for number, (mine, theirs) in enumerate(zip(answer["pairs"], document["pairs"], strict=False)):
        for key, value in mine.items():
            yield f"pairs[{number}].{key}", value, theirs[key]
    mine, theirs = answer["ledger"], document["ledger"]
    yield "ledger.present", mine is not None, theirs is not None
    if mine is None or theirs is None:
        return
    for key in ("mean_drift", "max_drift", "signed_mean", "p95", "anchor"):
        yield key, mine[key], document[key]
        yield f"ledger.{key}", mine[key], theirs[key]
    prints = [entry for entry in theirs["components"] if entry["name"].startswith("print:")]
    for key in ("gross", "aligning_sessions") if not prints else ("aligning_sessions",):
        yield f"ledger.{key}", mine[key], theirs[key]
    yield "ledger.unexplained", mine["unexplained"], theirs["unexplained"]["mean"]
    ours = mine["components"]
    others = {entry["name"]: entry for entry in theirs["components"] if entry not in prints}
    if prints:
        # The witness reads closes alone and knows no true range: isolated prints stand in its basis, and shares add up.
        shares = [entry["share"] for entry in (others.pop("basis"), *prints)]
        yield "basis with prints.share", ours.pop("basis")["share"], None if None in shares else sum(shares)
    for name in sorted({*ours, *others}):
        for key in ("share", "mean", "max", "gross"):
            nothing = None if key in ("share", "gross") and mine["shares"] is None else 0.0
            yield f"{name}.{key}", ours.get(name, {key: nothing})[key], others.get(name, {key: nothing})[key]
    yield "sum of shares", None if mine["shares"] is None else 1.0, mine["shares"]
    reasons = {entry["code"]: entry for entry in document["reasons"]}
    yield "reasons", sorted(answer["reasons"]), sorted(reasons)
    for code in sorted(answer["reasons"].keys() & reasons.keys()):
        severity, value, limit = answer["reasons"][code]
        yield f"{code}.severity", severity, reasons[code]["severity"]
        yield f"{code}.value", value, reasons[code]["value"]
        yield f"{code}.limit", limit, reasons[code]["limit"]


def agree(mine: Any, theirs: Any, scale: float) -> bool:
    """Equal, numbers within 1e-9 of their size or of the price scale's."""
    if isinstance(mine, (int, float)) and isinstance(theirs, (int, float)):
        return abs(mine - theirs) <= 1e-9 * max(abs(mine), abs(theirs), scale)
    return bool(mine == theirs)


def differences(answer: dict[str, Any], document: dict[str, Any], scale: float) -> tuple[int, list[str]]:
    """How many fields were compared, and those that differ."""
    compared, differing = 0, []
    for name, mine, theirs in fields(answer, document):
        compared += 1
        if not agree(mine, theirs, scale):
            differing.append(f"{name}: the specification read anew gives {mine}, the certificate {theirs}")
    return compared, differing


def witnessed(folder: Path, *, adjusted: Path | None, unadjusted: Path | None, tick: float, limit: int) -> Any:
    """The witness's answer for a built folder and its contract closes."""
    (series,) = folder.glob("*_continuous.csv")
    (manifest,) = folder.glob("*_roll_manifest.json")
    return witness.certify(
        witness.read_canonical(series),
        json.loads(manifest.read_text())["rolls"],
        witness.read_contract_closes([folder / "closes.csv"]),
        witness.read_series(adjusted) if adjusted else None,
        witness.read_series(unadjusted) if unadjusted else None,
        tick,
        limit,
    )


def write_series(path: Path, closes: dict[str, float]) -> Path:
    lines = [f"{day},,,,{close!r},0" for day, close in closes.items()]
    path.write_text("\n".join(["session,open,high,low,close,volume", *lines]) + "\n")
    return path


# ---------------------------------------------------------------- the simulated market


@pytest.mark.parametrize("symbol", ["ES", "CL", "PL", "PA"])
def test_simulated_market(ctl: Callable[..., Any], workspace: Path, tmp_path: Path, symbol: str) -> None:
    from ctl.ingest import load_instruments, read_contracts

    assert ctl("build", symbol, "-w", workspace, "--csv", "--json").code == 0
    folder = tmp_path / "built"
    folder.mkdir()
    for path in (workspace / "data" / "processed").rglob(f"{symbol}_*"):
        if path.parent.name == "continuous":
            (folder / path.name).write_bytes(path.read_bytes())
    bars = read_contracts([workspace / "data/raw/databento" / symbol], symbol, instruments=load_instruments())
    bars.frame.select("session", "contract", "close").write_csv(folder / "closes.csv")
    series = {}
    for kind in ("ADJ", "UNADJ"):
        (path,) = (workspace / "data/raw/tradestation").glob(f"TS_{symbol}_CUSTOM_{kind}_1D_*.csv")
        closes = {}
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                month, day, year = row["Date"].split("/")
                closes[f"{year}-{month}-{day}"] = float(row["Close"])
        series[kind] = write_series(tmp_path / f"{kind}.csv", closes)
    ran = ctl("certify", symbol, "-w", workspace, "--json")
    assert ran.code == 0, ran.err
    answer = witnessed(
        folder, adjusted=series["ADJ"], unadjusted=series["UNADJ"], tick=ran.document["tick"],
        limit=ran.document["max_day_delta"],
    )  # fmt: skip
    compared, differing = differences(answer, ran.document, 1.0)
    assert compared > 200
    assert differing == []


# ---------------------------------------------------------------- real settlements against a real reference


@dataclass(frozen=True)
class Product:
    """A Bloomberg file and its counterpart at Quantiacs, whose prices are multiplied by the point value."""

    root: str
    file: str
    quantiacs: str
    multiplier: float
    tick: float


PRODUCTS = [
    Product("HG", "copper", "HG", 250.0, 0.05),
    Product("C", "corn", "C", 50.0, 0.25),
    Product("HO", "heating_oil", "HO", 420.0, 0.01),
    Product("S", "soybean", "S", 50.0, 0.25),
]


def bloomberg_closes(source: Path, target: Path) -> None:
    """Plain closes: the delivery year is the first on or after the last trade's that ends in the name's digits."""
    lines = ["session,contract,close"]
    with source.open(newline="") as file:
        for row in csv.DictReader(file):
            match = re.match(r"^(\w+?)\s*([FGHJKMNQUVXZ])(\d{1,2})(?: (\d\d))? Comdty$", row["contract"])
            assert match is not None
            root, month, year, rest = match.groups()
            traded = int(row["last_trade"][:4])
            (full,) = (y for y in (traded, traded + 1) if str(y).endswith(rest or year))
            if row["settle"] not in ("", "NA"):
                lines.append(f"{row['date']},{root}{month}{full % 100:02d},{row['settle']}")
    target.write_text("\n".join(lines) + "\n")


def quantiacs_series(source: Path, multiplier: float, folder: Path) -> dict[str, Path]:
    """U as shipped and A by RINFO, the step on the first session of each new contract."""
    with source.open(newline="") as file:
        rows = [[cell.strip() for cell in row] for row in list(csv.reader(file))[1:]]
    carried, adjusted, unadjusted = 0.0, {}, {}
    for row in reversed(rows):
        day = f"{row[0][:4]}-{row[0][4:6]}-{row[0][6:]}"
        unadjusted[day] = round(float(row[4]) / multiplier, 9)
        adjusted[day] = round(float(row[4]) / multiplier + carried, 9)
        carried += float(row[9]) / multiplier
    return {
        "U": write_series(folder / "U.csv", dict(reversed(unadjusted.items()))),
        "A": write_series(folder / "A.csv", dict(reversed(adjusted.items()))),
    }


@pytest.mark.parametrize("shipped", ["UA", "U", "A"])
@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.file)
def test_real_settlements(ctl: Callable[..., Any], tmp_path: Path, product: Product, shipped: str) -> None:
    contracts = SHARED_DATA / "contracts" / "bloomberg_settles" / f"{product.file}.csv"
    reference = SHARED_DATA / "continuous" / "quantiacs" / f"F_{product.quantiacs}.txt"
    for path in (contracts, reference):
        if not path.exists():
            pytest.skip(f"real data absent: {path}")
    folder = tmp_path / "built"
    # Both commands count the guard on the root's own calendar: `build` takes no other.
    ran = ctl("build", "--contracts", contracts, "--root", product.root, "--csv", "--out", folder, "--json")
    assert ran.code == 0, ran.err
    bloomberg_closes(contracts, folder / "closes.csv")
    series = quantiacs_series(reference, product.multiplier, tmp_path)
    adjusted = series["A"] if "A" in shipped else None
    unadjusted = series["U"] if "U" in shipped else None
    given: list[Any] = ["--adjusted", adjusted] if adjusted else []
    given += ["--unadjusted", unadjusted] if unadjusted else []
    ran = ctl(
        "certify", "--contracts", contracts, "--root", product.root, "--tick", product.tick, "--max-day-delta", "3",
        *given, "--json",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    answer = witnessed(folder, adjusted=adjusted, unadjusted=unadjusted, tick=product.tick, limit=3)
    compared, differing = differences(answer, ran.document, 100.0)
    assert compared > 500
    assert differing == []


# ---------------------------------------------------------------- generated pairs

MONTHS = "FGHJKMNQUVXZ"
TICK = 0.25


@dataclass(frozen=True)
class Pair:
    """One generated pair: how the vendor differs from our contracts."""

    seed: int
    sessions: int = 560
    vendor_days: int = 5  # sessions before the contract's last one on which the vendor's new contract starts
    crossing: int = 7  # the same for the volume crossing
    jitter: int = 0  # sessions by which single vendor rolls wander
    skipped: int = 0  # contracts that the vendor leaves out
    holes: int = 0  # sessions missing at the vendor
    own_holes: int = 0  # single closes missing at ours
    wrong_gaps: int = 0
    unadjusted_rolls: int = 0
    steps: int = 0  # steps of the adjusted series without a roll
    noise: float = 0.0  # share of vendor closes off by a tick or two
    rounding: float = 0.0  # grid of the vendor's adjusted series
    zero_gaps: bool = False
    limit: int = 3
    shift: float = 0.0  # constant of the vendor's adjusted series
    level: float = 1.0  # factor of the vendor's prices: another level than any of our contracts'


PAIRS = [
    Pair(1),
    Pair(2, crossing=6, vendor_days=6),
    Pair(3, jitter=2),
    Pair(4, jitter=5),
    Pair(5, skipped=1),
    Pair(6, skipped=4),
    Pair(7, holes=12),
    Pair(8, own_holes=25),
    Pair(9, wrong_gaps=1),
    Pair(10, wrong_gaps=5, jitter=1),
    Pair(11, unadjusted_rolls=1),
    Pair(12, unadjusted_rolls=3, jitter=2),
    Pair(13, noise=0.05),
    Pair(14, noise=0.4, jitter=2),
    Pair(15, zero_gaps=True),
    Pair(16, zero_gaps=True, jitter=3),
    Pair(17, vendor_days=12, crossing=7),
    Pair(18, vendor_days=1, crossing=9),
    Pair(19, steps=1),
    Pair(20, steps=4),
    Pair(21, sessions=533, vendor_days=3),
    Pair(22, sessions=541, jitter=4),
    Pair(23, sessions=549, skipped=2, jitter=3),
    Pair(24, holes=30, jitter=2, own_holes=20),
    Pair(25, rounding=0.5),
    Pair(26, shift=-37.5, wrong_gaps=2),
    Pair(27, limit=0, jitter=1),
    Pair(28, limit=10, jitter=6),
    Pair(29, wrong_gaps=3, unadjusted_rolls=2, skipped=1, holes=8, noise=0.1, jitter=2),
    Pair(30, sessions=700, wrong_gaps=2, steps=2, own_holes=40, holes=10, noise=0.2, jitter=4),
    Pair(31, sessions=525, vendor_days=9, crossing=8, zero_gaps=True, steps=1),
    Pair(32, sessions=600, skipped=6, unadjusted_rolls=2, rounding=0.1),
    Pair(33, level=1.03),
    Pair(34, level=1.03, vendor_days=6, jitter=2, wrong_gaps=1),
]
# Pairs whose newest level is wrong: by a gap of the last 60 sessions of an adjusted file alone, or by 3 % throughout.
REFUSED_LEVELS = {(10, "A"): "LEVEL_STEP", (26, "A"): "LEVEL_STEP", (33, "UA"): "LEVEL_NOW", (34, "UA"): "LEVEL_NOW"}


def weekdays(first: date, count: int) -> list[str]:
    days = (first + timedelta(days=n) for n in range(count * 2))
    return [str(day) for day in days if day.weekday() < 5][:count]


def generate(pair: Pair, folder: Path) -> tuple[Path, Path, Path]:
    """(contract bars, adjusted, unadjusted) of a monthly product with a roll each 21 sessions."""
    draw = random.Random(pair.seed)  # noqa: S311  # a seeded generator, no secret
    days = weekdays(date(2015, 1, 5), pair.sessions)
    level, levels = 4000, []  # in ticks
    for _ in days:
        level += draw.randint(-14, 14)
        levels.append(level)
    count = pair.sessions // 21 + 3
    names = [f"XY{MONTHS[n % 12]}{15 + n // 12}" for n in range(count)]
    spread, spreads = 0, []
    for _ in names:
        spreads.append(spread)
        spread += 0 if pair.zero_gaps and draw.random() < 0.4 else draw.choice([-1, 1]) * draw.randint(3, 45)
    last = [min(21 * (n + 1), pair.sessions - 1) for n in range(count)]
    closes: dict[str, dict[int, int]] = {}
    rows = ["session,contract,open,high,low,close,volume"]
    for n, name in enumerate(names):
        first = max(0, 21 * (n + 1) - 70)
        closes[name] = {}
        wander = 0
        for t in range(first, last[n] + 1):
            wander += draw.choice([-1, 0, 0, 0, 1]) if not pair.zero_gaps else 0
            closes[name][t] = levels[t] + spreads[n] + wander
            start, end = 21 * n - pair.crossing, 21 * (n + 1) - pair.crossing
            volume = 9000 if start <= t < end else 900 + 10 * (60 - abs(t - end)) if t < start else 400
            price = closes[name][t] * TICK
            rows.append(f"{days[t]},{name},{price},{price + 1},{price - 1},{price},{volume}")
    holes = set(draw.sample(range(1, len(rows)), pair.own_holes)) if pair.own_holes else set()
    bars = folder / "bars.csv"
    bars.write_text("\n".join(row for n, row in enumerate(rows) if n not in holes) + "\n")

    left_out = set(draw.sample(range(2, count - 3), pair.skipped)) if pair.skipped else set()
    chain = [n for n in range(count) if n not in left_out]
    starts, k = [(0, chain[0])], 0
    for before, after in itertools.pairwise(chain):
        t = 21 * (before + 1) - pair.vendor_days + (draw.randint(-pair.jitter, pair.jitter) if pair.jitter else 0)
        t = max(t, max(0, 21 * (after + 1) - 70) + 1, starts[-1][0] + 2)
        if t < pair.sessions:
            starts.append((min(t, last[before]), after))
    rolls = [(t, chain_before[1], n) for chain_before, (t, n) in itertools.pairwise(starts)]
    wrong = set(draw.sample(range(len(rolls)), pair.wrong_gaps)) if pair.wrong_gaps else set()
    kept = set(draw.sample(range(len(rolls)), pair.unadjusted_rolls)) if pair.unadjusted_rolls else set()
    carried = [0] * pair.sessions
    for number, (t, old, new) in enumerate(rolls):
        gap = closes[names[new]][t - 1] - closes[names[old]][t - 1]
        gap = 0 if number in kept else gap + (draw.choice([-1, 1]) * draw.randint(4, 60) if number in wrong else 0)
        for earlier in range(t):
            carried[earlier] += gap
    for t in draw.sample(range(20, pair.sessions - 20), pair.steps):
        jump = draw.choice([-1, 1]) * draw.randint(2, 30)
        for earlier in range(t):
            carried[earlier] += jump
    missing = set(draw.sample(range(3, pair.sessions - 3), pair.holes)) if pair.holes else set()
    adjusted, unadjusted = {}, {}
    for t, day in enumerate(days):
        while k + 1 < len(starts) and starts[k + 1][0] <= t:
            k += 1
        if t in missing or t not in closes[names[starts[k][1]]]:
            continue
        close = round(closes[names[starts[k][1]]][t] * pair.level)
        if pair.noise and draw.random() < pair.noise:
            close += draw.choice([-2, -1, 1, 2])
        unadjusted[day] = close * TICK
        value = (close + carried[t]) * TICK + pair.shift
        adjusted[day] = round(round(value / pair.rounding) * pair.rounding, 6) if pair.rounding else value
    return bars, write_series(folder / "A.csv", adjusted), write_series(folder / "U.csv", unadjusted)


# An unadjusted series that fits no contract has no rolls to compare.
CASES = [(pair, kind) for pair in PAIRS for kind in ("UA", "U", "A") if kind != "U" or pair.level == 1.0]


@pytest.mark.parametrize(("pair", "shipped"), CASES, ids=[f"seed{pair.seed}-{kind}" for pair, kind in CASES])
def test_generated_pairs(ctl: Callable[..., Any], tmp_path: Path, pair: Pair, shipped: str) -> None:
    bars, adjusted, unadjusted = generate(pair, tmp_path)
    folder = tmp_path / "built"
    # The pairs are drawn to roll where volume crosses. Their terms are unknown: the guard would go by a first notice
    # assumed before a delivery month that has nothing to do with the sessions drawn, and take the place of nearly all.
    built = ("--contracts", bars, "--root", "XY", "--months", MONTHS, "--guard", "none")
    ran = ctl("build", *built, "--csv", "--out", folder, "--json")
    assert ran.code == 0, ran.err
    (folder / "closes.csv").write_bytes(bars.read_bytes())
    given: list[Any] = ["--adjusted", adjusted] if "A" in shipped else []
    given += ["--unadjusted", unadjusted] if "U" in shipped else []
    ran = ctl(
        "certify", *built, "--tick", TICK, "--max-day-delta", pair.limit, "--calendar", "none", *given, "--json",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    answer = witnessed(
        folder, adjusted=adjusted if "A" in shipped else None, unadjusted=unadjusted if "U" in shipped else None,
        tick=TICK, limit=pair.limit,
    )  # fmt: skip
    assert answer["counts"]["n_canonical"] >= 20
    refused = REFUSED_LEVELS.get((pair.seed, shipped))
    if refused is not None:
        assert (ran.document["decision"], ran.document["reasons"][0]["code"]) == ("REJECT", refused)
        return
    compared, differing = differences(answer, ran.document, 1000.0)
    assert compared > 300
    assert differing == []
