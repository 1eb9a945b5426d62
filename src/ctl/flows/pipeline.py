"""The certificate of one symbol, of what its files hold; and its files.

Composition only: what is read, built and certified is decided in the rooms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from ctl import __version__, certification, store
from ctl.flows.functional import functional_input, functional_input_on, run_bars
from ctl.flows.inputs import SymbolInputs
from ctl.flows.series import alternatives, build_series, canonical_series, exchange_sessions, write_together
from ctl.flows.terms import CertifyTerms
from ctl.model.bars import ContractBars, DailySeries
from ctl.model.rolls import ContinuousSeries, ScheduledRoll

if TYPE_CHECKING:
    from ctl.certification.functional_input import FunctionalInput
    from ctl.model.certificate import Certificate
    from ctl.model.locked import Verdict, Watched
    from ctl.model.reference import Reference


class Made(Protocol):
    """What was made of one symbol; what is large of it may be read again where it is asked for."""

    @property
    def inputs(self) -> SymbolInputs: ...
    @property
    def series(self) -> ContinuousSeries | DailySeries | None: ...
    @property
    def certificate(self) -> Certificate | Verdict: ...
    @property
    def terms(self) -> CertifyTerms: ...


@dataclass(frozen=True, slots=True)
class Certified:
    """One symbol's files as read once, the series built from them, and the certificate of both on the terms asked."""

    inputs: SymbolInputs
    series: ContinuousSeries | DailySeries | None
    certificate: Certificate
    terms: CertifyTerms


def certify_symbol(
    held: SymbolInputs,
    series: ContinuousSeries | DailySeries | None,
    terms: CertifyTerms,
    *,
    other_contracts: Mapping[str, ContractBars] | None = None,
) -> Certificate:
    """Certify `series`, built from `held`, against the reference."""
    request = _request(held, series, terms)
    series, reference = request.canonical, request.reference
    # An adjusted price alone does not say what the day's price was.
    alone = held.contracts is not None and reference is not None and reference.unadjusted is None

    def run_on(
        ours: ContinuousSeries | DailySeries | None,
    ) -> tuple[FunctionalInput | None, certification.Recovered | None]:
        if alone:
            return None, partial(functional_input_on, held.symbol, ours, reference, terms)
        return functional_input(held.symbol, ours, reference, terms), None

    functional, run_on_recovered = run_on(series)
    return certification.certify(
        replace(
            request,
            other_contracts=other_contracts or {},
            functional=functional,
            run_on_recovered=run_on_recovered,
            run_on=run_on,
            run_bars=partial(run_bars, held.symbol, terms),
            alternatives={} if series is None else alternatives(held, terms.calendar),
        )
    )


def watch_symbol(held: SymbolInputs, terms: CertifyTerms) -> Watched:
    """What a lock holds of a symbol, from what its files hold: built and decided anew, without the certificate."""
    return certification.watch(_request(held, canonical_series(held, terms.calendar), terms))


def _request(
    held: SymbolInputs, series: ContinuousSeries | DailySeries | None, terms: CertifyTerms
) -> certification.CertifyRequest:
    """What the decision rests on."""
    contracts, policy = held.contracts, held.policy
    series, reference, basis = _on_common_basis(held, series)
    rebuild = None
    if contracts is not None and policy is not None and series is not None:

        def rebuild(schedule: tuple[ScheduledRoll, ...]) -> ContinuousSeries:
            # The schedule names its contracts: months that ours leaves out are held where the reference holds them.
            scheduled = replace(policy, kind="schedule", schedule=schedule, eligible_months=None)
            return build_series(contracts, scheduled, terms.calendar)

    return certification.CertifyRequest(
        symbol=held.symbol,
        root=held.root,
        tick=terms.tick,
        max_day_delta=terms.max_day_delta,
        quote_unit=terms.quote_unit,
        contracts=contracts,
        canonical=series,
        reference=reference,
        acceptance_policy=terms.acceptance_policy,
        calendar_sessions=exchange_sessions(held.bars, terms.calendar),
        rebuild=rebuild,
        package_version=__version__,
        currency=terms.currency,
        equity_basis=basis,
    )


def _on_common_basis(
    held: SymbolInputs, series: ContinuousSeries | DailySeries | None
) -> tuple[ContinuousSeries | DailySeries | None, Reference | None, certification.EquityBasis | None]:
    """Both sides of an equity whose actions are known on a common adjustment basis; all others as they are."""
    reference = held.reference
    given = None if reference is None else reference.adjusted or reference.unadjusted
    if held.actions is None or not isinstance(series, DailySeries) or reference is None or given is None:
        return series, reference, None
    from ctl import equity_basis

    found = equity_basis.align(series, given, held.actions, declared=held.common_basis)
    basis = certification.EquityBasis(
        text=found.text,
        refusal=found.refusal,
        notes=found.notes,
        closes=series.frame["close"].to_numpy(),
        document=found.document(),
        residuals=found.residuals,
    )
    if reference.adjusted is not None:
        return found.canonical, replace(reference, adjusted=found.reference), basis
    return found.canonical, replace(reference, unadjusted=found.reference), basis


CERTIFICATE_TABLES: Final = (
    "L2_roll_schedule.csv", "L3_roll_gaps.csv", "L4_drift.csv", "L4_ledger.json", "L5_trades.csv",
)  # fmt: skip


def write_certificate(folder: Path, certificate: Certificate) -> list[Path]:
    """Write a certificate's tables and then its canonical JSON: its sha256 is the certificate's.

    Tables of an earlier certificate that this one does not have are removed: they would tell another story beside it.
    """
    files: dict[str, bytes] = {}
    for name, frame in certificate.tables.items():
        files[name] = frame.write_csv().encode()
    if certificate.ledger is not None:
        files["L4_ledger.json"] = store.json_bytes(certificate.document["ledger"])
    files[f"{certificate.symbol}_certificate.json"] = certificate.canonical_json
    written = write_together(folder, files)
    for name in CERTIFICATE_TABLES:
        if name not in files:
            store.remove(folder / name)
    return written
