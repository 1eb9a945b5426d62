"""What `ctl ops` says on stderr: lines for people, or with `--log-format json` one JSON object a line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ctl.model.run import OpsLog


class Events:
    """Warnings, errors and, as JSON, the stages of a cycle."""

    def __init__(self, log_format: str) -> None:
        self._logger: Any = None
        if log_format == "json":
            import structlog

            self._logger = structlog.wrap_logger(
                structlog.PrintLogger(sys.stderr),
                processors=[
                    structlog.processors.add_log_level,
                    structlog.processors.TimeStamper(fmt="iso", utc=True),
                    structlog.processors.JSONRenderer(),
                ],
            ).bind(logger="ctl.ops")

    def cycle(self, log: OpsLog) -> None:
        """How each stage went and how the cycle ended; people have the screen instead."""
        if self._logger is None:
            return
        for stage, seconds in log.durations.items():
            self._logger.info("stage", stage=stage, seconds=seconds)
        for symbol, item in log.gate.items():
            self._logger.info("gate", symbol=symbol, expected=item.expected, actual=item.actual, passed=item.passed)
        self._logger.info(
            "ended", cycle_id=log.cycle_id, exit_code=log.exit_code, gate_passed=log.gate_passed,
            has_errors=log.has_errors, dry_run=log.dry_run, recommendation=log.portfolio_recommendation,
            summary_path=log.summary_path,
        )  # fmt: skip

    def warning(self, text: str) -> None:
        """Something that did not go as it should, and ends nothing."""
        if self._logger is None:
            print(f"ctl ops: {text}", file=sys.stderr)
        else:
            self._logger.warning(text)

    def error(self, code: str, text: str) -> None:
        """Why the cycle did not end well."""
        if self._logger is None:
            print(f"ctl ops: {code}: {text}", file=sys.stderr)
        else:
            self._logger.error(text, code=code)
