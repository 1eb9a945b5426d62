"""The textfile of a cycle, value by value."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from ctl.model.run import OpsGateSymbol, OpsLog
from ctl.ops.metrics import textfile

INSTANT = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
GOOD = OpsLog(
    timestamp=INSTANT,
    cycle_id="cutover_v1",
    gate_passed=True,
    dry_run=False,
    simulated=False,
    exit_code=0,
    has_errors=False,
    portfolio_recommendation="CONDITIONAL GO",
    gate={
        "ES": OpsGateSymbol("WATCH", "WATCH", True, date(2026, 2, 27), 7.25),
        'P"L': OpsGateSymbol("WATCH", "REJECT", False),
    },
    durations={"gate": 1.5},
    package_version="1",
)


def values(text: str) -> dict[str, float]:
    return {
        name: float(value) for name, _, value in (line.rpartition(" ") for line in text.splitlines() if line[0] != "#")
    }


def test_every_value_of_a_good_cycle() -> None:
    text = textfile(GOOD, [], waiting=3)
    assert text.endswith("\n")
    assert text.count("# TYPE") == text.count("# HELP") == text.count(" gauge\n")
    assert values(text) == {
        "ctl_run_timestamp_seconds": INSTANT.timestamp(),
        "ctl_run_exit_code": 0,
        "ctl_run_has_errors": 0,
        "ctl_gate_passed": 1,
        "ctl_last_success_timestamp_seconds": INSTANT.timestamp(),
        'ctl_portfolio_recommendation{recommendation="CONDITIONAL GO"}': 1,
        'ctl_symbol_decision{symbol="ES",decision="WATCH"}': 1,
        'ctl_symbol_decision{symbol="P\\"L",decision="REJECT"}': 1,
        'ctl_symbol_as_expected{symbol="ES"}': 1,
        'ctl_symbol_as_expected{symbol="P\\"L"}': 0,
        'ctl_symbol_mean_drift{symbol="ES"}': 7.25,
        # from 2026-02-27 00:00 to 2026-03-02 06:00 are 3 days and 6 hours
        'ctl_symbol_data_age_seconds{symbol="ES"}': 3 * 86400 + 6 * 3600,
        'ctl_stage_duration_seconds{stage="gate"}': 1.5,
        "ctl_notification_delivered": 0,
        "ctl_outbox_waiting": 3,
    }


def test_the_last_success_is_the_newest_cycle_without_any_error() -> None:
    week = timedelta(weeks=1)
    refused = replace(GOOD, exit_code=2)
    failed = replace(GOOD, timestamp=INSTANT - week, has_errors=True)
    good = replace(GOOD, timestamp=INSTANT - 2 * week)
    found = values(textfile(refused, [failed, good], waiting=0))
    assert found["ctl_last_success_timestamp_seconds"] == (INSTANT - 2 * week).timestamp()
    assert "ctl_last_success_timestamp_seconds" not in values(textfile(refused, [failed], waiting=0))
