"""The text on the run's own output, wrapped where that is a terminal: beside `--json` it is stderr."""

from __future__ import annotations

import shutil
import textwrap
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
    lines = message.text.splitlines()
    if route.stream.isatty():
        width = shutil.get_terminal_size().columns
        lines = [
            part
            for line in lines
            for part in textwrap.wrap(
                line, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
            )
        ]
    print(*lines, sep="\n", file=route.stream, flush=True)
    return outcome(message, name, delivered=True, attempts=1)
