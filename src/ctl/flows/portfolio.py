"""A profile's symbols in a workspace: certified for the gate, locked, and run on the bars that were certified."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from functools import cache, cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from ctl import digests, gatekeeper, operating_profile, strict_files
from ctl.errors import CtlError, DataError, ProfileError
from ctl.flows import inputs, lock_parts, mixups, pipeline, watched_before, watching
from ctl.flows.backtest import bar_notes, run_strategy, strategy_bars, warm_up_note, with_contracts
from ctl.flows.bar_cache import package_version
from ctl.flows.inputs import SymbolInputs
from ctl.flows.kept_bars import KeptBars
from ctl.flows.locked_workspace import contradicted, said
from ctl.flows.next_open import NextOpen, next_open
from ctl.flows.paper import Close, coming
from ctl.flows.pipeline import Certified, Made
from ctl.flows.run_statistics import Measured, of_symbol
from ctl.flows.series import as_traded, canonical_series, require_root
from ctl.flows.stability import stability
from ctl.flows.terms import CertifyTerms
from ctl.flows.trials import NO_TRIALS, Trials, identity
from ctl.flows.workers import HERE, WORTH_IT, Workers
from ctl.model.bars import AS_DELIVERED, SeriesChoice
from ctl.model.documents import document
from ctl.model.findings import Decision, Reason
from ctl.model.locked import GapDifference, KnownRoll, LockedSymbol, Verdict, Watched
from ctl.model.run import PlanEntry, SymbolRun
from ctl.model.trades import StrategyResult
from ctl.store.cache import Cache, Entry
from ctl.strategy import registry

if TYPE_CHECKING:
    import polars as pl

    from ctl.model.bars import DailySeries
    from ctl.model.certificate import Certificate
    from ctl.model.rolls import ContinuousSeries
    from ctl.model.trades import Metrics, Timeframe
    from ctl.operating_profile import OperatingProfile, SymbolSettings
    from ctl.store import Workspace

_DEFAULT_MAX_DAY_DELTA = 3  # for symbols that the profile tracks without settings; they never gate


def certify_symbol(
    workspace: Workspace,
    symbol: str,
    settings: SymbolSettings | None = None,
    *,
    acceptance: str = "v1",
    series: SeriesChoice | None = None,
    as_of: date | None = None,
    files: inputs.ReadOnce | None = None,
    reference: str | None = None,
    now: datetime | None = None,
    command: str = "",
) -> Certified:
    """Read and certify one symbol of the workspace on the profile's settings, or on the workspace's own.

    series: in place of the settings' own. reference: a vendor to compare with instead of the one that decides. files:
    what was read of the workspace before; by default it is read for a command of the instant `now`. Where L0 fails, the
    workspace's other roots are read too, to name a mix-up; once for all symbols of a `command`, where it has a name.
    """
    config = workspace.symbol(symbol)
    files = files or inputs.ReadOnce(workspace, now, keep=as_of is None)
    if settings is not None and settings.asset_class != config.asset_class:
        raise ProfileError(
            f"{symbol} is another asset class in the profile",
            found=settings.asset_class,
            expected=f"{config.asset_class}, as in ctl.toml",
            remedy=f"set symbol_settings.{symbol}.asset_class",
            code="ASSET_CLASS_DIFFERS",
        )
    decides = deciding_reference(workspace, symbol, settings)
    symbol_inputs = files.read_symbol(
        symbol,
        policy=settings.roll_policy if settings else None,
        reference=reference or decides,
        series=series or (settings.series if settings else AS_DELIVERED),
        as_of=as_of,
        with_alternatives=True,
    )
    terms = CertifyTerms(
        tick=settings.tick_size if settings else config.tick,
        max_day_delta=settings.max_day_delta if settings else _DEFAULT_MAX_DAY_DELTA,
        quote_unit=settings.quote_unit if settings else config.quote_unit,
        calendar=config.calendar,
        currency=config.currency,
        acceptance_policy="e1" if config.asset_class == "equity" else acceptance,
        slippage_per_side=settings.slippage_per_side if settings else config.tick,
    )
    built = canonical_series(symbol_inputs, config.calendar)
    certificate = pipeline.certify_symbol(symbol_inputs, built, terms)
    if any(reason.code == "IDENTITY_MISMATCH" for reason in certificate.reasons):
        others = mixups.likely(mixups.Command(command or uuid4().hex, workspace, now, as_of), symbol_inputs)
        certificate = pipeline.certify_symbol(symbol_inputs, built, terms, other_contracts=others)
    further = [vendor for vendor in config.references if vendor != decides] if reference in (None, decides) else []
    if further and decides is not None and config.asset_class == "future":
        certificate = _with_quorum(certificate, files, symbol_inputs, built, terms, decides, further, as_of)
    return Certified(symbol_inputs, built, certificate, terms)


def _with_quorum(
    certificate: Certificate,
    files: inputs.ReadOnce,
    held: SymbolInputs,
    built: ContinuousSeries | DailySeries | None,
    terms: CertifyTerms,
    decides: str,
    others: Sequence[str],
    as_of: date | None,
) -> Certificate:
    """The certificate beside those of the symbol's other references; one that cannot be read only says so."""
    from ctl.certification.quorum import compare

    made: dict[str, Certificate] = {decides: certificate}
    failed: dict[str, CtlError] = {}
    for vendor in others:
        try:
            other = files.read_symbol(
                held.symbol, policy=held.policy, reference=vendor, series=held.series, as_of=as_of
            )
            made[vendor] = pipeline.certify_symbol(other, built, terms)
        except CtlError as error:
            failed[vendor] = error
    return replace(certificate, quorum=compare(made, failed, decides))


