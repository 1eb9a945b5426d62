"""How the exchanged types show themselves: as a frame of polars or pandas, and as a table in a notebook."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

SHOWN_ROWS: Final = 10


@dataclass(frozen=True, slots=True)
class Card:
    """What a notebook shows: a title, a line each of `facts` and `notes`, and at most SHOWN_ROWS rows of `frame`."""

    title: str
    facts: Mapping[str, Any]
    frame: pl.DataFrame | None = None
    notes: Sequence[str] = ()


class Tabular(ABC):
    """Gives a result its notebook table and its frames. A class says what `_card` and `to_polars` are."""

    __slots__ = ()

    @abstractmethod
    def _card(self) -> Card:
        """What a notebook shows."""

    @abstractmethod
    def to_polars(self) -> pl.DataFrame:
        """The rows as a polars frame."""

    def to_pandas(self) -> pd.DataFrame:
        """The rows of `to_polars` as a pandas frame; sessions become datetime64, missing numbers NaN."""
        return pandas_frame(self.to_polars())

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
    facts = "".join(
        f"<tr><th style='text-align:left'>{_cell(name)}</th><td style='text-align:left'>{_cell(value)}</td></tr>"
        for name, value in card.facts.items()
    )
    parts = [f"<div><strong>{_cell(card.title)}</strong>"]
    if facts:
        parts.append(f"<table>{facts}</table>")
    if card.frame is not None and card.frame.height:
        parts.append(_rows(card.frame))
    parts += [f"<div>{_cell(note)}</div>" for note in card.notes]
    return "".join(parts) + "</div>"


def _rows(frame: pl.DataFrame) -> str:
    head = "".join(f"<th>{_cell(name)}</th>" for name in frame.columns)
    if frame.height <= SHOWN_ROWS:
        body = _body(frame.iter_rows())
    else:
        half = SHOWN_ROWS // 2
        gap = f"<tr><td colspan='{frame.width}'>... {frame.height - SHOWN_ROWS} more rows</td></tr>"
        body = _body(frame.head(half).iter_rows()) + gap + _body(frame.tail(half).iter_rows())
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _body(rows: Iterable[Sequence[Any]]) -> str:
    return "".join("<tr>" + "".join(f"<td>{_cell(value)}</td>" for value in row) + "</tr>" for row in rows)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return escape(f"{value:.6g}" if isinstance(value, float) else str(value))
