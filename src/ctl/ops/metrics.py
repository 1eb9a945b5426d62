"""What a scraper reads of the last cycle: a Prometheus textfile (node_exporter's textfile collector)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, time

from ctl.errors import EXIT_OK
from ctl.model.run import OpsLog

Sample = tuple[Mapping[str, str], float]


def textfile(log: OpsLog, earlier: Iterable[OpsLog], *, waiting: int) -> str:
    """The metrics of a cycle. earlier: logs of earlier cycles, newest first; waiting: messages in the outbox."""
    lines: list[str] = []
    for name, text, samples in _families(log, earlier, waiting):
        found = [f"{name}{_labels(labels)} {value:.12g}" for labels, value in samples]
        if found:
            lines += [f"# HELP {name} {text}", f"# TYPE {name} gauge", *found]
    return "\n".join(lines) + "\n"


def _families(log: OpsLog, earlier: Iterable[OpsLog], waiting: int) -> Iterator[tuple[str, str, list[Sample]]]:
    gate = log.gate.items()
    last_good = next((item.timestamp for item in (log, *earlier) if _is_good(item)), None)
    yield "ctl_run_timestamp_seconds", "When the last cycle began.", [({}, log.timestamp.timestamp())]
    yield "ctl_run_exit_code", "Its exit code.", [({}, float(log.exit_code))]
    yield "ctl_run_has_errors", "Whether it, or a symbol of it, failed.", [({}, float(log.has_errors))]
    yield "ctl_gate_passed", "Whether the gate passed.", [({}, float(log.gate_passed))]
    yield (
        "ctl_last_success_timestamp_seconds",
        "When the last cycle without any error began.",
        [] if last_good is None else [({}, last_good.timestamp())],
    )
    yield (
        "ctl_portfolio_recommendation",
        "1 for what the data derive.",
        [] if log.portfolio_recommendation is None else [({"recommendation": log.portfolio_recommendation}, 1.0)],
    )
    yield (
        "ctl_symbol_decision",
        "1 for what the symbol's data derive.",
        [({"symbol": symbol, "decision": item.actual}, 1.0) for symbol, item in gate],
    )
    yield (
        "ctl_symbol_as_expected",
        "Whether that is what the profile expects.",
        [({"symbol": symbol}, float(item.passed)) for symbol, item in gate],
    )
    yield (
        "ctl_symbol_mean_drift",
        "Mean drift in quote units.",
        [({"symbol": symbol}, item.mean_drift) for symbol, item in gate if item.mean_drift is not None],
    )
    yield (
        "ctl_symbol_data_age_seconds",
        "From the end of the symbol's last session (midnight UTC) to the cycle.",
        [
            ({"symbol": symbol}, (log.timestamp - datetime.combine(item.data_to, time(), UTC)).total_seconds())
            for symbol, item in gate
            if item.data_to is not None
        ],
    )
    yield (
        "ctl_stage_duration_seconds",
        "How long each stage took.",
        [({"stage": stage}, seconds) for stage, seconds in log.durations.items()],
    )
    delivered = log.notification is not None and log.notification.delivered
    yield "ctl_notification_delivered", "Whether its message was delivered.", [({}, float(delivered))]
    yield "ctl_outbox_waiting", "Messages that wait to be delivered.", [({}, float(waiting))]


def _is_good(log: OpsLog) -> bool:
    return log.exit_code == EXIT_OK and not log.has_errors


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    inside = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{inside}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
