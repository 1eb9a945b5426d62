"""Several references: each is certified against ours, and where all but one side agree the odd one is named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from ctl.arrays import Bools, Days, Floats
from ctl.model.certificate import ComparedReference, OddOneOut, Quorum
from ctl.model.findings import counted, in_full

if TYPE_CHECKING:
    from datetime import date

    from ctl.errors import CtlError
    from ctl.model.certificate import Certificate, CertifiedRoll


OURS: Final = "ours"
ODD_ONE_OUT: Final = "ODD_ONE_OUT"
LEAST_REFERENCES: Final = 2
# A side stands apart for so many sessions running, by more than the usual daily change, while the others lie within a
# quarter of it of each other.
LEAST_SESSIONS: Final = 5
USUAL_OVER: Final = 60
AGREE_WITHIN: Final = 0.25
MOST_STRETCHES: Final = 3


def compare(certificates: Mapping[str, Certificate], failed: Mapping[str, CtlError], decides: str) -> Quorum:
    """Hold the certificates of one series of ours against several references beside each other.

    certificates: by vendor, in the order of the workspace. failed: references that could not be read, and why.
    """
    told = [
        ComparedReference(vendor, certificate.decision, certificate.mean_drift, certificate.detail)
        for vendor, certificate in certificates.items()
    ]
    told += [ComparedReference(vendor, None, None, str(error)) for vendor, error in failed.items()]
    rolled = {vendor: made for vendor, made in certificates.items() if made.n_paired is not None}
    adjusted = {vendor: made for vendor, made in certificates.items() if made.ledger is not None}
    odd = [*(_rolls(rolled) if len(rolled) >= LEAST_REFERENCES else ())]
    odd += _levels(adjusted) if len(adjusted) >= LEAST_REFERENCES else ()
    return Quorum(decides, tuple(told), tuple(odd))


# ---------------------------------------------------------------- rolls


def _rolls(certificates: Mapping[str, Certificate]) -> Iterator[OddOneOut]:
    """Sides that alone lack, or alone make, rolls of ours; a roll at an edge of a window is nobody's."""
    statuses = [
        {(roll.gap_session, roll.to_contract): (roll, roll.status) for roll in made.canonical_rolls}
        for made in certificates.values()
    ]
    alone: dict[str, list[CertifiedRoll]] = {}
    for key in sorted(set.intersection(*map(set, statuses)), key=lambda key: key[0]):
        votes = {vendor: found[key][1] for vendor, found in zip(certificates, statuses, strict=True)}
        if "EDGE" in votes.values():
            continue
        without = [vendor for vendor, status in votes.items() if status == "FAIL"]
        if len(without) == 1:
            alone.setdefault(without[0], []).append(statuses[0][key][0])
        elif len(without) == len(votes) and _agree(certificates, statuses[0][key][0]):
            alone.setdefault(OURS, []).append(statuses[0][key][0])
    for vendor, rolls in alone.items():
        first, last = rolls[0], rolls[-1]
        named = f"{first.from_contract}>{first.to_contract} on {first.gap_session}"
        named += f" to {last.from_contract}>{last.to_contract} on {last.gap_session}" if len(rolls) > 1 else ""
        who = "we alone do" if vendor == OURS else f"{vendor} alone does"
        text = f"{who} not make {counted(len(rolls), 'roll')} as all others do: {named}"
        yield OddOneOut(ODD_ONE_OUT, vendor, "rolls", first.gap_session, last.gap_session, text)


def _agree(certificates: Mapping[str, Certificate], ours: CertifiedRoll) -> bool:
    """Whether all references roll to our roll's contract within the day limit of each other."""
    days = []
    for made in certificates.values():
        found = [roll.gap_session for roll in made.reference_rolls if roll.to_contract == ours.to_contract]
        if ours.to_contract is None or len(found) != 1:
            return False
        days.append(np.datetime64(found[0], "D"))
    most = max(made.max_day_delta for made in certificates.values())
    return bool(np.busday_count(min(days), max(days)) <= most)


# ---------------------------------------------------------------- levels


def _levels(certificates: Mapping[str, Certificate]) -> Iterator[OddOneOut]:
    """Stretches of sessions on which one side's adjusted close lies apart from all others, which agree."""
    tables = [made.tables["L4_drift.csv"] for made in certificates.values()]
    days = [table["session"].to_numpy().astype("datetime64[D]") for table in tables]
    shared = days[0]
    for other in days[1:]:
        shared = np.intersect1d(shared, other, assume_unique=True)
    if shared.size < USUAL_OVER:
        return
    place = [np.searchsorted(each, shared) for each in days]
    ours = tables[0]["canonical_close"].to_numpy()[place[0]]
    # Ours lies at 0, a reference as far below it as the drift says.
    heights = np.stack(
        [np.zeros(shared.size), *(-table["drift"].to_numpy()[at] for table, at in zip(tables, place, strict=True))]
    )
    usual = _usual_change(ours)
    for n, vendor in enumerate((OURS, *certificates)):
        others = np.delete(heights, n, axis=0)
        apart = heights[n] - np.median(others, axis=0)
        alone = (np.abs(apart) > usual) & (np.ptp(others, axis=0) <= AGREE_WITHIN * usual)
        yield from _stretches(vendor, alone, apart, shared)


def _usual_change(closes: Floats) -> Floats:
    """Mean |change| of the last 60 sessions, of fewer at the start."""
    summed = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(closes, prepend=closes[0])))])
    end = np.arange(1, closes.size + 1)
    begin = np.maximum(end - USUAL_OVER, 0)
    first = np.maximum(end, USUAL_OVER)
    mean = (summed[end] - summed[begin]) / (end - begin)
    usual: Floats = np.where(end < USUAL_OVER, summed[first] / first, mean)
    return usual


def _stretches(vendor: str, alone: Bools, apart: Floats, days: Days) -> list[OddOneOut]:
    side = np.where(alone, np.sign(apart), 0.0)
    bounds = np.concatenate(([0], np.flatnonzero(np.diff(side)) + 1, [side.size]))
    found = []
    for begin, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        if side[begin] and end - begin >= LEAST_SESSIONS:
            size = float(np.median(apart[begin:end]))
            first: date = days[begin].item()
            last: date = days[end - 1].item()
            who = "we stand" if vendor == OURS else f"{vendor} stands"
            where = f"{in_full(abs(size))} {'above' if size > 0 else 'below'} all others"
            text = f"{who} {where} on {counted(end - begin, 'session')}, {first} to {last}"
            found.append((end - begin, OddOneOut(ODD_ONE_OUT, vendor, "level", first, last, text)))
    longest = sorted(found, key=lambda item: (-item[0], item[1].first))[:MOST_STRETCHES]
    return sorted((odd for _, odd in longest), key=lambda odd: odd.first)
