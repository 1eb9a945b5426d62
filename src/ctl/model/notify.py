"""Where notifications go. Apart from what is notified, because every command's arguments name it."""

from __future__ import annotations

from typing import Literal

# Each but `none` is the module of that name in ctl/channels. Every other list follows this one.
NotifyMode = Literal["none", "stdout", "webhook", "apprise"]