# ---------------------------------------------------------------- certified before


@dataclass(frozen=True, slots=True)
class Question:
    """A gating symbol that is to be certified on the profile's settings, and in whose words. keep: whether what is read
    and found is kept for later commands. command: as of `certify_symbol`.
    """

    workspace: Workspace
    symbol: str
    settings: SymbolSettings
    acceptance: str
    as_of: date | None
    now: datetime
    keep: bool
    command: str = ""

    def certify(self, files: inputs.ReadOnce | None = None) -> Certified:
        """As `certify_symbol`."""
        return certify_symbol(
            self.workspace,
            self.symbol,
            self.settings,
            acceptance=self.acceptance,
            as_of=self.as_of,
            files=files or inputs.ReadOnce(self.workspace, self.now, keep=self.keep),
            now=self.now,
            command=self.command,
        )

    def read(self) -> SymbolInputs:
        """What `certify` certifies."""
        return inputs.read_symbol(
            self.workspace,
            self.symbol,
            policy=self.settings.roll_policy,
            reference=deciding_reference(self.workspace, self.symbol, self.settings),
            series=self.settings.series,
            as_of=self.as_of,
            now=self.now,
            keep=self.keep,
        )

    def depends_on(self) -> tuple[str, int] | None:
        """A digest of all that the answer depends on but the time, and up to when the files speak (`Identity`).

        None where that cannot be told; what is certified as of an earlier day is not kept.
        """
        config, space = self.workspace.symbols.get(self.symbol), self.workspace
        if self.as_of is not None or config is None:
            return None
        decides = deciding_reference(space, self.symbol, self.settings)
        vendors = list(dict.fromkeys(name for name in (decides, *config.references) if name is not None))
        try:
            found = inputs.SymbolFiles(space, config, self.now, keep=self.keep).identity(vendors)
        except CtlError:
            return None
        if found is None:
            return None
        used = [space.vendors[name] for name in (config.canonical, *vendors)]
        parts = {
            "code": package_version(),
            "files": found.files,
            "asked": said([config, used, self.settings, decides, self.acceptance], space),
        }
        return digests.digest(parts), found.until


class Remembered:
    """A symbol that was certified before, by another process or command; its files are read again where they are asked
    for, and must be those that were certified.
    """

    def __init__(
        self,
        question: Question,
        certificate: Verdict,
        terms: CertifyTerms,
        files: Mapping[str, str],
    ) -> None:
        self.question, self.certificate, self.terms, self.files = question, certificate, terms, files

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("inputs", "series")}

    @classmethod
    def of(cls, question: Question, made: Certified) -> Remembered:
        """What is remembered of one that was just certified."""
        return cls(question, made.certificate.verdict, made.terms, lock_parts.raw_files(made.inputs))

    @cached_property
    def inputs(self) -> SymbolInputs:
        """What was certified, without what a certificate tells beside its decision. Raises DataError, INPUT_CHANGED."""
        found = self.question.read()
        self._require(lock_parts.raw_files(found))
        return found

    @cached_property
    def series(self) -> ContinuousSeries | DailySeries | None:
        """The series built of it."""
        return canonical_series(self.inputs, self.terms.calendar)

    def let_go(self) -> Remembered:
        """The same without what was read of it."""
        return Remembered(self.question, self.certificate, self.terms, self.files)

    def whole(self) -> Certified:
        """Certified again, for whoever shows the certificate. Raises DataError, INPUT_CHANGED."""
        made = self.question.certify()
        self._require(lock_parts.raw_files(made.inputs))
        return made

    def _require(self, files: Mapping[str, str]) -> None:
        if files != self.files:
            changed = sorted({name for name, _ in files.items() ^ self.files.items()})
            raise DataError(
                f"files of {self.question.symbol} changed while the command ran",
                found=", ".join(changed[:3]),
                expected="the files that were certified",
                remedy="run the command again when nobody writes them",
                code="INPUT_CHANGED",
            )


