"""B1 written a second time for tests: plain Python, one bar at a time, sentence by sentence from the specification.

It shares nothing with ctl.strategy. Bars come as a list of dicts with keys session, open, high, low,
close, volume (None where missing), adjustment, week, month. The result is a dict with triggers,
trades, open (lists of dicts in the published field names) and slope_undefined_count.
"""

from __future__ import annotations

import statistics

DAILY = {
    "ema": 10,
    "slope_lookback": 20,
    "slope_threshold": 8.0,
    "min_bars_of_air": 6,
    "max_air_lookback": 50,
    "entry_grace_bars": 3,
    "breakdown_buffer_atr": 0.5,
    "swing_lookback": 20,
    "gap_scan_window": 100,
    "min_risk_atr": 0.1,
    "atr": 14,
    "williams": 10,
    "stop_mode": 1,
    "collision": "tp_wins",
}
WEEKLY = {**DAILY, "swing_lookback": 12}


def ema_of(closes, period):
    a = 2 / (period + 1)
    averages = []
    for close in closes:
        averages.append(close if not averages else a * close + (1 - a) * averages[-1])
    return averages


def atr_of(bars, period):
    ranges = []
    for n, bar in enumerate(bars):
        true_range = bar["high"] - bar["low"]
        if n == 0:
            ranges.append(true_range)
            continue
        last = bars[n - 1]["close"]
        true_range = max(true_range, abs(bar["high"] - last), abs(bar["low"] - last))
        ranges.append(ranges[-1] + (true_range - ranges[-1]) / period)
    return ranges


def grouped(bars, key):
    """Bars of a higher timeframe: one per distinct key, in order."""
    groups = {}
    for bar in bars:
        groups.setdefault(bar[key], []).append(bar)
    higher = []
    for label, members in groups.items():
        volumes = [bar["volume"] for bar in members]
        higher.append(
            {
                "key": label,
                "session": members[-1]["session"],
                "open": members[0]["open"],
                "high": max(bar["high"] for bar in members),
                "low": min(bar["low"] for bar in members),
                "close": members[-1]["close"],
                "volume": None if None in volumes else sum(volumes),
                "adjustment": members[-1]["adjustment"],
                "week": members[-1]["week"],
                "month": members[-1]["month"],
            }
        )
    return higher


