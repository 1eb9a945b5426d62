"""Run the weekly cycle: gate, run, ops log, notification, retention: the same as `ctl ops`."""

import sys

from ctl.cli import script

sys.exit(script(["ops", *sys.argv[1:]]))
