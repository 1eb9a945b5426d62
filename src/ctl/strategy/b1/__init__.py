"""B1, the 10-EMA retest. Names are loaded when first used, so that importing the package stays quick."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ctl.model.trades import StrategyResult as B1Result
    from ctl.strategy.b1.batch import Batch, run, run_batch
    from ctl.strategy.b1.behaviour import fingerprint
    from ctl.strategy.b1.margins import trigger_margins
    from ctl.strategy.b1.parameters import B1Parameters, registered_ranges
    from ctl.strategy.b1.signals import Signals, run_signals
    from ctl.strategy.b1.strategy import B1
    from ctl.strategy.bars import StrategyBars
    from ctl.strategy.metrics import portfolio

_HOMES: Final = {
    "B1": ("ctl.strategy.b1.strategy", "B1"),
    "B1Parameters": ("ctl.strategy.b1.parameters", "B1Parameters"),
    "Batch": ("ctl.strategy.b1.batch", "Batch"),
    "B1Result": ("ctl.model.trades", "StrategyResult"),
    "StrategyBars": ("ctl.strategy.bars", "StrategyBars"),
    "fingerprint": ("ctl.strategy.b1.behaviour", "fingerprint"),
    "portfolio": ("ctl.strategy.metrics", "portfolio"),
    "registered_ranges": ("ctl.strategy.b1.parameters", "registered_ranges"),
    "run": ("ctl.strategy.b1.batch", "run"),
    "run_batch": ("ctl.strategy.b1.batch", "run_batch"),
    "run_signals": ("ctl.strategy.b1.signals", "run_signals"),
    "Signals": ("ctl.strategy.b1.signals", "Signals"),
    "trigger_margins": ("ctl.strategy.b1.margins", "trigger_margins"),
}

__all__ = [
    "B1",
    "B1Parameters",
    "B1Result",
    "Batch",
    "Signals",
    "StrategyBars",
    "fingerprint",
    "portfolio",
    "registered_ranges",
    "run",
    "run_batch",
    "run_signals",
    "trigger_margins",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _HOMES[name]
    found = globals()[name] = getattr(import_module(module), attribute)
    return found
