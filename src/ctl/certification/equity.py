"""The examination of a share, and its decision: policy `e1`. Nothing expires and nothing is rolled: L2 and L3 are N/A.

Both sides come on their common adjustment basis (`EquityBasis`, made by the caller); what is left between them is the
deviation, in shares of the price.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from ctl.certification.acceptance import LIMITS_E1
from ctl.certification.attempt import attempt
from ctl.certification.layers import experiment, functional, identity
from ctl.certification.our_side import read_our_side
from ctl.certification.tolerance import exceeds
from ctl.certification.window import build_window, read_reference
from ctl.model.certificate import DeviationFigures
from ctl.model.findings import Finding, LayerResult, NotRun, counted, finding, worst_status

if TYPE_CHECKING:
    from ctl.certification.our_side import OurSide
    from ctl.certification.request import CertifyRequest
    from ctl.certification.window import Window
    from ctl.model.findings import LayerName, Status

_REFUSED_BY_ACTIONS = ("ACTION_MISSING", "DOUBLE_ADJUSTED")


def layers(request: CertifyRequest) -> tuple[OurSide | NotRun, Window | NotRun, tuple[LayerResult[Any], ...]]:
    """Our side, the window, and what L0 to L5 find of a share."""
    ours = attempt(partial(read_our_side, request))
    window = _window(request, ours)
    not_rolled = "a share: nothing expires"
    drift = _layer("L4", partial(check_deviation, window))
    return ours, window, (
        _layer("L0", partial(check_identity, request, ours, window)),
        _layer("L1", partial(check_bars, request)),
        LayerResult.not_applicable("L2", not_rolled),
        LayerResult.not_applicable("L3", not_rolled),
        drift,
        _layer("L5", partial(_functional, request, window)),
    )  # fmt: skip


def check_identity(request: CertifyRequest, ours: OurSide | NotRun, window: Window | NotRun) -> LayerResult[None]:
    """L0: the tick grid, the same share as the reference's, bases that are recognised, actions that are explained."""
    if isinstance(ours, NotRun):
        return LayerResult.error("L0", ours)
    closes = identity.closes_for_grid(request, ours)
    checks = [
        finding("tick_grid", "NOT_RUN", closes.reason)
        if isinstance(closes, NotRun)
        else identity.check_grid(closes, request.tick),
        _match(window),
        check_adjustment(request),
        check_actions(request),
    ]
    status: Status = worst_status(check.status for check in checks)
    if status in ("PASS", "WATCH") and any(check.status == "NOT_RUN" for check in checks):
        status = "NOT_RUN"
    told = [f"{check.check}: {check.text}" for check in checks if check.status != "PASS"]
    return LayerResult.of("L0", status, "; ".join(told) or "the share is the one asked for", checks, measured=None)


def check_adjustment(request: CertifyRequest) -> Finding:
    """Which adjustments both sides carry. FAIL where they cannot both be right, NOT_RUN where nobody says."""
    basis = request.equity_basis
    if basis is None:
        return finding("adjustment_basis", "NOT_RUN", "no splits and dividends are stated (actions in ctl.toml)")
    checked = identity.check_basis(basis)
    return replace(checked, status="FAIL") if checked.code in _REFUSED_BY_ACTIONS else checked


def check_actions(request: CertifyRequest) -> Finding:
    """What each known action leaves between both sides on the common basis, in shares of the price."""
    basis = request.equity_basis
    if basis is None or basis.refusal is not None:
        return finding("actions", "NOT_RUN", "the sides have no common basis")
    limit = LIMITS_E1.max_action_residual
    left = [(session, kind, residual) for session, kind, residual in basis.residuals if exceeds(abs(residual), limit)]
    worst = max((abs(residual) for _, _, residual in basis.residuals), default=None)
    evidence = {
        "actions": [
            {"session": session.isoformat(), "kind": kind, "residual": residual}
            for session, kind, residual in basis.residuals
        ]
    }
    if left:
        session, kind, residual = max(left, key=lambda item: abs(item[2]))
        text = (
            f"{counted(len(left), 'action')} of {len(basis.residuals)} not explained; worst the {kind} of {session}: "
            f"{100 * abs(residual):.2f} % of price > {100 * limit:.2f} %"
        )
        return finding("actions", "FAIL", text, "ACTION_UNEXPLAINED", worst, limit, "fraction", evidence)
    text = f"{counted(len(basis.residuals), 'action')} explained"
    text += "" if worst is None else f", at most {100 * worst:.3f} % of price left"
    return finding("actions", "PASS", text, None, worst, limit, "fraction", evidence)


