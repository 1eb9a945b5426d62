"""Run the weekly B1 portfolio behind the gate: the same as `ctl run`."""

import sys

from ctl.cli import main

sys.exit(main(["run", *sys.argv[1:]]))
