"""One self-contained HTML file of a report: nothing is fetched, every text from data is escaped, and a content
security policy allows the page's own script and style alone.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from ctl.drawing import PATTERNS, number
from ctl.model.certificate import DRIFT_LIMIT
from ctl.model.documents import document
from ctl.model.findings import in_full
from ctl.model.run import ROLLS_WITHIN, GateResult, RunSummary, SymbolResult
from ctl.reports import money
from ctl.reports.parts import Cell, Figure, Gauge, Lines, Table, Word, day_text, instant_text, signed, table
from ctl.reports.state import PastRun, Report, SymbolState
from ctl.reports.symbol import TRADES_DRAWN, SymbolPage, symbol_page

if TYPE_CHECKING:
    from jinja2 import Environment

    from ctl.model.certificate import Certificate
    from ctl.model.run import SymbolState as Standing

# Above this, symbols are a grid of cells whose details are unpacked when they are asked for.
MOST_UNFOLDED: Final = 24
_POINTS_IN_ALL: Final = 13_000  # of the drift curves of a grid: what keeps a page of 500 symbols below 5 MB
_LEAST_POINTS: Final = 24
_WEEKS: Final = 52
_SHAPES: Final = (
    '<defs><circle id="shape-circle" r="4.6" fill="currentColor"/>'
    '<path id="shape-triangle" d="M0-5.4L5.6 4.8H-5.6Z" fill="currentColor"/>'
    '<path id="shape-cross" d="M-4.4-4.4L4.4 4.4M4.4-4.4L-4.4 4.4" stroke="currentColor" stroke-width="2.6" '
    'fill="none"/><path id="shape-dash" d="M-5 0H5" stroke="currentColor" stroke-width="2"/></defs>'
)


def page(report: Report) -> str:
    """The whole file. The same report gives the same text."""
    return _environment().get_template("page.html.jinja").render(**_content(report))


def policy(*, frames: bool = True) -> str:
    """The content security policy. frames: without the part that only a server's header can state."""
    hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in _own()]
    found = (
        f"default-src 'none'; script-src {hashes[1]}; style-src {hashes[0]}; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )
    return found if frames else f"{found}; frame-ancestors 'none'"


@cache
def _own() -> tuple[str, str]:
    """Style and script, as they stand in the page."""
    folder = resources.files("ctl.reports") / "templates"
    style, script = ((folder / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    return style, script


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("ctl.reports", "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip


def _content(report: Report) -> dict[str, Any]:
    from markupsafe import Markup

    style, script = _own()
    grid = len(report.symbols) > MOST_UNFOLDED
    points = max(_LEAST_POINTS, min(400, _POINTS_IN_ALL // max(1, len(report.symbols)))) if grid else 400
    shown = [
        symbol_page(state, report.window, points=points, trades=0 if grid else TRADES_DRAWN)
        for state in sorted(report.symbols, key=_worst_first)
    ]
    parts = {"since": _since(report), "money": _money(report), "orders": _orders(report), "runs": _runs(report)}
    keys = (("A", "verdict", True), ("B", "since last run", parts["since"]), ("C", "money", parts["money"]))
    more = (
        ("D", "symbols" if len(shown) > 1 else "symbol", shown),
        ("E", "orders", parts["orders"]),
        ("F", "runs", parts["runs"]),
    )
    shown = [replace(item, lines=tuple(line for line in item.lines if line not in report.why)) for item in shown]
    return {
        "page": report,
        "policy": policy(),
        "style": Markup(style),  # noqa: S704 - our own file
        "script": Markup(script),  # noqa: S704
        "shapes": Markup(f'<svg width="0" height="0" aria-hidden="true">{_SHAPES}{PATTERNS}</svg>'),  # noqa: S704
        "verdict": _verdict(report),
        "sections": [(key, name) for key, name, there in (*keys, *more, ("G", "inputs", True)) if there],
        "board": _board(report, shown),
        "board_note": _board_note(report),
        "curve": money.curve(report),
        "symbols": shown,
        "grid": grid,
        "packed": [_packed(item) for item in shown] if grid else [],
        "inputs": list(_inputs(report)),
        "made": "" if report.instant is None else instant_text(report.instant),
        **parts,
    }


# ---------------------------------------------------------------- A: may it run, why, what is due


@dataclass(frozen=True, slots=True)
class _Verdict:
    title: str
    words: tuple[tuple[str, Word], ...]
    reach: str
    due: tuple[tuple[str, str], ...]


def _verdict(report: Report) -> _Verdict:
    if report.gate is not None:
        gate = Word("PASS" if report.gate.passed else "MISMATCH")
        words: tuple[tuple[str, Word], ...] = (("GATE:", gate), ("", Word(report.gate.recommendation)))
        title = f"GATE: {gate.text} {report.gate.recommendation}"
    else:
        words = tuple((f"{state.symbol}:", Word(state.decision)) for state in report.symbols if state.decision)
        title = report.title
    return _Verdict(title, words, _reach(report), tuple(_due(report)))


def _ends(state: SymbolState) -> date | None:
    if state.bars is not None and not state.bars.is_empty():
        last: Any = state.bars["session"].max()
        return last if isinstance(last, date) else None
    return None


def _reach(report: Report) -> str:
    """To which session data reach; the symbols that end before the others by name."""
    ends = {state.symbol: day for state in report.symbols if (day := _ends(state)) is not None}
    refused = "nothing runs, " if report.gate is not None and not report.gate.passed else ""
    if not ends:
        return f"{refused}no data"
    newest = max(ends.values())
    behind = [f"{symbol} {day_text(day)}" for symbol, day in ends.items() if day < newest]
    return refused + ", ".join([f"data to {day_text(newest)}", *behind[:6]])


def _due(report: Report) -> Iterator[tuple[str, str]]:
    run = report.run
    if report.gate is not None and report.gate.signed_by:
        yield "lock signed by", ", ".join(report.gate.signed_by)
    if run is None:
        return
    placed = [] if run.orders is None else [order for order in run.orders.orders if order.status == "place"]
    yield "orders", str(len(placed))
    due = [symbol for symbol, item in report.standing.items() if _soon(item)]
    yield f"rolls in {ROLLS_WITHIN} sessions", ", ".join(due) or "none"
    yield "caps", "no risk budget" if run.risk is None else ", ".join(run.risk.caps_hit) or "none"
    if report.before is not None:
        changes = _changes(report, report.before)
        told = [row for row in changes if row[1] not in ("digest", "certificate")]
        yield (
            "since last run",
            "; ".join(f"{row[0]} {row[1]} {row[2]} -> {row[3]}" for row in told[:2])
            or ("digests alone" if changes else "unchanged"),
        )


@dataclass(frozen=True, slots=True)
class _BoardRow:
    state: SymbolState
    now: Word
    expected: str
    gate: Word | None
    gauge: Gauge | None
    detail: str


def _board(report: Report, shown: Sequence[SymbolPage]) -> list[_BoardRow]:
    if report.gate is None:
        return []
    return [_board_row(item) for item in shown[: money.MOST_ROWS]]


def _board_row(item: SymbolPage) -> _BoardRow:
    state, judged = item.state, item.state.judged
    if judged is None:
        word = Word("NON-GATING") if state.decision is None else item.word
        return _BoardRow(state, word, "", None, item.gauge, state.note or state.problem)
    # Why one was refused stands above, in full.
    detail = (
        judged.detail if judged.passed else ", ".join(dict.fromkeys(reason.code for reason in judged.telling_first))
    )
    gate = Word("ok" if judged.passed else "MISMATCH")
    return _BoardRow(state, Word(judged.actual), judged.expected, gate, item.gauge, detail)


def _board_note(report: Report) -> str:
    more = len(report.symbols) - money.MOST_ROWS
    bar = "Bar: drift now, aligned as the lock's; tick: as locked; dot: the most that passes."
    return f"{bar} {more} more symbols below, better than these." if more > 0 else bar


def _worst_first(state: SymbolState) -> tuple[int, int, float, str]:
    order = {"ERROR": 0, "REJECT": 1, "WATCH": 2, "ACCEPT": 3, None: 4}
    failed = 0 if state.problem or (state.judged is not None and not state.judged.passed) else 1
    drift = 0.0 if state.certificate is None else state.certificate.mean_drift or 0.0
    limit = 1.0 if state.certificate is None else state.certificate.acceptance.limits.get(DRIFT_LIMIT, 1.0)
    return failed, order[state.decision], -drift / (limit or 1.0), state.symbol


# ---------------------------------------------------------------- B: since the last run


@dataclass(frozen=True, slots=True)
class _Since:
    title: str
    changes: Table | None
    note: str


def _since(report: Report) -> _Since | None:
    if report.gate is None:
        return None
    if report.before is None:
        return _Since("Since the last run", None, "No run has been recorded yet.")
    rows = _changes(report, report.before)
    changes = table("what reads otherwise now", ("of", "what", "then", "now"), rows, words=4) if rows else None
    note = "" if rows else "Nothing that a run rests on has changed."
    return _Since(f"Since the run of {instant_text(report.before.timestamp)}", changes, note)


def _signers(gate: GateResult) -> str:
    return ", ".join(gate.signed_by) or "nobody"


def _changes(report: Report, before: RunSummary) -> list[list[Cell]]:
    """What differs between the newest recorded run and now: decisions, figures, past bars, files and settings."""
    gate, run = report.gate, report.run
    if gate is None:
        return []
    pairs: list[tuple[str, str, str, str]] = [
        ("portfolio", "decision", before.portfolio_recommendation, gate.recommendation),
        ("profile", "digest", before.gate_result.profile.digest[:12], gate.profile.digest[:12]),
        ("profile", "signed by", _signers(before.gate_result), _signers(gate)),
    ]
    old_locks = {lock.name: lock.current for lock in before.gate_result.locks}
    pairs += [
        (lock.name, "digest", old_locks[lock.name][:12], lock.current[:12])
        for lock in gate.locks
        if lock.name in old_locks
    ]
    old = {result.symbol: result for result in before.gate_result.symbol_results}
    for result in gate.symbol_results:
        if result.symbol in old:
            was = old[result.symbol]
            pairs += [
                (result.symbol, "decision", was.actual, result.actual),
                (result.symbol, "drift", _drift_of(was), _drift_of(result)),
                (result.symbol, "why", was.detail or "as expected", result.detail or "as expected"),
                (
                    result.symbol,
                    "certificate",
                    (was.certificate_sha256 or "-")[:12],
                    (result.certificate_sha256 or "-")[:12],
                ),
            ]
    old_runs = {item.symbol: item for item in before.symbol_run_results}
    for item in () if run is None else run.symbol_run_results:
        was_run = old_runs.get(item.symbol)
        if was_run is None or was_run.metrics is None or item.metrics is None:
            continue
        for name, text in (("trade_count", "trades"), ("total_r", "total R"), ("max_drawdown_r", "max drawdown")):
            then, now = (
                number(found[name], digits=0 if name == "trade_count" else 2)
                for found in (was_run.metrics, item.metrics)
            )
            pairs.append((item.symbol, text, then, now))
        pairs.append(
            (item.symbol, "data to", str(was_run.extra.get("last_session")), str(item.extra.get("last_session")))
        )
    changed: list[list[Cell]] = [list(pair) for pair in pairs if pair[2] != pair[3]]
    for restated in gate.restatements:
        changed += [
            [restated.symbol, f"{item.contract} {item.session} {item.column}", number(item.old), number(item.new)]
            for item in restated.changes[:20]
        ]
    return changed


def _drift_of(result: SymbolResult) -> str:
    return "-" if result.metrics is None else number(result.metrics.mean_drift)


# ---------------------------------------------------------------- C: money


def _money(report: Report) -> list[Figure | Table | Lines]:
    trades = money.closed(report.symbols, report.window)
    results = [state.result for state in report.symbols if state.result is not None and state.role == "gating"]
    metrics = None if report.run is None else report.run.portfolio
    if metrics is None and len(results) == 1:
        metrics = document(results[0].metrics)
    dots = money.intervals(report)
    found = (
        money.evidence(report),
        money.per_symbol(report),
        money.falls(report),
        dots,
        money.histogram([r for _, r in trades]),
        money.years(trades),
        money.sensitivity(metrics) if dots is None else None,  # else slippages stand among the dots
        money.flags(results),
    )
    return [part for part in found if part is not None]


# ---------------------------------------------------------------- E: orders and rolls


@dataclass(frozen=True, slots=True)
class _Orders:
    tables: tuple[Table, ...]
    lines: tuple[str, ...]
    alerts: tuple[str, ...]


def _orders(report: Report) -> _Orders | None:
    run = report.run
    if run is None:
        return None
    sheet, risk = run.orders, run.risk
    tables: list[Table] = []
    lines: list[str] = []
    pending = {state.symbol: state.pending for state in report.symbols}
    if sheet is not None and sheet.orders:
        rows = [
            (
                order.symbol, order.contract, Word("blocked") if order.status == "blocked" else _do(order),
                str(order.quantity), "market" if order.price is None else in_full(order.price), signed(order.r),
                "-" if order.stop is None else in_full(order.stop),
                f"{number(order.risk_per_contract, digits=2)} {order.currency}",
                " ".join((*order.codes, order.reason)),
            )
            for order in sheet.orders
        ]  # fmt: skip
        first = sheet.orders[0]
        columns = ("symbol", "contract", "do", "qty", "price", "in R", "stop", "risk a contract", "why")
        tables.append(table(f"orders for the open of {first.session}, closes of {first.as_of}", columns, rows, words=3))
    elif sheet is not None:
        lines.append("No orders for the next open.")
    rolls = [
        (symbol, item.contract or "-", item.roll_to or "-", str(item.roll_by or "-"), str(item.sessions_to_roll),
         pending.get(symbol, ""))
        for symbol, item in sorted(report.standing.items(), key=lambda pair: pair[1].roll_by or date.max)
        if item.sessions_to_roll is not None
    ]  # fmt: skip
    if rolls:
        titles = ("symbol", "held", "next", "by", "sessions left", "known")
        tables.append(table("rolls", titles, rolls, words=4))
    if risk is not None:
        lines.append(
            f"Risk at the close of {risk.as_of}: 1 R is {number(risk.r_money, digits=2)} {risk.currency}"
            + (f", of the next entry {number(risk.r_money_next, digits=2)}" if risk.r_money_next < risk.r_money else "")
            + f"; open {number(risk.r_used, digits=2)} R, ordered {number(risk.r_ordered, digits=2)} R; drawdown "
            f"{number(risk.drawdown_r, digits=2)} R"
        )
        tables.append(
            table(
                "caps, in R",
                ("cap", "state", "used", "limit"),
                [
                    (_cap(cap.code), Word("hit" if cap.hit else "ok"), number(cap.value), number(cap.limit))
                    for cap in risk.caps
                ],
                words=2,
            )
        )
    if sheet is not None:
        lines += [*(f"{symbol}: {text}" for symbol, text in sheet.standing.items()), *sheet.notes]
    return _Orders(tuple(tables), tuple(lines), () if sheet is None else sheet.alerts)


def _cap(code: str) -> str:
    """`daily loss` for MAX_DAILY_LOSS_R."""
    return code.removeprefix("MAX_").removesuffix("_R").replace("_", " ").lower()


def _do(order: Any) -> str:
    return f"{order.action}: {order.side}" if order.action == "roll" else f"{order.side} {order.tranche or ''}".strip()


# ---------------------------------------------------------------- F: runs


@dataclass(frozen=True, slots=True)
class _Week:
    letter: str
    text: str

    @property
    def shape(self) -> str:
        return Word(self.letter.upper()).shape


@dataclass(frozen=True, slots=True)
class _Runs:
    cells: tuple[_Week, ...]
    table: Table


def _soon(standing: Standing) -> bool:
    return standing.sessions_to_roll is not None and standing.sessions_to_roll <= ROLLS_WITHIN


def _runs(report: Report) -> _Runs | None:
    if not report.runs:
        return None
    newest = max(run.instant for run in report.runs).date()
    monday = newest - timedelta(days=newest.weekday())
    weeks = [monday - timedelta(weeks=back) for back in range(_WEEKS - 1, -1, -1)]
    first = min(run.instant for run in report.runs).date()
    cells = tuple(_week(week, report.runs) for week in weeks if week + timedelta(days=6) >= first)
    rows = [
        (instant_text(run.instant), Word({"P": "PASS", "M": "MISMATCH", "E": "ERROR", "U": "UNREADABLE"}[run.letter]),
         "dry" if run.dry_run else "real", run.text)
        for run in sorted(report.runs, key=lambda run: run.instant, reverse=True)[:_WEEKS]
    ]  # fmt: skip
    return _Runs(cells, table("the newest runs", ("instant", "gate", "mode", "what"), rows, words=4))


def _week(monday: date, runs: Sequence[PastRun]) -> _Week:
    inside = [run for run in runs if monday <= run.instant.date() < monday + timedelta(days=7)]
    deciding = [run for run in inside if not run.dry_run] or inside
    if not deciding:
        return _Week("\u00b7", f"week of {monday}: no run")
    last = max(deciding, key=lambda run: run.instant)
    return _Week(last.letter.lower() if last.dry_run else last.letter, f"{instant_text(last.instant)}: {last.text}")


# ---------------------------------------------------------------- G: what it rests on


def _inputs(report: Report) -> Iterator[Table]:
    rows = [row for state in report.symbols if state.certificate is not None for row in _files(state.certificate)]
    if len(report.symbols) > MOST_UNFOLDED:
        rows = [row for row in rows if row[1] == "ours"]
    if rows:
        yield table("files", ("symbol", "side", "vendor", "data to", "files", "count", "rows"), rows, words=5)
    digests = [
        (state.symbol, "certificate", state.certificate.sha256)
        for state in report.symbols
        if state.certificate is not None
    ]
    if report.gate is not None:
        digests += [(lock.name, "lock", lock.current) for lock in report.gate.locks]
        digests.append((report.gate.profile.path, "profile", report.gate.profile.digest))
    ran = {state.result.fingerprint for state in report.symbols if state.result is not None}
    digests += [("trades", "strategy", fingerprint) for fingerprint in sorted(ran)]
    if digests:
        yield table("digests", ("of", "what", "sha256"), digests, words=3)


def _files(certificate: Certificate) -> Iterator[tuple[str, ...]]:
    found = certificate.inputs
    for side, files, vendor in (
        ("ours", found.canonical_files, None if found.canonical is None else found.canonical.vendor),
        ("reference", found.reference_files, found.reference_vendor),
    ):
        ends = [file.last_session for file in files if file.last_session is not None]
        names = ", ".join(file.name for file in files[:2]) + (f" and {len(files) - 2} more" if len(files) > 2 else "")
        counts = (str(len(files)), number(sum(file.rows for file in files), digits=0))
        yield (certificate.symbol, side, vendor or "-", str(max(ends)) if ends else "-", names, *counts)


# ---------------------------------------------------------------- many symbols


def _packed(item: SymbolPage) -> str:
    """A symbol's details, compressed: the page's script unpacks them when they are asked for."""
    macros: Any = _environment().get_template("parts.html.jinja").module
    heading = f"<h3>{macros.word(item.word, item.state.symbol)}</h3>"
    body = f"{heading}{macros.symbol_body(item)}"
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return base64.b64encode(squeezer.compress(body.encode()) + squeezer.flush()).decode()
