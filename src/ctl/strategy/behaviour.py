"""The fingerprint of a strategy that has no tape of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from ctl.digests import digest

if TYPE_CHECKING:
    from ctl.strategy.protocol import Strategy

_DECIMALS: Final = 9


def fingerprint_on_tape(strategy: Strategy, parameters: Mapping[str, Any]) -> str:
    """sha256 hex of a strategy's name, parameters and of every document it makes on the packaged tape.

    Daily and weekly bars, without slippage and with a tick of it; numbers are rounded to 1e-9. The fingerprints
    in the results themselves are left out.
    """
    from ctl.strategy.b1.tape import TICK, daily_tape, weekly_tape

    runs = []
    for timeframe, bars in (("daily", daily_tape()), ("weekly", weekly_tape())):
        for slippage in (0.0, TICK):
            made = strategy.run(
                bars,
                timeframe=timeframe,  # type: ignore[arg-type]  # the two literals above
                slippage_per_side=[slippage] * len(bars),
                tick=[TICK] * len(bars),
            )
            runs += [
                [
                    timeframe,
                    slippage,
                    result.symbol,
                    *([item.document() for item in part] for part in (result.triggers, result.trades, result.open)),
                ]
                for result in made
            ]
    return digest({"strategy": strategy.name, "parameters": dict(parameters), "runs": _rounded(runs)})


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, _DECIMALS) + 0.0  # no negative zero
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
