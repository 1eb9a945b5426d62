"""A workspace's own instruments: used wherever terms, months and calendar are, never against what others say."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from vendor_workspace import contracts, workspace

from ctl import ingest, store
from ctl.errors import CtlError
from ctl.flows import build, contract_list, inputs

NOW = datetime(2026, 1, 1, tzinfo=UTC)
VENDORS = """
[vendors.ours]
format = "csv"
contracts = "ours/{root}.csv"
"""
OWN = """
[instruments.QQQ]
exchange = "X"
calendar = "XNYS"
currency = "USD"
quote_unit = "USD"
tick = 0.01
point_value = 1.0
liquid_months = "HM"
terms = "quick"

[[terms.quick]]
last_trade = "10th bd"
first_notice = "none"
source = "ours"
"""


@pytest.fixture
def space(tmp_path: Path) -> store.Workspace:
    contracts(tmp_path / "ours/QQQ.csv", "QQQ")
    (tmp_path / "own.toml").write_text(OWN)
    vendors = f'instruments = "own.toml"\n{VENDORS}'
    return workspace(tmp_path, vendors, ("QQQ", "future", ""))


def test_terms_cycle_and_guard_are_those_of_the_own_file(space: store.Workspace) -> None:
    made = build.build_symbol(space, "QQQ", instant=NOW)
    assert made.manifest["policy"]["eligible_months"] == "HM"
    listed = contract_list.of_workspace(space, "QQQ", NOW)
    # The 10th business day of March 2024 is Thursday the 14th, of June 2024 Friday the 14th.
    assert [(each.last_trade, each.last_trade_source) for each in listed.contracts] == [
        (date(2024, 3, 14), "rule"), (date(2024, 6, 14), "rule"),
    ]  # fmt: skip
    assert listed.rules[0].source == "ours"


def test_a_changed_instrument_is_read_and_built_anew(space: store.Workspace) -> None:
    build.build_symbol(space, "QQQ", instant=NOW)
    assert space.instruments is not None
    # H24 trades last on 1 February: it may be held to the third session before it, 29 January.
    space.instruments.write_text(OWN.replace("10th bd", "1st bd of the month before"))
    again = build.build_symbol(space, "QQQ", instant=NOW)
    assert not again.unchanged
    held = inputs.read_symbol(space, "QQQ", with_reference=False, now=NOW, keep=True)
    assert held.contracts is not None
    assert held.contracts.terms["QQQH24"].last_trade == date(2024, 2, 1)
    (roll,) = again.manifest["rolls"]
    assert (roll["reason"], roll["roll_date"]) == ("guard", "2024-01-30")


@pytest.mark.parametrize(("key", "ours"), [("tick = 0.01", "tick = 0.05"), ("XNYS", "CMES"), ("USD", "EUR")])
def test_what_ctl_toml_says_of_the_symbol_must_agree(space: store.Workspace, key: str, ours: str) -> None:
    assert space.instruments is not None
    space.instruments.write_text(OWN.replace(key, ours))
    with pytest.raises(CtlError) as caught:
        inputs.read_symbol(space, "QQQ", now=NOW)
    assert caught.value.code == "INSTRUMENT_CONTRADICTED"
    assert ours.rsplit(maxsplit=1)[-1] in str(caught.value)
    assert key.rsplit(maxsplit=1)[-1] in str(caught.value)


@pytest.mark.parametrize(
    ("own", "both"),
    [
        ("[instruments.ES]\ntick = 0.5\n", ("0.5", "0.25")),
        ('[instruments.ES]\ncurrency = "EUR"\n', ("EUR", "USD")),
        (
            '[[terms.early]]\nlast_trade = "1st Friday"\nfirst_notice = "none"\nsource = "s"\n'
            '[instruments.ES]\nterms = "early"\n',
            ("2018-03-02", "2018-03-16"),
        ),
    ],
)
def test_what_the_vendors_definitions_say_must_agree(
    filled_workspace: Path, tmp_path: Path, own: str, both: tuple[str, str]
) -> None:
    path = tmp_path / "own.toml"
    path.write_text(own)
    folder = filled_workspace / "data/raw/databento/ES"
    bars = ingest.read_contracts([folder], "ES", instruments=ingest.load_instruments(), now=NOW)
    with pytest.raises(CtlError) as caught:
        ingest.require_agreement(bars, ingest.load_instruments(path), path)
    assert caught.value.code == "INSTRUMENT_CONTRADICTED"
    assert [word for word in (*both, "own.toml") if word not in str(caught.value)] == []
    path.write_text('[instruments.ES]\nliquid_months = "HMUZ"\nname = "ours"\n')
    ingest.require_agreement(bars, ingest.load_instruments(path), path)
