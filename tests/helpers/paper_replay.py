"""Runs of past dates, reduced to what the live-sim ledger needs of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType

from ctl import operating_profile
from ctl.flows import inputs, paper
from ctl.flows.inputs import SymbolInputs
from ctl.flows.series import traded_series
from ctl.model.orders import Key, Verdict
from ctl.model.run import PlanEntry
from ctl.operating_profile import OperatingProfile
from ctl.store import Workspace


def profile_of(workspace: Workspace) -> OperatingProfile:
    return operating_profile.load(workspace.profile_path.read_bytes(), workspace.profile_path.name)


def settle_to(
    workspace: Workspace,
    sessions: Iterable[date],
    *,
    symbols: Sequence[str] = ("ES", "CL", "PL"),
    days_late: int = 0,
    verdicts: Mapping[Key, Verdict] = MappingProxyType({}),
) -> list[int]:
    """Settle the ledger as runs on each of `sessions` would, each knowing the data up to it; the sessions added.

    days_late: how many days after its session each run is made. verdicts: of entries; the others are all taken.
    """
    profile = profile_of(workspace)
    held = {
        symbol: inputs.read_symbol(
            workspace, symbol, policy=profile.symbol_settings[symbol].roll_policy, with_reference=False
        )
        for symbol in symbols
    }
    entries = [_entry(profile, symbol) for symbol in symbols]
    added = []
    for session in sessions:
        instant = datetime.combine(session + timedelta(days_late), time(23), UTC)
        known = {
            symbol: replace(item, contracts=None if item.contracts is None else inputs.up_to(item.contracts, session))
            for symbol, item in held.items()
        }
        settled = paper.last_sessions(workspace)
        following = [
            paper.Following(entry, _closes(workspace, known[entry.symbol], entry, settled, instant))
            for entry in entries
        ]
        added.append(paper.settle(workspace, following, verdicts, instant=instant))
    return added


def _closes(
    workspace: Workspace, held: SymbolInputs, entry: PlanEntry, settled: Mapping[str, date], instant: datetime
) -> tuple[paper.Close, ...]:
    calendar = workspace.symbol(entry.symbol).calendar
    series = traded_series(held, calendar)
    assert series is not None
    return paper.coming(held, series, entry, calendar, since=settled.get(entry.symbol), instant=instant)


def _entry(profile: OperatingProfile, symbol: str) -> PlanEntry:
    settings = profile.symbol_settings[symbol]
    return PlanEntry(
        symbol=symbol,
        role="gating",
        action="RUN",
        reason="",
        asset_class="future",
        tick=settings.tick_size,
        slippage_per_side=settings.slippage_per_side,
        slippage_source="profile",
        certificate_sha256=None,
    )
