"""A workspace of many made roots, 20 years each: locked, gated and run, and again a week later.

Every root has data of its own: quarterly contracts, and a reference that rolls a session late and settles a tick away
now and then. Each command runs from the shell; its processes count together, in seconds and in memory.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.builds import contract_bars
from benchmarks.scaling import Growth
from benchmarks.tapes import ContractPanel, contract_panel

SIZES = (20, 60, 180, 500)
MOST_EXCHANGED = 60
"""Roots up to which the references are exchanged in pairs; each is then certified twice."""
YEARS = 20
_TICK = 0.25
_NEW = 5
_END = np.datetime64("2026-02-27")

_CONFIG = """schema_version = 1
cycle_id = "roots"
profile = "profile_v1.yaml"
simulated = true
instruments = "instruments.toml"

[vendors.ours]
format = "csv"
contracts = "data/raw/ours/{root}.csv"

[vendors.theirs]
format = "csv"
adjusted = "data/raw/theirs/{root}_adjusted.csv"
unadjusted = "data/raw/theirs/{root}_unadjusted.csv"

[risk]
equity = 100_000_000.0
currency = "USD"
r_percent = 1.0
max_open_r = 1000.0
max_daily_loss_r = 1000.0
max_weekly_loss_r = 1000.0
max_monthly_loss_r = 1000.0
"""
_SYMBOL = """
[symbols.{root}]
calendar = "XNYS"
tick = 0.25
point_value = 50.0
currency = "USD"
quote_unit = "points"
canonical = "ours"
reference = "theirs"
"""
_TERMS = """schema_version = 1
[[terms.quarterly]]
last_trade = "15th bd"
first_notice = "none"
source = "made"
"""
_INSTRUMENT = """
[instruments.{root}]
name = "{root}"
exchange = "XNYS"
calendar = "XNYS"
currency = "USD"
quote_unit = "points"
tick = 0.25
point_value = 50.0
liquid_months = "HMUZ"
terms = "quarterly"
"""
_PROFILE = """schema_version: 1
cycle_id: roots
locked_date: 2026-03-01
portfolio_recommendation: GO
portfolio_scope: futures_only
gating_universe: [{roots}]
non_gating_symbols: []
policy_constraints: {{thresholds_locked: true, strategy_logic_locked: true}}
acceptance_policy: v1
symbol_settings:
"""
_SETTINGS = """  {root}:
    tick_size: 0.25
    max_day_delta: 4
    expected_status: ACCEPT
    slippage_per_side: 0.25
    quote_unit: points
    roll_policy: {{policy: volume, consecutive_days: 2, eligible_months: HMUZ}}
    reference: theirs
