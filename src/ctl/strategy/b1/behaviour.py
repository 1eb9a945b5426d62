from __future__ import annotations

from ctl.model.trades import Timeframe
from ctl.strategy.b1.parameters import B1Parameters


def fingerprint(params: B1Parameters | None = None, timeframe: Timeframe = "daily") -> str:
    return ""
