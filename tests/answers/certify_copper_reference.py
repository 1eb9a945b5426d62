"""Certification written a second time, slowly, from its specification alone: real settlements against a second vendor.

Standard library only, no import of `ctl`. Our side is the continuous series of `roll_independent.py` on per-contract
settlements (volume policy, liquid months); the reference is the unadjusted nearest contract of another vendor with
the gaps it states. Restated here: contracts held by the reference (fingerprinting), dates from the steps of the
spread, gaps from medians of its segments, the overlap window, EDGE rolls, the alignment, the split of gap
differences, drift and its ledger by blocks. Not restated: identity, raw bars, acceptance.

    python tests/answers/certify_copper_reference.py ../shared/data > tests/answers/certify_copper.json

The answers hold counts, statistics and digests (floats rounded to 1e-9): no vendor's bar is copied.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from bisect import bisect_left, bisect_right
from datetime import date
from functools import cache
from itertools import pairwise
from pathlib import Path

import roll_independent

FILES = {"HG": "copper", "C": "corn", "HO": "heating_oil", "S": "soybean"}
POINT_VALUES = {"HG": 250.0, "C": 50.0, "HO": 420.0, "S": 50.0}
TICKS = {"HG": 0.05, "C": 0.25, "HO": 0.01, "S": 0.25}
MAX_DAY_DELTA = 3
CAP = PENALTY = 40.0
EDGE = 10


# ---------------------------------------------------------------- both sides


def read_reference(path, point_value):
    """Sessions, unadjusted and difference-adjusted closes; RINFO stands on the first session of the new contract."""
    days, raw, steps = [], [], []
    with Path(path).open() as file:
        next(file)
        for line in file:
            cells = line.split(",")
            days.append(date(int(cells[0][:4]), int(cells[0][4:6]), int(cells[0][6:8])))
            raw.append(float(cells[4]) / point_value)
            steps.append(float(cells[9]) / point_value)
    adjusted, ahead = [0.0] * len(days), 0.0
    for i in range(len(days) - 1, -1, -1):
        adjusted[i] = raw[i] + ahead
        ahead += steps[i]
    return days, raw, adjusted


def fingerprint(days, raw, closes, listed, tick):
    """Contract held per session, for sessions on which some contract of ours has a bar.

    The path is non-decreasing in expiry and of least cost; of equal ones that with the earliest roll.
    """
    own_days = sorted({day for prices in closes for day in prices})
    own = set(own_days)
    at = [i for i, day in enumerate(days) if day in own]
    # ahead[k]: least cost from this session on when contract k is held on it; choice[n][k]: contract held next.
    ahead, choice = {}, []
    for n in range(len(at) - 1, -1, -1):
        day, price = days[at[n]], raw[at[n]]
        here, chosen = {}, {}
        for k, (first, last) in enumerate(listed):
            if not first <= day <= last:
                continue
            close = closes[k].get(day)
            cost = round((CAP if close is None else min(abs(price - close) / tick, CAP)) * 1e6)
            if n == len(at) - 1:
                here[k] = cost
                continue
            options = [
                (total + (round(PENALTY * 1e6) if j != k else 0), j == k, j) for j, total in ahead.items() if j >= k
            ]
            if options:
                best = min(options)
                here[k], chosen[k] = cost + best[0], best[2]
        choice.append(chosen)
        ahead = here
    choice.reverse()
    k = min(ahead, key=lambda key: (ahead[key], key))
    held = {}
    for n, i in enumerate(at):
        held[i] = k
        k = choice[n].get(k, k)
    for i in range(at[0], at[-1] + 1):
        held.setdefault(i, held.get(i - 1))
    return held


def spread_steps(spread, tick):
    """First session after each step of at least two ticks; steps at most three sessions after a first are one."""
    out = []
    for i in range(1, len(spread)):
        change = spread[i] - spread[i - 1]
        if round(abs(change) / tick, 9) < 2:
            continue
        if out and i - out[-1][0] <= 3:
            out[-1][1] += change
        else:
            out.append([i, change])
    return [i for i, gap in out if round(abs(gap) / tick, 9) >= 2]


def reference_rolls(days, raw, adjusted, held, names, tick):
    """Rolls of the reference over all its sessions, and the contract it held once they are dated by the spread."""
    spread = [u - a for u, a in zip(raw, adjusted, strict=True)]
    inside = sorted(held)
    rolls = [[i, names[held[i - 1]], names[held[i]]] for i in inside[1:] if held[i] != held[i - 1]]
    steps = spread_steps(spread, tick)
    taken = set()
    for roll in rolls:
        near = [(abs(step - roll[0]), step) for step in steps if abs(step - roll[0]) <= 3 and step not in taken]
        if near:
            roll[0] = min(near)[1]
            taken.add(roll[0])
    rolls += [[step, None, None] for step in steps if step not in taken]
    rolls.sort(key=lambda roll: roll[0])
    bounds = [0] + [roll[0] for roll in rolls] + [len(days)]
    medians = [statistics.median(spread[a:b]) for a, b in pairwise(bounds)]
    out = [
        {
            "gap_session": days[i - 1],
            "roll_date": days[i],
            "from": old,
            "to": new,
            "gap": medians[n + 1] - medians[n],
        }
        for n, (i, old, new) in enumerate(rolls)
    ]
    moved, current = {}, held[inside[0]]
    starts = {roll[0]: roll[2] for roll in rolls if roll[2] is not None}
    for i in inside:
        current = names.index(starts[i]) if i in starts else current
        moved[i] = current
    return out, moved


# ---------------------------------------------------------------- comparison


def align(own, other, tick):
    """Least-cost order-preserving pairs; of equal costs the smallest list."""

    def cost(i, j):
        days = abs(own[i]["index"] - other[j]["index"])
        if days > MAX_DAY_DELTA:
            return None
        if own[i]["to"] and other[j]["to"] and own[i]["to"] != other[j]["to"]:
            return None
        return round((days + 0.01 * abs(own[i]["gap"] - other[j]["gap"]) / tick) * 1e9)

    @cache
    def best(i, j):
        """(cost, pairs) of matching what is left."""
        if i == len(own) or j == len(other):
            return (50 * 10**9 * (len(own) - i + len(other) - j), ())
        options = [(best(i + 1, j)[0] + 50 * 10**9, best(i + 1, j)[1])]
        options.append((best(i, j + 1)[0] + 50 * 10**9, best(i, j + 1)[1]))
        price = cost(i, j)
        if price is not None:
            rest = best(i + 1, j + 1)
            options.append((price + rest[0], ((i, j), *rest[1])))
        return min(options)

    return list(best(0, 0)[1])


def compare(root, contracts, canonical, reference_path):
    """Every number of the certificate that this script restates, and the lists behind them."""
    tick = TICKS[root]
    chain = sorted(contracts)
    names = [roll_independent.name_of(root, key) for key in chain]
    closes = [{day: bar["close"] for day, bar in contracts[key].items() if bar["close"] is not None} for key in chain]
    listed = [(min(contracts[key]), max(contracts[key])) for key in chain]
    days, raw, adjusted = read_reference(reference_path, POINT_VALUES[root])
    held = fingerprint(days, raw, closes, listed, tick)
    theirs, held = reference_rolls(days, raw, adjusted, held, names, tick)
    own_rows = {date.fromisoformat(row["session"]): row for row in canonical["series"]}
    their_rows = {day: i for i, day in enumerate(days)}
    first, last = max(min(own_rows), days[0]), min(max(own_rows), days[-1])
    union = sorted(day for day in own_rows.keys() | their_rows.keys() if first <= day <= last)
    shared = [day for day in union if day in own_rows and day in their_rows]
    c = [own_rows[day]["close"] for day in shared]
    cu = [own_rows[day]["close_unadjusted"] for day in shared]
    a = [adjusted[their_rows[day]] for day in shared]
    u = [raw[their_rows[day]] for day in shared]
    own_held = [names.index(own_rows[day]["contract"]) for day in shared]
    ref_held = [held.get(their_rows[day]) for day in shared]
    same = [x == y for x, y in zip(own_held, ref_held, strict=True)]
    same_at = [t for t, flag in enumerate(same) if flag]
    first_same, last_same = shared[same_at[0]], shared[same_at[-1]]

    def placed(rolls):
        out = []
        for roll in rolls:
            if first < roll["roll_date"] <= last:
                index = bisect_right(union, roll["gap_session"]) - 1
                near = index <= EDGE or len(union) - 1 - index <= EDGE
                beyond = roll["roll_date"] <= first_same or roll["roll_date"] > last_same
                out.append({**roll, "index": index, "edge": near or beyond})
        return out

    own = placed(
        [
            {
                "gap_session": date.fromisoformat(roll["gap_session"]),
                "roll_date": date.fromisoformat(roll["roll_date"]),
                "from": roll["from_contract"],
                "to": roll["to_contract"],
                "gap": roll["gap"],
            }
            for roll in canonical["rolls"]
        ]
    )
    other = placed(theirs)
    pairs = align(own, other, tick)
    alone = [i for i in range(len(own)) if i not in {i for i, _ in pairs} and not own[i]["edge"]]
    alone_other = [j for j in range(len(other)) if j not in {j for _, j in pairs} and not other[j]["edge"]]
    deltas = [own[i]["index"] - other[j]["index"] for i, j in pairs]
    gaps = []
    for i, j in pairs:
        ours = None
        if other[j]["from"] in (None, own[i]["from"]):
            old, new = closes[names.index(own[i]["from"])], closes[names.index(own[i]["to"])]
            day = other[j]["gap_session"]
            ours = new[day] - old[day] if day in new and day in old else None
        gaps.append(
            {
                "diff": own[i]["gap"] - other[j]["gap"],
                "date_effect": None if ours is None else own[i]["gap"] - ours,
                "price_effect": None if ours is None else ours - other[j]["gap"],
            }
        )
    size = [abs(gap["diff"]) for gap in gaps]

    # Drift, aligned on the last run of one contract with no roll inside.
    roll_days = {roll["roll_date"] for roll in own + other}
    start = end = same_at[-1]
    while start > 0 and same[start - 1] and own_held[start - 1] == own_held[end] and shared[start] not in roll_days:
        if any(shared[start - 1] < day <= shared[start] for day in roll_days):
            break
        start -= 1
    difference = [x - y for x, y in zip(c, a, strict=True)]
    anchor = statistics.median(difference[start : end + 1])
    d = [x - anchor for x in difference]
    magnitude = sorted(abs(x) for x in d)
    at = 0.95 * (len(magnitude) - 1)
    low = int(at)
    p95 = magnitude[low] + (at - low) * (magnitude[min(low + 1, len(magnitude) - 1)] - magnitude[low])

    # The ledger by blocks: rolls between two neighbouring same-contract sessions.
    blocks = {}
    for side, rolls in enumerate((own, other)):
        for n, roll in enumerate(rolls):
            place = bisect_left([shared[t] for t in same_at], roll["roll_date"])
            if 0 < place < len(same_at):
                blocks.setdefault(place, ([], []))[side].append(n)
    components = {}
    carried = [0.0] * len(d)
    for place in sorted(blocks):
        ours, theirs_in = blocks[place]
        before, until = same_at[place - 1] + 1, same_at[place]
        name = f"{names[own_held[before - 1]]}>{names[own_held[until]]}"
        while f"gap:{name}" in components or f"gap:{name}:date" in components:
            name += (
                "@" + min([own[i]["roll_date"] for i in ours] + [other[j]["roll_date"] for j in theirs_in]).isoformat()
            )
        total = sum(own[i]["gap"] for i in ours) - sum(other[j]["gap"] for j in theirs_in)
        split = None
        if len(ours) == len(theirs_in) == 1:
            mine, yours = own[ours[0]], other[theirs_in[0]]
            if (mine["from"], mine["to"]) == (yours["from"], yours["to"]):
                old, new = closes[names.index(mine["from"])], closes[names.index(mine["to"])]
                day = yours["gap_session"]
                if day in old and day in new:
                    split = mine["gap"] - (new[day] - old[day])
        parts = {"": total} if split is None else {":date": split, ":price": total - split}
        for suffix, value in parts.items():
            components[f"gap:{name}{suffix}"] = [value if t < before else 0.0 for t in range(len(d))]
        for t in range(before):
            carried[t] += total
        if until > before:
            components[f"timing:{name}"] = [(before, until)]
    on_run = [cu[t] - u[t] for t in range(start, end + 1)]
    basis_level = statistics.median(on_run)
    components["basis"] = [cu[t] - u[t] - basis_level if same[t] else 0.0 for t in range(len(d))]
    components["contract"] = [
        d[t] - carried[t] if not same[t] and (t < same_at[0] or t > same_at[-1]) else 0.0 for t in range(len(d))
    ]
    for name, values in components.items():
        if name.startswith("timing:"):
            before, until = values[0]
            components[name] = [d[t] - carried[t] if before <= t < until else 0.0 for t in range(len(d))]
    components["reference_residual"] = [
        d[t] - carried[t] - components["basis"][t] if same[t] else 0.0 for t in range(len(d))
    ]
    whole = sum(magnitude)
    shares = {
        name: sum((x > 0) * v - (x < 0) * v for x, v in zip(d, values, strict=True)) / whole
        for name, values in components.items()
    }

    def roll_row(roll):
        return [roll["gap_session"].isoformat(), roll["roll_date"].isoformat(), roll["from"], roll["to"], roll["gap"]]

    summary = {
        "shared_sessions": len(shared),
        "union_sessions": len(union),
        "same_contract_sessions": len(same_at),
        "n_canonical": len(pairs) + len(alone),
        "n_reference": len(pairs) + len(alone_other),
        "n_paired": len(pairs),
        "n_pass": deltas.count(0),
        "n_watch": len(deltas) - deltas.count(0),
        "n_fail": len(alone) + len(alone_other),
        "n_unmatched_canonical": len(alone),
        "n_unmatched_reference": len(alone_other),
        "day_delta_histogram": {str(value): deltas.count(value) for value in sorted(set(deltas))},
        "mean_gap_diff": statistics.fmean(size) if size else None,
        "max_gap_diff": max(size, default=None),
        "anchor": anchor,
        "aligning_sessions": end - start + 1,
        "mean_drift": statistics.fmean(magnitude),
        "max_drift": magnitude[-1],
        "signed_mean": statistics.fmean(d),
        "p95": p95,
        "gross": sum(abs(v) for values in components.values() for v in values) / whole,
    }
    lists = {
        "canonical_rolls": [roll_row(roll) for roll in own],
        "reference_rolls": [roll_row(roll) for roll in other],
        "pairs": [
            [own[i]["roll_date"].isoformat(), other[j]["roll_date"].isoformat(), *gap.values()]
            for (i, j), gap in zip(pairs, gaps, strict=True)
        ],
        "shares": shares,
        "drift": d,
    }
    return summary, lists


def certify_root(root, data):
    """Summary and lists of one root, our series built with the volume policy on its liquid months."""
    data = Path(data)
    with tempfile.TemporaryDirectory() as scratch:
        plain = Path(scratch) / f"{root}.csv"
        with plain.open("w", newline="") as file:
            source = data / "contracts" / "bloomberg_settles" / f"{FILES[root]}.csv"
            rows = roll_independent.bloomberg_rows(source, root, with_last_trade=True)
            roll_independent.write_contracts(rows, file)
        contracts = roll_independent.read_contracts(plain, root)
    canonical = roll_independent.build(contracts, root, months=roll_independent.LIQUID[root])
    return compare(root, contracts, canonical, data / "continuous" / "quantiacs" / f"F_{root}.txt")


def answers(data):
    """Summaries of all roots, with a digest of each list."""
    out = {}
    for root in sorted(FILES):
        summary, lists = certify_root(root, data)
        out[root] = {
            **{key: round(value, 9) + 0.0 if isinstance(value, float) else value for key, value in summary.items()},
            "digests": {key: roll_independent.digest(value) for key, value in sorted(lists.items())},
        }
    return out


if __name__ == "__main__":
    sys.setrecursionlimit(100_000)
    json.dump(answers(sys.argv[1]), sys.stdout, indent=2, sort_keys=True)
    sys.stdout.write("\n")
