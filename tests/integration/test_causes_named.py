"""Every cause of the simulated market is named by its own code or component, and goes when its cause does.

Whole way: files of the market -> readers -> continuous series -> certificate with its ledger. Which contract a
cause strikes is worked out from the cause's date and the contracts' expiries, not from the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ctl import demo
from ctl.demo import faults, injection
from ctl.demo.spec import ReferenceCauses
from ctl.flows import inputs, pipeline
from ctl.flows.series import canonical_series
from ctl.flows.terms import CertifyTerms
from ctl.store.workspace import Workspace

if TYPE_CHECKING:
    from ctl.demo.spec import MarketSpec
    from ctl.model.certificate import Certificate

ROOTS = ("ES", "CL", "PL", "PA")
# The roll that `unadjusted-roll` leaves out: the first on or after the date of the cause.
LEFT_OUT = {"ES": "ESH24>ESM24", "CL": "CLJ22>CLK22", "PL": "PLV25>PLF26", "PA": "PAH21>PAM21"}


class Board:
    """Certificates of one root in a market, each market simulated once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[str, Certificate] = {}

    def clean(self, root: str, *causes: str) -> Certificate:
        """The root in the market without a vendor defect, causes injected."""
        market = injection.apply(demo.clean_market(), [(cause, root) for cause in causes])
        return self.of(market, root, "-".join(("clean", root, *causes)))

    def default(self, root: str) -> Certificate:
        """The root as `ctl demo` writes it."""
        return self.of(demo.default_market(), root, f"default-{root}")

    def of(self, market: MarketSpec, root: str, name: str, others: tuple[str, ...] = ()) -> Certificate:
        if name not in self._made:
            futures = tuple(future for future in market.futures if future.root in (root, *others))
            self._made[name] = certified(replace(market, futures=futures, equities=()), root, self._folder / name)
        return self._made[name]


def certified(market: MarketSpec, root: str, folder: Path) -> Certificate:
    for name, data in demo.render(market).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    workspace = Workspace.load(folder)
    held = inputs.read_symbol(workspace, root)
    config = workspace.symbol(root)
    terms = CertifyTerms(config.tick, 2 if root == "PL" else 3, config.quote_unit, config.calendar)
    others = {
        future.root: inputs.read_contracts(workspace, future.root) for future in market.futures if future.root != root
    }
    series = canonical_series(held, config.calendar)
    return pipeline.certify_symbol(held, series, terms, other_contracts=others)


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    return Board(tmp_path_factory.mktemp("causes"))


def components(certificate: Certificate) -> dict[str, dict[str, Any]]:
    """The ledger's components by name, largest first."""
    return {found["name"]: found for found in certificate.document["ledger"]["components"]}


def largest(certificate: Certificate) -> str:
    return next(iter(components(certificate)))


def mean_of(certificate: Certificate, name: str) -> float:
    found: Mapping[str, Any] = components(certificate).get(name, {"mean": 0.0})
    return float(found["mean"])


def finding_codes(certificate: Certificate) -> set[str]:
    layers = certificate.document["layers"].values()
    return {finding["code"] for layer in layers for finding in layer["findings"] if finding["code"]}


def tick_of(certificate: Certificate) -> float:
    return float(certificate.document["tick"])


def test_the_close_basis_carries_the_drift_of_es_and_goes_with_settlement_closes(board: Board) -> None:
    found = board.default("ES")
    assert largest(found) == "basis"
    assert components(found)["basis"]["share"] > 0.5
    (settled,) = (future for future in demo.default_market().futures if future.root == "ES")
    market = replace(
        demo.default_market(), futures=(replace(settled, canonical=replace(settled.canonical, close="settlement")),)
    )
    without = board.of(market, "ES", "settled-ES")
    assert mean_of(without, "basis") == 0.0
    assert without.decision == "ACCEPT"


def test_the_roll_that_the_reference_left_unadjusted_carries_the_drift_of_pl(board: Board) -> None:
    found = board.default("PL")
    assert largest(found) == "gap:PLJ23>PLN23:price"
    assert components(found)["gap:PLJ23>PLN23:price"]["share"] > 0.9
    (platinum,) = (future for future in demo.default_market().futures if future.root == "PL")
    market = replace(demo.default_market(), futures=(replace(platinum, reference=ReferenceCauses()),))
    without = board.of(market, "PL", "adjusted-PL")
    # What is left of it is settlement against last trade on one session.
    assert mean_of(without, "gap:PLJ23>PLN23:price") < 0.1 * mean_of(found, "gap:PLJ23>PLN23:price")
    assert without.decision == "ACCEPT"


