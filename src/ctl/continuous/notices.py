"""What the builder says of the bars and of its own rolls, and rules that it refuses because they never apply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ctl.continuous import checks, kernel
from ctl.continuous.policy import day_of, names_days
from ctl.continuous.tape import UNKNOWN_DAY
from ctl.errors import DataError
from ctl.model.findings import counted
from ctl.model.rolls import GUARD_SESSIONS, BadClose, Notice, RollPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from ctl.continuous.layout import Layout
    from ctl.continuous.policies import RollRule
    from ctl.continuous.policy import NamedDays

_NAMED: Final = 5


def require_that_the_rule_applies(layout: Layout, path: kernel.Path, days: NamedDays, policy: RollPolicy) -> None:
    """Raise DataError where a policy's roll days all lie after the end of their contracts: it never rolls."""
    old = path.from_contract
    if not len(old) or (path.reason == kernel.POLICY_ROLL).any():
        return
    in_delivery_month = policy.anchor == "fixed_day" and not policy.months_before
    known = days.last_trade[old] != UNKNOWN_DAY
    ends = np.where(known, days.last_trade[old], layout.days[layout.end_row[old] - 1])
    if (days.roll[old] > ends).all():
        name, end, day = layout.names[old[0]], day_of(int(ends[0])), day_of(int(days.roll[old[0]]))
        raise DataError(
            f"the roll rule never applies: its day lies after the end of every contract of {layout.root} that is held",
            where=name,
            found=f"roll day {day}, last bar or last trade {end}",
            expected="a day on which the contract still trades"
            + (": the fixed day is one of the delivery month" if in_delivery_month else ""),
            remedy="use --months-before 1, or --anchor expiry --offset N"
            if in_delivery_month
            else "use --anchor expiry --offset N, or a larger --offset",
            code="RULE_NEVER_APPLIES",
        )


def held_counts(layout: Layout, path: kernel.Path, days: NamedDays, in_force: int) -> dict[str, int]:
    """Rolls that the guard forced, sessions that a contract is held near its end, rolls that come after it."""
    session, old, force = layout.found.sessions.days, path.from_contract[:in_force], path.force[:in_force]
    holder = _holders(path, in_force)
    return {
        "guard_rolls": int((path.reason[:in_force] == kernel.GUARD_ROLL).sum()),
        "sessions_held_near_the_end": int((session[path.first :] >= days.latest[holder]).sum()),
        "rolls_after_last_trade": int((session[np.minimum(force, len(session) - 1)] > days.last_trade[old]).sum()),
    }


def bad_closes(layout: Layout) -> tuple[BadClose, ...]:
    """Closes that count as missing, contract after contract."""
    bars = [layout.bar(row) for row in np.flatnonzero(layout.found.bad).tolist()]
    return tuple(BadClose(session, contract, close) for contract, session, close in bars)


def notices(
    layout: Layout,
    path: kernel.Path,
    behind: kernel.RollRows,
    days: NamedDays,
    policy: RollPolicy,
    rule: RollRule,
    counts: Mapping[str, int],
) -> list[Notice]:
    """Everything that a person should know of a series before using it."""
    found = [
        Notice(
            "DATA_HOLE",
            f"no bar of {layout.root} between {day_of(hole.last_before)} and {day_of(hole.first_after)} "
            f"({counted(hole.sessions, 'session')}): "
            + (
                "joined all the same, and the gap says nothing of one roll"
                if policy.bridge_holes
                else f"the series begins on {day_of(layout.holes[-1].first_after)}; --bridge-holes joins what is before"
            ),
        )
        for hole in layout.holes
    ]
    if counts["bad_closes"]:
        listed = [f"{bad.contract} {bad.session} {bad.close:g}" for bad in bad_closes(layout)[:_NAMED]]
        text = f"{counted(counts['bad_closes'], 'close')} that cannot be a price there; no gap is taken from them"
        found.append(Notice("BAD_CLOSE", f"{text}: {_listed(listed, counts['bad_closes'])}"))
    torn = np.flatnonzero(layout.found.torn)
    if len(torn):
        text = f"{counted(len(torn), 'bar')} with an impossible price beside the close (open, high, low, close)"
        listed = [
            " ".join(map(str, (*layout.bar(row)[:2], *(prices[row] for prices in layout.prices))))
            for row in torn[:_NAMED].tolist()
        ]
        found.append(Notice("BAD_BAR", f"{text}: {_listed(listed, len(torn))}"))
    if mixed := _mixed_units(layout, behind):
        found.append(Notice("MIXED_UNITS", "; ".join(mixed) + ": are all files in one unit?"))
    thin = checks.thin_contracts(path, layout.found, layout.days, layout.volume, layout.end_row)
    if thin.too_often:
        found.append(_thin(layout, thin))
    return [*found, *_guarded(layout, path, days, policy, rule, counts)]


