"""Contract bars as the arrays that the walk reads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from ctl.continuous import checks
from ctl.continuous.policy import day_of
from ctl.errors import DataError
from ctl.model.bars import COUNTS, PRICES

if TYPE_CHECKING:
    from datetime import date

    import numpy.typing as npt

    from ctl.continuous.checks import Floats
    from ctl.model.bars import ContractBars
    from ctl.model.contracts import Contract

_WEEKEND_FROM = 5  # Saturday, with Monday = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """The bars of one root: rows contract after contract in expiry order, sessions ascending within a contract.

    days: int32[n], day number of each row; prices: open, high, low, close of the same rows, NaN where missing; volume,
    interest: int64[n], -1 where missing. contracts, names, first_row, end_row: the eligible contracts in expiry order
    and their half-open rows. found: what a look at every bar finds; its sessions are those of every contract of the
    root. counts: what was left out, by reason. holes: where no contract of the root has a bar for long; the rows begin
    after the last one, but where holes are bridged.
    """

    root: str
    days: npt.NDArray[np.int32]
    prices: tuple[Floats, ...]
    volume: npt.NDArray[np.int64]
    interest: npt.NDArray[np.int64]
    contracts: tuple[Contract, ...]
    names: tuple[str, ...]
    first_row: npt.NDArray[np.int64]
    end_row: npt.NDArray[np.int64]
    found: checks.Examined
    counts: dict[str, int]
    holes: list[checks.Hole]

    @property
    def close(self) -> Floats:
        """float64[n]."""
        return self.prices[3]

    def bar(self, row: int) -> tuple[str, date, float]:
        """Contract, session and close of a row."""
        name = self.names[int(np.searchsorted(self.first_row, row, side="right")) - 1]
        return name, day_of(int(self.days[row])), float(self.close[row])


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
    own = {contract.name: contract for contract in bars.contracts if contract.root == root}
    frame, counts = bars.frame, {}
    if len(own) != len(bars.contracts):
        frame = frame.filter(pl.col("contract").is_in(list(own)))
        counts["contracts_of_other_roots"] = len(bars.contracts) - len(own)
    if without := frame.get_column("close").null_count():
        counts["bars_without_close"] = without
        frame = frame.filter(pl.col("close").is_not_null())
    if frame.is_empty():
        raise DataError(
            f"no bar of {root} has a close", found=f"{bars.frame.height} bars",
            expected="a close per contract and session",
            remedy="check what the files' close columns hold", code="NO_CLOSE",
        )  # fmt: skip

    named = frame.get_column("contract")
    first_row = np.append(0, 1 + (named[1:] != named[:-1]).arg_true().to_numpy().astype(np.int64))
    end_row = np.append(first_row[1:], frame.height)
    names = [named[row] for row in first_row.tolist()]
    _check_order(names, own, root)
    present = [own[name] for name in names]
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

    days = frame.get_column("session").to_physical().to_numpy()
    prices = tuple(frame.get_column(name).to_numpy() for name in PRICES)
    volume, interest = (_filled(frame.get_column(name)) for name in COUNTS)
    found = checks.examine(days, prices, volume, interest, first_row, end_row, eligible)
    _check(frame, found, root)
    holes = checks.holes(found.sessions.days, calendar)
    if holes and not bridge_holes:
        after = bars.frame.filter(pl.col("session") >= day_of(holes[-1].first_after))
        left = set(after["contract"].unique())
        kept = replace(bars, frame=after, contracts=tuple(each for each in bars.contracts if each.name in left))
        whole = lay_out(kept, eligible_months, root, calendar=calendar)
        before = frame.height - len(whole.days)
        return replace(whole, holes=holes, counts={**counts, **whole.counts, "bars_before_a_hole": before})
    kept_names = [name for name, kept in zip(names, eligible, strict=True) if kept]
    return Layout(
        root=root,
        days=days,
        prices=prices,
        volume=volume,
        interest=interest,
        contracts=tuple(own[name] for name in kept_names),
        names=tuple(kept_names),
        first_row=first_row[eligible],
        end_row=end_row[eligible],
        found=found,
        counts=counts,
        holes=holes,
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


def _check(frame: pl.DataFrame, found: checks.Examined, root: str) -> None:
    """Raise DataError for bars that no builder may see."""
    if found.unordered >= 0:
        contract, session = frame["contract"][found.unordered], frame["session"][found.unordered]
        raise DataError(
            f"sessions of a contract of {root} are not ascending and unique",
            where=f"{contract} {session}",
            remedy="keep one bar per contract and session",
        )
    missing = [sum(frame.get_column(name).null_count() for name in names) for names in (PRICES, COUNTS)]
    if missing != [found.not_finite, found.negative]:
        unsound = frame.filter(
            pl.any_horizontal(~pl.col(*PRICES).is_finite()) | pl.any_horizontal(pl.col(*COUNTS) < 0)
        ).row(0, named=True)
        raise DataError(
            f"unsound bar of {root}",
            where=f"{unsound['contract']} {unsound['session']}",
            found=", ".join(f"{name} {unsound[name]}" for name in (*PRICES, *COUNTS)),
            expected="finite prices, volume and open interest of 0 or more",
        )
    days = found.sessions.days
    weekend = days[(days + 3) % 7 >= _WEEKEND_FROM]
    if len(weekend):
        raise DataError(
            f"{len(weekend)} weekend-dated sessions of {root}, the first {day_of(int(weekend[0]))}",
            expected="weekend-dated bars folded into the next session",
            remedy="read the files with ctl's readers, which fold them",
            code="WEEKEND_BARS",
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


def _filled(column: pl.Series) -> npt.NDArray[np.int64]:
    whole = column if column.dtype == pl.Int64 else column.cast(pl.Int64)
    return (whole.fill_null(-1) if whole.null_count() else whole).to_numpy()


def _months(contracts: list[Contract]) -> str:
    return "".join(sorted({contract.month_code for contract in contracts}))
