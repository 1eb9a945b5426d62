"""Which of Databento's kinds of records a file holds: what the bars of a series are made of lies in one folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, get_args

from ctl.errors import UsageError
from ctl.ingest.readers import Given, expand
from ctl.ingest.vendor import opened
from ctl.ingest.vendors import databento

Kind = Literal["daily", "definition", "intraday", "statistics"]

_OF_RTYPE: Final[dict[str, Kind]] = {"33": "intraday", "34": "intraday", "24": "statistics", "19": "definition"}


def by_kind(given: Sequence[Given]) -> dict[Kind, list[Path]]:
    """The files meant, folders opened, by what they hold; what is not Databento's is daily."""
    sorted_files: dict[Kind, list[Path]] = {kind: [] for kind in get_args(Kind)}
    for path, _ in expand(given):
        if not isinstance(path, Path):
            raise UsageError(
                "a frame holds daily bars alone", expected="files, where other bars or closes are asked for"
            )
        sorted_files[_kind(path)].append(path)
    return sorted_files


def _kind(path: Path) -> Kind:
    files = opened(path)
    if len(files) != 1:
        return "daily"
    file = files[0]
    if databento.is_dbn(file):
        from ctl.ingest.vendors.databento import dbn, session_bars, settlements

        schema = str(dbn.metadata_of(file.raw)[2].schema)
        if schema == settlements.SCHEMA:
            return "statistics"
        if schema == "definition":
            return "definition"
        return "intraday" if schema in session_bars.SCHEMAS else "daily"
    if not file.text or "rtype" not in file.columns:
        return "daily"
    row = file.text.split(b"\n", 2)[1:2]
    cells = row[0].decode("utf-8", "replace").split(",") if row else []
    place = file.columns.index("rtype")
    return _OF_RTYPE.get(cells[place].strip('" '), "daily") if place < len(cells) else "daily"
