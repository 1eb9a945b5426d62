"""The [risk] table of ctl.toml."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from ctl.errors import WorkspaceError
from ctl.model.orders import Brake, SizeCaps
from ctl.store.workspace import parse

HEAD = 'schema_version = 1\ncycle_id = "c"\nprofile = "p.yaml"\n'
TABLE = """
[risk]
equity = 250_000
currency = "USD"
r_percent = 0.5
max_open_r = 4
max_daily_loss_r = 2.0
max_weekly_loss_r = 4.0
max_monthly_loss_r = 6.0

[[risk.brakes]]
drawdown_r = 8.0
factor = 0.5

[[risk.brakes]]
drawdown_r = 16.0
factor = 0
"""


def test_the_table_says_what_one_r_is(tmp_path: Path) -> None:
    risk = parse((HEAD + TABLE).encode(), tmp_path).risk
    assert risk is not None
    assert risk.r_money == 1_250.0
    assert (risk.rate("USD"), risk.rate("EUR"), risk.since) == (1.0, None, None)


def test_rates_and_since_are_read(tmp_path: Path) -> None:
    text = HEAD + TABLE.replace("r_percent", "since = 2026-01-05\nr_percent") + "[risk.rates]\nEUR = 1.1\n"
    risk = parse(text.encode(), tmp_path).risk
    assert risk is not None
    assert (risk.rate("EUR"), risk.since) == (1.1, date(2026, 1, 5))


def test_brakes_and_caps_are_read(tmp_path: Path) -> None:
    text = HEAD + TABLE.replace("r_percent", "max_contracts = 20\nr_percent")
    risk = parse(text.encode(), tmp_path).risk
    assert risk is not None
    assert risk.brakes == (Brake(8.0, 0.5), Brake(16.0, 0.0))
    assert [risk.factor(drawdown) for drawdown in (0.0, 7.9, 8.0, 15.9, 16.0)] == [1.0, 1.0, 0.5, 0.5, 0.0]
    assert (risk.caps.max_contracts, risk.min_risk_atr_sizing) == (20, 1.0)
    assert risk.caps_of("ES") == SizeCaps(max_contracts=20, max_notional=750_000.0)


def test_no_table_is_no_budget(tmp_path: Path) -> None:
    assert parse(HEAD.encode(), tmp_path).risk is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("equity = 250_000\n", "", "risk.equity: found nothing"),
        ("equity = 250_000", "equity = 0", "risk.equity: found 0; expected a number above 0"),
        ("r_percent = 0.5", "r_percent = 101", "risk.r_percent"),
        ("factor = 0.5", "factor = 1.5", "risk.brakes[0].factor"),
        ("drawdown_r = 16.0", "drawdown_r = 8.0", "a deeper drawdown and a smaller factor than 8.0 R, factor 0.5"),
        ("factor = 0\n", "factor = 0.5\n", "a deeper drawdown and a smaller factor"),
        ("max_open_r = 4", "max_open_r = 4\nmin_risk_atr_sizing = -1", "risk.min_risk_atr_sizing"),
        ("max_open_r = 4", "max_open_r = 4\nmax_contracts = 0", "risk.max_contracts"),
        ("factor = 0\n", "factor = 0\n[risk.symbols.XX]\nmax_contracts = 1\n", "a symbol under [symbols]"),
        ("factor = 0\n", "factor = 0\n[risk.symbols.XX]\nmargin = 1\n", "both, or neither"),
        ("max_open_r = 4", "max_open_r = inf", "risk.max_open_r"),
        ("max_open_r = 4", "max_open_r = true", "risk.max_open_r"),
        ("max_open_r = 4", 'max_open_r = 4\nsince = "2026-01-05"', "risk.since"),
        ("max_open_r = 4", "max_open_r = 4\nmax_open = 3", "risk.max_open: found an unknown key"),
        ("max_open_r = 4", "max_open_r = 4\nrates = { EUR = -1 }", "risk.rates"),
        ("max_open_r = 4", "max_open_r = 4\nrates = { USD = 2 }", "risk.rates.USD: found 2; expected none for USD"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(WorkspaceError) as caught:
        parse((HEAD + TABLE.replace(old, new)).encode(), tmp_path)
    assert any(said in text for text in (str(caught.value), *caught.value.problems))


def test_a_misspelt_top_table_names_risk_among_the_known(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"riks: found an unknown key; expected one of .*risk"):
        parse((HEAD + TABLE.replace("[risk]", "[riks]")).encode(), tmp_path)
