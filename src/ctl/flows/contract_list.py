"""The contracts of a root, of a workspace's symbol or of plain files, with their terms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ctl.errors import UsageError, one_of
from ctl.flows import inputs
from ctl.model.bars import ContractTerms
from ctl.model.contract_list import ContractList, ListedContract, Rule

if TYPE_CHECKING:
    from datetime import datetime

    from ctl.model.bars import ContractBars
    from ctl.model.instruments import Instruments
    from ctl.store import Workspace


def of_bars(bars: ContractBars, instruments: Instruments) -> ContractList:
    """The contracts of `bars` that are of its root; those of other roots are left out.

    Raises UsageError where none is of the root.
    """
    import polars as pl

    root = bars.meta.root
    own = [contract for contract in bars.contracts if contract.root == root]
    if not own:
        raise UsageError("no contract of the root", found=", ".join(bars.roots), expected=root)
    ends = {name: terms.last_trade for name, terms in bars.terms.items()}
    last_trade = pl.DataFrame({"contract": list(ends), "end": list(ends.values())}, schema_overrides={"end": pl.Date})
    held = (
        bars.frame.join(last_trade, on="contract", how="left")
        .group_by("contract")
        .agg(
            first=pl.col("session").min(),
            last=pl.col("session").max(),
            bars=pl.len(),
            after=(pl.col("session") > pl.col("end")).sum(),
        )
        .rows_by_key("contract", named=True, unique=True)
    )
    return ContractList(
        root=root,
        vendor=bars.meta.vendor,
        rules=_rules(root, instruments),
        contracts=tuple(_listed(bars.terms.get(each.name, ContractTerms(each.name)), held[each.name]) for each in own),
    )


def _listed(terms: ContractTerms, held: dict[str, Any]) -> ListedContract:
    return ListedContract(
        contract=terms.contract,
        first_bar=held["first"],
        last_bar=held["last"],
        bars=held["bars"],
        last_trade=terms.last_trade,
        last_trade_source=terms.last_trade_source,
        first_notice=terms.first_notice,
        first_notice_source=terms.first_notice_source,
        bars_after_last_trade=held["after"],
    )


def of_workspace(workspace: Workspace, name: str, now: datetime) -> ContractList:
    """The contracts of a future of the workspace, named by its symbol or its root, for a command of the instant `now`.

    Raises UsageError for another.
    """
    futures = {symbol: config for symbol, config in workspace.symbols.items() if config.asset_class == "future"}
    symbol = name if name in futures else next((each for each, config in futures.items() if config.root == name), None)
    if symbol is None:
        raise UsageError(
            "no such future in the workspace",
            found=name,
            expected=one_of(name, futures),
            remedy="name the files with --contracts FILE... --root ROOT",
        )
    return of_bars(inputs.read_contracts(workspace, symbol, now=now), inputs.instruments_of(workspace))


def _rules(root: str, instruments: Instruments) -> tuple[Rule, ...]:
    known = instruments.get(root)
    return tuple(
        Rule(
            since=f"{rule.since // 12:04d}-{rule.since % 12 + 1:02d}" if rule.since else None,
            last_trade=rule.last_trade,
            first_notice=rule.first_notice,
            calendar=rule.calendar or (known.calendar if known is not None else ""),
            source=rule.source,
        )
        for rule in instruments.term_rules(root)
    )
