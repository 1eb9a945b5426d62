"""The runbook says what the code does."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from ctl import ops_notifier
from ctl.channels import webhook

TEXT = (Path(__file__).resolve().parents[2] / "docs/ops/weekly_ops_runbook.md").read_text()


def test_the_payload_example_has_the_fields_that_are_posted() -> None:
    match = re.search(r"```json\n(.*?)```", TEXT, re.DOTALL)
    assert match is not None
    shown = json.loads(match[1])
    occasion = ops_notifier.Occasion("cutover_v1", datetime(2026, 3, 2, 5, 0, 7, tzinfo=UTC), dry_run=False)
    line = ops_notifier.GateLine("ES", "WATCH", "ERROR", "no files under data/raw/databento/ES")
    message = ops_notifier.gate_failure(occasion, [line], recommendation="NO-GO")
    posted = webhook.payload(message, message.text, 1, 1)
    assert len(shown["meta"].pop("idempotency_key")) == len(posted["meta"].pop("idempotency_key"))
    assert shown == posted


def gate_codes() -> set[str]:
    """Every code that the gate and what it rests on can say."""
    source = Path(__file__).resolve().parents[2] / "src/ctl"
    files = [source / "gatekeeper.py", *(source / "since_lock").glob("*.py"), source / "store/anchors.py"]
    return {code for path in files for code in re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', path.read_text())}


def test_every_code_variable_and_exact_line_is_there() -> None:
    occasion = ops_notifier.Occasion("c", datetime(2026, 3, 2, tzinfo=UTC), dry_run=True)
    wanted = [
        ops_notifier.success(occasion, recommendation="GO").text,
        *webhook.URL_VARIABLES,
        "CTL_OPS_PING_URL",
        *gate_codes(),
        *("BETTER_THAN_EXPECTED", "RECOMMENDATION_MISMATCH", "STALE_INPUT", "RESTATED_HISTORY", "PROFILE_INVALID"),
        *("RUN_INTERRUPTED", "RUN_STOPPED", "WORKSPACE_BUSY", "WRITE_FAILED"),
    ]
    for item in wanted:
        assert item in TEXT, item


def test_every_exit_code_has_a_row() -> None:
    rows = re.findall(r"^\| (\d+(?:, \d+)*) \|", TEXT, re.MULTILINE)
    assert rows == ["0", "1", "2", "64", "143, 130, 129"]
