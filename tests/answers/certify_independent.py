"""A second reading of certification.md: layers L2 to L4, the ledger and acceptance v1 from plain CSV files.

Written from the specification alone and importing nothing of the package: plain loops over lists and
dictionaries, no shared code, no speed. Where it and `ctl certify` agree, two independent readings of the text
agree.

    python certify_independent.py --canonical ES_continuous.csv --manifest ES_roll_manifest.json
        --contracts bars.csv --adjusted A.csv --unadjusted U.csv --tick 0.25 --max-day-delta 3

Contracts: columns session (or date), contract, close (or settle). Series: session, close.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import re
from pathlib import Path

CAP = 40.0  # ticks; also the penalty of a switch
NEAR_STEP = 3  # sessions between a fingerprint roll and the spread step whose date it takes
SAME_ROLL = 10  # sessions between a roll without a step and a step without contracts that are one roll
MERGE = 3  # sessions between spread steps that are one roll
STEP_TICKS = 2.0
EDGE_SESSIONS = 10
UNMATCHED_COST = 50.0
INF = float("inf")


# ---------------------------------------------------------------- reading


def expiry(contract: str) -> tuple[int, int]:
    """(year, month) of delivery of `HGZ05`."""
    year = int(contract[-2:])
    return (1900 + year if year >= 50 else 2000 + year, "FGHJKMNQUVXZ".index(contract[-3]))


def read_contract_closes(paths: list[Path]) -> dict[str, dict[str, float]]:
    """contract -> session -> close; contracts in expiry order."""
    closes: dict[str, dict[str, float]] = {}
    for path in paths:
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                name = re.sub(r"\s+", "", row["contract"].replace("Comdty", ""))
                text = row.get("close") or row.get("settle")
                if text:
                    closes.setdefault(name, {})[row.get("session") or row["date"]] = float(text)
    return {name: closes[name] for name in sorted(closes, key=expiry)}


def read_series(path: Path) -> dict[str, float]:
    """session -> close."""
    with path.open(newline="") as file:
        return {row["session"]: float(row["close"]) for row in csv.DictReader(file) if row["close"]}


def read_canonical(path: Path) -> dict[str, tuple[float, float, str]]:
    """session -> (adjusted close, unadjusted close, contract)."""
    with path.open(newline="") as file:
        return {
            row["session"]: (float(row["close"]), float(row["close_unadjusted"]), row["contract"])
            for row in csv.DictReader(file)
        }


# ---------------------------------------------------------------- small arithmetic


def r9(value: float) -> float:
    """Ties and limits are compared after rounding to 1e-9."""
    return round(value, 9)


def median(values: list[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def quantile(values: list[float], q: float) -> float:
    """Linear interpolation between order statistics."""
    ordered = sorted(values)
    place = q * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


# ---------------------------------------------------------------- whose contract on which day


def listed_windows(closes: dict[str, dict[str, float]]) -> dict[str, tuple[str, str]]:
    return {name: (min(bars), max(bars)) for name, bars in closes.items()}


def fingerprint(unadjusted: dict[str, float], closes: dict[str, dict[str, float]], tick: float) -> dict[str, str]:
    """session -> contract held, by the dynamic programme of the specification; ties to the earliest roll."""
    names = list(closes)
    windows = listed_windows(closes)
    traded = {day for bars in closes.values() for day in bars}
    days = [day for day in sorted(unadjusted) if day in traded]
    listed = [[k for k, n in enumerate(names) if windows[n][0] <= day <= windows[n][1]] for day in days]

    def cost(day: str, k: int) -> int:
        close = closes[names[k]].get(day)
        ticks = CAP if close is None else min(abs(unadjusted[day] - close) / tick, CAP)
        return round(ticks * 1e9)

    penalty = round(CAP * 1e9)
    onward: list[dict[int, float]] = [{} for _ in days]  # cheapest cost from this session on, holding k on it
    for t in range(len(days) - 1, -1, -1):
        for k in listed[t]:
            rest: float = 0
            if t + 1 < len(days):
                rest = min(
                    (onward[t + 1][n] + (penalty if n != k else 0) for n in listed[t + 1] if n >= k), default=INF
                )
            onward[t][k] = cost(days[t], k) + rest
    held: dict[str, str] = {}
    k = -1
    for t, day in enumerate(days):
        if t == 0:
            best = min(onward[0].values())
            k = min(n for n, value in onward[0].items() if value == best)
        else:
            options = [(onward[t][n] + (penalty if n != k else 0), n == k, n) for n in listed[t] if n >= k]
            k = min(options)[2]  # of equal costs: a switch now rather than later, to the nearest contract
        held[day] = names[k]
    return held


def free_offsets(
    adjusted: dict[str, float], closes: dict[str, dict[str, float]], tick: float
) -> tuple[dict[str, str], dict[str, float]]:
    """(session -> contract, session -> offset) of a reference that ships only its adjusted series.

    The best offset of a segment under a truncated absolute residual is one of the differences A - close of its
    sessions, so the programme runs over (contract, difference). Another offset for the same contract, the vendor's
    error, costs two caps. Ties to the latest roll.
    """
    names = list(closes)
    windows = listed_windows(closes)
    traded = {day for bars in closes.values() for day in bars}
    days = [day for day in sorted(adjusted) if day in traded]
    offsets = [sorted({r9(adjusted[d] - bars[d]) for d in days if d in bars}) for bars in closes.values()]
    listed = [[k for k, n in enumerate(names) if windows[n][0] <= day <= windows[n][1] and offsets[k]] for day in days]
    after: dict[int, list[tuple[float, int]]] = {}  # per offset: cost from here on, less the segment's last session
    stay: list[dict[int, bytearray]] = []
    switch: list[dict[int, tuple[float, int, int, int]]] = []  # from k: cost, next contract, lateness, its offset
    for t in range(len(days) - 1, -1, -1):
        leave: dict[int, tuple[float, int, int, int]] = {}
        cheapest = {}
        for n, entries in after.items():
            low = min(entries)
            cheapest[n] = (round(low[0] + CAP, 9), n, low[1], entries.index(low))
        now: dict[int, list[tuple[float, int]]] = {}
        stays: dict[int, bytearray] = {}
        for k in listed[t]:
            options = [(entry[0] + (CAP if n == k else 0), *entry[1:]) for n, entry in cheapest.items() if n >= k]
            leave[k] = min(options) if options else (INF, -1, 0, -1)
            close = closes[names[k]].get(days[t])
            go = leave[k][0]
            following = after.get(k)
            values, flags = [], bytearray(len(offsets[k]))
            for place, offset in enumerate(offsets[k]):
                cost = CAP if close is None else min(abs(adjusted[days[t]] - offset - close) / tick, CAP)
                keep = following[place] if following is not None else (INF, 0)
                if t == len(days) - 1:
                    rest, until = 0.0, t
                elif keep[0] <= go:  # of equal costs the later roll
                    (rest, late), flags[place] = keep, 1
                    until = -late
                else:
                    rest, until = go, t
                values.append((round(cost + rest, 9), -until))
            now[k], stays[k] = values, flags
        stay.append(stays)
        switch.append(leave)
        after = now
    stay.reverse()
    switch.reverse()
    held: dict[str, str] = {}
    offset_of: dict[str, float] = {}
    _, k, _, place = min(
        (min(entries)[0], k, min(entries)[1], entries.index(min(entries))) for k, entries in after.items()
    )
    for t, day in enumerate(days):
        held[day] = names[k]
        offset_of[day] = offsets[k][place]
        if t + 1 < len(days) and not stay[t][k][place]:
            _, k, _, place = switch[t][k]
    return held, offset_of


def spread_steps(days: list[str], spread: dict[str, float], tick: float) -> list[int]:
    """Places in `days` of the first session after each step of S of at least two ticks; near ones merged."""
    found: list[list[float]] = []  # place of the first step, summed gap
    for place in range(1, len(days)):
        step = spread[days[place]] - spread[days[place - 1]]
        if r9(abs(step) / tick) >= STEP_TICKS:
            if found and place - found[-1][0] <= MERGE:
                found[-1][1] += step
            else:
                found.append([place, step])
    # What is taken back within the merge is no step of two ticks.
    return [int(place) for place, total in found if r9(abs(total) / tick) >= STEP_TICKS]


def one_roll_with_its_step(rolls: list[dict], free: list[int]) -> None:
    """Move rolls without a step onto steps without contracts, nearest first, never past another roll; in place."""
    while True:
        couples = [
            (abs(step - roll["place"]), roll["place"], step)
            for roll in rolls
            for step in free
            if not roll.get("stepped")
            and abs(step - roll["place"]) <= SAME_ROLL
            and not any(min(step, roll["place"]) < other["place"] <= max(step, roll["place"]) for other in rolls
                        if other is not roll)
        ]  # fmt: skip
        if not couples:
            return
        _, place, step = min(couples)
        roll = next(roll for roll in rolls if roll["place"] == place)
        free.remove(step)
        roll.update(place=step, stepped=True)


def steps_bind(
    rolls: list[dict], free: list[int], days: list[str], spread: dict[str, float], raw: dict[str, float],
    closes: dict[str, dict[str, float]], tick: float,
) -> None:  # fmt: skip
    """Steps that no roll accounts for date the roll beside them, or put back the contract that it skips."""
    size = {}
    for step in spread_steps(days, spread, tick):
        # What merges into one step counts as a whole.
        changes = [spread[days[p]] - spread[days[p - 1]] for p in range(step, min(step + MERGE + 1, len(days)))]
        size[step] = sum(change for change in changes if r9(abs(change) / tick) >= STEP_TICKS)

    def gap_like(old: str, new: str, step: int) -> bool:
        gap = own_gap(closes, old, new, days[step - 1])
        return gap is not None and abs(gap - size[step]) <= max(2 * tick, abs(size[step]) / 4)

    def left_open(held: str, other: str, first: int, end: int) -> bool:
        worse = apart = known = 0.0
        for day in days[first:end]:
            if day in closes[held] and day in closes[other]:
                off = [min(abs(raw[day] - closes[name][day]) / tick, CAP) for name in (held, other)]
                worse += off[1] - off[0]
                apart += min(abs(closes[held][day] - closes[other][day]) / tick, CAP)
                known = 1
        return bool(known) and worse < apart / 2

    for step in sorted(free):
        alone = [roll for roll in rolls if not roll.get("stepped")]
        beside = [
            roll
            for roll in alone
            if not any(
                min(step, roll["place"]) < other["place"] <= max(step, roll["place"])
                or (other is not roll and other["place"] in (step, roll["place"]))
                for other in rolls
                if other.get("stepped")
            )
        ]
        if not beside:
            continue
        roll = min(beside, key=lambda roll: abs(roll["place"] - step))
        old, new = roll["from"], roll["to"]
        held, other = (new, old) if roll["place"] < step else (old, new)
        if gap_like(old, new, step) and left_open(held, other, *sorted((roll["place"], step))):
            free.remove(step)
            roll.update(place=step, stepped=True)
    order = sorted(closes, key=expiry)
    for step in sorted(free):
        ranked = sorted([*rolls, *({"place": other, "to": None} for other in free)], key=lambda roll: roll["place"])
        at = next(n for n, roll in enumerate(ranked) if roll["place"] == step and roll["to"] is None)
        for roll in [ranked[n] for n in (at - 1, at + 1) if 0 <= n < len(ranked)]:
            if roll["to"] is None or roll["place"] not in size:
                continue
            first, second = sorted((step, roll["place"]))
            held = roll["to"] if roll["place"] < step else roll["from"]
            found = [
                name
                for name in order[order.index(roll["from"]) + 1 : order.index(roll["to"])]
                if gap_like(roll["from"], name, first)
                and gap_like(name, roll["to"], second)
                and left_open(held, name, first, second)
            ]
            if len(found) == 1:
                free.remove(step)
                new = {"place": second, "from": found[0], "to": roll["to"], "source": roll["source"], "stepped": True}
                roll.update(place=first, to=found[0], stepped=True)
                rolls.append(new)
                rolls.sort(key=lambda roll: roll["place"])
                break


def by_own_schedule(
    series: dict[str, float],
    days: list[str],
    canonical: dict[str, tuple[float, float, str]],
    closes: dict[str, dict[str, float]],
    tick: float,
    adjusted: bool,
) -> tuple[dict[str, str], dict[str, float], dict[str, float]]:
    """Our contract, its offset and the truncated residual, by session of the reference inside our series."""
    ours, held, name = sorted(canonical), {}, None
    coming = list(ours)
    for day in days:
        while coming and coming[0] <= day:
            name = canonical[coming.pop(0)][2]
        if name is not None and day <= ours[-1]:
            held[day] = name
    segments: list[list[str]] = []
    for day, name in held.items():
        if segments and held[segments[-1][-1]] == name:
            segments[-1].append(day)
        else:
            segments.append([day])
    offset = {}
    for segment in segments:
        apart = [series[day] - closes[held[day]][day] for day in segment if day in closes[held[day]]]
        for day in segment:
            offset[day] = median(apart) if adjusted and apart else 0.0
    traded = {day for bars in closes.values() for day in bars}
    residual = {
        day: min(abs(series[day] - offset[day] - closes[name][day]) / tick, CAP) if day in closes[name] else CAP
        for day, name in held.items()
        if day in traded
    }
    return held, offset, residual


def recover(
    adjusted: dict[str, float] | None,
    unadjusted: dict[str, float] | None,
    closes: dict[str, dict[str, float]],
    tick: float,
    canonical: dict[str, tuple[float, float, str]] | None = None,
) -> dict:
    """Reference rolls, the contract held on each session, both series, whether the contracts are known.

    canonical: our series, whose own schedule is the recovery where it explains the closes at most 1 % worse.
    """
    offsets = None
    if unadjusted is not None:
        days = sorted(set(unadjusted) & set(adjusted)) if adjusted is not None else sorted(unadjusted)
        path = fingerprint({day: unadjusted[day] for day in days}, closes, tick)
        series = unadjusted
    else:
        assert adjusted is not None
        days = sorted(adjusted)
        path, offsets = free_offsets(adjusted, closes, tick)
        series = {day: adjusted[day] - offsets[day] for day in path}
    residuals = [
        min(abs(series[day] - closes[name][day]) / tick, CAP) if day in closes[name] else CAP
        for day, name in path.items()
    ]
    source = "fingerprint"
    if canonical:
        read = unadjusted if unadjusted is not None else adjusted
        assert read is not None
        own, offset, residual = by_own_schedule(read, days, canonical, closes, tick, unadjusted is None)
        there = [value for day, value in zip(path, residuals, strict=True) if day in residual]
        fits = bool(residual) and median(list(residual.values())) <= CAP / 2
        if fits and adjusted is not None and unadjusted is not None and sum(residual.values()) > 1e-6 * len(residual):
            # Closes that are not quite ours leave the dates open, but the vendor's own two series tell them.
            turns = {at for at, day in enumerate(days) if at and own.get(day) != own.get(days[at - 1])}
            spread = {day: unadjusted[day] - adjusted[day] for day in days}
            fits = set(spread_steps(days, spread, tick)) <= turns
        if fits and sum(residual.values()) <= 1.01 * sum(there) + 1e-6:
            path, residuals, source = own, list(residual.values()), "ours"
            if unadjusted is None:
                offsets, series = offset, {day: adjusted[day] - offset[day] for day in own}
    known = bool(residuals) and median(residuals) <= CAP / 2

    at = {day: place for place, day in enumerate(days)}
    rolls: list[dict] = []
    if known:
        pathdays = list(path)
        for before, day in itertools.pairwise(pathdays):
            if path[before] != path[day]:
                rolls.append({"place": at[day], "from": path[before], "to": path[day], "source": source})
            elif offsets is not None and offsets[before] != offsets[day]:  # a new segment of the same contract
                rolls.append({"place": at[day], "from": None, "to": None, "source": "fingerprint"})
    unattributed = []
    if adjusted is not None and unadjusted is not None:
        spread = {day: unadjusted[day] - adjusted[day] for day in days}
        free = spread_steps(days, spread, tick)
        for roll in rolls:
            most = 0 if source == "ours" else NEAR_STEP
            near = [(abs(step - roll["place"]), step) for step in free if abs(step - roll["place"]) <= most]
            if near:
                step = min(near)[1]
                free.remove(step)
                roll["place"] = step
                roll["stepped"] = True
        if source != "ours":
            one_roll_with_its_step(rolls, free)
            steps_bind(rolls, free, days, spread, unadjusted, closes, tick)
        for step in free:
            unattributed.append({"place": step, "from": None, "to": None, "source": "spread_step"})
        rolls = sorted(rolls + unattributed, key=lambda roll: roll["place"])
        borders = [0, *[roll["place"] for roll in rolls], len(days)]
        middle = [median([spread[day] for day in days[a:b]]) if b > a else None for a, b in itertools.pairwise(borders)]
        for number, roll in enumerate(rolls):
            roll["gap"] = (
                None if middle[number] is None or middle[number + 1] is None else middle[number + 1] - middle[number]
            )
    elif offsets is not None:
        for roll in rolls:
            day = days[roll["place"]]
            before = max(d for d in path if d < day)
            roll["gap"] = offsets[before] - offsets[day]
    else:  # only the unadjusted series: no spread and no offsets, so no gap and no adjusted series to drift from
        for roll in rolls:
            roll["gap"] = None
    for roll in rolls:
        roll["roll_date"] = days[roll["place"]]
        roll["gap_session"] = days[roll["place"] - 1]

    held: dict[str, str | None] = {}
    if known:
        name = next(iter(path.values()))
        coming = [roll for roll in rolls if roll["to"] is not None]
        first, last = min(path), max(path)
        for day in days:
            while coming and coming[0]["roll_date"] <= day:
                name = coming.pop(0)["to"]
            held[day] = name if first <= day <= last else None
        if source != "ours":
            # The rule of a match, median residual at most half the cap, holds from a step without contracts to the
            # next roll too: closes that lie farther off there say that the contract is not known.
            apart = dict(zip(path, residuals, strict=True))
            ends = [*[roll["place"] for roll in rolls[1:]], len(days)]
            for roll, end in zip(rolls, ends, strict=False):
                stretch = days[roll["place"] : end]
                there = [apart[day] for day in stretch if day in apart]
                if roll["source"] == "spread_step" and there and median(there) > CAP / 2:
                    held.update(dict.fromkeys(stretch))
    if unadjusted is None:
        unadjusted = series
    return {
        "days": days, "rolls": rolls, "held": held, "known": known, "A": adjusted, "U": unadjusted,
        "median_residual": median(residuals) if residuals else None,
    }  # fmt: skip


def own_gap(closes: dict[str, dict[str, float]], old: str | None, new: str | None, session: str) -> float | None:
    """close of `new` less close of `old` on our own closes; None where one is missing."""
    if old is None or new is None or session not in closes.get(old, {}) or session not in closes.get(new, {}):
        return None
    return closes[new][session] - closes[old][session]


# ---------------------------------------------------------------- L2


def align(
    canonical: list[dict], reference: list[dict], at: dict[str, int], tick: float, limit: int | None, known: bool
) -> list[tuple[int, int]]:
    """Order-preserving matching of least cost; of equal ones the lexicographically smallest list of pairs."""
    best: dict[tuple[int, int], tuple[float, list[tuple[int, int]]]] = {}
    nc, nr = len(canonical), len(reference)
    for i in range(nc, -1, -1):
        for j in range(nr, -1, -1):
            options: list[tuple[float, list[tuple[int, int]]]] = []
            if i == nc and j == nr:
                options.append((0.0, []))
            if i < nc:
                cost, pairs = best[i + 1, j]
                options.append((r9(cost + UNMATCHED_COST), pairs))
            if j < nr:
                cost, pairs = best[i, j + 1]
                options.append((r9(cost + UNMATCHED_COST), pairs))
            if i < nc and j < nr:
                c, r = canonical[i], reference[j]
                apart = abs(at[c["gap_session"]] - at[r["gap_session"]])
                # A step without contracts: they are not known on both sides, so its date alone must fit.
                same = c["to"] == r["to"] or (r["to"] is None and limit is not None) if known else True
                if same and (limit is None or apart <= limit):
                    cost, pairs = best[i + 1, j + 1]
                    ticks = abs(c["gap"] - r["gap"]) / tick if r["gap"] is not None else 0.0
                    options.append((r9(cost + 1.0 * apart + 0.01 * ticks), [(i, j), *pairs]))
            best[i, j] = min(options)
    return best[0, 0][1]


def schedule(canonical: list[dict], reference: list[dict], at: dict[str, int], tick: float, limit: int, known: bool):
    """The pairs and counts of L2. Rolls carry `edge`."""
    pairs = align(canonical, reference, at, tick, limit, known)
    paired_c, paired_r = {i for i, _ in pairs}, {j for _, j in pairs}
    lone_c = [c for i, c in enumerate(canonical) if i not in paired_c and not c["edge"]]
    lone_r = [r for j, r in enumerate(reference) if j not in paired_r and not r["edge"]]
    deltas = [at[canonical[i]["gap_session"]] - at[reference[j]["gap_session"]] for i, j in pairs]
    n_pass = sum(delta == 0 for delta in deltas)
    n_paired = len(pairs)
    n_c, n_r = n_paired + len(lone_c), n_paired + len(lone_r)
    n_fail = len(lone_c) + len(lone_r)
    share = n_fail / (n_c + n_r) if n_c + n_r else None
    strict = "FAIL" if n_fail else ("WATCH" if n_pass < n_paired else "PASS")
    total = n_paired + n_fail
    if strict == "PASS":
        policy = "PASS"
    elif share is not None and r9(share) <= 0.10 and r9(n_fail / total) <= 0.15:
        policy = "WATCH"
    else:
        policy = "FAIL"
    histogram: dict[str, int] = {}
    for delta in deltas:
        histogram[str(delta)] = histogram.get(str(delta), 0) + 1
    return pairs, {
        "n_canonical": n_c, "n_reference": n_r, "n_pass": n_pass, "n_watch": n_paired - n_pass, "n_fail": n_fail,
        "n_paired": n_paired, "n_unmatched_canonical": len(lone_c), "n_unmatched_reference": len(lone_r),
        "n_edge_canonical": sum(c["edge"] and i not in paired_c for i, c in enumerate(canonical)),
        "n_edge_reference": sum(r["edge"] and j not in paired_r for j, r in enumerate(reference)),
        "unmatched_share": share, "fail_share": n_fail / n_paired if n_paired else None,
        "strict_status": strict, "policy_status": policy, "day_delta_histogram": histogram,
    }  # fmt: skip


# ---------------------------------------------------------------- L4


def last_run(shared: list[str], same: set[str], held: dict[str, str], roll_dates: set[str]) -> list[str]:
    """The last run of consecutive same-contract sessions of one contract with no roll inside."""
    place = max(n for n, day in enumerate(shared) if day in same)
    run = [shared[place]]
    while place > 0:
        later, earlier = shared[place], shared[place - 1]
        if earlier not in same or held[earlier] != held[later]:
            break
        if any(earlier < day <= later for day in roll_dates):
            break
        run.insert(0, earlier)
        place -= 1
    return run


def ledger(
    shared: list[str],
    canonical: dict[str, tuple[float, float, str]],
    ref: dict,
    rolls_c: list[dict],
    rolls_r: list[dict],
    pairs: list[tuple[int, int]],
    closes: dict[str, dict[str, float]],
) -> dict:
    """Anchor, D and its components by session."""
    known = ref["known"]
    same = [d for d in shared if canonical[d][2] == ref["held"].get(d)] if known else []
    by_contract = known and bool(same)
    roll_dates = {roll["roll_date"] for roll in rolls_c + rolls_r}
    if by_contract:
        run = last_run(shared, set(same), {d: canonical[d][2] for d in shared}, roll_dates)
    else:
        latest = max(roll_dates, default="")
        run = [d for d in shared if d >= latest]
    anchor = median([canonical[d][0] - ref["A"][d] for d in run])
    drift = {d: canonical[d][0] - ref["A"][d] - anchor for d in shared}
    unadjusted = {d: canonical[d][1] - ref["U"][d] for d in shared if d in ref["U"]}
    level = median([unadjusted[d] for d in run])

    components: dict[str, dict[str, float]] = {}
    carried = dict.fromkeys(shared, 0.0)
    if by_contract:
        taken: dict[str, int] = {}
        for start, end in itertools.pairwise(same):
            block_c = [roll for roll in rolls_c if start < roll["roll_date"] <= end]
            block_r = [roll for roll in rolls_r if start < roll["roll_date"] <= end]
            if not block_c and not block_r:
                continue
            name = f"{canonical[start][2]}>{canonical[end][2]}"
            if name in taken:
                name += "@" + min(roll["roll_date"] for roll in block_c + block_r)
            taken[name] = 1
            total = sum(roll["gap"] for roll in block_c) - sum(roll["gap"] or 0.0 for roll in block_r)
            parts = {"": total}
            if len(block_c) == 1 and len(block_r) == 1:
                c, r = block_c[0], block_r[0]
                g = own_gap(closes, c["from"], c["to"], r["gap_session"])
                if g is not None and r["gap"] is not None:
                    parts = {":date": c["gap"] - g, ":price": g - r["gap"]}
            for tail, value in parts.items():
                components[f"gap:{name}{tail}"] = {d: value for d in shared if d <= start}
            for d in shared:
                if d <= start:
                    carried[d] += total
            components[f"timing:{name}"] = {d: 1.0 for d in shared if start < d < end}
        for name, series in components.items():
            if name.startswith("timing:"):
                for d in series:
                    series[d] = drift[d] - carried[d]
        inside = set(same)
        basis = {d: unadjusted[d] - level for d in same}
        components["basis"] = basis
        components["contract"] = {
            d: drift[d] - carried[d] for d in shared if d not in inside and (d < same[0] or d > same[-1])
        }
        components["reference_residual"] = {d: drift[d] - carried[d] - basis[d] for d in same}
    else:
        done_c, done_r = {i for i, _ in pairs}, {j for _, j in pairs}
        groups: list[tuple[str, list[dict], list[dict]]] = []
        for i, j in pairs:
            groups.append(("gap:" + roll_name(rolls_c[i]), [rolls_c[i]], [rolls_r[j]]))
        groups += [("unmatched:" + roll_name(c), [c], []) for i, c in enumerate(rolls_c) if i not in done_c]
        groups += [("unmatched:" + roll_name(r), [], [r]) for j, r in enumerate(rolls_r) if j not in done_r]
        inside: dict[str, str] = {}  # session -> the block between whose two roll dates it lies
        for name, block_c, block_r in groups:
            dates = [roll["roll_date"] for roll in block_c + block_r]
            total = sum(c["gap"] for c in block_c) - sum(r["gap"] or 0.0 for r in block_r)
            components[name] = {d: total for d in shared if d < min(dates)}
            for d in shared:
                if d < min(dates):
                    carried[d] += total
                elif d < max(dates):
                    inside[d] = name.replace("gap:", "timing:")
        for d, name in inside.items():
            components.setdefault(name, {})[d] = drift[d] - carried[d]
        outside = [d for d in shared if d not in inside]
        components["contract"] = {d: unadjusted[d] - level for d in outside}
        components["reference_residual"] = {d: drift[d] - carried[d] - unadjusted[d] + level for d in outside}
    size = sum(abs(value) for value in drift.values())
    n = len(shared)
    table = {}
    for name, series in components.items():
        table[name] = {
            "share": sum((value if drift[d] > 0 else -value if drift[d] < 0 else 0.0) for d, value in series.items())
            / size
            if size
            else None,  # nothing to share
            "mean": sum(abs(value) for value in series.values()) / n,
            "max": max((abs(value) for value in series.values()), default=0.0),
            "gross": sum(abs(value) for value in series.values()) / size if size else None,
        }
    worst = 0.0
    for d in shared:
        worst = max(worst, abs(drift[d] - sum(series.get(d, 0.0) for series in components.values())))
    return {
        "anchor": anchor, "drift": drift, "components": table, "aligning_sessions": len(run), "same": same,
        "mean_drift": mean([abs(v) for v in drift.values()]), "max_drift": max(abs(v) for v in drift.values()),
        "signed_mean": mean(list(drift.values())), "p95": quantile([abs(v) for v in drift.values()], 0.95),
        "gross": sum(entry["gross"] for entry in table.values()) if size else None,
        "unexplained": table["contract"]["mean"] + table["reference_residual"]["mean"],
        "median_price": median([abs(ref["U"][d]) for d in shared if d in ref["U"]]),
        "sum_residual": worst, "shares": sum(entry["share"] for entry in table.values()) if size else None,
        "by_contract": by_contract, "series": components,
    }  # fmt: skip


def roll_name(roll: dict) -> str:
    return f"{roll['from']}>{roll['to']}" if roll["from"] else roll["roll_date"]


# ---------------------------------------------------------------- acceptance


def acceptance(shared: int, counts: dict, mean_gap: float | None, mean_drift: float, identity: bool) -> dict:
    """Decision and every breach, policy v1; limits are inclusive."""
    reasons: list[tuple[str, str, float | None, float | None]] = []
    if not identity:
        reasons.append(("REJECT", "IDENTITY_MISMATCH", None, None))
    if shared < 500:
        reasons.append(("REJECT", "INSUFFICIENT_OVERLAP", float(shared), 500.0))
    if counts["n_paired"] < 20:
        reasons.append(("REJECT", "PAIRED_ROLLS", float(counts["n_paired"]), 20.0))
    if counts["unmatched_share"] is None or r9(counts["unmatched_share"]) > 0.10:
        reasons.append(("REJECT", "UNMATCHED_SHARE", counts["unmatched_share"], 0.10))
    if counts["fail_share"] is None or r9(counts["fail_share"]) > 0.15:
        reasons.append(("REJECT", "FAIL_SHARE", counts["fail_share"], 0.15))
    if mean_gap is not None and r9(mean_gap) > 1.0:
        reasons.append(("WATCH", "MEAN_GAP_DIFF", mean_gap, 1.0))
    if r9(mean_drift) > 5.0:
        reasons.append(("WATCH", "MEAN_DRIFT", mean_drift, 5.0))
    worst = {severity for severity, *_ in reasons}
    decision = "REJECT" if "REJECT" in worst else "WATCH" if "WATCH" in worst else "ACCEPT"
    return {"decision": decision, "reasons": {code: (sev, value, limit) for sev, code, value, limit in reasons}}


# ---------------------------------------------------------------- the whole


def certify(
    canonical: dict[str, tuple[float, float, str]],
    manifest_rolls: list[dict],
    closes: dict[str, dict[str, float]],
    adjusted: dict[str, float] | None,
    unadjusted: dict[str, float] | None,
    tick: float,
    max_day_delta: int,
    identity: bool = True,
) -> dict:
    """Every number that the specification defines for L2, L3, L4, the ledger and acceptance v1."""
    ref = recover(adjusted, unadjusted, closes, tick, canonical)
    return judge(canonical, manifest_rolls, closes, ref, tick, max_day_delta, identity)


def judge(
    canonical: dict[str, tuple[float, float, str]],
    manifest_rolls: list[dict],
    closes: dict[str, dict[str, float]],
    ref: dict,
    tick: float,
    max_day_delta: int,
    identity: bool,
) -> dict:
    """All layers of one canonical series against a recovered reference."""
    first = max(min(canonical), min(ref["days"]))
    last = min(max(canonical), max(ref["days"]))
    window_c = [d for d in sorted(canonical) if first <= d <= last]
    window_r = [d for d in ref["days"] if first <= d <= last]
    union = sorted(set(window_c) | set(window_r))
    at = {day: place for place, day in enumerate(union)}
    shared = [d for d in window_c if d in set(window_r)]

    rolls_c = [
        {
            "gap_session": r["gap_session"], "roll_date": r["roll_date"], "from": r["from_contract"],
            "to": r["to_contract"], "gap": r["gap"], "source": "canonical",
        }
        for r in manifest_rolls
    ]  # fmt: skip
    rolls_c = [r for r in rolls_c if first <= r["gap_session"] and r["roll_date"] <= last]
    rolls_r = [dict(r) for r in ref["rolls"] if first <= r["gap_session"] and r["roll_date"] <= last]
    same = [d for d in shared if canonical[d][2] == ref["held"].get(d)] if ref["known"] else []
    for roll in rolls_c + rolls_r:
        place = at[roll["gap_session"]]
        near = place <= EDGE_SESSIONS or len(union) - 1 - place <= EDGE_SESSIONS
        beyond = bool(same) and (roll["roll_date"] <= same[0] or roll["roll_date"] > same[-1])
        roll["edge"] = near or beyond

    pairs, counts = schedule(rolls_c, rolls_r, at, tick, max_day_delta, ref["known"])
    mismatch = False
    if ref["known"]:
        free = align(rolls_c, rolls_r, at, tick, None, True)
        beyond = [
            (i, j)
            for i, j in free
            if abs(at[rolls_c[i]["gap_session"]] - at[rolls_r[j]["gap_session"]]) > max_day_delta
        ]
        # Unpaired EDGE rolls count nowhere: neither among the larger side's rolls nor among those that pair beyond.
        if counts["n_canonical"] >= counts["n_reference"]:
            inside = {i for i, _ in pairs}
            far = sum(i in inside or not rolls_c[i]["edge"] for i, _ in beyond)
        else:
            inside = {j for _, j in pairs}
            far = sum(j in inside or not rolls_r[j]["edge"] for _, j in beyond)
        mismatch = far > max(counts["n_canonical"], counts["n_reference"]) / 2

    details = []
    for i, j in pairs:
        c, r = rolls_c[i], rolls_r[j]
        entry = {
            "canonical_gap_session": c["gap_session"], "reference_gap_session": r["gap_session"],
            "from_contract": c["from"], "to_contract": c["to"],
            "day_delta": at[c["gap_session"]] - at[r["gap_session"]],
            "canonical_gap": c["gap"], "reference_gap": r["gap"],
            "gap_diff": c["gap"] - r["gap"] if r["gap"] is not None else None,
            "date_effect": None, "price_effect": None,
        }  # fmt: skip
        alike = r["to"] is None or (c["from"], c["to"]) == (r["from"], r["to"])
        g = own_gap(closes, c["from"], c["to"], r["gap_session"]) if alike else None
        if g is not None:
            entry["date_effect"] = c["gap"] - g
            entry["price_effect"] = g - r["gap"] if r["gap"] is not None else None
        details.append(entry)
    diffs = [abs(entry["gap_diff"]) for entry in details if entry["gap_diff"] is not None]
    mean_gap, max_gap = (mean(diffs), max(diffs)) if diffs else (None, None)

    book = None
    if ref["A"] is not None:
        book = ledger(shared, canonical, ref, rolls_c, rolls_r, pairs, closes)
        verdict = acceptance(len(shared), counts, mean_gap, book["mean_drift"], identity)
    else:  # L3 and L4 cannot run, and what must have run has not
        verdict = {"decision": "REJECT" if len(shared) < 500 else "ERROR", "reasons": None}
    return {
        "overlap": {
            "first_session": first, "last_session": last, "shared_sessions": len(shared), "union_sessions": len(union),
            "same_contract_sessions": len(same), "contracts_known": ref["known"],
        },
        "counts": counts, "rule_mismatch": mismatch, "pairs": details,
        "mean_gap_diff": mean_gap, "max_gap_diff": max_gap,
        "canonical_rolls": rolls_c, "reference_rolls": rolls_r, "ledger": book,
        "median_residual": ref["median_residual"],
        **verdict,
    }  # fmt: skip


def main() -> None:
    """Print the answers for files named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--canonical", type=Path, required=True)
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--contracts", type=Path, nargs="+", required=True)
    parser.add_argument("--adjusted", type=Path)
    parser.add_argument("--unadjusted", type=Path)
    parser.add_argument("--tick", type=float, required=True)
    parser.add_argument("--max-day-delta", type=int, required=True)
    given = parser.parse_args()
    answer = certify(
        read_canonical(given.canonical),
        json.loads(given.manifest.read_text())["rolls"],
        read_contract_closes(given.contracts),
        read_series(given.adjusted) if given.adjusted else None,
        read_series(given.unadjusted) if given.unadjusted else None,
        given.tick,
        given.max_day_delta,
    )
    for rows in ("series", "drift"):
        (answer["ledger"] or {}).pop(rows, None)
    print(json.dumps(answer, indent=1))


if __name__ == "__main__":
    main()
