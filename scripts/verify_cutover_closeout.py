"""Derive every claim of the cycle's closeout anew: the same as `ctl closeout --verify`."""

import sys

from ctl.cli import script

sys.exit(script(["closeout", "--verify", *sys.argv[1:]]))
