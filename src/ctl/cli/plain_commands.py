"""Commands on plain files: no workspace, no profile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import ctl
from ctl import __version__, clock, ingest, store
from ctl.cli import exports, output, screens
from ctl.cli.arguments import day, parameters, require_mappings
from ctl.cli.backtest_screen import backtest_lines
from ctl.cli.certificate_screen import certificate_lines
from ctl.cli.run_screen import evidence
from ctl.errors import EXIT_OK, UsageError
from ctl.flows import pipeline, plain, report, run_statistics
from ctl.flows.series import write_series, write_together
from ctl.model.bars import SeriesChoice
from ctl.model.documents import document
from ctl.model.manifest import RollManifest
from ctl.model.printed import ProposedMapping
from ctl.model.rolls import RollPolicy
from ctl.model.trades import StrategyResult, Timeframe, result_document
from ctl.reports import tables

_GUARD_DIGITS: Final = 3


def roll_policy(options: RollPolicy, guard: str, schedule: Path | None) -> RollPolicy:
    """The roll policy of the options; what is to be said of the schedule's manifest is said on stderr."""
    rolls, notes = plain.read_schedule(schedule) if schedule is not None else ((), ())
    for note in notes:
        output.warn(note)
    if guard != "none" and not (guard.isascii() and guard.isdigit() and len(guard) <= _GUARD_DIGITS):
        raise UsageError("--guard is no number of sessions", found=repr(guard), expected="0 to 60, or none")
    return plain.roll_policy(replace(options, schedule=rolls, guard_sessions=None if guard == "none" else int(guard)))


def build(
    contracts: Sequence[Path],
    root: str | None,
    policy: RollPolicy,
    out: Path | None,
    *,
    series: SeriesChoice,
    publisher: int | None,
    mapping: str | None,
    calendar: str | None,
    csv: bool,
    json: bool,
) -> int:
    """Build one root's series from contract files; write it to `out`, print its manifest with `json`."""
    if out is None and not json:
        raise UsageError("nothing to do with the series", remedy="name a folder with --out DIR, or ask for --json")
    require_mappings(mapping)
    name = _require_root(root)
    bars = plain.load_contracts(
        contracts, name, publisher=publisher, mapping=mapping, series=series, calendar=calendar, now=clock.now()
    )
    output.print_notes(bars.meta)
    built = plain.build(bars, policy, calendar)
    manifest = document(RollManifest.of(built, package_version=__version__))
    written = write_series(out, name, built, manifest, csv=csv) if out is not None else []
    if json:
        output.print_json(manifest)
    else:
        head, files = f"BUILD: DONE   {name}   data to {manifest['last_session']}", [str(path) for path in written]
        screens.show(lambda on: [head, "", *output.build_lines(name, manifest, files, on)])
    return EXIT_OK


def certify(
    contracts: Sequence[Path],
    root: str | None,
    policy: RollPolicy,
    *,
    series: SeriesChoice,
    tick: float | None,
    max_day_delta: int | None,
    adjusted: Path | None,
    unadjusted: Path | None,
    publisher: int | None,
    mapping: str | None,
    reference_mapping: str | None,
    quote_unit: str | None,
    calendar: str | None,
    acceptance: str,
    out: Path | None,
    as_of: str | None,
    explain: bool,
    json: bool,
    html: Path | None = None,
    table: Path | None = None,
) -> int:
    """Certify one root's contract files against reference files."""
    if table is not None:
        tables.require_format(table)
    missing = [name for name, value in (("--tick", tick), ("--max-day-delta", max_day_delta)) if value is None]
    if missing or tick is None or max_day_delta is None:
        raise UsageError(
            f"--contracts needs {' and '.join(missing)}", remedy="the tick and the limit are the profile's"
        )
    require_mappings(mapping, reference_mapping)
    instant, until, name = clock.now(), day(as_of), _require_root(root)
    plain.require_tick(tick)
    bars = plain.load_contracts(
        contracts,
        name,
        publisher=publisher,
        mapping=mapping,
        as_of=until,
        series=series,
        calendar=calendar,
        now=instant,
    )
    output.print_notes(bars.meta)
    built = plain.build(bars, policy, calendar) if bars.roots == (name,) else None
    certificate = ctl.certify(
        bars,
        built,
        tick=tick,
        max_day_delta=max_day_delta,
        adjusted=adjusted,
        unadjusted=unadjusted,
        mapping=reference_mapping,
        quote_unit=quote_unit,
        calendar=calendar,
        acceptance=acceptance,  # type: ignore[arg-type]  # the command line's choices are the policies
        as_of=until,
        now=instant,
    )
    written = [str(path) for path in pipeline.write_certificate(out, certificate)] if out is not None else []
    if html is not None:
        written.append(exports.write_page(html, report.of_certificates([(certificate, built)])))
    if table is not None:
        written += exports.write_tables(table, exports.certificate_tables([certificate]))
    if json:
        output.print_json(certificate.document)
    else:
        screens.show(lambda on: certificate_lines(certificate, written, on, explain=explain))
    return EXIT_OK


