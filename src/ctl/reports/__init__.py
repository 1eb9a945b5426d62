"""HTML from the model's types: one self-contained page of a workspace, a certificate or a backtest."""

from ctl.reports.page import page, policy
from ctl.reports.state import PastRun, Report, SymbolState

__all__ = ["PastRun", "Report", "SymbolState", "page", "policy"]
