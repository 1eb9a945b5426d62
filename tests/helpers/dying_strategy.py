"""A strategy that kills the process it is run in, once, unless that is the one it was made in."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctl.strategy.b1.strategy import B1


@dataclass(frozen=True)
class DiesOnce:
    """B1 but for its death. home: the process that is spared; mark: made by the first that dies."""

    home: int
    mark: Path

    name = "b1"

    def configured(self, overrides: Mapping[str, Any], **_options: Any) -> DiesOnce:
        return self

    def run(self, *arguments: Any, **options: Any) -> Any:
        if os.getpid() != self.home and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return B1().run(*arguments, **options)