def backtest(
    path: Path,
    *,
    symbol: str | None,
    publisher: int | None,
    mapping: str | None,
    slippage: float,
    tick: float | None,
    param: Sequence[str],
    unregistered: bool,
    lots: int,
    timeframe: Timeframe,
    calendar: str,
    actions: Path | None,
    drop_bad_bars: bool,
    first: str | None,
    last: str | None,
    out: Path | None,
    json: bool,
    html: Path | None = None,
    table: Path | None = None,
) -> int:
    """Run B1 over one plain series; `out` takes the document, the trades and the triggers, `html` a page, `table` the
    trades.
    """
    if table is not None:
        tables.require_format(table)
    require_mappings(mapping)
    known = None if calendar == "none" else calendar
    series = ctl.load(path, symbol=symbol, publisher=publisher, mapping=mapping, calendar=known)
    output.print_notes(series.meta)
    name = symbol or path.name.split(".")[0]
    result, notes = plain.backtest(
        plain.strategy_named("b1", parameters(param), timeframe, unregistered=unregistered),
        plain.between(series, day(first, "--from"), day(last, "--to")),
        name,
        actions=actions,
        drop_bad_bars=drop_bad_bars,
        timeframe=timeframe,
        slippage=slippage,
        tick=tick,
        lots=lots,
        calendar=calendar,
    )
    for note in notes:
        output.warn(note)
    statistics = run_statistics.of_backtest(result)
    published = {"kind": "backtest", "schema_version": 1, **result_document(result), "statistics": document(statistics)}
    written: list[str] = []
    left = {"--html": (html, f"{name}.html"), "--table": (table, f"{name}.xlsx"), "--out": (out, name)}
    follow = next((screens.same_command(option, file) for option, (given, file) in left.items() if given is None), "")
    if out is not None and isinstance(result, StrategyResult):
        files = {
            f"{name}_trades.csv": result.to_polars().write_csv().encode(),
            f"{name}_triggers.csv": result.triggers_frame().write_csv().encode(),
            f"{name}_backtest.json": store.json_bytes(published),
        }
        write_together(out, files)
        written += [str(out / name) for name in files]
    if html is not None:
        why = (f"Evidence: {evidence(statistics.expectancy)}", "No gate was asked: nothing here may be traded")
        written.append(exports.write_page(html, report.of_backtest(result, series.frame, tick, why, follow)))
    if table is not None and isinstance(result, StrategyResult):
        written += exports.write_tables(table, {"trades": tables.Priced(result.to_polars(), tick)})
    if json:
        output.print_json(published)
    else:
        following = [f"next: {follow}"] if follow else []
        screens.show(lambda on: [*backtest_lines(result, statistics, written, on), *following])
    return EXIT_OK


def mapping(path: Path, *, json: bool) -> int:
    """Print the mapping proposed for a file as TOML, and the first rows that it reads."""
    proposal, bars = ingest.proposed_mapping(path)
    rows = [] if bars is None else bars.frame.head(5).rows(named=True)
    first = [{name: str(value) for name, value in row.items() if value is not None} for row in rows]
    if json:
        output.print_json(document(ProposedMapping(file=path.name, mapping=proposal, first_rows=tuple(first))))
        return EXIT_OK
    print(proposal)
    if bars is None:
        print(f"# fill in what stands for ?, then: --mapping {path.stem}.toml")
        return EXIT_OK
    for row in first:
        print("# " + "  ".join(row.values()))
    output.print_notes(bars.meta)
    return EXIT_OK


def _require_root(root: str | None) -> str:
    if not root:
        raise UsageError("--contracts needs --root", expected="the root the files should hold, e.g. --root ES")
    return root
