"""`python -m benchmarks`: every figure a ratio against a named peer of the same run, as a table and as JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from benchmarks import (
    builds,
    certification,
    commands,
    decode,
    environments,
    history,
    reconciliation,
    roots,
    scaling,
    strategy,
)
from benchmarks.measure import Figure

_DEFAULT = Path("data") / "bench" / "bench.json"


def main(argv: list[str] | None = None) -> int:
    """Run the sections named (default: all), print the table, write the JSON. Exit 0 also where a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    sections = ("b1", "build", "decode", "certify", "commands", "history", "scale", "roots")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(sections)}; default: all")
    parser.add_argument("--repeats", type=int, default=7, help="rounds; every contender runs once in each (default 7)")
    parser.add_argument(
        "--roots", type=int, nargs="+", default=roots.SIZES, metavar="N",
        help=f"roots of the section of that name, 20 years each (default {' '.join(map(str, roots.SIZES))}; e.g. 500)",
    )  # fmt: skip
    parser.add_argument("--peers", type=Path, metavar="PYTHON", help="interpreter that has vectorbt and backtesting")
    parser.add_argument("--install-peers", action="store_true", help="make .venv-bench with the pinned peers first")
    parser.add_argument("--out", type=Path, default=_DEFAULT, help=f"JSON file (default {_DEFAULT})")
    arguments = parser.parse_args(argv)
    chosen = arguments.sections or list(sections)
    unknown = sorted(set(chosen) - set(sections))
    if unknown or min(arguments.repeats, *arguments.roots) < 1:
        parser.error(f"no section {unknown[0]!r}" if unknown else "--repeats and --roots must be at least 1")

    if arguments.install_peers:
        environments.install_peers()
    python = environments.peer_python(arguments.peers)
    repeats = arguments.repeats
    runs: dict[str, Callable[[], list[Figure]]] = {
        "b1": lambda: strategy.figures(python, repeats),
        "build": lambda: builds.figures(repeats),
        "decode": lambda: decode.figures(repeats),
        "certify": lambda: certification.figures(repeats),
        "commands": lambda: commands.figures(repeats),
        "history": lambda: history.figures(repeats),
    }
    found: list[Figure] = []
    for name, section in runs.items():
        if name in chosen:
            print(f"{name} ...", file=sys.stderr, flush=True)
            found += section()
    grown: list[scaling.Growth] = []
    if "scale" in chosen:
        print("scale ...", file=sys.stderr, flush=True)
        grown = scaling.growths(repeats)
    spent: list[roots.Cost] = []
    if "roots" in chosen:
        print("roots ...", file=sys.stderr, flush=True)
        spent, over_roots = roots.grown(arguments.roots)
        grown += over_roots
    reconciled: list[reconciliation.Reconciled] = []
    if "b1" in chosen:
        print("b1, trade by trade ...", file=sys.stderr, flush=True)
        reconciled = reconciliation.reconcile(python)
    _show(found, grown, spent)
    if reconciled:
        _show_reconciled(reconciled)
    _write(found, grown, spent, reconciled, arguments.out, repeats)
    print(f"written: {arguments.out}", file=sys.stderr)
    return 0


def _show(found: list[Figure], grown: list[scaling.Growth], spent: list[roots.Cost]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(
        title="Speed against named peers of the same run (medians; above 1x we are faster)",
        caption=f"{os.cpu_count()} cores, load average {_load():.1f}: seconds follow the load, ratios hardly do",
    )
    for heading in ("job", "ours", "peer"):
        table.add_column(heading, overflow="fold")
    table.add_column("ratio", justify="right", no_wrap=True)
    for heading in ("target", "reconciled"):
        table.add_column(heading, overflow="fold")
    for figure in found:
        if figure.ratio == 0.0:
            table.add_row(figure.job, figure.rate, figure.peer, "not run", "", figure.note)
            continue
        target = f">= {figure.target:,.0f}x" if figure.target is not None else ""
        target = f"<= {figure.most:g} s" if figure.most is not None else target
        target += {True: " met", False: " MISSED", None: ""}[figure.met]
        peer = f"{figure.peer}, {_seconds(figure.peer_seconds)}"
        ours = f"{figure.ours}: {figure.rate or _seconds(figure.seconds)}"
        remark = "; ".join(text for text in (figure.agreement, figure.note) if text)
        digits = 1 if figure.ratio < 100 else 0
        times = f"{figure.ratio:,.{digits}f}x" if figure.ratio >= 1 else f"{figure.ratio:.3f}x"
        table.add_row(figure.job, ours, peer, times, target, remark)
    console = Console(width=None if sys.stdout.isatty() else 180)
    if found:
        console.print(table)
    for line in (*spent, *roots.targets(spent)):
        console.print(line.line)
    for growth in grown:
        points = ", ".join(
            f"{size:,}: {_seconds(seconds)}" for size, seconds in zip(growth.sizes, growth.seconds, strict=True)
        )
        console.print(f"{growth.job}: log-log slope {growth.exponent:.2f} ({points})")


def _show_reconciled(found: list[reconciliation.Reconciled]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"B1 trade by trade, {reconciliation.SYMBOLS} symbols: bars, prices and fills within 1e-9")
    for heading in ("tape", "peer"):
        table.add_column(heading, overflow="fold")
    for heading in ("ours", "theirs", "equal", "unequal", "only ours", "only theirs", "largest fill difference"):
        table.add_column(heading, justify="right")
    table.add_column("why", overflow="fold")
    for item in found:
        counts = (item.ours, item.theirs, item.equal, item.unequal, item.only_ours, item.only_theirs)
        apart = f"{item.largest_fill_difference:.1e}"
        table.add_row(item.tape, item.peer, *(f"{count:,}" for count in counts), apart, item.explanation)
    rules = Table(title="What each peer expresses of the rules")
    for heading in ("rule", *reconciliation.PEERS):
        rules.add_column(heading, overflow="fold")
    for row in reconciliation.EXPRESSED:
        rules.add_row(*row)
    console = Console(width=None if sys.stdout.isatty() else 180)
    console.print(table)
    console.print(rules)


def _load() -> float:
    """Runnable processes over the last minute; 0 where the system does not say."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def _seconds(value: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if value >= size:
            return f"{value / size:,.3g} {unit}" if value < 1000 * size else f"{value / size:,.0f} {unit}"
    return f"{value * 1e9:,.0f} ns"


def _write(
    found: list[Figure],
    grown: list[scaling.Growth],
    spent: list[roots.Cost],
    reconciled: list[reconciliation.Reconciled],
    out: Path,
    repeats: int,
) -> None:
    packages = ("numpy", "numba", "polars", "pandas", "databento")
    document = {
        "machine": {
            "python": platform.python_version(),
            "system": platform.system(),
            "processor": platform.machine(),
            "cores": os.cpu_count(),
            "load_average": _load(),
        },
        "packages": {name: version(name) for name in packages},
        "rounds": repeats,
        "figures": [figure.document() for figure in found],
        "reconciliation": {
            "trades": [item.document() for item in reconciled],
            "expressed": [
                dict(zip(("rule", *reconciliation.PEERS), row, strict=True)) for row in reconciliation.EXPRESSED
            ],
        },
        "roots": [cost.document() for cost in spent],
        "roots_targets": [target.document() for target in roots.targets(spent)],
        "scaling": [growth.document() for growth in grown],
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
