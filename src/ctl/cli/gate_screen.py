"""What a person reads of a gate: the verdict, the board with now beside locked, what refuses, and what to do next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import isclose
from typing import TYPE_CHECKING, Final

from ctl.cli import screens
from ctl.gatekeeper import lock_text
from ctl.model.findings import in_points
from ctl.ops.refusals import TOLD_OF_A_PASS, grouped, headline, refusals

if TYPE_CHECKING:
    from datetime import date

    from ctl.cli.screens import Terminal
    from ctl.model.findings import Reason
    from ctl.model.locked import DataTo
    from ctl.model.run import GateResult, SymbolResult
    from ctl.operating_profile import OperatingProfile

_WITH_EXPECTED: Final = 80
_WITH_UNITS: Final = 100
_MOST_OF_A_CODE: Final = 3
_EXPLAINS_ALL: Final = "IDENTITY_MISMATCH"  # of another instrument everything else differs too
_IN_THE_LAST_LINE: Final = "RECOMMENDATION_MISMATCH"  # `Portfolio: NO-GO (locked CONDITIONAL GO)` says it
_METRICS: Final = ("mean_drift", "mean_gap_diff", "unexplained_share")
_HELD_TOGETHER: Final = "\N{NO-BREAK SPACE}"


def gate_lines(
    decision: GateResult, profile: OperatingProfile, on: Terminal, *, simulated: bool, by_flag: bool = False
) -> list[str]:
    """The screen of a decision. by_flag: the profile is not the one in force, and is named."""
    label = max(7, *(len(symbol) + 3 for symbol in profile.symbols))
    lines = _verdict(decision, on, simulated=simulated, profile=profile.name if by_flag else "")
    lines.append("")
    for result in decision.symbol_results:
        lines += _row(result, label, on)
    for symbol, why in profile.non_gating_symbols.items():
        head = f"{symbol} ".ljust(label, ".") + f" {'NON-GATING':<12}"
        lines += screens.wrapped(why.role or why.reason, on, first=head, indent=" " * len(head))
    notes = list(_notes(decision, profile))
    if notes:
        lines.append("")
        for text in notes:
            lines += screens.wrapped(text, on, indent="  ")
    locked = decision.expected_recommendation
    differs = "" if locked == decision.recommendation else f" (locked {locked})"
    lines += ["", f"Portfolio: {decision.recommendation}{differs}"]
    if decision.passed:
        entry = "" if decision.decision_entry is None else f", decision {decision.decision_entry}"
        entry += f", signed by {', '.join(decision.signed_by)}" if decision.signed_by else ""
        held = "; all locks hold" if all(lock.held for lock in decision.locks) else ""
        lines += screens.wrapped(f"profile v{profile.version}{entry}{held}", on)
    lines.append(f"next: {_next(decision, by_flag=by_flag)}")
    return [line.replace(_HELD_TOGETHER, " ").rstrip() for line in lines]


def data_to(reaches: dict[str, DataTo]) -> str:
    """To which session the data of the symbols reach: the most common one, then those that end elsewhere."""
    ends = {symbol: end for symbol, reach in reaches.items() if (end := reach.both or reach.newest) is not None}
    if not ends:
        return ""
    common = Counter(ends.values()).most_common(1)[0][0]
    parts = [f"data to {common}"]
    for symbol, end in ends.items():
        apart = _apart(reaches[symbol])
        if apart:
            parts.append(f"{symbol} {apart}")
        elif end != common:
            parts.append(f"{symbol} {end}")
    return ", ".join(parts)


def _apart(reach: DataTo) -> str:
    ours, theirs = reach.canonical, reach.reference
    return "" if ours is None or theirs is None or ours == theirs else f"{_day(ours)} and its reference {_day(theirs)}"


def _day(day: date) -> str:
    return day.isoformat()


def _verdict(decision: GateResult, on: Terminal, *, simulated: bool, profile: str) -> list[str]:
    reaches = {item.symbol: item.data_to for item in decision.symbol_results if item.data_to is not None}
    circumstances = [
        data_to(reaches),
        "" if decision.as_of is None else f"as of {decision.as_of}",
        f"profile {profile}" if profile else "",
        "simulated market" if simulated else "",
    ]
    if decision.passed:
        return screens.parts(["GATE: PASS", decision.recommendation, *circumstances], on)
    first = screens.parts(["GATE: MISMATCH", decision.recommendation, headline(decision)], on)
    return [*first, *screens.parts(["nothing runs", *circumstances], on)]


def _row(result: SymbolResult, label: int, on: Terminal) -> list[str]:
    narrow = on.width is not None and on.width < _WITH_EXPECTED
    expected = f"expected {result.expected:<8}"
    if narrow and result.passed and result.actual == result.expected:
        expected = ""
    head = f"{f'{result.symbol} '.ljust(label, '.')} {result.actual:<12}{expected}"
    if not result.passed:
        indent = " " * (label + 1)
        lines = [f"{head}MISMATCH"]
        groups = list(grouped(result.telling_first))
        if len(groups) > 1 and groups[0][0] == _EXPLAINS_ALL and not screens.verbose.get():
            following = f"therefore also {', '.join(code for code, _ in groups[1:])} (--verbose tells)"
            groups = groups[:1]
        else:
            following = ""
        for code, reasons in groups:
            texts = [_text(reason, result, on) for reason in reasons[:_MOST_OF_A_CODE]]
            if len(reasons) > _MOST_OF_A_CODE:
                texts.append(f"{len(reasons) - _MOST_OF_A_CODE} more")
            lines += screens.wrapped(f"{code}: {'; '.join(texts)}", on, first=indent, indent=indent)
        return lines + (screens.wrapped(following, on, first=indent, indent=indent) if following else [])
    texts = [
        (f"{reason.code}: " if reason.code in TOLD_OF_A_PASS else "") + _text(reason, result, on)
        for reason in result.reasons
    ]
    if not texts:
        return [f"{head}ok"]
    first = f"{head}ok   "
    return screens.wrapped("; ".join(texts), on, first=first, indent=" " * len(first))


def _text(reason: Reason, result: SymbolResult, on: Terminal) -> str:
    """A reason with the locked value of what it measures; its unit where there is room."""
    unit = f" ({reason.unit})"
    wide = on.width is None or on.width >= _WITH_UNITS
    said = reason.text.removesuffix(unit) if reason.unit else reason.text
    stripped = said != reason.text
    locked = _locked(reason, result)
    if locked is not None:
        said += f" (locked{_HELD_TOGETHER}{in_points(locked)})"
        return f"{said}, {reason.unit}" if wide and stripped else said
    return reason.text if wide else said


def _locked(reason: Reason, result: SymbolResult) -> float | None:
    """What the lock holds of the metric that a reason is about; None where it is about no such metric."""
    if reason.value is None or result.metrics is None or result.locked is None:
        return None
    for name in _METRICS:
        now = getattr(result.metrics, name)
        if now is not None and reason.code.startswith(name.upper()) and isclose(now, reason.value):
            locked: float | None = getattr(result.locked.metrics, name)
            return locked
    return None


def _notes(decision: GateResult, profile: OperatingProfile) -> Iterator[str]:
    """What is reported beside the symbols: restated history, notes, locks that do not hold, other problems."""
    told = {reason.text for result in decision.symbol_results if not result.passed for reason in result.reasons}
    yield from (item.text for item in decision.restatements if not _is_told(item.text, told))
    yield from (f"{item.code}: {item.text}" for item in decision.notes)
    if profile.max_staleness_sessions == "none":
        yield "max_staleness_sessions is none: how old the data are is not judged"
    yield from (lock_text(lock) for lock in decision.locks if not lock.held)
    yield from (f"{item.code}: {item.text}" for item in decision.problems if item.code != _IN_THE_LAST_LINE)


def _is_told(restated: str, reasons: Iterable[str]) -> bool:
    return any(text in restated or restated in text for text in reasons)


def _next(decision: GateResult, *, by_flag: bool) -> str:
    """The command that follows. A rehearsal that passed is followed by the gate itself."""
    found: Sequence[str] = [refusal.command for refusal in refusals(decision)]
    if not found:
        return "ctl gate" if by_flag or decision.as_of is not None else "ctl run"
    until = f" --as-of {decision.as_of}" if decision.as_of is not None and "certify" in found[0] else ""
    return found[0] + until
