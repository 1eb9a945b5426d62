"""The strategies that can be run by name: B1, which ships with ctl, and those of installed packages.

A package offers one through the entry-point group `ctl.strategies` (docs/extending/strategy.md); one that
ships is a line of SHIPPED. Only the strategy asked for is imported.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Final

from ctl import stopping
from ctl.errors import ProfileError
from ctl.strategy.behaviour import behavioural_fingerprint

if TYPE_CHECKING:
    from ctl.strategy.protocol import Strategy

GROUP: Final = "ctl.strategies"
DEFAULT: Final = "b1"  # of a profile without the key `strategy`
# Those that come with ctl: name, and where its object stands.
SHIPPED: Final = (("b1", "ctl.strategy.b1.strategy:REGISTERED"),)


def installed() -> tuple[str, ...]:
    """Names of every strategy that can be run, the shipped ones first."""
    shipped = tuple(name for name, _ in SHIPPED)
    return (*shipped, *sorted({entry.name for entry in _offered()} - set(shipped)))


def find(name: str) -> Strategy:
    """The strategy of that name; a shipped one's name is always its own, whatever a package calls its strategy.

    Raises ProfileError (the gate refuses) where none or more than one package offers it, where it cannot be
    imported, or where it is no strategy.
    """
    offered = [EntryPoint(*line, GROUP) for line in SHIPPED if line[0] == name]
    offered = offered or [entry for entry in _offered() if entry.name == name]
    if not offered:
        raise ProfileError(
            f"strategy {name!r} is not installed; installed: {', '.join(installed())}", code="STRATEGY_UNKNOWN"
        )
    homes = sorted({entry.value for entry in offered})
    if len(homes) > 1:
        raise ProfileError(f"strategy {name!r} is offered by several packages: {', '.join(homes)}", code=_UNUSABLE)
    try:
        found = offered[0].load()
        strategy: Strategy = found() if isinstance(found, type) else found
        offers = strategy.name == name and all(callable(getattr(strategy, part)) for part in _METHODS)
    except Exception as error:  # whatever a package does while it is imported, the gate refuses in one line
        stopping.check()
        text = " ".join(str(error).split()) or "no message"
        raise ProfileError(
            f"strategy {name!r} ({homes[0]}) cannot be used: {type(error).__name__}: {text}", code=_UNUSABLE
        ) from error
    if not offers:
        raise ProfileError(
            f"strategy {name!r} ({homes[0]}) is none: it must be named {name!r} and have {', '.join(_METHODS)}",
            code=_UNUSABLE,
        )
    return strategy


def offered(name: str) -> EntryPoint | None:
    """The entry point of a package that offers the strategy; None of one that ships with ctl."""
    if any(line[0] == name for line in SHIPPED):
        return None
    return next((entry for entry in _offered() if entry.name == name), None)


def fingerprint(strategy: Strategy) -> str:
    """What the strategy does on the packaged tape, as one digest. Raises ProfileError where it cannot be run on it."""
    try:
        return behavioural_fingerprint(strategy)
    except Exception as error:  # as above: a package's failure is a refusal
        text = " ".join(str(error).split()) or "no message"
        raise ProfileError(
            f"strategy {strategy.name!r} cannot be run on the packaged tape: {type(error).__name__}: {text}",
            code=_UNUSABLE,
        ) from error


_METHODS: Final = ("run", "configured")
_UNUSABLE: Final = "STRATEGY_UNUSABLE"


def _offered() -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=GROUP))
