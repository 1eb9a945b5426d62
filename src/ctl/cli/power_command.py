"""`ctl certify --power`: the smallest size at which each defect is told, and false alarms on clean pairs."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ctl import __version__, continuous
from ctl.certification import CertifyRequest
from ctl.certification import certify as certify_request
from ctl.cli import output
from ctl.errors import EXIT_OK
from ctl.flows.functional import functional_input
from ctl.flows.terms import CertifyTerms
from ctl.model.rolls import RollPolicy
from ctl.power import study, vendor_pairs

if TYPE_CHECKING:
    from collections.abc import Callable

    from ctl.model.certificate import Certificate
    from ctl.model.rolls import ContinuousSeries, ScheduledRoll

MAX_DAY_DELTA: Final = 3
_HEADINGS: Final = ("defect", *study.LAYERS, "ledger", "WATCH", "REJECT")
_CLEAN_HEADINGS: Final = ("clean pairs", "pairs", "something is told", "not accepted", "nor when read again")


def run(*, json: bool) -> int:
    """Measure and print."""
    with output.progress("injecting defects"):
        report = study.measure(certify_pair)
    if json:
        output.print_json(report.document())
    else:
        _print(report)
    return EXIT_OK


def certify_pair(pair: vendor_pairs.VendorPair) -> Certificate:
    """A generated pair the way a workspace's symbol goes: built, run on both sides, rebuilt, certified."""
    policy = RollPolicy()
    series = continuous.build(pair.contracts, policy)
    terms = CertifyTerms(pair.tick, MAX_DAY_DELTA, "points", None, slippage_per_side=pair.tick)

    def rebuild(schedule: tuple[ScheduledRoll, ...]) -> ContinuousSeries:
        return continuous.build(pair.contracts, replace(policy, kind="schedule", schedule=schedule))

    return certify_request(
        CertifyRequest(
            symbol=pair.root,
            root=pair.root,
            tick=pair.tick,
            max_day_delta=MAX_DAY_DELTA,
            quote_unit=terms.quote_unit,
            contracts=pair.contracts,
            canonical=series,
            reference=pair.reference,
            calendar_sessions=pair.sessions,
            rebuild=rebuild,
            functional=functional_input(pair.root, series, pair.reference, terms),
            package_version=__version__,
        )
    )


def markdown(report: study.PowerReport) -> str:
    """The report as the page that the repository carries (docs/certification_power.md)."""
    market = report.market
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
    for found in report.powers:
        cells = {**found.layers, "ledger": found.ledger, **found.decisions}
        lines += [
            f"| {found.ladder.kind} | {name} | {detection.size:g} | {detection.text.replace('|', '/')} |"
            for name, detection in cells.items()
            if detection is not None and name not in found.decisions
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
        "Where neighbouring contracts lie within a few ticks of each other, fingerprinting may skip a contract: the",
        "penalty of a switch (40 ticks) is more than the other contract's distance adds up to until the next roll. Or",
        "both close alike on several sessions, and the earliest of equal dates is not ours. The certificate names such",
        "stretches (`INDISTINGUISHABLE_CONTRACTS`) and says what it decides when read again: with our rolls where the",
        "reference's closes fit them no worse. Either policy decides on the path of least cost nevertheless, as",
        "specified ([decision 30](decisions/0030-fault-power.md)).",
        "",
    ]
    return "\n".join(lines)


def _rows(report: study.PowerReport, emphasise: Callable[[str], str]) -> list[list[str]]:
    rows = []
    for found in report.powers:
        detections = (*found.layers.values(), found.ledger, found.decisions["WATCH"], found.decisions["REJECT"])
        texts = ["" if detection is None else f"{detection.size:g}" for detection in detections]
        smallest = "" if found.smallest is None else f"{found.smallest:g}"
        rows.append(
            [_defect(found.ladder), *(emphasise(text) if text and text == smallest else text for text in texts)]
        )
    return rows


def _defect(ladder: study.Ladder) -> str:
    """A defect, what it is, and the unit of its sizes."""
    return f"{ladder.kind}: {ladder.text} ({ladder.unit})"


def _clean_rows(report: study.PowerReport) -> list[list[str]]:
    return [
        [
            text,
            str(report.clean_pairs),
            str(len(report.alarms(flat=flat))),
            str(report.refused(flat=flat)),
            str(report.unexplained(flat=flat)),
        ]
        for text, flat in (("gaps of 16 ticks or more", False), ("gaps of a few ticks", True))
    ]


def _print(report: study.PowerReport) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    def narrow(title: str) -> Table:
        return Table(
            title=title, title_justify="left", box=box.SIMPLE, pad_edge=False, show_edge=False, collapse_padding=True
        )

    table = narrow("Smallest size of a defect at which each layer says so (generated market)")
    for n, heading in enumerate(_HEADINGS):
        table.add_column(heading, justify="left" if n == 0 else "right", overflow="fold")
    for found, (_, *cells) in zip(report.powers, _rows(report, lambda text: f"[bold]{text}[/bold]"), strict=True):
        table.add_row(found.ladder.kind, *cells)
    clean = narrow("False alarms")
    for n, heading in enumerate(_CLEAN_HEADINGS):
        clean.add_column(heading, justify="left" if n == 0 else "right")
    for row in _clean_rows(report):
        clean.add_row(*row)
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)
    print("ledger: named as the largest component; empty: never, up to the largest size tried")
    for found in report.powers:
        print(_defect(found.ladder))
    console.print()
    console.print(clean)


if __name__ == "__main__":
    sys.stdout.write(markdown(study.measure(certify_pair)))
