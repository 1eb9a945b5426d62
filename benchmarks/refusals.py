"""False refusals of the ratchet: every week a lock, held against each of the 52 weeks that follow it.

Two markets: the simulated one of a workspace (`python -m benchmarks.refusals WORKSPACE`), and, where the shared data
stand beside the checkout, four real roots of two vendors. Nothing in either is damaged, so every refusal is false.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from ctl import ingest, store
from ctl.certification.recovery.reference import recover
from ctl.certification.recovery.schedule import reference_schedule
from ctl.flows import pipeline, portfolio
from ctl.flows.inputs import ReadOnce, SymbolInputs, inputs_up_to
from ctl.flows.terms import CertifyTerms
from ctl.model.locked import LockedSymbol, Watched
from ctl.model.rolls import RollPolicy
from ctl.since_lock import ratchet

SHARED: Final = Path(__file__).resolve().parents[2] / "shared" / "data"
PAIRS: Final = {"C": ("corn", 0.25), "HG": ("copper", 0.05), "HO": ("heating_oil", 0.01), "S": ("soybean", 0.25)}
"""File of the settlements, and tick."""
WEEKS: Final = 52
LOCK_WEEKS: Final = 104


def main(arguments: list[str]) -> None:
    """Print, per root, how many locks hold for 52 weeks, and what refused the others."""
    sources = [*(_simulated(Path(arguments[0])) if arguments else ()), *_real()]
    for name, held, terms in sources:
        locks, holding, refused = replayed(held, terms)
        share = 100 * holding / locks if locks else 0.0
        print(f"{name:<24} {locks:>4} locks  {holding:>4} hold {WEEKS} weeks  {share:5.1f} %  {dict(refused)}")


def replayed(held: SymbolInputs, terms: CertifyTerms) -> tuple[int, int, Counter[str]]:
    """Locks that can be made, those that hold, and the codes that refused the others first."""
    newest = min(day for day in (held.bars["session"].max(), _reference_end(held)) if isinstance(day, date))
    days = [newest - timedelta(days=7 * back) for back in range(LOCK_WEEKS + WEEKS, -1, -1)]
    seen = {day: pipeline.watch_symbol(inputs_up_to(held, day), terms) for day in days}
    locks, holding, refused = 0, 0, Counter[str]()
    for at, day in enumerate(days[:-WEEKS]):
        locked = seen[day].symbol
        if locked.decision not in ("ACCEPT", "WATCH"):
            continue
        locks += 1
        later = (_refusal(locked, seen[week], held, terms) for week in days[at + 1 : at + 1 + WEEKS])
        code = next(filter(None, later), "")
        holding += not code
        refused[code] += bool(code)
    return locks, holding, +refused


def _refusal(locked: LockedSymbol, now: Watched, held: SymbolInputs, terms: CertifyTerms) -> str:
    def before(day: date) -> LockedSymbol:
        return pipeline.watch_symbol(inputs_up_to(held, day - timedelta(days=1)), terms).symbol

    # Undamaged locked sessions certify as they were locked.
    judged = ratchet.judge(locked.decision, locked, now, history=locked, ratchet=1.0, cut_before=before)
    return "" if judged.passed else judged.reasons[0].code


def _reference_end(held: SymbolInputs) -> date | None:
    return None if held.reference is None else held.reference.last_session


def _simulated(folder: Path) -> Iterator[tuple[str, SymbolInputs, CertifyTerms]]:
    workspace = store.Workspace.load(folder)
    profile, files = portfolio.read_profile(workspace), ReadOnce(workspace)
    for symbol in profile.gating_universe:
        made = portfolio.certify_symbol(workspace, symbol, profile.symbol_settings[symbol], files=files)
        yield f"{symbol} (simulated)", _plain(made.inputs), made.terms


def _plain(held: SymbolInputs) -> SymbolInputs:
    return replace(held, settlements=None, session_bars=None)


def _real() -> Iterator[tuple[str, SymbolInputs, CertifyTerms]]:
    if not SHARED.is_dir():
        return
    instruments = ingest.load_instruments()
    for root, (name, tick) in PAIRS.items():
        contracts = ingest.read_contracts(
            [SHARED / "contracts" / "bloomberg_settles" / f"{name}.csv"], root, instruments=instruments,
            mapping=ingest.named_mapping("bloomberg_settles"),
        )  # fmt: skip
        reference = ingest.read_reference(
            symbol=root, adjusted=None, unadjusted=SHARED / "continuous" / "quantiacs" / f"F_{root}.txt",
            instruments=instruments, mapping=ingest.named_mapping("quantiacs"),
        )  # fmt: skip
        terms = CertifyTerms(tick=tick, max_day_delta=3, quote_unit="vendor units", calendar=None)
        # By our own rule these pairs are REJECT (other roll rules); on the reference's rolls they certify.
        schedule = reference_schedule(recover(contracts, reference, tick=tick, max_day_delta=terms.max_day_delta))
        policy = RollPolicy(kind="schedule", schedule=schedule)
        yield f"{root} (two vendors)", SymbolInputs(root, root, contracts, None, reference, policy), terms


if __name__ == "__main__":
    main(sys.argv[1:])
