"""The continuous builder written a second time, slowly, from its specification alone.

Standard library only, one session at a time, no import of `ctl`; its author has not read the implementation
under test. It knows the volume policy (with its confirmation by the largest volume or by open interest), both
timings, eligible months, forced rolls and the three adjustments.

    python tests/answers/roll_independent.py CONTRACTS.csv --root HG [--months HKNUZ] [--days 2]
                                             [--timing next_session] [--adjust difference]
    python tests/answers/roll_independent.py --bloomberg FOLDER > tests/answers/roll_bloomberg.json
    python tests/answers/roll_independent.py --synthetic [SEED] > contracts.csv

CONTRACTS.csv: session,contract,open,high,low,close,volume[,open_interest][,last_trade]; empty cells are missing.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import sys
from datetime import date, timedelta
from pathlib import Path

MONTHS = "FGHJKMNQUVXZ"
# Thanksgiving of the ES contracts: the exchange counts its trades to the Friday.
COUNTED_TO_NEXT = {"ES": {date(2013, 11, 28)}}
BLOOMBERG = {"copper": "HG", "corn": "C", "heating_oil": "HO", "soybean": "S"}


# ---------------------------------------------------------------- contracts and bars


def full_year(digits, month, last_bar):
    """The delivery year meant by the digits written, given the contract's last bar."""
    if len(digits) == 4:
        return int(digits)
    for year in range(last_bar.year - 1, last_bar.year + 101):
        months_after = (year - last_bar.year) * 12 + month - last_bar.month
        if str(year).endswith(digits) and months_after >= -1:
            return year
    raise SystemExit(f"no year for {digits}")


def read_contracts(path, root):
    """{(year, month): {session: bar}}; a bar is a dict of floats or None."""
    by_symbol = {}
    with Path(path).open(newline="") as file:
        for row in csv.DictReader(file):
            number = {
                name: float(row[name]) if row.get(name) not in (None, "") else None
                for name in ("open", "high", "low", "close", "volume", "open_interest")
            }
            number["last_trade"] = date.fromisoformat(row["last_trade"]) if row.get("last_trade") else None
            by_symbol.setdefault(row["contract"], {})[date.fromisoformat(row["session"])] = number
    sessions = sorted({day for bars in by_symbol.values() for day in bars if is_session(day, root)})
    contracts = {}
    for symbol, bars in by_symbol.items():
        month, digits = MONTHS.index(symbol[len(root)]) + 1, symbol[len(root) + 1 :]
        if not symbol.startswith(root):
            raise SystemExit(f"{symbol} is not a contract of {root}")
        # A symbol is used again ten (or a hundred) years later: a hole longer than 366 days parts the two.
        part = {}
        for day in sorted(bars):
            if part and (day - max(part)).days > 366:
                contracts[full_year(digits, month, max(part)), month] = fold_weekends(part, sessions, root)
                part = {}
            part[day] = bars[day]
        contracts[full_year(digits, month, max(part)), month] = fold_weekends(part, sessions, root)
    return contracts


def is_session(day, root):
    return day.weekday() < 5 and day not in COUNTED_TO_NEXT.get(root, ())


def fold_weekends(bars, sessions, root):
    """Bars of weekends and of COUNTED_TO_NEXT merged into the root's next session; open interest stays its own."""
    out = {}
    for day in sorted(bars):
        bar = dict(bars[day])
        label = day if is_session(day, root) else min((s for s in sessions if s > day), default=None)
        if label is None:
            continue  # nothing follows to fold it into
        if label in out:
            lead = out[label]
            bar["open"] = lead["open"]
            bar["high"] = max(lead["high"], bar["high"])
            bar["low"] = min(lead["low"], bar["low"])
            known = bar["volume"] is not None and lead["volume"] is not None
            bar["volume"] = bar["volume"] + lead["volume"] if known else None
        out[label] = bar
    return out


def name_of(root, key):
    return f"{root}{MONTHS[key[1] - 1]}{key[0] % 100:02d}"


# ---------------------------------------------------------------- the build


