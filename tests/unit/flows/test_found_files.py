"""Whose the files of a folder are, where only folders and names say it, and of which roots."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from ctl.errors import InputError
from ctl.flows import first_workspace, found_files, inputs

OWN = """\
schema_version = 1
[instruments.XPW]
exchange = "EEX"
calendar = "XFRA"
currency = "EUR"
quote_unit = "EUR per MWh"
tick = 0.05
point_value = 720.0
liquid_months = "HMUZ"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Contracts of two roots in a folder a root below their vendor's, another vendor's series by symbol."""
    for root in ("ZB", "XPW"):
        for name, first in (("H24", date(2024, 1, 1)), ("M24", date(2024, 2, 1))):
            days = [first + timedelta(days=n) for n in range(30)]
            _write(tmp_path / f"raw/acme/{root}/{root}{name}.csv", "session,contract", days, f",{root}{name}")
        for kind in ("ADJ", "UNADJ"):
            _write(tmp_path / f"raw/rival/{root}_{kind}.csv", "session", [date(2024, 1, 1) + timedelta(days=n)
                                                                          for n in range(60)])  # fmt: skip
    return tmp_path


def _write(path: Path, head: str, days: list[date], cell: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"{day}{cell},100,101,99,100,500" for day in days if day.weekday() < 5]
    path.write_text("\n".join([f"{head},open,high,low,close,volume", *rows, ""]))


def test_contracts_are_the_vendors_whose_folder_holds_their_roots_folder(folder: Path) -> None:
    pairs = found_files.look(folder).pairs()
    assert pairs == {"XPW": (("acme",), ("rival",)), "ZB": (("acme",), ("rival",))}


def test_a_root_that_the_package_does_not_list_needs_an_instruments_file(folder: Path) -> None:
    only = first_workspace.Answers(symbols=("XPW",))
    with pytest.raises(InputError, match=r"instruments\.toml"):
        first_workspace.draft(found_files.look(folder), folder, only)
    own = folder / inputs.OWN_INSTRUMENTS
    own.write_text(OWN)
    made = first_workspace.draft(found_files.look(folder, own), folder, only)
    (symbol,) = made.symbols
    assert (symbol.tick, symbol.point_value, symbol.currency, symbol.calendar) == (0.05, 720.0, "EUR", "XFRA")
    workspace = first_workspace.write_configuration(folder, made)
    assert workspace.instruments == own
