"""Last trade and first notice of every contract: which source wins, what rules give, what is said where none does."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import polars as pl
import pytest

from ctl.errors import InputError
from ctl.ingest import load_instruments, read_contracts
from ctl.ingest.terms import complete
from ctl.model.bars import ContractTerms
from ctl.model.contracts import MONTH_CODES, Contract, parse_symbol

HEADER = "session,contract,open,high,low,close,volume"


def terms_of(instruments, name: str, stated: ContractTerms | None = None) -> ContractTerms:
    parsed = parse_symbol(name)
    assert parsed is not None
    contract = Contract(2000 + parsed.year, parsed.month, parsed.root)
    assert contract.name == name
    return complete([contract], {} if stated is None else {name: stated}, instruments)[name]


# The exchanges' published dates.
@pytest.mark.parametrize(
    ("name", "last_trade", "first_notice"),
    [
        ("ESH08", date(2008, 3, 20), None),
        ("ESM26", date(2026, 6, 18), None),
        ("CLF09", date(2008, 12, 19), None),
        ("CLK20", date(2020, 4, 21), None),
        ("LEJ13", date(2013, 4, 30), date(2013, 4, 8)),
        ("BRNG24", date(2023, 12, 28), None),
        ("GCZ25", date(2025, 12, 29), date(2025, 11, 28)),
        ("ZCZ24", date(2024, 12, 13), date(2024, 11, 29)),
        ("ZNM25", date(2025, 6, 18), date(2025, 5, 30)),
        ("KCK24", date(2024, 5, 20), date(2024, 4, 22)),
        ("CTK24", date(2024, 5, 8), date(2024, 4, 24)),
        ("NGF25", date(2024, 12, 27), None),
    ],
)
def test_published_dates(instruments, name, last_trade, first_notice):
    found = terms_of(instruments, name)
    assert (found.last_trade, found.last_trade_source) == (last_trade, "rule")
    assert found.first_notice == first_notice
    assert found.first_notice_source == ("none" if first_notice is None else "rule")


@pytest.mark.parametrize(
    ("stem", "root", "contracts"),
    [("copper", "HG", 184), ("corn", "C", 74), ("heating_oil", "HO", 198), ("soybean", "S", 117)],
)
def test_rules_reproduce_the_stated_last_trade_dates_of_real_files(shared, instruments, stem, root, contracts):
    bars = read_contracts([shared / f"contracts/bloomberg_settles/{stem}.csv"], root, instruments=instruments)
    assert Counter(terms.last_trade_source for terms in bars.terms.values()) == {"column": contracts}
    ruled = complete(bars.contracts, {}, instruments)
    assert {name for name, terms in bars.terms.items() if ruled[name].last_trade != terms.last_trade} == set()
    assert Counter(terms.last_trade_source for terms in ruled.values()) == {"rule": contracts}


def test_every_shipped_rule_names_days_near_delivery(instruments):
    """From four months before to the end of the delivery month, notice never after the last trade date."""
    for root in instruments:
        contracts = [Contract(year, month, root) for year in (1998, 2018, 2025) for month in range(1, 13)]
        for contract, terms in zip(contracts, complete(contracts, {}, instruments).values(), strict=True):
            first = date(contract.year, contract.month, 1)
            for day in (terms.last_trade, terms.first_notice):
                assert day is None or first - timedelta(days=120) <= day < first + timedelta(days=31), (root, terms)
            if terms.last_trade is not None and terms.first_notice is not None:
                assert terms.first_notice <= terms.last_trade


def test_every_shipped_root_has_rules_with_a_source(instruments):
    assert [root for root in instruments if not instruments.term_rules(root)] == []
    assert all(rule.source for rules in instruments.terms.values() for rule in rules)


def test_a_rule_holds_from_its_first_delivery_month(instruments):
    assert terms_of(instruments, "ZCH00").last_trade == date(2000, 3, 14)
    contract = Contract(1999, 12, "ZC")
    assert complete([contract], {}, instruments)["ZCZ99"].last_trade == date(1999, 12, 21)


def test_what_the_vendor_states_comes_before_the_rule(instruments):
    stated = ContractTerms("CLK20", last_trade=date(2020, 4, 20), last_trade_source="definition", tick=0.01)
    found = terms_of(instruments, "CLK20", stated)
    assert (found.last_trade, found.last_trade_source, found.tick) == (date(2020, 4, 20), "definition", 0.01)
    stated = ContractTerms("GCZ25", first_notice=date(2025, 11, 26), first_notice_source="column")
    found = terms_of(instruments, "GCZ25", stated)
    assert (found.first_notice, found.first_notice_source) == (date(2025, 11, 26), "column")
    assert (found.last_trade, found.last_trade_source) == (date(2025, 12, 29), "rule")
    assert found.end == date(2025, 11, 26)


def test_an_unknown_root_has_an_assumed_notice_and_says_so(instruments):
    found = terms_of(instruments, "QQQQH25")
    assert (found.last_trade, found.last_trade_source) == (None, "unknown")
    # The last weekday before the delivery month: without an instrument there is no calendar.
    assert (found.first_notice, found.first_notice_source) == (date(2025, 2, 28), "assumed")
    assert found.end == date(2025, 2, 28)


def test_settled_in_cash_is_a_value_and_not_unknown(instruments):
    vix = terms_of(instruments, "VXH25")
    assert (vix.last_trade_source, vix.first_notice, vix.first_notice_source) == ("unknown", None, "none")
    assert vix.end is None


def test_days_beyond_the_calendar_are_estimated(tmp_path):
    own = tmp_path / "instruments.toml"
    # exchange_calendars knows Korean holidays for some years ahead only; no weekday is one in this far April.
    own.write_text(
        '[[terms.kospi]]\nlast_trade = "2nd Thursday"\nfirst_notice = "none"\nsource = "specification"\n'
        '[instruments.KSX]\nname = "Kospi"\nexchange = "KRX"\ncalendar = "XKRX"\ntick = 0.05\npoint_value = 1.0\n'
        'currency = "KRW"\nquote_unit = "points"\nterms = "kospi"\n'
    )
    found = complete([Contract(2150, 4, "KSX"), Contract(2024, 4, "KSX")], {}, load_instruments(own))
    far, near = found["KSXJ50"], found["KSXJ24"]
    assert (near.last_trade, near.last_trade_source) == (date(2024, 4, 11), "rule")
    assert (far.last_trade, far.last_trade_source) == (date(2150, 4, 9), "estimated")


def test_a_workspaces_rule_replaces_the_packaged_one(tmp_path):
    own = tmp_path / "instruments.toml"
    own.write_text('[[terms.grains]]\nlast_trade = "1st bd"\nfirst_notice = "none"\nsource = "ours"\n')
    found = terms_of(load_instruments(own), "ZCH25")
    assert (found.last_trade, found.first_notice_source) == (date(2025, 3, 3), "none")


RULE = '[[terms.x]]\nlast_trade = "last bd"\nfirst_notice = "none"\n'


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (RULE.replace("last bd", "last day") + 'source = "s"\n', r"terms\.x\[0\]\.last_trade: "),
        (RULE.replace("last bd", "none") + 'source = "s"\n', r"terms\.x\[0\]\.last_trade: "),
        (RULE.replace("none", "maybe") + 'source = "s"\n', r"terms\.x\[0\]\.first_notice: "),
        (RULE, r"terms\.x\[0\]\.source: found nothing"),
        (RULE + 'source = "s"\nfrom = "2000"\n', r"terms\.x\[0\]\.from: "),
        (RULE + 'source = "s"\nuntil = "x"\n', r"terms\.x\[0\]\.until: "),
        ('[terms.x]\nlast_trade = "last bd"\n', "terms.x"),
        ('[instruments.ES]\nterms = "nothing"\n', "instruments.ES.terms"),
    ],
)
def test_unusable_rules_are_named(tmp_path, text, named):
    own = tmp_path / "instruments.toml"
    own.write_text(text)
    with pytest.raises(InputError, match=named):
        load_instruments(own)


def rows(name: str, days: list[str], more: str = "") -> str:
    return "".join(f"{day},{name},10,11,9,10,100{more}\n" for day in days)


def test_columns_of_plain_files_state_terms(tmp_path, instruments):
    path = tmp_path / "contracts.csv"
    path.write_text(
        f"{HEADER},last_trade,first_notice\n" + rows("QQH25", ["2025-01-06", "2025-01-07"], ",2025-03-14,2025-02-27")
        + rows("QQM25", ["2025-01-06", "2025-01-07"], ",2025-06-13,")
    )  # fmt: skip
    found = read_contracts([path], "QQ", instruments=instruments).terms
    assert found["QQH25"].last_trade == date(2025, 3, 14)
    assert (found["QQH25"].first_notice, found["QQH25"].first_notice_source) == (date(2025, 2, 27), "column")
    assert (found["QQM25"].last_trade, found["QQM25"].last_trade_source) == (date(2025, 6, 13), "column")
    assert (found["QQM25"].first_notice, found["QQM25"].first_notice_source) == (date(2025, 5, 30), "assumed")


def test_parquet_states_terms_as_dates(tmp_path, instruments):
    path = tmp_path / "contracts.parquet"
    pl.DataFrame(
        {
            "session": [date(2025, 1, 6), date(2025, 1, 7)], "contract": ["QQH25"] * 2, "open": [10.0] * 2,
            "high": [11.0] * 2, "low": [9.0] * 2, "close": [10.0] * 2, "volume": [100] * 2,
            "last_trade": [date(2025, 3, 14)] * 2,
        }
    ).write_parquet(path)  # fmt: skip
    found = read_contracts([path], "QQ", instruments=instruments).terms["QQH25"]
    assert (found.last_trade, found.last_trade_source) == (date(2025, 3, 14), "column")


def test_the_shipped_gold_cycle_is_the_one_that_trades(instruments):
    assert instruments["GC"].liquid_months == instruments["MGC"].liquid_months == "GJMQZ"
    assert set(instruments["GC"].liquid_months or "") < set(MONTH_CODES)


# ---------------------------------------------------------------- holidays that count to the next trade date


def test_a_holidays_bar_folds_into_the_next_session(tmp_path, instruments):
    # King Day 2025 is 20 January. Sunday's and the holiday's bars both belong to Tuesday the 21st.
    path = tmp_path / "ES.csv"
    path.write_text(
        f"{HEADER}\n2025-01-17,ESH25,10,12,9,11,100\n2025-01-19,ESH25,11,15,10,12,5\n"
        "2025-01-20,ESH25,12,13,8,12,7\n2025-01-21,ESH25,13,14,9,13,200\n"
    )
    bars = read_contracts([path], "ES", instruments=instruments)
    assert bars.frame.select("session", "open", "high", "low", "close", "volume").rows() == [
        (date(2025, 1, 17), 10.0, 12.0, 9.0, 11.0, 100),
        (date(2025, 1, 21), 11.0, 15.0, 8.0, 13.0, 212),
    ]
    assert bars.meta.counts == {"weekend_bars_folded": 1, "holiday_bars_folded": 1}


def test_each_root_folds_by_its_own_calendar(tmp_path, instruments):
    # 20 January 2025: no session of ES; grains are shut, so a bar of theirs there is flagged later, not folded;
    # an unknown root has no calendar.
    path = tmp_path / "mixed.csv"
    path.write_text(
        f"{HEADER}\n"
        + "".join(rows(name, ["2025-01-17", "2025-01-20", "2025-01-21"]) for name in ("ESH25", "QQH25", "ZCH25"))
    )
    kept = {
        root: read_contracts([path], root, instruments=instruments).frame["session"].to_list()
        for root in ("ES", "QQ", "ZC")
    }
    assert kept["ES"] == [date(2025, 1, 17), date(2025, 1, 21)]
    assert len(kept["QQ"]) == len(kept["ZC"]) == 3


def test_without_a_bar_after_it_a_holidays_bar_is_a_stub(tmp_path, instruments):
    path = tmp_path / "ES.csv"
    path.write_text(f"{HEADER}\n" + rows("ESU25", ["2025-07-03", "2025-07-04"]))  # a Friday
    bars = read_contracts([path], "ES", instruments=instruments)
    assert bars.frame["session"].to_list() == [date(2025, 7, 3)]
    assert bars.meta.counts["stubs_dropped"] == 1
