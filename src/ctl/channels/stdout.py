"""The text on the run's own output: beside `--json` that is stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ctl.model.notifications import DeliveryResult, Message, Route, outcome

if TYPE_CHECKING:
    from ctl.model.notify import NotifyMode

name: Final[NotifyMode] = "stdout"
durable: Final = False


def deliver(message: Message, route: Route) -> DeliveryResult:
    """Print the message's text to `route.stream`."""
    if route.stream is None:
        return outcome(message, name, delivered=False, attempts=0, error="no stream to print to")
    print(message.text, file=route.stream, flush=True)
    return outcome(message, name, delivered=True, attempts=1)
