"""Check the operating profile against the data now on disk: the same as `ctl gate`."""

import sys

from ctl.cli import script

sys.exit(script(["gate", *sys.argv[1:]]))
