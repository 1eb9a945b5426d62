"""The portfolio recommendation: one rule, read by certification, the profile and the gate."""

from __future__ import annotations

from collections.abc import Iterable

from ctl.model.findings import Decision, Recommendation


def recommend(decisions: Iterable[Decision]) -> Recommendation:
    """GO if every gating decision is ACCEPT; NO-GO if any is REJECT or ERROR; otherwise CONDITIONAL GO.

    No decision at all is NO-GO: nothing was certified.
    """
    found = tuple(decisions)
    if not found or any(decision not in {"ACCEPT", "WATCH"} for decision in found):
        return "NO-GO"
    return "GO" if all(decision == "ACCEPT" for decision in found) else "CONDITIONAL GO"