@pytest.mark.parametrize("root", ROOTS)
def test_an_unadjusted_roll_is_the_largest_component_by_its_contracts(board: Board, root: str) -> None:
    name = f"gap:{LEFT_OUT[root]}:price"
    found, without = board.clean(root, "unadjusted-roll"), board.clean(root)
    assert largest(found) == name
    assert components(found)[name]["share"] > 0.9
    # The reference states no gap there, so that the component is the whole gap of our own closes.
    (roll,) = (r for r in found.document["canonical_rolls"] if f"{r['from_contract']}>{r['to_contract']}" == name[4:-6])
    (date_effect,) = (c["max"] for c in components(found).values() if c["name"] == f"gap:{LEFT_OUT[root]}:date")
    assert abs(abs(roll["gap"]) - components(found)[name]["max"]) <= date_effect + 1e-9
    assert mean_of(without, name) <= 1e-9
    (told,) = (f for f in found.document["layers"]["L3"]["findings"] if f["code"] == "UNADJUSTED_ROLL")
    assert [rolls["block"] for rolls in told["evidence"]["rolls"]] == [LEFT_OUT[root]]
    assert "UNADJUSTED_ROLL" not in finding_codes(without)


@pytest.mark.parametrize("root", ROOTS)
def test_an_inverted_adjustment_shows_as_the_price_effect_of_every_roll(board: Board, root: str) -> None:
    found, without = board.clean(root, "inverted-adjustment"), board.clean(root)
    assert largest(found).startswith("gap:")
    assert largest(found).endswith(":price")
    price = {name: c for name, c in components(found).items() if name.endswith(":price")}
    # Both signs of the gap: every price effect is twice the gap, whichever rolls the ledger looks at.
    gaps = {f"{r['from_contract']}>{r['to_contract']}": r["gap"] for r in found.document["reference_rolls"]}
    for name, component in price.items():
        assert component["max"] in (0.0, pytest.approx(2 * abs(gaps[name[4:-6]]), abs=1e-9))
    assert sum(c["share"] for c in price.values()) > 0.95
    assert sum(mean_of(without, name) for name in price) <= 1e-9


@pytest.mark.parametrize("root", ROOTS)
def test_another_roll_rule_is_named_and_is_a_date_effect_only(board: Board, root: str) -> None:
    found, without = board.clean(root, "roll-rule"), board.clean(root)
    assert "ROLL_RULE_MISMATCH" in finding_codes(found)
    assert "ROLL_RULE_MISMATCH" not in finding_codes(without)
    assert found.decision == "REJECT"
    assert without.decision == "ACCEPT"
    assert largest(found).endswith(":date")
    assert mean_of(without, largest(found)) < 0.1 * mean_of(found, largest(found))
    # One rule's prices against another's dates: built on the reference's own dates nothing is left. (CL's reference
    # holds its first and its last contract for one session each: no fingerprint can tell, two ticks remain.)
    assert found.document["rebuilt"]["decision"] == "ACCEPT"
    assert round(found.document["rebuilt"]["mean_drift"] / tick_of(found), 6) <= 2.0
    assert found.document["rebuilt"]["n_fail"] == 0
    (rule,) = (f for f in found.document["layers"]["L2"]["findings"] if f["code"] == "ROLL_RULE_MISMATCH")
    assert rule["evidence"]["share"] >= 0.9


@pytest.mark.parametrize("root", ROOTS)
def test_another_unit_is_named_with_its_factor(board: Board, root: str) -> None:
    found = board.clean(root, "unit-change")
    assert found.reasons[0].code == "IDENTITY_MISMATCH"
    assert "UNIT_MISMATCH" in finding_codes(found)
    assert found.detail.endswith("prices are 100 times the reference's: another quote unit")
    assert "UNIT_MISMATCH" not in finding_codes(board.clean(root))


@pytest.mark.parametrize(("root", "other"), [("PL", "PA"), ("PA", "PL"), ("ES", "CL"), ("CL", "ES")])
def test_another_commodity_ends_at_identity_with_its_contracts_named(board: Board, root: str, other: str) -> None:
    market = injection.apply(demo.clean_market(), [("wrong-commodity", root)])
    found = board.of(market, root, f"mixed-{root}", (other,))
    assert found.decision == "REJECT"
    assert found.reasons[0].code == "IDENTITY_MISMATCH"
    assert found.detail.startswith(f"{other} found where {root} was asked for; the bars match {other}")
    (check,) = (f for f in found.document["layers"]["L0"]["findings"] if f["check"] == "root")
    named = check["evidence"]["found"]
    assert list(named) == [other]
    (spec,) = (future for future in demo.clean_market().futures if future.root == other)
    assert {name.removeprefix(other)[0] for name in named[other]} == set(spec.months)
    assert len(named[other]) >= 8 * len(spec.months)
    layers = found.document["layers"]
    assert {layers[name]["status"] for name in ("L1", "L2", "L3", "L4", "L5")} == {"NOT_RUN"}


