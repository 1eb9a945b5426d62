"""B1's fingerprint with one rule changed at a time: a program that prints, as JSON, what was changed and the digest.

Run with NUMBA_DISABLE_JIT=1: rules are then plain functions that can be put in another's place.
"""

from __future__ import annotations

import json

from ctl.digests import sha256_bytes
from ctl.strategy.b1 import B1Parameters, kernel, rules
from ctl.strategy.b1.behaviour import behaviour

original = {**vars(rules), **vars(kernel)}


def given(name, **changed):
    """The rule `name` with some of its arguments, by position, made another."""
    places = original[name].__code__.co_varnames

    def rule(*arguments):
        arguments = list(arguments)
        for argument, change in changed.items():
            at = places.index(argument)
            arguments[at] = change(arguments[at])
        return original[name](*arguments)

    return rule


def with_rules(name, **changed):
    return given(name, rules=lambda r: r._replace(**{key: change(getattr(r, key)) for key, change in changed.items()}))


def levels(name, factor):
    def rule(event, stop, swing_high):
        original["set_levels"](event, stop, swing_high)
        event[name] = stop + (swing_high - stop) * factor

    return rule


def after_holding(change):
    def rule(*arguments):
        flat = original["hold"](*arguments)
        return change(arguments[2], flat)

    return rule


def set_field(name, value):
    def change(event, flat):
        event[name] = value
        return flat

    return after_holding(change)


more, less = (lambda x: x + 1), (lambda x: x - 1)
CHANGES = {
    "EMA of one bar more": ("pullbacks", with_rules("pullbacks", ema=more)),
    "ATR of one bar more": ("pullbacks", with_rules("pullbacks", atr=more)),
    "one bar of air more": ("pullbacks", with_rules("pullbacks", min_bars_of_air=more)),
    "steeper slope": ("keep_candidates", with_rules("keep_candidates", slope_threshold=lambda x: x + 0.2)),
    "slope over one bar more": ("keep_candidates", with_rules("keep_candidates", slope_lookback=more)),
    "buffer turned round": ("holds_above", given("holds_above", buffer=lambda x: -x)),
    "undefined slopes not counted": ("undefined_slopes", lambda *_: 0),
    "air not capped": ("_walk", with_rules("_walk", max_air_lookback=lambda _: 10_000)),
    "swing high with the trigger bar": ("highest", given("highest", stop=more)),
    "swing high without the oldest bar": ("highest", given("highest", start=more)),
    "TP1 at half": ("set_levels", levels("tp1", 0.5)),
    "TP2 at three quarters": ("set_levels", levels("tp2", 0.75)),
    "TP4 at 1.5": ("set_levels", levels("tp4", 1.5)),
    "TP5 at 2.5": ("set_levels", levels("tp5", 2.5)),
    "the trigger bar confirms": ("confirmation_of", given("confirmation_of", n=less)),
    "one bar of grace less": ("confirmation_of", given("confirmation_of", grace=less)),
    "grace ends a bar later": ("_walk", with_rules("_walk", entry_grace_bars=more)),
    "tick not asked for": ("refusal", given("refusal", tick=lambda _: 0.0)),
    "risk in ATR not asked for": ("refusal", given("refusal", min_risk_atr=lambda _: 0.0)),
    "slipped open decides": ("refusal", given("refusal", open_=lambda x: x + 0.25)),
    "an entry at the stop has a small risk": (
        "refusal",
        lambda open_, stop, *more_: rules.RISK_TOO_SMALL if open_ == stop else original["refusal"](open_, stop, *more_),
    ),
    "no slippage": ("hold", given("hold", slippage=lambda _: 0.0)),
    "exits on the entry bar": ("hold", given("hold", entry_bar=less)),
    "stops win or not, the other way": ("hold", given("hold", stop_wins=lambda x: not x)),
    "static stop": ("hold", given("hold", stop_mode=lambda _: 1)),
    "break-even for trailing": ("hold", given("hold", stop_mode=lambda x: 2 if x == 3 else x)),
    "one lot more": ("hold", given("hold", lots=more)),
    "flat a bar later": ("hold", after_holding(lambda event, flat: flat + 1)),
    "no collision": ("hold", set_field("same_bar_collision", 0)),
    "no day-1 failure": ("hold", set_field("day1_fail", 0)),
    "no awaiting exit": ("hold", set_field("awaiting_exit", 0)),
    "the touch before is not known": ("_wr_divergence", given("_wr_divergence", touched=lambda _: -1)),
    "%R of one bar more": ("_wr_divergence", given("_wr_divergence", period=more)),
    "volume rising": ("_volume_declining", lambda *a: {0: 1, 1: 0}.get(original["_volume_declining"](*a), -1)),
    "gap within fewer bars": ("_gap_below", given("_gap_below", window=lambda x: x // 2)),
    "nearer the high": ("_near_high", given("_near_high", swing_high=lambda x: 0.97 * x)),
    "retracement of fewer weeks": ("_fib_confluence", given("_fib_confluence", lookback=lambda x: x // 2)),
    "a developing week is used": ("groups_before", given("groups_before", limit=more)),
    "higher slope in the series' frame": ("higher_slope", given("higher_slope", shift=lambda _: 0.0)),
    "the close need not lie above": ("aligned", given("aligned", above=lambda _: True)),
}


def digest_of(behaviour_found):
    """Of its text: a changed rule may divide by zero, which canonical JSON cannot carry."""
    return sha256_bytes(repr(behaviour_found).encode())


def fingerprint():
    return digest_of(behaviour(B1Parameters.registered("daily"), B1Parameters.registered("weekly")))


def main():
    found = {"nothing": fingerprint()}
    for what, (name, rule) in CHANGES.items():
        for module in (rules, kernel):
            if name in original and hasattr(module, name):
                setattr(module, name, rule)
        found[what] = fingerprint()
        for module in (rules, kernel):
            if hasattr(module, name):
                setattr(module, name, original[name])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
