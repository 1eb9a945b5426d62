"""Contract bars as arrays, one row per bar: what the checks of the raw data walk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from ctl.arrays import Bools, Floats, Ints
from ctl.certification.series_arrays import label_runs
from ctl.errors import DataError

if TYPE_CHECKING:
    from ctl.model.bars import ContractBars


LISTED: Final = 20


class ContractBarArrays:
    """The columns of contract bars as arrays, one row per bar, and where each contract begins.

    Raises DataError where the bars are not grouped by contract in expiry order.
    """

    def __init__(self, bars: ContractBars) -> None:
        column = bars.frame.get_column
        self.names = tuple(contract.name for contract in bars.contracts)
        starts, self.contract, names = label_runs(column("contract"))
        if tuple(names) != self.names:
            raise DataError(
                "contract bars are not grouped by contract in expiry order",
                where=bars.meta.root,
                expected="rows sorted by (expiry, session), every contract listed once",
            )
        self.day: Ints = column("session").cast(pl.Int32).to_numpy().astype(np.int64)
        self.open, self.high, self.low, self.close = (
            column(name).to_numpy().astype(np.float64, copy=False) for name in ("open", "high", "low", "close")
        )
        self.volume: Floats = column("volume").to_numpy().astype(np.float64, copy=False)
        self.first_of_contract: Bools = np.zeros(self.day.size, dtype=np.bool_)
        self.first_of_contract[starts] = True

    def where(self, rows: Ints) -> list[dict[str, str]]:
        """The first few of these bars, named."""
        return [
            {"contract": self.names[int(self.contract[row])], "session": str(np.datetime64(int(self.day[row]), "D"))}
            for row in rows[:LISTED]
        ]
