"""Contract bars in, continuous series and rolls out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

from ctl.continuous import adjust, kernel
from ctl.continuous import policy as roll_policy
from ctl.continuous.layout import Layout, lay_out
from ctl.continuous.notices import bad_closes, held_counts, notices, require_that_the_rule_applies
from ctl.continuous.policies import rule_of
from ctl.continuous.policy import day_number, day_of, named_days
from ctl.continuous.tape import UNKNOWN_DAY
from ctl.errors import DataError
from ctl.model.bars import SERIES_COLUMNS, UNFINISHED, ContractTerms
from ctl.model.rolls import ContinuousSeries, PendingRoll, Roll, RollPolicy, SeriesColumns

if TYPE_CHECKING:
    import numpy.typing as npt

    from ctl.continuous.checks import Floats
    from ctl.continuous.kernel import Int64s
    from ctl.continuous.policies import RollRule
    from ctl.continuous.policy import NamedDays
    from ctl.model.bars import ContractBars
    from ctl.model.rolls import RollReason


def build(
    bars: ContractBars,
    policy: RollPolicy,
    *,
    calendar_sessions: npt.NDArray[np.datetime64] | None = None,
    root: str | None = None,
) -> ContinuousSeries:
    """Build the continuous series of one root; see `ctl.continuous.build`."""
    return _series(bars, next(_join_each(bars, [policy], calendar_sessions, root)))


def columns_each(
    bars: ContractBars, policies: Iterable[RollPolicy], calendar_sessions: npt.NDArray[np.datetime64] | None
) -> Iterator[SeriesColumns]:
    """The columns of the series of each policy in turn; see `ctl.continuous.columns_each`."""
    for joined in _join_each(bars, policies, calendar_sessions, None):
        (opened, high, low, close), adjustment = _prices(joined)
        sessions = joined.layout.days[joined.rows].astype("datetime64[D]")
        volume = joined.layout.volume[joined.rows]
        yield SeriesColumns(sessions, opened, high, low, close, np.where(volume < 0, np.nan, volume), adjustment)


class _Joined(NamedTuple):
    """The bars of one root joined under a policy.

    in_force, pending: rolls that are in force, and one that is not yet. rows: int64[sessions], the bars used; holder:
    whose each is; carried: what each carries above (a ratio: by what it is multiplied of) its own price. closes:
    float64[2, rolls], old and new; cumulative: the sum of a roll's gap and all later ones.
    """

    layout: Layout
    policy: RollPolicy
    rule: RollRule
    days: NamedDays
    calendar: npt.NDArray[np.int32] | None
    warnings: list[str]
    path: kernel.Path
    held: Int64s
    behind: kernel.RollRows
    in_force: int
    pending: PendingRoll | None
    rows: Int64s
    holder: Int64s
    carried: Floats
    closes: Floats
    cumulative: Floats


def _join_each(
    bars: ContractBars,
    policies: Iterable[RollPolicy],
    calendar_sessions: npt.NDArray[np.datetime64] | None,
    root: str | None,
) -> Iterator[_Joined]:
    calendar = None if calendar_sessions is None else calendar_sessions.astype("datetime64[D]").astype(np.int32)
    layouts: dict[tuple[str | None, bool], Layout] = {}
    named: dict[RollPolicy, NamedDays] = {}
    for policy in policies:
        roll_policy.check(policy)
        eligible = policy.eligible_months, policy.bridge_holes
        if eligible not in layouts:
            layouts[eligible] = lay_out(bars, eligible[0], root, bridge_holes=eligible[1], calendar=calendar)
        layout, days_from = layouts[eligible], replace(policy, schedule=(), consecutive_days=1)
        if days_from not in named:
            named[days_from] = named_days(layout.contracts, bars.terms, policy, rule_of(policy.kind), calendar)
        yield _join(layout, policy, named[days_from], calendar)


def _join(layout: Layout, policy: RollPolicy, days: NamedDays, calendar: npt.NDArray[np.int32] | None) -> _Joined:
    rule = rule_of(policy.kind)
    warnings = _serial_months(layout, policy)
    _require_measure(layout, policy, rule)

    path = _choose(layout, policy, rule, days, calendar, warnings)
    if not (path.row >= 0).any():
        raise DataError(
            f"no session on which a contract of {layout.root} can be held",
            expected="a bar of an eligible contract on or before its last trade date",
            code="NO_ELIGIBLE_CONTRACT",
        )
    held = np.append(path.from_contract, path.active)
    if roll_policy.names_days(rule.needs):
        silent = [layout.names[index] for index in held[days.roll[held] == UNKNOWN_DAY].tolist()]
        roll_policy.require_roll_days(silent, policy, rule.needs, layout.root)
        require_that_the_rule_applies(layout, path, days, policy)
    if days.assumed[held].any():
        where = "outside the exchange calendar" if calendar is not None else "because no exchange calendar is given"
        warnings.append(f"days that are named in advance were counted on weekdays, {where}")

    found = layout.found
    behind = kernel.rows_of_rolls(path, layout.days, layout.first_row, layout.end_row, found.bad, found.sessions)
    in_force, pending = _settle(layout, path, rule)
    kept = np.flatnonzero(path.row >= 0)
    rows = path.row[kept]
    closes = layout.close[behind.gap[:in_force].T]
    cumulative = adjust.sums(closes[1] - closes[0])
    if policy.adjustment == "ratio":
        adjust.refuse_ratio_of_non_positive(layout, np.concatenate([rows, behind.gap[:in_force].ravel()]))
        carried = kernel.carried_by(path, adjust.factors(*closes), 1.0)
    elif policy.adjustment == "difference":
        carried = kernel.carried_by(path, cumulative, 0.0)
    else:
        carried = np.zeros(len(path.row))
    return _Joined(
        layout, policy, rule, days, calendar, warnings, path, held, behind, in_force, pending, rows, path.holder[kept],
        carried[kept], closes, cumulative,
    )  # fmt: skip


def _series(bars: ContractBars, joined: _Joined) -> ContinuousSeries:
    layout, path, behind, in_force = joined.layout, joined.path, joined.behind, joined.in_force
    warnings, rows = joined.warnings, joined.rows
    rolls = _rolls(layout, path, behind, joined.rule, joined.closes, joined.cumulative) if in_force else ()
    counts = {
        "sessions": len(rows),
        "rolls": len(rolls),
        "skipped_sessions": len(path.row) - path.first - len(rows),
        "unconfirmed_crossovers": path.unconfirmed,
        "non_concurrent_gaps": int((~behind.concurrent[:in_force]).sum()),
        "dropped_instruments": bars.meta.counts.get("instruments_dropped", 0),
        "bad_closes": int(layout.found.bad.sum()),
        **held_counts(layout, path, joined.days, in_force),
        **layout.counts,
        **_against_calendar(layout, path.first, joined.calendar),
        **{reason: number for reason, number in bars.meta.counts.items() if reason == UNFINISHED},
    }
    if path.row[-1] < 0:
        ended, last = day_of(layout.days[rows[-1]]), day_of(layout.found.sessions.days[-1])
        warnings.append(f"the series ends on {ended}: up to {last} the contract held has no usable bar")
    told = notices(layout, path, behind, joined.days, joined.policy, joined.rule, counts)
    warnings += map(str, told)
    meta = replace(
        bars.meta,
        root=layout.root,
        notes=(*bars.meta.notes, *warnings),
        counts={**bars.meta.counts, "skipped_sessions": counts["skipped_sessions"]},
    )
    of_held = (layout.names[at] for at in np.unique(joined.held).tolist())
    return ContinuousSeries(
        _frame(joined),
        meta,
        joined.policy,
        rolls,
        joined.pending,
        counts,
        tuple(warnings),
        tuple(told),
        bad_closes(layout),
        tuple(bars.terms.get(name) or ContractTerms(name) for name in of_held),
    )


def _choose(
    layout: Layout,
    policy: RollPolicy,
    rule: RollRule,
    days: NamedDays,
    calendar: npt.NDArray[np.int32] | None,
    warnings: list[str],
) -> kernel.Path:
    """Walk the sessions under a policy."""
    return kernel.roll_path(
        confirm=rule.confirm,
        days=layout.days,
        volume=layout.volume,
        interest=layout.interest,
        first_row=layout.first_row,
        end_row=layout.end_row,
        sessions=layout.found.sessions,
        consecutive_days=policy.consecutive_days if "consecutive_days" in rule.needs else 0,
        same_session=policy.timing == "same_session",
        nearest_first="expiry" in rule.needs,
        last_trade=days.last_trade,
        roll_day=days.roll,
        leave_day=days.leave,
        most_active=policy.target == "most_active",
        schedule=_schedule(layout, policy, calendar, warnings) if "schedule" in rule.needs else None,
    )


def _schedule(
    layout: Layout, policy: RollPolicy, calendar: npt.NDArray[np.int32] | None, warnings: list[str]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The scheduled rolls whose new contract is among the bars, as arrays."""
    index = {name: position for position, name in enumerate(layout.names)}
    planned = roll_policy.schedule_in_order(policy)
    known = [roll for roll in planned if roll.to_contract in index]
    if not known:
        raise DataError(
            f"none of the scheduled contracts of {layout.root} has bars",
            found=", ".join(roll.to_contract for roll in planned[:5]),
            expected=f"contracts among {layout.names[0]} to {layout.names[-1]}",
            remedy="check the schedule and the eligible months",
            code="SCHEDULE_UNKNOWN",
        )
    if len(known) < len(planned):
        absent = [roll.to_contract for roll in planned if roll.to_contract not in index]
        warnings.append(f"{len(absent)} scheduled rolls lead to contracts without bars: {', '.join(absent[:5])}")
    first = np.array([day_number(roll.roll_date) for roll in known], dtype=np.int32)
    return (
        first,
        roll_policy.sessions_before(first - np.int32(1), 0, calendar)[0],
        np.array([index.get(roll.from_contract or "", -1) for roll in known], dtype=np.int64),
        np.array([index[roll.to_contract] for roll in known], dtype=np.int64),
    )


