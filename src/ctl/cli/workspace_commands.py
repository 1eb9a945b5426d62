"""Commands that run in a workspace."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctl import clock
from ctl.cli import drop_output, output, screens
from ctl.cli.arguments import day
from ctl.cli.events import Events
from ctl.cli.run_screen import data_to
from ctl.errors import EXIT_MISMATCH, EXIT_OK, CtlError, SlotTaken, UsageError, one_of
from ctl.model.bars import AS_DELIVERED, SeriesChoice
from ctl.model.documents import document

if TYPE_CHECKING:
    from datetime import date, datetime

    from ctl.cli.screens import Terminal
    from ctl.gatekeeper import GateDecision
    from ctl.model.bars import BarsChoice, ClosesChoice, DailySeries
    from ctl.model.certificate import Certificate
    from ctl.model.rolls import ContinuousSeries
    from ctl.model.run import OpsGateSymbol, RunSummary, SymbolState
    from ctl.operating_profile import OperatingProfile, SymbolSettings
    from ctl.ops.weekly import WeeklyOptions, WeeklyOutcome
    from ctl.run_orchestrator import RunOptions
    from ctl.store import Workspace


def demo(folder: Path, inject: Sequence[str], *, list_causes: bool, json: bool) -> int:
    """Fill a folder with the simulated market."""
    from ctl import demo as market
    from ctl.model.printed import Cause, Causes, DemoFilled

    if list_causes:
        causes = {name: Cause(text, tuple(market.symbols_of(name))) for name, text in market.CAUSES.items()}
        output.answer(Causes(causes=causes), lambda on: output.cause_lines(causes, on), json=json)
        return EXIT_OK
    pairs = [market.parse_injection(item) for item in inject]
    from ctl.flows import demo

    with output.progress("simulating two vendors, 2018-01 to 2026-02") as track:
        filled = demo.fill(folder, pairs, track=track)
    summary = DemoFilled(
        workspace=str(filled.workspace.root),
        raw_files=filled.raw_files,
        raw_bytes=filled.raw_bytes,
        injected=tuple(f"{cause}:{symbol}" for cause, symbol in filled.injected),
        profile=filled.workspace.relative(filled.workspace.profile_path),
        profile_kept=filled.profile_kept,
    )
    output.answer(summary, lambda on: output.filled_lines(summary, on), json=json)
    return EXIT_OK


def series_choice(
    settings: SymbolSettings | None, bars: BarsChoice | None, closes: ClosesChoice | None
) -> SeriesChoice:
    """The series that a symbol is traded on, with what the command line says otherwise."""
    locked = settings.series if settings else AS_DELIVERED
    return SeriesChoice(bars or locked.bars, closes or locked.closes)


def build(
    workspace_path: Path | None,
    symbols: Sequence[str],
    *,
    bars: BarsChoice | None,
    closes: ClosesChoice | None,
    csv: bool,
    json: bool,
) -> int:
    """Build the workspace's continuous series; what is unchanged is not built again."""
    from ctl.flows import build

    instant, workspace = clock.now(), open_workspace(workspace_path)
    profile = profile_if_any(workspace)
    futures = [name for name, config in workspace.symbols.items() if config.asset_class == "future"]
    chosen = chosen_symbols(symbols, futures)
    documents: list[dict[str, Any]] = []
    made: list[tuple[str, list[str], bool]] = []
    for symbol in chosen:
        settings = profile.symbol_settings.get(symbol) if profile else None
        built = build.build_symbol(
            workspace,
            symbol,
            settings.roll_policy if settings else None,
            series_choice(settings, bars, closes),
            instant=instant,
            csv=csv,
        )
        documents.append(built.manifest)
        made.append((symbol, [workspace.relative(path) for path in built.files], built.unchanged))

    def drawn(on: Terminal) -> list[str]:
        ends = {str(each["root"]): str(each["last_session"]) for each in documents}
        verdict = [f"BUILD: DONE   {' '.join(chosen)}", data_to(ends)]
        lines = screens.parts([*verdict, "simulated market" if workspace.simulated else ""], on)
        for each, (symbol, files, unchanged) in zip(documents, made, strict=True):
            lines += ["", *output.build_lines(symbol, each, files, on, unchanged=unchanged)]
        return [*lines, f"next: ctl certify {' '.join(chosen)}"]

    if json:
        output.print_json(documents[0] if len(symbols) == 1 else several("roll_manifests", documents, "root"))
    else:
        screens.show(drawn)
    return EXIT_OK


