"""Roots to roll: one line per contract, its volume on each weekday from 2020-01-06 on."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import polars as pl

from ctl.model.bars import ContractBars, ContractTerms, SeriesMeta
from ctl.model.contracts import Contract, parse_symbol
from ctl.model.rolls import ContinuousSeries, Roll, RollPolicy


def unguarded(**options: Any) -> RollPolicy:
    """A policy whose own rule is looked at: the guard is off unless a test asks for it."""
    return RollPolicy(**{"guard_sessions": None, **options})


VOLUME = unguarded()


def day(number: int) -> date:
    """The weekday of a column: day(1) is Monday 2020-01-06."""
    weeks, rest = divmod(number - 1, 5)
    return date(2020, 1, 6) + timedelta(days=7 * weeks + rest)


def contract(name: str) -> Contract:
    parsed = parse_symbol(name)
    assert parsed is not None
    return Contract(2000 + parsed.year, parsed.month, parsed.root)


def root(
    lines: dict[str, str],
    *,
    last_trade: dict[str, date] | None = None,
    first_notice: dict[str, date] | None = None,
    closes: dict[str, dict[int, float]] | None = None,
    meta: SeriesMeta | None = None,
) -> ContractBars:
    rows: list[tuple[Any, ...]] = []
    for base, (name, line) in enumerate(lines.items()):
        for column, cell in enumerate(line.split(), start=1):
            if cell == ".":
                continue
            volume, _, interest = cell.partition("/")
            close = (closes or {}).get(name, {}).get(column, 100.0 + 10 * base + column)
            rows.append(
                (
                    day(column), name, close - 0.5, close + 2, close - 2, close,
                    None if volume == "?" else int(volume), int(interest) if interest else None,
                )
            )  # fmt: skip
    prices = dict.fromkeys(("open", "high", "low", "close"), pl.Float64)
    schema = {"session": pl.Date, "contract": pl.String, **prices, "volume": pl.Int64, "open_interest": pl.Int64}
    stated = {*(last_trade or {}), *(first_notice or {})}
    return ContractBars(
        frame=pl.DataFrame(rows, schema=schema, orient="row"),
        meta=meta or SeriesMeta(contract(next(iter(lines))).root, "hand", "exchange_session", "settlement"),
        contracts=tuple(contract(name) for name in lines if any(row[1] == name for row in rows)),
        terms={
            name: ContractTerms(name, (last_trade or {}).get(name), (first_notice or {}).get(name)) for name in stated
        },
    )


def held(series: ContinuousSeries) -> list[str]:
    """Contract letter per row: `H H M`."""
    return [name[-3] for name in series.frame["contract"].to_list()]


def only(series: ContinuousSeries) -> Roll:
    assert len(series.rolls) == 1
    return series.rolls[0]


# ---------------------------------------------------------------- volume