def check_bars(request: CertifyRequest) -> LayerResult[None]:
    """L1: our bars are what a market can have printed. Nothing here gates."""
    if request.canonical is None:
        return LayerResult.absent("L1", "no bars")
    column = pl.col
    outside = (column("close") > column("high")) | (column("close") < column("low"))
    opened = (column("open") > column("high")) | (column("open") < column("low"))
    bad = request.canonical.frame.filter((column("high") < column("low")) | outside | opened)
    text = "every bar is possible"
    status: Status = "PASS"
    if not bad.is_empty():
        status, text = "WATCH", f"{counted(bad.height, 'impossible bar')}, first on {bad['session'][0]}"
    check = finding("integrity", status, text, None if status == "PASS" else "BAD_BARS", float(bad.height), 0.0, "bars")
    return LayerResult.of("L1", status, text, (check,), measured=None)


def check_deviation(window: Window | NotRun) -> LayerResult[None]:
    """L4: how far the closes of both sides lie apart on the common basis, in shares of the price."""
    if isinstance(window, NotRun):
        return LayerResult.absent("L4", window)
    overlap = window.overlap
    theirs = overlap.reference_adjusted if overlap.has_reference_adjusted else overlap.reference_unadjusted
    drift = overlap.canonical_adjusted - theirs
    share = np.abs(drift) / np.abs(overlap.canonical_adjusted)
    known = np.flatnonzero(np.isfinite(share))
    if not known.size:
        return LayerResult.absent("L4", "no close of both sides on any shared session")
    worst = int(known[np.argmax(share[known])])
    size = np.abs(drift[known])
    figures = DeviationFigures(
        mean_deviation=float(share[known].mean()),
        max_deviation=float(share[worst]),
        max_deviation_session=overlap.sessions[worst].item(),
        mean_drift=float(size.mean()),
        max_drift=float(size.max()),
        signed_mean=float(drift[known].mean()),
        p95=float(np.quantile(size, 0.95)),
    )
    limits = LIMITS_E1
    findings = [
        finding(name, "WATCH" if exceeds(value, accept) else "PASS", text,
                code if exceeds(value, accept) else None, value, accept, "fraction of price")
        for name, value, accept, code, text in (
            ("mean_deviation", figures.mean_deviation, limits.accept_mean_deviation, "MEAN_DEVIATION",
             f"closes lie {100 * figures.mean_deviation:.3f} % of price apart on average"),
            ("max_deviation", figures.max_deviation, limits.accept_max_deviation, "MAX_DEVIATION",
             f"at most {100 * figures.max_deviation:.2f} % of price, on {figures.max_deviation_session}"),
        )
    ]  # fmt: skip
    text = "; ".join(made.text for made in findings)
    status = worst_status(made.status for made in findings)
    return LayerResult.of("L4", status, text, findings, measured=NotRun("a share has no ledger"), figures=figures)


def _window(request: CertifyRequest, ours: OurSide | NotRun) -> Window | NotRun:
    if isinstance(ours, NotRun):
        return ours
    recovered = attempt(lambda: read_reference(request, ours))
    if isinstance(recovered, NotRun):
        return recovered
    return attempt(lambda: build_window(request, ours.canonical, ours.closes, recovered))


def _match(window: Window | NotRun) -> Finding:
    if isinstance(window, NotRun):
        return finding("reference_match", "ERROR" if window.failed else "NOT_RUN", window.reason, window.code)
    match = identity.check_reference_match(window)
    return replace(match, evidence={**match.evidence, "changes_over": "shared sessions"})


def _functional(request: CertifyRequest, window: Window | NotRun) -> LayerResult[functional.FunctionalParity]:
    if isinstance(window, NotRun):
        return LayerResult.absent("L5", window)
    given = functional.strategy_input(request, window.recovered)
    if isinstance(given, NotRun):
        return LayerResult.absent("L5", given)
    return functional.check(given, attempt(partial(experiment.run, request, window, NotRun("a share has no rolls"))))


def _layer(name: LayerName, check: partial[LayerResult[Any]]) -> LayerResult[Any]:
    result = attempt(check)
    return LayerResult.error(name, result) if isinstance(result, NotRun) else result
