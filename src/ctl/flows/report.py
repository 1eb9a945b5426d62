"""A report of a workspace: what the gate says now, what the run makes of it, and what was recorded before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ctl import __version__
from ctl.drawing import number
from ctl.errors import UsageError, one_of
from ctl.flows.portfolio import whole
from ctl.flows.series import as_traded
from ctl.model.run import OPS_ENDING, SUMMARY_ENDING, OpsLog, RunSummary, SymbolResult
from ctl.model.trades import StrategyResult
from ctl.reports import PastRun, Report, SymbolState, explanation

if TYPE_CHECKING:
    import polars as pl

    from ctl.flows.pipeline import Made
    from ctl.flows.portfolio import SymbolOutcome
    from ctl.model.bars import DailySeries
    from ctl.model.certificate import Certificate
    from ctl.model.rolls import ContinuousSeries
    from ctl.model.run import GateResult
    from ctl.model.run import SymbolState as Standing
    from ctl.operating_profile import OperatingProfile
    from ctl.reports.state import Window
    from ctl.store import Workspace
    from ctl.strategy.protocol import Result

_RUNS_SHOWN: Final = 400


def of_workspace(
    workspace: Workspace,
    profile: OperatingProfile,
    decision: GateResult,
    certified: Mapping[str, Made],
    outcomes: Sequence[SymbolOutcome],
    summary: RunSummary | None,
    *,
    instant: datetime,
    symbols: Sequence[str] = (),
    window: Window | None = None,
    terms: Sequence[tuple[str, str]] = (),
    standing: Mapping[str, Standing] | None = None,
    why: Sequence[str] = (),
    follow: str = "",
) -> Report:
    """The report of what a run came to; where the gate refused, the trades are those of the newest recorded run.

    symbols: shown alone where any is named. window: sessions, trades and runs that are shown, both ends inclusive.
    Raises UsageError for a symbol that the profile does not know.
    """
    unknown = [symbol for symbol in symbols if symbol not in profile.symbols]
    if unknown:
        expected = one_of(unknown[0], profile.symbols)
        raise UsageError("no such symbol in the profile", found=", ".join(unknown), expected=expected)
    before = newest_summary(workspace)
    earlier = None if summary is not None or before is None else _trades_of(workspace, before)
    judged = {result.symbol: result for result in decision.symbol_results}
    ran = {outcome.run.symbol: outcome for outcome in outcomes}
    shown = [symbol for symbol in profile.symbols if not symbols or symbol in symbols]
    return Report(
        kind=workspace.cycle_id,
        title="",
        version=__version__,
        instant=instant,
        simulated=workspace.simulated,
        why=tuple(why),
        follow=follow,
        gate=decision,
        symbols=tuple(
            _symbol(profile, symbol, judged.get(symbol), certified.get(symbol), ran.get(symbol), earlier)
            for symbol in shown
        ),
        run=summary,
        before=before,
        risk_terms=workspace.risk,
        runs=tuple(past_runs(workspace, window)),
        window=window,
        standing={symbol: item for symbol, item in (standing or {}).items() if symbol in shown},
        terms=tuple(terms),
        facts={"profile": workspace.relative(workspace.profile_path)},
    )


def _symbol(
    profile: OperatingProfile,
    symbol: str,
    judged: SymbolResult | None,
    made: Made | None,
    outcome: SymbolOutcome | None,
    earlier: pl.DataFrame | None,
) -> SymbolState:
    bars, pending = None, ""
    watched = profile.non_gating_symbols.get(symbol)
    certified = None if made is None else whole(made)
    if certified is not None:
        series = as_traded(certified.inputs, certified.series)
        bars = None if series is None else series.frame
        roll = getattr(certified.series, "pending_roll", None)
        if roll is not None:
            pending = f"{roll.from_contract} > {roll.to_contract} at the next session, known since {roll.known_at}"
    trades = None if outcome is None else outcome.trades
    if outcome is None and earlier is not None:
        trades = earlier.filter(earlier["symbol"] == symbol)
    result = None if outcome is None or outcome.measured is None else outcome.measured.result
    return SymbolState(
        symbol=symbol,
        note="" if watched is None else watched.role or watched.reason,
        role="gating" if symbol in profile.gating_universe else "non-gating",
        judged=judged,
        certificate=None if certified is None else certified.certificate,
        bars=bars,
        run=None if outcome is None else outcome.run,
        result=result if isinstance(result, StrategyResult) else None,
        trades=trades,
        tick=None if certified is None else certified.certificate.tick,
        ratchet=profile.ratchet,
        pending=pending,
        problem="" if certified is not None or judged is None else judged.detail,
    )


def of_certificates(
    found: Sequence[tuple[Certificate, ContinuousSeries | DailySeries | None]],
    *,
    simulated: bool = False,
    follow: str = "",
) -> Report:
    """The report of certificates alone, each with the series it is of; of one its reasons stand at the top."""
    symbols = tuple(
        SymbolState(
            symbol=certificate.symbol,
            certificate=certificate,
            tick=certificate.tick,
            bars=None if series is None else series.frame,
        )
        for certificate, series in found
    )
    title = ", ".join(f"{certificate.symbol}: {certificate.decision}" for certificate, _ in found)
    why = explanation.why_lines(found[0][0]) if len(found) == 1 else ()
    return Report(
        kind="certificate", title=title, version=__version__, instant=None, symbols=symbols,
        simulated=simulated, why=tuple(why), follow=follow,
    )  # fmt: skip


def of_backtest(
    result: Result, bars: pl.DataFrame, tick: float | None = None, why: Sequence[str] = (), follow: str = ""
) -> Report:
    """The report of one backtest alone. bars: what it ran on, columns SERIES_COLUMNS. why: what its total is worth."""
    made = result if isinstance(result, StrategyResult) else None
    state = SymbolState(symbol=result.symbol, bars=bars, result=made, trades=None if made is None else made.to_polars())
    total = f"{number(result.metrics.total_r, signed=True, digits=2)} R over {result.metrics.trade_count} trades"
    return Report(
        kind="backtest", title=f"{result.symbol}: {total}", version=__version__, instant=None, symbols=(state,),
        why=tuple(why), follow=follow,
    )  # fmt: skip


# ---------------------------------------------------------------- what was recorded


def newest_summary(workspace: Workspace) -> RunSummary | None:
    """The newest recorded run; None where there is none, or none that this version can read."""
    from pydantic import TypeAdapter

    for path in sorted(workspace.run_summaries.glob(f"*{SUMMARY_ENDING}"), reverse=True):
        try:
            return TypeAdapter(RunSummary).validate_json(path.read_bytes())
        except (OSError, ValueError):
            continue
    return None


def _trades_of(workspace: Workspace, summary: RunSummary) -> pl.DataFrame | None:
    import polars as pl

    if summary.trades is None:
        return None
    try:
        return pl.read_parquet(workspace.run_summaries / Path(summary.trades.file).name)
    except (OSError, pl.exceptions.PolarsError):
        return None


def past_runs(workspace: Workspace, window: Window | None) -> Iterator[PastRun]:
    """The recorded cycles, and the runs that no cycle made, oldest first; a log that cannot be read is told as one."""
    from pydantic import TypeAdapter

    found: list[PastRun] = []
    told: set[str] = set()
    for path in sorted(workspace.ops_logs.glob(f"*{OPS_ENDING}"))[-_RUNS_SHOWN:]:
        try:
            log = TypeAdapter(OpsLog).validate_json(path.read_bytes())
        except (OSError, ValueError):
            found += _unreadable(path)
            continue
        told.add(Path(log.summary_path or "").name)
        found.append(_cycle(log))
    for path in sorted(workspace.run_summaries.glob(f"*{SUMMARY_ENDING}"))[-_RUNS_SHOWN:]:
        if path.name not in told:
            try:
                summary = TypeAdapter(RunSummary).validate_json(path.read_bytes())
            except (OSError, ValueError):
                found += _unreadable(path)
                continue
            text = _results_text({item.symbol: item.status for item in summary.symbol_run_results})
            found.append(PastRun(summary.timestamp, "E" if summary.has_errors else "P", summary.dry_run, text))
    inside = (run for run in found if window is None or window[0] <= run.instant.date() <= window[1])
    return iter(sorted(inside, key=lambda run: run.instant))


def _unreadable(path: Path) -> Iterator[PastRun]:
    """A record that cannot be read, at the instant of its name; a file that no run named is none."""
    try:
        instant = datetime.strptime(path.name[:15], "%Y%m%d_%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return
    yield PastRun(instant, "U", False, f"{path.name} cannot be read")


def _cycle(log: OpsLog) -> PastRun:
    if log.aborted and log.exit_code == 2:
        worse = [f"{name} {item.actual}" for name, item in log.gate.items() if not item.passed]
        said = ", ".join(worse) or (log.error.code if log.error else "refused")
        return PastRun(log.timestamp, "M", log.dry_run, said)
    if log.exit_code != 0 or log.has_errors:
        failed = [f"{name}: {item.reason}" for name, item in log.run.items() if item.status == "ERROR"]
        said = "; ".join(failed) or (log.error.text if log.error else "failed")
        return PastRun(log.timestamp, "E", log.dry_run, said)
    return PastRun(
        log.timestamp, "P", log.dry_run, ", ".join(f"{name} {item.actual}" for name, item in log.gate.items())
    )


def _results_text(statuses: Mapping[str, str]) -> str:
    return ", ".join(f"{symbol} {status}" for symbol, status in statuses.items() if status != "SKIPPED")
