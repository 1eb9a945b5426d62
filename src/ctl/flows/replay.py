"""The gate as of past weeks: on the sessions knowable then, would it have let the portfolio run?

The files are read once, as they are today, and cut at each week's last session. What a file cannot tell is how it
read then: a vendor's back-adjusted level is used as it stands now, which shifts it by a constant only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from ctl import sessions
from ctl.errors import CtlError, DataError
from ctl.flows import lock_parts, standing
from ctl.flows.inputs import ReadOnce
from ctl.flows.portfolio import gate
from ctl.flows.workers import HERE, Workers
from ctl.model.lock import Replay, ReplayedSymbol, ReplayedWeek
from ctl.model.run import ProfileReference
from ctl.tracking import Track, untracked

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ctl.gatekeeper import LockRead
    from ctl.operating_profile import OperatingProfile
    from ctl.store import Workspace

NOTE: Final = (
    "files are used as they read today, up to each week's last session; "
    "a vendor's back-adjusted level differs from what it was then by a constant only"
)


def replay(
    workspace: Workspace,
    profile: OperatingProfile,
    *,
    first: date,
    last: date,
    instant: datetime,
    track: Track = untracked,
    workers: Workers = HERE,
) -> Replay:
    """The gate as of the last session of each week from `first` to `last`, both inclusive.

    The weeks are those of the first gating symbol's calendar; a week whose last session lies after `last`, or after
    the last session on disk, is left out. Raises DataError where no week is left.
    """
    files = ReadOnce(workspace, instant)
    through = _through(files, profile, last)
    locked = lock_parts.read_lock(workspace, profile, instant=instant)
    days = last_sessions(workspace.symbol(profile.gating_universe[0]).calendar, first, through)
    if workers.here:
        weeks = []
        for day in track(days):
            weeks.append(_week(workspace, profile, locked, instant, files, day))
    else:
        quarters = [days[at : at + _QUARTER] for at in range(0, len(days), _QUARTER)]
        task = partial(_weeks, workspace, profile, locked, instant)
        weeks = [week for part in workers.each(task, quarters) for week in part]
    if not weeks:
        ends = f", and data up to {through}" if through < last else ""
        raise DataError("no trading week ends in the range", found=f"{first} to {last}{ends}")
    passed = sum(week.passed for week in weeks)
    return Replay(
        timestamp=instant,
        simulated=workspace.simulated,
        profile=ProfileReference(profile.name, profile.version, profile.sha256),
        from_=first,
        to=last,
        through=through,
        note=NOTE,
        passed=passed,
        blocked=len(weeks) - passed,
        weeks=tuple(weeks),
    )


_QUARTER: Final = 13
"""Weeks that one process replays on files that it has read once."""


def _weeks(
    workspace: Workspace, profile: OperatingProfile, locked: LockRead, instant: datetime, days: Sequence[date]
) -> list[ReplayedWeek]:
    files = ReadOnce(workspace, instant)
    return [_week(workspace, profile, locked, instant, files, day) for day in days]


def _week(
    workspace: Workspace,
    profile: OperatingProfile,
    locked: LockRead,
    instant: datetime,
    files: ReadOnce,
    day: date,
) -> ReplayedWeek:
    gated = gate(workspace, profile, instant=instant, as_of=day, files=files, locked=locked)
    decision = gated.decision
    return ReplayedWeek(
        as_of=day,
        passed=decision.passed,
        recommendation=decision.recommendation,
        symbols=tuple(
            ReplayedSymbol(
                item.symbol, item.expected, item.actual, item.passed, item.certificate_sha256,
                None if item.metrics is None else item.metrics.aligned_drift,
                standing.most_drift(item, profile),
            )
            for item in decision.symbol_results
        ),
        first_reason=None if decision.passed else next(iter(decision.failures), None),
    )  # fmt: skip


def last_sessions(calendar: str, first: date, last: date) -> list[date]:
    """The last session of each trading week that lies from `first` to `last`, both inclusive."""
    days = sessions.sessions_between(calendar, first, last)
    if not len(days):
        return []
    keys = sessions.week_keys(calendar, days)
    found = [_day(day) for day in days[:-1][keys[1:] != keys[:-1]]]
    final = _day(days[-1])
    return [*found, final] if sessions.week_is_complete(calendar, final) else found


def _through(files: ReadOnce, profile: OperatingProfile, last: date) -> date:
    """`last`, or the newest session on disk of the gating symbols where that is before it."""
    newest = max(_newest_sessions(files, profile), default=last)
    return min(last, newest)


def _newest_sessions(files: ReadOnce, profile: OperatingProfile) -> Iterator[date]:
    """The newest session of each gating symbol that can be read; what cannot is an ERROR of every week."""
    for symbol in profile.gating_universe:
        settings = profile.symbol_settings[symbol]
        try:
            held = files.read_symbol(
                symbol,
                policy=settings.roll_policy,
                reference=settings.reference,
                series=settings.series,
                with_alternatives=True,
            )
            newest = held.bars["session"].max()
        except CtlError:
            continue
        if isinstance(newest, date):
            yield newest


def _day(day: np.datetime64 | npt.NDArray[np.datetime64]) -> date:
    found: date = day.astype("datetime64[D]").item()
    return found
