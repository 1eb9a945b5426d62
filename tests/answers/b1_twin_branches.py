"""Which branches of B1's rules a result went through, read off its triggers, trades and bars."""

from __future__ import annotations

from b1_twin import Twin
from b1_twin_tapes import as_dicts

FLAGS = (
    "wr_divergence",
    "clean_pullback",
    "volume_declining",
    "gap_below",
    "near_high",
    "fib_confluence",
    "single_bar_pullback",
    "weekly_aligned",
    "monthly_aligned",
)
NEVER_NULL = ("clean_pullback", "gap_below", "single_bar_pullback")


def branches(bars, result, tick):
    """Names of the branches seen; `bars` are those of the run's timeframe."""
    seen = set()
    document = result.document()
    rules = document["parameters"]
    position = {session.isoformat(): n for n, session in enumerate(bars.session.tolist())}
    twin = Twin(as_dicts(bars), rules)
    ema = twin.ema
    last = len(bars) - 1
    if result.metrics.slope_undefined_count:
        seen.add("slope undefined")
    exits = {trade["exit_session"]: trade["exit_reason"] for trade in document["trades"]}
    refused = {t["entry_session"] for t in document["triggers"] if t["status"] == "no_trade"}

    for t in document["triggers"]:
        m = position[t["trigger_session"]]
        seen.add(t["status"])
        for flag in FLAGS:
            seen.add(f"{flag} {'null' if t[flag] is None else str(t[flag]).lower()}")
        if t["bars_of_air"] == rules["min_bars_of_air"]:
            seen.add("just enough air")
        if t["bars_of_air"] == rules["max_air_lookback"]:
            seen.add("air capped")
        if bars.low[m] == ema[m]:
            seen.add("low on the EMA")
        if t["stop_breached_while_pending"]:
            seen.add(f"stop breached while pending, {t['status']}")
        if t["confirmation_session"]:
            n = position[t["confirmation_session"]]
            seen.add(f"confirmed after {n - m}")
            if bars.close[n] < t["stop"]:
                seen.add("confirming close below the stop")
        if t["status"] == "pending":
            seen.add("trigger on the last bar" if m == last else "pending later")
        if t["status"] == "no_trade":
            distance = bars.open[position[t["entry_session"]]] - t["stop"]
            if distance == 0:
                seen.add("entry at the stop")
            elif distance < 0:
                seen.add("entry below the stop")
            elif distance < tick:
                seen.add("risk below one tick" if distance >= rules["min_risk_atr"] * t["atr"] else "risk below both")
            else:
                seen.add("risk below the ATR minimum")
        if t["trigger_session"] in exits:
            seen.add(f"trigger on the bar of an exit by {exits[t['trigger_session']]}")
        if t["trigger_session"] in refused:
            seen.add("trigger on the bar of a refused entry")

    for trade in document["trades"] + document["open"]:
        entry, leave = position[trade["entry_session"]], position[trade["exit_session"]]
        hits = [k for k in (1, 2, 3) if trade[f"tp{k}_hit"]]
        seen.add(f"exit {trade['exit_reason']} after {len(hits)} targets")
        seen.add(trade["outcome"])
        seen.add(f"day1_fail {str(trade['day1_fail']).lower()}")
        for k in hits:
            beyond = trade[f"tp{k}_fill"] > trade[f"tp{k}"]
            seen.add(f"target {k} filled {'at the open' if beyond else 'at its level'}")
        days = [trade[f"tp{k}_session"] for k in hits]
        if len(days) != len(set(days)):
            seen.add(f"{max(days.count(day) for day in days)} targets on one bar")
        if trade["same_bar_collision"]:
            seen.add(f"collision {rules['collision']}, exit {trade['exit_reason']}")
        if trade["exit_reason"] == "TP3" and bars.open[leave] >= trade["tp3"]:
            seen.add("last third leaves at the open")
        if trade["exit_reason"] == "Stop":
            if trade["r_theoretical"] < -1:
                seen.add("loss beyond 1 R")
            if bars.high[leave] >= trade["tp1"] and not trade["tp1_hit"]:
                seen.add("target reached on the bar of the stop fill")
            if bars.close[leave - 1] >= trade["stop_price"]:
                seen.add(f"moved stop breached, mode {rules['stop_mode']}")
        if trade["exit_reason"] == "Open":
            seen.add("exit due" if trade["awaiting_exit"] else "still open")
            if entry == last:
                seen.add("entry on the last bar")
        if any(would_trigger(twin, n) for n in range(entry, leave)):
            seen.add("trigger ignored while open")
    return seen


def would_trigger(twin, n):
    """Whether bar n meets every condition, whatever the state."""
    twin.triggers = []
    twin.evaluate(n)
    return bool(twin.triggers)


MODES = [(mode, collision) for mode in (1, 2, 3) for collision in ("tp_wins", "stop_wins")]

EXPECTED = {
    # triggers
    "confirmed", "expired", "pending", "awaiting_entry", "no_trade",
    "just enough air", "air capped", "slope undefined",
    "confirmed after 1", "confirmed after 2", "confirmed after 3", "confirming close below the stop",
    "stop breached while pending, confirmed", "stop breached while pending, expired",
    "trigger on the last bar", "pending later", "trigger ignored while open",
    "entry at the stop", "entry below the stop", "risk below one tick", "risk below the ATR minimum",
    "trigger on the bar of an exit by TP3", "trigger on the bar of an exit by Stop",
    # trades
    "exit TP3 after 3 targets", "exit Stop after 0 targets", "exit Stop after 1 targets",
    "exit Stop after 2 targets", "exit Open after 0 targets", "exit Open after 1 targets",
    "Win", "Loss", "Scratch", "Open", "day1_fail true", "day1_fail false",
    *(f"target {k} filled {where}" for k in (1, 2, 3) for where in ("at the open", "at its level")),
    "2 targets on one bar", "3 targets on one bar", "last third leaves at the open",
    "collision tp_wins, exit Stop", "collision tp_wins, exit TP3", "collision stop_wins, exit Stop",
    "loss beyond 1 R", "target reached on the bar of the stop fill",
    "moved stop breached, mode 2", "moved stop breached, mode 3",
    "exit due", "still open", "entry on the last bar",
    # flags
    *(f"{flag} {value}" for flag in FLAGS for value in ("true", "false")),
    *(f"{flag} null" for flag in FLAGS if flag not in NEVER_NULL),
}  # fmt: skip
