"""A vendor format is one module and one line: the example of `docs/extending/vendor.md`, added and removed."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from types import ModuleType

import pytest

import ctl
from ctl import ingest
from ctl.errors import InputError
from ctl.ingest import vendors

PAGE = Path(__file__).resolve().parents[3] / "docs" / "extending" / "vendor.md"


@pytest.fixture
def kestrel(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The page's module, registered for one test."""
    source = re.search(r"```python\n(\"\"\"Kestrel.*?)```", PAGE.read_text(), re.DOTALL)
    assert source is not None
    module = ModuleType("kestrel")
    exec(compile(source[1], str(PAGE), "exec"), module.__dict__)  # noqa: S102 - our own page
    first, *rest = vendors.VENDORS
    monkeypatch.setattr(vendors, "VENDORS", (first, module, *rest))
    return module


@pytest.fixture
def file(write) -> Path:
    """The page's file."""
    lines = re.search(r"( {4}KESTREL.*?)\n\n", PAGE.read_text(), re.DOTALL)
    assert lines is not None
    return write("kestrel_es.txt", lines[1].replace("    ", "") + "\n")


def test_the_example_reads_its_file_through_the_public_function(kestrel, file):
    series = ctl.load(file)
    assert (series.meta.root, series.meta.vendor, series.meta.close_basis) == ("ES", "kestrel", "settlement")
    assert series.frame.select("session", "open", "high", "low", "close", "volume").rows() == [
        (date(2025, 1, 6), 5985.25, 6011.5, 5962.0, 5971.75, 1204113),
        (date(2025, 1, 7), 5972.0, 5994.25, 5900.5, 5909.25, 1534209),
    ]
    files = ingest.find_files("kestrel", file.parent, "es")
    assert (files.adjusted, files.unadjusted) == ((), (file,))


def test_the_example_is_held_to_the_rules_of_all(kestrel, file, write):
    damaged = write("kestrel_bad.txt", file.read_text().replace("5994.25", "5994,25"))
    with pytest.raises(InputError, match=r"kestrel_bad\.txt: row 3, column 'high': not a number; found '5994,25'"):
        ctl.load(damaged)
    with pytest.raises(InputError, match=r"another file.*SYMBOL=NQ"):
        ctl.load(file, symbol="NQ")
    with pytest.raises(InputError, match="it does not say the contract of each bar"):
        ctl.load(file, root="ES")


def test_unregistered_it_is_unknown_again(file):
    with pytest.raises(InputError, match="no known header"):
        ctl.load(file)
    with pytest.raises(InputError, match="unknown vendor format; found 'kestrel'; expected databento, tradestation"):
        ingest.find_files("kestrel", file.parent, "ES")
