"""Chain and document of a decision log alone, without what else is held against them."""

from __future__ import annotations

from dataclasses import dataclass

from ctl import store
from ctl.store import decision_log


@dataclass(frozen=True)
class Chain:
    """The whole entries before the first broken one, what is wrong, and what is only unfinished."""

    entries: int
    head: str | None
    problems: list[decision_log.Problem]
    notes: list[str]

    @property
    def verified(self) -> bool:
        return not self.problems


def chain_of(workspace: store.Workspace) -> Chain:
    """What chain and document say."""
    entries, problems, notes = decision_log.examined(workspace)
    return Chain(len(entries), entries[-1].sha256 if entries else None, problems, notes)
