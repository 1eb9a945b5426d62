"""What the notifier and its channels exchange: a message, where it may go, and how its delivery went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TextIO

from ctl.digests import digest
from ctl.model.notify import NotifyMode
from ctl.model.run import Level, Notification

Kind = Literal["success", "symbol_failure", "restated", "gate_failure", "runner_error", "stopped", "not_started"]


@dataclass(frozen=True, slots=True)
class Message:
    """One notification. `meta` is JSON-ready and goes into the webhook's payload as it is."""

    kind: Kind
    level: Level
    text: str
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt to deliver this message, and for no other message."""
        return digest({"kind": self.kind, "text": self.text, "meta": dict(self.meta)})[:32]


@dataclass(frozen=True, slots=True)
class DeliveryLimits:
    """Bounds of one delivery, in seconds and attempts. `total` holds whatever the server does."""

    attempts: int = 4
    connect: float = 3.0
    read: float = 5.0
    total: float = 15.0
    backoff_first: float = 0.25
    backoff_most: float = 4.0
    retry_after_most: float = 8.0


@dataclass(frozen=True, slots=True)
class Route:
    """What a run gives to whatever channel it uses. url: of a webhook, urls: of Apprise, secrets both; stream: where
    text is printed. served: the destinations, as they are shown, that have had the message.
    """

    url: str | None = field(default=None, repr=False)
    urls: tuple[str, ...] = field(default=(), repr=False)
    stream: TextIO | None = None
    limits: DeliveryLimits = DeliveryLimits()
    served: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """How a notification went. `target` shows host and short digest only; `error` is None where delivered.

    permanent: not delivered, and trying again would not help. served: the destinations that took it.
    """

    mode: NotifyMode
    level: Level
    text: str
    delivered: bool
    attempts: int
    target: str | None
    error: str | None
    idempotency_key: str
    permanent: bool = False
    served: tuple[str, ...] = ()

    @property
    def record(self) -> Notification:
        """What is published of it."""
        return Notification(
            self.mode,
            self.level,
            self.text,
            self.delivered,
            self.attempts,
            self.target,
            self.error,
            self.idempotency_key,
        )


def outcome(
    message: Message,
    mode: NotifyMode,
    *,
    delivered: bool,
    attempts: int,
    target: str | None = None,
    error: str | None = None,
    permanent: bool = False,
    served: tuple[str, ...] = (),
) -> DeliveryResult:
    """The result of delivering a message, or of not trying to."""
    return DeliveryResult(
        mode,
        message.level,
        message.text,
        delivered,
        attempts,
        target,
        error,
        message.idempotency_key,
        permanent,
        served,
    )
