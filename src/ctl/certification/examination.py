"""The examination of one symbol: the order of everything, from the request to what every layer found.

Each step takes what the steps before it came to, as a value; what could not be had is a value too (`NotRun`), which
says why. A layer that raises is an ERROR of that layer, never a crash and never a pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from ctl.certification import equity
from ctl.certification.attempt import attempt
from ctl.certification.layers import (
    drift,
    experiment,
    functional,
    identity,
    integrity,
    prints,
    roll_gaps,
    roll_schedule,
)
from ctl.certification.layers.roll_schedule import NOT_ALIGNED
from ctl.certification.log_points import LogPoints, adjusted_by_ratio, in_log_points
from ctl.certification.measures import take_measures
from ctl.certification.our_side import read_our_side
from ctl.certification.recovery.schedule import reference_schedule
from ctl.certification.window import build_window, read_reference
from ctl.model.certificate import JudgedSeries
from ctl.model.findings import LayerResult, NotRun

if TYPE_CHECKING:
    from ctl.certification.acceptance import Measures
    from ctl.certification.layers.drift import ExplainedDrift
    from ctl.certification.layers.functional import FunctionalParity
    from ctl.certification.layers.roll_gaps import RollGaps
    from ctl.certification.layers.roll_schedule import RollSchedules
    from ctl.certification.our_side import OurSide
    from ctl.certification.recovery.reference import RecoveredReference
    from ctl.certification.request import CertifyRequest
    from ctl.certification.window import Window
    from ctl.model.certificate import NotComputed
    from ctl.model.findings import Finding, LayerName
    from ctl.model.rolls import ContinuousSeries

Measured = TypeVar("Measured")
Value = TypeVar("Value")
Result = TypeVar("Result")
IDENTITY_FAILED = NotRun("identity failed: nothing else was compared")


@dataclass(frozen=True, slots=True)
class Examination:
    """What the layers found, before any decision, and what they found it on.

    on_reference_rolls: our contracts built on the reference's recovered rolls.
    """

    request: CertifyRequest
    ours: OurSide | NotRun
    recovered: RecoveredReference | NotRun
    window: Window | NotRun
    on_reference_rolls: ContinuousSeries | NotRun
    identity: LayerResult[None]
    raw_data: LayerResult[None]
    roll_schedule: LayerResult[RollSchedules]
    roll_gaps: LayerResult[RollGaps]
    drift: LayerResult[ExplainedDrift]
    functional: LayerResult[FunctionalParity]

    def layers(self) -> Iterator[LayerResult[object]]:
        """L0 to L5."""
        yield from (self.identity, self.raw_data, self.roll_schedule, self.roll_gaps, self.drift, self.functional)

    def measures(self, rebuilt: JudgedSeries | NotComputed) -> Measures:
        """What acceptance looks at. rebuilt: our contracts on the reference's rolls, for policy v2."""
        return take_measures(
            self.window,
            self.roll_schedule.measured,
            self.roll_gaps.measured,
            self.drift.measured,
            tick=self.request.tick,
            policy=self.request.acceptance_policy,
            rebuilt_decision=rebuilt.decision if isinstance(rebuilt, JudgedSeries) else None,
        )


def examine(request: CertifyRequest) -> Examination:
    """What layers L0 to L5 find; after a failed L0 the others are NOT_RUN, but for a share's."""
    if request.acceptance_policy == "e1":
        our_side, shared, found = equity.layers(request)
        recovered_too = shared if isinstance(shared, NotRun) else shared.recovered
        return Examination(request, our_side, recovered_too, shared, NotRun("a share has no rolls"), *found)
    ours = attempt(partial(read_our_side, request))
    checks = _then(ours, lambda ours: identity.check_ours(request, ours))
    compared = checks if isinstance(checks, NotRun) else IDENTITY_FAILED if identity.gate_failed(checks) else ours
    sides = _then(compared, partial(_comparable, request))
    recovered = _then(sides, lambda sides: read_reference(sides.request, sides.ours))
    window = _then(
        sides,
        lambda sides: build_window(sides.request, sides.ours.canonical, sides.ours.closes, recovered, sides.log_points),
    )
    first = _identity(checks, window)
    if first.status == "FAIL":
        rest = [LayerResult.absent(layer, IDENTITY_FAILED) for layer in ("L1", "L2", "L3", "L4", "L5")]
        return Examination(request, ours, recovered, window, IDENTITY_FAILED, first, *rest)
    isolated = _then(window, prints.of_window)
    raw_data = _layer("L1", partial(integrity.check, request, ours, window, isolated))
    schedule = _layer("L2", partial(roll_schedule.check, window))
    gaps = _layer("L3", partial(roll_gaps.check, window, schedule.measured))
    explained = _layer("L4", partial(drift.check, window, schedule.measured_or(NOT_ALIGNED).alignment, isolated))
    on_rolls = _then(window, partial(_on_reference_rolls, request))
    return Examination(
        request, ours, recovered, window, on_rolls, first, raw_data, schedule, gaps, explained,
        functional=_layer("L5", partial(_functional, request, window, explained.measured, on_rolls)),
    )  # fmt: skip


def _on_reference_rolls(request: CertifyRequest, window: Window) -> ContinuousSeries | NotRun:
    if request.rebuild is None:
        return NotRun("no builder was given")
    if not window.recovered.contracts_known:
        return NotRun("the reference's contracts are unknown: there is no schedule to build on")
    schedule = reference_schedule(window.recovered)
    return request.rebuild(schedule) if schedule else NotRun("the reference has no rolls to build on")


@dataclass(frozen=True, slots=True)
class _Sides:
    """Both sides in a common measure: prices, or log points where the reference is adjusted by ratios."""

    request: CertifyRequest
    ours: OurSide
    log_points: LogPoints | None


def _comparable(request: CertifyRequest, ours: OurSide) -> _Sides:
    points = in_log_points(request, ours) if adjusted_by_ratio(request, ours) else None
    return _Sides(request, ours, None) if points is None else _Sides(*points)


def _identity(checks: tuple[Finding, ...] | NotRun, window: Window | NotRun) -> LayerResult[None]:
    """L0; an ERROR where its own checks or what laid the window raised."""
    if isinstance(checks, NotRun):
        return LayerResult.error("L0", checks)
    if isinstance(window, NotRun) and window.failed:
        return LayerResult.error("L0", window)
    return _layer("L0", partial(identity.check, checks, window))


def _functional(
    request: CertifyRequest,
    window: Window | NotRun,
    explained: ExplainedDrift | NotRun,
    on_reference_rolls: ContinuousSeries | NotRun,
) -> LayerResult[FunctionalParity]:
    # What the earlier layers could not or would not compare, the strategy is not compared on either.
    if isinstance(window, NotRun):
        return LayerResult.absent("L5", window)
    if isinstance(explained, NotRun) and explained.code is not None and not explained.failed:
        return LayerResult.absent("L5", explained)
    given = functional.strategy_input(request, window.recovered)
    if isinstance(given, NotRun):
        return LayerResult.absent("L5", given)
    return functional.check(given, attempt(partial(experiment.run, request, window, on_reference_rolls)))


def _then(value: Value | NotRun, work: Callable[[Value], Result | NotRun]) -> Result | NotRun:
    """Go on from a value, if there is one."""
    return value if isinstance(value, NotRun) else attempt(partial(work, value))


def _layer(name: LayerName, check: Callable[[], LayerResult[Measured]]) -> LayerResult[Measured]:
    """Run one layer; what it raises is its ERROR."""
    result = attempt(check)
    return LayerResult.error(name, result) if isinstance(result, NotRun) else result
