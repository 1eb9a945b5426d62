"""Run the weekly cycle: retention, gate, run, ops log, notification: the same as `ctl ops`."""

import sys

from ctl.cli import script

sys.exit(script(["ops", *sys.argv[1:]]))
