"""What stands below a message's verdict, from logs made by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from ctl.model.run import Digests, OpsError, OpsGateSymbol, OpsLog, OpsRunSymbol
from ctl.ops.report_lines import report

FRIDAY = date(2026, 2, 27)


def symbol(drift: float | None, *, left: int = 20, to: date = FRIDAY, actual: str = "WATCH") -> OpsGateSymbol:
    roll = ("ESH26", "ESM26", date(2026, 3, 18), left)
    return OpsGateSymbol("WATCH", actual, actual == "WATCH", to, drift, *roll)  # type: ignore[arg-type]


LOG = OpsLog(
    timestamp=datetime(2026, 3, 2, 5, tzinfo=UTC),
    cycle_id="c",
    gate_passed=True,
    aborted=False,
    dry_run=False,
    simulated=True,
    exit_code=0,
    has_errors=False,
    portfolio_recommendation="CONDITIONAL GO",
    gate={"ES": symbol(7.3), "CL": symbol(4.3)},
    digests=Digests(profile="p", log_head="a" * 64),
    error=None,
    package_version="1",
)
BEFORE = replace(LOG, timestamp=datetime(2026, 2, 22, 22, tzinfo=UTC))


def test_a_clean_cycle() -> None:
    found = report(LOG, BEFORE, None, None)
    assert found.lines == (
        "CONDITIONAL GO, data to 2026-02-27, simulated market",
        "ES WATCH 7.30, CL WATCH 4.30",
        "Rolls, caps: none",
        "Changed since 2026-02-22: nothing",
        "decision log aaaaaaaa",
        "next: ctl orders",
    )


def test_what_changed_is_said_old_to_new_and_noise_is_not() -> None:
    gate = {"ES": symbol(7.25), "CL": symbol(2.1), "PL": symbol(None, actual="ACCEPT")}
    before = replace(BEFORE, gate=gate, portfolio_recommendation="GO", digests=Digests(profile="q"))
    assert report(LOG, before, None, None).changed == (
        "Changed since 2026-02-22: GO -> CONDITIONAL GO, the profile, the decision log, "
        "CL drift 2.10 -> 4.30, PL is gone"
    )
    worse = replace(LOG, gate={"ES": symbol(7.3, actual="REJECT", to=date(2026, 2, 20)), "CL": symbol(4.3)})
    assert report(worse, BEFORE, None, None).changed == (
        "Changed since 2026-02-22: ES WATCH -> REJECT, ES data to 2026-02-27 -> 2026-02-20"
    )


def test_a_symbol_that_ends_elsewhere_is_named_and_a_roll_within_five_sessions_too() -> None:
    log = replace(LOG, gate={"ES": symbol(7.3), "CL": symbol(4.3, to=date(2026, 2, 24)), "PL": symbol(1.0, left=5)})
    found = report(log, None, None, None)
    assert found.verdict == "CONDITIONAL GO, data to 2026-02-27, CL 2026-02-24, simulated market"
    assert found.money == "Rolls: PL ESM26 by 2026-03-18. Caps hit: none"
    assert report(replace(log, gate={"PL": symbol(1.0, left=6)}), None, None, None).money == "Rolls, caps: none"
    assert found.changed == ""


def test_many_symbols_are_counted_and_those_not_as_expected_named() -> None:
    gate = {f"S{number}": symbol(1.0) for number in range(500)} | {"ES": symbol(9.0, actual="REJECT")}
    assert report(replace(LOG, gate=gate), None, None, None).board == "ES REJECT 9.00 MISMATCH, 500 WATCH"


def test_the_next_command_is_what_helps() -> None:
    failed = replace(LOG, run={"CL": OpsRunSymbol("ERROR", "why")})
    assert report(failed, None, None, None).next_command == "ctl doctor CL"
    broken = replace(LOG, exit_code=1, error=OpsError("UNEXPECTED", "x"), aborted=True)
    assert report(broken, None, None, None).next_command == "ctl doctor"
    assert report(broken, None, None, None).money.startswith("No orders. ")
