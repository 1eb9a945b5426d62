"""How the exchanged types show themselves: caption, picture and table in a notebook, a frame of polars or pandas."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Final

from ctl.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

    from ctl.drawing import Picture

SHOWN_ROWS: Final = 10
SHOWN_ENDS: Final = 3  # rows at either end of a frame that is longer
NOTEBOOK_POINTS: Final = 200  # the most of a curve: a notebook keeps its outputs
_SMALL: Final = 1e-3


@dataclass(frozen=True, slots=True)
class Card:
    """What a notebook shows: a caption, a picture, at most SHOWN_ROWS rows of each of `frames`, and `notes`."""

    caption: str
    frames: Sequence[pl.DataFrame] = ()
    picture: Picture | None = None
    notes: Sequence[str] = ()


class Tabular(ABC):
    """Gives a result its caption, its notebook view and its frames. A class says what they are."""

    __slots__ = ()

    @property
    @abstractmethod
    def caption(self) -> str:
        """The whole of it in one line."""

    @abstractmethod
    def _card(self) -> Card:
        """What a notebook shows."""

    @abstractmethod
    def to_polars(self) -> pl.DataFrame:
        """The rows as a polars frame."""

    def to_pandas(self) -> pd.DataFrame:
        """The rows of `to_polars` as a pandas frame; sessions become datetime64, missing numbers NaN."""
        return pandas_frame(self.to_polars())

    def plot(self) -> Picture:
        """Its picture, which shows itself in a notebook; `.svg()` is its text. Raises DataError where there is none."""
        picture = self._card().picture
        if picture is None:
            raise DataError("nothing of it can be drawn", found=self.caption)
        return picture

    def __repr__(self) -> str:
        return self.caption

    def _repr_html_(self) -> str:
        return html(self._card())


def pandas_frame(frame: pl.DataFrame) -> pd.DataFrame:
    """A polars frame in pandas, without Arrow between them."""
    import pandas as pd
    import polars as pl

    columns = {
        column.name: column.to_numpy()
        if column.dtype.is_numeric()
        or column.dtype.is_temporal()
        or (column.dtype == pl.Boolean and not column.has_nulls())
        else pd.Series(column.to_list(), dtype=object)
        for column in frame
    }
    return pd.DataFrame(columns, columns=frame.columns)


def html(card: Card) -> str:
    """A card as one self-contained piece of HTML; every text is escaped."""
    parts = [f"<div><strong>{_cell(card.caption)}</strong>"]
    if card.picture is not None:
        parts.append(f"<div>{_cell(card.picture.title)}</div>{card.picture.svg()}")
    parts += [_rows(frame) for frame in card.frames if frame.height]
    parts += [f"<div>{_cell(note)}</div>" for note in card.notes]
    return "".join(parts) + "</div>"


def _rows(frame: pl.DataFrame) -> str:
    head = "".join(f"<th>{_cell(name)}</th>" for name in frame.columns)
    if frame.height <= SHOWN_ROWS:
        body = _body(frame.iter_rows())
    else:
        gap = f"<tr><td colspan='{frame.width}'>... {frame.height - 2 * SHOWN_ENDS} more rows</td></tr>"
        body = _body(frame.head(SHOWN_ENDS).iter_rows()) + gap + _body(frame.tail(SHOWN_ENDS).iter_rows())
    table = f"<table style='white-space:nowrap'><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f"<div style='overflow-x:auto'>{table}</div>"


def _body(rows: Iterable[Sequence[Any]]) -> str:
    return "".join("<tr>" + "".join(f"<td>{_cell(value)}</td>" for value in row) + "</tr>" for row in rows)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return escape(plain(value) if isinstance(value, float) else str(value))


def plain(value: float) -> str:
    """A number without an exponent and without digits that say nothing."""
    from ctl.drawing import number

    return number(value) if 0 < abs(value) < _SMALL else f"{value:.4f}".rstrip("0").rstrip(".")
