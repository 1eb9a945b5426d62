"""Ports for servers of the tests' own."""

from __future__ import annotations

import os
import socket

FIRST, LAST = 20_000, 32_000
"""Below the ports that the system gives out by itself: nothing else takes one before its server does."""


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    count = LAST - FIRST
    for number in range(count):
        port = FIRST + (os.getpid() * 7 + number) % count  # two workers begin far from each other
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise RuntimeError("every port is taken")
