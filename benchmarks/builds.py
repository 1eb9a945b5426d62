"""Continuous build of one root against a pandas loop over sessions, polars and wide numpy; rolls and closes compared.

In processor time of all threads: polars works in several.
"""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np
import polars as pl

from benchmarks.measure import Figure, ratio, rounds, spent
from benchmarks.tapes import ContractPanel, contract_panel

_DAYS = 2
_IN_A_ROW = 10


def _name(delivery: int) -> str:
    return f"ZZ{'FGHJKMNQUVXZ'[delivery % 12]}{delivery // 12 % 100:02d}"


def contract_bars(panel: ContractPanel, root: str = "ZZ") -> Any:
    """The panel as the package's own type: rows contract after contract."""
    from ctl.model.bars import ContractBars, SeriesMeta
    from ctl.model.contracts import Contract

    order = np.lexsort((panel.session, panel.delivery))
    names = {int(each): _name(int(each)) for each in np.unique(panel.delivery)}
    frame = pl.DataFrame(
        {
            "session": panel.session[order].astype("datetime64[D]"),
            "contract": [names[each] for each in panel.delivery[order].tolist()],
            "open": panel.open[order],
            "high": panel.high[order],
            "low": panel.low[order],
            "close": panel.close[order],
            "volume": panel.volume[order],
            "open_interest": panel.open_interest[order],
        }
    )
    contracts = tuple(Contract(each // 12, each % 12 + 1, root) for each in sorted(names))
    return ContractBars(frame, SeriesMeta(root, "made", "exchange_session", "settlement"), contracts)


def pandas_loop(frame: Any) -> tuple[list[tuple[Any, int, int]], Any]:
    """Rolls and adjusted closes, one session at a time over a DataFrame: how a notebook does it."""
    import pandas as pd

    active: int | None = None
    run = 0
    waiting: int | None = None
    rolls: list[tuple[Any, int, int]] = []
    rows: list[tuple[Any, float]] = []
    gaps: list[tuple[Any, float]] = []
    for session, rows_of_day in frame.groupby("session"):
        day = rows_of_day.set_index("delivery")
        if active is None:
            active = int(day["volume"].idxmax())
        if waiting is not None:
            rolls.append((session, active, waiting))
            active, waiting, run = waiting, None, 0
        rows.append((session, day.at[active, "close"]))
        later = day.index[day.index > active]
        if len(later) == 0:
            continue
        new = int(later.min())
        run = run + 1 if day.at[new, "volume"] > day.at[active, "volume"] else 0
        largest = day.at[new, "volume"] >= day["volume"].max()
        if run >= _DAYS and (largest or day.at[new, "open_interest"] > day.at[active, "open_interest"]):
            waiting = new
            gaps.append((session, day.at[new, "close"] - day.at[active, "close"]))
    series = pd.Series(dict(rows))
    for session, gap in gaps[: len(rolls)]:
        series.loc[:session] += gap
    return rolls, series.to_numpy()


def polars_vectorised(frame: pl.DataFrame) -> tuple[list[tuple[Any, int, int]], Any]:
    """The same by joins and windows: candidates of every adjacent pair at once, then one short walk over contracts."""
    chain = frame.select(pl.col("delivery").unique().sort()).with_columns(next=pl.col("delivery").shift(-1))
    after = frame.select("session", next="delivery", v="volume", oi="open_interest", c="close")
    pairs = (
        frame.join(chain, on="delivery")
        .join(after, on=["session", "next"])
        .with_columns(
            lead=pl.col("v") > pl.col("volume"),
            sure=(pl.col("v") >= pl.col("volume").max().over("session")) | (pl.col("oi") > pl.col("open_interest")),
        )
        .sort("delivery", "session")
        .with_columns(both=pl.col("lead") & pl.col("lead").shift(1).over("delivery"), at=pl.col("session"))
        .with_columns(earlier=pl.col("session").shift(1).over("delivery"))
        .filter("both", "sure")
    )
    candidates = pairs.partition_by("delivery", as_dict=True)
    sessions = frame.select(pl.col("session").unique().sort())["session"]
    position = {session: n for n, session in enumerate(sessions)}
    first = frame.filter(pl.col("session") == sessions[0]).sort("volume", descending=True).row(0, named=True)
    active, since = first["delivery"], sessions[0]
    rolls, gaps, held = [], [], [(since, active)]
    while (active,) in candidates:
        found = candidates[(active,)].filter(pl.col("earlier") >= since)
        if found.is_empty() or position[found["session"][0]] + 1 == len(sessions):
            break
        row = found.row(0, named=True)
        since = sessions[position[row["session"]] + 1]
        rolls.append((since, active, row["next"]))
        gaps.append(row["c"] - row["close"])
        active = row["next"]
        held.append((since, active))
    carried = np.append(np.cumsum(gaps[::-1])[::-1], 0.0)
    plan = pl.DataFrame(
        {"session": [day for day, _ in held], "delivery": [each for _, each in held], "carried": carried}
    )
    series = (
        sessions.to_frame()
        .join_asof(plan.sort("session"), on="session")
        .join(frame, on=["session", "delivery"])
        .sort("session")
        .with_columns(pl.col(name) + pl.col("carried") for name in ("open", "high", "low", "close"))
    )
    return rolls, series["close"].to_numpy()


def numpy_wide(panel: ContractPanel) -> tuple[list[tuple[Any, int, int]], Any]:
    """The same on wide arrays, sessions by contracts: all adjacent pairs at once, then a short walk over contracts."""
    sessions, row = np.unique(panel.session, return_inverse=True)
    chain, column = np.unique(panel.delivery, return_inverse=True)

    def wide(values: Any) -> Any:
        made = np.full((len(sessions), len(chain)), np.nan)
        made[row, column] = values
        return made

    volume, interest = wide(panel.volume), wide(panel.open_interest)
    prices = [wide(values) for values in (panel.open, panel.high, panel.low, panel.close)]
    lead = volume[:, 1:] > volume[:, :-1]
    sure = (volume[:, 1:] >= np.fmax.reduce(volume, axis=1)[:, None]) | (interest[:, 1:] > interest[:, :-1])
    confirmed = lead & sure
    confirmed[0] = False
    confirmed[1:] &= lead[:-1]
    active, since = int(np.nanargmax(volume[0])), 0
    rolls, gaps, held = [], [], np.empty(len(sessions), dtype=np.intp)
    while active + 1 < len(chain):
        found = since + 1 + np.flatnonzero(confirmed[since + 1 :, active])
        if not len(found) or found[0] + 1 == len(sessions):
            break
        held[since : found[0] + 1] = active
        since = int(found[0]) + 1
        rolls.append((sessions[since], int(chain[active]), int(chain[active + 1])))
        gaps.append(prices[3][since - 1, active + 1] - prices[3][since - 1, active])
        active += 1
    held[since:] = active
    carried = np.append(np.cumsum(gaps[::-1])[::-1], 0.0)[held - held[0]]
    series = [values[np.arange(len(sessions)), held] + carried for values in prices]
    return rolls, series[3]


def figures(repeats: int) -> list[Figure]:
    """All lines of this section."""
    from ctl import continuous
    from ctl.model.rolls import RollPolicy

    panel = contract_panel(years=20, listed=24)
    bars = contract_bars(panel)
    policy = RollPolicy()
    names = ("session", "delivery", "open", "high", "low", "close", "volume", "open_interest")
    flat = pl.DataFrame({name: getattr(panel, name) for name in names})
    table = flat.to_pandas(use_pyarrow_extension_array=False) if _has_pyarrow() else _to_pandas(flat)

    peers = {
        "pandas loop over sessions": lambda: pandas_loop(table),
        "polars joins and windows": lambda: polars_vectorised(flat),
        "numpy, wide arrays of sessions by contracts": lambda: numpy_wide(panel),
    }
    series = continuous.build(bars, policy)
    rolls = [(roll.roll_date, roll.from_contract, roll.to_contract) for roll in series.rolls]
    closes = series.frame["close"].to_numpy()
    seconds = rounds(
        {
            "build": spent(lambda: [continuous.build(bars, policy) for _ in range(_IN_A_ROW)]),
            **{title: spent(job) for title, job in peers.items()},
        },
        repeats,
    )
    seconds["build"] = [value / _IN_A_ROW for value in seconds["build"]]
    mine = statistics.median(seconds["build"])
    out = []
    for title, job in peers.items():
        theirs, their_closes = job()
        out.append(
            Figure(
                job="continuous build, frame to checked series",
                ours="build",
                seconds=mine,
                peer=title,
                peer_seconds=statistics.median(seconds[title]),
                ratio=ratio(seconds["build"], seconds[title]),
                rate=f"{panel.rows / mine / 1e6:,.1f} M rows/s",
                target=10.0 if job is peers["numpy, wide arrays of sessions by contracts"] else None,
                most=panel.rows / 60e6,  # sixty million rows a second
                agreement=_agree(rolls, closes, _dated(theirs), their_closes),
                extra={"rows": panel.rows, "peer_rows_per_second": panel.rows / statistics.median(seconds[title])},
            )
        )
    return out


def _has_pyarrow() -> bool:
    import importlib.util

    return importlib.util.find_spec("pyarrow") is not None


def _to_pandas(frame: pl.DataFrame) -> Any:
    import pandas as pd

    return pd.DataFrame({name: frame[name].to_numpy() for name in frame.columns})


def _dated(rolls: Any) -> list[tuple[Any, str, str]]:
    import datetime as dt

    plain = []
    for day, old, new in rolls:
        label = day if type(day) is dt.date else np.datetime64(day, "D").astype(object)
        plain.append((label, _name(old), _name(new)))
    return plain


def _agree(mine: Any, closes: Any, theirs: Any, their_closes: Any) -> str:
    same = sum(a == b for a, b in zip(mine, theirs, strict=False))
    if len(closes) != len(their_closes):
        return f"{same} of {len(mine)} rolls equal; {len(closes)} against {len(their_closes)} sessions"
    equal = int(np.isclose(closes, their_closes, rtol=1e-9).sum())
    return f"{same} of {len(mine)} rolls, {equal} of {len(closes)} closes equal"
