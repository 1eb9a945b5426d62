"""A generated pair whose reference is changed by hand, and what its certificate says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ctl.power.certified_pair import certify_pair
from ctl.power.vendor_pairs import Market, VendorPair, generate

Floats = npt.NDArray[np.float64]
Closes = Callable[[Floats, Floats], tuple[Floats, Floats]]


@lru_cache
def clean_pair() -> VendorPair:
    """Twenty-six contracts, 1,638 sessions, a tick of 0.25."""
    return generate(Market(5))


def with_closes(change: Closes, pair: VendorPair | None = None) -> VendorPair:
    """The reference's unadjusted and adjusted closes changed."""
    pair = pair or clean_pair()
    adjusted, unadjusted = pair.reference.adjusted, pair.reference.unadjusted
    assert adjusted is not None
    assert unadjusted is not None
    raw, carried = change(
        unadjusted.frame["close"].to_numpy().copy(), adjusted.frame["close"].to_numpy().copy()
    )  # fmt: skip
    series = [
        replace(side, frame=side.frame.with_columns(close=pl.Series(values)))
        for side, values in ((unadjusted, raw), (adjusted, carried))
    ]
    return replace(pair, reference=replace(pair.reference, unadjusted=series[0], adjusted=series[1]))


def with_days(change: Callable[[npt.NDArray[np.datetime64]], npt.NDArray[np.datetime64]]) -> VendorPair:
    """The reference's sessions changed."""
    pair = clean_pair()
    sides: dict[str, Any] = {}
    for name in ("adjusted", "unadjusted"):
        side = getattr(pair.reference, name)
        days = change(side.frame["session"].to_numpy().astype("datetime64[D]"))
        sides[name] = replace(side, frame=side.frame.with_columns(session=pl.Series(days)))
    return replace(pair, reference=replace(pair.reference, **sides))


def findings(pair: VendorPair, layer: str) -> dict[str, dict[str, Any]]:
    """The findings of a layer above PASS, by code."""
    found = certify_pair(pair).document["layers"][layer]["findings"]
    return {made["code"] or made["check"]: made for made in found if made["status"] in ("WATCH", "FAIL")}


def sessions() -> list[str]:
    """The reference's sessions."""
    adjusted = clean_pair().reference.adjusted
    assert adjusted is not None
    return [str(day) for day in adjusted.frame["session"].to_list()]