def build(contracts, root, *, months=None, days=2, timing="next_session", adjust="difference"):
    """{"rolls", "series", "pending_roll", "skipped_sessions", "unconfirmed_crossovers"} as JSON values."""
    chain = sorted(key for key in contracts if months is None or MONTHS[key[1] - 1] in months)
    sessions = sorted({day for bars in contracts.values() for day in bars})
    first_seen = {key: min(contracts[key]) for key in chain}
    last_trade = {key: next(iter(contracts[key].values())).get("last_trade") for key in chain}

    def bar(key, day):
        return contracts[key].get(day)

    def volume(key, day):
        found = bar(key, day)
        return None if found is None else found["volume"]

    active = None
    run = []  # the sessions on which the next contract led, for the present pair
    run_pair = None
    missing = 0
    waiting = None  # a confirmed roll that is in force from the next session
    rolls, rows = [], []  # rows: (session, contract)
    skipped = unconfirmed = 0

    for day in sessions:
        trading = [key for key in chain if bar(key, day) is not None]
        if active is None:
            if not trading:
                continue
            active = max(trading, key=lambda key: (volume(key, day) or 0.0, [-x for x in key]))

        if waiting is not None:
            waiting["in_force"] = day
            rolls.append(waiting)
            active, waiting, missing = waiting["to"], None, 0

        # Has the active contract ended?
        if bar(active, day) is None and trading:
            missing += 1
        elif bar(active, day) is not None:
            missing = 0
        over = last_trade[active] is not None and day > last_trade[active]
        later = [key for key in trading if key > active]
        if (over or missing >= 2) and bar(active, day) is None and later:
            new = later[0]
            old_days = sorted(day_ for day_ in contracts[active] if day_ < day)
            roll = make_roll(contracts, active, new, old_days[-1], day, "contract_ended", [old_days[-1]])
            roll["in_force"] = day
            rolls.append(roll)
            active, missing = new, 0

        if bar(active, day) is None:
            skipped += 1
            # Nothing is known of the active contract's volume today: like a null volume, it neither confirms nor
            # breaks, unless the next contract's bar is missing too.
        candidates = [key for key in chain if key > active and first_seen[key] <= day]
        new = candidates[0] if candidates else None
        if (active, new) != run_pair:
            run, run_pair = [], (active, new)
        confirmed = False
        if new is not None:
            if bar(new, day) is None:
                run = []
            elif volume(new, day) is None or volume(active, day) is None:
                pass
            elif volume(new, day) > volume(active, day):
                run.append(day)
                if len(run) >= days:
                    biggest = all(
                        volume(new, day) >= volume(key, day) for key in trading if volume(key, day) is not None
                    )
                    mine, theirs = bar(active, day)["open_interest"], bar(new, day)["open_interest"]
                    more_interest = mine is not None and theirs is not None and theirs > mine
                    confirmed = biggest or more_interest
                    unconfirmed += not confirmed
            else:
                run = []

        if confirmed:
            roll = make_roll(contracts, active, new, day, day, "volume", run[-days:])
            run, run_pair = [], None
            if timing == "same_session":
                rolls.append(roll)
                active, missing = new, 0
                rows.append((day, active))
            else:
                rows.append((day, active))
                waiting = roll
        elif bar(active, day) is not None:
            rows.append((day, active))

    # The first session on a roll's new contract; where it never traded while it was held, the one it was in force from.
    for roll in rolls:
        held = [day for day, key in rows if key == roll["to"]]
        roll["roll_date"] = held[0] if held else roll["in_force"]
    return document(contracts, root, rolls, rows, waiting, adjust, skipped, unconfirmed)


def make_roll(contracts, old, new, gap_session, known_at, reason, run):
    """The roll's closes on the gap session, or as near to it as they can be had."""
    closes = {key: {day: bar["close"] for day, bar in contracts[key].items()} for key in (old, new)}
    both = [day for day in closes[old] if day in closes[new] and day <= gap_session]
    concurrent = bool(both)
    if both:
        gap_session = max(both)
        pair = closes[old][gap_session], closes[new][gap_session]
    else:
        # The two nearest closes, of those known when the roll was: the old one's last, the new one's first.
        old_day = max(day for day in closes[old] if day <= gap_session)
        new_day = min((day for day in closes[new] if day <= known_at), key=lambda day: abs((day - old_day).days))
        pair = closes[old][old_day], closes[new][new_day]
    volumes = [[(contracts[key].get(day) or {}).get("volume") for day in run] for key in (old, new)]
    return {
        "from": old,
        "to": new,
        "gap_session": gap_session,
        "known_at": known_at,
        "from_close": pair[0],
        "to_close": pair[1],
        "from_volume": volumes[0],
        "to_volume": volumes[1],
        "reason": reason,
        "concurrent": concurrent,
    }


