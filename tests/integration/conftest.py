"""Fixtures of the integration tests alone."""

from __future__ import annotations

import pytest
from ops_workspace import MadeUp, make_up

from ctl.flows import portfolio


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> MadeUp:
    """Made-up gate and strategy for one test; call it to have them say something else."""
    for name in ("gate", "run_symbol"):
        monkeypatch.setattr(portfolio, name, getattr(portfolio, name))  # so that the real ones come back
    make_up()
    return make_up
