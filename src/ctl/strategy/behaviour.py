"""What a strategy does on the packaged tape, as one digest: computed here, never reported by the strategy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from ctl.digests import digest
from ctl.model.documents import document
from ctl.strategy.b1.tape import TICK
from ctl.strategy.bars import weekly_bars

if TYPE_CHECKING:
    from ctl.model.trades import Timeframe
    from ctl.strategy.bars import StrategyBars
    from ctl.strategy.protocol import Position, Signal, Strategy

    # Bars of its timeframe, slippage per side and tick in; signals, closed trades and open ones out.
    Behaviour = Callable[[StrategyBars, float, float], tuple[Sequence[Signal], Sequence[Position], Sequence[Position]]]

_DECIMALS: Final = 9
# Costs and lots alternate over the runs, so that each of them is part of the fingerprint.
_RUNS: Final = ((0.0, 3), (TICK, 1), (TICK, 4))


def behavioural_fingerprint(strategy: Strategy) -> str:
    """sha256 hex of every record that the strategy's `run` makes on the tape, called as a portfolio run calls it.

    Daily and weekly, with and without slippage, at several sizes. Numbers are rounded to 1e-9. Raises whatever the
    strategy raises.
    """
    from ctl.strategy.b1.tape import daily_tape, weekly_tape

    runs: list[Any] = []
    tapes: tuple[tuple[Timeframe, Sequence[StrategyBars]], ...] = (("daily", daily_tape()), ("weekly", weekly_tape()))
    for timeframe, tape in tapes:
        for slippage, lots in _RUNS:
            results = strategy.run(
                tape,
                timeframe=timeframe,
                slippage_per_side=[slippage] * len(tape),
                tick=[TICK] * len(tape),
                lots=lots,
            )
            for result in results:
                records = (document(part) for part in (result.triggers, result.trades, result.open))
                runs.append([timeframe, slippage, lots, result.symbol, *records])
    return digest({"strategy": strategy.name, "runs": _rounded(document(runs))})


def fingerprint_on_tape(name: str, parameters: Mapping[str, Any], behaviour: Behaviour) -> str:
    """sha256 hex of a strategy's name, its parameters and every record it makes on the packaged tape.

    Daily bars and weekly bars of the tape, each without slippage and with a tick of it. Numbers are rounded to
    1e-9, so that a change which moves no trade keeps the fingerprint.
    """
    from ctl.strategy.b1.tape import TICK, daily_tape, weekly_tape

    tape = [*daily_tape(), *(weekly_bars(bars) for bars in weekly_tape())]
    runs = [
        [bars.symbol, slippage, *map(document, behaviour(bars, slippage, TICK))]
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
