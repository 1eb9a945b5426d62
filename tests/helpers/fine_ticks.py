"""The simulated ES in the prices of other grids: one of 0.0000005, as the yen's, and one of 1/32."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from ctl import store
from ctl.flows.inputs import SymbolFiles

TICKS: Final = {"6J": 0.0000005, "TT": 0.03125}
PRICES: Final = ("open", "high", "low", "close")


def write(simulated: Path, folder: Path) -> None:
    """Both sides of the simulated ES as plain files of each grid, and what the package does not know of TT."""
    workspace = store.Workspace.load(simulated)
    files = SymbolFiles(workspace, workspace.symbol("ES"), None)
    theirs = files.reference(files.vendor_of_reference("tradestation"))
    assert theirs.adjusted is not None
    assert theirs.unadjusted is not None
    for root, tick in TICKS.items():

        def scaled(frame: pl.DataFrame, tick: float = tick) -> pl.DataFrame:
            return frame.with_columns(((pl.col(PRICES) / 0.25).round() * tick).round(9))

        own = scaled(files.contracts().frame).with_columns(pl.col("contract").str.replace("ES", root))
        for path, frame in {
            folder / "ours" / root / f"{root}.csv": own.select(
                "session", "contract", *PRICES, "volume", "open_interest"
            ),
            folder / "theirs" / f"{root}_adjusted.csv": scaled(theirs.adjusted.frame).select(
                "session", *PRICES, "volume"
            ),
            folder / "theirs" / f"{root}_unadjusted.csv": scaled(theirs.unadjusted.frame).select(
                "session", *PRICES, "volume"
            ),
        }.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            frame.write_csv(path, float_scientific=False)
    (folder / "instruments.toml").write_text(
        '[instruments.TT]\nname = "T"\nexchange = "CME"\ncalendar = "CMES"\ntick = 0.03125\npoint_value = 50.0\n'
        'currency = "USD"\nquote_unit = "points"\nliquid_months = "HMUZ"\nterms = "equity_index"\n'
    )
