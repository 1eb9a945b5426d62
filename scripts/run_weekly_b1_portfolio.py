"""Run the weekly B1 portfolio behind the gate: the same as `ctl run`."""

import sys

from ctl.cli import script

sys.exit(script(["run", *sys.argv[1:]]))