def whole(made: Made) -> Certified:
    """The certificate and all it was made of. Raises DataError where files changed since."""
    return made.whole() if isinstance(made, Remembered) else _whole(made)


def _whole(made: Made) -> Certified:
    if not isinstance(made, Certified):
        raise TypeError(f"{type(made).__name__} was not certified")
    return made


@dataclass(frozen=True)
class _KeptWatch:
    """`Watched` without its arrays, which are a table."""

    symbol: LockedSymbol
    gaps: tuple[GapDifference, ...]
    roll_days: tuple[date, ...]
    newest: tuple[date, ...]
    margins: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class _Kept:
    """What the cache holds of a certified symbol. until, files: of `Identity` and `Remembered`."""

    until: int
    files: dict[str, str]
    terms: CertifyTerms
    decision: Decision
    reasons: tuple[Reason, ...]
    sha256: str
    reference_rolls: tuple[KnownRoll, ...]
    watched: _KeptWatch
    unread: tuple[str, ...]

    @classmethod
    def of(cls, until: int, made: Remembered, watched: Watched) -> tuple[_Kept, pl.DataFrame]:
        """It, and its table."""
        import polars as pl

        said, parts = made.certificate, {item.name: getattr(watched, item.name) for item in fields(_KeptWatch)}
        kept = cls(
            until, dict(made.files), made.terms, said.decision, said.reasons, said.sha256, said.reference_rolls,
            _KeptWatch(**parts | {"margins": dict(watched.margins)}), said.unread,
        )  # fmt: skip
        return kept, pl.DataFrame({name: getattr(watched, name) for name in _ARRAYS})

    def again(self, question: Question, table: pl.DataFrame) -> Remembered:
        """What it was made of."""
        arrays = {name: table[name].to_numpy() for name in _ARRAYS}
        parts = {item.name: getattr(self.watched, item.name) for item in fields(_KeptWatch)}
        verdict = Verdict(
            symbol=question.symbol,
            decision=self.decision,
            reasons=self.reasons,
            sha256=self.sha256,
            reference_rolls=self.reference_rolls,
            watched=Watched(**parts, **arrays | {"days": arrays["days"].astype("datetime64[D]")}),
            unread=self.unread,
        )
        return Remembered(question, verdict, self.terms, self.files)


_ARRAYS: Final = ("days", "basis", "basis_to_moves")


@cache
def _reading() -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(_Kept)


def _certify(
    question: Question, files: inputs.ReadOnce | None, *, whole: bool
) -> tuple[Certified | Remembered, str | None]:
    """A symbol certified now, or unless the `whole` of it is needed, by an earlier command on the same files, settings
    and code; and a digest of all that it depends on, None where it is not kept for later commands.
    """
    on = question.depends_on() if files is None else None
    cache, slot = Cache(question.workspace.cache_folder), ("certificates", question.symbol)
    entry = None if on is None else cache.load(slot, on[0])
    remembered: Remembered | None = None
    if entry is not None and on is not None:
        with suppress(ValueError, KeyError, TypeError):
            kept: _Kept = _reading().validate_python(entry.value)
            if on[1] >= kept.until:  # no session is unfinished that was finished then
                remembered = kept.again(question, entry.frames["watched"])
    known_by = None if remembered is None or on is None else on[0]
    if remembered is not None and not whole:
        return remembered, known_by
    read = files or inputs.ReadOnce(question.workspace, question.now, keep=question.keep, anew=whole)
    made = question.certify(read)
    watched = made.certificate.watched
    mixed_up = any(reason.code == "IDENTITY_MISMATCH" for reason in made.certificate.reasons)  # rests on other roots
    lasting = remembered is None and question.keep and not (read.unfinished or mixed_up)
    if lasting and on is not None and watched is not None and question.depends_on() == on:
        value, table = _Kept.of(on[1], Remembered.of(question, made), watched)
        cache.keep(slot, on[0], Entry(document(value), {"watched": table}))
        known_by = on[0]
    return made, known_by


