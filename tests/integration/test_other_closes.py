"""Settlement closes, session-true bars and the reference's contract bars of a workspace, from file to certificate."""

from __future__ import annotations

import json
import shutil
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from published_schemas import check

from ctl import demo, ingest, store
from ctl.demo.hourly import MIN_VOLUME
from ctl.demo.listing import trading_days
from ctl.demo.quotes import Quotes, quotes
from ctl.flows import inputs, portfolio
from ctl.flows.series import alternatives as other_closes
from ctl.flows.series import canonical_series
from ctl.model.rolls import RollPolicy

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Ran
    from ctl.model.bars import ContractBars
    from ctl.model.certificate import Certificate

MARKET = demo.default_market()
INSTRUMENTS = ingest.load_instruments()
STATISTICS = "data/raw/databento_statistics"
HOURLY = "data/raw/databento_hourly"
CONTRACTS = "data/raw/tradestation_contracts"


@cache
def simulated(root: str) -> Quotes:
    spec = MARKET.future(root)
    return quotes(spec, trading_days(spec.calendar, MARKET.first, MARKET.last), MARKET.seed)


def certificate(folder: Path, symbol: str, **more: Any) -> Certificate:
    workspace = store.Workspace.load(folder)
    settings = portfolio.read_profile(workspace).symbol_settings[symbol]
    return portfolio.certify_symbol(workspace, symbol, settings, **more).certificate


def alternatives(found: Certificate) -> dict[str, Any]:
    return dict(found.document["counterfactuals"]["alternatives"])


def parity(found: Certificate) -> dict[str, Any]:
    (finding,) = [f for f in found.document["layers"]["L1"]["findings"] if f["check"] == "raw_parity"]
    return dict(finding)


def by_key(bars: ContractBars, *columns: str) -> dict[tuple[str, date], tuple[Any, ...]]:
    rows = bars.frame.select("contract", "session", *columns).rows()
    return {(contract, session): tuple(values) for contract, session, *values in rows}


# ---------------------------------------------------------------- the readers against the generator's own truth


@pytest.mark.parametrize("root", ["ES", "PL"])
def test_settlements_are_what_the_exchange_settled_at(filled_workspace: Path, root: str) -> None:
    known, tick = simulated(root), MARKET.future(root).tick
    found = by_key(
        ingest.read_settlements([filled_workspace / STATISTICS / root], root, instruments=INSTRUMENTS), "close"
    )
    names = [contract.name for contract in known.listing.contracts]
    traded = np.flatnonzero(known.exchange.volume > 0)
    assert len(found) == traded.size > 10_000
    for row in traded:
        key = names[known.rows.contract[row]], known.calendar.days[known.rows.day[row]].item()
        assert found[key][0] == pytest.approx(known.exchange.close[row] * tick, abs=1e-9)


@pytest.mark.parametrize("root", ["ES", "PL"])
def test_session_bars_are_the_exchanges_sessions(filled_workspace: Path, root: str) -> None:
    """Open at the reopening on the evening before, close and volume of the whole session, on both clocks.

    A session after a holiday has the holiday's hours too.
    """
    known, spec = simulated(root), MARKET.future(root)
    found = by_key(
        ingest.read_session_bars(
            [filled_workspace / HOURLY / root], root, calendar=spec.calendar, instruments=INSTRUMENTS
        ),
        "open", "high", "low", "close", "volume",
    )  # fmt: skip
    names = [contract.name for contract in known.listing.contracts]
    parts, exchange = known.stretches, known.exchange
    kept = known.utc.volume >= MIN_VOLUME
    is_session = known.calendar.is_session[known.rows.day]
    compared = after_holidays = 0
    for row in np.flatnonzero(kept & is_session):
        # The evening before is delivered with the UTC day before, which must be delivered too.
        first = row if row == 0 or is_session[row - 1] else row - 1
        if first == 0 or known.rows.contract[first - 1] != known.rows.contract[row] or not kept[first - 1 : row].all():
            continue
        key = names[known.rows.contract[row]], known.calendar.days[known.rows.day[row]].item()
        opened, high, low, close, volume = found[key]
        assert volume == exchange.volume[row], key
        ticks = np.rint(np.array([opened, high, low, close]) / spec.tick).astype(int).tolist()
        # Trades at 00:00 UTC on either side of a day, and after a session's settlement, may lie beyond what the
        # exchange's own bar reports.
        days = range(first, row + 1)
        beside = [known.utc.close[day - 1] for day in days if parts.has_evening[day - 1]]
        beside += [known.utc.open[day] for day in days] + [parts.after_close[day] for day in days]
        top = max(exchange.high[row], parts.after_high[row], *beside)
        bottom = min(exchange.low[row], parts.after_low[row], *beside)
        assert ticks == [exchange.open[row], top, bottom, parts.after_close[row]], key
        compared += 1
        after_holidays += first < row
    assert compared > 3_600
    assert after_holidays > 50


