"""A profile's symbols in a workspace: certified for the gate, locked, and run on the bars that were certified."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctl import certification, digests, operating_profile, sessions
from ctl.errors import CtlError, DataError, ProfileError
from ctl.flows import inputs, pipeline
from ctl.flows.inputs import SymbolInputs
from ctl.model.trades import StrategyResult
from ctl.strategy import registry

if TYPE_CHECKING:
    import polars as pl

    from ctl.gatekeeper import GateDecision, Unavailable
    from ctl.model.bars import ContractBars, DailySeries
    from ctl.model.certificate import Certificate
    from ctl.model.orders import Book, OrderSheet, Roll, SymbolIntents
    from ctl.model.rolls import ContinuousSeries
    from ctl.model.run import PlanEntry, Restatement, SymbolOutcome, SymbolRun
    from ctl.model.trades import Timeframe
    from ctl.operating_profile import InputLock, Lock, OperatingProfile, SymbolSettings
    from ctl.store import Workspace
    from ctl.strategy.protocol import Result, Strategy

_DEFAULT_MAX_DAY_DELTA = 3  # for symbols that the profile tracks without settings; they never gate


@dataclass(frozen=True, slots=True)
class Certified:
    """One symbol's files as read once, the series built from them, and the certificate of both."""

    inputs: SymbolInputs
    series: ContinuousSeries | DailySeries | None
    certificate: Certificate


def certify_symbol(
    workspace: Workspace,
    symbol: str,
    settings: SymbolSettings | None = None,
    *,
    acceptance: str = "v1",
    as_of: date | None = None,
    files: inputs.ReadOnce | None = None,
) -> Certified:
    """Read and certify one symbol of the workspace on the profile's settings, or on the workspace's own.

    files: what was read of the workspace before; by default it is read now. Where L0 fails, the workspace's
    other roots are read too, so that a mix-up can be named.
    """
    config, files = workspace.symbol(symbol), files or inputs.ReadOnce(workspace)
    held = files.read_symbol(
        symbol,
        policy=settings.roll_policy if settings else None,
        reference=settings.reference if settings else None,
        as_of=as_of,
        with_alternatives=True,
    )
    terms = pipeline.CertifyTerms(
        tick=settings.tick_size if settings else config.tick,
        max_day_delta=settings.max_day_delta if settings else _DEFAULT_MAX_DAY_DELTA,
        quote_unit=settings.quote_unit if settings else config.quote_unit,
        calendar=config.calendar,
        currency=config.currency,
        acceptance_policy=acceptance,
        slippage_per_side=settings.slippage_per_side if settings else config.tick,
    )
    series = pipeline.canonical_series(held, config.calendar)
    certificate = pipeline.certify_symbol(held, series, terms)
    if any(reason.code == "IDENTITY_MISMATCH" for reason in certificate.reasons):
        others = _other_contracts(workspace, symbol, as_of, files)
        certificate = pipeline.certify_symbol(held, series, terms, other_contracts=others)
    return Certified(held, series, certificate)


def derive_lock(
    workspace: Workspace, profile: OperatingProfile, held: Mapping[str, SymbolInputs] | None = None
) -> tuple[Lock, dict[str, pl.DataFrame]]:
    """The lock that the workspace's files and this package give a profile, and the bars it rests on, by symbol.

    held: what was read of the gating symbols before (all sessions); by default it is read now.
    """
    locked: dict[str, InputLock] = {}
    bars: dict[str, pl.DataFrame] = {}
    for symbol in profile.gating_universe:
        settings = profile.symbol_settings[symbol]
        found = held[symbol] if held is not None else None
        if found is None:
            found = inputs.read_symbol(workspace, symbol, policy=settings.roll_policy, reference=settings.reference)
        ranges = operating_profile.session_ranges(found.bars, symbol=symbol)
        locked[symbol] = operating_profile.InputLock(raw_files(found), ranges)
        bars[symbol] = found.bars
    lock = operating_profile.Lock(
        thresholds=_thresholds(profile),
        strategy=registry.fingerprint(registry.find(profile.strategy)),
        settings=operating_profile.settings_digest(profile),
        inputs=locked,
    )
    return lock, bars


