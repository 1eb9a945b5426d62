"""The adjustment basis of an equity's prices: what it is, and how two vendors' come onto one. Pure."""

from ctl.equity_basis.alignment import Alignment, align
from ctl.equity_basis.conversion import BASES, FORMULAS, Formula, convert
from ctl.equity_basis.inference import Inference, compare, infer
from ctl.equity_basis.splits import Jump, split_jumps, traded

__all__ = [
    "BASES",
    "FORMULAS",
    "Alignment",
    "Formula",
    "Inference",
    "Jump",
    "align",
    "compare",
    "convert",
    "infer",
    "split_jumps",
    "traded",
]
