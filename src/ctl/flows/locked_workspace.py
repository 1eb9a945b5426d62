"""What a lock file holds of the workspace: all that turns prices into money or picks the data of the gating symbols.

Everything that ctl.toml says of them is held unless it stands in docs/security.md as irrelevant, so that a new key is
under the lock from its first day.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

from ctl import calendar_corrections, ingest
from ctl.errors import CtlError
from ctl.flows import signing
from ctl.flows.inputs import instruments_of, with_cycle
from ctl.model.csv_mapping import NamedMapping
from ctl.model.documents import document
from ctl.model.findings import Reason, in_full
from ctl.model.lock_file import LockedTerms

if TYPE_CHECKING:
    from ctl.flows.inputs import SymbolInputs
    from ctl.model.instruments import Instruments
    from ctl.model.lock_file import LockedInputs
    from ctl.operating_profile import OperatingProfile
    from ctl.store import SymbolConfig, Workspace

Windows = Mapping[str, tuple[date, date]]
"""By symbol the first and last session, both inclusive."""


def locked_workspace(workspace: Workspace, profile: OperatingProfile, windows: Windows) -> dict[str, Any]:
    """The workspace's part of a lock file, JSON-ready, by the keys of ctl.toml.

    windows: the locked sessions of the gating symbols; corporate actions and calendar corrections count within them.
    """
    configs = {symbol: workspace.symbols[symbol] for symbol in profile.gating_universe if symbol in workspace.symbols}
    deciding = {
        symbol: profile.symbol_settings[symbol].reference or config.reference for symbol, config in configs.items()
    }
    used = sorted({config.canonical for config in configs.values()} | {name for name in deciding.values() if name})
    return {
        "cycle_id": workspace.cycle_id,
        "simulated": workspace.simulated,
        "paths": said({"raw": workspace.raw, "processed": workspace.processed}, workspace),
        "risk": said(document(workspace.risk), workspace),
        "vendors": {name: said(workspace.vendors[name], workspace) for name in used if name in workspace.vendors},
        "symbols": {
            symbol: _symbol(workspace, profile, config, windows.get(symbol)) for symbol, config in configs.items()
        },
        "calendars": _corrections(configs, windows),
        **({"signers": signing.contents(workspace, profile)} if profile.signers else {}),
    }


def _symbol(
    workspace: Workspace, profile: OperatingProfile, config: SymbolConfig, window: tuple[date, date] | None
) -> dict[str, Any]:
    found: dict[str, Any] = said(config, workspace)
    if config.actions is not None:
        found["actions"] = {"path": workspace.relative(config.actions), **_actions(config.actions, window)}
    if config.asset_class == "future":
        try:
            known = instruments_of(workspace)
        except CtlError as error:
            return {**found, "instrument": {"unreadable": str(error)}}
        policy = profile.symbol_settings[config.symbol].roll_policy
        rules = [
            [rule.since, rule.last_trade, rule.first_notice, rule.calendar] for rule in known.term_rules(config.root)
        ]
        found["instrument"] = {"months": with_cycle(policy, config.root, known).eligible_months, "terms": rules}
    return found


def _actions(path: Path, window: tuple[date, date] | None) -> dict[str, Any]:
    """Splits and dividends up to the last locked session; later ones are news like later sessions."""
    try:
        events = ingest.read_actions(path).events
    except CtlError as error:
        return {"unreadable": str(error)}
    until = [event for event in events if window is None or event.ex_date <= window[1]]
    return {"events": {event.ex_date.isoformat(): [event.split_ratio, event.dividend] for event in until}}


def _corrections(configs: Mapping[str, SymbolConfig], windows: Windows) -> dict[str, Any]:
    """Days that the package lists otherwise than the calendar libraries, by calendar, within the locked sessions."""
    spans: dict[str, tuple[date, date]] = {}
    for symbol, config in configs.items():
        if symbol in windows:
            first, last = windows[symbol]
            before = spans.get(config.calendar, (first, last))
            spans[config.calendar] = min(first, before[0]), max(last, before[1])
    return {
        calendar: {
            item.name: [item.kind, *(day.isoformat() for day in item.between(first, last))]
            for item in calendar_corrections.corrections()
            if calendar in item.calendars and any(item.between(first, last))
        }
        for calendar, (first, last) in sorted(spans.items())
    }


def said(value: Any, workspace: Workspace) -> Any:
    """A value of ctl.toml, JSON-ready: paths relative to the workspace, packaged mappings by content, None left out."""
    if isinstance(value, Path):
        return workspace.relative(value)
    if isinstance(value, NamedMapping):
        return {"name": value.name, **said(dict(ingest.named_mapping(value.name)), workspace)}
    if isinstance(value, BaseModel):
        value = dict(value)
    if isinstance(value, Mapping):
        return {key: said(item, workspace) for key, item in value.items() if item is not None}
    if isinstance(value, tuple | list):
        return [said(item, workspace) for item in value]
    return document(value)


# ---------------------------------------------------------------- instruments


def contradicted(
    workspace: Workspace, profile: OperatingProfile, symbol: str, read: SymbolInputs | None
) -> tuple[Reason, ...]:
    """A gating symbol's tick, point value and currency that contradict what is known of it, or its definitions.

    read: what its files hold; None where they could not be read.
    """
    try:
        known = instruments_of(workspace)
    except CtlError:
        return ()  # then no future can be read, and each says why
    config = workspace.symbols.get(symbol)
    if config is None or config.asset_class != "future":
        return ()
    texts = [*_against_listed(config, known), *_against_definitions(config, read)]
    tick = profile.symbol_settings[symbol].tick_size
    if tick != config.tick:
        texts.append(f"tick {in_full(config.tick)}, the profile's tick_size {in_full(tick)}")
    said = f"symbols.{symbol} of ctl.toml says"
    return tuple(
        Reason("INSTRUMENT_CONTRADICTED", "ERROR", f"{said} {text}; mend the one that is wrong") for text in texts
    )


def terms_of(held: SymbolInputs) -> dict[str, LockedTerms]:
    """What is known in advance of every contract that has bars; of an equity nothing."""
    bars = held.contracts
    if bars is None:
        return {}
    known = ((each.name, bars.terms[each.name]) for each in bars.contracts if each.name in bars.terms)
    return {name: LockedTerms(*(getattr(term, key) for key in _TERMS)) for name, term in known}


def changed_terms(held: SymbolInputs, locked: LockedInputs) -> tuple[Reason, ...]:
    """Contracts whose days, tick or currency are not as locked: orders and rolls rest on them.

    What was not known then is news; a definition that no longer states a tick or currency contradicts nothing.
    """
    now = terms_of(held)
    texts = [
        f"{name} {key} {old} -> {new}"
        for name, then in locked.terms.items()
        if name in now
        for key, old, new in ((key, getattr(then, key), getattr(now[name], key)) for key in _TERMS)
        if old is not None and old != new and (new is not None or key in _DAYS)
    ]
    if not texts:
        return ()
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    text = f"{held.symbol}: {', '.join(texts[:_SHOWN])}{more}"
    return (Reason("TERMS_CHANGED", "ERROR", f"{text}; restore the definitions, or lock a new version (ctl lock)"),)


_DAYS: Final = ("last_trade", "first_notice")
_TERMS: Final = (*_DAYS, "tick", "currency")
_SHOWN: Final = 3


def _against_listed(config: SymbolConfig, known: Instruments) -> list[str]:
    """What the reference data of instruments say otherwise; in another unit only a tick's money can be compared."""
    listed = known.get(config.root)
    if listed is None:
        return []
    pairs: list[tuple[str, Any, Any]] = [("currency", config.currency, listed.currency)]
    if config.quote_unit == listed.quote_unit:
        pairs += [("tick", config.tick, listed.tick), ("point_value", config.point_value, listed.point_value)]
    else:
        ours, theirs = (round(item.tick * item.point_value, 9) for item in (config, listed))
        pairs.append(("tick times point_value", ours, theirs))
    return [f"{name} {one}, instruments.toml {other}" for name, one, other in pairs if one != other]


def _against_definitions(config: SymbolConfig, read: SymbolInputs | None) -> list[str]:
    """What the vendor's definition of the newest contract that is defined says otherwise."""
    bars = None if read is None else read.contracts
    if bars is None or bars.meta.quote_unit not in ("", config.quote_unit):
        return []
    texts = []
    for name in ("tick", "currency"):
        defined = [bars.terms[each.name] for each in bars.contracts if each.name in bars.terms]
        newest = next((term for term in reversed(defined) if getattr(term, name) is not None), None)
        if newest is not None and getattr(newest, name) != getattr(config, name):
            texts.append(f"{name} {getattr(config, name)}, the definition of {newest.contract} {getattr(newest, name)}")
    return texts
