"""Stretches on which a reference's closes are something else: each kind is named with its dates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.helpers.changed_pairs import Closes, Floats, clean_pair, findings, sessions, with_closes

import ctl
from ctl.power.certified_pair import certify_pair
from ctl.power.vendor_pairs import clean_markets, generate

AT = 700


def both(change):  # type: ignore[no-untyped-def]
    """The same change of the unadjusted and of the adjusted closes, as a difference."""

    def apply(raw: Floats, adjusted: Floats) -> tuple[Floats, Floats]:
        other = change(raw.copy())
        return other, adjusted + (other - raw)

    return apply


def stale(x: Floats) -> Floats:
    x[AT : AT + 8] = x[AT - 1]
    return x


def repeated(x: Floats) -> Floats:
    x[AT : AT + 5] = x[AT - 5 : AT]
    return x


def late(x: Floats) -> Floats:
    x[AT : AT + 15] = x[AT - 1 : AT + 14]
    return x


def lifted(x: Floats) -> Floats:
    x[AT : AT + 12] += 400.0
    return x


def another_hour(x: Floats) -> Floats:
    draw = np.random.default_rng(2)
    x[AT : AT + 200] += 0.25 * draw.integers(3, 12, 200) * draw.choice([-1.0, 1.0], 200)
    return x


@pytest.mark.parametrize(
    ("change", "code", "first", "last"),
    [
        (both(stale), "STALE_CLOSES", AT - 1, AT + 7),
        (both(repeated), "REPEATED_CLOSES", AT, AT + 4),
        (both(late), "DATE_SHIFT", AT, AT + 14),
        (both(lifted), "LEVEL_PATCH", AT, AT + 11),
    ],
)
def test_a_stretch_is_named_with_its_dates(change: Closes, code: str, first: int, last: int) -> None:
    found = findings(with_closes(change), "L1")
    assert next(iter(found)) == code
    (row,) = found[code]["evidence"]["stretches"]
    days = sessions()
    # Where a close happens to lie near ours the edge is a session or two off.
    assert abs(days.index(row["first"]) - first) <= 2
    assert abs(days.index(row["last"]) - last) <= 2


def test_closes_of_another_hour_for_a_while() -> None:
    found = findings(with_closes(both(another_hour)), "L1")
    assert next(iter(found)) == "CLOSES_DIFFER"
    (row,) = found["CLOSES_DIFFER"]["evidence"]["stretches"]
    days = sessions()
    assert abs(days.index(row["first"]) - AT) <= 20
    assert abs(days.index(row["last"]) - AT - 199) <= 20


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda raw, adjusted: (raw, np.concatenate([adjusted[:AT], raw[AT : AT + 30], adjusted[AT + 30 :]])),
         "UNADJUSTED_PATCH"),
        (lambda raw, adjusted: (raw, adjusted + 100.0 * ((np.arange(raw.size) >= AT) & (np.arange(raw.size) < AT + 9))),
         "LEVEL_PATCH"),
    ],
)  # fmt: skip
def test_a_patch_of_the_adjusted_file(change: Closes, code: str) -> None:
    found = findings(with_closes(change), "L1")
    assert list(found) == [code]
    assert found[code]["evidence"]["stretches"][0]["first"] == sessions()[AT]


def test_newest_closes_left_unadjusted_are_a_patch_and_not_two_wrong_rolls() -> None:
    """From the session of the roll before the newest on, so that the patch begins and ends at rolls."""
    rolls = [roll["roll_date"] for roll in certify_pair(clean_pair()).document["reference_rolls"]]
    first, after = sessions().index(rolls[-2]), sessions().index(rolls[-1])
    found = findings(with_closes(lambda raw, adjusted: (raw, np.append(adjusted[:first], raw[first:]))), "L1")
    (row,) = found["UNADJUSTED_PATCH"]["evidence"]["stretches"]
    assert (row["first"], row["last"]) == (sessions()[first], sessions()[after - 1])
    # A gap that was left out leaves all closes before it off: no patch.
    left_out = with_closes(
        lambda raw, adjusted: (raw, adjusted + (raw - adjusted)[after - 1] * (np.arange(raw.size) < after))
    )
    assert "UNADJUSTED_PATCH" not in findings(left_out, "L1")


def test_closes_of_a_near_neighbour_are_not_of_another_hour(tmp_path: Path) -> None:
    """Contracts two ticks apart: the reference rolls a month after us, and its path cannot be told from ours."""
    pair = generate(clean_markets(100, flat=True)[40], shipped="unadjusted")
    unadjusted = pair.reference.unadjusted
    assert unadjusted is not None
    columns = ["open", "high", "low", "close", "volume"]
    pair.contracts.frame.select("session", "contract", *columns).write_csv(tmp_path / "contracts.csv")
    unadjusted.frame.select("session", *columns).write_csv(tmp_path / "unadjusted.csv")
    bars = ctl.load(tmp_path / "contracts.csv", root=pair.root)
    certificate = ctl.certify(
        bars, ctl.build(bars), tick=pair.tick, max_day_delta=0, unadjusted=tmp_path / "unadjusted.csv"
    )
    assert not [made.code for made in dict(certificate.layers.items())["L1"].findings if made.status == "WATCH"]


def test_a_rounded_reference_has_a_coarse_grid_and_no_other_cause() -> None:
    found = with_closes(lambda raw, adjusted: (np.rint(raw / 5.0) * 5.0, np.rint(adjusted / 5.0) * 5.0))
    assert findings(found, "L1")["COARSE_GRID"]["evidence"]["grid"] == 5.0
    assert "UNADJUSTED_ROLL" not in findings(found, "L3")


def test_our_own_closes_rounded_are_told_as_ours() -> None:
    pair = clean_pair()
    columns = [(pl.col(name) / 2.0).round() * 2.0 for name in ("open", "high", "low", "close")]
    rounded = replace(pair, contracts=replace(pair.contracts, frame=pair.contracts.frame.with_columns(columns)))
    made = findings(rounded, "L1")["COARSE_GRID"]
    assert (made["evidence"]["grid"], made["text"].startswith("our closes")) == (2.0, True)


def test_an_adjusted_file_that_stands_still_is_stale() -> None:
    stands = with_closes(lambda raw, adjusted: (raw, np.append(adjusted[:-20], np.full(20, adjusted[-21]))))
    (row,) = findings(stands, "L1")["STALE_CLOSES"]["evidence"]["stretches"]
    assert (row["first"], row["last"]) == (sessions()[-21], sessions()[-1])


def test_a_clean_pair_has_none() -> None:
    assert findings(clean_pair(), "L1") == {}


def test_single_prints_are_no_stretch() -> None:
    def prints(x: Floats) -> Floats:
        x[[700, 760, 820, 880]] += 250.0
        return x

    assert list(findings(with_closes(both(prints)), "L1")) == ["ISOLATED_PRINTS"]
