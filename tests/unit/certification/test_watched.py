"""What is locked and watched of an examination, on numbers small enough to work out by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from certify_market import Market
from overlaps import START, overlap_of, roll, window_of

from ctl import certification
from ctl.certification import watched
from ctl.certification.layers import ledger
from ctl.model.findings import NotRun


def book_of(ours: list[float], theirs: list[float], *, held: list[int], gap: float) -> ledger.Ledger:
    """A ledger of one roll of both sides, where the held contract changes, whose gaps differ by `gap`."""
    at = held.index(1)
    made = replace_gap(at, 1.0 + gap), replace_gap(at, 1.0)
    carried = [np.where(np.arange(len(held)) < at, item.gap, 0.0) for item in made]
    closes = np.array(ours), np.array(theirs)
    sides = [
        ledger.Side(values + added, values, np.array(held), [item])
        for values, added, item in zip(closes, carried, made, strict=True)
    ]
    return ledger.compute(START + np.arange(len(held)), *sides, names=("XXH20", "XXM20"))


def replace_gap(at: int, gap: float) -> Any:
    return roll(at)._replace(gap=gap, from_contract="XXH20", to_contract="XXM20")


def test_aligned_drift_does_not_hang_on_the_sessions_since_the_last_roll() -> None:
    # 300 sessions; ours lies 0.5 above or below theirs in turn, but 4 above on the one session since the roll.
    count = 300
    basis = [0.5 if day % 2 else -0.5 for day in range(count - 1)] + [4.0]
    held = [0] * (count - 1) + [1]
    theirs = [100.0] * count
    ours = [value + off for value, off in zip(theirs, basis, strict=True)]
    book = book_of(ours, theirs, held=held, gap=0.0)
    # Aligned on that session alone, every other one is 3.5 or 4.5 off; on the newest 250 (124 at -0.5, 125 at 0.5, one
    # at 4), whose median is 0.5, the others are 0 or 1 off and the last 3.5: (150 * 1 + 3.5) / 300.
    assert book.summary.mean_drift == pytest.approx((149 * 3.5 + 150 * 4.5) / 300)
    assert watched.aligned_drift(book) == pytest.approx((150 * 1.0 + 3.5) / 300)


def test_aligned_drift_carries_gap_differences_but_is_not_aligned_on_them() -> None:
    # A gap difference of 2 is carried by the first 100 of 110 sessions: were it not taken out, the median would lie
    # on those 100, and the other 10 would be 2 off.
    book = book_of([100.0] * 110, [100.0] * 110, held=[0] * 100 + [1] * 10, gap=2.0)
    assert watched.aligned_drift(book) == pytest.approx(2.0 * 100 / 110)


def test_basis_means_are_of_twenty_same_contract_sessions_in_a_row() -> None:
    # 25 sessions 1 apart; on sessions 3 and 4 the sides hold different contracts, and 7 apart: they do not count.
    theirs = [100.0] * 25
    ours = [101.0] * 24 + [103.0]
    ours[3] = ours[4] = 107.0
    held, other = [0] * 25, [0] * 25
    other[3] = other[4] = 1
    overlap = overlap_of(ours, theirs, held, other)
    days, basis, _ = watched._basis_means(examined(), window_of(overlap))  # type: ignore[arg-type]
    # 23 sessions count, so the means end at the 20th to 23rd of them: sessions 21 to 24.
    assert (days - START).astype(int).tolist() == [21, 22, 23, 24]
    assert basis.tolist() == pytest.approx([1.0, 1.0, 1.0, (19 * 1.0 + 3.0) / 20])


def test_without_contracts_the_changes_between_rolls_count() -> None:
    # Ours climbs 0.1 a session above theirs, and by 9 at the roll of session 10, which does not count.
    steps = np.arange(25) * 0.1
    steps[10:] += 9.0
    overlap = overlap_of((100.0 + steps).tolist(), [100.0] * 25)
    days, basis, _ = watched._basis_means(examined(), window_of(overlap, [roll(10)]))  # type: ignore[arg-type]
    # 24 changes less the one at the roll: 23, so 4 means.
    assert (days - START).astype(int).tolist() == [21, 22, 23, 24]
    assert basis.tolist() == pytest.approx([0.1] * 4)


def examined() -> Any:
    return SimpleNamespace(drift=SimpleNamespace(measured=NotRun("not asked"), report=SimpleNamespace(values=None)))


def request_of() -> certification.CertifyRequest:
    """A market whose reference is 2 off at one roll of 23, and 0.25 above ours from session 100 to 199."""
    market = Market()

    def off(closes: np.ndarray) -> np.ndarray:
        changed = closes.copy()
        changed[100:200] += 0.25
        return changed

    return market.request(reference=market.reference(gap_errors={7: 2.0}, change=off))


def test_the_short_way_finds_what_a_certificate_holds() -> None:
    request = request_of()
    certificate = certification.certify(request)
    short = certification.watch(request)
    assert certificate.watched is not None
    assert short.symbol == certificate.watched.symbol
    assert short.gaps == certificate.watched.gaps
    assert short.symbol.metrics.mean_drift == certificate.mean_drift
    assert short.symbol.metrics.max_gap_diff == certificate.max_gap_diff
    assert short.symbol.metrics.n_paired == certificate.n_paired
    assert short.symbol.breached == tuple(reason.code for reason in certificate.reasons)
    assert np.array_equal(short.basis, certificate.watched.basis)
    assert request.canonical is not None
    assert short.symbol.last_canonical == request.canonical.frame["session"].max()


def test_a_side_that_is_missing_has_no_last_session_and_no_metrics() -> None:
    made = certification.watch(replace(request_of(), reference=None)).symbol
    assert (made.decision, made.last_reference, made.data_to.both) == ("ERROR", None, None)
    assert made.metrics.mean_drift is None
    assert made.metrics.n_paired is None


def test_both_sides_reach_to_the_earlier_last_session() -> None:
    made = certification.watch(request_of()).symbol
    later = replace(made, last_canonical=date(2030, 1, 2), last_reference=date(2030, 1, 1)).data_to
    assert (later.both, later.newest) == (date(2030, 1, 1), date(2030, 1, 2))
