"""Writing a lock, digesting inputs, comparing two profiles."""

from __future__ import annotations

import hashlib
import struct
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from ctl import operating_profile as op
from ctl.errors import ProfileError

TEMPLATE = Path(__file__).resolve().parents[2] / "configs/cutover/operating_profile_v1.yaml"
HEX = "0f" * 32


def bars(rows: list[tuple[date, str, float | None, int | None]]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "session": [row[0] for row in rows],
            "contract": [row[1] for row in rows],
            **{name: [row[2] for row in rows] for name in ("open", "high", "low", "close")},
            "volume": [row[3] for row in rows],
            "open_interest": [None] * len(rows),
        },
        schema_overrides={
            **dict.fromkeys(("open", "high", "low", "close"), pl.Float64),
            "volume": pl.Int64,
            "open_interest": pl.Int64,
        },
    )


ROWS = [
    (date(2018, 12, 28), "ESH19", 2500.25, 10),
    (date(2018, 12, 31), "ESH19", 2505.0, 11),
    (date(2018, 12, 31), "ESM19", None, None),
    (date(2019, 1, 2), "ESH19", -1.5, 12),
]


def test_lock_goes_in_and_comments_stay() -> None:
    before = TEMPLATE.read_bytes()
    template = op.load(before, TEMPLATE.name, require_lock=False)
    ranges = (op.SessionRange(first=date(2018, 1, 2), last=date(2018, 12, 31), sha256=HEX),)
    lock = op.Lock(
        thresholds=HEX,
        strategy=HEX,
        settings=op.settings_digest(template),
        inputs={"ES": op.InputLock(files={"b.csv": HEX, "a.csv": HEX}, sessions=ranges)},
    )
    written = op.with_lock(before, lock)
    profile = op.load(written, TEMPLATE.name)
    assert profile.lock == lock
    assert op.settings_digest(profile) == op.settings_digest(template) == lock.settings
    comments = [line for line in before.decode().splitlines() if line.startswith("#")]
    assert comments
    assert [line for line in written.decode().splitlines() if line.startswith("#")] == comments
    assert op.with_lock(written, lock) == written


def test_a_lock_is_replaced_whole() -> None:
    template = TEMPLATE.read_bytes()
    first = op.with_lock(
        template, op.Lock(thresholds=HEX, strategy=HEX, settings=HEX, inputs={"ES": op.InputLock(files={"a": HEX})})
    )
    second = op.load(
        op.with_lock(first, op.Lock(thresholds="1" * 64, strategy="2" * 64, settings="3" * 64)), TEMPLATE.name
    )
    assert second.lock == op.Lock(thresholds="1" * 64, strategy="2" * 64, settings="3" * 64, inputs={})


def test_a_text_that_is_no_profile_gets_no_lock() -> None:
    with pytest.raises(ProfileError):
        op.with_lock(b"schema_version: 1\n", op.Lock(thresholds=HEX, strategy=HEX, settings=HEX))


def test_values_are_changed_in_place() -> None:
    text = op.with_values(TEMPLATE.read_bytes(), {("symbol_settings", "ES", "expected_status"): "ACCEPT"})
    profile = op.load(text, TEMPLATE.name, require_lock=False)
    assert profile.symbol_settings["ES"].expected_status == "ACCEPT"
    with pytest.raises(ProfileError, match=r"holds no symbol_settings\.NQ"):
        op.with_values(TEMPLATE.read_bytes(), {("symbol_settings", "NQ", "tick_size"): 1})


