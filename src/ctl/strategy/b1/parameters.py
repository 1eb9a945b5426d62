"""B1's parameters and the ranges they are registered for."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from typing import Any, Final, Literal

from ctl.errors import UsageError, one_of
from ctl.model.trades import Timeframe

Collision = Literal["tp_wins", "stop_wins"]

MINIMUM_WARM_UP: Final = 200
STOP_MODES: Final = (1, 2, 3)
COLLISIONS: Final[tuple[Collision, ...]] = ("tp_wins", "stop_wins")

_TIMEFRAMES: Final = ("daily", "weekly")
_SWING_LOOKBACK: Final[Mapping[str, int]] = {"daily": 20, "weekly": 12}
_REGISTERED: Final[Mapping[str, tuple[float, float]]] = {
    "ema": (9, 11),
    "slope_lookback": (15, 30),
    "slope_threshold": (4.0, 14.0),
    "min_bars_of_air": (3, 10),
    "max_air_lookback": (20, 100),
    "entry_grace_bars": (1, 5),
    "breakdown_buffer_atr": (0.3, 0.7),
    "gap_scan_window": (50, 200),
    "min_risk_atr": (0.0, 0.25),
    "atr": (14, 14),
    "williams": (10, 10),
}
_REGISTERED_SWING: Final[Mapping[str, tuple[float, float]]] = {"daily": (15, 25), "weekly": (8, 16)}
# What the rules can be computed with at all, registered or not.
_COMPUTABLE: Final[Mapping[str, tuple[float, float]]] = {
    "ema": (1, 10_000),
    "slope_lookback": (1, 10_000),
    "slope_threshold": (-1e9, 1e9),
    "min_bars_of_air": (0, 10_000),
    "max_air_lookback": (1, 10_000),
    "entry_grace_bars": (1, 10_000),
    "breakdown_buffer_atr": (-1e9, 1e9),
    "swing_lookback": (1, 10_000),
    "gap_scan_window": (1, 10_000),
    "min_risk_atr": (0.0, 1e9),
    "atr": (1, 10_000),
    "williams": (1, 10_000),
}
_REALS: Final = ("slope_threshold", "breakdown_buffer_atr", "min_risk_atr")
_INTEGER_TEXT: Final = re.compile(r"[+-]?[0-9]+")
_REAL_TEXT: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class B1Parameters:
    """Every number that B1's rules depend on. Bars, not days; thresholds in percent; buffers in ATR.

    The plain constructor holds the daily defaults; `registered` knows those of either timeframe.
    Raises UsageError for values the rules cannot be computed with; ranges are `from_overrides`' task.
    """

    ema: int = 10
    slope_lookback: int = 20
    slope_threshold: float = 8.0
    min_bars_of_air: int = 6
    max_air_lookback: int = 50
    entry_grace_bars: int = 3
    breakdown_buffer_atr: float = 0.5
    swing_lookback: int = 20
    gap_scan_window: int = 100
    min_risk_atr: float = 0.1
    atr: int = 14
    williams: int = 10
    stop_mode: int = 1
    collision: Collision = "tp_wins"

    def __post_init__(self) -> None:
        for name, bounds in _COMPUTABLE.items():
            value = _typed(name, getattr(self, name))
            _require_within(name, value, bounds, "a value the rules can be computed with")
            object.__setattr__(self, name, value)
        object.__setattr__(self, "stop_mode", _typed("stop_mode", self.stop_mode))
        object.__setattr__(self, "collision", _typed("collision", self.collision))
        if self.min_bars_of_air > self.max_air_lookback:
            raise UsageError(
                "parameter min_bars_of_air can never be reached",
                found=f"{self.min_bars_of_air} with max_air_lookback {self.max_air_lookback}",
                expected="min_bars_of_air <= max_air_lookback",
            )

    @property
    def warm_up(self) -> int:
        """Number of leading bars on which no trigger is evaluated."""
        return max(self.slope_lookback, MINIMUM_WARM_UP)

    @classmethod
    def registered(cls, timeframe: Timeframe) -> B1Parameters:
        """The defaults of a timeframe. Raises UsageError for any other timeframe."""
        require_timeframe(timeframe)
        return _registered(timeframe)

    @classmethod
    def from_overrides(
        cls, overrides: Mapping[str, Any], timeframe: Timeframe, unregistered: bool = False
    ) -> B1Parameters:
        """A timeframe's defaults with `overrides` in place: numbers, or text as typed on a command line.

        Raises UsageError naming the parameter, what was received and its bounds: unknown name, wrong
        type, NaN or infinity, and, unless `unregistered`, a value outside its registered range.
        """
        values = asdict(cls.registered(timeframe))
        ranges = {} if unregistered else registered_ranges(timeframe)
        for name, received in overrides.items():
            if name not in values:
                raise UsageError(f"unknown B1 parameter {name!r}", expected=one_of(name, values))
            values[name] = _typed(name, received)
            if name in ranges:
                _require_within(
                    name,
                    values[name],
                    ranges[name],
                    f"its registered range for {timeframe} bars",
                    remedy="values outside it are for research and must be asked for as unregistered",
                )
        return cls(**values)

    def document(self) -> dict[str, Any]:
        """JSON-ready values by name, in the order of the registered list."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


