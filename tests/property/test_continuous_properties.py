"""Invariants of continuous series on generated roots, and the compiled builder against a slow twin."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import continuous_twin
import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ctl import continuous
from ctl.errors import DataError
from ctl.model.bars import CONTRACT_COLUMNS, ContractBars, ContractTerms, SeriesMeta
from ctl.model.contracts import Contract
from ctl.model.manifest import RollManifest
from ctl.model.rolls import ContinuousSeries, RollPolicy, ScheduledRoll

KINDS = ("volume", "open_interest", "calendar", "schedule", "databento_c", "databento_n", "databento_v")
TIMINGS = ("next_session", "same_session")


@dataclass(frozen=True, repr=False)
class Root:
    """Bars by contract and session, and what is known of expiry."""

    bars: dict[Contract, dict[date, dict[str, Any]]]
    last_trade: dict[Contract, date]

    def __repr__(self) -> str:
        """Per session the volume / open interest / close of each contract."""
        lines = [f"last trade { ({c.name: str(day) for c, day in self.last_trade.items()}) }"]
        for day in self.sessions:
            cells = [
                f"{c.name} {bars[day]['volume']}/{bars[day]['open_interest']}/{bars[day]['close']}"
                for c, bars in sorted(self.bars.items())
                if day in bars
            ]
            lines.append(f"{day}  {'  '.join(cells)}")
        return "\n".join(lines)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    def until(self, last: date) -> Root:
        kept = {c: {d: b for d, b in bars.items() if d <= last} for c, bars in self.bars.items()}
        return Root({c: bars for c, bars in kept.items() if bars}, self.last_trade)

    @property
    def sessions(self) -> list[date]:
        return sorted({day for bars in self.bars.values() for day in bars})

    def contract_bars(self) -> ContractBars:
        rows = [
            (
                day,
                contract.name,
                bar["open"],
                bar["high"],
                bar["low"],
                bar["close"],
                bar["volume"],
                bar["open_interest"],
            )
            for contract in sorted(self.bars)
            for day, bar in sorted(self.bars[contract].items())
        ]
        prices = dict.fromkeys(("open", "high", "low", "close"), pl.Float64)
        schema = {
            "session": pl.Date, "contract": pl.String, **prices, "volume": pl.Int64, "open_interest": pl.Int64,
        }  # fmt: skip
        assert tuple(schema) == CONTRACT_COLUMNS
        terms = {c.name: ContractTerms(c.name, last_trade=day) for c, day in self.last_trade.items()}
        return ContractBars(
            frame=pl.DataFrame(rows, schema=schema, orient="row"),
            meta=SeriesMeta("ZZ", "generated", "exchange_session", "settlement"),
            contracts=tuple(sorted(self.bars)),
            terms=terms,
        )


@st.composite
def roots(draw: st.DrawFn, *, expiries_known: bool = False, positive: bool = False, calm: bool = False) -> Root:
    """A few contracts that overlap, with holes, missing values, contracts that end early and late listings."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    count, length = draw(st.integers(1, 5)), draw(st.integers(3, 32))
    hole, null = draw(st.sampled_from([0.0, 0.08, 0.35])), draw(st.sampled_from([0.0, 0.1]))
    day, calendar = date(2020, 1, 1) + timedelta(days=int(random.integers(7))), []
    while len(calendar) < length:
        if day.weekday() < 5 and random.random() > 0.08:
            calendar.append(day)
        day += timedelta(days=1)
    side = 1 if positive or random.random() < 0.7 else -1
    bars: dict[Contract, dict[date, dict[str, Any]]] = {}
    last_trade: dict[Contract, date] = {}
    for n in range(count):
        contract = Contract(2020 + (2 * n) // 12, (2 * n) % 12 + 1, "ZZ")
        middle = (n + 1) * length // (count + 1)
        begin = int(random.integers(0, max(middle, 1))) if random.random() < 0.6 else 0
        end = int(random.integers(middle, length + 1)) if random.random() < 0.6 else length
        own: dict[date, dict[str, Any]] = {}
        for i in range(begin, end):
            if random.random() < hole:
                continue
            low, high = (780, 820) if calm else (400, 1200)  # so near one another that each is a price
            close = side * int(random.integers(low, high)) / 4
            own[calendar[i]] = {
                "open": close if random.random() < 0.9 else None,
                "high": close + 1,
                "low": close - 1,
                "close": close,
                "volume": None if random.random() < null else int(random.integers(6)) + 3 * (abs(i - middle) < 4),
                "open_interest": None if random.random() < null else int(random.integers(8)),
            }
        if own:
            bars[contract] = own
            if expiries_known or random.random() < 0.4:
                last_trade[contract] = max(own) + timedelta(days=int(random.choice([0, 0, 0, 3, 40])))
                if random.random() < 0.15:
                    last_trade[contract] = sorted(own)[int(random.integers(len(own)))]
    assume(bars)
    return Root(bars, last_trade)


@st.composite
def policies(draw: st.DrawFn, root: Root, kinds: tuple[str, ...] = KINDS) -> RollPolicy:
    kind = draw(st.sampled_from(kinds))
    months = "".join(sorted({contract.month_code for contract in root.bars}))
    some = draw(st.sets(st.sampled_from(months), min_size=1)) if draw(st.booleans()) else None
    schedule: tuple[ScheduledRoll, ...] = ()
    if kind == "schedule":
        names = [contract.name for contract in sorted(root.bars)]
        first = root.sessions[0] - timedelta(days=3)
        span = (root.sessions[-1] - first).days + 6
        dates = draw(st.lists(st.integers(0, span), min_size=1, max_size=4, unique=True))
        schedule = tuple(
            ScheduledRoll(
                first + timedelta(days=offset),
                draw(st.one_of(st.none(), st.sampled_from(names))),
                draw(st.sampled_from(names)),
            )
            for offset in sorted(dates)
        )
    return RollPolicy(
        kind=kind,  # type: ignore[arg-type]
        consecutive_days=draw(st.integers(1, 3)),
        eligible_months="".join(sorted(some)) if some else None,
        timing="next_session" if kind.startswith("databento") else draw(st.sampled_from(TIMINGS)),  # type: ignore[arg-type]
        offset=draw(st.integers(0, 6)) if kind == "calendar" else 0,
        schedule=schedule,
        guard_sessions=draw(st.sampled_from((None, 0, 1, 2))),
        target=draw(st.sampled_from(("adjacent", "adjacent", "most_active"))),
    )


@st.composite
def roots_and_policies(
    draw: st.DrawFn, kinds: tuple[str, ...] = KINDS, *, positive: bool = False, calm: bool = False
) -> Any:
    kind = draw(st.sampled_from(kinds))
    root = draw(roots(expiries_known=kind in ("calendar", "databento_c"), positive=positive, calm=calm))
    return root, draw(policies(root, (kind,)))


def built(root: Root, policy: RollPolicy) -> ContinuousSeries:
    """The series, or an example thrown away where the data cannot support the policy."""
    try:
        return continuous.build(root.contract_bars(), policy)
    except DataError as error:
        assume(error.code not in {"MEASURE_MISSING", "SCHEDULE_UNKNOWN", "NO_ELIGIBLE_CONTRACT"})
        raise


def rule_of(root: Root, policy: RollPolicy) -> Any:
    """The policy in the twin's words. Weekdays stand in for an exchange calendar."""
    months = policy.eligible_months
    eligible = None if months is None else {c for c in root.bars if c.month_code in months}
    roll_day, leave = {}, {}
    for contract, last in root.last_trade.items():
        roll_day[contract] = weekdays_before(last, policy.offset if policy.kind == "calendar" else 0)
        if policy.guard_sessions is not None and policy.kind != "schedule":
            leave[contract] = weekdays_before(last, policy.guard_sessions + 1)
    by_name = {c.name: c for c in root.bars if eligible is None or c in eligible}
    schedule = [
        (entry.roll_date, by_name.get(entry.from_contract or ""), by_name[entry.to_contract])
        for entry in policy.schedule
        if entry.to_contract in by_name
    ]
    return continuous_twin.Rule(
        policy.kind, policy.consecutive_days, policy.timing, eligible, root.last_trade, roll_day, schedule, leave,
        policy.target == "most_active",
    )  # fmt: skip


def weekdays_before(day: date, count: int) -> date:
    """The weekday `count` weekdays before the last one on or before a day."""
    while day.weekday() >= 5:
        day -= timedelta(days=1)
    for _ in range(count):
        day = continuous_twin.weekday_before(day)
    return day


@given(roots_and_policies(positive=True), st.sampled_from(("difference", "ratio", "none")))
def test_the_builder_agrees_with_the_slow_twin(case: Any, method: str) -> None:
    root, policy = case
    policy = replace(policy, adjustment=method)
    series = built(root, policy)
    walk, pending = continuous_twin.Walk(root.bars, rule_of(root, policy)).run()

    expected = [
        (
            r["date"],
            r["gap_session"],
            r["known"],
            r["old"].name,
            r["new"].name,
            *r["closes"],
            r["reason"],
            r["concurrent"],
        )
        for r in walk.rolls
    ]
    found = [
        (r.roll_date, r.gap_session, r.known_at, r.from_contract, r.to_contract, r.from_close, r.to_close, r.reason,
         r.concurrent)
        for r in series.rolls
    ]  # fmt: skip
    assert found == expected
    for roll, told in zip(series.rolls, walk.rolls, strict=True):
        if told["stated"] != [None]:
            for volumes, contract in ((roll.from_volume, told["old"]), (roll.to_volume, told["new"])):
                assert list(volumes) == [root.bars[contract].get(d, {}).get("volume") for d in told["stated"]]
    waiting = series.pending_roll
    assert pending == (
        None
        if waiting is None
        else (
            waiting.known_at,
            *(next(c for c in root.bars if c.name == n) for n in (waiting.from_contract, waiting.to_contract)),
            waiting.reason,
        )
    )
    assert series.counts["skipped_sessions"] == walk.skipped
    assert series.counts["unconfirmed_crossovers"] == walk.unconfirmed
    rows = walk.adjusted(method)
    assert series.frame["session"].to_list() == [day for day, *_ in rows]
    assert series.frame["contract"].to_list() == [contract.name for _, contract, *_ in rows]
    closes = [close * carried if method == "ratio" else close + carried for _, _, close, carried in rows]
    assert np.allclose(series.frame["close"].to_numpy(), closes, rtol=1e-12, atol=1e-9)


@given(roots_and_policies(), st.data())
def test_nothing_is_known_before_its_time(case: Any, data: st.DataObject) -> None:
    root, policy = case
    if policy.kind == "schedule":
        policy = only_rolls_with_bars(root, policy)
    whole = built(root, policy)
    cut = data.draw(st.sampled_from(root.sessions))
    assume(whole.frame["session"][0] <= cut)
    part = built(root.until(cut), policy)

    raw = ["session", "contract", "volume", "open_interest", "close_unadjusted"]
    assert part.frame.select(raw).equals(whole.frame.filter(pl.col("session") <= cut).select(raw))
    known = [roll for roll in whole.rolls if roll.known_at <= cut]
    told = [(r.known_at, r.from_contract, r.to_contract, r.reason) for r in part.rolls]
    if part.pending_roll is not None:
        waiting = part.pending_roll
        told.append((waiting.known_at, waiting.from_contract, waiting.to_contract, waiting.reason))
    if whole.pending_roll is not None and whole.pending_roll.known_at <= cut:
        waiting = whole.pending_roll
        assert told[-1] == (waiting.known_at, waiting.from_contract, waiting.to_contract, waiting.reason)
        told.pop()
    knew = [(r.known_at, r.from_contract, r.to_contract, r.reason) for r in known]
    if len(told) < len(knew):  # only the first of several rolls that no bar has followed yet is told
        assert part.pending_roll is not None
        assert all(roll.roll_date > part.frame["session"][-1] for roll in known[len(told) - 1 :])
    assert told == knew[: len(told)]
    for early, late in zip(part.rolls, whole.rolls, strict=False):
        assert replace(early, cumulative_adjustment=0.0) == replace(late, cumulative_adjustment=0.0)


def only_rolls_with_bars(root: Root, policy: RollPolicy) -> RollPolicy:
    """A schedule whose rolls happen as planned: each leads on, to a contract that trades on its day."""
    by_name = {contract.name: contract for contract in root.bars}
    plan: list[ScheduledRoll] = []
    for entry in policy.schedule:
        target = by_name[entry.to_contract]
        eligible = policy.eligible_months is None or target.month_code in policy.eligible_months
        onward = not plan or target > by_name[plan[-1].to_contract]
        if eligible and onward and entry.roll_date in root.bars[target]:
            plan.append(replace(entry, from_contract=None))
    assume(plan)
    return replace(policy, schedule=tuple(plan))


@given(roots_and_policies(tuple(kind for kind in KINDS if kind != "schedule")))
def test_the_guard_is_never_violated(case: Any) -> None:
    """No bar is used within the guard's sessions of a contract's end while a later contract could have been held."""
    root, policy = case
    assume(policy.guard_sessions is not None)
    series = built(root, policy)
    by_name = {contract.name: contract for contract in root.bars}
    eligible = [c for c in root.bars if policy.eligible_months is None or c.month_code in policy.eligible_months]
    ends = {c: weekdays_before(day, policy.guard_sessions) for c, day in root.last_trade.items()}
    for row in series.frame.iter_rows(named=True):
        day, contract = row["session"], by_name[row["contract"]]
        if contract not in ends or day < ends[contract]:
            continue
        # The session before was the last on which the next contract could be chosen.
        before = max((d for d in root.sessions if d < day), default=None)
        if before is None or before < series.frame["session"][0]:
            continue
        later = [c for c in eligible if c > contract and min(root.bars[c]) <= before]
        assert all(c in ends and day >= ends[c] for c in later)


@given(roots_and_policies(tuple(kind for kind in KINDS if not kind.startswith("databento")), calm=True), st.data())
def test_no_gap_is_taken_from_a_bad_close(case: Any, data: st.DataObject) -> None:
    """Closes that cannot be prices are listed, and gaps are those of a root in which they are missing."""
    root, policy = case
    places = [(c, day) for c, bars in root.bars.items() for day in sorted(bars)[3:]]
    assume(places)
    chosen = data.draw(st.lists(st.sampled_from(places), max_size=6, unique=True))
    bars = {c: {day: dict(bar) for day, bar in own.items()} for c, own in root.bars.items()}
    # Five or more in a row that agree would be a level of their own.
    chosen = [at for n, at in enumerate(chosen) if sum(other[0] == at[0] for other in chosen[:n]) < 4]
    for contract, day in chosen:
        wrong = bars[contract][day]["close"] * data.draw(st.sampled_from((0, 100, 0.01, -1)))
        bars[contract][day] |= {"open": wrong, "high": wrong, "low": wrong, "close": wrong}
    spoilt = replace(root, bars=bars)
    series = built(spoilt, policy)
    eligible = {c for c in root.bars if policy.eligible_months is None or c.month_code in policy.eligible_months}
    listed = [(bad.contract, bad.session.isoformat()) for bad in series.bad_closes]
    several = {c for c, _ in chosen if sum(other == c for other, _ in chosen) > 1}
    for contract, day in chosen:
        if contract in eligible and contract not in several:
            assert (contract.name, day.isoformat()) in listed
    assert {name for name, _ in listed} <= {contract.name for contract, _ in chosen}
    twin = continuous_twin.Walk(bars, rule_of(spoilt, policy))
    twin.bad = {(next(c for c in bars if c.name == name), date.fromisoformat(at)) for name, at in listed}
    walk, _ = twin.run()
    assert [(r.gap_session, r.from_close, r.to_close, r.concurrent) for r in series.rolls] == [
        (r["gap_session"], *r["closes"], r["concurrent"]) for r in walk.rolls
    ]


@given(roots_and_policies())
def test_contracts_never_go_back(case: Any) -> None:
    root, policy = case
    series = built(root, policy)
    keys = {contract.name: contract.expiry_key for contract in root.bars}
    held = [keys[name] for name in series.frame["contract"].to_list()]
    assert held == sorted(held)
    chain = [series.rolls[0].from_contract, *(roll.to_contract for roll in series.rolls)] if series.rolls else []
    assert [roll.from_contract for roll in series.rolls] == chain[:-1]
    assert all(keys[earlier] < keys[later] for earlier, later in pairwise(chain))
    if series.pending_roll is not None:
        assert keys[series.pending_roll.from_contract] < keys[series.pending_roll.to_contract]


@given(roots_and_policies(("volume", "open_interest", "databento_n", "databento_v")))
def test_a_confirmed_roll_is_known_before_it_is_in_force(case: Any) -> None:
    root, policy = case
    series = built(root, policy)
    for roll in series.rolls:
        if roll.reason == "contract_ended":
            assert roll.known_at == roll.roll_date or len(series.rolls) > 1
            assert roll.gap_session < roll.known_at <= roll.roll_date
        elif roll.reason == "guard":
            assert roll.gap_session <= roll.known_at <= roll.roll_date
        elif policy.timing == "next_session":
            assert roll.known_at < roll.roll_date
        else:
            assert roll.known_at == roll.gap_session == roll.roll_date


@given(roots_and_policies())
def test_within_a_segment_changes_are_the_contracts_own(case: Any) -> None:
    root, policy = case
    series = built(root, policy)
    frame = series.frame
    for earlier, later in pairwise(frame.iter_rows(named=True)):
        if earlier["contract"] == later["contract"]:
            own = later["close_unadjusted"] - earlier["close_unadjusted"]
            assert later["close"] - earlier["close"] == own  # quarters: exact in binary
    last = frame.filter(pl.col("contract") == frame["contract"][-1])
    assert last["close"].equals(last["close_unadjusted"], check_names=False)
    assert (last["adjustment"] == 0).all()
    assert (frame["close"] - frame["adjustment"]).equals(frame["close_unadjusted"], check_names=False)


@given(roots_and_policies(positive=True))
def test_within_a_segment_ratios_are_the_contracts_own(case: Any) -> None:
    root, policy = case
    series = built(root, replace(policy, adjustment="ratio"))
    for earlier, later in pairwise(series.frame.iter_rows(named=True)):
        if earlier["contract"] == later["contract"]:
            own = later["close_unadjusted"] / earlier["close_unadjusted"]
            assert later["close"] / earlier["close"] == pytest.approx(own, rel=1e-12)
    assert series.frame["close"][-1] == series.frame["close_unadjusted"][-1]


@given(roots_and_policies())
def test_the_series_is_what_a_holder_earned(case: Any) -> None:
    """Up to a gap session the old contract's own changes, after it the new contract's: the switch costs nothing."""
    root, policy = case
    series = built(root, policy)
    close = {contract.name: {d: bar["close"] for d, bar in bars.items()} for contract, bars in root.bars.items()}
    rolls = list(series.rolls)
    for earlier, later in pairwise(series.frame.iter_rows(named=True)):
        between = [r for r in rolls if earlier["session"] < r.roll_date <= later["session"]]
        if earlier["contract"] == later["contract"] or not all(r.concurrent for r in between):
            continue
        # The holder's path: each contract from the session it was switched into to the one it was switched out of.
        stops = [(earlier["session"], earlier["contract"])]
        earned, at = 0.0, earlier["session"]
        for roll in between:
            earned += close[roll.from_contract][roll.gap_session] - close[roll.from_contract][at]
            at = roll.gap_session
            stops.append((at, roll.to_contract))
        earned += close[later["contract"]][later["session"]] - close[later["contract"]][at]
        assert stops[-1][1] == later["contract"]
        assert later["close"] - earlier["close"] == earned


@given(roots_and_policies(("volume", "open_interest", "calendar")))
def test_both_timings_give_the_same_adjusted_closes(case: Any) -> None:
    root, policy = case
    later = built(root, replace(policy, timing="next_session"))
    at_once = built(root, replace(policy, timing="same_session"))
    assume(later.pending_roll is None and at_once.pending_roll is None)
    both = later.frame.join(at_once.frame, on="session", how="inner", suffix="_at_once")
    assert both.height == later.frame.height
    confirmed = [roll for roll in later.rolls if roll.reason not in ("contract_ended", "guard", "calendar")]
    assert all(roll.concurrent for roll in confirmed)
    if all(roll.concurrent for roll in later.rolls) and policy.kind != "calendar":
        assert both["close"].equals(both["close_at_once"], check_names=False)


@given(roots_and_policies())
def test_cumulative_adjustments_sum_the_gaps(case: Any) -> None:
    root, policy = case
    series = built(root, policy)
    total = 0.0
    for roll in reversed(series.rolls):
        assert roll.gap == roll.to_close - roll.from_close
        total += roll.gap
        assert roll.cumulative_adjustment == total
        before = series.frame.filter(pl.col("session") < roll.roll_date)
        if not before.is_empty() and before["contract"][-1] == roll.from_contract:
            assert before["adjustment"][-1] == total


@given(roots_and_policies())
def test_the_same_bars_give_the_same_series(case: Any) -> None:
    root, policy = case
    first, second = built(root, policy), built(root, policy)
    assert first.frame.equals(second.frame)
    assert RollManifest.of(first, package_version="1") == RollManifest.of(second, package_version="1")
