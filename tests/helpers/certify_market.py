"""A small two-vendor market made by hand, without any code of the package under test but its types."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from ctl.certification import CertifyRequest
from ctl.model.bars import ContractBars, DailySeries, SeriesMeta, SourceFile
from ctl.model.contracts import Contract
from ctl.model.reference import Reference
from ctl.model.rolls import ContinuousSeries, Roll, RollPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TICK = 0.25
QUARTERS = (3, 6, 9, 12)


def meta(vendor: str, root: str, name: str) -> SeriesMeta:
    file = SourceFile(name, "0" * 64, 1, 1, None, None)
    return SeriesMeta(root, vendor, "exchange_session", "settlement", "index points", sources=(file,))


@dataclass
class Market:
    """Contracts over weekdays; every price a multiple of the tick.

    Contract k is listed for 130 sessions and expires on session spacing * (k + 1); the canonical side uses it
    up to and including session spacing * (k + 1) - 8, its gap session. Contracts are named by quarters.
    """

    root: str = "XX"
    contracts: int = 24
    seed: int = 7
    level: float = 3000.0
    spacing: int = 63
    sessions: np.ndarray = field(init=False)
    names: list[str] = field(init=False)
    close: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        total = self.spacing * self.contracts
        days = np.arange(np.datetime64("2005-01-03"), np.datetime64("2005-01-03") + 2 * total)
        self.sessions = days[np.is_busday(days)][:total]
        random = np.random.default_rng(self.seed)
        spot = self.level + np.cumsum(random.normal(0.0, self.level / 200.0, total))
        self.close = np.full((total, self.contracts), np.nan)
        self.names = []
        for k in range(self.contracts):
            expiry = min(self.spacing * (k + 1), total)
            listed = slice(max(0, expiry - 130), expiry)
            left = (expiry - np.arange(listed.start, listed.stop)) / 252.0
            price = spot[listed] * (1.0 + 0.02 * left)
            self.close[listed, k] = np.round(price / TICK) * TICK
            self.names.append(Contract(2005 + k // 4, QUARTERS[k % 4], self.root).name)

    @property
    def total(self) -> int:
        return len(self.sessions)

    def gap_sessions(self) -> list[int]:
        return [self.spacing * (k + 1) - 8 for k in range(self.contracts - 1)]

    def bars(self) -> ContractBars:
        frames = []
        for k, name in enumerate(self.names):
            rows = np.flatnonzero(np.isfinite(self.close[:, k]))
            price = self.close[rows, k]
            frames.append(
                pl.DataFrame(
                    {
                        "session": self.sessions[rows],
                        "contract": [name] * rows.size,
                        "open": price,
                        "high": price + TICK,
                        "low": price - TICK,
                        "close": price,
                        "volume": np.full(rows.size, 1000),
                        "open_interest": np.full(rows.size, 5000),
                    }
                )
            )
        contracts = tuple(Contract(2005 + k // 4, QUARTERS[k % 4], self.root) for k in range(self.contracts))
        return ContractBars(pl.concat(frames), meta("own", self.root, "bars.csv"), contracts)

    def held(self, gap_sessions: Sequence[int]) -> np.ndarray:
        """Contract index per session for rolls whose gap sessions are given."""
        held = np.zeros(self.total, dtype=np.int64)
        for index in gap_sessions:
            held[index + 1 :] += 1
        return held

    def gaps(self, gap_sessions: Sequence[int]) -> list[float]:
        return [float(self.close[i, k + 1] - self.close[i, k]) for k, i in enumerate(gap_sessions)]

    def series(self, gap_sessions: Sequence[int], gaps: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
        """Unadjusted and back-adjusted closes of a holder who rolls on these sessions with these gaps."""
        raw = self.close[np.arange(self.total), self.held(gap_sessions)]
        adjusted = raw.copy()
        for index, gap in zip(gap_sessions, gaps, strict=True):
            adjusted[: index + 1] += gap
        return raw, adjusted

    def canonical(self, gap_sessions: Sequence[int] | None = None) -> ContinuousSeries:
        gap_sessions = self.gap_sessions() if gap_sessions is None else list(gap_sessions)
        gaps = self.gaps(gap_sessions)
        raw, adjusted = self.series(gap_sessions, gaps)
        held = self.held(gap_sessions)
        frame = pl.DataFrame(
            {
                "session": self.sessions,
                "open": adjusted,
                "high": adjusted + TICK,
                "low": adjusted - TICK,
                "close": adjusted,
                "volume": np.full(self.total, 1000),
                "open_interest": np.full(self.total, 5000),
                "contract": [self.names[k] for k in held],
                "adjustment": adjusted - raw,
                "close_unadjusted": raw,
            }
        )
        rolls = tuple(
            Roll(
                roll_date=self.day(index + 1),
                gap_session=self.day(index),
                known_at=self.day(index),
                from_contract=self.names[k],
                to_contract=self.names[k + 1],
                from_close=float(self.close[index, k]),
                to_close=float(self.close[index, k + 1]),
                gap=gaps[k],
                cumulative_adjustment=sum(gaps[k:]),
                from_volume=(1000,),
                to_volume=(1001,),
                reason="volume",
                concurrent=True,
            )
            for k, index in enumerate(gap_sessions)
        )
        return ContinuousSeries(frame, meta("own", self.root, "bars.csv"), RollPolicy(), rolls)

    def reference(
        self,
        gap_sessions: Sequence[int] | None = None,
        gap_errors: dict[int, float] | None = None,
        unadjusted: bool = True,
        adjusted: bool = True,
        change: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> Reference:
        """The other vendor: gap_errors[k] is added to the gap of its k-th roll; `change` edits its closes."""
        gap_sessions = self.gap_sessions() if gap_sessions is None else list(gap_sessions)
        gaps = self.gaps(gap_sessions)
        for k, error in (gap_errors or {}).items():
            gaps[k] += error
        raw, back = self.series(gap_sessions, gaps)
        if change is not None:
            back, raw = change(raw) + (back - raw), change(raw)
        return Reference(
            "other",
            self.daily(back, "adjusted.csv") if adjusted else None,
            self.daily(raw, "unadjusted.csv") if unadjusted else None,
        )

    def daily(self, close: np.ndarray, name: str) -> DailySeries:
        count = len(close)
        frame = pl.DataFrame(
            {
                "session": self.sessions,
                "open": close,
                "high": close + TICK,
                "low": close - TICK,
                "close": close,
                "volume": np.full(count, 1000),
                "open_interest": pl.Series([None] * count, dtype=pl.Int64),
                "contract": pl.Series([None] * count, dtype=pl.String),
                "adjustment": np.zeros(count),
            }
        )
        return DailySeries(frame, meta("other", self.root, name))

    def day(self, index: int) -> date:
        found: date = self.sessions[index].astype(object)
        return found

    def request(self, **changes: object) -> CertifyRequest:
        given: dict[str, object] = {
            "symbol": self.root,
            "root": self.root,
            "tick": TICK,
            "max_day_delta": 3,
            "quote_unit": "index points",
            "contracts": self.bars(),
            "canonical": self.canonical(),
            "reference": self.reference(),
            "calendar_sessions": self.sessions,
            "package_version": "test",
        }
        return CertifyRequest(**{**given, **changes})  # type: ignore[arg-type]
