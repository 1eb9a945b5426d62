"""The fingerprint of a strategy that has no tape of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from ctl.digests import digest
from ctl.strategy.bars import weekly_bars

if TYPE_CHECKING:
    from ctl.strategy.bars import StrategyBars
    from ctl.strategy.protocol import Position, Signal

    # Bars of its timeframe, slippage per side and tick in; signals, closed trades and open ones out.
    Behaviour = Callable[[StrategyBars, float, float], tuple[Sequence[Signal], Sequence[Position], Sequence[Position]]]

_DECIMALS: Final = 9


def fingerprint_on_tape(name: str, parameters: Mapping[str, Any], behaviour: Behaviour) -> str:
    """sha256 hex of a strategy's name, its parameters and every record it makes on the packaged tape.

    Daily bars and weekly bars of the tape, each without slippage and with a tick of it. Numbers are rounded to
    1e-9, so that a change which moves no trade keeps the fingerprint.
    """
    from ctl.strategy.b1.tape import TICK, daily_tape, weekly_tape

    tape = [*daily_tape(), *(weekly_bars(bars) for bars in weekly_tape())]
    runs = [
        [bars.symbol, slippage, *([item.document() for item in part] for part in behaviour(bars, slippage, TICK))]
        for slippage in (0.0, TICK)
        for bars in tape
    ]
    return digest({"strategy": name, "parameters": dict(parameters), "runs": _rounded(runs)})


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, _DECIMALS) + 0.0  # no negative zero
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
