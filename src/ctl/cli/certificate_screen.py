"""What a person reads of a certificate: verdict, cause, cure and layers; with `--explain` the figures behind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from ctl.cli import screens
from ctl.cli.screens import Column, Terminal
from ctl.model.certificate import JudgedSeries, ParityFigures
from ctl.model.findings import counted, in_points, tick_digits
from ctl.reports import explanation
from ctl.reports.explanation import ALTERNATIVES

if TYPE_CHECKING:
    from ctl.model.certificate import Certificate, Component, NotComputed

# Below this, in ticks, a drift is rounding of floats, and its causes are noise.
_NO_DRIFT_TICKS: Final = 1e-6
_CAUSES_SHOWN: Final = 3
_YEARS_OF_CURVE: Final = 2  # fewer years have no curve

# What a profile says to have one of them (`series` of its symbol).
_KEYS: Final = {
    "settlement": ("closes=settlement",),
    "session": ("bars=session",),
    "session_settlement": ("bars=session", "closes=settlement"),
}
_SHORT: Final = {**ALTERNATIVES, "daily": "daily bars", "session_settlement": "session, settlement"}
_TITLES: Final = {"functional parity": "parity"}


def certificate_lines(
    certificate: Certificate,
    files: Sequence[str],
    on: Terminal,
    *,
    explain: bool,
    simulated: bool = False,
    workspace: bool = False,
) -> list[str]:
    """The verdict, the layers and the figures behind it; with `explain` what would change it.

    workspace: the symbol is one of a workspace's, whose commands can follow.
    """
    lines = [*_head(certificate, on, simulated=simulated), "", *_layers(certificate, on)]
    if explain:
        changes = screens.facts(explanation.what_changes(certificate), on)
        for block in (_drift(certificate, on), _series(certificate, on), changes):
            lines += ["", *block] if block else []
    if files:
        folder = PurePath(files[0]).parent
        text = f"{folder}: {', '.join(PurePath(file).name for file in files)}"
        lines += ["", *screens.wrapped(text, on, first="Written    ", indent=" " * 11)]
    return [*lines, f"next: {next_command(certificate, explain=explain)}"] if workspace else lines


# ---------------------------------------------------------------- verdict, cause, cure


def _head(certificate: Certificate, on: Terminal, *, simulated: bool) -> list[str]:
    told = explanation.reasons(certificate)
    reason = told[0] if told else ""
    span = certificate.overlap
    data = f"data to {span.last_session}" if span is not None else ""
    said = [f"{certificate.symbol}: {certificate.decision}", reason, data, "simulated market" if simulated else ""]
    lines = screens.parts(said, on)
    for other in told[1:]:
        lines += screens.wrapped(other, on, first="and    ", indent=" " * 7)
    return lines + screens.facts(explanation.cause_and_cure(certificate), on)


# ---------------------------------------------------------------- layers


def _layers(certificate: Certificate, on: Terminal) -> list[str]:
    titles = {name: _TITLES.get(layer.title, layer.title) for name, layer in certificate.layers.items()}
    width = max(map(len, titles.values()))
    rows, years = {}, _by_year(certificate, on)
    for name, layer in certificate.layers.items():
        rows[f"{name} {titles[name]:{width}}  {layer.status:<7}"] = explanation.layer_text(
            certificate, name, layer, brief=not screens.verbose.get(), years=years if name == "L4" else ""
        )
    return screens.facts(rows, on)


def _by_year(certificate: Certificate, on: Terminal) -> str:
    """Mean |drift| of the first and the last year, and a curve from zero to the most between them."""
    table = certificate.tables.get("L4_drift.csv")
    if table is None:
        return ""
    import polars as pl

    years = table.group_by(pl.col("session").dt.year().alias("year"), maintain_order=True).agg(
        pl.col("drift").abs().mean()
    )
    means = years["drift"].to_list()
    if len(means) < _YEARS_OF_CURVE or not any(means):
        return ""
    curve = screens.sparkline(means, 0.0, max(means), on)
    first, last = years["year"][0], years["year"][-1]
    return f"by year: {in_points(means[0])} in {first} {curve} {in_points(means[-1])} in {last}"


# ---------------------------------------------------------------- with --explain


def _drift(certificate: Certificate, on: Terminal) -> list[str]:
    """The largest components of the drift with signed points that add up, the others and the total."""
    ledger = certificate.ledger
    if ledger is None:
        return []
    if ledger.mean_drift <= _NO_DRIFT_TICKS * certificate.tick:
        return ["no drift: both series move alike on every session"]
    shown: list[Component] = [item for item in ledger.components[:_CAUSES_SHOWN] if item.mean]
    others: list[Component] = ledger.components[len(shown) :]

    digits = tick_digits(certificate.tick)

    def row(name: str, share: float, largest: float, why: str) -> tuple[str, ...]:
        return name, f"{100 * share:.1f} %", f"{share * ledger.mean_drift:.{digits}f}", in_points(largest), why

    rows = [row(item.name, item.share or 0.0, item.max, explanation.why(certificate, item.name)) for item in shown]
    if others:
        # What is left of the rounded figures, so that those shown add up.
        left = 1.0 - sum(round(item.share or 0.0, 3) for item in shown)
        points = round(ledger.mean_drift, digits) - sum(float(cells[2]) for cells in rows)
        name, largest = counted(len(others), "other"), max(item.max for item in others)
        rows.append((name, f"{100 * left:.1f} %", f"{points:.{digits}f}", in_points(largest), ""))
    rows.append(row("total", 1.0, ledger.max_drift, "mean of |drift|"))
    columns = (
        Column("drift from"), Column("share", right=True), Column("points", right=True), Column("largest", right=True),
        Column("why", least=60),
    )  # fmt: skip
    return screens.table(columns, rows, on, prose="why")


def _series(certificate: Certificate, on: Terminal) -> list[str]:
    """Our series as built, on the reference's rolls and from other bars and closes, each judged the same way."""
    if certificate.mean_drift is None or certificate.ledger is None:
        return []
    rows = [("as built", certificate.decision, in_points(certificate.mean_drift), *_as_built_r(certificate))]
    told = {}
    others: list[tuple[str, JudgedSeries | NotComputed | None]] = [("rebuilt", certificate.rebuilt)]
    counterfactuals = certificate.counterfactuals
    if counterfactuals is not None:
        named = sorted(counterfactuals.alternatives, key=[*ALTERNATIVES, *sorted(counterfactuals.alternatives)].index)
        others += [(_SHORT.get(name, name), counterfactuals.alternatives[name]) for name in named]
        if isinstance(counterfactuals.read_again, JudgedSeries):
            others.append(("read again", counterfactuals.read_again))
    for label, judged in others:
        if isinstance(judged, JudgedSeries):
            figures = judged.functional.figures
            trades = "" if judged.functional.trades is None else str(judged.functional.trades)
            rows.append((label, judged.decision, in_points(judged.mean_drift), trades, *_r(figures)))
        elif judged is not None:
            why = {"NOT_RUN": "not run: ", "ERROR": "could not be computed: "}.get(judged.status, "")
            told[f"{label}:"] = f"{why}{judged.text}"
    columns = (
        Column("series"), Column("decision"), Column("drift", right=True), Column("trades", right=True, least=70),
        Column("total R", right=True), Column("minus reference", right=True, least=80),
    )  # fmt: skip
    return screens.table(columns, rows, on) + [
        line for name, text in told.items() for line in screens.wrapped(text, on, first=f"{name} ", indent="  ")
    ]


def _as_built_r(certificate: Certificate) -> tuple[str, str, str]:
    figures = certificate.layers.L5.values
    if not isinstance(figures, ParityFigures):
        return "", "", ""
    trades = certificate.tables["L5_trades.csv"]["canonical_r"]
    return (str(len(trades) - trades.null_count()), *_r(figures))


def _r(figures: ParityFigures | None) -> tuple[str, str]:
    if figures is None:
        return "", ""
    return f"{figures.canonical_total_r:+.2f}", f"{figures.canonical_total_r - figures.reference_total_r:+.2f}"


def next_command(certificate: Certificate, *, explain: bool) -> str:
    """The command that goes on from here."""
    symbol = certificate.symbol
    if any(reason.code == "IDENTITY_MISMATCH" for reason in certificate.reasons):
        return f"ctl data show {symbol}"
    if not explain and certificate.decision != "ACCEPT":
        return f"ctl certify {symbol} --explain"
    best = explanation.best_alternative(certificate)
    tried = "" if best is None else "".join(f" --set {symbol}.series.{key}" for key in _KEYS.get(best[0], ()))
    return f"ctl plan{tried}" if tried else "ctl gate"
