"""Writing a lock, digesting inputs, comparing two profiles."""

from __future__ import annotations

import hashlib
import struct
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from ctl import operating_profile as op
from ctl import strict_files
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


def test_values_are_changed_in_place() -> None:
    before = TEMPLATE.read_bytes()
    path = ("symbol_settings", "ES", "expected_status")
    text = op.with_values(before, {path: "ACCEPT", ("symbol_settings", "ES", "series", "closes"): "settlement"})
    settings = op.load(text, TEMPLATE.name).symbol_settings["ES"]
    assert (settings.expected_status, settings.series.closes) == ("ACCEPT", "settlement")
    comments = [line for line in before.decode().splitlines() if line.startswith("#")]
    assert comments
    assert [line for line in text.decode().splitlines() if line.startswith("#")] == comments
    with pytest.raises(ProfileError, match=r"symbol_settings\.ES\.tick_size of the profile is no mapping"):
        op.with_values(before, {("symbol_settings", "ES", "tick_size", "x"): 1})


def test_a_key_of_a_symbol_stands_below_its_settings() -> None:
    profile = op.load(TEMPLATE.read_bytes(), TEMPLATE.name)
    assert op.settings_path(profile, "ES.series.closes") == ("symbol_settings", "ES", "series", "closes")
    assert op.settings_path(profile, "ratchet") == ("ratchet",)


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
    old = TEMPLATE.read_text()
    new = op.with_values(old.encode(), {("symbol_settings", "ES", "slippage_per_side"): 0.5, ("ratchet",): 0.25})
    found = {change.key: (change.old, change.new) for change in op.difference(old, f"# news\n{new.decode()}")}
    assert found == {"symbol_settings.ES.slippage_per_side": (0.25, 0.5), "ratchet": (None, 0.25)}
    assert op.difference(old, f"# a comment\n{old}") == ()


def test_the_last_name_of_a_mapping_can_go_and_its_comment_stays() -> None:
    text = b"a: 1\nnames:  # in words\n  X: {role: r}\n\n# next\nlast: 2\n"
    made = op.with_values(text, {("names", "X"): op.REMOVED})
    assert strict_files.read_yaml(made).value == {"a": 1, "names": {}, "last": 2}
    assert b"# in words" in made
