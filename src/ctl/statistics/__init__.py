"""What closed trades say and do not say: intervals, years, the luck of many tries, and whether a sign holds."""

from ctl.statistics.expectancy import FEWEST_TRADES, expectancy, losses_beyond_one_r, trade_statistics
from ctl.statistics.luck import BLOCKS, backtest_overfitting, deflated_sharpe, score, sharpe, trial_luck
from ctl.statistics.signs import sign_of, stability_text

__all__ = [
    "BLOCKS",
    "FEWEST_TRADES",
    "backtest_overfitting",
    "deflated_sharpe",
    "expectancy",
    "losses_beyond_one_r",
    "score",
    "sharpe",
    "sign_of",
    "stability_text",
    "trade_statistics",
    "trial_luck",
]