@cache
def _registered(timeframe: Timeframe) -> B1Parameters:
    return B1Parameters(swing_lookback=_SWING_LOOKBACK[timeframe])


def registered_ranges(timeframe: Timeframe) -> dict[str, tuple[float, float]]:
    """Registered bounds by parameter name, both ends inclusive; equal ends mean a fixed value."""
    require_timeframe(timeframe)
    return {**_REGISTERED, "swing_lookback": _REGISTERED_SWING[timeframe]}


def require_timeframe(timeframe: str) -> None:
    """Raise UsageError unless `timeframe` is daily or weekly."""
    if timeframe not in _TIMEFRAMES:
        raise UsageError("unknown timeframe", found=repr(timeframe), expected="daily or weekly")


def _typed(name: str, received: Any) -> Any:
    if name == "collision":
        if received not in COLLISIONS:
            raise _wrong(name, received, "tp_wins or stop_wins")
        return str(received)
    if name == "stop_mode":
        mode = _integer(name, received, "1 (static), 2 (break-even) or 3 (trailing)")
        if mode not in STOP_MODES:
            raise _wrong(name, received, "1 (static), 2 (break-even) or 3 (trailing)")
        return mode
    if name in _REALS:
        return _real(name, received, f"a finite number, {_span(_REGISTERED[name])} registered")
    registered = _REGISTERED.get(name)
    hint = _span(registered) if registered else "15 to 25 on daily, 8 to 16 on weekly bars"
    return _integer(name, received, f"a whole number, {hint} registered")


def _integer(name: str, received: Any, expected: str) -> int:
    if isinstance(received, str) and _INTEGER_TEXT.fullmatch(received.strip()) and len(received) <= 20:
        return int(received)
    if isinstance(received, bool) or not hasattr(received, "__index__"):
        raise _wrong(name, received, expected)
    return int(received)


def _real(name: str, received: Any, expected: str) -> float:
    if isinstance(received, str):
        if not _REAL_TEXT.fullmatch(received.strip()):
            raise _wrong(name, received, expected)
    elif isinstance(received, bool) or not (hasattr(received, "__float__") or hasattr(received, "__index__")):
        raise _wrong(name, received, expected)
    value = float(received)
    if not math.isfinite(value):
        raise _wrong(name, received, expected)
    return value


def _require_within(
    name: str, value: float, bounds: tuple[float, float], what: str, *, remedy: str | None = None
) -> None:
    low, high = bounds
    if not low <= value <= high:
        raise UsageError(
            f"parameter {name} is outside {what}", found=f"{value:g}", expected=_span(bounds), remedy=remedy
        )


def _span(bounds: tuple[float, float]) -> str:
    low, high = bounds
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _wrong(name: str, received: Any, expected: str) -> UsageError:
    return UsageError(f"parameter {name} has a wrong value", found=repr(received)[:60], expected=expected)
