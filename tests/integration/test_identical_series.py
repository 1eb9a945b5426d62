"""A reference that is our own series, to the tick: nothing can be unmatched, nothing differs, on any real root.

Contracts of `../shared/data`, whole histories; both files, and the adjusted one alone. Then generated ones.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctl import continuous
from ctl.certification import CertifyRequest, certify
from ctl.model.bars import SERIES_COLUMNS, ContractBars, ContractTerms, DailySeries, SeriesMeta
from ctl.model.certificate import Certificate
from ctl.model.contracts import MONTH_CODES, Contract
from ctl.model.reference import Reference
from ctl.model.rolls import RollPolicy
from ctl.power import vendor_pairs

DATA = Path(__file__).resolve().parents[2] / "../shared/data/contracts/bloomberg_settles"
# root, file, tick, cycle
ROOTS = [
    ("HG", "copper.csv", 0.05, "HKNUZ"),
    ("ZC", "corn.csv", 0.25, "HKNUZ"),
    ("HO", "heating_oil.csv", 0.01, "FGHJKMNQUVXZ"),
    ("ZS", "soybean.csv", 0.25, "FHKNX"),
    ("ZS", "soybean.csv", 0.25, "FHKNQUX"),
]

# The file counts the volume of ZSX03, ZSF05 and ZSK05 in hundreds of contracts: true of our own bars.
VOLUME_IN_HUNDREDS = {"VOLUME_SCALE"}


def real_contracts(file: str, root: str) -> ContractBars:
    """Settlements per contract; the year comes from the last trade date, so that `HGJ1` is April 2011."""
    rows = pl.read_csv(DATA / file, null_values=["NA", ""], schema_overrides={"volume": pl.Float64, "oi": pl.Float64})
    month = pl.col("contract").str.extract(r"([FGHJKMNQUVXZ])\d+(?: \d+)? Comdty$")
    rows = rows.with_columns(
        session=pl.col("date").str.to_date(),
        ends=pl.col("last_trade").str.to_date(),
        month=month.replace_strict({c: i + 1 for i, c in enumerate(MONTH_CODES)}, return_dtype=pl.Int64),
    )
    # Heating oil of January ends trading in December.
    year = pl.col("ends").dt.year() + (pl.col("month") < pl.col("ends").dt.month())
    rows = rows.with_columns(key=year * 12 + pl.col("month") - 1).sort("key", "session")
    rows = rows.unique(["key", "session"], keep="first", maintain_order=True)
    contracts = {key: Contract(key // 12, key % 12 + 1, root) for key in rows["key"].unique(maintain_order=True)}
    names = {key: contract.name for key, contract in contracts.items()}
    none = pl.lit(None, dtype=pl.Float64)
    frame = rows.select(
        "session", contract=pl.col("key").replace_strict(names, return_dtype=pl.String), open=none, high=none, low=none,
        close=pl.col("settle"), volume=pl.col("volume").cast(pl.Int64), open_interest=pl.col("oi").cast(pl.Int64),
    )  # fmt: skip
    terms = {names[key]: ContractTerms(end, None) for key, end in rows.select("key", "ends").unique("key").iter_rows()}
    return ContractBars(
        frame, SeriesMeta(root, "own", "exchange_session", "settlement"), tuple(contracts.values()), terms
    )


def against_itself(bars: ContractBars, root: str, tick: float, policy: RollPolicy, files: str) -> Certificate:
    series = continuous.build(bars, policy)
    meta = SeriesMeta(root, "other", "exchange_session", "settlement")

    def shipped(column: str) -> DailySeries:
        frame = series.frame.with_columns(
            close=pl.col(column), contract=pl.lit(None, dtype=pl.String), adjustment=pl.lit(0.0),
            **{name: pl.lit(None, dtype=pl.Float64) for name in ("open", "high", "low")},
        )  # fmt: skip
        return DailySeries(frame.select(SERIES_COLUMNS), meta)

    unadjusted = shipped("close_unadjusted") if files == "both" else None
    reference = Reference("other", shipped("close"), unadjusted)
    return certify(CertifyRequest(root, root, tick, 3, "points", bars, series, reference))


def check(certificate: Certificate) -> None:
    told = [(reason.code, reason.text) for reason in certificate.reasons]
    assert (certificate.decision, told) == ("ACCEPT", [])
    assert certificate.n_fail == 0
    assert certificate.n_paired == certificate.n_pass == certificate.n_canonical == certificate.n_reference
    assert certificate.mean_drift == pytest.approx(0.0, abs=1e-9)
    above = {made.code or made.check for _, layer in certificate.layers.items() for made in layer.findings
             if made.status not in ("PASS", "NOT_RUN")}  # fmt: skip
    assert above == (VOLUME_IN_HUNDREDS if certificate.root == "ZS" else set())


@pytest.mark.skipif(not DATA.is_dir(), reason="shared market data absent")
@pytest.mark.parametrize("files", ["both", "adjusted"])
@pytest.mark.parametrize(("root", "file", "tick", "months"), ROOTS)
def test_every_real_root(root: str, file: str, tick: float, months: str, files: str) -> None:
    check(against_itself(real_contracts(file, root), root, tick, RollPolicy(eligible_months=months), files))


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10**6), cycle=st.sampled_from([21, 42, 63]), carry=st.sampled_from([-60.0, 0.0, 2.0, 24.0]),
    files=st.sampled_from(["both", "adjusted"]),
)  # fmt: skip
def test_generated_roots(seed: int, cycle: int, carry: float, files: str) -> None:
    market = vendor_pairs.Market(seed, contracts=26, cycle=cycle, carry=carry)
    bars = vendor_pairs.generate(market).contracts
    check(against_itself(bars, vendor_pairs.ROOT, market.tick, RollPolicy(), files))
