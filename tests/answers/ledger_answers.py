"""Writes ledger_answers.json: drift ledgers worked session by session from the definitions, with the standard library.

Shares no code with the package. Run it again only where the definitions change:

    python tests/answers/ledger_answers.py
"""

from __future__ import annotations

import json
import random
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

TICK = 0.25


def market(rng: random.Random, sessions: int, contracts: int) -> list[list[float]]:
    common, rows = 1000.0, [[] for _ in range(contracts)]
    spread = [12.5 * k for k in range(contracts)]
    for _ in range(sessions):
        common += rng.randint(-8, 8) * TICK
        for k in range(contracts):
            spread[k] += rng.choice([0, 0, TICK, -TICK])
            rows[k].append(common + spread[k])
    return rows


def roll_days(
    rng: random.Random, sessions: int, contracts: int, jitter: int, skipped: set[int]
) -> list[tuple[int, int, int]]:
    """(first session, old contract, new contract)."""
    every, out, current = sessions // contracts, [], 0
    for k in range(1, contracts):
        if k in skipped:
            continue
        out.append((every * k + rng.randint(-jitter, jitter), current, k))
        current = k
    return out


def held_on(t: int, rolls: list[tuple[int, int, int]]) -> int:
    held = 0
    for at, _, new in rolls:
        if t >= at:
            held = new
    return held


def case(
    seed: int, *, jitter: int, skipped: set[int], known: bool, noise: int, spare_step: int | None
) -> dict[str, Any]:
    rng = random.Random(seed)  # noqa: S311  # a fixed tape, no secret
    sessions, contracts = 70, 6
    ours = market(rng, sessions, contracts)
    theirs = [[p + rng.randint(-noise, noise) * TICK for p in row] for row in ours]
    rolls_c = roll_days(rng, sessions, contracts, jitter, set())
    rolls_r = roll_days(rng, sessions, contracts, jitter, skipped)
    gap_c = [ours[new][at - 1] - ours[old][at - 1] for at, old, new in rolls_c]
    gap_r = [theirs[new][at - 1] - theirs[old][at - 1] + rng.choice([0, 0, 3, -5]) * TICK for at, old, new in rolls_r]
    our_gap: list[float | None] = [ours[new][at - 1] - ours[old][at - 1] for at, old, new in rolls_r]
    steps: list[tuple[int, int | None, int | None]] = [*rolls_r]
    if spare_step is not None:
        n = sum(at < spare_step for at, _, _ in rolls_r)
        steps.insert(n, (spare_step, None, None))
        gap_r.insert(n, 1.75)
        our_gap.insert(n, None)
    held_c = [held_on(t, rolls_c) for t in range(sessions)]
    held_r = [held_on(t, rolls_r) for t in range(sessions)]
    raw_c = [ours[held_c[t]][t] for t in range(sessions)]
    raw_r = [theirs[held_r[t]][t] for t in range(sessions)]
    adj_c = [raw_c[t] + sum(g for g, (at, _, _) in zip(gap_c, rolls_c, strict=True) if at > t) for t in range(sessions)]
    adj_r = [raw_r[t] + sum(g for g, (at, *_) in zip(gap_r, steps, strict=True) if at > t) for t in range(sessions)]
    for t in rng.sample(range(sessions), 3):
        adj_r[t] += rng.choice([-2.0, 0.5, 4.0])
    names = [f"WX{10 + k}" for k in range(contracts)]

    def name(k: int | None) -> str | None:
        return names[k] if k is not None else None

    rolls_out = [[at, name(old), name(new), g] for (at, old, new), g in zip(rolls_c, gap_c, strict=True)]
    steps_out = [
        [at, name(old) if known else None, name(new) if known else None, g]
        for (at, old, new), g in zip(steps, gap_r, strict=True)
    ]
    mine, other = (held_c, held_r) if known else (None, None)
    out = {
        "names": names,
        "canonical": {"adjusted": adj_c, "unadjusted": raw_c, "held": mine, "rolls": rolls_out},
        "reference": {"adjusted": adj_r, "unadjusted": raw_r, "held": other, "rolls": steps_out},
        "our_gaps": our_gap if known else [None] * len(steps),
        "pairs": [],
    }
    if known:
        out["expected"] = by_contract(out)
    else:
        near = [[i, j] for i, (a, _, _) in enumerate(rolls_c) for j, (b, *_) in enumerate(steps) if abs(a - b) <= 3]
        out["pairs"] = [pair for n, pair in enumerate(near) if n == 0 or pair[0] > near[n - 1][0]]
        out["expected"] = by_date(out)
    return out