# ---------------------------------------------------------------- the certificate


def test_settlement_closes_prove_the_cause_of_the_drift_floor(filled_workspace: Path) -> None:
    """ES drifts because its bars close at the last trade: at the settlement the same series is the reference's."""
    found = certificate(filled_workspace, "ES")
    assert found.decision == "WATCH"
    assert found.document["mean_drift"] > 6.0
    settled = alternatives(found)["settlement"]
    assert (settled["status"], settled["decision"], settled["reasons"]) == ("RUN", "ACCEPT", [])
    assert settled["mean_drift"] < 0.3  # one roll is dated a session apart
    assert settled["n_paired"] == 32
    side = found.document["inputs"]["alternatives"]["settlement"]
    assert (side["session_basis"], side["close_basis"]) == ("utc_day", "settlement")
    assert side["counts"]["settlements_superseded"] > 100
    assert side["counts"]["closes_kept_at_last_trade"] == 0
    files = {item["name"]: item["sha256"] for item in found.document["inputs"]["alternative_files"]}
    (statistics,) = (filled_workspace / STATISTICS / "ES").iterdir()
    assert files[statistics.name] == store.workspace.sha256_bytes(statistics.read_bytes())
    check("certificate_v1.schema.json", dict(found.document))


def test_where_a_roll_was_left_out_no_close_mends_it(filled_workspace: Path) -> None:
    found = certificate(filled_workspace, "PL")
    others = alternatives(found)
    assert sorted(others) == ["session", "session_settlement", "settlement"]
    assert {name: other["decision"] for name, other in others.items()} == dict.fromkeys(others, "WATCH")
    assert all(other["smallest_flip"]["units"] == ["block:PLJ23>PLN23"] for other in others.values())
    sides = found.document["inputs"]["alternatives"]
    assert (sides["session"]["session_basis"], sides["session"]["close_basis"]) == ("exchange_session", "last_trade")
    assert sides["session_settlement"]["close_basis"] == "settlement"


def test_raw_parity_compares_the_references_contract_bars(filled_workspace: Path) -> None:
    """Last trades against settlements: one close in twelve agrees within a tick. It is said, and gates nothing."""
    found = certificate(filled_workspace, "ES")
    finding = parity(found)
    assert (finding["status"], finding["code"]) == ("WATCH", "RAW_PARITY")
    assert finding["evidence"]["shared"] > 10_000
    assert "(last trade against settlement)" in finding["text"]
    assert 0.05 < finding["evidence"]["share_close_in_parity"] < 0.15
    assert [reason.code for reason in found.reasons] == ["MEAN_DRIFT"]
    side = found.document["inputs"]["reference_contracts"]
    assert (side["vendor"], side["close_basis"], side["session_basis"]) == (
        "tradestation", "settlement", "exchange_session",
    )  # fmt: skip
    absent = parity(certificate(filled_workspace, "CL"))
    assert absent["status"] == "NOT_RUN"
    assert "expected data/raw/tradestation_contracts/CL/" in absent["text"]