def _settle(layout: Layout, path: kernel.Path, rule: RollRule) -> tuple[int, PendingRoll | None]:
    """How many rolls are in force, and the first roll that is known but not yet in force at the end.

    A roll is in force once a bar of its new contract, or of one after it, has been used.
    """
    last_used = int(np.flatnonzero(path.row >= 0)[-1])
    in_force = int(np.searchsorted(path.force, last_used, side="right"))
    if in_force < len(path.force):
        old, new = int(path.from_contract[in_force]), int(path.to_contract[in_force])
        reason = _reason(int(path.reason[in_force]), rule)
        return in_force, _pending(layout, old, new, int(path.known[in_force]), reason)
    if path.pending_to >= 0:
        return in_force, _pending(
            layout, path.active, path.pending_to, path.pending_known, _reason(path.pending_reason, rule)
        )
    return in_force, None


def _pending(layout: Layout, old: int, new: int, known: int, reason: RollReason) -> PendingRoll:
    return PendingRoll(
        known_at=day_of(layout.found.sessions.days[known]),
        from_contract=layout.names[old],
        to_contract=layout.names[new],
        reason=reason,
    )


def _reason(code: int, rule: RollRule) -> RollReason:
    forced: dict[int, RollReason] = {kernel.ENDED_ROLL: "contract_ended", kernel.GUARD_ROLL: "guard"}
    return forced.get(code, rule.reason)


