"""`ctl certify --power`: the smallest defect size that each layer detects, and false alarms on clean pairs."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Final

from ctl.cli import output, screens
from ctl.cli.screens import Column
from ctl.errors import EXIT_OK
from ctl.flows.functional import functional_input, run_bars
from ctl.flows.terms import CertifyTerms
from ctl.power import study
from ctl.power.certified_pair import MAX_DAY_DELTA, QUOTE_UNIT, certify_pair
from ctl.power.vendor_pairs import Market

if TYPE_CHECKING:
    from collections.abc import Callable

    from ctl.certification.functional_input import FunctionalInput
    from ctl.cli.screens import Terminal
    from ctl.model.certificate import Certificate
    from ctl.model.rolls import ContinuousSeries
    from ctl.power.vendor_pairs import VendorPair

_HEADINGS: Final = ("defect", *study.LAYERS, "ledger", "WATCH", "REJECT")
_CLEAN_HEADINGS: Final = ("clean pairs", "pairs", "any finding", "not accepted", "nor when read again")


def run(*, json: bool) -> int:
    """Measure and print."""
    with output.progress("injecting defects") as track:
        report = study.measure(certify, track=track)
    output.answer(report, lambda on: [*_lines(report, on), "next: ctl certify --explain"], json=json)
    return EXIT_OK


def certify(pair: VendorPair) -> Certificate:
    """A generated pair as a workspace's symbol: L5 has B1's triggers and trades on both sides."""
    return certify_pair(pair, _strategy_input, partial(run_bars, pair.root, _terms(pair)))


def _terms(pair: VendorPair) -> CertifyTerms:
    return CertifyTerms(pair.tick, MAX_DAY_DELTA, QUOTE_UNIT, None, slippage_per_side=pair.tick)


def _strategy_input(pair: VendorPair, series: ContinuousSeries) -> FunctionalInput | None:
    return functional_input(pair.root, series, pair.reference, _terms(pair))


def markdown(report: study.PowerReport) -> str:
    """The report as the page that the repository carries (docs/certification_power.md)."""
    market = Market(report.seed)
    lines = [
        "# What certification detects, and from which size on",
        "",
        "Written by `python -m ctl.cli.power_command > docs/certification_power.md`; `ctl certify --power` prints the",
        "same figures. Each defect is put alone into a clean generated vendor pair "
        f"({market.contracts} contracts, {market.contracts * market.cycle:,} sessions,",
        f"tick {market.tick:g}, prices around {market.level * market.tick:,.0f}, daily moves of "
        f"{market.move:g} ticks, gaps of {market.carry:g} on average), growing; a cell",
        "holds the smallest size tried at which the layer says more than of the clean pair. *ledger*: the defect is",
        "the largest component by name. The size is in the unit of the first column; an empty cell: never.",
        "",
        "| " + " | ".join(_HEADINGS) + " |",
        "|" + "|".join(" --- " if n == 0 else " ---: " for n in range(len(_HEADINGS))) + "|",
    ]
    lines += ["| " + " | ".join(row) + " |" for row in _rows(report, lambda text: f"**{text}**")]
    lines += ["", "## What is said there", "", "| defect | layer | from | said |", "|---|---|---:|---|"]
    for power in report.defects:
        lines += [
            f"| {power.defect} | {name} | {detection.size:g} | {detection.text.replace('|', '/')} |"
            for name, detection in (*power.layers.items(), ("ledger", power.ledger))
            if detection is not None
        ]
    lines += [
        "",
        "## False alarms",
        "",
        "| " + " | ".join(_CLEAN_HEADINGS) + " |",
        "|---|---:|---:|---:|---:|",
    ]
    lines += ["| " + " | ".join(row) + " |" for row in _clean_rows(report)]
    lines += [
        "",
        "Where our own schedule explains the reference's closes at most 1 % worse than the best path, it is the",
        "recovery: a clean pair's rolls are ours, however near its contracts lie. Elsewhere, where neighbouring",
        "contracts lie within a few ticks of each other, fingerprinting may skip one: the penalty of a switch (40",
        "ticks) is more than its distance adds up to until the next roll, or both close alike on several",
        "sessions. The certificate names such stretches (`INDISTINGUISHABLE_CONTRACTS`) and says what it decides",
        "when read again: with our rolls where the reference's closes fit them no worse ([decision",
        "30](decisions/0030-fault-power.md)).",
        "",
    ]
    return "\n".join(lines)


def _rows(report: study.PowerReport, emphasise: Callable[[str], str]) -> list[list[str]]:
    rows = []
    for power in report.defects:
        detections = (*power.layers.values(), power.ledger, power.decisions["WATCH"], power.decisions["REJECT"])
        texts = ["" if detection is None else f"{detection.size:g}" for detection in detections]
        smallest = "" if power.smallest is None else f"{power.smallest:g}"
        rows.append([_defect(power), *(emphasise(text) if text and text == smallest else text for text in texts)])
    return rows


def _defect(power: study.DefectPower) -> str:
    """A defect, what it is, and the unit of its sizes."""
    return f"{power.defect}: {power.text} ({power.unit})"


def _clean_rows(report: study.PowerReport) -> list[list[str]]:
    return [
        [
            name.replace("_", " "),
            str(clean.pairs),
            str(clean.alarms),
            str(clean.not_accepted),
            str(clean.not_accepted_when_read_again),
        ]
        for name, clean in report.clean.items()
    ]


def _lines(report: study.PowerReport, on: Terminal) -> list[str]:
    columns = (
        Column("defect"), *(Column(name, right=True) for name in study.LAYERS), Column("ledger", right=True, least=80),
        Column("WATCH", right=True), Column("REJECT", right=True),
    )  # fmt: skip
    cells = [
        (power.defect, *rest)
        for power, (_, *rest) in zip(report.defects, _rows(report, lambda text: text), strict=True)
    ]
    alarms = sum(clean.not_accepted for clean in report.clean.values())
    pairs = sum(clean.pairs for clean in report.clean.values())
    verdict = [
        f"POWER: {len(report.defects)} defects, {alarms} of {pairs} clean pairs not accepted",
        "generated market",
    ]
    lines = [*screens.parts(verdict, on), "", *screens.table(columns, cells, on), ""]
    said = "the smallest size that each layer detects; ledger: named as the largest component; empty: never"
    facts = {"Cells": said} | {str(power.defect): f"{power.text} ({power.unit})" for power in report.defects}
    lines += screens.facts(facts, on)
    clean = [Column(_CLEAN_HEADINGS[0]), *(Column(name, right=True) for name in _CLEAN_HEADINGS[1:-1])]
    clean.append(Column(_CLEAN_HEADINGS[-1], right=True, least=80))
    return [*lines, "", *screens.table(clean, _clean_rows(report), on)]


if __name__ == "__main__":
    sys.stdout.write(markdown(study.measure(certify)))