class Twin:
    def __init__(self, bars, rules, slippage=0.0, tick=None, lots=3, daily=None):
        self.bars, self.rules, self.slippage, self.tick, self.lots = bars, rules, slippage, tick, lots
        daily = bars if daily is None else daily
        self.weeks = grouped(daily, "week")
        self.months = grouped(daily, "month")
        self.week_ema = ema_of([w["close"] for w in self.weeks], rules["ema"])
        self.month_ema = ema_of([m["close"] for m in self.months], rules["ema"])
        self.ema = ema_of([bar["close"] for bar in bars], rules["ema"])
        self.atr = atr_of(bars, rules["atr"])
        self.warm_up = max(rules["slope_lookback"], 200)
        self.triggers, self.trades, self.open_trades = [], [], []
        self.slope_undefined = 0
        self.state = "FLAT"
        self.trigger = None
        self.position = None

    # --- prices and flags -------------------------------------------------------------------

    def column(self, name, first, last):
        """Values of bars first..last, both inclusive; None where a bar is missing."""
        if first < 0:
            return None
        return [bar[name] for bar in self.bars[first : last + 1]]

    def slope(self, n):
        lookback = self.rules["slope_lookback"]
        if n < lookback:
            return None
        denominator = self.ema[n - lookback] - self.bars[n]["adjustment"]
        if denominator <= 0:
            return None
        return 100 * (self.ema[n] - self.ema[n - lookback]) / denominator

    def air(self, n):
        counted = 0
        while counted < self.rules["max_air_lookback"]:
            m = n - 1 - counted
            if m < 0 or not self.bars[m]["low"] > self.ema[m]:
                break
            counted += 1
        return counted

    def percent_r(self, n):
        period = self.rules["williams"]
        if n < period - 1:
            return None
        highest = max(self.column("high", n - period + 1, n))
        lowest = min(self.column("low", n - period + 1, n))
        if highest == lowest:
            return None
        return -100 * (highest - self.bars[n]["close"]) / (highest - lowest)

    def wr_divergence(self, n):
        for m in range(n - 1, max(n - 100, 0) - 1, -1):
            if self.bars[m]["low"] <= self.ema[m]:
                now, before = self.percent_r(n), self.percent_r(m)
                if now is None or before is None:
                    return None
                return now > before and self.bars[n]["low"] <= self.bars[m]["low"]
        return False

    def clean_pullback(self, n):
        h3, h2, h1 = self.column("high", n - 3, n - 1)
        l3, l2, l1 = self.column("low", n - 3, n - 1)
        return h1 < h2 < h3 and l1 < l2 < l3

    def volume_declining(self, n):
        volumes = self.column("volume", n - 6, n - 1)
        if volumes is None or None in volumes:
            return None
        return statistics.fmean(volumes[3:]) < statistics.fmean(volumes[:3])

    def gap_below(self, n):
        window = self.rules["gap_scan_window"]
        if n - window < 0:
            return None
        a = self.bars[n]["adjustment"]
        stop = self.bars[n]["low"] - a
        for m in range(n - window + 1, n + 1):
            below, bar = self.bars[m - 1]["high"], self.bars[m]
            if below < bar["low"] and min(self.column("low", m, n)) > below and 0.98 * stop <= below - a < stop:
                return True
        return False

    def near_high(self, n, swing_high):
        highs = self.column("high", n - 252, n - 1)
        if highs is None:
            return None
        a = self.bars[n]["adjustment"]
        return swing_high - a >= 0.95 * (max(highs) - a)

    def fib_confluence(self, n, tp1):
        count = 2 * self.rules["swing_lookback"]
        usable = [w for w in self.weeks if w["key"] < self.bars[n]["week"]]
        a = self.bars[n]["adjustment"]
        if len(usable) < count or tp1 - a <= 0:
            return None
        low = min(w["low"] for w in usable[-count:])
        high = max(w["high"] for w in usable[-count:])
        level = low + 0.618 * (high - low)
        return abs((tp1 - a) - (level - a)) / (tp1 - a) < 0.01

    def aligned(self, n, higher, averages, key):
        usable = sum(1 for bar in higher if bar["key"] < self.bars[n][key])
        lookback = self.rules["slope_lookback"]
        if usable < 30 or usable - 1 < lookback:
            return None
        now, then = averages[usable - 1], averages[usable - 1 - lookback]
        denominator = then - self.bars[n]["adjustment"]
        if denominator <= 0:
            return None
        rising = 100 * (now - then) / denominator >= self.rules["slope_threshold"]
        return rising and higher[usable - 1]["close"] > now

    # --- the state machine ------------------------------------------------------------------

    def run(self):
        for n in range(len(self.bars)):
            if n >= self.warm_up:
                denominator = self.ema[n - self.rules["slope_lookback"]] - self.bars[n]["adjustment"]
                self.slope_undefined += denominator <= 0
            self.at_open(n)
            may_trigger = self.through_the_bar(n)
            if may_trigger and self.state == "FLAT":
                self.evaluate(n)
        self.at_the_end()
        return {
            "triggers": self.triggers,
            "trades": self.trades,
            "open": self.open_trades,
            "slope_undefined_count": self.slope_undefined,
        }

    def at_open(self, n):
        price = self.bars[n]["open"]
        if self.state == "AWAITING_ENTRY":
            trigger = self.trigger
            trigger["entry_session"] = self.bars[n]["session"]
            distance = price - trigger["stop"]
            smallest = self.rules["min_risk_atr"] * trigger["atr"]
            if self.tick is not None:
                smallest = max(smallest, self.tick)
            if distance <= 0 or distance < smallest:
                trigger["status"] = "no_trade"
                trigger["reason"] = "entry_at_or_below_stop" if distance <= 0 else "risk_too_small"
                self.state = "FLAT"
            else:
                trigger["status"] = "confirmed"
                self.enter(n, price + self.slippage)
        elif self.state == "OPEN" and self.position["breached"]:
            position = self.position
            position["ranges_held"].append((price, price))
            for k in (1, 2, 3):
                position["left_at"].setdefault(k, price - self.slippage)
            self.close(n, price - self.slippage, "Stop")

    def enter(self, n, price):
        bar = self.bars[n]
        self.state = "OPEN"
        self.position = {
            "entry_bar": n,
            "entry": price,
            "stop": self.trigger["stop"],
            "breached": False,
            "collision": False,
            "day1_fail": bar["low"] < self.trigger["stop"],
            "left_at": {},
            "hit_on": {},
            "fills": {},
            "ranges_held": [(bar["high"], bar["low"])],
        }

    def through_the_bar(self, n):
        """Exits, then the pending trigger. False where no trigger may be evaluated on this bar."""
        bar = self.bars[n]
        if self.state == "OPEN":
            if self.position["entry_bar"] < n:
                self.exits(n, bar)
            return self.state == "FLAT"
        if self.state == "PENDING":
            if bar["close"] < self.trigger["stop"]:
                self.trigger["stop_breached_while_pending"] = True
            if bar["close"] > self.ema[n]:
                self.trigger["confirmation_session"] = bar["session"]
                self.trigger["status"] = "awaiting_entry"
                self.state = "AWAITING_ENTRY"
            elif n == self.trigger_bar + self.rules["entry_grace_bars"]:
                self.trigger["status"] = "expired"
                self.state = "FLAT"
            return False
        return True

    def exits(self, n, bar):
        position = self.position
        position["breached"] = bar["close"] < position["stop"]
        reached = [k for k in (1, 2, 3) if k not in position["left_at"] and bar["high"] >= self.trigger[f"tp{k}"]]
        if reached and position["breached"]:
            position["collision"] = True
            if self.rules["collision"] == "stop_wins":
                reached = []
        for k in reached:
            fill = max(self.trigger[f"tp{k}"], bar["open"])
            position["left_at"][k] = position["fills"][k] = fill
            position["hit_on"][k] = n
        if len(position["left_at"]) == 3:
            at_the_open = bar["open"] >= self.trigger["tp3"]
            held = (bar["open"], bar["open"]) if at_the_open else (bar["high"], bar["low"])
            position["ranges_held"].append(held)
            self.close(n, position["left_at"][3], "TP3")
            return
        position["ranges_held"].append((bar["high"], bar["low"]))
        if 1 in position["left_at"]:
            if self.rules["stop_mode"] == 2:
                position["stop"] = position["entry"]
            if self.rules["stop_mode"] == 3:
                position["stop"] = max(position["stop"], self.ema[n])

    def close(self, n, price, reason):
        trigger, position = self.trigger, self.position
        entry = position["entry"]
        risk = entry - trigger["stop"]
        parts = [(position["left_at"].get(k, price) - entry) / risk for k in (1, 2, 3)]
        r = statistics.fmean(parts)
        third = self.lots // 3
        weights = {1: [1, 0, 0], 2: [1, 0, 1]}.get(self.lots, [third, third, self.lots - 2 * third])
        outcome = "Scratch" if abs(r) < 1e-12 else "Win" if r > 0 else "Loss"
        trade = {
            "trigger_session": trigger["trigger_session"],
            "entry_session": trigger["entry_session"],
            "entry_price": entry,
            "stop_price": trigger["stop"],
        }
        trade |= {f"tp{k}": trigger[f"tp{k}"] for k in (1, 2, 3)}
        trade |= {f"tp{k}_hit": k in position["fills"] for k in (1, 2, 3)}
        for k in (1, 2, 3):
            trade[f"tp{k}_session"] = self.bars[position["hit_on"][k]]["session"] if k in position["hit_on"] else None
        trade |= {f"tp{k}_fill": position["fills"].get(k) for k in (1, 2, 3)}
        trade |= {
            "exit_session": self.bars[n]["session"],
            "exit_price": price,
            "exit_reason": reason,
            "outcome": "Open" if reason == "Open" else outcome,
            "risk": risk,
            "r_theoretical": r,
            "r_actual": sum(w * part for w, part in zip(weights, parts, strict=True)) / self.lots,
            "lots": self.lots,
            "mfe_r": (max(high for high, _ in position["ranges_held"]) - entry) / risk,
            "mae_r": (entry - min(low for _, low in position["ranges_held"])) / risk,
            "hold_bars": n - position["entry_bar"],
            "day1_fail": position["day1_fail"],
            "same_bar_collision": position["collision"],
        }
        if reason == "Open":
            trade["awaiting_exit"] = position["breached"]
            self.open_trades.append(trade)
        else:
            self.trades.append(trade)
        self.state = "FLAT"

    def evaluate(self, n):
        if n < self.warm_up:
            return
        bar, rules = self.bars[n], self.rules
        slope, air = self.slope(n), self.air(n)
        if slope is None or slope < rules["slope_threshold"]:
            return
        if air < rules["min_bars_of_air"] or bar["low"] > self.ema[n]:
            return
        if bar["close"] <= self.ema[n] - rules["breakdown_buffer_atr"] * self.atr[n]:
            return
        stop = bar["low"]
        highs = self.column("high", n - rules["swing_lookback"], n - 1)
        if highs is None or max(highs) <= stop:
            return
        swing_high = max(highs)
        size = swing_high - stop
        tp1 = stop + size * 0.618
        self.trigger_bar = n
        self.state = "PENDING"
        self.trigger = {
            "trigger_session": bar["session"],
            "status": "pending",
            "reason": None,
            "slope": slope,
            "bars_of_air": air,
            "ema": self.ema[n],
            "atr": self.atr[n],
            "stop": stop,
            "swing_high": swing_high,
            "tp1": tp1,
            "tp2": stop + size * 0.786,
            "tp3": swing_high,
            "tp4": stop + size * 1.618,
            "tp5": stop + size * 2.618,
            "wr_divergence": self.wr_divergence(n),
            "clean_pullback": self.clean_pullback(n),
            "volume_declining": self.volume_declining(n),
            "gap_below": self.gap_below(n),
            "near_high": self.near_high(n, swing_high),
            "fib_confluence": self.fib_confluence(n, tp1),
            "single_bar_pullback": self.bars[n - 1]["high"] == swing_high,
            "weekly_aligned": self.aligned(n, self.weeks, self.week_ema, "week"),
            "monthly_aligned": self.aligned(n, self.months, self.month_ema, "month"),
            "stop_breached_while_pending": False,
            "confirmation_session": None,
            "entry_session": None,
        }
        self.triggers.append(self.trigger)

    def at_the_end(self):
        if self.state == "OPEN":
            self.close(len(self.bars) - 1, self.bars[-1]["close"], "Open")


def b1(bars, rules=None, *, slippage=0.0, tick=None, lots=3, timeframe="daily", week_complete=False):
    """Run the twin on daily bars, on either timeframe."""
    rules = {**(WEEKLY if timeframe == "weekly" else DAILY), **(rules or {})}
    if timeframe == "daily":
        return Twin(bars, rules, slippage, tick, lots).run()
    weeks = grouped(bars, "week")
    if not week_complete:
        weeks = weeks[:-1]
    return Twin(weeks, rules, slippage, tick, lots, daily=bars).run()