def _rolls(
    layout: Layout, path: kernel.Path, behind: kernel.RollRows, rule: RollRule, closes: Floats, cumulative: Floats
) -> tuple[Roll, ...]:
    """The rolls in force. A roll's date is the first session with a bar of its new contract; where another roll
    followed before there was one, the session from which it counted. closes: float64[2, rolls], old and new.
    """
    count = len(cumulative)
    days, names = layout.found.sessions.days.astype("datetime64[D]"), np.array(layout.names, dtype=object)
    used = np.where(behind.used >= 0, behind.used, np.minimum(path.force, len(days) - 1))[:count]
    dates = (days[used], layout.days[behind.gap[:count, 0]].astype("datetime64[D]"), days[path.known[:count]])
    volumes = layout.volume[behind.volume[:count]].transpose(2, 0, 1).astype(object)
    volumes[(behind.volume[:count].transpose(2, 0, 1) < 0) | (volumes < 0)] = None
    stated = behind.stated[:count].tolist()
    return tuple(
        map(
            Roll,
            *(column.tolist() for column in dates),
            names[path.from_contract[:count]].tolist(),
            names[path.to_contract[:count]].tolist(),
            *closes.tolist(),
            (closes[1] - closes[0]).tolist(),
            cumulative.tolist(),
            *([tuple(row[:end]) for row, end in zip(side, stated, strict=True)] for side in volumes.tolist()),
            [_reason(code, rule) for code in path.reason[:count].tolist()],
            behind.concurrent[:count].tolist(),
        )
    )