"""


@dataclass(frozen=True)
class Cost:
    """What one command took: seconds by the clock and of processor, of all its processes; their memory at the peak."""

    roots: int
    step: str
    wall: float
    processor: float
    peak_mib: float

    @property
    def line(self) -> str:
        """As it is printed."""
        each = self.processor / self.roots * 1e3
        return (
            f"{self.roots:>5} roots, {self.step:<20} {self.wall:7.2f} s, of processor {self.processor:7.2f} s "
            f"({each:6.1f} ms a root), {self.peak_mib:6.0f} MiB"
        )

    def document(self) -> dict[str, Any]:
        """JSON-ready fields."""
        return asdict(self)


def names(count: int) -> list[str]:
    """Roots that no exchange lists."""
    return [f"X{number // 26:02d}{chr(65 + number % 26)}" for number in range(count)]


def write(folder: Path, roots: Sequence[str]) -> None:
    """A workspace of the roots as it stood five sessions before the end of its data; the files of the end beside it."""
    (folder / "ctl.toml").write_text(_CONFIG + "".join(_SYMBOL.format(root=root) for root in roots))
    (folder / "instruments.toml").write_text(_TERMS + "".join(_INSTRUMENT.format(root=root) for root in roots))
    settings = "".join(_SETTINGS.format(root=root) for root in roots)
    (folder / "profile_v1.yaml").write_text(_PROFILE.format(roots=", ".join(roots)) + settings)
    for number, root in enumerate(roots):
        for name, data in _files(root, 1000 + number).items():
            for state, content in data.items():
                path = folder / state / "raw" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)


def week_later(folder: Path) -> None:
    """Put the files of the end in the place of those five sessions before."""
    shutil.copytree(folder / "later" / "raw", folder / "data" / "raw", dirs_exist_ok=True)


def _files(root: str, seed: int) -> dict[str, dict[str, bytes]]:
    """By file its bytes in both states, by the folder they go to."""
    import polars as pl

    from ctl import continuous
    from ctl.model.rolls import RollPolicy, ScheduledRoll

    days = _sessions()
    panel = contract_panel(YEARS, listed=4, seed=seed, trending=True, sessions=days)
    found: dict[str, dict[str, bytes]] = {}
    for state, last in (("data", days[-1 - _NEW]), ("later", days[-1])):
        bars = contract_bars(_until(panel, last))
        frame = bars.frame.with_columns(pl.col("contract").cast(pl.String).str.replace(r"^.*(...)$", root + "${1}"))
        columns = ["session", "contract", "open", "high", "low", "close", "volume", "open_interest"]
        late, noisy = (np.random.default_rng([seed, part]).random(days.size) for part in (0, 1))
        at = {day: number for number, day in enumerate(days.tolist())}
        rolls = [
            ScheduledRoll(days[at[roll.roll_date] + (late[n] < 0.1)].item(), roll.from_contract, roll.to_contract)
            for n, roll in enumerate(continuous.build(bars, RollPolicy()).rolls)
        ]
        theirs = continuous.build(bars, RollPolicy(kind="schedule", schedule=tuple(rolls))).frame
        noise = _TICK * (noisy[: theirs.height] < 0.05)
        prices = pl.col("open", "high", "low", "close")
        adjusted = theirs.with_columns(prices + pl.Series("noise", noise))
        unadjusted = adjusted.with_columns(prices - pl.col("adjustment"))
        for name, table in (
            (f"ours/{root}.csv", frame.select(columns)),
            (f"theirs/{root}_adjusted.csv", adjusted.select("session", prices, "volume")),
            (f"theirs/{root}_unadjusted.csv", unadjusted.select("session", prices, "volume")),
        ):
            found.setdefault(name, {})[state] = table.write_csv().encode()
    return found


def _until(panel: ContractPanel, last: np.datetime64) -> ContractPanel:
    kept = panel.session <= last
    return ContractPanel(*(getattr(panel, name)[kept] for name in panel.__dataclass_fields__))


@cache
def _sessions() -> Any:
    from ctl import sessions

    first = (_END - np.timedelta64(365 * YEARS, "D")).item()
    return sessions.sessions_between("XNYS", first, _END.item())


# ---------------------------------------------------------------- timing


def timed(roots: int, step: str, words: Sequence[str], folder: Path, expected: int = 0) -> Cost:
    """One command from the shell. Raises RuntimeError where it does not end with the exit code expected."""
    with tempfile.TemporaryFile() as out:
        start = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-m", "ctl", *words], cwd=folder, stdout=out, stderr=out)
        peak = _Peak(process.pid)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        reached = max(peak.finish(), used.ru_maxrss / 1024)
        if process.returncode != expected:
            out.seek(0)
            raise RuntimeError(f"ctl {' '.join(words)}: exit {process.returncode}: {out.read().decode()[-2000:]}")
    return Cost(roots, step, wall, used.ru_utime + used.ru_stime, reached)


class _Peak:
    """The most that a process and its descendants held together (their proportional share), looked at now and then."""

    def __init__(self, pid: int) -> None:
        self._pid, self._peak, self._over = pid, 0.0, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def finish(self) -> float:
        """MiB at the peak; 0 where the system does not say."""
        self._over.set()
        self._thread.join()
        return self._peak

    def _look(self) -> None:
        while not self._over.wait(0.25):
            self._peak = max(self._peak, sum(_held(pid) for pid in _family(self._pid)) / 1024)


def _family(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        try:
            found += map(int, Path(f"/proc/{one}/task/{one}/children").read_text().split())
        except OSError:
            continue
    return found


def _held(pid: int) -> int:
    """KiB."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def costs(roots: int) -> list[Cost]:
    """Lock, gate and run of so many roots, and gate and run a week later."""
    with tempfile.TemporaryDirectory(prefix="ctl-roots-") as scratch:
        folder = Path(scratch)
        write(folder, names(roots))
        found = [timed(roots, "lock", ["lock", "--reason", "first"], folder)]
        found += [timed(roots, step, [step], folder) for step in ("gate", "run")]
        found += [timed(roots, "gate, nothing new", ["gate"], folder)]
        week_later(folder)
        found += [timed(roots, f"{step}, a week later", [step], folder) for step in ("run", "gate")]
        if roots <= MOST_EXCHANGED:
            exchange(folder, names(roots))
            found.append(timed(roots, _EXCHANGED, ["gate"], folder, expected=2))
        return found


