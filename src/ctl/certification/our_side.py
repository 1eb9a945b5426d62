"""Our contracts and our series as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ctl.certification.contract_bars import ContractBarArrays
from ctl.certification.contract_closes import ContractCloses
from ctl.certification.series_arrays import CanonicalArrays, canonical_arrays
from ctl.model.findings import NotRun

if TYPE_CHECKING:
    from ctl.certification.request import CertifyRequest


@dataclass(frozen=True, slots=True)
class OurSide:
    """Our contracts and our series as arrays; contract indices are into `closes.names`.

    bars: every bar of the contracts. closes, canonical: empty where there is no such input.
    """

    bars: ContractBarArrays | NotRun
    closes: ContractCloses
    canonical: CanonicalArrays


def read_our_side(request: CertifyRequest) -> OurSide:
    """Our contracts and our series as arrays. Raises DataError where bars are in no order.

    Contracts of another root are left out: they are in no order that could be relied on.
    """
    contracts, series = request.contracts, request.canonical
    bars = ContractBarArrays(contracts) if contracts is not None and contracts.roots == (request.root,) else None
    closes = (
        ContractCloses.empty()
        if bars is None
        else ContractCloses.from_arrays(bars.names, bars.day, bars.contract, bars.close)
    )
    arrays = CanonicalArrays.empty() if series is None else canonical_arrays(series, closes.names)
    return OurSide(NotRun("no contract bars") if bars is None else bars, closes, arrays)