def certify(
    workspace_path: Path | None,
    symbols: Sequence[str],
    *,
    acceptance: str | None,
    bars: BarsChoice | None,
    closes: ClosesChoice | None,
    as_of: str | None,
    explain: bool,
    json: bool,
    reference: str | None = None,
    html: Path | None = None,
    table: Path | None = None,
    jobs: int | None = None,
    cluster: str | None = None,
) -> int:
    """Certify symbols of the workspace; what the profile in force makes of all sessions is written.

    reference: a vendor to compare with; another than the one that decides is only shown.
    A symbol that cannot be read is told, the others are certified, and the exit code is 1.
    """
    from ctl.cli import exports
    from ctl.cli.certificate_screen import certificate_lines, next_command
    from ctl.flows import report
    from ctl.flows.workers import opened
    from ctl.reports import tables

    if table is not None:
        tables.require_format(table)
    workspace, until, instant = open_workspace(workspace_path), day(as_of), clock.now()
    if reference is not None and reference not in workspace.vendors:
        expected = one_of(reference, workspace.vendors)
        raise UsageError("--reference is no vendor of the workspace", found=reference, expected=expected)
    profile = profile_if_any(workspace)
    documents: list[dict[str, Any]] = []
    made: list[tuple[Certificate, ContinuousSeries | DailySeries | None]] = []
    chosen, failed = chosen_symbols(symbols, list(workspace.symbols)), list[str]()
    task = partial(
        _certified, workspace, profile, acceptance=acceptance, bars=bars, closes=closes, as_of=until,
        reference=reference, instant=instant,
    )  # fmt: skip
    with opened(jobs, cluster, workspace.root) as workers:
        for symbol, found in zip(chosen, workers.each(task, chosen), strict=True):
            if isinstance(found, CtlError):
                if len(chosen) == 1:
                    raise found
                failed.append(f"{symbol} was not certified: {found}")
                continue
            certificate, series, written = found
            if html is not None or table is not None:
                made.append((certificate, series))
            documents.append(dict(certificate.document))
            if not json:
                if len(documents) > 1:
                    print()
                screens.show(
                    partial(
                        certificate_lines, certificate, written, explain=explain, simulated=workspace.simulated,
                        workspace=True,
                    )
                )  # fmt: skip
    if html is not None:
        follow = next_command(made[0][0], explain=False) if len(made) == 1 else "ctl gate"
        exports.write_page(html, report.of_certificates(made, simulated=workspace.simulated, follow=follow))
    if table is not None:
        exports.write_tables(table, exports.certificate_tables([certificate for certificate, _ in made]))
    if json:
        output.print_json(documents[0] if len(symbols) == 1 else several("certificates", documents, "symbol"))
    return output.ended(failed)


