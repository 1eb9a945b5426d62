"""Causes that can be injected by name, for tests and demonstrations."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Final

from ctl.demo import faults
from ctl.demo.spec import RollRule
from ctl.errors import UsageError, one_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ctl.demo.spec import CanonicalCauses, EquitySpec, FutureSpec, MarketSpec

FUTURES: Final = ("ES", "CL", "PL", "PA")
EQUITIES: Final = ("AAPL", "XLE")

CAUSES: Final[Mapping[str, str]] = {
    "wrong-commodity": "another root's contract files lie in the symbol's folder (PA's in PL's)",
    "wrong-commodity-renamed": "another root's prices under the symbol's own contract names",
    "unadjusted-roll": "the reference left one more roll out of its adjustment",
    "inverted-adjustment": "the reference adjusted with the wrong sign, which doubles every jump",
    "roll-rule": "the reference rolls weeks earlier than volume migrates",
    "restated-bar": "one past close of the most active contract was changed by 1.5 %",
    "missing-session": "no bar of any contract on one session",
    "settlement-closes": "the canonical bars are exchange sessions that close at the settlement",
    "stale-data": "the canonical files end 30 sessions early",
    "unit-change": "the canonical prices are a hundred times larger",
    "skipped-month": "the reference never holds one of the delivery months",
    "rule-change": "the reference rolls weeks earlier from 2022 on",
    **{name: fault.text for name, fault in faults.REFERENCE.items()},
    **{name: fault.text for name, fault in faults.CANONICAL.items()},
}

_FUTURES_ONLY: Final = frozenset(
    {
        "wrong-commodity", "wrong-commodity-renamed", "unadjusted-roll", "inverted-adjustment", "roll-rule",
        "skipped-month", "rule-change", *faults.REFERENCE, *faults.CANONICAL,
    }
)  # fmt: skip
# Elsewhere instruments are mapped to names session by session, or a file holds one contract.
_LABELLED_BY_NAME: Final = ("CL",)
_MIXED_UP_WITH: Final = {"PL": "PA", "PA": "PL", "ES": "CL", "CL": "ES"}
_UNADJUSTED_FROM: Final = {
    "ES": date(2024, 2, 1), "CL": date(2022, 3, 1), "PL": date(2025, 9, 1), "PA": date(2021, 2, 1),
}  # fmt: skip
_RESTATED_ON: Final = date(2024, 5, 15)
_MISSING_ON: Final = date(2023, 8, 2)
_STALE_SESSIONS: Final = 30
_EARLY_SESSIONS: Final = 12
_UNIT: Final = 100
_RULE_CHANGES: Final = date(2022, 1, 3)


def symbols_of(cause: str) -> tuple[str, ...]:
    """The symbols that can have a cause; UsageError where there is no such cause."""
    if cause not in CAUSES:
        raise UsageError("unknown cause to inject", found=f"{cause!r}", expected=one_of(cause, sorted(CAUSES)))
    if cause == "swapped-contracts":
        return _LABELLED_BY_NAME
    return FUTURES if cause in _FUTURES_ONLY else FUTURES + EQUITIES


def parse_injection(text: str) -> tuple[str, str]:
    """`cause:SYMBOL` as (cause, symbol), both checked; UsageError otherwise."""
    cause, colon, symbol = text.partition(":")
    if not colon or not symbol:
        raise UsageError("an injection is written CAUSE:SYMBOL", found=f"{text!r}", expected="wrong-commodity:PL, say")
    if symbol not in symbols_of(cause):
        raise UsageError(
            f"cause {cause} cannot be injected into this symbol",
            found=f"{symbol!r}",
            expected=f"one of {', '.join(symbols_of(cause))}",
        )
    return cause, symbol


def apply(market: MarketSpec, inject: Sequence[tuple[str, str]]) -> MarketSpec:
    """The market with every (cause, symbol) injected, in order; UsageError as in `parse_injection`."""
    for cause, symbol in inject:
        parse_injection(f"{cause}:{symbol}")
        market = replace(
            market,
            futures=tuple(_future(f, cause) if f.root == symbol else f for f in market.futures),
            equities=tuple(_equity(e, cause) if e.symbol == symbol else e for e in market.equities),
        )
    return market


def _future(spec: FutureSpec, cause: str) -> FutureSpec:
    reference = spec.reference
    match cause:
        case "wrong-commodity":
            return replace(spec, canonical=replace(spec.canonical, commodity=_MIXED_UP_WITH[spec.root]))
        case "wrong-commodity-renamed":
            other = _MIXED_UP_WITH[spec.root]
            return replace(spec, canonical=replace(spec.canonical, commodity=other, relabelled=True))
        case "unadjusted-roll":
            left_out = (*reference.unadjusted, _UNADJUSTED_FROM[spec.root])
            return replace(spec, reference=replace(reference, unadjusted=left_out))
        case "inverted-adjustment":
            return replace(spec, reference=replace(reference, inverted=True))
        case "roll-rule":
            early = int(spec.liquidity.migration_sessions) + _EARLY_SESSIONS
            return replace(spec, rule=RollRule("before_expiry", early))
        case "rule-change":
            early = int(spec.liquidity.migration_sessions) + _EARLY_SESSIONS
            changed = replace(spec.rule, later=(_RULE_CHANGES, RollRule("before_expiry", early)))
            return replace(spec, rule=changed)
        case "skipped-month":
            return replace(spec, rule=replace(spec.rule, skip=spec.months[len(spec.months) // 2]))
        case name if name in faults.REFERENCE:
            close = "settlement" if faults.REFERENCE[name].at_settlement else spec.canonical.close
            return replace(
                spec,
                canonical=replace(spec.canonical, close=close),
                reference=replace(reference, faults=(*reference.faults, name)),
            )
        case name if name in faults.CANONICAL:
            return replace(spec, canonical=replace(spec.canonical, faults=(*spec.canonical.faults, name)))
        case _:
            return replace(spec, canonical=_canonical(spec.canonical, cause))


def _equity(spec: EquitySpec, cause: str) -> EquitySpec:
    return replace(spec, canonical=_canonical(spec.canonical, cause))


def _canonical(causes: CanonicalCauses, cause: str) -> CanonicalCauses:
    match cause:
        case "restated-bar":
            return replace(causes, restated=(*causes.restated, _RESTATED_ON))
        case "missing-session":
            return replace(causes, missing=(*causes.missing, _MISSING_ON))
        case "settlement-closes":
            return replace(causes, close="settlement")
        case "stale-data":
            return replace(causes, sessions_short=causes.sessions_short + _STALE_SESSIONS)
        case "unit-change":
            return replace(causes, price_scale=causes.price_scale * _UNIT)
        case _:
            raise AssertionError(cause)
