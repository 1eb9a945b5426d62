"""The simulated market without its unadjusted export: a back-adjusted file alone is the commonest export."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def drop_unadjusted(workspace: Path, symbol: str) -> None:
    (path,) = (workspace / "data/raw/tradestation").glob(f"TS_{symbol}_CUSTOM_UNADJ_1D_*.csv")
    path.unlink()


@pytest.mark.parametrize("symbol", ["ES", "CL", "PL", "PA"])
def test_the_adjusted_file_alone_gives_the_decision_of_both(
    ctl: Callable[..., Any], workspace: Path, symbol: str
) -> None:
    both = ctl("certify", symbol, "-w", workspace, "--json").document
    drop_unadjusted(workspace, symbol)
    alone = ctl("certify", symbol, "-w", workspace, "--json").document
    assert alone["decision"] == both["decision"]
    assert [reason["code"] for reason in alone["reasons"]] == [reason["code"] for reason in both["reasons"]]
    theirs = {(roll["from_contract"], roll["to_contract"]): roll["gap"] for roll in both["reference_rolls"]}
    ours = {(roll["from_contract"], roll["to_contract"]): roll["gap"] for roll in alone["reference_rolls"]}
    shared = theirs.keys() & ours.keys()
    assert len(shared) >= 0.9 * len(theirs)
    # The offsets are read off the very trades, so that a vendor's gap comes back to the last digit.
    exact = [pair for pair in shared if abs(ours[pair] - theirs[pair]) <= 1e-6]
    assert len(exact) >= 0.9 * len(shared)
    # The strategy's percentages rest on the day's price, which is recovered with the rolls: its trades are the same.
    told, known = (document["layers"]["L5"]["values"] for document in (alone, both))
    assert told["n_mismatched"] == 0
    assert told["n_matched"] == pytest.approx(known["n_matched"], abs=1)
    assert told["reference_total_r"] == pytest.approx(known["reference_total_r"], abs=0.1)


def test_another_metal_is_refused_by_its_adjusted_file_alone(ctl: Callable[..., Any], workspace: Path) -> None:
    folder = workspace / "data/raw/tradestation"
    drop_unadjusted(workspace, "PL")
    (own,) = folder.glob("TS_PL_CUSTOM_ADJ_1D_*.csv")
    (other,) = folder.glob("TS_PA_CUSTOM_ADJ_1D_*.csv")
    own.write_bytes(other.read_bytes())
    document = ctl("certify", "PL", "-w", workspace, "--json").document
    assert document["decision"] == "REJECT"
    assert [reason["code"] for reason in document["reasons"]] == ["IDENTITY_MISMATCH"]
    (finding,) = (f for f in document["layers"]["L0"]["findings"] if f["check"] == "reference_match")
    assert finding["evidence"]["changes_over"] == "sessions on which neither side rolls"