def by_contract(given: dict[str, Any]) -> dict[str, list[float]]:
    names, c, r = given["names"], given["canonical"], given["reference"]
    count = len(c["adjusted"])
    same = [t for t in range(count) if c["held"][t] == r["held"][t]]
    every_roll = {roll[0] for roll in c["rolls"] + r["rolls"]}
    run = [same[-1]]
    while run[0] > 0 and run[0] not in every_roll and run[0] - 1 in same and c["held"][run[0] - 1] == c["held"][run[0]]:
        run.insert(0, run[0] - 1)
    anchor = median(c["adjusted"][t] - r["adjusted"][t] for t in run)
    drift = [c["adjusted"][t] - r["adjusted"][t] - anchor for t in range(count)]
    basis_median = median(c["unadjusted"][t] - r["unadjusted"][t] for t in run)
    residual_median = median(residual(r, t) for t in run)
    out: dict[str, list[float]] = {
        "basis": [0.0] * count,
        "contract": [0.0] * count,
        "reference_residual": [0.0] * count,
    }
    blocks = []
    for a, b in pairwise(same):
        mine = [roll for roll in c["rolls"] if a < roll[0] <= b]
        other = [j for j, roll in enumerate(r["rolls"]) if a < roll[0] <= b]
        if mine or other:
            blocks.append((a, b, mine, other))
    later = [0.0] * count
    for a, b, mine, other in blocks:
        name = f"{names[c['held'][a]]}>{names[c['held'][b]]}"
        theirs = [r["rolls"][j] for j in other]
        parts = {f"gap:{name}": sum(roll[3] for roll in mine) - sum(roll[3] for roll in theirs)}
        if (
            len(mine) == 1
            and len(theirs) == 1
            and given["our_gaps"][other[0]] is not None
            and mine[0][1:3] == theirs[0][1:3]
        ):
            g = given["our_gaps"][other[0]]
            parts = {f"gap:{name}:date": mine[0][3] - g, f"gap:{name}:price": g - theirs[0][3]}
        for part, size in parts.items():
            out[part] = [size if t <= a else 0.0 for t in range(count)]
        for t in range(a + 1):
            later[t] += sum(parts.values())
    for a, b, _, _ in blocks:
        inside = range(a + 1, b)
        if inside:
            name = f"timing:{names[c['held'][a]]}>{names[c['held'][b]]}"
            out[name] = [drift[t] - later[t] if t in inside else 0.0 for t in range(count)]
    # The anchor is a median of sums, not the sum of the medians: that constant is the residual's.
    constant = basis_median - residual_median - anchor
    for t in range(count):
        if t in same:
            out["basis"][t] = c["unadjusted"][t] - r["unadjusted"][t] - basis_median
            out["reference_residual"][t] = constant - (residual(r, t) - residual_median)
        elif t < same[0] or t > same[-1]:
            out["contract"][t] = drift[t] - later[t]
    return {"drift": drift, **out}


def residual(side: dict[str, Any], t: int) -> float:
    """What the adjusted close is above its unadjusted one and the gaps still to come."""
    return side["adjusted"][t] - side["unadjusted"][t] - sum(roll[3] for roll in side["rolls"] if roll[0] > t)


def by_date(given: dict[str, Any]) -> dict[str, list[float]]:
    c, r = given["canonical"], given["reference"]
    count = len(c["adjusted"])
    start = max(roll[0] for roll in c["rolls"] + r["rolls"])
    anchor = median(c["adjusted"][t] - r["adjusted"][t] for t in range(start, count))
    drift = [c["adjusted"][t] - r["adjusted"][t] - anchor for t in range(count)]
    raw = [c["unadjusted"][t] - r["unadjusted"][t] for t in range(count)]
    raw_median = median(raw[start:])
    residual_median = median(residual(r, t) for t in range(start, count))
    units: list[tuple[str, int, int, float]] = []
    for i, j in given["pairs"]:
        a, b = c["rolls"][i], r["rolls"][j]
        units.append((f"gap:{a[1]}>{a[2]}", min(a[0], b[0]), max(a[0], b[0]), a[3] - b[3]))
    paired_c, paired_r = {i for i, _ in given["pairs"]}, {j for _, j in given["pairs"]}
    for i, roll in enumerate(c["rolls"]):
        if i not in paired_c:
            units.append((f"unmatched:{roll[1]}>{roll[2]}", roll[0], roll[0], roll[3]))
    for j, roll in enumerate(r["rolls"]):
        if j not in paired_r:
            units.append((f"unmatched:{roll[0]}", roll[0], roll[0], -roll[3]))
    out: dict[str, list[float]] = {
        "basis": [0.0] * count,
        "contract": [0.0] * count,
        "reference_residual": [0.0] * count,
    }
    later = [sum(size for _, before, _, size in units if t < before) for t in range(count)]
    for name, before, until, size in units:
        out[name] = [size if t < before else 0.0 for t in range(count)]
        if until > before:
            out[name.replace("gap:", "timing:")] = [
                drift[t] - later[t] if before <= t < until else 0.0 for t in range(count)
            ]
    constant = raw_median - residual_median - anchor
    for t in range(count):
        if not any(before <= t < until for _, before, until, _ in units):
            out["contract"][t] = raw[t] - raw_median
            out["reference_residual"][t] = constant - (residual(r, t) - residual_median)
    return {"drift": drift, **out}


def main() -> None:
    cases = {
        "same_days": case(1, jitter=0, skipped=set(), known=True, noise=1, spare_step=None),
        "other_days": case(2, jitter=3, skipped=set(), known=True, noise=2, spare_step=None),
        "skipped_month": case(3, jitter=2, skipped={3}, known=True, noise=1, spare_step=None),
        "spare_step": case(4, jitter=2, skipped={2}, known=True, noise=1, spare_step=18),
        "unknown": case(5, jitter=2, skipped=set(), known=False, noise=1, spare_step=None),
        "unknown_unmatched": case(6, jitter=1, skipped={4}, known=False, noise=2, spare_step=40),
    }
    target = Path(__file__).with_suffix(".json")
    target.write_text(json.dumps(cases, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
