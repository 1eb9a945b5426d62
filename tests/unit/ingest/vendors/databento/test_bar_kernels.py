"""DBN daily bars through the compiled passes: whatever the bytes say, the bars as one at a time, or a refusal.

With NUMBA_BOUNDSCHECK=1 and an empty NUMBA_CACHE_DIR every index is checked too.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ingest_dbn_writer import dbn_bytes

from ctl.errors import InputError
from ctl.ingest.source import RawFile
from ctl.ingest.vendors.databento import dbn

G = 1_000_000_000
NOTHING = 2**63 - 1
FIRST = date(2024, 1, 1)
TURN = date(2024, 1, 4)
FAR = 2**32 - 1  # beside the others too far for a table by instrument_id
NAMED = [
    ("ESH4", FIRST, date(2024, 2, 1), 7), ("ESM4", FIRST, TURN, 8), ("ESZ4", TURN, date(2024, 2, 1), 8),
    ("ESH4-ESM4", FIRST, date(2024, 2, 1), 9),
]  # fmt: skip
RECORD = 56


def read(data: bytes, tmp_path, **asked):
    return dbn.read(RawFile(path=tmp_path / "x.dbn", content=data, sha256="", size=len(data)), **asked)


def name_of(day: date, ident: int) -> str:
    return {7: "ESH4", 8: "ESM4" if day < TURN else "ESZ4", 9: "ESH4-ESM4", FAR: "ESU4"}[ident]


price = st.one_of(st.integers(-5 * G, 9000 * G), st.just(NOTHING))
bars_of_a_file = st.lists(
    st.tuples(
        st.integers(0, 9).map(lambda n: FIRST + timedelta(days=n)), st.sampled_from([7, 8, 9, FAR]),
        price, price, price, price, st.integers(0, 2**40),
    ),
    min_size=1, max_size=30,
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(bars=bars_of_a_file, far=st.booleans(), outrights=st.booleans())
def test_bars_are_those_of_the_records(tmp_path_factory, bars, far, outrights):
    named = NAMED
    if far:
        named = [*NAMED, ("ESU4", FIRST, date(2024, 2, 1), FAR)]
    else:
        bars = [(day, 7 if ident == FAR else ident, *rest) for day, ident, *rest in bars]
    found = read(dbn_bytes(bars, named), tmp_path_factory.getbasetemp(), outrights=outrights)
    rows = found.rows
    expected = [
        (line, name_of(day, ident), day, *(None if each == NOTHING else each / 1e9 for each in prices), volume)
        for line, (day, ident, *prices, volume) in enumerate(bars, 1)
        if not outrights or ident != 9
    ]
    if outrights:
        expected.sort(key=lambda row: "HMUZ".index(row[1][2]))
    columns = (rows.open, rows.high, rows.low, rows.close)
    assert [
        (
            int(rows.lines()[at]), rows.symbols[rows.symbol[at]], date(1970, 1, 1) + timedelta(days=int(rows.day[at])),
            *(None if np.isnan(column[at]) else column[at] for column in columns), int(rows.volume[at]),
        )
        for at in range(len(rows))
    ] == expected  # fmt: skip
    spreads = sum(ident == 9 for _, ident, *_ in bars) if outrights else 0
    assert dict(found.dropped) == ({"ESH4-ESM4": spreads} if spreads else {})


BARS = [(FIRST + timedelta(days=n // 3), 7 + n % 3, G, 3 * G, G, 2 * G, 5) for n in range(12)]


@pytest.mark.parametrize(("offset", "value"), [
    (0, b"\x00"), (1, b"\xff"), (4, b"\0\0\0\0"), (4, b"\xff\xff\xff\xff"), (4, b"\x06"), (4, b"\x0a"),
    (8, b"\0" * 8), (8, b"\xff" * 8), (8, b"\xff" * 7 + b"\x7f"), (8, b"\x01"), (48, b"\xff" * 8),
])  # fmt: skip
@pytest.mark.parametrize("record", [0, 5, 11])
def test_a_damaged_record_is_named(tmp_path, record, offset, value):
    data = bytearray(dbn_bytes(BARS, NAMED))
    at = len(data) - (len(BARS) - record) * RECORD + offset
    data[at : at + len(value)] = value
    with pytest.raises(InputError, match=f"record {record + 1}"):
        read(bytes(data), tmp_path, outrights=True)
