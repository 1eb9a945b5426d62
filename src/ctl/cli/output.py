"""What a person, or with `--json` a program, sees."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from ctl.cli import screens
from ctl.cli.screens import Column, Terminal
from ctl.errors import EXIT_ERROR, EXIT_OK
from ctl.model.bars import PLAIN_BASES
from ctl.model.findings import counted, in_full
from ctl.tracking import Item, Track, untracked

if TYPE_CHECKING:
    from ctl.model.bars import SeriesMeta
    from ctl.model.data_report import DoctorFinding
    from ctl.model.paper import PaperReport
    from ctl.model.printed import Cause, DemoFilled
    from ctl.model.run import OpsLog
    from ctl.run_orchestrator import Run

_PIPE_WIDTH: Final = 120
_MOST_ROLLS: Final = 8
_MOST_NAMES: Final = 4  # of symbols side by side; of more their number


def print_json(document: Any) -> None:
    """One JSON document on stdout, keys in the document's order."""
    screens.documents.set(screens.documents.get() + 1)
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def answer(value: Any, drawn: Callable[[Terminal], Sequence[str]], *, json: bool) -> None:
    """What a command found: with `--json` its document, else its screen, drawn for the terminal at hand."""
    if json:
        from ctl.model.documents import document

        print_json(document(value))
    else:
        screens.show(drawn)


def ended(failures: Iterable[str]) -> int:
    """The exit code of a command that came to its end: 1 where something failed, each failure a line on stderr."""
    told = list(dict.fromkeys(" ".join(text.split()) for text in failures))
    for text in told:
        print(f"ctl: {text}", file=sys.stderr)
    return EXIT_ERROR if told else EXIT_OK


def print_notes(meta: SeriesMeta) -> None:
    """What a reader left out, assumed or noticed, on stderr; that ctl's own plain tables state no bases goes unsaid."""
    for note in meta.notes:
        if note != PLAIN_BASES:
            print(f"note: {' '.join(note.split())}", file=sys.stderr)
    for each in meta.lacking:
        if each.code == "LOST_SESSION":
            warn(f"{each.code}: {each.session}, over since {each.over:%Y-%m-%d %H:%M} UTC: {each.text}")


def warn(text: str) -> None:
    """One line on stderr about something that was read and is not as it should be."""
    print(f"warning: {' '.join(text.split())}", file=sys.stderr)


@contextmanager
def progress(text: str) -> Iterator[Track]:
    """A spinner on stderr while the body runs, where stderr is a terminal; what it gives adds count and time left."""
    if not sys.stderr.isatty() or screens.quiet.get():
        yield untracked
        return
    from rich.console import Console

    with Console(stderr=True).status(text) as status:

        def track(items: Sequence[Item]) -> Iterator[Item]:
            begun = time.monotonic()
            for done, item in enumerate(items):
                left = f", {_left((time.monotonic() - begun) / done * (len(items) - done))} left" if done else ""
                status.update(f"{text}, {done + 1} of {len(items)}{left}")
                yield item

        yield track


