"""Canonical JSON is what the reference implementation of RFC 8785 writes."""

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from ctl import digests

_NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
_TEXTS = st.text(alphabet=st.sampled_from('a"\\,:1.0e-5[]{}\n\x00\x7fé日\U0001f600\ufb33'), max_size=8)
_DOCUMENTS = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(_TEXTS, inner, max_size=5),
    max_leaves=20,
)


@given(_DOCUMENTS)
@example([1.0, -0.0, 1e16, 1e21, 1e-05, 1e-07, 123456789012345680.0, -0.5, 10.05])
@example({"1.0": "-0,1.0]", "\\": '",1e-05,"', "\U0001f600": 1, "\ufb33": 2})
def test_as_the_reference_implementation(document: object) -> None:
    assert digests.canonical_json(document) == rfc8785.dumps(document)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53 + 1, -(2**70), "\ud800"])
def test_what_json_cannot_carry(value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - two libraries say it in their own words
        digests.canonical_json([value])