def test_renamed_palladium_is_named_although_no_delivery_month_of_it_is_left(board: Board) -> None:
    """Palladium's bars under platinum's names: the months of the two share no letter (FJNV, HMUZ)."""
    market = injection.apply(demo.clean_market(), [("wrong-commodity-renamed", "PL")])
    found = board.of(market, "PL", "renamed-PL", ("PA",))
    assert found.reasons[0].code == "IDENTITY_MISMATCH"
    assert "the bars match PA (correlation of daily changes 1.0000)" in found.detail


@pytest.mark.parametrize("root", ROOTS)
def test_what_is_injected_into_the_market_as_it_is_written_is_its_largest_cause(board: Board, root: str) -> None:
    market = injection.apply(demo.default_market(), [("unadjusted-roll", root)])
    name = f"gap:{LEFT_OUT[root]}:price"
    found = board.of(market, root, f"default-unadjusted-{root}")
    assert largest(found) == name


@pytest.mark.parametrize("root", ROOTS)
def test_a_restated_bar_is_the_largest_single_difference_and_is_named(board: Board, root: str) -> None:
    found, without = board.clean(root, "restated-bar"), board.clean(root)
    values = found.document["layers"]["L4"]["values"]
    assert values["max_drift_session"] == "2024-05-15"
    # A print of its own where it is larger than half the newest sessions' true range, else the basis' largest.
    parts = components(found)
    largest_size = parts.get("print:2024-05-15", parts["basis"])["max"]
    assert largest_size == pytest.approx(found.document["max_drift"], rel=0.1, abs=0.05)
    assert mean_of(without, "basis") == 0.0


@pytest.mark.parametrize("root", ROOTS)
def test_a_missing_session_is_counted_and_moves_nothing(board: Board, root: str) -> None:
    found, without = board.clean(root, "missing-session"), board.clean(root)
    assert "MISSING_SESSIONS" in finding_codes(found)
    assert "MISSING_SESSIONS" not in finding_codes(without)
    (check,) = (f for f in found.document["layers"]["L1"]["findings"] if f["check"] == "missing_sessions")
    assert check["evidence"]["missing"] == ["2023-08-02"]
    assert found.document["mean_drift"] == pytest.approx(without.document["mean_drift"], rel=1e-3)


def test_every_cause_that_concerns_the_ledger_is_tried_here() -> None:
    tried = {
        "unadjusted-roll", "inverted-adjustment", "roll-rule", "unit-change", "wrong-commodity", "restated-bar",
        "missing-session", "settlement-closes",
    }  # fmt: skip
    # Other prices under the right names, and files that end early: tests of the board.
    assert set(demo.CAUSES) - tried - set(NAMED) == {"wrong-commodity-renamed", "stale-data"}


# What other findings follow from, and what the clean market has: never the cause itself.
CONSEQUENCES = {
    "MEAN_GAP_DIFF", "MEAN_DRIFT", "PAIRED_ROLLS", "UNMATCHED_SHARE", "FAIL_SHARE", "UTC_DAY_BARS", "UNEXPLAINED_DRIFT",
}  # fmt: skip
NAMED = {
    **{name: fault.code for name, fault in {**faults.REFERENCE, **faults.CANONICAL}.items()},
    "inverted-adjustment": "INVERTED_ADJUSTMENT", "roll-rule": "ROLL_RULE_MISMATCH", "rule-change": "ROLL_RULE_CHANGED",
    "skipped-month": "MONTH_CYCLE_MISMATCH", "unadjusted-roll": "UNADJUSTED_ROLL",
    "missing-session": "MISSING_SESSIONS", "unit-change": "IDENTITY_MISMATCH",
}  # fmt: skip


def named(certificate: Certificate) -> list[str]:
    """Causes in the order in which the certificate names them: a refusal's, then each layer's findings."""
    codes = [reason.code for reason in certificate.reasons]
    for _, layer in certificate.layers.items():
        codes += [made.code for made in layer.findings if made.code and made.status in ("WATCH", "FAIL")]
    return [code for code in dict.fromkeys(codes) if code not in CONSEQUENCES]


@pytest.mark.parametrize("cause", sorted(NAMED))
def test_an_injected_cause_is_named_first(board: Board, cause: str) -> None:
    assert named(board.clean("CL", cause))[0] == NAMED[cause]


@pytest.mark.parametrize("root", ROOTS)
def test_the_clean_market_names_none(board: Board, root: str) -> None:
    assert named(board.clean(root)) in ([], ["PRICE_SPIKES"])


@pytest.mark.slow
@pytest.mark.parametrize("cause", sorted({*NAMED} - {"swapped-contracts"}))
def test_an_injected_cause_is_named_first_in_platinum_too(board: Board, cause: str) -> None:
    assert named(board.clean("PL", cause))[0] == NAMED[cause]
