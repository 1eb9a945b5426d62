"""Actions files: what is read, and what is refused by row and column."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from ctl import ingest
from ctl.errors import InputError
from ctl.model.actions import CorporateAction


def written(folder: Path, text: str) -> Path:
    path = folder / "AAPL.csv"
    path.write_text(text)
    return path


def test_splits_and_dividends_come_back_as_they_stand(tmp_path: Path) -> None:
    read = ingest.read_actions(
        written(tmp_path, "date,split_ratio,dividend\n2014-06-09,7,0\n2014-08-07,1,0.47\n2020-08-31,4,0.205\n")
    )
    assert read.events == (
        CorporateAction(date(2014, 6, 9), 7.0, 0.0),
        CorporateAction(date(2014, 8, 7), 1.0, 0.47),
        CorporateAction(date(2020, 8, 31), 4.0, 0.205),
    )
    assert read.source is not None
    assert (read.source.rows, read.source.first_session) == (3, date(2014, 6, 9))


def test_an_equity_without_any_action_has_a_file_with_a_header(tmp_path: Path) -> None:
    assert ingest.read_actions(written(tmp_path, "date,split_ratio,dividend\n")).events == ()


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("2014-06-09,0,0", "row 2, column 'split_ratio': not positive"),
        ("2014-06-09,-2,0", "row 2, column 'split_ratio': not positive"),
        ("2014-06-09,1,-0.1", "row 2, column 'dividend': negative"),
        ("2014-06-09,1,0", "row 2, column 'split_ratio': neither a split nor a dividend"),
        ("2014-06-09,7,0\n2014-06-09,1,0.4", "row 3, column 'date': not after the row before"),
        ("2014-06-09,7,0\n2014-06-02,1,0.4", "row 3, column 'date': not after the row before"),
        ("09/06/2014,7,0", "row 2, column 'date': not a date"),
        ("2014-06-09,seven,0", "row 2, column 'split_ratio': not a number"),
        ("2014-06-09,7,", "row 2, column 'dividend': empty"),
        ("2014-06-09,7,nan", "row 2, column 'dividend'"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(tmp_path: Path, rows: str, told: str) -> None:
    with pytest.raises(InputError) as refused:
        ingest.read_actions(written(tmp_path, f"date,split_ratio,dividend\n{rows}\n"))
    assert told in str(refused.value)
    assert "AAPL.csv" in str(refused.value)


@pytest.mark.parametrize("text", ["date,dividend\n2014-08-07,0.47\n", "date,dividend\n"])
def test_a_missing_column_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="'split_ratio' is missing"):
        ingest.read_actions(written(tmp_path, text))
