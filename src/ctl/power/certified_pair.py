"""A generated pair, certified the way a workspace's symbol is: built, run on both sides, rebuilt, certified."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ctl import __version__, certification, continuous
from ctl.model.rolls import RollPolicy

if TYPE_CHECKING:
    from ctl.certification.functional_input import FunctionalInput, RunBars
    from ctl.model.certificate import Certificate
    from ctl.model.rolls import ContinuousSeries, ScheduledRoll
    from ctl.power.vendor_pairs import VendorPair

MAX_DAY_DELTA: Final = 3
QUOTE_UNIT: Final = "points"


def certify_pair(
    pair: VendorPair,
    strategy_input: Callable[[VendorPair, ContinuousSeries], FunctionalInput | None] | None = None,
    run_bars: RunBars | None = None,
) -> Certificate:
    """The certificate of a pair. strategy_input: runs the strategy on both sides, without it L5 is NOT_RUN; run_bars:
    on what is made between them.
    """
    policy = RollPolicy()
    series = continuous.build(pair.contracts, policy)

    def rebuild(schedule: tuple[ScheduledRoll, ...]) -> ContinuousSeries:
        return continuous.build(pair.contracts, replace(policy, kind="schedule", schedule=schedule))

    return certification.certify(
        certification.CertifyRequest(
            symbol=pair.root,
            root=pair.root,
            tick=pair.tick,
            max_day_delta=MAX_DAY_DELTA,
            quote_unit=QUOTE_UNIT,
            contracts=pair.contracts,
            canonical=series,
            reference=pair.reference,
            calendar_sessions=pair.sessions,
            rebuild=rebuild,
            functional=None if strategy_input is None else strategy_input(pair, series),
            run_bars=run_bars,
            package_version=__version__,
        )
    )
