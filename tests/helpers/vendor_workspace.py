"""A small workspace of plain CSV files, written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

from ctl import store

HEAD = 'schema_version = 1\ncycle_id = "c"\nprofile = "p_v1.yaml"\n'
SYMBOL = """
[symbols.{symbol}]
asset_class = "{kind}"
calendar = "XNYS"
tick = 0.01
point_value = 1.0
currency = "USD"
quote_unit = "USD"
canonical = "ours"
{more}
"""
DAYS = [day for day in (date(2024, 1, 1) + timedelta(days=n) for n in range(60)) if day.weekday() < 5]


def workspace(root: Path, vendors: str, *symbols: tuple[str, str, str]) -> store.Workspace:
    """A workspace of these tables of vendors and of (symbol, asset class, further lines)."""
    tables = "".join(SYMBOL.format(symbol=name, kind=kind, more=more) for name, kind, more in symbols)
    (root / "ctl.toml").write_text(f"{HEAD}{vendors}{tables}")
    return store.Workspace.load(root)


def series(path: Path, start: float = 100.0, days: Sequence[date] = tuple(DAYS)) -> Path:
    """A plain series that rises by a quarter a session."""
    rows = [
        f"{day},{p},{p + 1},{p - 1},{p + 0.5},1000" for day, p in ((d, start + 0.25 * n) for n, d in enumerate(days))
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["session,open,high,low,close,volume", *rows, ""]))
    return path


def contracts(path: Path, root: str, start: float = 100.0) -> Path:
    """Two contracts of a root, March and June 2024."""
    rows = [
        f"{day},{root}{code},{p},{p + 1},{p - 1},{p + 0.5},{volume}"
        for code, gap, volume in (("H24", 0.0, 2000), ("M24", 3.0, 1000))
        for day, p in ((d, start + gap + 0.25 * n) for n, d in enumerate(DAYS))
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["session,contract,open,high,low,close,volume", *rows, ""]))
    return path