def _prices(joined: _Joined) -> tuple[list[Floats], Floats]:
    """Adjusted open, high, low and close of the bars used, and close less raw close of each, under every method."""
    raw = [prices[joined.rows] for prices in joined.layout.prices]
    if joined.policy.adjustment != "ratio":
        return [prices + joined.carried for prices in raw], joined.carried
    adjusted = [prices * joined.carried for prices in raw]
    return adjusted, adjusted[3] - raw[3]


def _frame(joined: _Joined) -> pl.DataFrame:
    """The bars used, adjusted."""
    layout, rows = joined.layout, joined.rows
    adjusted, adjustment = _prices(joined)
    names = pl.Series(layout.names, dtype=pl.String)
    columns = (
        pl.Series(layout.days[rows]).cast(pl.Date),
        *map(_nullable, adjusted),
        *map(_nullable, (layout.volume[rows], layout.interest[rows])),
        names.gather(joined.holder),
        pl.Series(adjustment),
        pl.Series(layout.close[rows]),
    )
    return pl.DataFrame(dict(zip((*SERIES_COLUMNS, "close_unadjusted"), columns, strict=True)))


def _nullable(values: npt.NDArray[Any]) -> pl.Series:
    """Prices, null where they are NaN, or counts, null where they are below zero."""
    missing = np.isnan(values) if values.dtype == np.float64 else values < 0
    series = pl.Series(values)
    return series.set(pl.Series(missing), None) if missing.any() else series


def _serial_months(layout: Layout, policy: RollPolicy) -> list[str]:
    """A warning where delivery months follow one another and nobody named the liquid cycle."""
    if policy.eligible_months is not None:
        return []
    months = sorted({contract.month for contract in layout.contracts})
    if any(later - earlier == 1 for earlier, later in pairwise(months)):
        codes = "".join(sorted({contract.month_code for contract in layout.contracts}))
        return [
            f"{layout.root} lists contracts of serial months ({codes}) and no liquid cycle is named: "
            "every month is eligible; name the cycle with --months"
        ]
    return []


def _require_measure(layout: Layout, policy: RollPolicy, rule: RollRule) -> None:
    """Raise DataError where a policy compares values that no eligible bar states."""
    pairs = list(zip(layout.first_row, layout.end_row, strict=True))
    for measure, column in (("volume", layout.volume), ("open_interest", layout.interest)):
        if measure in rule.needs and not any((column[first:end] >= 0).any() for first, end in pairs):
            words = measure.replace("_", " ")
            raise DataError(
                f"policy {policy.kind} needs the {words} of {layout.root}",
                found=f"no bar that states {words}",
                remedy="supply it, or use another roll policy",
                code="MEASURE_MISSING",
            )


def _against_calendar(layout: Layout, first: int, calendar: npt.NDArray[np.int32] | None) -> dict[str, int]:
    """Sessions of the bars that the calendar lacks, and sessions of the calendar between them that have no bar."""
    if calendar is None:
        return {}
    own = layout.found.sessions.days[first:]
    stated = calendar[(calendar >= own[0]) & (calendar <= own[-1])]
    both = int(np.isin(own, stated).sum())
    return {"sessions_off_calendar": len(own) - both, "calendar_sessions_missing": len(stated) - both}
