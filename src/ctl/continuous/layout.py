"""Contract bars as the arrays that the walk reads."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from ctl.continuous import checks, kernel
from ctl.continuous.policy import day_of
from ctl.errors import DataError
from ctl.model.bars import CONTRACT_COLUMNS

if TYPE_CHECKING:
    import numpy.typing as npt

    from ctl.model.bars import ContractBars
    from ctl.model.contracts import Contract

_WEEKEND_FROM = 5  # Saturday, with Monday = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """The bars of one root: rows contract after contract in expiry order, sessions ascending within a contract.

    frame: the rows, columns CONTRACT_COLUMNS; days, volume, interest: the same rows as arrays (missing: -1).
    contracts, first_row, end_row: the eligible contracts in expiry order and their half-open rows.
    sessions: of every contract of the root, eligible or not. counts: what was left out, by reason. holes: where no
    contract of the root has a bar for long; the rows begin after the last one, but where holes are bridged.
    bad, torn: bool[n], closes that cannot be a price, and other bars with such a price; eligible contracts alone.
    stepped: the row from which on a contract's closes lie at another level altogether; -1 without one.
    """

    root: str
    frame: pl.DataFrame
    days: npt.NDArray[np.int32]
    volume: npt.NDArray[np.int64]
    interest: npt.NDArray[np.int64]
    contracts: tuple[Contract, ...]
    first_row: npt.NDArray[np.int64]
    end_row: npt.NDArray[np.int64]
    sessions: kernel.Sessions
    counts: dict[str, int]
    holes: list[checks.Hole]
    bad: npt.NDArray[np.bool_]
    torn: npt.NDArray[np.bool_]
    stepped: int


def lay_out(
    bars: ContractBars,
    eligible_months: str | None,
    root: str | None,
    *,
    bridge_holes: bool = False,
    calendar: npt.NDArray[np.int32] | None = None,
) -> Layout:
    """Check the bars of one root and take them apart.

    root: which root to take where the bars hold several; None where they hold one. calendar: day numbers of the
    exchange's sessions, on which the length of a hole is counted.
    Raises DataError where there is nothing to build from, or bars that no builder may see: several roots and none
    named, sessions out of order or twice, weekend dates, prices that are not finite, negative volume.
    """
    root = _root(bars, root)
    own = tuple(contract for contract in bars.contracts if contract.root == root)
    frame = bars.frame.select(CONTRACT_COLUMNS)
    counts: dict[str, int] = {}
    if len(own) != len(bars.contracts):
        frame = frame.filter(pl.col("contract").is_in([contract.name for contract in own]))
        counts["contracts_of_other_roots"] = len(bars.contracts) - len(own)
    if frame["close"].null_count():
        counts["bars_without_close"] = frame["close"].null_count()
        frame = frame.filter(pl.col("close").is_not_null())
    if frame.is_empty():
        raise DataError(
            f"no bar of {root} has a close", found=f"{bars.frame.height} bars",
            expected="a close per contract and session",
            remedy="check what the files' close columns hold", code="NO_CLOSE",
        )  # fmt: skip
    _check_values(frame, root)

    named = frame["contract"]
    first_row = np.append(0, (named != named.shift(1)).arg_true().to_numpy().astype(np.int64))
    end_row = np.append(first_row[1:], frame.height)
    names = named.gather(first_row).to_list()
    by_name = {contract.name: contract for contract in own}
    _check_order(names, by_name, root)
    present = [by_name[name] for name in names]
    months = set(eligible_months) if eligible_months is not None else None
    eligible = np.array([months is None or contract.month_code in months for contract in present], dtype=bool)
    if not eligible.any():
        raise DataError(
            f"no contract of {root} to build from",
            found=f"{len(present)} contracts, delivery months {_months(present) or 'none'}",
            expected=f"bars of the eligible months {eligible_months}" if eligible_months else "bars of any contract",
            remedy="check the contract files and the eligible months",
            code="NO_ELIGIBLE_CONTRACT",
        )
    counts["ineligible_contracts"] = int((~eligible).sum())

    days = frame["session"].cast(pl.Int32).to_numpy()
    sessions = kernel.sessions_of(days, first_row, end_row, eligible)
    _check_sessions(frame, days, sessions, root)
    holes = checks.holes(sessions.days, calendar)
    if holes and not bridge_holes:
        after = bars.frame.filter(pl.col("session") >= day_of(holes[-1].first_after))
        left = set(after["contract"].unique())
        kept = replace(bars, frame=after, contracts=tuple(each for each in bars.contracts if each.name in left))
        whole = lay_out(kept, eligible_months, root, calendar=calendar)
        before = frame.height - whole.frame.height
        return replace(whole, holes=holes, counts={**counts, **whole.counts, "bars_before_a_hole": before})
    open_, high, low, close = (frame[name].to_numpy() for name in ("open", "high", "low", "close"))
    bad, stepped = checks.bad_closes(close, low, high, first_row[eligible], end_row[eligible])
    torn = checks.torn_bars((open_, high, low, close), first_row[eligible], end_row[eligible])
    return Layout(
        root=root,
        frame=frame,
        days=days,
        volume=_filled(frame["volume"]),
        interest=_filled(frame["open_interest"]),
        contracts=tuple(contract for contract, kept in zip(present, eligible, strict=True) if kept),
        first_row=first_row[eligible],
        end_row=end_row[eligible],
        sessions=sessions,
        counts=counts,
        holes=holes,
        bad=bad,
        torn=torn & ~bad,
        stepped=stepped,
    )


def _root(bars: ContractBars, root: str | None) -> str:
    roots = bars.roots
    if not roots or bars.frame.is_empty():
        raise DataError(
            f"no bars of {root or bars.meta.root} to build from", remedy="check the contract files", code="NO_BARS"
        )
    if root is None:
        if len(roots) > 1:
            raise DataError(
                "contracts of several roots and none named", found=", ".join(roots), remedy="name one with --root"
            )
        return roots[0]
    if root not in roots:
        raise DataError(f"no contract of {root} among the bars", found=", ".join(roots), expected=root, code="NO_BARS")
    return root


def _check_values(frame: pl.DataFrame, root: str) -> None:
    prices = ("open", "high", "low", "close")
    # A sum shows every price that is not finite; only then is the bar looked for.
    sums = sum(float(frame[price].sum()) for price in prices)
    negative = any((frame[count] < 0).any() for count in ("volume", "open_interest"))
    if math.isfinite(sums) and not negative:
        return
    unsound = frame.filter(
        pl.any_horizontal([pl.col(price).is_not_null() & ~pl.col(price).is_finite() for price in prices])
        | (pl.col("volume") < 0).fill_null(value=False)
        | (pl.col("open_interest") < 0).fill_null(value=False)
    )
    if unsound.height:
        bar: dict[str, Any] = unsound.row(0, named=True)
        raise DataError(
            f"unsound bar of {root}",
            where=f"{bar['contract']} {bar['session']}",
            found=", ".join(f"{name} {bar[name]}" for name in (*prices, "volume", "open_interest")),
            expected="finite prices, volume and open interest of 0 or more",
        )


def _check_order(names: list[str], by_name: dict[str, Contract], root: str) -> None:
    unlisted = [name for name in names if name not in by_name]
    keys = [by_name[name].expiry_key for name in names if name in by_name]
    if unlisted or any(later <= earlier for earlier, later in pairwise(keys)):
        raise DataError(
            f"bars of {root} are not contract after contract in expiry order",
            found=f"unlisted contracts {', '.join(unlisted[:5])}" if unlisted else "a contract in two places",
            expected="rows sorted by (expiry, session), every contract listed",
        )


def _check_sessions(frame: pl.DataFrame, days: npt.NDArray[np.int32], sessions: kernel.Sessions, root: str) -> None:
    if sessions.bad_row >= 0:
        contract, session = frame["contract"][sessions.bad_row], day_of(int(days[sessions.bad_row]))
        raise DataError(
            f"sessions of a contract of {root} are not ascending and unique",
            where=f"{contract} {session}",
            remedy="keep one bar per contract and session",
        )
    weekend = sessions.days[(sessions.days.astype(np.int64) + 3) % 7 >= _WEEKEND_FROM]
    if len(weekend):
        raise DataError(
            f"{len(weekend)} weekend-dated sessions of {root}, the first {day_of(int(weekend[0]))}",
            expected="weekend-dated bars folded into the next session",
            remedy="read the files with ctl's readers, which fold them",
            code="WEEKEND_BARS",
        )


def _filled(column: pl.Series) -> npt.NDArray[np.int64]:
    whole = column.cast(pl.Int64)
    return (whole.fill_null(-1) if whole.null_count() else whole).to_numpy()


def _months(contracts: list[Contract]) -> str:
    return "".join(sorted({contract.month_code for contract in contracts}))
