"""`python -m benchmarks.markets`: rolls recovered, drift explained, on four real commodities of two vendors.

Settlements per contract (Bloomberg) against the continuous series of Quantiacs, which states its rolls itself
(RINFO: new less old price on the first session of the new contract, nothing where the gap is zero). Every
method is asked on its own and held to those; the certificate is the one that `ctl certify` would make.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from datetime import date

    from ctl.model.bars import ContractBars
    from ctl.model.reference import Reference

_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
_WITHIN = 1
_TARGET = 0.97


@dataclass(frozen=True)
class Market:
    """One commodity: its root, the file of its contracts, the tick of the files' prices."""

    root: str
    name: str
    tick: float


MARKETS = (
    Market("HG", "copper", 0.05),
    Market("C", "corn", 0.25),
    Market("HO", "heating_oil", 0.01),
    Market("S", "soybean", 0.25),
)


@dataclass(frozen=True)
class Recovery:
    """One method's rolls against the stated ones. precision, recall: within one session."""

    market: str
    method: str
    source: str
    found: int
    stated: int
    same_session: int
    within_one: int

    @property
    def precision(self) -> float:
        """Share of the rolls found that are stated."""
        return self.within_one / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """Share of the stated rolls that are found."""
        return self.within_one / self.stated if self.stated else 0.0


@dataclass(frozen=True)
class Explained:
    """What one certificate says. sum_residual: of the price scale; explained: 1 less the unexplained share."""

    market: str
    decision: str
    rebuilt: str
    sessions: int
    paired: int
    mean_drift: float
    sum_residual: float
    explained: float
    gross: float
    largest: str


def read(market: Market, data: Path) -> tuple[ContractBars, Reference]:
    """Both vendors' files of a market."""
    from ctl import ingest

    instruments = ingest.load_instruments()
    contracts = ingest.read_contracts(
        [data / "contracts" / "bloomberg_settles" / f"{market.name}.csv"],
        market.root,
        instruments=instruments,
        mapping=ingest.named_mapping("bloomberg_settles"),
    )
    reference = ingest.read_reference(
        symbol=market.root,
        adjusted=None,
        unadjusted=data / "continuous" / "quantiacs" / f"F_{market.root}.txt",
        instruments=instruments,
        mapping=ingest.named_mapping("quantiacs"),
    )
    return contracts, reference


def recoveries(market: Market, contracts: ContractBars, reference: Reference) -> list[Recovery]:
    """Each method alone, over the sessions that both vendors cover."""
    import polars as pl

    from ctl.certification.contract_closes import ContractCloses
    from ctl.certification.recovery.reference import recover
    from ctl.model.reference import Reference

    closes = ContractCloses.from_bars(contracts)
    vendor, adjusted, unadjusted = reference.vendor, reference.adjusted, reference.unadjusted
    if adjusted is None or unadjusted is None:
        raise ValueError(f"{market.name}: the reference states no rolls")
    # Without what the reader has carried over from RINFO, an adjusted series is all that there is.
    bare = replace(adjusted, frame=adjusted.frame.with_columns(adjustment=pl.lit(0.0)))
    days = unadjusted.frame["session"].to_numpy().astype("datetime64[D]")
    first, last = max(days[0], closes.sessions[0]), min(days[-1], closes.sessions[-1])
    days = days[(days >= first) & (days <= last)]
    span: dict[str, date] = {"first": first.astype(object), "last": last.astype(object)}
    asked = {
        "fingerprint of the unadjusted closes": (closes, Reference(vendor, None, unadjusted)),
        "spread steps": (None, Reference(vendor, adjusted, unadjusted)),
        "fingerprint with spread steps": (closes, Reference(vendor, adjusted, unadjusted)),
        "fingerprint of the adjusted closes alone": (closes, Reference(vendor, bare, None)),
    }
    stated = [roll.roll_date for roll in reference.stated_rolls if roll.gap and first < np.datetime64(roll.roll_date)]
    stated = [day for day in stated if np.datetime64(day) <= last]
    there = np.searchsorted(days, np.array(stated, dtype="datetime64[D]"))
    out = []
    for method, (own, other) in asked.items():
        found = recover(own, other, tick=market.tick, **span)
        here = np.searchsorted(days, np.array([roll.roll_date for roll in found.rolls], dtype="datetime64[D]"))
        same, near = _agreeing(here, there, 0), _agreeing(here, there, _WITHIN)
        out.append(Recovery(market.name, method, found.source or "none", here.size, there.size, same, near))
    return out