def test_the_references_contract_bars_are_the_settlements(filled_workspace: Path) -> None:
    held = inputs.read_symbol(store.Workspace.load(filled_workspace), "ES", with_alternatives=True)
    assert held.reference is not None
    settled = by_key(held.settlements, "close")  # type: ignore[arg-type]
    assert by_key(held.reference.contracts, "close") == settled  # type: ignore[arg-type]


def test_files_that_cannot_be_read_are_said_and_decide_nothing(workspace: Path) -> None:
    before = certificate(workspace, "ES")
    for folder in (STATISTICS, CONTRACTS):
        (path,) = (workspace / folder / "ES").iterdir()
        path.write_bytes(path.read_bytes()[:-100])
    after = certificate(workspace, "ES")
    settled = alternatives(after)["settlement"]
    assert settled["status"] == "ERROR"
    assert "statistics.dbn.zst" in settled["text"]
    assert after.document["inputs"]["alternatives"]["settlement"] is None
    assert parity(after)["status"] == "ERROR"
    assert after.document["layers"]["L1"]["status"] == "ERROR"
    assert (after.decision, after.reasons) == (before.decision, before.reasons)
    check("certificate_v1.schema.json", dict(after.document))


def test_intraday_files_that_are_not_there_are_named(workspace: Path) -> None:
    shutil.rmtree(workspace / HOURLY / "ES")
    session = alternatives(certificate(workspace, "ES"))["session"]
    assert session["status"] == "NOT_RUN"
    assert "databento_hourly/ES/" in session["text"]


def test_bars_of_another_root_are_not_taken_for_ours(workspace: Path) -> None:
    shutil.rmtree(workspace / STATISTICS / "ES")
    shutil.copytree(workspace / STATISTICS / "PL", workspace / STATISTICS / "ES")
    shutil.rmtree(workspace / HOURLY / "ES")
    shutil.copytree(workspace / HOURLY / "PL", workspace / HOURLY / "ES")
    others = alternatives(certificate(workspace, "ES"))
    assert others["settlement"]["status"] == "ERROR"
    assert "no bar has a settlement" in others["settlement"]["text"]
    assert others["session"]["status"] == "ERROR"
    assert "contracts of another root" in others["session"]["text"]


def test_session_bars_know_the_expirations_of_the_daily_bars(filled_workspace: Path) -> None:
    """A policy that rolls before expiry needs them, and intraday files do not say them."""
    policy = RollPolicy(kind="calendar", offset=28)
    held = inputs.read_symbol(store.Workspace.load(filled_workspace), "PL", policy=policy, with_alternatives=True)
    made = other_closes(held, "CMEGlobex_Metals")
    own = canonical_series(held, "CMEGlobex_Metals")
    dates = {name: [roll.roll_date for roll in series.rolls] for name, series in made.items()}  # type: ignore[union-attr]
    assert sorted(dates) == ["session", "session_settlement", "settlement"]
    assert all(found == [roll.roll_date for roll in own.rolls] for found in dates.values())  # type: ignore[union-attr]


def test_without_the_folders_in_ctl_toml_nothing_is_told(workspace: Path) -> None:
    config = workspace / "ctl.toml"
    lines = [line for line in config.read_text().splitlines() if not line.startswith(("statistics =", "intraday ="))]
    config.write_text("\n".join(lines))
    assert alternatives(certificate(workspace, "PL")) == {}


