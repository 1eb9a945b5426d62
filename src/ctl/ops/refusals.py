"""Why a gate refuses, in a few words each, and the command that helps: the same on the board and in a message."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ctl.model.findings import Reason
    from ctl.model.run import GateResult, LockResult, SymbolResult

TOLD_OF_A_PASS: Final = frozenset({"DRIFTING", "ROLL_SETTLING", "NEAR_LIMIT", "BETTER_THAN_EXPECTED"})
"""Codes that are named where a symbol passes; what a known flaw is goes without."""
_PLAN: Final = "ctl plan"
_FOLLOWS: Final = "RECOMMENDATION_MISMATCH"  # from the statuses: a cause only where nothing else is
_WORDS: Final = {
    "WORSE_THAN_LOCKED": "worse than locked",
    "BETTER_THAN_EXPECTED": "better than expected",
    "LEVEL_NOW": "newest prices are wrong",
    "DATE_SHIFT": "prices carry wrong dates",
    "UNIT_CHANGED": "prices are in another unit",
    "RESTATED_HISTORY": "past bars read otherwise now",
}
_OF_SYMBOLS: Final = {
    "IDENTITY_MISMATCH": "ctl data show {}",
    **dict.fromkeys(("WORSE_THAN_LOCKED", "BETTER_THAN_EXPECTED", "WATCH_EXPIRED"), _PLAN),
    "RESTATED_HISTORY": "ctl revisions {}",
    **dict.fromkeys(("LOCKED_BARS_MISSING", "LOCK_MISSING"), _PLAN),
}
_OF_THE_LOG: Final = frozenset(
    {"LOG_CONTRADICTED", "DECISION_MISSING", "LOCK_EDITED", "NOT_IN_FORCE", "SIGNATURE_MISSING", "SIGNATURE_INVALID"}
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """One thing that keeps a gate from passing. command: runs as it stands, and shows or mends it."""

    text: str
    command: str


def refusals(decision: GateResult) -> list[Refusal]:
    """Everything that refuses, what accounts for the most first; empty where the gate passed."""
    failed = [result for result in decision.symbol_results if not result.passed]
    unfit = [result for result in failed if result.actual in ("REJECT", "ERROR")]
    found = [_of_symbol(result) for result in unfit]
    found += [Refusal(_of_lock(lock), _PLAN) for lock in decision.locks if lock.enforced and not lock.held]
    # The recommendation follows from the statuses: it is the cause only where nothing else is.
    problems = sorted(decision.problems, key=lambda problem: problem.code == _FOLLOWS)
    others = [_of_symbol(result) for result in failed if result not in unfit]
    for problem in problems:
        if problem.code != _FOLLOWS:
            found.append(Refusal(_first_clause(problem.text), _of_problem(problem)))
    found += others
    if not found:
        found = [Refusal(_first_clause(problem.text), _PLAN) for problem in problems]
    return found


def headline(decision: GateResult) -> str:
    """What refuses, for a verdict's line: the first of it, and how much more there is; empty for a pass."""
    found = refusals(decision)
    if not found:
        return ""
    return found[0].text + (f" and {len(found) - 1} more" if len(found) > 1 else "")


def reasons(decision: GateResult) -> Iterator[str]:
    """Why the gate refuses, with the codes: of each symbol what accounts for the most, then locks and problems."""
    results = decision.symbol_results
    for result in results:
        found = () if result.passed else result.telling_first
        also = ", ".join(dict.fromkeys(reason.code for reason in found[1:] if reason.code != found[0].code))
        for reason in found[:1]:
            yield f"{result.symbol}: {reason.code}: {reason.text}" + (f"; also {also}" if also else "")
    yield from (f"{lock.code}: {_of_lock(lock)}" for lock in decision.locks if lock.code is not None)
    explained = any(not result.passed for result in results) or any(lock.code is not None for lock in decision.locks)
    for problem in decision.problems:
        if problem.code != _FOLLOWS or not explained:
            yield f"{problem.code}: {problem.text}"


def _of_symbol(result: SymbolResult) -> Refusal:
    reasons = result.telling_first
    if not reasons:
        return Refusal(f"{result.symbol}: {result.actual}", f"ctl certify {result.symbol} --explain")
    first = reasons[0]
    command = _OF_SYMBOLS.get(first.code)
    if command is None:
        command = "ctl doctor {}" if result.actual == "ERROR" else "ctl certify {} --explain"
    return Refusal(f"{result.symbol}: {_words(first)}", command.format(result.symbol))


def _of_lock(lock: LockResult) -> str:
    key = lock.changes[0].key.removeprefix("symbol_settings.") if lock.changes else "comments or layout alone"
    return f"{lock.name} {'edited' if lock.name == 'profile' else 'changed'}: {key}"


def _words(reason: Reason) -> str:
    if reason.code == "STALE_INPUT" and reason.value is not None and reason.limit is not None:
        return f"data {reason.value:.0f} sessions behind (limit {reason.limit:.0f})"
    return _WORDS.get(reason.code) or _first_clause(reason.text)


def _of_problem(problem: Reason) -> str:
    if problem.code in _OF_THE_LOG:
        return "ctl verify"
    return "ctl doctor" if problem.code == "CLOCK_DOUBTFUL" else _PLAN


def _first_clause(text: str) -> str:
    return text.partition("; ")[0]


def grouped(reasons: Sequence[Reason]) -> Iterator[tuple[str, list[Reason]]]:
    """Reasons by their code, in the order of the first of each."""
    for code in dict.fromkeys(reason.code for reason in reasons):
        yield code, [reason for reason in reasons if reason.code == code]
