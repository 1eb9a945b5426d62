"""A weekly cycle with the run registry: its slot is claimed before it, and a team's database hears of it afterwards.

SQLite in the workspace needs no telling: whoever reads it takes in what the files say.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta

from ctl import store
from ctl.errors import CtlError
from ctl.model.documents import document
from ctl.model.run import is_cut_short
from ctl.ops import schedule
from ctl.ops.weekly import WeeklyOutcome


def run_registered(
    workspace: store.Workspace,
    cycle: Callable[[], WeeklyOutcome],
    *,
    instant: datetime,
    url: str | None,
    scheduled: bool,
) -> WeeklyOutcome:
    """Run a cycle. url: of a team's database; scheduled: it is to serve the last slot of the installed schedule.

    Raises SlotTaken where that slot has been served or is being, and WorkspaceError, running nothing, where the
    database cannot say so. One that goes away later costs a warning: the files are the record.
    """
    if url is None and not scheduled:
        return cycle()
    from ctl.store.registry import Registry

    if not scheduled:
        outcome = cycle()
    else:
        with (
            closing(Registry(workspace, url=url)) as registry,
            registry.claimed(schedule.read(workspace).slot.last(instant), instant=instant) as ending,
        ):
            outcome = cycle()
            served = None if is_cut_short(document(outcome.log)) else outcome.log.exit_code
            ending.put(served, instant + timedelta(seconds=sum(outcome.log.durations.values())))
        if ending.problem is not None:
            outcome = _warned(outcome, ending.problem)
    if url is not None:
        try:
            with closing(Registry(workspace, url=url)) as registry:
                registry.sync()
        except CtlError as error:
            outcome = _warned(outcome, error)
    return outcome


def _warned(outcome: WeeklyOutcome, error: CtlError) -> WeeklyOutcome:
    return replace(outcome, warnings=(*outcome.warnings, f"the registry was not told: {error}"))
