"""One weekly cycle in its own process: `ops_run_driver.py FOLDER [hold]`; `hold` waits inside the run."""

from __future__ import annotations

import sys
from pathlib import Path

from ops_workspace import INSTANT, make_up, outcome

from ctl import store
from ctl.errors import CtlError
from ctl.flows.portfolio import SymbolOutcome
from ctl.model.run import PlanEntry
from ctl.ops import weekly


def hold(entry: PlanEntry) -> SymbolOutcome:
    print("running", flush=True)
    sys.stdin.readline()
    return outcome(entry)


def main() -> int:
    workspace = store.Workspace.load(Path(sys.argv[1]))
    make_up(run_symbol=hold if "hold" in sys.argv else outcome)
    try:
        return weekly.run_weekly(workspace, weekly.WeeklyOptions(), instant=INSTANT).log.exit_code
    except CtlError as error:
        print(error, file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
