"""Canonical JSON against the library that defines it here: the same bytes, or the same refusal."""

from __future__ import annotations

from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from ctl import digests

numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.integers(-(10**6), 10**6).map(float),
    st.sampled_from([-0.0, 1e-05, 1e-07, 1e16, 1e21, 123456789012345680.0, -2.5e-09]),
)
# No character that UTF-8 cannot carry; quotation marks, escapes and numbers among the text.
text = st.text(st.one_of(st.characters(codec="utf-8"), st.sampled_from('",:[]{}\\\n0.e-1')), max_size=12)
documents = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, text),
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(text, inner, max_size=5)),
    max_leaves=30,
)


@given(documents)
def test_the_bytes_are_those_of_the_library(document: Any) -> None:
    assert digests.canonical_json(document) == rfc8785.dumps(document)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, -(2**60), [1, {"a": 2**53}]])
def test_what_json_cannot_carry_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"domain|JSON|float"):
        digests.canonical_json(value)