def deciding_reference(workspace: Workspace, symbol: str, settings: SymbolSettings | None) -> str | None:
    """The vendor that a symbol's decision is made against: the profile's, else the first that ctl.toml lists."""
    named = settings.reference if settings else None
    return named or workspace.symbol(symbol).reference


def read_profile(workspace: Workspace, path: Path | None = None) -> OperatingProfile:
    """The profile named, or the workspace's. Raises ProfileError where it is missing, invalid or cannot be run."""
    chosen = path or workspace.profile_path
    shown = workspace.relative(chosen.absolute())
    try:
        data = strict_files.read_bytes(chosen)
    except OSError as error:
        raise ProfileError(
            f"{shown}: the operating profile cannot be read ({error.strerror}); nothing may run without one",
            code="PROFILE_MISSING",
        ) from error
    profile = operating_profile.load(data, shown)
    registry.find(profile.strategy)
    return profile


# ---------------------------------------------------------------- the gate


@dataclass(frozen=True, slots=True)
class CertifiedSymbols:
    """The gating symbols as they were certified; of one that could not be, why. watched: what the lock says of them.
    also: what else was made of each while its frames were at hand. known_by: of those that later commands find again,
    the digest of all that they depend on.
    """

    certified: Mapping[str, Made]
    unavailable: Mapping[str, gatekeeper.Unavailable]
    watched: Mapping[str, watching.Watched] = field(default_factory=dict)
    also: Mapping[str, Any] = field(default_factory=dict)
    known_by: Mapping[str, str] = field(default_factory=dict)

    @property
    def symbols(self) -> dict[str, LockedSymbol]:
        """What a lock file holds of each."""
        watched = {symbol: made.certificate.watched for symbol, made in self.certified.items()}
        return {symbol: found.symbol for symbol, found in watched.items() if found is not None}

    def require_all(self) -> None:
        """Raises DataError where a symbol could not be certified."""
        for symbol, why in self.unavailable.items():
            raise DataError(f"{symbol} cannot be certified: {why.text}", code=why.code)


@dataclass(frozen=True, slots=True)
class Gated:
    """What the gate decided on a profile, and the gating symbols as they were certified; one that could not be is
    left out, and an ERROR of the decision.
    """

    decision: gatekeeper.GateDecision
    certified: Mapping[str, Made]
    unavailable: Mapping[str, gatekeeper.Unavailable] = field(default_factory=dict)
    watched: Mapping[str, watching.Watched] = field(default_factory=dict)
    also: Mapping[str, Any] = field(default_factory=dict)
    known_by: Mapping[str, str] = field(default_factory=dict)

    @property
    def made(self) -> CertifiedSymbols:
        """All gating symbols."""
        return CertifiedSymbols(self.certified, self.unavailable, self.watched, self.also, self.known_by)


def certify_gating(
    workspace: Workspace,
    profile: OperatingProfile,
    *,
    instant: datetime,
    as_of: date | None = None,
    files: inputs.ReadOnce | None = None,
    keep: bool = True,
    lock: gatekeeper.LockRead | None = None,
    kept: KeptBars | None = None,
    workers: Workers = HERE,
    also: Also | None = None,
) -> CertifiedSymbols:
    """Certify every gating symbol from the files now on disk, and hold it against the lock.

    as_of: sessions after it are left out (inclusive). files: what was read of the workspace before, which is done here;
    by default it is read now, and kept for later commands (`keep`) where it is whole. kept, also: as for `gate`.
    """
    many = len(profile.gating_universe) >= WORTH_IT
    task = partial(
        _certified,
        workspace,
        profile,
        instant=instant,
        as_of=as_of,
        files=files,
        keep=keep and as_of is None,
        kept=kept,
        also=also,
        let_go=many or not workers.here,
        command=uuid4().hex,
    )
    asked = [(symbol, watching.locked(profile, lock, symbol)) for symbol in profile.gating_universe]
    certified: dict[str, Made] = {}
    unavailable: dict[str, gatekeeper.Unavailable] = {}
    watched: dict[str, watching.Watched] = {}
    more: dict[str, Any] = {}
    known: dict[str, str] = {}
    for (symbol, _), (made, found, extra, known_by) in zip(
        asked, (workers if files is None else HERE).each(task, asked), strict=True
    ):
        if isinstance(made, gatekeeper.Unavailable):
            unavailable[symbol] = made
        else:
            certified[symbol], watched[symbol], more[symbol] = made, found, extra
            if known_by is not None:
                known[symbol] = known_by
    return CertifiedSymbols(certified, unavailable, watched, {} if also is None else more, known)


