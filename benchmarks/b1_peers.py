"""B1 as other tools express it. Run as a script in an environment that holds the peer; it does not import `ctl`.

    python b1_peers.py vectorbt|backtesting|pandas FOLDER [SYMBOLS]

FOLDER holds open, high, low, close .npy of shape (symbols, bars). Runs once (compilation; not counted), writes
FOLDER/<peer>_trades.npy, rows of (symbol, entry bar, exit bar, entry price, mean fill of the three thirds), prints
one line {"peer", "version", "bars"}, then for every line read runs again and prints the processor seconds, from arrays
in memory to closed trades.

What they express: triggers, entry, thirds at TP1-TP3, the static stop, tp_wins. None of them computes the
confluence flags, the higher timeframes, R figures beyond the mean fill, or the as-of frame (these tapes carry none).
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np

WARM_UP = 200
EMA, ATR, LOOKBACK, THRESHOLD, AIR, MAX_AIR, GRACE, BUFFER, SWING, MIN_RISK = 10, 14, 20, 8.0, 6, 50, 3, 0.5, 20, 0.1
MULTIPLES = (0.618, 0.786)


def _air_before(above):
    """Consecutive True values before each row, at most MAX_AIR; shape (bars, symbols)."""
    count = np.arange(above.shape[0])[:, None]
    last_false = np.maximum.accumulate(np.where(above, -1, count), axis=0)
    run = np.minimum(count - last_false, MAX_AIR)
    out = np.zeros_like(run)
    out[1:] = run[:-1]
    return out


def _signals(low, close, ema, atr, swing_high):
    """Trigger conditions as one boolean array of shape (bars, symbols)."""
    slope = np.full_like(ema, np.nan)
    slope[LOOKBACK:] = 100 * (ema[LOOKBACK:] - ema[:-LOOKBACK]) / ema[:-LOOKBACK]
    signal = (slope >= THRESHOLD) & (_air_before(low > ema) >= AIR) & (low <= ema)
    signal &= (close > ema - BUFFER * atr) & (swing_high > low)
    signal[:WARM_UP] = False
    return signal


# ---------------------------------------------------------------- vectorbt


def vectorbt_runner(prices):
    import pandas as pd
    import vectorbt as vbt
    from numba import njit
    from vectorbt.generic import nb as generic
    from vectorbt.portfolio import nb
    from vectorbt.portfolio.enums import Direction

    opening, high, low, close = (np.ascontiguousarray(column.T) for column in prices)
    frame = pd.DataFrame(close)
    bars, symbols = close.shape

    @njit
    def prepare(c, symbols):
        state = np.zeros(symbols, np.int64)  # 0 flat, 1 pending, 2 enter at the open, 3 held, 4 leave at the open
        since = np.zeros(symbols, np.int64)  # trigger bar, then entry bar
        levels = np.zeros((symbols, 5))  # stop, tp1, tp2, tp3, atr
        unhit = np.zeros(symbols, np.int64)  # the next target, 0..3
        return state, since, levels, unhit

    @njit
    def order(c, state, since, levels, unhit, opening, high, low, close, ema, atr, swing_high, signal):
        col, i = c.from_col, c.i
        stop = levels[col, 0]
        if state[col] == 2 and c.call_idx == 0:
            distance = opening[i, col] - stop
            if distance <= 0 or distance < MIN_RISK * levels[col, 4]:
                state[col] = 0
            else:
                state[col], since[col], unhit[col] = 3, i, 0
                return col, nb.order_nb(3.0, opening[i, col], direction=Direction.LongOnly)
        elif state[col] == 4 and c.call_idx == 0:
            state[col] = 0
            return col, nb.order_nb(-(3.0 - unhit[col]), opening[i, col], direction=Direction.LongOnly)
        if state[col] == 3:
            if since[col] == i:
                return -1, nb.order_nothing_nb()
            if unhit[col] < 3 and high[i, col] >= levels[col, 1 + unhit[col]]:
                price = max(levels[col, 1 + unhit[col]], opening[i, col])
                unhit[col] += 1
                return col, nb.order_nb(-1.0, price, direction=Direction.LongOnly)
            if unhit[col] == 3:
                state[col] = 0
            elif close[i, col] < stop:
                state[col] = 4
        elif state[col] == 1:
            if close[i, col] > ema[i, col]:
                state[col] = 2
            elif i == since[col] + GRACE:
                state[col] = 0
            return -1, nb.order_nothing_nb()
        if state[col] == 0 and signal[i, col]:
            state[col], since[col] = 1, i
            span = swing_high[i, col] - low[i, col]
            levels[col, 0] = low[i, col]
            levels[col, 1] = low[i, col] + span * MULTIPLES[0]
            levels[col, 2] = low[i, col] + span * MULTIPLES[1]
            levels[col, 3] = swing_high[i, col]
            levels[col, 4] = atr[i, col]
        return -1, nb.order_nothing_nb()

    @njit
    def per_segment(c, state, since, levels, unhit):
        return state, since, levels, unhit

    def run():
        ema = generic.ewm_mean_nb(close, EMA, 0, False)
        before = np.vstack([close[:1], close[:-1]])
        true_range = np.maximum(high - low, np.maximum(np.abs(high - before), np.abs(low - before)))
        true_range[0] = high[0] - low[0]
        atr = generic.ewm_mean_nb(true_range, 2 * ATR - 1, 0, False)
        swing_high = np.full_like(high, np.nan)
        swing_high[1:] = generic.rolling_max_nb(high, SWING, None)[:-1]
        signal = _signals(low, close, ema, atr, swing_high)
        portfolio = vbt.Portfolio.from_order_func(
            frame,
            order,
            opening,
            high,
            low,
            close,
            ema,
            atr,
            swing_high,
            signal,
            flexible=True,
            pre_sim_func_nb=prepare,
            pre_sim_args=(symbols,),
            pre_segment_func_nb=per_segment,
            init_cash=1e12,
            max_orders=bars * 4,
        )
        records = portfolio.order_records
        return records["col"], records["idx"], records["side"], records["size"], records["price"]

    def trades():
        """Order records of each symbol in order of time: an entry of 3, then sales until 3 have left."""
        columns = run()
        out, held = [], {}
        for col, bar, side, size, price in zip(*(column.tolist() for column in columns), strict=True):
            if side == 0:
                held[col] = [col, bar, price, 3.0, 0.0]
                continue
            trade = held[col]
            trade[3] -= size
            trade[4] += size * price
            if trade[3] == 0:
                out.append((col, trade[1], bar, trade[2], trade[4] / 3))
        return np.array(out)

    return run, trades, vbt.__version__


# ---------------------------------------------------------------- backtesting.py


def backtesting_runner(prices):
    import backtesting
    import pandas as pd
    from backtesting import Backtest, Strategy

    backtesting.backtesting._tqdm = lambda it, *a, **k: it

    class Retest(Strategy):
        def init(self):
            data = self.data.df
            before = data["Close"].shift()
            ranges = [data["High"] - data["Low"], (data["High"] - before).abs(), (data["Low"] - before).abs()]
            true_range = pd.concat(ranges, axis=1).max(axis=1)
            self.ema = data["Close"].ewm(span=EMA, adjust=False).mean().to_numpy()
            self.atr = true_range.ewm(alpha=1 / ATR, adjust=False).mean().to_numpy()
            self.swing = data["High"].rolling(SWING).max().shift().to_numpy()
            columns = (data["Low"], data["Close"], self.ema, self.atr, self.swing)
            self.signal = _signals(*(np.asarray(column)[:, None] for column in columns))[:, 0]
            self.lows, self.closes, self.opens = (data[name].to_numpy() for name in ("Low", "Close", "Open"))
            self.state, self.since = "flat", 0
            self.levels = (0.0,) * 5

        def next(self):
            n = len(self.data) - 1
            if self.state == "ordered":
                self.state = "held"
                for trade, target in zip(self.trades, self.levels[1:4], strict=False):
                    trade.tp = target  # active from the next bar: the entry bar fills no target
                return
            if self.state == "held":
                if not self.trades:
                    self.state = "flat"
                elif self.closes[n] < self.levels[0]:
                    for trade in self.trades:
                        trade.close()
                    return
            if self.state == "pending":
                if self.closes[n] > self.ema[n]:
                    # An open cannot be looked at before ordering; the next open is read here as the rule would at it.
                    if n + 1 == len(self.opens):
                        return
                    distance = self.opens[n + 1] - self.levels[0]
                    if distance <= 0 or distance < MIN_RISK * self.levels[4]:
                        self.state, self.since = "refused", n + 1
                        return
                    for _ in range(3):
                        self.buy(size=1)
                    self.state = "ordered"
                elif n == self.since + GRACE:
                    self.state = "flat"
                return
            if self.state == "refused":
                self.state = "flat"
            if self.state == "flat" and self.signal[n]:
                span = self.swing[n] - self.lows[n]
                low = self.lows[n]
                targets = low + span * MULTIPLES[0], low + span * MULTIPLES[1], self.swing[n]
                self.levels = (low, *targets, self.atr[n])
                self.state, self.since = "pending", n

    opening, high, low, close = prices
    index = pd.date_range("2000-01-03", periods=close.shape[1], freq="B")
    frames = [
        pd.DataFrame({"Open": opening[k], "High": high[k], "Low": low[k], "Close": close[k]}, index=index)
        for k in range(close.shape[0])
    ]

    def run():
        return [Backtest(frame, Retest, cash=1e9).run()["_trades"] for frame in frames]

    def trades():
        out = []
        for symbol, table in enumerate(run()):
            for entry, group in table.groupby("EntryBar"):
                if len(group) == 3:
                    price = group["EntryPrice"].iloc[0]
                    out.append((symbol, entry, group["ExitBar"].max(), price, group["ExitPrice"].mean()))
        return np.array(out)

    return run, trades, backtesting.__version__


# ---------------------------------------------------------------- pandas


def pandas_runner(prices):
    import pandas as pd

    names = ("open", "high", "low", "close")
    frames = [
        pd.DataFrame({name: column[k] for name, column in zip(names, prices, strict=True)})
        for k in range(prices[0].shape[0])
    ]

    def one(symbol, data):
        before = data["close"].shift()
        ranges = [data["high"] - data["low"], (data["high"] - before).abs(), (data["low"] - before).abs()]
        data = data.assign(
            ema=data["close"].ewm(span=EMA, adjust=False).mean(),
            atr=pd.concat(ranges, axis=1).max(axis=1).ewm(alpha=1 / ATR, adjust=False).mean(),
            swing=data["high"].rolling(SWING).max().shift(),
        )
        data["slope"] = 100 * (data["ema"] - data["ema"].shift(LOOKBACK)) / data["ema"].shift(LOOKBACK)
        out, state, air, since = [], "flat", 0, 0
        stop = atr = entry = 0.0
        targets, fills = (), []
        for row in data.itertuples():
            n = row.Index
            if state == "enter":
                distance = row.open - stop
                if distance <= 0 or distance < MIN_RISK * atr:
                    state = "flat"
                else:
                    state, since, entry, fills = "held", n, row.open, []
            elif state == "leave":
                fills += [row.open] * (3 - len(fills))
                out.append((symbol, since, n, entry, sum(fills) / 3))
                state = "flat"
            if state == "held" and n > since:
                while len(fills) < 3 and row.high >= targets[len(fills)]:
                    fills.append(max(targets[len(fills)], row.open))
                if len(fills) == 3:
                    out.append((symbol, since, n, entry, sum(fills) / 3))
                    state = "flat"
                elif row.close < stop:
                    state = "leave"
            elif state == "pending":
                if row.close > row.ema:
                    state = "enter"
                elif n == since + GRACE:
                    state = "expired"
            if state == "flat" and n >= WARM_UP and row.slope >= THRESHOLD and min(air, MAX_AIR) >= AIR:
                reached = row.low <= row.ema and row.close > row.ema - BUFFER * row.atr
                if reached and row.swing > row.low:
                    stop, atr, since, state = row.low, row.atr, n, "pending"
                    span = row.swing - row.low
                    targets = stop + span * MULTIPLES[0], stop + span * MULTIPLES[1], row.swing
            if state == "expired":
                state = "flat"
            air = air + 1 if row.low > row.ema else 0
        return out

    def run():
        return [trade for symbol, data in enumerate(frames) for trade in one(symbol, data)]

    return run, lambda: np.array(run()), pd.__version__


RUNNERS = {"vectorbt": vectorbt_runner, "backtesting": backtesting_runner, "pandas": pandas_runner}


def main(peer, folder, symbols=None):
    warnings.simplefilter("ignore")
    folder = Path(folder)
    count = None if symbols is None else int(symbols)
    prices = [np.load(folder / f"{name}.npy")[:count] for name in ("open", "high", "low", "close")]
    run, trades, version = RUNNERS[peer](prices)
    np.save(folder / f"{peer}_trades.npy", trades())
    print(json.dumps({"peer": peer, "version": version, "bars": prices[0].size}), flush=True)
    for _ in sys.stdin:
        start = time.process_time()
        run()
        print(time.process_time() - start, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