def test_sessions_after_the_as_of_date_are_left_out(filled_workspace: Path) -> None:
    day = date(2024, 6, 28)
    held = inputs.read_symbol(store.Workspace.load(filled_workspace), "PL", as_of=day, with_alternatives=True)
    for bars in (held.settlements, held.session_bars):
        assert bars.frame["session"].max() == day  # type: ignore[union-attr]
    found = certificate(filled_workspace, "ES", as_of=day)
    sides = found.document["inputs"]
    assert sides["alternatives"]["settlement"]["last_session"] == "2024-06-28"
    assert sides["reference_contracts"]["last_session"] == "2024-06-28"
    # As of a day before all of them nothing is left of them, and that is said in their place.
    once = inputs.ReadOnce(store.Workspace.load(filled_workspace))
    early = once.read_symbol("PL", with_reference=False, with_alternatives=True, as_of=date(2018, 1, 2))
    assert not isinstance(early.settlements, Exception)


def test_every_command_derives_the_same_certificate(workspace: Path, ctl: Callable[..., Ran]) -> None:
    gate = ctl("gate", "--json", "-w", workspace)
    assert gate.code == 0
    told = {item["symbol"]: item["certificate_sha256"] for item in gate.document["symbol_results"]}
    for symbol in ("ES", "CL", "PL"):
        assert ctl("certify", symbol, "-w", workspace).code == 0
        written = workspace / f"data/processed/cutover_v1/certificates/{symbol}/{symbol}_certificate.json"
        assert store.workspace.sha256_bytes(written.read_bytes()) == told[symbol]
    ran = ctl("run", "--json", "-w", workspace)
    assert ran.code == 0
    summary = json.dumps(ran.document)
    assert all(digest in summary for digest in told.values())


def test_the_explanation_names_the_cause(workspace: Path, ctl: Callable[..., Ran]) -> None:
    told = " ".join(ctl("certify", "ES", "--explain", "-w", workspace).out.split())
    assert "Cause: our closes are last trades, tradestation's are settlements (91.3 %)" in told
    assert "Cure: settlement closes make it ACCEPT, mean drift 0.24" in told
    assert "settlement closes ACCEPT 0.24" in told
    assert "Would change it: without basis ACCEPT, 1.62; no roll by itself" in told
    told = " ".join(ctl("certify", "PL", "--explain", "-w", workspace).out.split())
    assert "Cause: the reference left the gap of PLJ23>PLN23 on 2023-03-20 (12.1)" in told
    assert "Cure:" not in told
    assert "session, settlement WATCH 8.27" in told


def test_several_references_are_each_certified_and_the_first_decides(workspace: Path, ctl: Callable[..., Ran]) -> None:
    alone = ctl("certify", "PL", "--json", "-w", workspace).document
    assert alone["quorum"] is None
    config = workspace / "ctl.toml"
    config.write_text(
        config.read_text().replace('reference = "tradestation"', 'references = ["tradestation", "norgate"]')
    )
    ran = ctl("certify", "PL", "--json", "-w", workspace)
    found = ran.document
    assert {**found, "quorum": None} == alone
    told = {item["vendor"]: item["decision"] for item in found["quorum"]["references"]}
    assert (found["quorum"]["decides"], list(told)) == ("tradestation", ["tradestation", "norgate"])
    assert told["tradestation"] == found["decision"]
    assert "REFERENCE_UNREAD" not in ctl("gate", "-w", workspace).out
    (workspace / "data/raw/norgate/NG_PL_1D_20180102_20260227.csv").write_text("x,y\n")
    for _ in range(2):  # what was certified by an earlier command says it too
        gate = ctl("gate", "--json", "-w", workspace).document
        (said,) = [note for note in gate["notes"] if note["code"] == "REFERENCE_UNREAD"]
        assert said["text"].startswith("PL is not compared with its reference norgate: NG_PL_1D_")
    assert "Not compared: norgate: NG_PL_1D" in " ".join(ctl("certify", "PL", "-w", workspace).out.split())
    # The second reference rolls on the first session of the larger volume, which can come and go.
    assert {(item["vendor"], item["what"]) for item in found["quorum"]["odd"]} <= {("norgate", "rolls")}
