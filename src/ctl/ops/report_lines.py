"""What a message says below its verdict: board, money, rolls, changes since the last cycle, the next command."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Final

from ctl.model.findings import in_full, in_points
from ctl.model.run import ROLLS_WITHIN, OpsGateSymbol, OpsLog, SymbolState
from ctl.ops.refusals import TOLD_OF_A_PASS, refusals
from ctl.ops_notifier import Report

if TYPE_CHECKING:
    from ctl.gatekeeper import GateDecision
    from ctl.model.orders import HeldPosition
    from ctl.model.run import RunSummary, SymbolResult

_NAMED: Final = 12
_NOISE: Final = 0.01


def report(
    log: OpsLog,
    before: OpsLog | None,
    decision: GateDecision | None,
    summary: RunSummary | None,
    held: Sequence[HeldPosition] = (),
) -> Report:
    """The lines of a cycle's message. before: the log of the cycle that it is compared with. held: by the last order
    sheet, which a cycle without orders leaves to its reader.
    """
    return Report(
        verdict=_verdict(log),
        board=_board(log.gate, decision),
        money=_money(log, summary, held),
        changed="" if before is None or not log.gate else _changed(log, before),
        log_head=log.digests.log_head,
        signed_by=log.signed_by,
        next_command=_next(log, decision),
    )


def drift_of(item: OpsGateSymbol) -> str:
    """Mean drift with two decimals; empty where it is not known."""
    return "" if item.mean_drift is None else in_points(item.mean_drift)


def rolls_due(states: Mapping[str, SymbolState | OpsGateSymbol]) -> list[str]:
    """The symbols that roll within `ROLLS_WITHIN` sessions: to which contract, and by when."""
    return [
        f"{symbol} {item.roll_to or 'next contract'} by {item.roll_by or 'the next session'}"
        for symbol, item in states.items()
        if item.sessions_to_roll is not None and item.sessions_to_roll <= ROLLS_WITHIN
    ]


def _verdict(log: OpsLog) -> str:
    ends = {symbol: item.data_to for symbol, item in log.gate.items() if item.data_to is not None}
    parts: list[str] = [] if log.portfolio_recommendation is None else [log.portfolio_recommendation]
    if ends:
        common = Counter(ends.values()).most_common(1)[0][0]
        others = [f"{symbol} {end}" for symbol, end in ends.items() if end != common]
        parts.append(", ".join([f"data to {common}", *_few(others)]))
    if log.simulated:
        parts.append("simulated market")
    return ", ".join(parts)


def _board(gate: Mapping[str, OpsGateSymbol], decision: GateDecision | None) -> str:
    """`ES WATCH 7.30, CL ACCEPT 4.30 (DRIFTING)`; of many symbols those of which more than the status is to be said,
    and how many others there are of each status.
    """
    told = {} if decision is None else {item.symbol: _told(item) for item in decision.symbol_results}
    if len(gate) <= _NAMED:
        shown, rest = dict(gate), ""
    else:
        shown = {symbol: item for symbol, item in gate.items() if not item.passed or told.get(symbol)}
        counts = Counter(str(item.actual) for symbol, item in gate.items() if symbol not in shown)
        rest = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    words = [
        " ".join(
            filter(None, (symbol, item.actual, drift_of(item), told.get(symbol), "" if item.passed else "MISMATCH"))
        )
        for symbol, item in shown.items()
    ]
    return ", ".join([*_few(words), *([rest] if rest else [])])


def _told(result: SymbolResult) -> str:
    """`(DRIFTING)`: what is to be known of a symbol that passes."""
    found = [code for code in dict.fromkeys(reason.code for reason in result.reasons) if code in TOLD_OF_A_PASS]
    return f"({', '.join(found)})" if found and result.passed else ""


def _money(log: OpsLog, summary: RunSummary | None, held: Sequence[HeldPosition]) -> str:
    rolls = rolls_due(log.gate)
    parts = ["No orders"] if log.aborted else []
    if log.aborted and held:
        stops = [
            f"{item.symbol} {item.quantity} from {in_full(item.entry_price)}, "
            f"watch its stop {in_full(item.stop)} yourself"
            for item in held
        ]
        parts.append(f"Held: {'; '.join(_few(stops))}")
    if summary is not None and summary.orders is not None:
        due = Counter(order.session for order in summary.orders.orders if order.status != "blocked")
        blocked = sum(order.status == "blocked" for order in summary.orders.orders)
        orders = ", ".join(f"{session:%a %Y-%m-%d}: {count}" for session, count in sorted(due.items()))
        parts.append(f"Orders for {orders}" if due else "Orders: none")
        if blocked:
            parts.append(f"blocked: {blocked}")
    caps = () if summary is None or summary.risk is None else summary.risk.caps_hit
    if rolls or caps:
        parts.append(f"Rolls: {', '.join(_few(rolls)) or 'none'}")
        parts.append(f"Caps hit: {', '.join(caps) or 'none'}")
    else:
        parts.append("Rolls, caps: none")
    return ". ".join(parts)


def _changed(log: OpsLog, before: OpsLog) -> str:
    changes = list(_changes(log, before))
    return f"Changed since {before.timestamp:%Y-%m-%d}: {', '.join(_few(changes)) or 'nothing'}"


def _changes(log: OpsLog, before: OpsLog) -> Iterator[str]:
    if before.portfolio_recommendation != log.portfolio_recommendation:
        yield f"{before.portfolio_recommendation or 'nothing'} -> {log.portfolio_recommendation or 'nothing'}"
    if before.digests.profile != log.digests.profile:
        yield "the profile"
    if before.digests.log_head != log.digests.log_head:
        yield "the decision log"
    for symbol, item in log.gate.items():
        old = before.gate.get(symbol)
        if old is None:
            yield f"{symbol} is new"
            continue
        if old.actual != item.actual:
            yield f"{symbol} {old.actual} -> {item.actual}"
        earlier, now = old.mean_drift, item.mean_drift
        shown = in_points(earlier), in_points(now)
        if earlier is not None and now is not None and abs(now - earlier) > _NOISE * abs(earlier) and len({*shown}) > 1:
            yield f"{symbol} drift {' -> '.join(shown)}"
        if _is_earlier(item.data_to, old.data_to):
            yield f"{symbol} data to {old.data_to} -> {item.data_to}"
    yield from (f"{symbol} is gone" for symbol in before.gate if symbol not in log.gate)


def _is_earlier(now: date | None, before: date | None) -> bool:
    """Data that end before they did: news, where later data are none."""
    return now is not None and before is not None and now < before


def _next(log: OpsLog, decision: GateDecision | None) -> str:
    """The command that a person wants after this message."""
    failed = next((symbol for symbol, item in log.run.items() if item.status == "ERROR"), None)
    if decision is not None and not decision.passed:
        return refusals(decision)[0].command
    if log.error is not None:
        return "ctl doctor" if log.exit_code == 1 else "ctl gate" if decision is None else "ctl ops"
    if failed is not None:
        return f"ctl doctor {failed}"
    return log.restatements[0].command if log.restatements else "ctl orders"


def _few(items: list[str]) -> list[str]:
    return items if len(items) <= _NAMED else [*items[: _NAMED - 1], f"{len(items) - _NAMED + 1} more"]
