"""B1 against its twin on twenty-five years of real futures, odd bars included."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from b1_twin import b1
from b1_twin_tapes import as_bars, as_dicts, differences

from ctl.strategy.b1 import B1Parameters, run

FOLDER = Path(__file__).resolve().parents[4] / "../shared/data/continuous/quantiacs"
FILES = sorted(FOLDER.glob("F_*.txt"))

pytestmark = pytest.mark.skipif(not FILES, reason="real market data are not beside the checkout")


def read(path):
    """Difference-adjusted bars; RINFO is new less old price on the session of a roll."""
    frame = pl.read_csv(path, infer_schema=False)
    frame = frame.rename({name: name.strip() for name in frame.columns})
    numbers = {
        name: frame[name].str.strip_chars().cast(pl.Float64).to_numpy()
        for name in ("OPEN", "HIGH", "LOW", "CLOSE", "VOL", "RINFO")
    }
    days = frame["DATE"].str.strip_chars().str.to_date("%Y%m%d").to_list()
    adjustment = np.r_[np.cumsum(numbers["RINFO"][::-1])[::-1][1:], 0.0]
    columns = [numbers[name] + adjustment for name in ("OPEN", "HIGH", "LOW", "CLOSE")]
    rows = list(zip(*(column.tolist() for column in columns), numbers["VOL"].tolist(), strict=True))
    return as_bars(rows, days=days, adjustment=adjustment, symbol=path.stem)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("timeframe", ["daily", "weekly"])
def test_real_bars(path, timeframe):
    bars = read(path)
    dicts = as_dicts(bars)
    for stop_mode, collision, lots in ((1, "tp_wins", 3), (2, "stop_wins", 4), (3, "tp_wins", 2)):
        rules = B1Parameters.from_overrides(
            {"stop_mode": stop_mode, "collision": collision, "slope_threshold": 4}, timeframe
        )
        result = run(bars, rules, timeframe=timeframe, slippage_per_side=1.0, tick=12.5, lots=lots)
        expected = b1(dicts, rules.document(), slippage=1.0, tick=12.5, lots=lots, timeframe=timeframe)
        assert differences(result.document(), expected) == []
        assert len(result.trades) > (30 if timeframe == "daily" else 5)
