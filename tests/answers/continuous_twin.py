"""The builder of continuous series told again, slowly, under every roll policy.

Standard library only and no import of `ctl`. One session at a time, dictionaries instead of arrays, nothing kept
between sessions but what the specification names. Property tests compare the compiled builder with it on
generated roots.

A root is {contract: {session: bar}}; a contract is any sortable value in expiry order, a session a date, a bar a
dict with close, volume and open_interest (None where missing).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta


@dataclass
class Rule:
    """kind as in the specification; eligible, last_trade and roll_day by contract; schedule: (day, old, new)."""

    kind: str = "volume"
    days: int = 2
    timing: str = "next_session"
    eligible: set = None
    last_trade: dict = field(default_factory=dict)
    roll_day: dict = field(default_factory=dict)
    schedule: list = field(default_factory=list)
    leave: dict = field(default_factory=dict)  # by contract the day at whose close anybody has to leave it
    most_active: bool = False


class Walk:
    def __init__(self, root, rule):
        self.root, self.rule = root, rule
        self.chain = sorted(c for c in root if root[c] and (rule.eligible is None or c in rule.eligible))
        self.sessions = sorted({day for bars in root.values() for day in bars})
        self.rolls, self.rows = [], []
        self.skipped = self.unconfirmed = 0
        self.active = None
        self.bad = set()  # (contract, session) whose close counts as missing
        self.confirmed = None  # a roll known at the last close, in force from this session
        self.silent = 0  # consecutive sessions with trade elsewhere and no bar of the active contract
        self.led = []  # sessions on which the next contract led the active one
        self.pair = None

    def bar(self, contract, day):
        return self.root[contract].get(day)

    def value(self, contract, day, name):
        bar = self.bar(contract, day)
        return None if bar is None else bar[name]

    def trading(self, day):
        return [c for c in self.chain if self.bar(c, day) is not None]

    def listed(self, contract, day):
        return min(self.root[contract]) <= day

    def next_of(self, contract, day):
        return next((c for c in self.chain if c > contract and self.listed(c, day) and self.holdable(c, day)), None)

    def holdable(self, contract, day):
        """Whether a contract may be held after a day."""
        return contract not in self.rule.leave or self.rule.leave[contract] > day

    def target(self, contract, day, name="volume"):
        """The contract that a roll of this day leads to."""
        if self.rule.most_active:
            found = self.most_of(contract, day, name)
            if found is not None:
                return found
        return self.next_of(contract, day)

    def most_of(self, contract, day, name):
        """The later contract with the largest measure of a day, of those that may be held; the earliest of equals."""
        later = [c for c in self.trading(day) if c > contract and self.holdable(c, day)]
        ranked = [(-self.value(c, day, name), c) for c in later if self.value(c, day, name) is not None]
        return min(ranked)[1] if ranked else None

    def ended(self, contract, day):
        return contract in self.rule.last_trade and day > self.rule.last_trade[contract]

    def roll(self, new, day, known, upto, reason, stated):
        self.rolls.append(
            {"old": self.active, "new": new, "force": day, "known": known, "upto": upto, "reason": reason,
             "stated": stated}
        )  # fmt: skip

    def take(self, new):
        self.active, self.silent, self.led, self.pair = new, 0, [], None

    def scheduled(self, day):
        """The scheduled roll that is due on a day: the last one dated on or before it."""
        due = [entry for entry in self.rule.schedule if entry[0] <= day]
        return due[-1] if due else None

    def begin(self, day):
        trading = self.trading(day)
        if not trading:
            return
        if self.rule.kind == "schedule":
            due = self.scheduled(day)
            if due is not None and due[2] in trading:
                self.take(due[2])
                return
            holder = (due or self.rule.schedule[0])[1]
            if holder in self.chain:
                if holder in trading:
                    self.take(holder)
                return
        alive = [c for c in trading if not self.ended(c, day)]
        alive = [c for c in alive if c not in self.rule.leave or day <= self.rule.leave[c]] or alive
        if not alive:
            return
        if self.rule.kind == "databento_c":
            self.take(alive[0])
            return
        most = max(self.volume_or_less(c, day) for c in alive)
        self.take(next(c for c in alive if self.volume_or_less(c, day) == most))

    def volume_or_less(self, contract, day):
        volume = self.value(contract, day, "volume")
        return -1 if volume is None else volume

    def in_force(self, day, before):
        """Rolls that come into force as the session begins."""
        if self.confirmed is not None:
            new, self.confirmed = self.confirmed, None
            self.take(new)
        if self.rule.kind == "schedule":
            due = self.scheduled(day)
            if due is not None and due[2] > self.active and self.bar(due[2], day) is not None:
                eve = weekday_before(due[0])
                known = min(d for d in self.sessions if d >= max(eve, self.first))
                upto = day if self.rule.timing == "same_session" else day - timedelta(days=1)
                self.roll(due[2], day, known, upto, "schedule", [max(d for d in self.sessions if d <= upto)])
                self.take(due[2])
        elif before is not None:
            named = self.rule.kind in ("calendar", "databento_c")
            planned = self.rule.roll_day.get(self.active) if named else None
            leave = self.rule.leave.get(self.active)
            over = [d for d in (planned, leave) if d is not None and d < day]
            new = self.target(self.active, before)
            if over and new is not None:
                reason = "calendar" if self.rule.kind == "calendar" else "rank"
                if planned not in over:
                    reason = "guard"
                self.roll(new, day, day, day - timedelta(days=1), reason, [before])
                self.take(new)

    def forced(self, day):
        """The active contract's bar of the day; before that, a roll away from a contract that has ended."""
        over = self.ended(self.active, day)
        found = None if over else self.bar(self.active, day)
        if found is not None:
            self.silent = 0
        elif self.trading(day):
            self.silent += 1
        if over or (self.silent >= 2 and not self.waits(day)):
            later = [c for c in self.trading(day) if c > self.active and not self.ended(c, day)]
            later = [c for c in later if c not in self.rule.leave or day <= self.rule.leave[c]] or later
            most = self.most_of(self.active, day, "volume") if self.rule.most_active else None
            if most is not None:
                later = [most]
            if later:
                own = [d for d in self.root[self.active] if d < day and not self.ended(self.active, d)]
                last = max(own) if own else None
                upto = min(day - timedelta(days=1), self.rule.last_trade.get(self.active, day))
                self.roll(later[0], day, day, last or upto, "contract_ended", [last])
                self.take(later[0])
                return self.bar(later[0], day)
        return found

    def waits(self, day):
        """Whether a schedule that goes on says to hold the active contract still, or leads on from it."""
        if self.rule.kind != "schedule":
            return False
        due = self.scheduled(day)
        holder = due[2] if due is not None else self.rule.schedule[0][1]
        goes_on = any(entry[0] > day for entry in self.rule.schedule)
        return (holder in self.chain and holder > self.active) or (holder == self.active and goes_on)

    def decide(self, day, found):
        """The contract that the session's close confirms, and the sessions that confirmed it."""
        kind = self.rule.kind
        if kind in ("volume", "open_interest"):
            return self.crossing(day, found)
        if kind in ("calendar", "databento_c"):
            planned = self.rule.roll_day.get(self.active)
            return (self.target(self.active, day), [day]) if planned is not None and planned <= day else (None, [])
        if kind in ("databento_n", "databento_v"):
            name = "open_interest" if kind == "databento_n" else "volume"
            ranked = [(self.value(c, day, name), c) for c in self.trading(day) if self.holdable(c, day)]
            ranked = [(value, c) for value, c in ranked if value is not None]
            if ranked:
                most = max(value for value, _ in ranked)
                leader = min(c for value, c in ranked if value == most)
                if leader > self.active:
                    return leader, [day]
        return None, []

    def crossing(self, day, found):
        name = self.rule.kind
        new = self.target(self.active, day, name)
        if self.pair != (self.active, new):
            self.pair, self.led = (self.active, new), []
        if new is None:
            return None, []
        if self.bar(new, day) is None:
            self.led = []
            return None, []
        mine = None if found is None else found[name]
        theirs = self.value(new, day, name)
        if mine is None or theirs is None:
            return None, []
        if theirs <= mine:
            self.led = []
            return None, []
        self.led.append(day)
        if len(self.led) < self.rule.days:
            return None, []
        if name == "volume":
            volumes = [self.value(c, day, "volume") for c in self.trading(day)]
            largest = all(volume is None or volume <= theirs for volume in volumes)
            mine_held, theirs_held = found["open_interest"], self.value(new, day, "open_interest")
            more_held = mine_held is not None and theirs_held is not None and theirs_held > mine_held
            if not (largest or more_held):
                self.unconfirmed += 1
                return None, []
        return new, self.led[-self.rule.days :]

    def run(self):
        before = None
        for day in self.sessions:
            if self.active is None:
                self.begin(day)
                if self.active is None:
                    continue
                self.first = day
            else:
                self.in_force(day, before)
            found = self.forced(day)
            used = self.active if found is not None else None
            new, stated = self.decide(day, found)
            forced = new is None and self.active in self.rule.leave and self.rule.leave[self.active] <= day
            if forced:
                new, stated = self.target(self.active, day), [day]
            if new is not None:
                reason = {"volume": "volume", "open_interest": "open_interest", "calendar": "calendar"}
                at_once = self.rule.timing == "same_session" and self.bar(new, day) is not None
                why = "guard" if forced else reason.get(self.rule.kind, "rank")
                self.roll(new, day if at_once else None, day, day, why, stated)
                self.confirmed = new
                if at_once:
                    used = new
            if used is None:
                self.skipped += 1
            else:
                self.rows.append((day, used))
            before = day
        return self.finish()

    def finish(self):
        pending = None
        if self.confirmed is not None and self.rolls[-1]["force"] is None:
            last = self.rolls.pop()
            pending = (last["known"], last["old"], last["new"], last["reason"])
        for n, roll in enumerate(self.rolls):
            if roll["force"] is None:
                roll["force"] = min(d for d in self.sessions if d > roll["known"])
            following = self.rolls[n + 1]["force"] if n + 1 < len(self.rolls) else None
            dates = [
                d for d, c in self.rows
                if c == roll["new"] and d >= roll["force"] and (following is None or d < following)
            ]  # fmt: skip
            roll["date"] = min(dates) if dates else None
        if self.rule.kind == "schedule" and self.active is not None:
            last = self.sessions[-1]
            known = [entry for entry in self.rule.schedule if weekday_before(entry[0]) <= last or entry[0] <= last]
            if known and known[-1][2] > self.active:
                eve = weekday_before(known[-1][0])
                when = min(d for d in self.sessions if d >= max(eve, self.first))
                pending = (when, self.active, known[-1][2], "schedule")
        # A roll after which no bar was used is not in force: the first such is the one that pends.
        while self.rolls and self.rolls[-1]["force"] > self.rows[-1][0]:
            last = self.rolls.pop()
            pending = (last["known"], last["old"], last["new"], last["reason"])
        for roll in self.rolls:
            roll["date"] = roll["date"] or roll["force"]
            self.gap(roll)
        return self, pending

    def gap(self, roll):
        old, new = (
            {d: bar["close"] for d, bar in self.root[c].items() if (c, d) not in self.bad} or
            {d: bar["close"] for d, bar in self.root[c].items()}
            for c in (roll["old"], roll["new"])
        )  # fmt: skip
        both = [d for d in old if d in new and d <= roll["upto"]]
        roll["concurrent"] = bool(both)
        if both:
            a = b = max(both)
        else:
            a = max((d for d in old if d <= roll["upto"]), default=min(old))
            b = min((d for d in sorted(new) if d <= roll["force"]), key=lambda d: abs((d - a).days))
        roll["gap_session"], roll["closes"] = a, (old[a], new[b])

    def adjusted(self, method):
        """[(session, contract, close, what it carries)]"""
        out = []
        for day, contract in self.rows:
            carried = 1.0 if method == "ratio" else 0.0
            for roll in self.rolls:
                if day < roll["force"]:
                    old, new = roll["closes"]
                    carried = carried * new / old if method == "ratio" else carried + (new - old)
            out.append((day, contract, self.bar(contract, day)["close"], 0.0 if method == "none" else carried))
        return out


def weekday_before(day: date) -> date:
    """The weekday before a day: the session before it where no exchange calendar is given."""
    day -= timedelta(days=1)
    while day.weekday() >= 5:
        day -= timedelta(days=1)
    return day
