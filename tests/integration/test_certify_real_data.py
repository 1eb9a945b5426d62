"""Certificates of four real commodities against a second vendor, number by number, from an independent script.

The script (tests/answers/certify_copper_reference.py) restates fingerprinting, alignment, gaps, drift and ledger with
the standard library alone; tests/answers/certify_copper.json pins what it said when it was written.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import certify_copper_reference as independent
import pytest

from ctl import ingest
from ctl.certification import CertifyRequest, certify
from ctl.continuous import build
from ctl.model.rolls import RollPolicy

if TYPE_CHECKING:
    from ctl.model.certificate import Certificate

ROOT = Path(__file__).resolve().parents[2]
DATA = (ROOT / ".." / "shared" / "data").resolve()
ANSWERS = ROOT / "tests" / "answers"

pytestmark = pytest.mark.skipif(
    not (DATA / "contracts" / "bloomberg_settles").is_dir(),
    reason=f"real market data are not present at {DATA}: they are used in place only",
)

SUMMARY = (
    "n_canonical", "n_reference", "n_paired", "n_pass", "n_watch", "n_fail", "n_unmatched_canonical",
    "n_unmatched_reference", "day_delta_histogram", "mean_gap_diff", "max_gap_diff", "anchor", "mean_drift",
    "max_drift", "signed_mean", "p95",
)  # fmt: skip


def certified(root: str) -> Certificate:
    instruments = ingest.load_instruments()
    settles = DATA / "contracts" / "bloomberg_settles" / f"{independent.FILES[root]}.csv"
    contracts = ingest.read_contracts(
        [settles], root, instruments=instruments, mapping=ingest.named_mapping("bloomberg_settles")
    )
    reference = ingest.read_reference(
        symbol=root,
        adjusted=None,
        unadjusted=DATA / "continuous" / "quantiacs" / f"F_{root}.txt",
        instruments=instruments,
        mapping=ingest.named_mapping("quantiacs"),
    )
    # The script rolls by volume alone.
    months = independent.roll_independent.LIQUID[root]
    canonical = build(contracts, RollPolicy(eligible_months=months, guard_sessions=None))
    return certify(
        CertifyRequest(
            symbol=root,
            root=root,
            tick=independent.TICKS[root],
            max_day_delta=independent.MAX_DAY_DELTA,
            quote_unit="vendor units",
            contracts=contracts,
            canonical=canonical,
            reference=reference,
            rebuild=lambda schedule: build(contracts, RollPolicy(kind="schedule", schedule=schedule)),
        )
    )


def rows(rolls: list[dict[str, Any]]) -> list[list[Any]]:
    return [
        [roll[key] for key in ("gap_session", "roll_date", "from_contract", "to_contract", "gap")] for roll in rolls
    ]


def assert_close(found: Any, expected: Any, where: str) -> None:
    if isinstance(expected, float) and found is not None:
        assert found == pytest.approx(expected, abs=1e-7), where
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for n, (mine, theirs) in enumerate(zip(found, expected, strict=True)):
            assert_close(mine, theirs, f"{where}[{n}]")
    else:
        assert found == expected, where


@pytest.mark.parametrize("root", ["C", "HG", "HO", "S"])
def test_every_number_agrees_with_the_independent_script(root: str) -> None:
    summary, lists = independent.certify_root(root, DATA)
    certificate = certified(root)
    document = certificate.document
    for key in SUMMARY:
        assert_close(document[key], summary[key], key)
    for key in ("shared_sessions", "union_sessions", "same_contract_sessions"):
        assert document["overlap"][key] == summary[key]
    assert document["layers"]["L4"]["values"]["aligned_on"]["sessions"] == summary["aligning_sessions"]
    assert_close(rows(document["canonical_rolls"]), lists["canonical_rolls"], "canonical_rolls")
    assert_close(rows(document["reference_rolls"]), lists["reference_rolls"], "reference_rolls")
    dates = {(roll["gap_session"], roll["to_contract"]): roll["roll_date"] for roll in document["canonical_rolls"]}
    paired = {roll["gap_session"]: roll["roll_date"] for roll in document["reference_rolls"]}
    pairs = [
        [
            dates[pair["canonical_gap_session"], pair["to_contract"]],
            paired[pair["reference_gap_session"]],
            pair["gap_diff"],
            pair["date_effect"],
            pair["price_effect"],
        ]
        for pair in document["pairs"]
    ]
    assert_close(pairs, lists["pairs"], "pairs")
    shares = {component["name"]: component["share"] for component in document["ledger"]["components"]}
    # The script knows no isolated prints: they stand in its basis, where their shares add up.
    prints = [name for name in shares if name.startswith("print:")]
    shares["basis"] += sum(shares.pop(name) for name in prints)
    assert {name: share for name, share in shares.items() if abs(share) > 1e-9} == pytest.approx(
        {name: share for name, share in lists["shares"].items() if abs(share) > 1e-9}, abs=1e-7
    )
    assert document["ledger"]["gross"] == pytest.approx(summary["gross"], rel=1e-2 if prints else 1e-6)
    assert certificate.tables["L4_drift.csv"]["drift"].to_list() == pytest.approx(lists["drift"], abs=1e-7)


def test_the_script_still_says_what_was_pinned() -> None:
    assert independent.answers(DATA) == json.loads((ANSWERS / "certify_copper.json").read_text())


def test_copper_differs_by_roll_rule_and_its_data_are_in_parity() -> None:
    document = certified("HG").document
    assert document["decision"] == "REJECT"
    assert document["rule_mismatch"] is True
    assert document["rebuilt"]["decision"] == "ACCEPT"
    assert document["rebuilt"]["n_pass"] == document["rebuilt"]["n_paired"] == 74
    assert document["smallest_flip"] is None
