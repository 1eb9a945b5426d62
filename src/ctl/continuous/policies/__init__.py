"""Roll policies: one module each, of the name that `ctl.model.rolls.PolicyKind` lists.

needs: what the bars, their terms or the options must state for the policy (`Need`).
confirm: the compiled rule of `ctl.continuous.tape`: which contract a session's close speaks for.
reason: what the manifest says of a roll that the policy made.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Collection

    from ctl.model.rolls import PolicyKind, RollReason

# volume, open_interest: a bar that states it. consecutive_days: sessions in a row confirm, not one alone. anchor: the
# day of each contract that the options name. expiry: its last trade date, and the series begins on the nearest
# contract. schedule: rolls to follow. next_session: the contract is used from the session after.
Need = Literal["volume", "open_interest", "consecutive_days", "anchor", "expiry", "schedule", "next_session"]


class RollRule(Protocol):
    """A module of this folder."""

    @property
    def needs(self) -> Collection[Need]: ...
    @property
    def confirm(self) -> Any: ...
    @property
    def reason(self) -> RollReason: ...


def rule_of(kind: PolicyKind) -> RollRule:
    """The module of a roll policy."""
    return cast(RollRule, import_module(f"{__name__}.{kind}"))
