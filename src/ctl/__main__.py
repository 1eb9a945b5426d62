"""`python -m ctl`: the same as `ctl`."""

import sys

from ctl.cli import main

sys.exit(main())