def test_range_digest_is_reproducible_by_hand() -> None:
    rows = ROWS[:3]
    days = b"".join(struct.pack("<i", (row[0] - date(1970, 1, 1)).days) for row in rows)
    mask = bytes(int(row[2] is None) for row in rows)
    prices = b"".join(struct.pack("<d", row[2] or 0.0) for row in rows)
    volumes = b"".join(struct.pack("<q", row[3] or 0) for row in rows)
    text = b"\x00\x00\x00" + days + b"ESH19\nESH19\nESM19" + (mask + prices) * 4
    text += mask + volumes + b"\x01\x01\x01" + bytes(24)
    first, second = op.session_ranges(bars(ROWS), symbol="ES")
    assert (first.first, first.last) == (date(2018, 12, 28), date(2018, 12, 31))
    assert first.sha256 == hashlib.sha256(text).hexdigest()
    assert (second.first, second.last) == (date(2019, 1, 2), date(2019, 1, 2))


def test_row_order_negative_zero_and_nan_do_not_change_a_digest() -> None:
    reference = op.session_ranges(bars(ROWS), symbol="ES")
    assert op.session_ranges(bars(ROWS[::-1]), symbol="ES") == reference
    nan = bars(ROWS).with_columns(pl.col("close").fill_null(float("nan")))
    assert op.session_ranges(nan, symbol="ES") == reference
    zero = [(date(2018, 1, 2), "ESH18", 0.0, 1)]
    minus = [(date(2018, 1, 2), "ESH18", -0.0, 1)]
    assert op.session_ranges(bars(zero), symbol="ES") == op.session_ranges(bars(minus), symbol="ES")


def test_only_restated_years_are_named() -> None:
    locked = op.session_ranges(bars(ROWS), symbol="ES")
    later = [*ROWS, (date(2019, 1, 3), "ESH19", 3.0, 1)]
    assert op.restated_ranges(locked, bars(later), symbol="ES") == ()
    changed = [(date(2018, 12, 28), "ESH19", 2500.5, 10), *ROWS[1:]]
    assert op.restated_ranges(locked, bars(changed), symbol="ES") == (locked[0],)
    earlier = [(date(2017, 6, 1), "ESM17", 1.0, 1), *ROWS]
    assert op.restated_ranges(locked, bars(earlier), symbol="ES") == (locked[0],)
    between = [*ROWS, (date(2019, 1, 1), "ESH19", 1.0, 1)]
    assert op.restated_ranges(locked, bars(between), symbol="ES") == (locked[1],)


def test_bars_after_the_cut_are_left_out() -> None:
    cut = op.session_ranges(bars(ROWS), symbol="ES", last=date(2018, 12, 31))
    assert cut == op.session_ranges(bars(ROWS[:3]), symbol="ES")


def test_a_series_without_contracts_counts_as_its_symbol() -> None:
    named = bars([(date(2018, 1, 2), "AAPL", 1.0, 1)])
    assert op.session_ranges(named.drop("contract"), symbol="AAPL") == op.session_ranges(named, symbol="AAPL")


def test_difference_names_the_keys_that_differ() -> None:
    old = op.load(
        op.with_lock(TEMPLATE.read_bytes(), op.Lock(thresholds="1" * 64, strategy=HEX, settings=HEX)), "a_v1.yaml"
    )
    text = op.with_values(TEMPLATE.read_bytes(), {("symbol_settings", "ES", "slippage_per_side"): 0.5})
    inputs = {"ES": op.InputLock(files={"a.csv": HEX})}
    new = op.load(op.with_lock(text, op.Lock(thresholds=HEX, strategy=HEX, settings=HEX, inputs=inputs)), "a_v2.yaml")
    assert op.difference(old, old) == ()
    found = {change.key: (change.old, change.new) for change in op.difference(old, new)}
    assert found["symbol_settings.ES.slippage_per_side"] == (0.25, 0.5)
    assert found["lock.thresholds"] == ("1" * 64, HEX)
    assert found["lock.inputs.ES.files.a.csv"] == (None, HEX)
    assert "lock.strategy" not in found


def test_the_shipped_lock_holds_its_own_settings() -> None:
    profile = op.load(TEMPLATE.read_bytes(), TEMPLATE.name)
    assert profile.lock is not None
    assert profile.lock.settings == op.settings_digest(profile)
