"""The live-sim ledger on disk: what a run adds to it, and what it says beside the backtest.

Every session since the last run is settled and decided on by itself, on the data up to that session. A run of once a
week therefore misses nothing that was born and confirmed between two runs, and says of each entry whether a run
decided it on its own close, while its order could still be placed (`live`), or a later run did in its place.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

import numpy as np

from ctl import digests, store, strict_files
from ctl import sessions as exchange
from ctl.errors import DataError
from ctl.flows import inputs
from ctl.flows.backtest import backtest, session_days
from ctl.flows.series import traded_series
from ctl.model.orders import Key, Verdict
from ctl.model.paper import (
    LedgerHead,
    LedgerRecord,
    PaperComparison,
    PaperEntry,
    PaperReport,
    PaperSymbol,
    RefusedEntry,
)
from ctl.model.rolls import ContinuousSeries
from ctl.statistics import losses_beyond_one_r
from ctl.store.files import remove_temporaries
from ctl.trading import paper

if TYPE_CHECKING:
    from pathlib import Path

    from ctl.flows.inputs import SymbolInputs
    from ctl.model.bars import DailySeries
    from ctl.model.run import PlanEntry
    from ctl.operating_profile import OperatingProfile
    from ctl.store import Workspace


def ledger_head(workspace: Workspace) -> LedgerHead | None:
    """The paper ledger as a summary cites it; None before its first session.

    Raises DataError (LEDGER_CONTRADICTED) where the newest summary that cites it cites other bytes at its beginning:
    it was cut, rewritten or removed since; and for a damaged ledger.
    """
    path = workspace.paper_ledger
    data = _bytes(path)
    cited = _cited(workspace)
    if cited is not None and digests.sha256_bytes(data[: cited.bytes]) != cited.sha256:
        found = data.count(b"\n")
        raise DataError(
            "the paper ledger is not the one that a run has cited",
            where=workspace.relative(path),
            found=f"{found} records that do not begin with those" if data else "no ledger",
            expected=f"{cited.records} records of sha256 {cited.sha256[:12]}, as {cited.summary} says",
            remedy="restore the file from a backup; to begin a new ledger, move the run summaries away with it",
            code="LEDGER_CONTRADICTED",
        )
    return paper.head(data, workspace.relative(path))


@dataclass(frozen=True, slots=True)
class _Cited:
    """What a run summary says of the ledger's beginning."""

    summary: str
    records: int
    bytes: int
    sha256: str


_LARGEST: Final = 1 << 32


def _bytes(path: Path) -> bytes:
    try:
        return strict_files.read_bytes(path, most=_LARGEST)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise DataError("cannot be read", where=str(path), found=error.strerror, code="PAPER_LEDGER_DAMAGED") from error


def _cited(workspace: Workspace) -> _Cited | None:
    """What the newest run summary that cites a ledger says. One that cannot be read says nothing."""
    folder = workspace.run_summaries
    names = sorted(os.listdir(folder), reverse=True) if folder.is_dir() else []  # noqa: PTH208 - names are enough
    for path in (folder / name for name in names if name.endswith(".json")):
        try:
            said = json.loads(strict_files.read_bytes(path, most=_LARGEST))["paper"]
            return _Cited(workspace.relative(path), int(said["records"]), int(said["bytes"]), str(said["sha256"]))
        except (OSError, ValueError, TypeError, KeyError):
            continue
    return None


