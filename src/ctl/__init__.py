"""Cutover control: build, certify, gate and run, in the order of the flow.

    bars = ctl.load("HG*.csv", root="HG")
    series = ctl.build(bars, months="HKNUZ")
    certificate = ctl.certify(bars, series, adjusted="F_HG.txt", tick=0.05, max_day_delta=3)
    decision = ctl.gate("my/workspace")
    result = ctl.backtest(series, tick=0.05, slippage=0.05)

Nothing heavy is imported before one of these is called; `ctl.api` documents them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ctl.api import backtest, build, certify, gate, load

__version__ = "0.1.0"

__all__ = ["load", "build", "certify", "gate", "backtest"]  # noqa: RUF022 - the order of the flow


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in __all__:
        return getattr(import_module("ctl.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