def _agreeing(here: np.ndarray, there: np.ndarray, within: int) -> int:
    """Rolls of both lists that pair one to one, in order, at most `within` sessions apart."""
    i = j = pairs = 0
    while i < here.size and j < there.size:
        apart = int(here[i] - there[j])
        if abs(apart) <= within:
            i, j, pairs = i + 1, j + 1, pairs + 1
        elif apart < 0:
            i += 1
        else:
            j += 1
    return pairs


def explained(market: Market, contracts: ContractBars, reference: Reference) -> Explained:
    """The certificate against both of the reference's series."""
    from ctl import continuous, ingest
    from ctl.certification import CertifyRequest, certify
    from ctl.model.rolls import RollPolicy

    policy = RollPolicy(eligible_months=ingest.load_instruments()[market.root].liquid_months)
    document = certify(
        CertifyRequest(
            symbol=market.root,
            root=market.root,
            tick=market.tick,
            max_day_delta=3,
            quote_unit=contracts.meta.quote_unit,
            contracts=contracts,
            canonical=continuous.build(contracts, policy),
            reference=reference,
            rebuild=lambda schedule: continuous.build(
                contracts, replace(policy, kind="schedule", schedule=schedule, eligible_months=None)
            ),
        )
    ).document
    ledger = document["ledger"]
    return Explained(
        market=market.name,
        decision=document["decision"],
        rebuilt=document["rebuilt"]["decision"],
        sessions=ledger["n_sessions"],
        paired=document["n_paired"],
        mean_drift=document["mean_drift"],
        sum_residual=ledger["sum_residual"] / max(1.0, _median(contracts)),
        explained=1.0 - abs(ledger["unexplained"]["share"] or 0.0),
        gross=ledger["gross"],
        largest=ledger["components"][0]["name"],
    )


def _median(contracts: ContractBars) -> float:
    return float(np.nanmedian(contracts.frame["close"].to_numpy()))


def main(argv: Sequence[str] | None = None) -> int:
    """Print both tables, or with --json one document. Exit 1 where the data are absent or a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.markets", description=__doc__)
    parser.add_argument("--data", type=Path, default=_DATA, help="folder with contracts/ and continuous/")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    arguments = parser.parse_args(argv)
    if not (arguments.data / "contracts" / "bloomberg_settles").is_dir():
        print(f"no market data at {arguments.data}", file=sys.stderr)
        return 1
    found: list[Recovery] = []
    ledgers: list[Explained] = []
    for market in MARKETS:
        contracts, reference = read(market, arguments.data)
        found += recoveries(market, contracts, reference)
        ledgers.append(explained(market, contracts, reference))
    if arguments.json:
        rows: list[dict[str, Any]] = [asdict(r) | {"precision": r.precision, "recall": r.recall} for r in found]
        print(json.dumps({"recovery": rows, "ledgers": [asdict(row) for row in ledgers]}, indent=1))
    else:
        _show(found, ledgers)
    met = all(row.recall >= _TARGET for row in found if row.method.startswith("fingerprint of the unadjusted"))
    return 0 if met and all(row.sum_residual <= 1e-9 for row in ledgers) else 1


def _show(found: list[Recovery], ledgers: list[Explained]) -> None:
    from rich.console import Console
    from rich.table import Table

    rolls = Table(title="Rolls recovered against those that the reference states (RINFO), within one session")
    for heading in ("market", "method"):
        rolls.add_column(heading)
    for heading in ("found", "stated", "same session", "within one", "precision", "recall"):
        rolls.add_column(heading, justify="right")
    for row in found:
        rolls.add_row(
            row.market, row.method, str(row.found), str(row.stated), str(row.same_session), str(row.within_one),
            f"{row.precision:.4f}", f"{row.recall:.4f}",
        )  # fmt: skip
    drift = Table(title="Certificates: what the ledger explains")
    for heading in ("market", "decision", "rebuilt"):
        drift.add_column(heading)
    for heading in ("sessions", "paired", "mean drift", "sum residual / price", "explained", "gross"):
        drift.add_column(heading, justify="right")
    drift.add_column("largest component")
    for ledger in ledgers:
        drift.add_row(
            ledger.market, ledger.decision, ledger.rebuilt, f"{ledger.sessions:,}", str(ledger.paired),
            f"{ledger.mean_drift:.2f}", f"{ledger.sum_residual:.1e}", f"{100 * ledger.explained:.2f} %",
            f"{ledger.gross:.2f}", ledger.largest,
        )  # fmt: skip
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(rolls)
    console.print(drift)


if __name__ == "__main__":
    sys.exit(main())
