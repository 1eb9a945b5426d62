"""The locked board comes out of certification on the simulated files, and each cause moves it as it should.

Every verdict is derived: files -> readers -> continuous series -> certificate. Roles and limits of a day are the
profile's (profile-and-gate.md); nothing here knows how the market was made, but for the causes' names.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ctl import certification, continuous, demo, ingest, sessions
from ctl.demo.spec import ReferenceCauses
from ctl.model.rolls import RollPolicy
from ctl.store.workspace import Workspace
from ctl.strategy import b1
from ctl.strategy.bars import StrategyBars

if TYPE_CHECKING:
    from ctl.demo.spec import MarketSpec
    from ctl.model.bars import ContractBars
    from ctl.model.certificate import Certificate

MAX_DAY_DELTA = {"ES": 3, "CL": 3, "PL": 2, "PA": 3}
INSTRUMENTS = ingest.load_instruments()


def write(folder: Path, files: dict[str, bytes]) -> Workspace:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return Workspace.load(folder)


def contracts_of(workspace: Workspace, symbol: str) -> ContractBars:
    return ingest.read_contracts([workspace.vendor_folder("databento", symbol)], symbol, instruments=INSTRUMENTS)


def certified(workspace: Workspace, symbol: str, *, others: tuple[str, ...] = ()) -> Certificate:
    bars = contracts_of(workspace, symbol)
    files = ingest.find_files("tradestation", workspace.vendors["tradestation"].path, symbol)
    reference = ingest.read_reference(
        symbol=symbol, adjusted=files.adjusted[0], unadjusted=files.unadjusted[0], instruments=INSTRUMENTS
    )
    config = workspace.symbol(symbol)
    calendar = sessions.sessions_between(
        config.calendar,
        bars.frame["session"].min(),
        bars.frame["session"].max(),  # type: ignore[arg-type]
    )
    policy = RollPolicy(eligible_months=INSTRUMENTS[symbol].liquid_months)
    series = continuous.build(bars, policy, calendar_sessions=calendar) if bars.roots == (symbol,) else None
    return certification.certify(
        certification.CertifyRequest(
            symbol=symbol,
            root=symbol,
            tick=config.tick,
            max_day_delta=MAX_DAY_DELTA[symbol],
            quote_unit=config.quote_unit,
            contracts=bars,
            canonical=series,
            reference=reference,
            calendar_sessions=calendar,
            other_contracts={other: contracts_of(workspace, other) for other in others},
        )
    )


def codes(certificate: Certificate) -> list[str]:
    return [reason.code for reason in certificate.reasons]


@pytest.fixture(scope="module")
def default(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return write(tmp_path_factory.mktemp("default"), demo.generate())


def injected(folder: Path, *causes: str) -> Workspace:
    return write(folder, demo.generate(inject=[demo.parse_injection(cause) for cause in causes]))


def variant(folder: Path, market: MarketSpec) -> Workspace:
    return write(folder, demo.render(market))


@pytest.mark.parametrize(
    ("symbol", "decision", "reasons"),
    [("ES", "WATCH", ["MEAN_DRIFT"]), ("CL", "ACCEPT", []), ("PL", "WATCH", ["MEAN_DRIFT"])],
)
def test_the_board_is_derived(default: Workspace, symbol: str, decision: str, reasons: list[str]) -> None:
    certificate = certified(default, symbol)
    assert certificate.decision == decision, certificate.detail
    assert codes(certificate) == reasons


def test_reads_as_the_locked_profile_says(default: Workspace) -> None:
    assert certified(default, "ES").detail.startswith("mean drift 6.")
    assert certified(default, "ES").detail.endswith("> 5.00 (index points)")


def smallest_flip(certificate: Certificate) -> dict[str, Any]:
    document = certificate.document
    found = document.get("smallest_flip") or document["counterfactuals"]["smallest_flip"]
    assert isinstance(found, dict)
    return found


def test_the_ledger_names_the_evening_as_the_cause_at_es_and_one_roll_at_pl(default: Workspace) -> None:
    """ES drifts by the basis; of PL's rolls, the one that the reference left unadjusted carries the drift."""
    assert smallest_flip(certified(default, "ES"))["units"] == ["basis"]
    (unit,) = smallest_flip(certified(default, "PL"))["units"]
    assert unit == "block:PLJ23>PLN23"


