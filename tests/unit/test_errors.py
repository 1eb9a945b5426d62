"""What is expected instead of a name that is not known."""

from __future__ import annotations

from ctl.errors import one_of


def test_the_nearest_name_is_named_whatever_its_case() -> None:
    assert one_of("es", ["ES", "CL"]) == "one of ES, CL; nearest ES"
    assert one_of("gold", ["ES", "CL"]) == "one of ES, CL"


def test_a_long_list_shrinks_to_the_nearest_where_there_is_one() -> None:
    names = [f"cause-{number:02d}" for number in range(30)] + ["wrong-commodity"]
    assert one_of("wrong-comodity", names) == "one of 31; nearest wrong-commodity"
    assert one_of("x", names).count(",") == 30