def _certified(
    workspace: Workspace,
    profile: OperatingProfile,
    asked: tuple[str, watching.Locked | None],
    *,
    instant: datetime,
    as_of: date | None,
    files: inputs.ReadOnce | None,
    keep: bool,
    kept: KeptBars | None,
    also: Also | None,
    let_go: bool,
    command: str,
) -> tuple[Made | gatekeeper.Unavailable, watching.Watched, Any, str | None]:
    """One symbol certified, its digest taken, and held against what the lock has of it; what `also` makes of it; and by
    what it is known (`CertifiedSymbols`).

    let_go: whether its frames are not kept in memory.
    """
    symbol, lock = asked
    question = Question(
        workspace, symbol, profile.symbol_settings[symbol], profile.acceptance_policy, as_of, instant, keep, command
    )
    try:
        made, known_by = _certify(question, files, whole=also is not None)
        unread = kept and kept.unread()
        watch = partial(watching.of_symbol, workspace, profile, made, lock, as_of=as_of, kept=unread, keep=keep)
        if known_by is None or lock is None or unread is None:
            watched = watch()
        else:
            watched = watched_before.watched(workspace, symbol, known_by, lock, unread, watch, keep=keep)
        if isinstance(made, Remembered):
            return (made.let_go() if let_go else made), watched, None, known_by
        _ = made.certificate.sha256
        extra = None if also is None else also(made, lock)
        return (Remembered.of(question, made) if let_go else made), watched, extra, known_by
    except CtlError as error:
        return gatekeeper.Unavailable(error.code, str(error)), watching.Watched(), None, None


Also = Callable[[Certified, "watching.Locked | None"], Any]


def gate(
    workspace: Workspace,
    profile: OperatingProfile,
    *,
    instant: datetime,
    as_of: date | None = None,
    files: inputs.ReadOnce | None = None,
    keep: bool = True,
    certified: CertifiedSymbols | None = None,
    locked: gatekeeper.LockRead | None = None,
    kept: KeptBars | None = None,
    workers: Workers = HERE,
    also: Also | None = None,
) -> Gated:
    """Certify every gating symbol from the files now on disk and compare with the profile and its lock file.

    as_of, files, keep: as for `certify_gating`. certified: what it made before, to be held against another lock; by
    default it is asked now. locked: a lock file that is not written yet, of these very bars; by default that beside the
    profile. kept: earlier readings; by default those of the workspace. also: what else to make of each symbol, which is
    then certified anew, before its frames are let go.
    """
    held = locked or lock_parts.read_lock(workspace, profile, instant=instant)
    windows = lock_parts.windows_of(held.lock.inputs if held.lock else {})
    if kept is None and locked is None:
        kept = KeptBars(workspace, workspace.root / profile.name)
    if certified is None:
        made = certify_gating(
            workspace, profile, instant=instant, as_of=as_of, files=files, keep=keep, lock=held, kept=kept,
            workers=workers, also=also,
        )  # fmt: skip
    else:
        found = {
            symbol: watching.of_symbol(
                workspace,
                profile,
                each,
                watching.locked(profile, held, symbol),
                as_of=as_of,
                kept=kept and kept.unread(),
                before=certified.watched.get(symbol),
            )
            for symbol, each in certified.certified.items()
        }
        made = replace(certified, watched=found)
    decision = gatekeeper.decide(
        profile,
        held,
        current=lock_parts.current_parts(workspace, profile, windows),
        contradicted=(
            *(reason for symbol in made.unavailable for reason in contradicted(workspace, profile, symbol, None)),
            *(reason for found in made.watched.values() for reason in (*found.contradicted, *found.changed)),
        ),
        certificates={**made.unavailable, **{symbol: each.certificate for symbol, each in made.certified.items()}},
        watched=watching.since_lock(workspace, profile, held.lock, made.watched, instant=instant, as_of=as_of),
        instant=instant,
        as_of=as_of,
        profile_path=workspace.relative(Path(profile.name)),
    )
    return Gated(decision, made.certified, made.unavailable, made.watched, made.also, made.known_by)


# ---------------------------------------------------------------- the run


