"""Check the operating profile against the data now on disk: the same as `ctl gate`."""

import sys

from ctl.cli import main

sys.exit(main(["gate", *sys.argv[1:]]))