def test_without_its_cause_each_watch_becomes_an_accept(tmp_path: Path) -> None:
    market = demo.default_market()
    futures = tuple(
        replace(f, canonical=replace(f.canonical, close="settlement")) if f.root == "ES"
        else replace(f, reference=ReferenceCauses())
        for f in market.futures
    )  # fmt: skip
    workspace = variant(tmp_path, replace(market, futures=futures))
    assert certified(workspace, "ES").decision == "ACCEPT"
    assert certified(workspace, "PL").decision == "ACCEPT"


def test_vendors_without_differences_that_roll_by_the_same_rule_do_not_drift(tmp_path: Path) -> None:
    workspace = variant(tmp_path, demo.clean_market())
    for symbol in ("ES", "PA"):
        certificate = certified(workspace, symbol)
        assert certificate.decision == "ACCEPT"
        assert certificate.document["mean_drift"] == pytest.approx(0.0, abs=1e-9)


def test_verdicts_belong_to_the_causes_not_to_the_seed(tmp_path: Path) -> None:
    workspace = variant(tmp_path, replace(demo.default_market(), seed=1))
    assert [certified(workspace, symbol).decision for symbol in ("ES", "CL", "PL")] == ["WATCH", "ACCEPT", "WATCH"]


def test_palladium_in_platinums_folder_is_named(tmp_path: Path) -> None:
    certificate = certified(injected(tmp_path, "wrong-commodity:PL"), "PL", others=("PA", "ES"))
    assert certificate.decision == "REJECT"
    assert codes(certificate) == ["IDENTITY_MISMATCH"]
    assert "PA" in certificate.detail


@pytest.mark.parametrize(
    ("cause", "symbol", "decision", "code"),
    [
        ("wrong-commodity-renamed", "PL", "REJECT", "IDENTITY_MISMATCH"),
        ("unit-change", "CL", "REJECT", "IDENTITY_MISMATCH"),
        ("roll-rule", "CL", "REJECT", "PAIRED_ROLLS"),
        ("inverted-adjustment", "CL", "WATCH", "MEAN_DRIFT"),
        ("unadjusted-roll", "ES", "WATCH", "MEAN_GAP_DIFF"),
    ],
)
def test_an_injected_cause_shows_in_the_verdict(
    tmp_path: Path, cause: str, symbol: str, decision: str, code: str
) -> None:
    certificate = certified(injected(tmp_path, f"{cause}:{symbol}"), symbol)
    assert certificate.decision == decision, certificate.detail
    assert code in codes(certificate)


def test_settlement_closes_injected_at_es_end_its_watch(tmp_path: Path) -> None:
    assert certified(injected(tmp_path, "settlement-closes:ES"), "ES").decision == "ACCEPT"


def test_stale_files_end_thirty_sessions_early(tmp_path: Path, default: Workspace) -> None:
    stale = contracts_of(injected(tmp_path, "stale-data:CL"), "CL").frame["session"].max()
    whole = contracts_of(default, "CL").frame["session"].max()
    config = default.symbol("CL")
    assert sessions.count_between(config.calendar, stale, whole) in {30, 31}  # type: ignore[arg-type]


@pytest.mark.parametrize("symbol", ["ES", "CL", "PL"])
def test_b1_trades_on_every_gating_symbol(default: Workspace, symbol: str) -> None:
    bars = contracts_of(default, symbol)
    frame = continuous.build(bars, RollPolicy(eligible_months=INSTRUMENTS[symbol].liquid_months)).frame
    columns = {name: frame[name].to_numpy() for name in ("open", "high", "low", "close", "adjustment")}
    result = b1.run(
        StrategyBars(symbol=symbol, session=frame["session"].to_numpy(), **columns),
        b1.B1Parameters(),
        timeframe="daily",
        slippage_per_side=INSTRUMENTS[symbol].tick,
    )
    assert result.metrics.trade_count >= 5


def test_equities_and_the_second_reference_are_readable(default: Workspace) -> None:
    for symbol in ("AAPL", "XLE"):
        (path,) = default.vendor_folder("databento", symbol).iterdir()
        assert ingest.read_series(path, symbol=symbol, instruments=INSTRUMENTS).frame.height == 2050
        files = ingest.find_files("tradestation", default.vendors["tradestation"].path, symbol)
        assert files.adjusted or files.unadjusted
        config = default.symbol(symbol)
        assert config.actions is not None
        assert config.actions.read_text().startswith("date,split_ratio,dividend\n")
    path = default.vendors["norgate"].path / "NG_PL_1D_20180102_20260227.csv"
    second = ingest.read_reference(symbol="PL", adjusted=None, unadjusted=path, instruments=INSTRUMENTS)
    assert second.unadjusted is not None
    assert second.unadjusted.frame["contract"][-1] == "PLJ26"
