"""Files that somebody asked for beside what a command prints: a page with pictures, tables for other programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ctl import store

if TYPE_CHECKING:
    from ctl.model.certificate import Certificate
    from ctl.reports import Report
    from ctl.reports.tables import Priced


def write_page(path: Path, made: Report) -> str:
    """Write a report where somebody asked for it; its path as it is told."""
    from ctl import reports

    store.write_atomic(path.absolute(), reports.page(made).encode())
    return str(path)


def write_tables(path: Path, frames: Mapping[str, Priced]) -> list[str]:
    """Write tables where somebody asked for them; their paths as they are told."""
    from ctl.reports import tables

    made = tables.files(path, frames)
    for file, content in made.items():
        store.write_atomic(file.absolute(), content)
    return [str(file) for file in made]


def certificate_tables(certificates: Sequence[Certificate]) -> dict[str, Priced]:
    """Every table of some certificates, and their checks, by name; of several each with its symbol in front."""
    from ctl.reports.tables import Priced

    found: dict[str, Priced] = {}
    for certificate in certificates:
        before = f"{certificate.symbol}_" if len(certificates) > 1 else ""
        found[f"{before}checks"] = Priced(certificate.to_polars(), None)
        for name, frame in certificate.tables.items():
            found[f"{before}{name.removesuffix('.csv')}"] = Priced(frame, certificate.tick)
    return found
