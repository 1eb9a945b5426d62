"""One weekly cycle in its own process: `ops_run_driver.py FOLDER [hold]`; `hold` waits inside the run."""

from __future__ import annotations

import sys
from pathlib import Path

from ops_workspace import INSTANT, make_steps, outcome

from ctl import run_orchestrator, store
from ctl.errors import CtlError
from ctl.model.run import SymbolOutcome
from ctl.ops import weekly


def hold(entry: run_orchestrator.PlanEntry) -> SymbolOutcome:
    print("running", flush=True)
    sys.stdin.readline()
    return outcome(entry)


def main() -> int:
    workspace = store.Workspace.load(Path(sys.argv[1]))
    steps = make_steps(workspace, run_symbol=hold if "hold" in sys.argv else outcome)
    try:
        return weekly.run_weekly(workspace, steps, weekly.WeeklyOptions(), instant=INSTANT).exit_code
    except CtlError as error:
        print(error, file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