def _certified(
    workspace: Workspace,
    profile: OperatingProfile | None,
    symbol: str,
    *,
    acceptance: str | None,
    bars: BarsChoice | None,
    closes: ClosesChoice | None,
    as_of: date | None,
    reference: str | None,
    instant: datetime,
) -> tuple[Certificate, ContinuousSeries | DailySeries | None, list[str]] | CtlError:
    """One symbol's certificate, its series, and the files written of it; what kept it from being certified."""
    from ctl.flows import pipeline, portfolio

    settings = profile.symbol_settings.get(symbol) if profile else None
    locked = profile.acceptance_policy if profile else "v1"
    policy = acceptance or locked
    try:
        series = series_choice(settings, bars, closes)
        made = portfolio.certify_symbol(
            workspace, symbol, settings,
            acceptance=policy, series=series, as_of=as_of, reference=reference, now=instant,
        )  # fmt: skip
    except CtlError as error:
        return error
    decides = reference in (None, portfolio.deciding_reference(workspace, symbol, settings))
    files: list[Path] = []
    if as_of is None and policy == locked and decides and series == series_choice(settings, None, None):
        files = pipeline.write_certificate(workspace.certificate_folder(symbol), made.certificate)
    return made.certificate, made.series, [workspace.relative(path) for path in files]


def gate(
    workspace_path: Path | None,
    profile_path: Path | None,
    *,
    as_of: str | None,
    jobs: int | None = None,
    cluster: str | None = None,
    json: bool,
) -> int:
    """The gate: exit 0 only where everything holds."""
    from ctl import run_orchestrator
    from ctl.flows import portfolio
    from ctl.flows.workers import opened

    instant, options = clock.now(), run_orchestrator.RunOptions(as_of=day(as_of), profile=profile_path, record=False)
    workspace = open_workspace(workspace_path)
    profile = read_profile(workspace, profile_path)
    with opened(jobs, cluster, workspace.root) as workers:
        gated = portfolio.gate(workspace, profile, instant=instant, as_of=options.as_of, workers=workers)
    decision = gated.decision
    warn_not_kept(run_orchestrator.keep_pass(workspace, gated, rehearsal=options.rehearsal, instant=instant))
    output.answer(decision, lambda on: board(decision, profile, workspace, on), json=json)
    return EXIT_OK if decision.passed else EXIT_MISMATCH


def run(workspace_path: Path | None, options: RunOptions, *, json: bool) -> int:
    """The portfolio run behind the gate; a failure where no gating symbol was executed."""
    from ctl import run_orchestrator, store
    from ctl.cli.run_screen import not_run

    instant = clock.now()
    options.require_real()
    workspace = open_workspace(workspace_path)
    with store.RunLock(workspace.lock_path, instant=instant, purpose="ctl run"):
        profile = read_profile(workspace, options.profile)
        stages = run_orchestrator.run(workspace, profile, options, instant=instant)
        decision = next(stages).decision
        if not decision.passed:
            return refused(decision, profile, workspace, json=json)
        *_, done = output.shown(stages)
    warn_not_kept(done.not_kept)
    written = None if done.summary_path is None else workspace.relative(done.summary_path)
    if json:
        output.print_json({**document(done.finished()), "summary_path": written})
    else:
        _show_run(
            done.finished(), output.written_facts(written), {name: item.state for name, item in done.watched.items()}
        )
    return output.ended(not_run(done.finished()))


def ops(
    workspace_path: Path | None,
    options: WeeklyOptions,
    *,
    scheduled: bool = False,
    log_format: str = "text",
    json: bool,
) -> int:
    """The weekly cycle. Its exit code is how it ended, whether or not anybody reads what is printed of it."""
    from ctl.ops import registered, weekly

    instant, stream = clock.now(), sys.stderr if json else sys.stdout
    say = Events(log_format)
    workspace: Workspace | None = None
    try:
        here = workspace = open_workspace(workspace_path)
        options.run.require_real()
        outcome = registered.run_registered(
            here,
            lambda: weekly.run_weekly(here, options, instant=instant, stream=stream, show=output.shown),
            instant=instant,
            url=options.registry_url,
            scheduled=scheduled and not options.run.dry_run,
        )
    except SlotTaken as taken:
        say.warning(str(taken))
        if json:
            from ctl.model.printed import NotDue

            output.print_json(document(NotDue(reason=str(taken))))
        return EXIT_OK
    except CtlError as error:
        for warning in weekly.not_started(error, options, workspace=workspace, instant=instant, stream=stream):
            say.warning(warning)
        raise
    try:
        _print_cycle(outcome, workspace, say, json=json)
        sys.stdout.flush()
    except BrokenPipeError:
        drop_output()
    return outcome.log.exit_code


