"""The B1 strategy written a second time, slowly, from its specification alone.

Standard library only, plain floats and lists, no import of `ctl`: its answers are the expected values of
the integration tests. Its author has not read the implementation under test.

It follows each trigger through its life (pending, entered, closed) and then resumes the search for the next
one, instead of stepping a state machine bar by bar: the same rules told from another side.

    python tests/answers/b1_independent.py BARS.csv [--timeframe weekly] [--slippage S] [--tick T]
    python tests/answers/b1_independent.py --quantiacs FOLDER [--write-series DIR] > tests/answers/b1_quantiacs.json
    python tests/answers/b1_independent.py --synthetic [SEED] > bars.csv

BARS.csv: session,open,high,low,close,volume[,adjustment], one row per session. Weeks are ISO weeks and months
calendar months of the session dates (`--calendar none` of the command under test).
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import sys
from datetime import date, timedelta
from pathlib import Path

DEFAULTS = {
    "ema": 10,
    "atr": 14,
    "williams": 10,
    "slope_lookback": 20,
    "slope_threshold": 8.0,
    "min_bars_of_air": 6,
    "max_air_lookback": 50,
    "entry_grace_bars": 3,
    "breakdown_buffer_atr": 0.5,
    "swing_lookback": None,  # 20 on daily bars, 12 on weekly bars
    "gap_scan_window": 100,
    "min_risk_atr": 0.1,
    "stop_mode": 1,
    "collision": "tp_wins",
}
TARGET_MULTIPLES = (0.618, 0.786, 1.0, 1.618, 2.618)
POINT_VALUES = {"ES": 50, "CL": 1000, "PL": 50, "PA": 100, "GC": 100, "HG": 250}


# ---------------------------------------------------------------- bars


class Bars:
    """Sessions and prices, oldest first; `a` is the adjustment each bar carries."""

    def __init__(self):
        self.session, self.o, self.h, self.l, self.c, self.v, self.a = [], [], [], [], [], [], []

    def add(self, session, o, h, low, c, v, a):
        self.session.append(session)
        self.o.append(o)
        self.h.append(h)
        self.l.append(low)
        self.c.append(c)
        self.v.append(v)
        self.a.append(a)

    def __len__(self):
        return len(self.session)


def read_bars(path):
    bars = Bars()
    with Path(path).open(newline="") as file:
        for row in csv.DictReader(file):
            bars.add(
                date.fromisoformat(row["session"]),
                float(row["open"]),
                float(row["high"]),
                float(row["low"]),
                float(row["close"]),
                float(row["volume"]) if row.get("volume") else None,
                float(row.get("adjustment") or 0.0),
            )
    return bars


def write_bars(bars, file):
    file.write("session,open,high,low,close,volume,adjustment\n")
    for n in range(len(bars)):
        file.write(
            f"{bars.session[n].isoformat()},{bars.o[n]!r},{bars.h[n]!r},{bars.l[n]!r},{bars.c[n]!r},"
            f"{'' if bars.v[n] is None else int(bars.v[n])},{bars.a[n]!r}\n"
        )


def week_of(day):
    """The Monday of the ISO week."""
    return day - timedelta(days=day.weekday())


def month_of(day):
    return day.year * 12 + day.month - 1


def group(bars, period_of):
    """One bar per period: (bars labelled by their last session, the period of each)."""
    grouped, periods = Bars(), []
    for n in range(len(bars)):
        period = period_of(bars.session[n])
        if periods and periods[-1] == period:
            grouped.session[-1] = bars.session[n]
            grouped.h[-1] = max(grouped.h[-1], bars.h[n])
            grouped.l[-1] = min(grouped.l[-1], bars.l[n])
            grouped.c[-1] = bars.c[n]
            known = grouped.v[-1] is not None and bars.v[n] is not None
            grouped.v[-1] = grouped.v[-1] + bars.v[n] if known else None
            grouped.a[-1] = bars.a[n]
        else:
            periods.append(period)
            grouped.add(bars.session[n], bars.o[n], bars.h[n], bars.l[n], bars.c[n], bars.v[n], bars.a[n])
    return grouped, periods


# ---------------------------------------------------------------- indicators


def ema(closes, length):
    a = 2 / (length + 1)
    out = []
    for c in closes:
        out.append(c if not out else a * c + (1 - a) * out[-1])
    return out


def average_true_range(bars, length):
    out = []
    for n in range(len(bars)):
        if n == 0:
            out.append(bars.h[0] - bars.l[0])
        else:
            before = bars.c[n - 1]
            true_range = max(bars.h[n] - bars.l[n], abs(bars.h[n] - before), abs(bars.l[n] - before))
            out.append(out[-1] + (true_range - out[-1]) / length)
    return out


def slope(e, n, lookback, adjustment):
    """Percent change of the EMA over `lookback` bars in the frame of `adjustment`; None where undefined."""
    if n < lookback:
        return None
    base = e[n - lookback] - adjustment
    if base <= 0:
        return None
    return 100 * (e[n] - e[n - lookback]) / base


def williams(bars, n, length):
    if n < length - 1:
        return None
    highest = max(bars.h[n - length + 1 : n + 1])
    lowest = min(bars.l[n - length + 1 : n + 1])
    if highest == lowest:
        return None
    return -100 * (highest - bars.c[n]) / (highest - lowest)


# ---------------------------------------------------------------- B1


class B1:
    def __init__(self, daily, parameters, timeframe="daily", slippage=0.0, tick=None, lots=3):
        p = dict(DEFAULTS)
        for name, value in parameters.items():
            if name not in p:
                raise SystemExit(f"unknown parameter {name}")
            p[name] = value
        if p["swing_lookback"] is None:
            p["swing_lookback"] = 20 if timeframe == "daily" else 12
        self.p, self.timeframe, self.slippage, self.tick, self.lots = p, timeframe, slippage, tick, lots

        self.weekly, self.week_keys = group(daily, week_of)
        self.monthly, self.month_keys = group(daily, month_of)
        self.weekly_ema = ema(self.weekly.c, p["ema"])
        self.monthly_ema = ema(self.monthly.c, p["ema"])
        if timeframe == "daily":
            self.bars = daily
        else:
            # The last week counts only once it is over: without a calendar, once its Friday (or later) is there.
            self.bars, _ = group(daily, week_of)
            if self.bars.session and self.bars.session[-1].weekday() < 4:
                for column in vars(self.bars).values():
                    column.pop()
        self.e = ema(self.bars.c, p["ema"])
        self.atr = average_true_range(self.bars, p["atr"])
        self.warm_up = max(p["slope_lookback"], 200)

    # ---- the trigger

    def air(self, n):
        count = 0
        m = n - 1
        while m >= 0 and count < self.p["max_air_lookback"] and self.bars.l[m] > self.e[m]:
            count += 1
            m -= 1
        return count

    def trigger_at(self, n):
        """The trigger row of bar n, or None."""
        p, b, e = self.p, self.bars, self.e
        if n < self.warm_up:
            return None
        steepness = slope(e, n, p["slope_lookback"], b.a[n])
        if steepness is None or not steepness >= p["slope_threshold"]:
            return None
        air = self.air(n)
        if air < p["min_bars_of_air"]:
            return None
        if not b.l[n] <= e[n]:
            return None
        if not b.c[n] > e[n] - p["breakdown_buffer_atr"] * self.atr[n]:
            return None
        swing_high = max(b.h[n - p["swing_lookback"] : n])
        if not swing_high > b.l[n]:
            return None
        stop = b.l[n]
        span = swing_high - stop
        tp = [stop + span * k for k in TARGET_MULTIPLES]
        tp[2] = swing_high
        row = {
            "trigger_session": b.session[n],
            "status": None,
            "reason": None,
            "slope": steepness,
            "bars_of_air": air,
            "ema": e[n],
            "atr": self.atr[n],
            "stop": stop,
            "swing_high": swing_high,
            "tp1": tp[0],
            "tp2": tp[1],
            "tp3": tp[2],
            "tp4": tp[3],
            "tp5": tp[4],
        }
        row.update(self.flags(n, stop, swing_high, tp[0]))
        row["weekly_aligned"] = self.aligned(n, self.weekly, self.weekly_ema, self.week_keys, week_of)
        row["monthly_aligned"] = self.aligned(n, self.monthly, self.monthly_ema, self.month_keys, month_of)
        row["stop_breached_while_pending"] = False
        row["confirmation_session"] = None
        row["entry_session"] = None
        return row

    def flags(self, n, stop, swing_high, tp1):
        p, b = self.p, self.bars
        shift = b.a[n]
        lookback = p["swing_lookback"]

        divergence = False
        here = williams(b, n, p["williams"])
        for m in range(n - 1, max(n - 100, 0) - 1, -1):
            if b.l[m] <= self.e[m]:
                there = williams(b, m, p["williams"])
                divergence = None if there is None or here is None else here > there and b.l[n] <= b.l[m]
                break
        if here is None:
            divergence = None

        clean = b.h[n - 1] < b.h[n - 2] < b.h[n - 3] and b.l[n - 1] < b.l[n - 2] < b.l[n - 3]
        declining = None
        if None not in b.v[n - 6 : n]:
            declining = sum(b.v[n - 3 : n]) / 3 < sum(b.v[n - 6 : n - 3]) / 3

        first = n - p["gap_scan_window"] + 1
        gap_below = None
        if first - 1 >= 0:
            gap_below = False
            for m in range(first, n + 1):
                under = b.h[m - 1]
                unfilled = under < b.l[m] and min(b.l[m : n + 1]) > under
                if unfilled and 0.98 * (stop - shift) <= under - shift < stop - shift:
                    gap_below = True

        near_high = None
        if n >= 252:
            highest = max(h - shift for h in b.h[n - 252 : n])
            near_high = swing_high - shift >= 0.95 * highest

        fib = None
        usable = self.usable(n, self.week_keys, week_of)
        if usable >= 2 * lookback and tp1 - shift > 0:
            high = max(self.weekly.h[usable - 2 * lookback : usable])
            low = min(self.weekly.l[usable - 2 * lookback : usable])
            level = low + 0.618 * (high - low)
            fib = abs((tp1 - shift) - (level - shift)) / (tp1 - shift) < 0.01

        return {
            "wr_divergence": divergence,
            "clean_pullback": clean,
            "volume_declining": declining,
            "gap_below": gap_below,
            "near_high": near_high,
            "fib_confluence": fib,
            "single_bar_pullback": b.h[n - 1] == max(b.h[n - lookback : n]),
        }

    def usable(self, n, keys, period_of):
        """How many higher bars lie wholly before the period of bar n's session."""
        mine = period_of(self.bars.session[n])
        return sum(1 for key in keys if key < mine)

    def aligned(self, n, higher, higher_ema, keys, period_of):
        count = self.usable(n, keys, period_of)
        if count < 30:
            return None
        last = count - 1
        steepness = slope(higher_ema, last, self.p["slope_lookback"], self.bars.a[n])
        if steepness is None:
            return None
        return steepness >= self.p["slope_threshold"] and higher.c[last] > higher_ema[last]

    # ---- the life of a trigger

    def run(self):
        triggers, closed, still_open = [], [], []
        n = 0
        while n < len(self.bars):
            row = self.trigger_at(n)
            if row is None:
                n += 1
                continue
            triggers.append(row)
            n, trade = self.follow(n, row)
            if trade is not None:
                (still_open if trade["exit_reason"] == "Open" else closed).append(trade)
        return {
            "parameters": dict(self.p),
            "triggers": triggers,
            "trades": closed,
            "open": still_open,
            "metrics": self.metrics(triggers, closed, still_open),
        }

    def follow(self, m, row):
        """(the next bar at whose close a trigger may be evaluated, the trade or None) for the trigger of bar m."""
        p, b = self.p, self.bars
        end = len(b)
        confirmed = None
        for n in range(m + 1, m + p["entry_grace_bars"] + 1):
            if n == end:
                row["status"] = "pending"
                return end, None
            if b.c[n] < row["stop"]:
                row["stop_breached_while_pending"] = True
            if b.c[n] > self.e[n]:
                confirmed = n
                break
        if confirmed is None:
            if m + p["entry_grace_bars"] >= end:
                row["status"] = "pending"
                return end, None
            row["status"] = "expired"
            return m + p["entry_grace_bars"] + 1, None
        row["confirmation_session"] = b.session[confirmed]
        entry_bar = confirmed + 1
        if entry_bar == end:
            row["status"] = "awaiting_entry"
            return end, None
        row["entry_session"] = b.session[entry_bar]
        distance = b.o[entry_bar] - row["stop"]
        minimum = p["min_risk_atr"] * row["atr"]
        if self.tick is not None:
            minimum = max(minimum, self.tick)
        if distance <= 0:
            row["status"], row["reason"] = "no_trade", "entry_at_or_below_stop"
            return entry_bar, None
        if distance < minimum:
            row["status"], row["reason"] = "no_trade", "risk_too_small"
            return entry_bar, None
        row["status"] = "confirmed"
        return self.hold(row, entry_bar)

    def hold(self, row, entry_bar):
        p, b = self.p, self.bars
        end = len(b)
        entry = b.o[entry_bar] + self.slippage
        first_stop = row["stop"]
        stop = first_stop
        target = {1: row["tp1"], 2: row["tp2"], 3: row["tp3"]}
        fill, filled_on = {}, {}
        high, low = b.h[entry_bar], b.l[entry_bar]
        collided = False
        exit_bar, exit_price, reason, awaiting_exit = end - 1, b.c[end - 1], "Open", False

        for n in range(entry_bar + 1, end):
            hit = [k for k in (1, 2, 3) if k not in fill and b.h[n] >= target[k]]
            breached = b.c[n] < stop
            if hit and breached:
                collided = True
                if p["collision"] == "stop_wins":
                    hit = []
            for k in hit:
                fill[k] = max(target[k], b.o[n])
                filled_on[k] = n
            if 3 in fill:
                left_at_open = b.o[n] >= target[3]
                high = max(high, b.o[n] if left_at_open else b.h[n])
                low = min(low, b.o[n] if left_at_open else b.l[n])
                exit_bar, exit_price, reason = n, fill[3], "TP3"
                break
            high, low = max(high, b.h[n]), min(low, b.l[n])
            if breached:
                if n + 1 == end:
                    awaiting_exit = True
                    break
                high, low = max(high, b.o[n + 1]), min(low, b.o[n + 1])
                exit_bar, exit_price, reason = n + 1, b.o[n + 1] - self.slippage, "Stop"
                break
            if 1 in fill:
                if p["stop_mode"] == 2:
                    stop = entry
                elif p["stop_mode"] == 3:
                    stop = max(stop, self.e[n])

        risk = entry - first_stop
        r_of = {k: (fill.get(k, exit_price) - entry) / risk for k in (1, 2, 3)}
        theoretical = (r_of[1] + r_of[2] + r_of[3]) / 3
        units = self.units()
        actual = sum(units[k] * r_of[k] for k in (1, 2, 3)) / self.lots
        if reason == "Open":
            outcome = "Open"
        elif abs(theoretical) < 1e-12:
            outcome = "Scratch"
        else:
            outcome = "Win" if theoretical > 0 else "Loss"
        trade = {
            "trigger_session": row["trigger_session"],
            "entry_session": b.session[entry_bar],
            "entry_price": entry,
            "stop_price": first_stop,
            "tp1": target[1],
            "tp2": target[2],
            "tp3": target[3],
        }
        for k in (1, 2, 3):
            trade[f"tp{k}_hit"] = k in fill
        for k in (1, 2, 3):
            trade[f"tp{k}_session"] = b.session[filled_on[k]] if k in fill else None
        for k in (1, 2, 3):
            trade[f"tp{k}_fill"] = fill.get(k)
        trade |= {
            "exit_session": b.session[exit_bar],
            "exit_price": exit_price,
            "exit_reason": reason,
            "outcome": outcome,
            "risk": risk,
            "r_theoretical": theoretical,
            "r_actual": actual,
            "lots": self.lots,
            "mfe_r": (high - entry) / risk,
            "mae_r": (entry - low) / risk,
            "hold_bars": exit_bar - entry_bar,
            "day1_fail": b.l[entry_bar] < first_stop,
            "same_bar_collision": collided,
        }
        if reason == "Open":
            trade["awaiting_exit"] = awaiting_exit
            return end, trade
        return exit_bar, trade

    def units(self):
        """Whole lots that leave at each target."""
        n = self.lots
        if n == 1:
            return {1: 1, 2: 0, 3: 0}
        if n == 2:
            return {1: 1, 2: 0, 3: 1}
        return {1: n // 3, 2: n // 3, 3: n - 2 * (n // 3)}

    # ---- metrics

    def metrics(self, triggers, closed, still_open):
        p, b = self.p, self.bars
        r = [t["r_theoretical"] for t in sorted(closed, key=lambda t: t["exit_session"])]
        wins = [t["r_theoretical"] for t in closed if t["outcome"] == "Win"]
        losses = [t["r_theoretical"] for t in closed if t["outcome"] == "Loss"]
        equity = peak = drawdown = 0.0
        for x in r:
            equity += x
            peak = max(peak, equity)
            drawdown = max(drawdown, peak - equity)
        undefined = 0
        for n in range(self.warm_up, len(b)):
            if self.e[n - p["slope_lookback"]] - b.a[n] <= 0:
                undefined += 1
        confirmed = [t for t in triggers if t["status"] == "confirmed"]
        exposed = len(b) - self.warm_up
        out = {
            "trigger_count": len(triggers),
            "confirmed_count": len(confirmed),
            "trade_count": len(closed),
            "win_rate": len(wins) / len(closed) if closed else None,
            "total_r": sum(r),
            "expectancy_r": sum(r) / len(r) if r else None,
            "profit_factor": sum(wins) / abs(sum(losses)) if losses else None,
            "max_drawdown_r": drawdown,
            "mean_hold_bars": sum(t["hold_bars"] for t in closed) / len(closed) if closed else None,
            "exposure": sum(t["hold_bars"] for t in closed) / exposed if exposed > 0 else None,
            "open_count": len(still_open),
            "open_r": sum(t["r_theoretical"] for t in still_open),
            "slope_undefined_count": undefined,
        }
        out["mtfa"] = {}
        for name in ("weekly_aligned", "monthly_aligned"):
            known = [t[name] for t in confirmed if t[name] is not None]
            rate = sum(known) / len(known) if known else None
            out["mtfa"][name] = {"non_null": len(known), "true": sum(known), "rate": rate}
        return out


STRESSED = (
    "trade_count",
    "win_rate",
    "total_r",
    "expectancy_r",
    "profit_factor",
    "max_drawdown_r",
)


def run(bars, parameters=None, **options):
    """The document of the specification as plain JSON values (sessions as ISO dates)."""
    document = B1(bars, parameters or {}, **options).run()
    document["metrics"]["slippage_stress"] = None
    if options.get("tick") is not None:
        document["metrics"]["slippage_stress"] = []
        for ticks in (0, 1, 2, 3):
            slipped = B1(bars, parameters or {}, **{**options, "slippage": ticks * options["tick"]}).run()["metrics"]
            row = {"ticks": ticks} | {name: slipped[name] for name in STRESSED}
            document["metrics"]["slippage_stress"].append(row)
    return json.loads(json.dumps(document, default=lambda day: day.isoformat()))


# ---------------------------------------------------------------- real bars


def read_quantiacs(path, point_value):
    """The adjusted series of one unadjusted nearest-contract file, adjusted by difference.

    RINFO (new less old price) stands on the first row of the new contract: see `roll_row_evidence`. Rows before
    it carry its gap; a row's adjustment is the sum of the gaps of all later rolls, and adjusted = raw + adjustment.
    A high below or a low above the row's other prices (a few rows) is widened to them.
    """
    with Path(path).open(newline="") as file:
        rows = [[cell.strip() for cell in row] for row in csv.reader(file)][1:]
    bars = Bars()
    carried = 0.0
    for row in reversed(rows):
        day = date(int(row[0][:4]), int(row[0][4:6]), int(row[0][6:]))
        o, h, low, c = (float(x) / point_value for x in row[1:5])
        h, low = max(o, h, low, c), min(o, h, low, c)
        bars.add(day, o + carried, h + carried, low + carried, c + carried, float(row[5]), carried)
        carried += float(row[9]) / point_value
    for column in vars(bars).values():
        column.reverse()
    return bars


def roll_row_evidence(path):
    """Mean absolute jump into a row, with RINFO taken off, where RINFO is read `offset` rows away.

    The right offset is the one at which taking RINFO off makes the jump smaller than it was; elsewhere it adds a
    jump that was not there. Returns {offset: (mean |close jump|, mean |close jump - RINFO|)}.
    """
    with Path(path).open(newline="") as file:
        rows = [[cell.strip() for cell in row] for row in csv.reader(file)][1:]
    close = [float(row[4]) for row in rows]
    rolls = [(n, float(row[9])) for n, row in enumerate(rows) if float(row[9]) != 0]
    out = {}
    for offset in (-2, -1, 0, 1, 2):
        jumps = [(close[n + offset] - close[n + offset - 1], gap) for n, gap in rolls if 1 <= n + offset < len(rows)]
        before = sum(abs(jump) for jump, _ in jumps) / len(jumps)
        after = sum(abs(jump - gap) for jump, gap in jumps) / len(jumps)
        out[offset] = (before, after)
    return out


def rounded(value):
    """The value with floats rounded to 1e-9, for digests."""
    if isinstance(value, float):
        return round(value, 9) + 0.0
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return value


def digest(rows):
    return hashlib.sha256(json.dumps(rounded(rows), sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def summary(document):
    metrics = document["metrics"]
    statuses = [row["status"] for row in document["triggers"]]
    return {
        "triggers": metrics["trigger_count"],
        "statuses": {name: statuses.count(name) for name in sorted(set(statuses))},
        "trades": metrics["trade_count"],
        "open": metrics["open_count"],
        "total_r": metrics["total_r"],
        "collisions": sum(t["same_bar_collision"] for t in document["trades"] + document["open"]),
        "trigger_digest": digest(document["triggers"]),
        "trade_digest": digest(document["trades"] + document["open"]),
    }


CASES = [
    {"timeframe": timeframe, "stop_mode": mode, "collision": collision}
    for timeframe in ("daily", "weekly")
    for mode in (1, 2, 3)
    for collision in ("tp_wins", "stop_wins")
]


def case_name(case):
    return f"{case['timeframe']} stop_mode={case['stop_mode']} {case['collision']}"


def run_case(bars, case, **options):
    parameters = {"stop_mode": case["stop_mode"], "collision": case["collision"]}
    return run(bars, parameters, timeframe=case["timeframe"], **options)


def quantiacs_answers(folder, series_folder=None):
    answers = {}
    for symbol, point_value in sorted(POINT_VALUES.items()):
        path = Path(folder) / f"F_{symbol}.txt"
        bars = read_quantiacs(path, point_value)
        if series_folder is not None:
            Path(series_folder).mkdir(parents=True, exist_ok=True)
            with (Path(series_folder) / f"{symbol}.csv").open("w") as file:
                write_bars(bars, file)
        answers[symbol] = {
            "source_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "bars": len(bars),
            "roll_row_evidence": {
                str(offset): [round(x, 3) for x in pair] for offset, pair in roll_row_evidence(path).items()
            },
            "cases": {case_name(case): summary(run_case(bars, case)) for case in CASES},
        }
    return answers


# ---------------------------------------------------------------- a tape without any vendor


def synthetic_bars(seed=1, sessions=8000):
    """A deterministic tape of rising waves and pullbacks in whole ticks of 0.25, with rolls; integers only."""
    state = seed % 2**31

    def draw(low, high):
        nonlocal state
        state = (state * 1103515245 + 12345) % 2**31
        return low + (state >> 8) % (high - low + 1)

    ticks = 4000  # the unadjusted close
    plan = []  # [bars left, drift in basis points, noise in basis points]
    rows = []
    day = date(1990, 1, 1)
    while len(rows) < sessions:
        if not plan:
            slow = 5 if draw(0, 4) == 0 else 1  # some swings last weeks, for the weekly bars
            noise = draw(30, 160)
            climb = 110 if ticks < 2500 else 70 if ticks < 9000 else 40
            plan.append([draw(12, 30) * slow, draw(climb, 2 * climb) // slow, draw(20, 60)])  # the rise
            for _ in range(draw(1, 3)):
                plan.append([draw(2, 4) * slow, -draw(100, 260) // slow, noise])  # the retest
                plan.append([draw(2, 5) * slow, draw(60, 220) // slow, noise])  # the bounce
                if draw(0, 2) == 0:
                    plan.append([draw(3, 9) * slow, -draw(80, 260) // slow, noise])  # it fails
                else:
                    plan.append([draw(6, 16) * slow, draw(30, 120) // slow, noise])  # it carries on
            if ticks > 9000:
                plan.append([draw(20, 60), -draw(80, 160), noise])
        plan[0][0] -= 1
        drift, noise = plan[0][1], plan[0][2]
        opening = max(ticks + ticks * draw(-noise, noise) // 20000, 40)
        ticks = max(ticks + ticks * (drift + draw(-noise, noise)) // 10000, 40)
        wick = noise * (6 if draw(0, 9) == 0 else 1)  # now and then a bar that reaches far and closes near
        high = max(opening, ticks) + ticks * draw(0, wick) // 20000
        low = max(min(opening, ticks) - ticks * draw(0, wick) // 20000, 4)
        while day.weekday() > 4 or draw(0, 39) == 0:  # weekends and about six holidays a year
            day += timedelta(days=1)
        gap = draw(-40, 60) if len(rows) % 61 == 60 else 0
        rows.append([day, opening, high, low, ticks, draw(1000, 90000), gap])
        if plan[0][0] == 0:
            plan.pop(0)
        day += timedelta(days=1)
    bars = Bars()
    carried = 0
    for day, o, h, low, c, v, gap in reversed(rows):
        bars.add(day, *(0.25 * (x + carried) for x in (o, h, low, c)), float(v), 0.25 * carried)
        carried += gap
    for column in vars(bars).values():
        column.reverse()
    return bars


# ---------------------------------------------------------------- command line


def value_of(text):
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bars", nargs="?")
    parser.add_argument("--timeframe", choices=("daily", "weekly"), default="daily")
    parser.add_argument("--slippage", type=float, default=0.0)
    parser.add_argument("--tick", type=float)
    parser.add_argument("--lots", type=int, default=3)
    parser.add_argument("--param", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--quantiacs", metavar="FOLDER")
    parser.add_argument("--write-series", metavar="DIR")
    parser.add_argument("--synthetic", nargs="?", const=1, type=int, metavar="SEED")
    arguments = parser.parse_args(argv)
    if arguments.quantiacs:
        json.dump(quantiacs_answers(arguments.quantiacs, arguments.write_series), sys.stdout, indent=1)
        sys.stdout.write("\n")
        return
    if arguments.synthetic is not None:
        write_bars(synthetic_bars(arguments.synthetic), sys.stdout)
        return
    parameters = {name: value_of(value) for name, value in (item.split("=", 1) for item in arguments.param)}
    document = run(
        read_bars(arguments.bars),
        parameters,
        timeframe=arguments.timeframe,
        slippage=arguments.slippage,
        tick=arguments.tick,
        lots=arguments.lots,
    )
    json.dump(document, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
