"""Run the weekly cycle: retention, gate, run, ops log, notification: the same as `ctl ops`."""

import sys

from ctl.cli import main

sys.exit(main(["ops", *sys.argv[1:]]))