@dataclass(frozen=True, slots=True)
class SymbolOutcome:
    """What became of one symbol of a plan. The rest is of an executed symbol alone.

    trades: closed trades, one row each, with `exit_session`; None where there are none. next_open: what the shipped
    strategy does next with a gating symbol.
    """

    run: SymbolRun
    measured: Measured | None = None
    trades: pl.DataFrame | None = None
    next_open: NextOpen | None = None


def run_symbol(
    workspace: Workspace,
    entry: PlanEntry,
    certified: Made | None,
    profile: OperatingProfile,
    *,
    instant: datetime,
    timeframe: Timeframe = "daily",
    as_of: date | None = None,
    trials: Trials = NO_TRIALS,
    vary_rolls: bool = True,
    settled: Mapping[str, date] | None = None,
) -> SymbolOutcome:
    """The profile's strategy on one symbol, with its statistics; raises what keeps it from running.

    certified: the symbol as the gate saw it, which is what is run on; None: it does not gate, and is read now, for a
    command of the instant. trials: what was tried before. vary_rolls: whether the R under other rolls is computed.
    settled: the last session of each symbol in the paper ledger, which follows the run; None: it does not.
    """
    import polars as pl

    symbol, strategy = entry.symbol, registry.find(profile.strategy)
    if certified is not None:
        symbol_inputs, series = certified.inputs, certified.series
    else:
        symbol_inputs = inputs.read_traded(workspace, symbol, profile, now=instant, as_of=as_of)
        if symbol_inputs.contracts is not None:
            require_root(symbol_inputs.contracts, symbol_inputs.root, symbol)
        series = canonical_series(symbol_inputs, workspace.symbol(symbol).calendar)
    series = as_traded(symbol_inputs, series)
    if series is None:
        raise DataError(f"no series of {symbol} to run on", code="IDENTITY_MISMATCH")
    config = workspace.symbol(symbol)
    bars = strategy_bars(series, symbol, config.calendar)
    result = run_strategy(
        strategy, bars, timeframe=timeframe, slippage_per_side=entry.slippage_per_side, tick=entry.tick
    )
    followed = entry.role == "gating" and strategy.name == registry.DEFAULT
    held = stability(
        result.metrics,
        strategy,
        bars,
        series,
        symbol_inputs.contracts if vary_rolls else None,
        calendar=config.calendar,
        timeframe=timeframe,
        slippage_per_side=entry.slippage_per_side,
        tick=entry.tick,
    )
    trial = identity(strategy, {}, timeframe, symbol_inputs.policy, symbol_inputs.series)
    measured = of_symbol(result, trial, held, trials)
    of_contracts = with_contracts(
        document([*result.trades, *result.open]),
        series,
        calendar=config.calendar,
        timeframe=timeframe,
        unadjusted=symbol_inputs.equity,
    )
    closed, still_open = of_contracts[: len(result.trades)], of_contracts[len(result.trades) :]
    following = None
    if followed and certified is not None and isinstance(result, StrategyResult):
        closes: tuple[Close, ...] = ()
        if settled is not None:
            since = settled.get(symbol)
            closes = coming(symbol_inputs, series, entry, config.calendar, since=since, instant=instant)
        following = next_open(workspace, entry, certified, series, bars, result, timeframe=timeframe, closes=closes)
    return SymbolOutcome(
        run=SymbolRun(
            symbol,
            entry.role,
            "EXECUTED",
            metrics=document(result.metrics),
            statistics=measured.statistics,
            extra={
                "strategy": strategy.name,
                "fingerprint": result.fingerprint,
                "first_session": result.first_session.isoformat(),
                "last_session": result.last_session.isoformat(),
                "bars": result.bar_count,
                "awaiting": [document(t) for t in result.triggers if t.status in ("pending", "awaiting_entry")],
                "open": still_open,
                "notes": [*bar_notes(series, calendar=config.calendar), *filter(None, [warm_up_note(result)])],
            },
        ),
        measured=measured,
        trades=pl.DataFrame(closed, infer_schema_length=None).with_columns(
            pl.col("^.*_session$").cast(pl.String).str.to_date()
        )
        if closed
        else None,
        next_open=following,
    )


def metrics(outcomes: Sequence[SymbolOutcome]) -> Metrics:
    """The portfolio's metrics over the symbols that were executed."""
    from ctl.strategy.metrics import portfolio

    return portfolio([outcome.measured.result for outcome in outcomes if outcome.measured is not None])