def _print_cycle(outcome: WeeklyOutcome, workspace: Workspace, say: Events, *, json: bool) -> None:
    log = outcome.log
    say.cycle(log)
    for warning in outcome.warnings:
        say.warning(warning)
    if log.error is not None and (outcome.decision is None or not outcome.decision.failures):
        for problem in log.error.problems or (log.error.text,):
            say.error(log.error.code, problem)
    if json:
        output.print_json(document(log))
        return
    followed = output.ops_facts(log, workspace.relative(outcome.log_path))
    if outcome.summary is not None:
        _show_run(outcome.summary, followed, log.gate)
        return

    def drawn(on: Terminal) -> list[str]:
        if outcome.decision is None or outcome.profile is None:
            return screens.facts(followed, on)
        *lines, following = board(outcome.decision, outcome.profile, workspace, on)
        return [*lines, *screens.facts(followed, on), following]

    screens.show(drawn)


def _show_run(summary: RunSummary, after: Mapping[str, str], states: Mapping[str, SymbolState | OpsGateSymbol]) -> None:
    from ctl.cli.run_screen import run_lines
    from ctl.ops.report_lines import rolls_due

    screens.show(lambda on: run_lines(summary, after, rolls_due(states), on))


def several(kind: str, documents: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any]:
    """The document of more than one symbol: each document by what it is `name`d."""
    return {"kind": kind, "schema_version": 1, **{str(each[name]): each for each in documents}}


def board(decision: GateDecision, profile: OperatingProfile, workspace: Workspace, on: Terminal) -> list[str]:
    """The screen of the workspace's decision."""
    from ctl.cli.gate_screen import gate_lines

    by_flag = workspace.root / profile.name != workspace.profile_path
    return gate_lines(decision, profile, on, simulated=workspace.simulated, by_flag=by_flag)


def refused(decision: GateDecision, profile: OperatingProfile, workspace: Workspace, *, json: bool) -> int:
    """Show a decision that stops a command, and its exit code."""
    if json:
        output.print_json(document(decision))
        piped = screens.Terminal()
        print("\n".join(board(decision, profile, workspace, piped)), file=sys.stderr)
    else:
        screens.show(lambda on: board(decision, profile, workspace, on))
    return EXIT_MISMATCH


def warn_not_kept(why: object) -> None:
    """Say why the bars of a passed gate could not be kept, where they could not."""
    if why:
        output.warn(f"the bars of this pass were not kept, so that later restatements of them cannot be told: {why}")


def open_workspace(path: Path | None) -> Workspace:
    """The workspace named, or the one at or above the current folder."""
    from ctl.store import Workspace

    return Workspace.load(path) if path is not None else Workspace.find(Path.cwd())


def read_profile(workspace: Workspace, path: Path | None) -> OperatingProfile:
    """`portfolio.read_profile`."""
    from ctl.flows import portfolio

    return portfolio.read_profile(workspace, path)


def profile_if_any(workspace: Workspace) -> OperatingProfile | None:
    """The workspace's profile for its settings; None where there is none yet."""
    if not os.path.lexists(workspace.profile_path):
        return None
    from ctl.flows import portfolio

    return portfolio.read_profile(workspace)


def chosen_symbols(symbols: Sequence[str], known: Sequence[str]) -> list[str]:
    """The symbols named, or all of `known` where none is. Raises UsageError for one that is not known."""
    unknown = [symbol for symbol in symbols if symbol not in known]
    if unknown:
        raise UsageError(
            "no such symbol in the workspace", found=", ".join(unknown), expected=one_of(unknown[0], known)
        )
    return list(symbols) or list(known)
