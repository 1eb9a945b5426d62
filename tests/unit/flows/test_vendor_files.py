"""Which file is which: path patterns, whole tokens, several references, and never one's own reference."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from vendor_workspace import DAYS, contracts, series, workspace

from ctl.errors import CtlError, InputError
from ctl.flows import inputs, vendor_files

OURS = '[vendors.ours]\nformat = "csv"\nadjusted = "ours/{symbol}.csv"\n'


def refused(read: object) -> str:
    with pytest.raises(CtlError) as caught:
        read()  # type: ignore[operator]
    return caught.value.code


def theirs(*lines: str, form: str = "csv") -> str:
    return f'[vendors.theirs]\nformat = "{form}"\n' + "".join(f"{line}\n" for line in lines)


def test_a_pair_of_any_format_is_read_by_its_patterns(tmp_path: Path) -> None:
    contracts(tmp_path / "ours/C.csv", "C")
    series(tmp_path / "ref/C_x.csv", 90.0)
    series(tmp_path / "ref/C_y.csv", 110.0)
    vendors = '[vendors.ours]\nformat = "csv"\ncontracts = "ours/{root}.csv"\n' + theirs(
        'adjusted = "ref/{symbol}_x.csv"', 'unadjusted = "ref/{symbol}_y.csv"'
    )
    held = inputs.read_symbol(workspace(tmp_path, vendors, ("C", "future", 'reference = "theirs"')), "C")
    assert held.contracts is not None
    assert [contract.name for contract in held.contracts.contracts] == ["CH24", "CM24"]
    reference = held.reference
    assert reference is not None
    assert reference.adjusted is not None
    assert reference.unadjusted is not None
    assert (reference.adjusted.frame["close"][0], reference.unadjusted.frame["close"][0]) == (90.5, 110.5)
    notes = reference.adjusted.meta.notes
    assert "adjusted from ref/C_x.csv" in notes
    assert "unadjusted from ref/C_y.csv" in notes


@pytest.mark.parametrize(
    ("symbol", "pattern", "file", "fits"),
    [
        ("C", "*{symbol}*.csv", "F_CL.csv", False),
        ("C", "*{symbol}*.csv", "F_C.csv", True),
        ("C", "*{symbol}*.csv", "C_2024.csv", True),
        ("C", "*{symbol}*.csv", "ABC.csv", False),
        ("CL", "F_{symbol}.csv", "F_CL.csv", True),
        ("C", "F_{symbol}L.csv", "F_CL.csv", True),
        ("C", "?_{symbol}.csv", "F_C.csv", True),
        ("C", "{symbol}?.csv", "CL.csv", False),
        ("C", "{symbol}*/x.csv", "CL/x.csv", False),
        ("C", "{symbol}/x.csv", "C/x.csv", True),
        ("C", "*{symbol}*.csv", ".C.csv", False),
    ],
)
def test_a_symbol_in_a_pattern_is_a_whole_token(
    tmp_path: Path, symbol: str, pattern: str, file: str, fits: bool
) -> None:
    series(tmp_path / "ours" / file)
    vendors = f'[vendors.ours]\nformat = "csv"\nadjusted = "ours/{pattern}"\n'
    space = workspace(tmp_path, vendors, (symbol, "equity", ""))
    if fits:
        assert inputs.read_symbol(space, symbol).equity is not None
    else:
        assert refused(lambda: inputs.read_symbol(space, symbol)) == "INPUT_MISSING"


def test_contract_files_of_a_root_are_not_those_of_a_longer_one(tmp_path: Path) -> None:
    contracts(tmp_path / "ours/CH24.csv", "C")
    contracts(tmp_path / "ours/CLH24.csv", "CL")
    vendors = '[vendors.ours]\nformat = "csv"\ncontracts = "ours/{root}*.csv"\n'
    space = workspace(tmp_path, vendors, ("C", "future", ""), ("CL", "future", ""))
    assert inputs.read_contracts(space, "C").roots == ("C",)
    assert inputs.read_contracts(space, "CL").roots == ("CL",)


def test_the_newest_of_several_exports_is_taken_and_said(tmp_path: Path) -> None:
    series(tmp_path / "ours/A_1.csv", 10.0, DAYS[:30])
    series(tmp_path / "ours/A_0.csv", 20.0, DAYS[:31])
    vendors = '[vendors.ours]\nformat = "csv"\nadjusted = "ours/{symbol}_*.csv"\n'
    equity = inputs.read_symbol(workspace(tmp_path, vendors, ("A", "equity", "")), "A").equity
    assert equity is not None
    assert equity.frame["close"][0] == 20.5
    assert "adjusted from ours/A_0.csv" in equity.meta.notes
    assert any(note.startswith("A_0.csv chosen by its last session") for note in equity.meta.notes)


def test_the_newest_of_dated_norgate_exports_is_taken_and_what_is_assumed_is_said(tmp_path: Path) -> None:
    contracts(tmp_path / "ours/KC.csv", "KC")
    series(tmp_path / "ref/NG_KC_1D_20260101_20261127.csv", 10.0, DAYS[:30])
    series(tmp_path / "ref/NG_KC_1D_20260101_20261120.csv", 20.0, DAYS[:31])
    vendors = '[vendors.ours]\nformat = "csv"\ncontracts = "ours/{root}.csv"\n' + theirs('path = "ref"', form="norgate")
    space = workspace(tmp_path, vendors, ("KC", "future", 'reference = "theirs"'))
    reference = inputs.read_symbol(space, "KC").reference
    assert reference is not None
    assert reference.unadjusted is not None
    assert (reference.adjusted, reference.unadjusted.frame["close"][0]) == (None, 20.5)
    chosen, taken = reference.unadjusted.meta.notes[-2:]
    assert chosen.startswith("NG_KC_1D_20260101_20261120.csv chosen by its last session")
    assert "name it in vendors.theirs.adjusted" in taken


def test_what_a_vendor_calls_a_symbol_stands_in_its_pattern(tmp_path: Path) -> None:
    series(tmp_path / "ours/apple.csv")
    space = workspace(tmp_path, OURS, ("AAPL", "equity", 'vendor_symbols = { ours = "apple" }'))
    assert inputs.read_symbol(space, "AAPL").equity is not None


def test_one_file_is_not_both_series(tmp_path: Path) -> None:
    series(tmp_path / "ours/A.csv")
    series(tmp_path / "ref/A.csv")
    vendors = OURS + theirs('adjusted = "ref/{symbol}.csv"', 'unadjusted = "ref/{symbol}*.csv"')
    space = workspace(tmp_path, vendors, ("A", "equity", 'reference = "theirs"'))
    assert refused(lambda: inputs.read_symbol(space, "A")) == "SAME_FILE_TWICE"


def test_an_unknown_format_is_refused_by_name(tmp_path: Path) -> None:
    series(tmp_path / "ours/A.csv")
    space = workspace(tmp_path, OURS + theirs('path = "ref"', form="tradstation"), ("A", "equity", ""))
    with pytest.raises(CtlError) as caught:
        inputs.read_symbol(space, "A")
    assert caught.value.code == "UNKNOWN_FORMAT"
    assert "vendors.theirs.format 'tradstation'" in str(caught.value)
    assert "tradestation" in (caught.value.expected or "")


@pytest.mark.parametrize("how", ["same path", "copy", "renamed", "same vendor"])
def test_nobody_is_his_own_reference(tmp_path: Path, how: str) -> None:
    file = series(tmp_path / "ours/A.csv")
    (tmp_path / "ref").mkdir()
    pattern, named = "ref/{symbol}.csv", "theirs"
    if how == "same path":
        pattern = "ours/{symbol}.csv"
    elif how == "copy":
        shutil.copy(file, tmp_path / "ref/A.csv")
    elif how == "renamed":
        (tmp_path / "ref/A.csv").hardlink_to(file)
    else:
        named = "ours"
        series(tmp_path / "ref/A.csv", 50.0)
    space = workspace(tmp_path, OURS + theirs(f'adjusted = "{pattern}"'), ("A", "equity", f'reference = "{named}"'))
    assert refused(lambda: inputs.read_symbol(space, "A")) == "OWN_REFERENCE"
    assert inputs.read_symbol(space, "A", with_reference=False).equity is not None


def test_reference_contracts_are_not_ours_either(tmp_path: Path) -> None:
    contracts(tmp_path / "ours/C.csv", "C")
    series(tmp_path / "ref/C.csv", 90.0)
    vendors = '[vendors.ours]\nformat = "csv"\ncontracts = "ours/{root}.csv"\n' + theirs(
        'adjusted = "ref/{symbol}.csv"', 'contracts = "ours/{root}.csv"'
    )
    space = workspace(tmp_path, vendors, ("C", "future", 'reference = "theirs"'))
    assert refused(lambda: inputs.read_symbol(space, "C", with_alternatives=True)) == "OWN_REFERENCE"


def test_the_first_reference_decides_and_any_can_be_asked_for(tmp_path: Path) -> None:
    series(tmp_path / "ours/A.csv")
    series(tmp_path / "ref/A.csv", 50.0)
    series(tmp_path / "third/A.csv", 70.0)
    third = '[vendors.third]\nformat = "csv"\nadjusted = "third/{symbol}.csv"\n'
    lines = 'references = ["third", "theirs"]'
    space = workspace(tmp_path, OURS + third + theirs('adjusted = "ref/{symbol}.csv"'), ("A", "equity", lines))

    def closes(name: str | None) -> float:
        reference = inputs.read_symbol(space, "A", reference=name).reference
        assert reference is not None
        assert reference.adjusted is not None
        return float(reference.adjusted.frame["close"][0])

    assert [closes(name) for name in (None, "third", "theirs")] == [70.5, 70.5, 50.5]
    with pytest.raises(CtlError, match="no vendor of the workspace; found nobody"):
        closes("nobody")


@pytest.mark.parametrize(
    ("line", "folder"),
    [
        ('path = "raw"', "raw/C"),
        ('contracts = "raw"', "raw/C"),
        ('contracts = "raw/{root}"', "raw/C"),
        ('contracts = "raw/{root}/*.dbn.zst"', "raw/C"),
        ('contracts = "raw/{root}*.dbn"', "raw"),
        ('contracts = "raw/{symbol}.csv"', "raw"),
        ('contracts = "*/{symbol}/x"', None),
    ],
)
def test_new_files_go_where_they_will_be_found(tmp_path: Path, line: str, folder: str | None) -> None:
    space = workspace(tmp_path, f'[vendors.ours]\nformat = "databento"\n{line}\n', ("C", "future", ""))

    def found() -> Path | None:
        return vendor_files.folder_to_fill(space, space.symbol("C"), space.vendors["ours"], "contracts")

    if folder is None:
        assert refused(found) == "USAGE"
    else:
        assert found() == tmp_path / folder
    assert vendor_files.folder_to_fill(space, space.symbol("C"), space.vendors["ours"], "intraday") is None


def test_missing_files_name_the_pattern_with_the_symbol_in_it(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        inputs.read_symbol(workspace(tmp_path, OURS, ("A", "equity", "")), "A")
    assert (caught.value.code, caught.value.expected) == ("INPUT_MISSING", "ours/A.csv")
