"""Donchian breakout for ctl: bars in, trades out."""

from ctl_donchian.strategy import Donchian

__all__ = ["Donchian"]