def _left(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90.0 else f"{seconds / 60.0:.0f} min"


def shown(stages: Iterator[Run]) -> Iterator[Run]:
    """The stages of a run passed through, with a spinner on stderr that names the symbol under way, on a terminal."""
    if not sys.stderr.isatty():
        yield from stages
        return
    from rich.console import Console

    with Console(stderr=True).status("running") as status:
        for run in stages:
            status.update(f"running {run.coming}")
            yield run


def cause_lines(causes: Mapping[str, Cause], on: Terminal) -> list[str]:
    """The defects that the simulated market knows."""
    columns = (Column("cause"), Column("symbols", least=100), Column("what it does"))
    rows = [(cause, " ".join(entry.symbols), entry.what) for cause, entry in causes.items()]
    lines = screens.table(columns, rows, on, prose="what it does")
    first = next(iter(causes))
    symbol = causes[first].symbols[0]
    head = f"CAUSES: {len(causes)} to inject with --inject CAUSE:SYMBOL"
    return [head, "", *lines, f"next: ctl demo {first} --inject {first}:{symbol}"]


def filled_lines(filled: DemoFilled, on: Terminal) -> list[str]:
    """What `ctl demo` wrote."""
    kept = "another one stood here and was kept; delete it and run again to lock the simulated market anew"
    facts = {
        "Injected": ", ".join(filled.injected) or "nothing",
        "Written": f"{filled.raw_files} raw files, {filled.raw_bytes / 1e6:.1f} MB, ctl.toml",
        "Profile": f"{filled.profile}, {kept if filled.profile_kept else 'locked on the clean market'}",
    }
    lines = screens.parts([f"DEMO: DONE   {filled.workspace}", "simulated market"], on)
    where = shlex.quote(str(filled.workspace))
    return [*lines, *screens.facts(facts, on), f"next: ctl gate --workspace {where}"]


def sources(found: Iterable[str]) -> str:
    """Who says a term of contracts, and of how many: `by definition 30, by rule 3`."""
    words = {"none": "none", "unknown": "not known"}
    counts = Counter(found).most_common()
    return ", ".join(f"{words.get(source, f'by {source}')} {number}" for source, number in counts)


def build_lines(
    name: str, manifest: Mapping[str, Any], files: Sequence[str], on: Terminal, *, unchanged: bool = False
) -> list[str]:
    """One built series: its range, its rolls, what the builder warns of."""
    rolls = manifest["rolls"]
    forced = manifest["counts"].get("guard_rolls", 0)
    lines = screens.parts(
        [
            f"{name}  {manifest['first_session']} to {manifest['last_session']}",
            f"{len(rolls)} rolls" + (f", {forced} by the guard" if forced else ""),
            "unchanged, not built again" if unchanged else "",
        ],
        on,
    )
    ended, noticed = (
        sources(each[f"{name}_source"] for each in manifest["terms"]) for name in ("last_trade", "first_notice")
    )
    warnings = [text if isinstance(text, str) else text.get("text", str(text)) for text in manifest.get("warnings", [])]
    pending = manifest.get("pending_roll")
    skipped, missing = (manifest["counts"].get(key, 0) for key in ("skipped_sessions", "calendar_sessions_missing"))
    lost = [f"{counted(skipped, 'session')} without a close of the contract held"] if skipped else []
    lost += [f"{counted(missing, 'session')} of the calendar without a usable bar"] if missing else []
    facts = {
        "Bars": f"{manifest['session_basis']}, closes {manifest['close_basis']}",
        "Missing": ", ".join(lost),
        "Terms": f"last trade {ended}; first notice {noticed}",
        "Pending": f"{pending['from_contract']} to {pending['to_contract']}, known at {pending['known_at']}, "
        "in force next session" if pending else "",
        "Written": ", ".join(files),
    }  # fmt: skip
    for text in warnings:
        lines += screens.wrapped(text, on, first="WARN ", indent="     ")
    if rolls and not unchanged:
        columns = (
            Column("roll date"), Column("known at", least=80), Column("from"), Column("to"), Column("gap", right=True),
            Column("all later gaps", right=True), Column("reason", least=70),
        )  # fmt: skip
        cells = [
            (
                roll["roll_date"], roll["known_at"], roll["from_contract"], roll["to_contract"],
                in_full(roll['gap'], signed=True), in_full(roll['cumulative_adjustment'], signed=True), roll["reason"],
            )
            for roll in rolls
        ]  # fmt: skip
        if len(cells) > _MOST_ROLLS and not screens.verbose.get():
            cells = [*cells[:3], (f"{len(rolls) - 7} others", *("",) * 6), *cells[-4:]]
        lines += ["", *screens.table(columns, cells, on)]
    return [*lines, "", *screens.facts(facts, on)]


def paper_lines(report: PaperReport, on: Terminal) -> list[str]:
    """Closed paper trades beside the backtest's, and what differs."""
    if not report.symbols:
        return ["PAPER: EMPTY   the first real run begins the ledger", "next: ctl run"]
    differ = sum(bool(item.differences) for item in report.trades)
    lines = screens.parts(
        [
            f"PAPER: {'OK' if not differ else f'WARN, {differ} differ'}",
            f"paper {report.paper_r:+.2f} R, backtest {report.backtest_r:+.2f} R",
            f"to {max(symbol.last_session for symbol in report.symbols)}",
            "simulated market" if report.simulated else "",
        ],
        on,
    )
    columns = (
        Column(""), Column("sessions", right=True), Column("from", least=80), Column("to"),
        Column("runs", right=True, least=80), Column("open", right=True), Column("ordered", right=True),
        Column("in time", right=True, least=100), Column("paper R", right=True), Column("backtest R", right=True),
    )  # fmt: skip
    rows = [
        (
            symbol.symbol, str(symbol.sessions), str(symbol.first_session), str(symbol.last_session), str(symbol.runs),
            str(len(symbol.open)), str(len(symbol.orders)), str(symbol.live), f"{symbol.paper_r:+.2f}",
            f"{symbol.backtest_r:+.2f}",
        )
        for symbol in report.symbols
    ]  # fmt: skip
    lines += ["", *screens.table(columns, rows, on)]
    if report.trades:
        lines += ["", *_paper_trades(report, on)]
    for item in report.trades:
        if item.differences:
            text = f"{'; '.join(item.differences)}: {item.explanation}"
            lines += screens.wrapped(text, on, first=f"{item.symbol} {item.trigger_session}  ", indent="    ")
    return [*lines, "next: ctl orders"]


def _paper_trades(report: PaperReport, on: Terminal) -> list[str]:
    columns = (
        Column("symbol"), Column("trigger", least=80), Column("entry"), Column("exit"), Column("by", least=70),
        Column("paper R", right=True), Column("backtest R", right=True), Column("difference", right=True, least=80),
    )  # fmt: skip
    rows = []
    for item in report.trades:
        trade = item.paper or item.backtest
        dates = ("-", "-", "-") if trade is None else (
            str(trade.entry_session), str(trade.exit_session), trade.exit_reason
        )  # fmt: skip
        rows.append(
            (
                item.symbol, str(item.trigger_session), *dates,
                "-" if item.paper is None else f"{item.paper.r_theoretical:+.2f}",
                "-" if item.backtest is None else f"{item.backtest.r_theoretical:+.2f}",
                "-" if item.r_difference is None else f"{item.r_difference:+.4f}",
            )
        )  # fmt: skip
    return screens.table(columns, rows, on)


def finding_facts(findings: Sequence[DoctorFinding]) -> dict[str, str]:
    """What stands in the way, and what does not but is to be known."""
    levels: tuple[Literal["mend", "know"], ...] = ("mend", "know")
    return {f"to {level}": "; ".join(item.text for item in findings if item.level == level) for level in levels}


def shared_facts(said: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Sentences about symbols, each once, by the symbols that it holds of: (symbol, sentence), empty ones left out."""
    names: dict[str, list[str]] = {}
    for name, text in said:
        if text and name not in names.setdefault(text, []):
            names[text].append(name)
    facts: dict[str, str] = {}
    for text, of in names.items():
        who = " ".join(of) if len(of) <= _MOST_NAMES else counted(len(of), "symbol")
        facts[who] = f"{facts[who]}; {text}" if who in facts else text
    return facts


def written_facts(summary_path: str | None, log_path: str | None = None) -> dict[str, str]:
    """The run summary and the ops log that were written, by their names."""
    from ctl.model.run import OPS_ENDING, SUMMARY_ENDING

    named = {"run": (summary_path, SUMMARY_ENDING), "log": (log_path, OPS_ENDING)}
    names = [f"{what} {Path(path).name.removesuffix(end)}" for what, (path, end) in named.items() if path is not None]
    return {"Written": ", ".join(names)}


def ops_facts(log: OpsLog, log_path: str) -> dict[str, str]:
    """What the weekly cycle left, and how long each stage took."""
    facts = written_facts(log.summary_path, log_path)
    if log.retention is not None and log.retention.removed:
        facts["Retention"] = f"{'would remove' if log.dry_run else 'removed'} {len(log.retention.removed)} files"
    return {**facts, "Took": ", ".join(f"{stage} {seconds:.2f} s" for stage, seconds in log.durations.items())}


def number(value: float | None) -> str:
    """Two decimals, `-` where there is no value."""
    return "-" if value is None else f"{value:.2f}"
