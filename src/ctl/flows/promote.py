"""What stands between a symbol and its next status, and which setting would take it there. Proposes, never applies.

Candidates are series (closes, bars) and roll policies; thresholds never are. Policies are chosen on the earlier two
thirds of the overlap and scored on the rest: the best of a sweep looks good on what it was chosen on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from itertools import product
from typing import TYPE_CHECKING, Final

from ctl.errors import CtlError
from ctl.flows import portfolio
from ctl.flows.inputs import ReadOnce
from ctl.flows.stability import DAYS
from ctl.flows.trials import identity
from ctl.model.bars import SeriesChoice
from ctl.model.certificate import JudgedSeries, ParityFigures
from ctl.model.promotion import Candidate, Promotion, SymbolPromotion
from ctl.store import trials as ledger
from ctl.strategy import registry

if TYPE_CHECKING:
    from ctl.flows.pipeline import Certified
    from ctl.model.certificate import Certificate
    from ctl.model.findings import Decision
    from ctl.model.rolls import RollPolicy, Timing
    from ctl.operating_profile import OperatingProfile, SymbolSettings
    from ctl.store import Workspace

ORDER: Final[tuple[Decision, ...]] = ("ERROR", "REJECT", "WATCH", "ACCEPT")
IN_FORCE: Final = "as locked"
_EARLIER: Final = 2 / 3  # of the shared sessions
_TIMINGS: Final[tuple[Timing, ...]] = ("next_session", "same_session")
_SERIES: Final = {
    "daily_last_trade": "daily bars, last trades", "daily": "daily bars", "settlement": "settlement closes",
    "session": "session bars", "session_settlement": "session bars, settlement closes",
}  # fmt: skip


def promote(
    workspace: Workspace, profile: OperatingProfile, symbols: Sequence[str], *, sweep: bool, instant: datetime
) -> Promotion:
    """Gating symbols by how near they are to their next status. sweep: whether roll policies are tried as well.

    What was tried is added to the ledger of trials. A symbol that cannot be certified is told, the others stand.
    """
    files = ReadOnce(workspace, instant)
    made: list[SymbolPromotion] = []
    errors: dict[str, str] = {}
    for symbol in symbols:
        try:
            made.append(_symbol(workspace, profile, symbol, files, sweep, instant))
        except CtlError as error:
            errors[symbol] = str(error)
    return Promotion(
        timestamp=instant,
        simulated=workspace.simulated,
        symbols=tuple(sorted(made, key=_distance)),
        errors=errors,
    )


def _symbol(
    workspace: Workspace, profile: OperatingProfile, symbol: str, files: ReadOnce, sweep: bool, instant: datetime
) -> SymbolPromotion:
    settings = profile.symbol_settings[symbol]

    def certify(other: SymbolSettings, as_of: date | None = None) -> Certified:
        return portfolio.certify_symbol(
            workspace, symbol, other, acceptance=profile.acceptance_policy, as_of=as_of, files=files, now=instant
        )

    now = certify(settings)
    certificate = now.certificate
    candidates, split, chosen, held = [*_series_candidates(symbol, certificate, settings)], None, None, None
    tried: list[tuple[str, RollPolicy | None, SeriesChoice]] = [
        (item.name, now.inputs.policy, _choice(settings, item)) for item in candidates
    ]
    in_force = _judged(IN_FORCE, {}, certificate)
    if sweep and certificate.overlap is not None and settings.roll_policy.kind in ("volume", "open_interest"):
        days = certificate.tables["L4_drift.csv"]["session"] if "L4_drift.csv" in certificate.tables else None
        if days is not None and len(days) > 1:
            split = days[int(len(days) * _EARLIER)]
            in_force = _walked(IN_FORCE, {}, certificate, certify(settings, split).certificate, split)
            for name, keys, policy in _policies(symbol, settings):
                other = settings.model_copy(update={"roll_policy": policy})
                try:
                    full = certify(other)
                    candidates.append(_walked(name, keys, full.certificate, certify(other, split).certificate, split))
                    tried.append((name, full.inputs.policy, settings.series))
                except CtlError as error:
                    candidates.append(
                        Candidate(name=name, settings=keys, decision=None, mean_drift=None, problem=str(error))
                    )
            best = min(
                (item for item in (in_force, *candidates) if item.earlier is not None), key=_by_earlier, default=None
            )
            if best is not None and best is not in_force:
                chosen, held = best.name, _better(best.later, in_force.later)
    counted = _record(workspace, symbol, profile, tried, instant)
    return SymbolPromotion(
        symbol=symbol,
        expected=settings.expected_status,
        decision=certificate.decision,
        quote_unit=certificate.quote_unit,
        mean_drift=certificate.mean_drift,
        blockers=certificate.reasons,
        flip=certificate.smallest_flip,
        flip_note=""
        if certificate.counterfactuals is None
        else certificate.counterfactuals.smallest_flip_note
        if hasattr(certificate.counterfactuals, "smallest_flip_note")
        else certificate.counterfactuals.text,
        candidates=(in_force, *candidates),
        split=split,
        chosen=chosen,
        held=held,
        proposed=_proposed(certificate, candidates, chosen, held),
        tried=counted,
    )


def _series_candidates(symbol: str, certificate: Certificate, settings: SymbolSettings) -> Iterator[Candidate]:
    """Other bars and closes of ours, as the certificate judged them."""
    found = {} if certificate.counterfactuals is None else certificate.counterfactuals.alternatives
    by_name = {choice.name: choice for choice in SeriesChoice.all()}
    for name, judged in sorted(found.items()):
        choice = by_name[name]
        keys = {
            f"{symbol}.series.{key}": value
            for key, value, old in (
                ("bars", choice.bars, settings.series.bars), ("closes", choice.closes, settings.series.closes),
            )
            if value != old
        }  # fmt: skip
        said = _SERIES.get(name, name)
        if not isinstance(judged, JudgedSeries):
            yield Candidate(name=said, settings=keys, decision=None, mean_drift=None, problem=judged.text)
            continue
        figures = judged.functional.figures
        yield Candidate(
            name=said,
            settings=keys,
            decision=judged.decision,
            mean_drift=judged.mean_drift,
            trades=judged.functional.trades,
            total_r=None if figures is None else figures.canonical_total_r,
        )


def _policies(symbol: str, settings: SymbolSettings) -> Iterator[tuple[str, dict[str, str], RollPolicy]]:
    """Policies of one to five days and both timings, beside the one in force."""
    own = settings.roll_policy
    for days, timing in product(DAYS, _TIMINGS):
        policy = replace(own, consecutive_days=days, timing=timing)
        if policy == own:
            continue
        keys = {f"{symbol}.roll_policy.consecutive_days": str(days)} if days != own.consecutive_days else {}
        if timing != own.timing:
            keys[f"{symbol}.roll_policy.timing"] = timing
        yield f"{own.kind}, {days} day{'' if days == 1 else 's'}, {timing.replace('_', ' ')}", keys, policy


def _judged(name: str, settings: dict[str, str], certificate: Certificate) -> Candidate:
    figures = certificate.layers.L5.values
    return Candidate(
        name=name,
        settings=settings,
        decision=certificate.decision,
        mean_drift=certificate.mean_drift,
        total_r=figures.canonical_total_r if isinstance(figures, ParityFigures) else None,
    )


def _walked(name: str, settings: dict[str, str], full: Certificate, early: Certificate, split: date) -> Candidate:
    """A candidate with its drift as it stood at the split, and on the sessions after it."""
    later = None
    if "L4_drift.csv" in full.tables:
        table = full.tables["L4_drift.csv"]
        after = table.filter(table["session"] > split)["drift"]
        later = None if after.is_empty() else float(after.abs().to_numpy().mean())
    return replace(_judged(name, settings, full), earlier=early.mean_drift, later=later)


def _proposed(
    certificate: Certificate, candidates: Sequence[Candidate], chosen: str | None, held: bool | None
) -> Candidate | None:
    """What takes the symbol further: a series of ours, else the policy chosen early, if it held later."""
    rank = ORDER.index(certificate.decision)
    further = [item for item in candidates if item.decision is not None and ORDER.index(item.decision) > rank]
    fit = [item for item in further if item.earlier is None or (item.name == chosen and held)]
    return min(
        fit,
        key=lambda item: (
            -ORDER.index(item.decision or "ERROR"),
            item.earlier is not None,
            len(item.settings),
            item.mean_drift or 0.0,
        ),
        default=None,
    )


def _record(
    workspace: Workspace,
    symbol: str,
    profile: OperatingProfile,
    tried: Sequence[tuple[str, RollPolicy | None, SeriesChoice]],
    instant: datetime,
) -> int | None:
    """Add what was tried to the ledger; how many variants of the symbol it holds, the one in force included."""
    import polars as pl

    strategy = registry.find(profile.strategy)
    rows = [
        (
            symbol,
            identity(strategy, {}, "daily", policy, series),
            f"{strategy.name}, {name}",
            "promote",
            None,
            None,
            instant.date(),
        )
        for name, policy, series in tried
    ]
    frame = pl.DataFrame(rows, schema=ledger.schema(), orient="row")
    try:
        known = ledger.record(workspace, frame)
    except CtlError as error:
        if error.code != "TRIALS_DAMAGED":
            raise
        return None
    return int(known.filter(pl.col("symbol") == symbol)["trial"].n_unique()) + 1


def _choice(settings: SymbolSettings, candidate: Candidate) -> SeriesChoice:
    changed = {key.rpartition(".")[2]: value for key, value in candidate.settings.items()}
    return replace(settings.series, **changed)  # type: ignore[arg-type]  # bars and closes, as SeriesChoice has them


def _by_earlier(candidate: Candidate) -> float:
    return candidate.earlier if candidate.earlier is not None else float("inf")


def _better(drift: float | None, in_force: float | None) -> bool:
    return drift is not None and in_force is not None and drift < in_force


def _distance(item: SymbolPromotion) -> tuple[bool, bool, int, float]:
    """Nearest first: what a setting promotes, then what fewest removals would, then the rest; ACCEPT last."""
    size = item.flip.size if item.flip is not None else 1_000
    return item.decision == "ACCEPT", item.proposed is None, size, item.mean_drift or 0.0