def document(contracts, root, rolls, rows, waiting, adjust, skipped, unconfirmed):
    for n, roll in enumerate(rolls):
        roll["gap"] = roll["to_close"] - roll["from_close"]
        roll["cumulative"] = sum(later["to_close"] - later["from_close"] for later in rolls[n:])
    series = []
    for day, key in rows:
        bar = contracts[key][day]
        plus, times = 0.0, 1.0
        for roll in rolls:
            if day < roll["roll_date"]:
                plus += roll["gap"]
                times *= roll["to_close"] / roll["from_close"]
        row = {"session": day.isoformat(), "contract": name_of(root, key)}
        for name in ("open", "high", "low", "close"):
            value = bar[name]
            if value is not None and adjust == "difference":
                value = value + plus
            elif value is not None and adjust == "ratio":
                value = value * times
            row[name] = value
        row["volume"], row["open_interest"] = bar["volume"], bar["open_interest"]
        row["adjustment"] = {"difference": plus, "ratio": times, "none": 0.0}[adjust]
        row["close_unadjusted"] = bar["close"]
        series.append(row)
    return {
        "rolls": [
            {
                "roll_date": roll["roll_date"].isoformat(),
                "gap_session": roll["gap_session"].isoformat(),
                "known_at": roll["known_at"].isoformat(),
                "from_contract": name_of(root, roll["from"]),
                "to_contract": name_of(root, roll["to"]),
                "from_close": roll["from_close"],
                "to_close": roll["to_close"],
                "gap": roll["gap"],
                "cumulative_adjustment": roll["cumulative"],
                "from_volume": roll["from_volume"],
                "to_volume": roll["to_volume"],
                "reason": roll["reason"],
                "concurrent": roll["concurrent"],
            }
            for roll in rolls
        ],
        "pending_roll": None
        if waiting is None
        else {
            "known_at": waiting["known_at"].isoformat(),
            "from_contract": name_of(root, waiting["from"]),
            "to_contract": name_of(root, waiting["to"]),
            "reason": waiting["reason"],
        },
        "skipped_sessions": skipped,
        "unconfirmed_crossovers": unconfirmed,
        "series": series,
    }


# ---------------------------------------------------------------- real contracts


def bloomberg_rows(path, root, with_last_trade=False):
    """Plain contract rows of one settlement file. Symbols keep the year digits of the file (`HGF96`, `HGF1`)."""
    out = []
    with Path(path).open(newline="") as file:
        for row in csv.DictReader(file):
            # `HGF96 Comdty`, `C H97 Comdty`, `HGF1 Comdty`, and for 2008 also `HGJ8 08 Comdty`.
            code, *year = row["contract"].removesuffix(" Comdty")[len(root) :].split()
            symbol = root + (code[0] + year[0] if year else code)
            cells = [row["date"], symbol, "", "", "", row["settle"]]
            cells += [str(int(float(row[name]))) if row[name] else "" for name in ("volume", "oi")]
            out.append(cells + ([row["last_trade"]] if with_last_trade else []))
    return out


def lean_rows(folder):
    """Plain contract rows of ESZ13 and ESH14 around their roll."""
    out = []
    for symbol, stem in (("ESZ13", "201312"), ("ESH14", "201403")):
        interest = {}
        with (Path(folder) / f"es_openinterest_{stem}.csv").open() as file:
            for row in csv.reader(file):
                interest[row[0][:8]] = row[1]
        with (Path(folder) / f"es_trade_{stem}.csv").open() as file:
            for row in csv.reader(file):
                day = row[0][:8]
                label = f"{day[:4]}-{day[4:6]}-{day[6:]}"
                out.append([label, symbol, *row[1:6], interest.get(day, "")])
    return sorted(out)


def write_contracts(rows, file):
    header = ["session", "contract", "open", "high", "low", "close", "volume", "open_interest", "last_trade"]
    csv.writer(file, lineterminator="\n").writerows([header[: len(rows[0])], *rows])


def digest(rows):
    def plain(value):
        if isinstance(value, float):
            return round(value, 9) + 0.0
        if isinstance(value, dict):
            return {name: plain(item) for name, item in value.items()}
        return [plain(item) for item in value] if isinstance(value, list) else value

    return hashlib.sha256(json.dumps(plain(rows), sort_keys=True, separators=(",", ":")).encode()).hexdigest()


CASES = [
    {"days": 2, "timing": "next_session", "adjust": "difference"},
    {"days": 2, "timing": "same_session", "adjust": "difference"},
    {"days": 2, "timing": "next_session", "adjust": "ratio"},
    {"days": 3, "timing": "next_session", "adjust": "none"},
]
LIQUID = {"HG": "HKNUZ", "C": "HKNUZ", "HO": None, "S": "FHKNX"}


def case_name(case):
    months = case.get("months") or "all"
    return f"months={months} days={case['days']} {case['timing']} {case['adjust']}"


def cases_of(root):
    return [dict(case, months=months) for months in sorted({None, LIQUID[root]}, key=str) for case in CASES]


