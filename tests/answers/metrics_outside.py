"""What quantstats and empyrical say of fixed lists of R, for the metrics whose definitions coincide with ours.

    python -m venv VENV; VENV/bin/pip install quantstats empyrical-reloaded
    VENV/bin/python tests/answers/metrics_outside.py > tests/answers/metrics_outside.json

Both libraries take returns per period; each trade's R is given as one period. Nothing here imports `ctl`.

- win_rate, profit_factor, expectancy: quantstats `win_rate`, `profit_factor`, `avg_return` of the R as they stand.
- max drawdown: both libraries compound and measure relative falls, ours adds R and measures falls in R. On returns of
  exp(R/100) - 1 the compounded curve is exp(sum of R / 100), a relative fall of d is one of -100 log(1 - d) in R, and
  the largest of one is the largest of the other.

Not the same, and so not compared or compared after conversion:

- win_rate and avg_return of quantstats leave zeros out of the denominator; ours counts a scratch as a closed trade.
- profit_factor of quantstats is infinite (0 without gains) where nothing was lost; ours is null.
- a drawdown in percent, Sharpe, Sortino, CAGR need capital; R has none.
"""

from __future__ import annotations

import json
import math
import warnings
from importlib.metadata import version

import empyrical
import numpy as np
import pandas as pd
import quantstats

SCALE = 100.0
CASES = {
    "mixed": [-1.0, 2.0, -0.5, -1.0, 0.75, 3.0, -1.25, 0.309, -1.0, 1.0, 0.81],
    "falls_first": [-1.0, -2.0, -0.5, 4.0, 0.25],
    "ends_at_its_lowest": [1.5, 0.5, -1.0, 0.25, -1.5, -0.75],
    "only_losses": [-1.0, -0.25, -1.5],
    "only_wins": [0.618, 1.0, 0.786],
    "with_scratches": [1.0, 0.0, -1.0, 0.0, -0.5, 2.0, 0.0],
    "one_trade": [-1.0],
    "many": [round(1.7 * math.sin(k * k) - 0.15, 6) for k in range(1, 241)],
}


def measured(results: list[float]) -> dict[str, float | str | None]:
    """Figures of one list; infinities as text."""
    series = pd.Series(results, index=pd.bdate_range("2020-01-01", periods=len(results)))
    compounding = np.expm1(series / SCALE)
    figures = {
        "win_rate": quantstats.stats.win_rate(series, prepare_returns=False),
        "profit_factor": quantstats.stats.profit_factor(series, prepare_returns=False),
        "expectancy": quantstats.stats.avg_return(series, prepare_returns=False),
        "max_drawdown": -SCALE * math.log1p(empyrical.max_drawdown(compounding)),
        "total": SCALE * math.log1p(empyrical.cum_returns_final(compounding)),
    }
    return {name: float(value) if math.isfinite(value) else str(value) for name, value in figures.items()}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    packages = ("quantstats", "empyrical-reloaded", "pandas", "numpy")
    document = {
        "versions": {name: version(name) for name in packages},
        "cases": {name: {"r": results, **measured(results)} for name, results in CASES.items()},
    }
    print(json.dumps(document, indent=1))
