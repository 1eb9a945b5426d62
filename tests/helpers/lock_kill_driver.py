"""Kills `lock` at every system call that changes the disk, and locks again.

Run as a program: `lock_kill_driver.py FOLDER MODE STEP`; one JSON line per STEP-th call. Each lock runs in a
forked child. What the data derive is made up, so that a lock costs no more than its writes: ES is promoted.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
from ops_kill_driver import die_at, forked
from ops_workspace import CURRENT, certificate, lock_of, make_workspace

from ctl import digests, gatekeeper, store
from ctl import operating_profile as op
from ctl.flows import lock, lock_parts, locked_past, portfolio
from ctl.model.bars import AS_DELIVERED
from ctl.model.findings import Decision
from ctl.model.lock_file import LockedInputs, LockedSide, LockFile
from ctl.store import anchors, decision_log
from ctl.store.files import TEMPORARY

INSTANT = datetime(2026, 3, 9, 5, 0, 7, tzinfo=UTC)
NEXT_WEEK = INSTANT + timedelta(weeks=1)
DERIVED: dict[str, Decision] = {"ES": "ACCEPT", "CL": "ACCEPT", "PL": "WATCH"}
PRICES = {name: [1.0] for name in ("open", "high", "low", "close")}
BARS = pl.DataFrame({"session": [date(2026, 3, 6)], **PRICES, "volume": [1], "open_interest": [1]})
META = SimpleNamespace(vendor="databento", sources=())
INPUTS = SimpleNamespace(
    bars=BARS, contracts=SimpleNamespace(meta=META, frame=BARS), equity=None, reference=None, series=AS_DELIVERED,
    vendor_name="databento",
)  # fmt: skip


def certify_gating() -> portfolio.CertifiedSymbols:
    """Certificates that are given."""
    certified: Any = {
        symbol: SimpleNamespace(
            certificate=certificate(symbol, status),
            inputs=SimpleNamespace(symbol=symbol, **vars(INPUTS)),
            terms=None,
        )
        for symbol, status in DERIVED.items()
    }
    return portfolio.CertifiedSymbols(certified, {})


def gate(
    _: store.Workspace,
    profile: op.OperatingProfile,
    *,
    instant: datetime,
    locked: gatekeeper.LockRead,
    also: portfolio.Also,
    **__: Any,
) -> portfolio.Gated:
    """The gate on the certificates that are given."""
    certified = certify_gating()
    certificates = {symbol: made.certificate for symbol, made in certified.certified.items()}
    decision = gatekeeper.decide(profile, locked, current=CURRENT, certificates=certificates, instant=instant)
    held = {} if locked.lock is None else locked.lock.inputs
    made: Any = certified.certified
    parts = {
        symbol: also(each, SimpleNamespace(inputs=held[symbol]) if symbol in held else None)  # type: ignore[arg-type]
        for symbol, each in made.items()
    }
    return portfolio.Gated(decision, made, also=parts)


def derive(_: store.Workspace, profile: op.OperatingProfile, *__: Any, previous_head: str | None) -> LockFile:
    inputs = {
        symbol: LockedInputs(
            LockedSide({f"{symbol}.csv": "5" * 64}, "7" * 64, op.session_ranges(BARS, symbol=symbol)), {}
        )
        for symbol in DERIVED
    }
    return replace(lock_of(profile, previous_head=previous_head), inputs=inputs)


def lock_workspace(folder: Path, instant: datetime) -> int:
    portfolio.gate = gate  # type: ignore[assignment]
    lock._require_passing = lambda planned, *_: portfolio.Gated(planned.decision, {})
    locked_past.certified_again = lambda *_, **__: None  # type: ignore[assignment,return-value]
    lock_parts.derive = derive
    lock_parts.inputs_of = lambda held: None  # type: ignore[assignment,return-value]
    lock_parts.raw_files = lambda held: {"new.csv": "6" * 64}
    workspace = store.Workspace.load(folder)
    with store.RunLock(workspace.lock_path, instant=instant, purpose="ctl lock"):
        lock.lock(workspace, reason="the vendor mended ES", instant=instant)
    return 0


def locked_by_an_entry(workspace: store.Workspace) -> None:
    """The first version, recorded as a lock records it."""
    profile = op.load(workspace.profile_path.read_bytes(), workspace.relative(workspace.profile_path))
    lock_file = anchors.lock_path(workspace.profile_path)
    decision_log.append(
        workspace,
        decision_log.Decision(
            decision="the first of its cycle",
            profiles=[decision_log.ProfileCitation(path=profile.name, version=profile.version, digest=profile.sha256)],
            lock=decision_log.LockCitation(
                path=workspace.relative(lock_file), digest=digests.sha256_bytes(lock_file.read_bytes())
            ),
        ),
    )


def state(folder: Path) -> dict[str, Any]:
    """What lies in the workspace; raises where a file cannot be read or a citation does not hold."""
    workspace = store.Workspace.load(folder)
    data = workspace.profile_path.read_bytes()
    profile = op.load(data, workspace.relative(workspace.profile_path))
    verified = anchors.verify(workspace)
    entries = decision_log.read(workspace)
    cited = {citation.path: citation.digest for entry in entries for citation in entry.profiles}
    if profile.version != 1:
        assert cited[workspace.relative(workspace.profile_path)] == profile.sha256
        for symbol, sha256 in entries[-1].certificates.items():
            bars = workspace.locked_bars(symbol, "contracts").read_bytes()
            assert bars[:4] == bars[-4:] == b"PAR1"  # by its bytes: polars must not have run in a process that forks
            kept = (workspace.locked_folder / f"{symbol}_certificate.json").read_bytes()
            assert digests.sha256_bytes(kept) == sha256
    return {
        "in_force": profile.version,
        "statuses": [profile.symbol_settings[symbol].expected_status for symbol in profile.gating_universe],
        "profiles": {
            path.name: digests.sha256_bytes(path.read_bytes())
            for path in sorted(workspace.profile_path.parent.glob("*.yaml"))
        },
        "taken": len({path.name.partition(".")[0] for path in workspace.profile_path.parent.glob("operating_*")}),
        "entries": [[entry.id, entry.profiles[-1].version] for entry in entries],
        "problems": [problem.code for problem in verified.problems],
        "notes": len(verified.notes),
        # what the gate itself finds wrong with the lock: it must find nothing, for the next run to go on
        "refused": [item.code for item in lock_parts.read_lock(workspace, profile, instant=NEXT_WEEK).problems],
        "temporary": [path.name for path in folder.rglob("*") if TEMPORARY.fullmatch(path.name)],
    }


def main() -> None:
    folder, mode = Path(sys.argv[1]), sys.argv[2]
    for number in range(1, 1000, int(sys.argv[3])):
        here = folder / str(number)
        here.mkdir()
        locked_by_an_entry(make_workspace(here))

        def killed(here: Path = here, number: int = number) -> int:
            count = die_at(number, mode)
            code = lock_workspace(here, INSTANT)
            return 100 if code == 0 and count() < number else 98

        line: dict[str, Any] = {"number": number, "before": state(here)}
        line["code"] = forked(killed)
        line["after"] = state(here)
        later = here.with_name(f"{number}_later")
        shutil.copytree(here, later)
        line["again"] = [forked(lambda here=here: lock_workspace(here, INSTANT)), state(here)]  # type: ignore[misc]
        line["later"] = [forked(lambda later=later: lock_workspace(later, NEXT_WEEK)), state(later)]  # type: ignore[misc]
        print(json.dumps(line), flush=True)
        shutil.rmtree(here)
        shutil.rmtree(later)
        if line["code"] != -9:  # it ran to its end, or failed
            return


if __name__ == "__main__":
    main()
