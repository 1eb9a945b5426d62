"""What the sessions that were locked come to when they are certified again: once for the same bars, terms and code.

Bars that are cut where they were locked are mostly those of the week before, so that what they come to is kept under a
digest of all that it depends on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from ctl import digests
from ctl.errors import CtlError
from ctl.flows import kept_bars
from ctl.flows.bar_cache import package_version
from ctl.model.documents import document
from ctl.model.locked import LockedSymbol
from ctl.store.cache import Cache, Entry

if TYPE_CHECKING:
    import polars as pl

    from ctl.flows.inputs import SymbolInputs
    from ctl.flows.terms import CertifyTerms
    from ctl.model.bars import SeriesMeta
    from ctl.store import Workspace


@cache
def _reading() -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(LockedSymbol)


def certified_again(
    workspace: Workspace,
    held: SymbolInputs,
    terms: CertifyTerms,
    certify: Callable[[], LockedSymbol],
    *,
    keep: bool,
) -> LockedSymbol:
    """What `certify` finds of the decision's inputs, or found of the same ones before. keep: whether it is kept."""
    store, slot, key = Cache(workspace.cache_folder), ("locked_past", held.symbol), _depends_on(held, terms)
    entry = store.load(slot, key)
    if entry is not None:
        with suppress(ValueError, KeyError, TypeError):
            found: LockedSymbol = _reading().validate_python(entry.value)
            return found
    made = certify()
    if keep:
        store.keep(slot, key, Entry(document(made)))
    return made


def _depends_on(held: SymbolInputs, terms: CertifyTerms) -> str:
    """A digest of every bar and setting that a decision rests on, and of the code; not of the files' names and sizes,
    which grow.
    """
    contracts, reference = held.contracts, held.reference
    known = None if contracts is None else (contracts.contracts, dict(contracts.terms))
    beside = None if reference is None else reference.contracts
    frames = [(table.series, _digest(table.frame)) for table in kept_bars.tables(held)]
    metas = [_lasting(table.meta) for table in kept_bars.tables(held)]
    if isinstance(beside, CtlError):
        frames.append(("beside", str(beside)))
    elif beside is not None:
        frames.append(("beside", _digest(beside.frame)))
        metas.append(_lasting(beside.meta))
    stated = None if reference is None else (reference.vendor, reference.stated_rolls)
    actions = None if held.actions is None else held.actions.events
    settings = (held.root, terms, held.policy, known, metas, stated, actions, held.common_basis, held.series)
    return digests.digest({"code": package_version(), "frames": frames, "settings": repr(settings)})


def _lasting(meta: SeriesMeta) -> SeriesMeta:
    return replace(meta, sources=(), notes=(), lacking=())


def _digest(frame: pl.DataFrame) -> str:
    """sha256 of a table's bars, and of what each carries above its raw price."""
    found = hashlib.sha256(kept_bars.digest(frame).encode())
    if "adjustment" in frame.columns:
        found.update(frame["adjustment"].fill_null(float("nan")).to_numpy().tobytes())
    return found.hexdigest()
