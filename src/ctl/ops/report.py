"""The report of a workspace as it stands: what a run would come to now, recorded nowhere, beside what was recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from ctl import run_orchestrator
from ctl.flows import portfolio, report
from ctl.ops.refusals import reasons, refusals

if TYPE_CHECKING:
    from datetime import datetime

    from ctl.reports import Report
    from ctl.run_orchestrator import Run
    from ctl.store import Workspace

Terms = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a report. symbols: shown alone where any is named. window: sessions, trades and runs that are
    shown, both ends inclusive.
    """

    symbols: tuple[str, ...] = ()
    window: tuple[date, date] | None = None
    include_non_gating: bool = False


def of_now(
    workspace: Workspace,
    asked: Asked,
    terms: Terms,
    *,
    instant: datetime,
    show: Callable[[Iterator[Run]], Iterator[Run]] = iter,
) -> Report:
    """The report of what the workspace's files say. show: passes the stages of the run through, for progress.

    Raises what keeps the gate from deciding; a gate that refuses is a report that says so.
    """
    profile = portfolio.read_profile(workspace)
    options = run_orchestrator.RunOptions(record=False, include_non_gating=asked.include_non_gating)
    stages = run_orchestrator.run(workspace, profile, options, instant=instant)
    run = next(stages)
    if run.decision.passed:
        *_, run = show(stages)
    return report.of_workspace(
        workspace, profile, run.decision, run.certified, run.outcomes, run.summary,
        instant=instant, symbols=asked.symbols, window=asked.window, terms=terms,
        standing={symbol: item.state for symbol, item in run.watched.items()},
        why=list(reasons(run.decision)), follow=next((item.command for item in refusals(run.decision)), "ctl orders"),
    )  # fmt: skip