def read_profile(workspace: Workspace, path: Path | None = None, *, require_lock: bool = True) -> OperatingProfile:
    """The profile named, or the workspace's. Raises ProfileError where it is missing, invalid or cannot be run.

    require_lock: whether one without a lock is refused; only what decides nothing may do without.
    """
    chosen = path or workspace.profile_path
    shown = workspace.relative(chosen.absolute())
    try:
        data = chosen.read_bytes()
    except OSError as error:
        raise ProfileError(
            f"{shown}: the operating profile cannot be read ({error.strerror}); nothing may run without one",
            code="PROFILE_MISSING",
        ) from error
    profile = operating_profile.load(data, shown, require_lock=require_lock)
    registry.find(profile.strategy)
    return profile


def raw_files(held: SymbolInputs) -> dict[str, str]:
    """Name -> sha256 of every raw file that a symbol was read from, by name."""
    metas = [held.meta]
    if held.reference is not None:
        sides = (held.reference.adjusted, held.reference.unadjusted)
        metas += [side.meta for side in sides if side is not None]
    return dict(sorted((source.name, source.sha256) for meta in metas for source in meta.sources))


@dataclass(slots=True)
class Cycle:
    """One pass over a workspace: `decide` certifies, `run_symbol` then runs on the very bars that were certified.

    as_of: sessions after it are left out (inclusive). files: what was read of the workspace before; by default
    every symbol is read when it is asked for. certified and results fill as the pass goes on. strategy: that of
    the profile once `decide` was asked; until then the shipped one.
    """

    workspace: Workspace
    instant: datetime
    timeframe: Timeframe = "daily"
    as_of: date | None = None
    files: inputs.ReadOnce | None = None
    certified: dict[str, Certified] = field(default_factory=dict)
    results: dict[str, Result] = field(default_factory=dict)
    intents: dict[str, SymbolIntents] = field(default_factory=dict)
    books: dict[str, Book] = field(default_factory=dict)
    strategy: Strategy | None = None

    def decide(self, profile: OperatingProfile) -> GateDecision:
        """Certify every gating symbol from the files now on disk and compare with the profile.

        Whatever keeps a symbol from being certified makes it ERROR in the decision. Staleness is counted to
        `as_of`, without one to the day of `instant`.
        """
        from ctl import gatekeeper

        self.strategy = registry.find(profile.strategy)
        current = gatekeeper.CurrentLocks(thresholds=_thresholds(profile), strategy=registry.fingerprint(self.strategy))
        certificates: dict[str, Certificate | Unavailable] = {}
        staleness: dict[str, int] = {}
        restatements: list[Restatement] = []
        for symbol in profile.gating_universe:
            try:
                certified = certify_symbol(
                    self.workspace,
                    symbol,
                    profile.symbol_settings[symbol],
                    acceptance=profile.acceptance_policy,
                    as_of=self.as_of,
                    files=self.files,
                )
                if profile.max_staleness_sessions is not None:
                    staleness[symbol] = self._staleness(symbol, certified.inputs)
                restatements += self._restated(profile, symbol, certified.inputs)
            except CtlError as error:
                certificates[symbol] = gatekeeper.Unavailable(error.code, str(error))
            else:
                certificates[symbol] = certified.certificate
                self.certified[symbol] = certified
        return gatekeeper.decide(
            profile,
            current=current,
            certificates=certificates,
            restatements=restatements,
            staleness=staleness,
            instant=self.instant,
            profile_path=self.workspace.relative(Path(profile.name)),
        )

    def run_symbol(self, entry: PlanEntry) -> SymbolOutcome:
        """The strategy on one symbol; raises what keeps it from running."""
        import polars as pl

        from ctl.model.run import SymbolOutcome

        series = self._series(entry.symbol)
        strategy = self.strategy or registry.find(registry.DEFAULT)
        result = pipeline.run_strategy(
            strategy,
            series,
            entry.symbol,
            timeframe=self.timeframe,
            slippage_per_side=entry.slippage_per_side,
            tick=entry.tick,
            calendar=self.workspace.symbol(entry.symbol).calendar,
        )
        if entry.role == "gating" and strategy.name == registry.DEFAULT and isinstance(result, StrategyResult):
            self._intend(entry, series, result)
        self.results[entry.symbol] = result
        rows = [trade.document() for trade in result.trades]
        trades = pl.DataFrame(rows, infer_schema_length=None) if rows else None
        return SymbolOutcome(
            metrics=result.metrics.document(),
            trades=None
            if trades is None
            else trades.with_columns(pl.col("^.*_session$").cast(pl.String).str.to_date()),
            extra={
                "strategy": strategy.name,
                "fingerprint": result.fingerprint,
                "first_session": result.first_session.isoformat(),
                "last_session": result.last_session.isoformat(),
                "bars": result.bar_count,
                "awaiting": [t.document() for t in result.triggers if t.status in ("pending", "awaiting_entry")],
                "open": [trade.document() for trade in result.open],
            },
        )

    def portfolio_metrics(self, executed: Sequence[SymbolRun]) -> Mapping[str, Any]:
        """The portfolio's metrics over the symbols that were executed."""
        from ctl.strategy.metrics import portfolio

        held = [self.results[run.symbol] for run in executed if run.symbol in self.results]
        return portfolio(held).document()

    def next_orders(self, results: Sequence[SymbolRun]) -> OrderSheet | None:
        """The orders for the next open, of the gating symbols alone: what is research takes no part of the budget.

        None for another strategy than the shipped one: its levels are its own.
        """
        from ctl.trading import orders

        if not self._shipped:
            return None
        gating = [run for run in results if run.role == "gating"]
        ran = [run.symbol for run in gating if run.status == "EXECUTED"]
        return orders.order_sheet(
            [self.intents[symbol] for symbol in ran],
            {symbol: self.books[symbol] for symbol in ran},
            self.workspace.risk,
            missing=[run.symbol for run in gating if run.status == "ERROR"],
        )

    def settle_paper(self, entries: Sequence[PlanEntry], results: Sequence[SymbolRun]) -> int:
        """Settle the live-sim ledger of the gating symbols that ran, on daily bars; the number of sessions added."""
        from ctl.flows import paper

        if self.timeframe != "daily" or not self._shipped:
            return 0
        ran = {run.symbol for run in results if run.role == "gating" and run.status == "EXECUTED"}
        held = {symbol: self.certified[symbol].inputs for symbol in ran}
        chosen = [entry for entry in entries if entry.symbol in ran]
        return paper.settle(self.workspace, chosen, held, instant=self.instant)

    @property
    def _shipped(self) -> bool:
        return self.strategy is None or self.strategy.name == registry.DEFAULT

    def _intend(self, entry: PlanEntry, series: ContinuousSeries | DailySeries, result: StrategyResult) -> None:
        """Note what the strategy would do with one symbol at the next open, and what sizing needs to know of it."""
        from ctl.model.orders import Book, Market
        from ctl.strategy.bars import weekly_bars
        from ctl.strategy.orders import next_session_intents

        symbol, config = entry.symbol, self.workspace.symbol(entry.symbol)
        daily = pipeline.strategy_bars(series, symbol, config.calendar)
        bars = daily if self.timeframe == "daily" else weekly_bars(daily)
        newest = daily.session[-1].item()
        held = series.frame["contract"][-1]
        self.intents[symbol] = next_session_intents(
            bars,
            result,
            contract=symbol if held is None else str(held),
            session=sessions.next_session(config.calendar, newest),
            tick=entry.tick,
            roll=self._pending_roll(symbol, series),
            late=newest > result.last_session,
        )
        closes = dict(zip(bars.session.tolist(), bars.close.tolist(), strict=True))
        confirmed = [t.confirmation_session for t in result.triggers if t.confirmation_session is not None]
        self.books[symbol] = Book(
            result,
            Market(
                tick=entry.tick,
                point_value=config.point_value,
                currency=config.currency,
                slippage_per_side=entry.slippage_per_side,
                closes={session: closes[session] for session in confirmed},
            ),
        )

    def _pending_roll(self, symbol: str, series: ContinuousSeries | DailySeries) -> Roll | None:
        """The roll that takes effect at the next session, with the gap that the series will then be joined by."""
        import polars as pl

        from ctl.model.orders import Roll

        pending = getattr(series, "pending_roll", None)
        if pending is None:
            return None
        frame = self._contracts(symbol).frame
        old, new = (
            frame.filter(pl.col("contract") == name).select("session", "close").drop_nulls()
            for name in (pending.from_contract, pending.to_contract)
        )
        both = old.join(new, on="session", suffix="_new").sort("session")
        if both.is_empty():
            raise DataError(
                f"{symbol}: a roll is pending, and its contracts have no session in common",
                found=f"{pending.from_contract} to {pending.to_contract}",
                code="NO_GAP",
            )
        session, before, after = both.row(-1)
        return Roll(pending.from_contract, pending.to_contract, after - before, session)

    def _contracts(self, symbol: str) -> ContractBars:
        held = self.certified[symbol].inputs.contracts if symbol in self.certified else None
        return held if held is not None else inputs.read_contracts(self.workspace, symbol, self.as_of)

    def _series(self, symbol: str) -> ContinuousSeries | DailySeries:
        config = self.workspace.symbol(symbol)
        if symbol in self.certified:
            series = self.certified[symbol].series
        else:
            held = inputs.read_symbol(self.workspace, symbol, as_of=self.as_of, with_reference=False)
            if held.contracts is not None:
                pipeline.require_root(held.contracts, held.root, symbol)
            series = pipeline.canonical_series(held, config.calendar)
        if series is None:
            raise DataError(f"no series of {symbol} to run on", code="IDENTITY_MISMATCH")
        return series

    def _staleness(self, symbol: str, held: SymbolInputs) -> int:
        """Exchange sessions after the last one of the older side, up to today or the as-of date (inclusive).

        Raises DataError for bars that lie in the future: their age cannot be told.
        """
        day = self.as_of or self.instant.date()
        sides = [held.reference.adjusted, held.reference.unadjusted] if held.reference is not None else []
        ends = [frame["session"].max() for frame in (held.bars, *(side.frame for side in sides if side is not None))]
        known = [end for end in ends if isinstance(end, date)]
        if len(known) < len(ends):
            raise DataError(f"{symbol}: no sessions to tell the age of its data")
        # A session's label may be a day ahead of the UTC date at which it is already trading.
        if max(known) > day + timedelta(days=1):
            raise DataError(
                f"{symbol}: bars of a session to come",
                found=str(max(known)),
                expected=f"none after {day}",
                remedy="mend the vendor's file, or the clock of this machine",
                code="FUTURE_SESSION",
            )
        oldest, calendar = min(known), self.workspace.symbol(symbol).calendar
        return sessions.count_between(calendar, oldest + timedelta(days=1), day) if day > oldest else 0

    def _restated(self, profile: OperatingProfile, symbol: str, held: SymbolInputs) -> list[Restatement]:
        """Locked history that reads otherwise now, value by value where the locked bars are still in the workspace."""
        locked = profile.lock.inputs.get(symbol) if profile.lock else None
        if locked is None or self.as_of is not None:
            return []
        changed = operating_profile.restated_ranges(locked.sessions, held.bars, symbol=symbol)
        if not changed:
            return []
        import polars as pl

        from ctl import gatekeeper
        from ctl.model.run import Restatement

        locked_on = replace(self.workspace, profile_path=Path(profile.name))
        path = locked_on.locked_bars(symbol)
        try:
            found = gatekeeper.restatement(symbol, pl.read_parquet(path), held.bars)
        except (OSError, pl.exceptions.PolarsError):
            found = None  # the digests alone tell which years; the values went with the locked bars
        if found is not None:
            return [found]
        years = ", ".join(f"{part.first} to {part.last}" for part in changed)
        note = f"bars of {years} are not those that were locked; the locked values are not at hand ({path.name})"
        return [Restatement(symbol=symbol, total=0, sessions=0, contracts=(), changes=(), note=note)]


def _thresholds(profile: OperatingProfile) -> str:
    return digests.digest(certification.limits_document(profile.acceptance_policy))


def _other_contracts(
    workspace: Workspace, symbol: str, as_of: date | None, files: inputs.ReadOnce
) -> dict[str, ContractBars]:
    """The other futures' contracts, as far as they can be read: they name a mix-up, nothing else rests on them."""
    others: dict[str, ContractBars] = {}
    for name, config in workspace.symbols.items():
        if name != symbol and config.asset_class == "future":
            try:
                others[name] = files.read_contracts(name, as_of)
            except CtlError:
                continue
    return others
