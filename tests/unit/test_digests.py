"""Canonical JSON: the bytes of RFC 8785, as another implementation of it writes them."""

from __future__ import annotations

import math
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from ctl import digests

NUMBERS = (
    st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.decimals(-(10**17), 10**17, allow_nan=False, places=8).map(float)
    | st.integers(-(10**22), 10**22).map(float)
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(TEXT, inner),
)


@given(DOCUMENTS)
@example([0.0, -0.0, 1e-4, 9.999999999999999e-05, 1e-7, 5e-324, 2.0**53, 1e16, 1e21, -1e20, 1.5, 7.0, 2**53 - 1])
@example({"%s": 1, "%": "%d", "\U0001f600": 1, "\ufb33": 2, "\u20ac": 3, '"\\\n\x00\x7f\u2028': [{}, [], ()]})
def test_the_bytes_are_those_of_rfc8785(document: Any) -> None:
    assert digests.canonical_json(document) == rfc8785.dumps(document)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        # RFC 8785, 3.2.2 to 3.2.4 and appendix B.
        ([333333333.33333329, 1e30, 4.50, 2e-3, 1e-27], b"[333333333.3333333,1e+30,4.5,0.002,1e-27]"),
        ([9007199254740992.0, 295147905179352830000.0, 1e23], b"[9007199254740992,295147905179352830000,1e+23]"),
        ([0.000001, 1e-7, -0.0000033333333333333333], b"[0.000001,1e-7,-0.0000033333333333333333]"),
        ({"\u20ac": "Euro", "\r": 1, "1": True}, '{"\\r":1,"1":true,"\u20ac":"Euro"}'.encode()),
    ],
)  # fmt: skip
def test_examples_of_the_standard(document: Any, expected: bytes) -> None:
    assert digests.canonical_json(document) == expected


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, 2**53, -(2**53), "\ud800", {1: 2}, object(), {"a": {None: 1}}]
)
def test_what_json_cannot_carry_is_refused(value: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - ours or the library's
        digests.canonical_json([value])
