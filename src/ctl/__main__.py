"""`python -m ctl`: the same as `ctl`."""

import sys

from ctl.cli import script

sys.exit(script())