_EXCHANGED = "gate, exchanged"


def exchange(folder: Path, roots: Sequence[str]) -> None:
    """Put the reference's files of each two roots in each other's place."""
    theirs = folder / "data" / "raw" / "theirs"
    for one, other in zip(roots[::2], roots[1::2], strict=False):
        for kind in ("adjusted", "unadjusted"):
            first, second = (theirs / f"{root}_{kind}.csv" for root in (one, other))
            content = first.read_bytes()
            first.write_bytes(second.read_bytes())
            second.write_bytes(content)


@dataclass(frozen=True)
class Target:
    """What was asked for of some roots, and what was found."""

    what: str
    found: float
    most: float
    unit: str

    @property
    def line(self) -> str:
        """As it is printed."""
        met = "met" if self.found <= self.most else "MISSED"
        return f"{self.what}: {self.found:,.1f} {self.unit} (<= {self.most:g} {met})"

    def document(self) -> dict[str, Any]:
        """JSON-ready fields."""
        return asdict(self) | {"met": self.found <= self.most}


def targets(found: Sequence[Cost]) -> list[Target]:
    """Processor time a root of each size; of 500 roots the clock and the memory too."""
    by_step = {(cost.roots, cost.step): cost for cost in found}
    made = []
    for roots in dict.fromkeys(cost.roots for cost in found):
        of = {step: cost for (size, step), cost in by_step.items() if size == roots}
        spent = {step: of[step].processor / roots * 1e3 for step in of}
        made.append(Target(f"{roots} roots, gate and run after the lock", spent["run"], 50.0, "ms a root"))
        made.append(Target(f"{roots} roots, gate and run, a week later", spent["run, a week later"], 50.0, "ms a root"))
        if _EXCHANGED in of:
            reading = spent["lock"]  # every file is read there, once
            made.append(Target(f"{roots} roots, exchanged in pairs", spent[_EXCHANGED], reading, "ms a root"))
    if (500, "lock") in by_step:
        first = sum(by_step[500, step].wall for step in ("lock", "gate", "run"))
        made.append(Target("500 roots locked, certified and run", first, 30.0, "s"))
        made.append(Target("500 roots run a week later", by_step[500, "run, a week later"].wall, 5.0, "s"))
        peak = max(cost.peak_mib for cost in found if cost.roots == 500)
        made.append(Target("500 roots, memory at the peak", peak, 1024.0, "MiB"))
    return made


def grown(sizes: Sequence[int] = SIZES) -> tuple[list[Cost], list[Growth]]:
    """The costs at each size, and how the processor time of each step grows."""
    found = [cost for size in sizes for cost in costs(size)]
    steps = list(dict.fromkeys(cost.step for cost in found))
    growths = [
        Growth(
            f"{step} over roots x {YEARS} years, processor seconds",
            list(sizes),
            [cost.processor for cost in found if cost.step == step],
        )
        for step in steps
        if len(sizes) > 1 and step != _EXCHANGED
    ]
    return found, growths


def main(argv: Sequence[str]) -> None:
    """`python -m benchmarks.roots [N ...]`: the costs alone."""
    found: list[Cost] = []
    for size in map(int, argv or map(str, SIZES)):
        for cost in costs(size):
            print(cost.line, flush=True)
            found.append(cost)
    for target in targets(found):
        print(target.line)


if __name__ == "__main__":
    main(sys.argv[1:])