def bloomberg_answers(folder, scratch):
    answers = {}
    for stem, root in BLOOMBERG.items():
        source = Path(folder) / f"{stem}.csv"
        plain = Path(scratch) / f"{root}.csv"
        with plain.open("w", newline="") as file:
            write_contracts(bloomberg_rows(source, root), file)
        contracts = read_contracts(plain, root)
        cases = {}
        for case in cases_of(root):
            built = build(contracts, root, **case)
            reasons = [roll["reason"] for roll in built["rolls"]]
            cases[case_name(case)] = {
                "rolls": len(reasons),
                "forced": reasons.count("contract_ended"),
                "rows": len(built["series"]),
                "skipped_sessions": built["skipped_sessions"],
                "unconfirmed_crossovers": built["unconfirmed_crossovers"],
                "roll_digest": digest(built["rolls"]),
                "series_digest": digest(built["series"]),
            }
        answers[root] = {"source_sha256": hashlib.sha256(source.read_bytes()).hexdigest(), "cases": cases}
    return answers


# ---------------------------------------------------------------- contracts without any vendor


def synthetic_rows(seed=1, years=4, root="ZZ"):
    """Plain contract rows of a made-up root: all twelve months listed, H K N U Z liquid; integers only.

    It holds what makes rolls hard: volumes that waver around the crossover, single bad volumes, missing volumes and
    bars, a contract that ends early, one listed late, open interest that is sometimes missing, weekend bars.
    """
    state = seed % 2**31

    def draw(low, high):
        nonlocal state
        state = (state * 1103515245 + 12345) % 2**31
        return low + (state >> 8) % (high - low + 1)

    first = date(2010, 1, 4)
    deliveries = [(2010 + k // 12, k % 12 + 1) for k in range(12 * years + 8)]
    quirk = {key: draw(0, 9) for key in deliveries}
    premium = {key: draw(-60, 60) for key in deliveries}
    rows = []
    level = 8000
    day = first
    while day < date(2010 + years, 1, 1):
        level = max(level + draw(-90, 92), 800)
        if day.weekday() == 5 or (day.weekday() == 6 and draw(0, 5)) or draw(0, 59) == 0:
            day += timedelta(days=1)
            continue
        weekend = day.weekday() == 6
        for key in deliveries:
            expiry = date(key[0], key[1], 1) + timedelta(days=17)
            listed = expiry - timedelta(days=200 if quirk[key] != 3 else 45)
            end = expiry if quirk[key] not in (1, 2) else expiry - timedelta(days=20 + 25 * (quirk[key] - 1))
            if not listed <= day <= end:
                continue
            left = (expiry - day).days
            liquid = key[1] in (3, 5, 7, 9, 12)
            crossing = 24 + quirk[key]  # days before expiry at which trade moves on
            volume = 40 + (200 - abs(left - 60)) * (90 if liquid else 4)
            if left < crossing + 12:
                volume = volume * max(left - crossing + 13, 1) // 25
            interest = volume * 3 + draw(0, 400)
            volume = volume * draw(70, 130) // 100 + (draw(0, 30) == 0) * draw(0, 30000)
            if draw(0, 50) == 0 and not weekend:
                continue  # a missing bar
            if weekend:
                volume = volume // 40 + 1
            opening = level + premium[key] + draw(-30, 30) + left // 3
            close = level + premium[key] + left // 3
            high, low = max(opening, close) + draw(0, 40), min(opening, close) - draw(0, 40)
            cells = [day.isoformat(), f"{root}{MONTHS[key[1] - 1]}{key[0] % 100:02d}"]
            cells += [f"{x / 4:.2f}" for x in (opening, high, low, close)]
            # Not after a weekend bar: what a missing volume and a known one make together is nobody's rule.
            unknown = draw(0, 40) == 0 and day.weekday() in (1, 2, 3, 4)
            cells.append("" if unknown else str(volume))
            cells.append("" if draw(0, 25) == 0 or weekend else str(interest))
            rows.append(cells)
        day += timedelta(days=1)
    return rows


# ---------------------------------------------------------------- command line


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("contracts", nargs="?")
    parser.add_argument("--root", default="ZZ")
    parser.add_argument("--months")
    parser.add_argument("--days", type=int, default=2)
    parser.add_argument("--timing", choices=("next_session", "same_session"), default="next_session")
    parser.add_argument("--adjust", choices=("difference", "ratio", "none"), default="difference")
    parser.add_argument("--bloomberg", metavar="FOLDER")
    parser.add_argument("--synthetic", nargs="?", const=1, type=int, metavar="SEED")
    arguments = parser.parse_args(argv)
    if arguments.bloomberg:
        import tempfile

        with tempfile.TemporaryDirectory() as scratch:
            json.dump(bloomberg_answers(arguments.bloomberg, scratch), sys.stdout, indent=1)
        sys.stdout.write("\n")
        return
    if arguments.synthetic is not None:
        write_contracts(synthetic_rows(arguments.synthetic), sys.stdout)
        return
    built = build(
        read_contracts(arguments.contracts, arguments.root),
        arguments.root,
        months=arguments.months,
        days=arguments.days,
        timing=arguments.timing,
        adjust=arguments.adjust,
    )
    json.dump(built, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
