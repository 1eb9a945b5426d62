"""Notification channels: one module each, of the name that `ctl.model.notify.NotifyMode` lists.

name: the channel's own name, as results and documents carry it.
durable: whether a message waits in the outbox until it is delivered, so that a later run can try again.
deliver: sends one message. What it raises becomes an undelivered result; it never ends a run.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from ctl.model.notifications import DeliveryResult, Message, Route
    from ctl.model.notify import NotifyMode


class Channel(Protocol):
    """A module of this folder."""

    @property
    def name(self) -> NotifyMode: ...
    @property
    def durable(self) -> bool: ...
    def deliver(self, message: Message, route: Route) -> DeliveryResult: ...


def channel_of(mode: NotifyMode) -> Channel | None:
    """The module of a mode; None for `none`."""
    return None if mode == "none" else cast(Channel, import_module(f"{__name__}.{mode}"))


def is_durable(mode: NotifyMode) -> bool:
    """Whether messages of a mode wait in the outbox until they are delivered."""
    channel = channel_of(mode)
    return channel is not None and channel.durable