def _mixed_units(layout: Layout, behind: kernel.RollRows) -> list[str]:
    """Closes so far apart that they are no prices in one unit: of two contracts at a roll, or of one from a day on."""
    found = []
    old, new = (layout.close[behind.gap[:, side]] for side in (0, 1))
    low, high = np.minimum(old, new), np.maximum(old, new)
    apart = np.flatnonzero((low > 0.0) & (high > checks.MOST_FACTOR * low))
    apart = apart[[_moves_apart(layout, *behind.gap[at].tolist()) for at in apart.tolist()]] if len(apart) else apart
    if len(apart):
        (one, day, before), (two, _, after) = (layout.bar(row) for row in behind.gap[apart[0]].tolist())
        found.append(
            f"{counted(len(apart), 'roll')} between closes that differ by a factor above {checks.MOST_FACTOR:g}, the "
            f"first from {one} {before:g} to {two} {after:g} on {day}"
        )
    if layout.found.stepped > 0:
        (name, until, before), (_, since, after) = (layout.bar(layout.found.stepped + step) for step in (-1, 0))
        found.append(f"{name} closes at {before:g} on {until} and stays near {after:g} from {since} on")
    return found


def _moves_apart(layout: Layout, old: int, new: int) -> bool:
    """Whether the changes before two closes are of other sizes too, as in other units; near zero they are not."""
    moves = []
    for row in (old, new):
        first = max(
            row - checks.LOOK_BACK, int(layout.first_row[np.searchsorted(layout.first_row, row, side="right") - 1])
        )
        moves.append(float(np.median(np.abs(np.diff(layout.close[first : row + 1])))) if row > first else 0.0)
    low, high = sorted(moves)
    factor = layout.close[old] / layout.close[new]
    return low == 0.0 or (high / low) ** 2 >= max(factor, 1.0 / factor)


def _thin(layout: Layout, thin: checks.Thin) -> Notice:
    months = "".join(sorted({contract.month_code for contract in layout.contracts}))
    skipped = checks.months_to_leave_out(layout.contracts, thin.passed_over)
    rest = "".join(code for code in months if code not in skipped)
    late = "no month is passed over, so the rolls come late: fewer --days, or --policy calendar with an --offset"
    remedy = f"leave out {skipped} (--months {rest})" if skipped and rest else late
    return Notice(
        "THIN_CONTRACT",
        f"on {thin.thin} of {thin.known} sessions the contract held traded less than a tenth of the most active one's "
        f"volume: {remedy}",
    )


def _guarded(
    layout: Layout, path: kernel.Path, days: NamedDays, policy: RollPolicy, rule: RollRule, counts: Mapping[str, int]
) -> list[Notice]:
    near, late = counts["sessions_held_near_the_end"], counts["rolls_after_last_trade"]
    found = []
    if near or late:
        sessions = GUARD_SESSIONS if policy.guard_sessions is None else policy.guard_sessions
        found.append(
            Notice(
                "HELD_TO_THE_END",
                f"a contract is held on {counted(near, 'session')} within {sessions} of its last trade or first notice "
                f"day, and {counted(late, 'roll')} {'comes' if late == 1 else 'come'} into force after the last trade",
            )
        )
    if policy.guard_sessions is None or "schedule" in rule.needs:
        return found
    held = np.append(path.from_contract, path.active)
    silent = [layout.names[index] for index in held[days.latest[held] == UNKNOWN_DAY].tolist()]
    if silent:
        found.append(
            Notice(
                "TERMS_UNKNOWN",
                f"no last trade or first notice day is known of {len(silent)} of the {len(held)} contracts held: "
                f"nothing keeps them from being held too long ({_listed(silent[:_NAMED], len(silent))})",
            )
        )
    if names_days(rule.needs) and len(path.reason) and (path.reason == kernel.GUARD_ROLL).all():
        found.append(
            Notice(
                "RULE_NEVER_FIRST",
                f"the guard comes before the roll day of policy {policy.kind} on every roll: use an --offset above "
                f"{policy.guard_sessions}, or --guard none",
            )
        )
    return found


def _holders(path: kernel.Path, in_force: int) -> npt.NDArray[np.int64]:
    """The contract that stands from each session of the series on, whether or not it has a bar."""
    chain = np.append(path.from_contract[:in_force], path.to_contract[in_force - 1] if in_force else path.active)
    if not in_force and len(path.from_contract):
        chain[0] = path.from_contract[0]
    edges = np.concatenate(([path.first], np.minimum(path.force[:in_force], len(path.row)), [len(path.row)]))
    return np.repeat(chain, np.diff(edges))


def _listed(names: list[str], count: int) -> str:
    return ", ".join(names) + (" and others" if count > len(names) else "")
