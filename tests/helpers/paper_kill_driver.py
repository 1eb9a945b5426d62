"""Settles a workspace's ledger up to a session, and dies by SIGKILL at one step of the writing.

Arguments: workspace, session, `before` or `after` the rename that puts the ledger in place, or `never`.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import date
from pathlib import Path

from paper_replay import settle_to

from ctl.store import Workspace


def main(folder: str, session: str, when: str) -> None:
    rename = os.replace

    def killing(source: str | Path, target: str | Path) -> None:
        ours = Path(target).name == "ledger.jsonl"
        if ours and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        rename(source, target)
        if ours and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace = killing  # type: ignore[assignment]
    settle_to(Workspace.load(Path(folder)), [date.fromisoformat(session)], symbols=("ES",))


if __name__ == "__main__":
    main(*sys.argv[1:])
