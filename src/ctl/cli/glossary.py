"""The words of this project, each with its one meaning: what `ctl glossary` prints and docs/glossary.md holds."""

from __future__ import annotations

from typing import Final

TERMS: Final[tuple[tuple[str, str], ...]] = (
    ("session", "a trading day of the exchange, by its trade date"),
    ("contract", "one delivery month of a future, ESH26"),
    ("canonical, reference", "our vendor's data; an independent vendor's"),
    ("roll", "the change from one contract to the next"),
    ("gap", "new contract's close minus the old one's at a roll"),
    ("gap session", "the session whose closes give the gap"),
    ("difference adjustment", "each gap is added to all earlier prices"),
    ("as built", "the series by our own roll rule"),
    ("rebuilt", "the same contracts on the reference's rolls"),
    ("drift", "our adjusted close minus the reference's, aligned at the end"),
    ("anchor", "the constant removed to align the two"),
    ("basis", "difference of closes while both hold one contract"),
    ("in parity", "of a bar, close within a tick and volume within 0.5 %"),
    ("block", "the rolls of both sides that belong together"),
    ("ledger", "drift written as a sum of named causes"),
    ("paired roll, unmatched", "both sides make it, within max_day_delta; one does"),
    ("smallest flip", "fewest causes without which the decision improves"),
    ("certificate", "a symbol's layers L0-L5, decision and reasons"),
    ("ACCEPT, WATCH, REJECT", "within all limits; a known flaw; must not trade"),
    ("ERROR, NOT_RUN", "not judged; an input is absent; never a pass"),
    ("gate", "derives the lock anew from today's data, or nothing runs"),
    ("lock", "statuses, metrics, settings and inputs fixed by a decision"),
    ("ratchet", "how much worse than locked a WATCH may get before it refuses"),
    ("DRIFTING", "ACCEPT, but worse since the lock than the ratchet allows"),
    ("NEAR_LIMIT", "mean drift less than a tenth above its limit: still as locked"),
    ("restated history", "a vendor changed a past bar"),
    ("GO, CONDITIONAL GO, NO-GO", "all ACCEPT; a WATCH; a REJECT or ERROR"),
    ("guard", "forces a roll before last trade date or first notice"),
    ("settlement", "the exchange's official close"),
    ("last trade", "a close taken from the last price traded"),
    ("utc_day", "a bar cut at midnight UTC, not by the session"),
    ("R", "a trade's result in units of its first risk, entry to stop"),
    ("trigger", "the bar that completes the B1 set-up"),
    ("bars of air", "bars before it whose lows stay above the average"),
    ("TP1, TP2, TP3", "targets at 0.618, 0.786 and 1 of the swing"),
    ("strategy, governed curve", "every trade at 1 R; as sized and capped"),
    ("PF, max DD", "gains over losses; deepest fall of the R curve"),
    ("deflated Sharpe, PBO", "odds that the best of many tries is skill; is luck"),
    ("decision log", "chained record of who locked what, and why"),
)


def lines(width: int | None) -> list[str]:
    """Each term with its meaning, wrapped at words with a hanging indent; None: a line each, for a pipe."""
    import textwrap

    told = [f"{term}: {meaning}" for term, meaning in TERMS]
    if width is None:
        return told
    return [line for text in told for line in textwrap.wrap(text, width, subsequent_indent="    ")]


def markdown() -> str:
    """docs/glossary.md."""
    head = "# Glossary\n\nA word means one thing in the whole project. `ctl glossary` prints the same.\n"
    return "\n".join(
        [head, "| term | meaning |", "|---|---|", *(f"| {word} | {meaning} |" for word, meaning in TERMS), ""]
    )