@dataclass(frozen=True, slots=True)
class Close:
    """A session that the ledger does not have yet: its bar, and the entries that its close decided."""

    bar: paper.Bar
    entries: tuple[PaperEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class Following:
    """A symbol that was run on daily bars, with its costs, and what `coming` made of its new sessions."""

    entry: PlanEntry
    closes: tuple[Close, ...]


def last_sessions(workspace: Workspace) -> dict[str, date]:
    """The last session that the ledger has of each symbol. Raises DataError for a damaged ledger."""
    path = workspace.paper_ledger
    ledger = paper.read(_bytes(path), workspace.relative(path))
    return {symbol: records[-1].session for symbol, records in ledger.records.items()}


def coming(
    held: SymbolInputs,
    newest: ContinuousSeries | DailySeries,
    entry: PlanEntry,
    calendar: str,
    *,
    since: date | None,
    instant: datetime,
) -> tuple[Close, ...]:
    """Every session of a symbol's traded series after `since`, on the data up to it; None: the last alone."""
    days = session_days(newest)
    last = days[-1].item()
    first = len(days) - 1 if since is None else int(np.searchsorted(days, np.datetime64(since, "D"), side="right"))
    timely = instant.date() <= exchange.next_session(calendar, last)
    made = []
    for series, history in _as_of_each(newest, days[first:].tolist(), held, calendar):
        bar = _bar(series, entry.symbol, history)
        made.append(Close(bar, _decided(series, entry, calendar, live=timely and bar.session == last)))
    return tuple(made)


def settle(
    workspace: Workspace, following: Sequence[Following], verdicts: Mapping[Key, Verdict], *, instant: datetime
) -> int:
    """Settle every session that has come since the ledger's last, and note what each close decided.

    following: the symbols that were run; verdicts: what the order sheets and the budget say of every entry, which paper
    follows; instant: of the run. Returns the number of sessions added; 0 leaves the file alone.
    Under the run lock only: nobody else may be writing. Raises DataError for a damaged ledger, WorkspaceError, with
    the ledger as it was, where it cannot be written.
    """
    path = workspace.paper_ledger
    data = _bytes(path)
    ledger = paper.read(data, workspace.relative(path))
    added: list[LedgerRecord] = []
    for followed in following:
        entry, state = followed.entry, ledger.state(followed.entry.symbol)
        costs = paper.Costs(entry.slippage_per_side, entry.tick)
        for close in followed.closes:
            decided = [_followed(each, verdicts.get((entry.symbol, each.trigger_session))) for each in close.entries]
            added.append(paper.record(entry.symbol, state, close.bar, decided, costs, instant=instant))
            state = paper.state_after(added[-1])
    if added:
        remove_temporaries(path.parent)
        store.write_atomic(path, data + paper.lines(added))
    return len(added)


def _followed(entry: PaperEntry, verdict: Verdict | None) -> PaperEntry | RefusedEntry:
    """An entry as its order was placed, or why none was."""
    if verdict is None:
        return entry
    return (
        RefusedEntry(entry.trigger_session, verdict.codes[0])
        if verdict.codes
        else replace(entry, largest=verdict.largest)
    )


_SETTLING: Final = 5
"""Sessions after a roll on which a later bar may still say that a close of its gap was bad."""


def _as_of_each(
    newest: ContinuousSeries | DailySeries, coming: Sequence[date], held: SymbolInputs, calendar: str
) -> Iterator[tuple[ContinuousSeries | DailySeries, str]]:
    """The series as it stood at each of its newest sessions, and its history then: cut where no roll is near, else
    built of the bars that there were.
    """
    quiet = newest.frame.height - len(coming) - _SETTLING
    if isinstance(newest, ContinuousSeries) and quiet > 0:
        before = newest.frame["session"][quiet]
        if all(max(roll.known_at, roll.roll_date) < before for roll in newest.rolls):
            past = histories(newest, coming)
            for end, session in enumerate(coming, quiet + _SETTLING + 1):
                yield replace(newest, frame=newest.frame.head(end)), past[session]
            return
    canonical = replace(held, reference=None, daily=None, settlements=None, session_bars=None)
    for session in coming:
        series = newest if session == coming[-1] else _series(inputs.inputs_up_to(canonical, session), calendar)
        if series.frame["session"][-1] != session:
            raise DataError(
                f"{held.symbol}: the data up to {session} end on another session",
                found=str(series.frame["session"][-1]),
                expected=str(session),
                code="SESSION_NOT_SETTLED",
            )
        yield series, histories(series, [session])[session]


def _decided(
    series: ContinuousSeries | DailySeries,
    entry: PlanEntry,
    calendar: str,
    *,
    live: bool,
) -> tuple[PaperEntry, ...]:
    """The entries that the close of the series' last session decides."""
    result = backtest(
        series,
        entry.symbol,
        slippage_per_side=entry.slippage_per_side,
        tick=entry.tick,
        calendar=calendar,
        stress=False,
    )
    least = float(result.parameters["min_risk_atr"])
    return tuple(
        PaperEntry(
            trigger.trigger_session,
            trigger.stop,
            (trigger.tp1, trigger.tp2, trigger.tp3),
            max(entry.tick, least * trigger.atr),
            None,
            live,
        )
        for trigger in result.triggers
        if trigger.status == "awaiting_entry"
    )


def _series(of_symbol: SymbolInputs, calendar: str) -> ContinuousSeries | DailySeries:
    series = traded_series(of_symbol, calendar)
    if series is None:
        raise DataError(f"no series of {of_symbol.symbol} to settle on", code="IDENTITY_MISMATCH")
    return series


def _bar(series: ContinuousSeries | DailySeries, symbol: str, history: str) -> paper.Bar:
    """The last bar of a series in its own contract's terms, with the gap of the rolls since the bar before."""
    last = series.frame.tail(2)
    row = last.row(-1, named=True)
    session: date = row["session"]
    carried = float(row["adjustment"])
    before = float(last["adjustment"][0]) if last.height > 1 else carried
    prices = [row[name] for name in ("open", "high", "low", "close")]
    if any(price is None for price in prices):
        raise DataError(f"{symbol}: {session} has no open, high, low or close", code="INCOMPLETE_BARS")
    opened, high, low, close = (float(price) - carried for price in prices)
    return paper.Bar(session, str(row["contract"] or symbol), opened, high, low, close, before - carried, history)


def histories(series: ContinuousSeries | DailySeries, sessions: Sequence[date]) -> dict[date, str]:
    """sha256 of a series up to each of `sessions` (inclusive): sessions, contracts, prices in each session's own terms
    and gaps, to six decimals, so that later rolls leave it as it is. Sessions that the series lacks are left out.
    """
    import polars as pl

    frame, days = series.frame, session_days(series)
    adjustment = frame["adjustment"].to_numpy()
    gaps = np.concatenate([[0.0], adjustment[:-1] - adjustment[1:]])
    prices = frame.select(pl.col("open", "high", "low", "close").fill_null(float("inf"))).to_numpy()
    numbers = np.column_stack([prices - adjustment[:, None], gaps])
    rows = np.zeros(frame.height, dtype=[("session", "<i8"), ("contract", "S16"), ("numbers", "<i8", (5,))])
    rows["session"] = days.astype("<i8")
    runs = frame["contract"].fill_null("").rle().struct
    rows["contract"] = np.repeat(runs.field("value").to_numpy().astype("S16"), runs.field("len").to_numpy())
    rows["numbers"] = np.where(np.isfinite(numbers), np.rint(numbers * 1e6), -1.0)
    digest, done = hashlib.sha256(), 0
    made: dict[date, str] = {}
    wanted = np.array(sorted(sessions), dtype="datetime64[D]")
    for session in wanted[np.isin(wanted, days)].tolist():
        end = int(np.searchsorted(days, np.datetime64(session, "D"))) + 1
        digest.update(rows[done:end].tobytes())
        done = end
        made[session] = digest.copy().hexdigest()
    return made


# ---------------------------------------------------------------- beside the backtest


def report(workspace: Workspace, profile: OperatingProfile, *, instant: datetime) -> PaperReport:
    """Every symbol of the ledger, and its closed trades beside the backtest on today's data and profile."""
    head = ledger_head(workspace)
    path = workspace.paper_ledger
    ledger = paper.read(_bytes(path), workspace.relative(path))
    symbols: list[PaperSymbol] = []
    trades: list[PaperComparison] = []
    for symbol, records in sorted(ledger.records.items()):
        compared = _compared(workspace, profile, symbol, records, instant)
        symbols.append(_symbol(symbol, records, compared))
        trades += compared
    return PaperReport(
        timestamp=instant,
        cycle_id=workspace.cycle_id,
        simulated=workspace.simulated,
        symbols=tuple(symbols),
        trades=tuple(trades),
        paper_r=sum((item.paper_r for item in symbols), 0.0),
        backtest_r=sum((item.backtest_r for item in symbols), 0.0),
        losses_beyond_1r=losses_beyond_one_r([item.paper.r_theoretical for item in trades if item.paper is not None]),
        head=head,
        unexplained=sum((item.explanation or "").startswith("UNEXPLAINED") for item in trades),
    )


def _compared(
    workspace: Workspace, profile: OperatingProfile, symbol: str, records: Sequence[LedgerRecord], instant: datetime
) -> list[PaperComparison]:
    settings, config = profile.symbol_settings.get(symbol), workspace.symbol(symbol)
    series = _series(inputs.read_traded(workspace, symbol, profile, now=instant), config.calendar)
    result = backtest(
        series,
        symbol,
        slippage_per_side=settings.slippage_per_side if settings else config.tick,
        tick=settings.tick_size if settings else config.tick,
        calendar=config.calendar,
    )
    return paper.compare(records, result, histories(series, [record.session for record in records]))


def _symbol(symbol: str, records: Sequence[LedgerRecord], compared: Sequence[PaperComparison]) -> PaperSymbol:
    on_paper = [item.paper for item in compared if item.paper is not None]
    in_backtest = [item.backtest for item in compared if item.backtest is not None]
    return PaperSymbol(
        symbol=symbol,
        first_session=records[0].session,
        last_session=records[-1].session,
        sessions=len(records),
        open=records[-1].positions,
        orders=records[-1].orders,
        paper_r=sum((trade.r_theoretical for trade in on_paper), 0.0),
        backtest_r=sum((trade.r_theoretical for trade in in_backtest), 0.0),
        live=sum(trade.live for trade in on_paper),
        runs=len({record.run for record in records}),
    )
