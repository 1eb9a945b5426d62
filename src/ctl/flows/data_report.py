"""What the files of a workspace hold, from when to when, how fresh; and what of them is amiss."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from ctl import sessions
from ctl.errors import CtlError, DecisionLogError, ProfileError
from ctl.flows import portfolio
from ctl.flows.inputs import OWN_INSTRUMENTS, SymbolFiles
from ctl.model.bars import ContractBars, DailySeries
from ctl.model.data_report import DataPart, DataProblem, DataReport, DoctorFinding, DoctorReport, Part, Role, SymbolData
from ctl.model.findings import counted
from ctl.store import decision_log
from ctl.trading.risk import NO_RATE

if TYPE_CHECKING:
    from ctl.model.orders import RiskTerms
    from ctl.model.reference import Reference
    from ctl.store import SymbolConfig, Workspace

USUAL_STALENESS: Final = 5
"""Sessions that data may be behind where the profile says nothing."""

_A_WEEK: Final = (date(2024, 1, 8), date(2024, 1, 12))
"""Any week that every calendar covers."""

_UNFINISHED: Final = ("UNFINISHED_SESSION", "THIN_LAST_SESSION")


def report(workspace: Workspace, symbols: Sequence[str], instant: datetime) -> DataReport:
    """Every part of the data of these symbols, read; what cannot be is named in its place.

    Sessions are counted behind to the day before `instant`; in a simulated market, whose time stands still, to the
    newest session that any file of the workspace has.
    """
    found = [_symbol(workspace, symbol, instant) for symbol in symbols]
    newest: date | None = instant.date() - timedelta(days=1)
    if workspace.simulated:
        newest = max((part.last for each in found for part in each.parts if part.last is not None), default=None)
    return DataReport(instant, workspace.simulated, newest, tuple(_aged(each, newest) for each in found))


def _symbol(workspace: Workspace, symbol: str, instant: datetime) -> SymbolData:
    config = workspace.symbol(symbol)
    parts = tuple(_parts(workspace, symbol, instant))
    return SymbolData(symbol, config.asset_class, config.calendar, parts)


def _parts(workspace: Workspace, symbol: str, instant: datetime) -> Iterator[DataPart]:
    config = workspace.symbol(symbol)
    future = config.asset_class == "future"
    try:
        files = SymbolFiles(workspace, config, instant)
    except CtlError as error:
        yield DataPart("canonical", config.canonical, "contracts", problem=_problem(error))
        return
    yield _part("canonical", config.canonical, "contracts" if future else "series",
                files.contracts if future else files.equity)  # fmt: skip
    if future:
        for part, read in (("statistics", files.settlements), ("intraday", files.session_bars)):
            found = read()
            if found is not None and not _absent(found):
                yield _of(DataPart("canonical", config.canonical, part), found)  # type: ignore[arg-type]
    for name in config.references:
        yield from _reference(files, name, contracts=future)


def _reference(files: SymbolFiles, name: str, *, contracts: bool) -> Iterator[DataPart]:
    try:
        vendor = files.vendor_of_reference(name)
        found: Reference = files.reference(vendor)
    except CtlError as error:
        yield DataPart("reference", name, "series", problem=_problem(error))
        return
    if found.adjusted is not None:
        yield _of(DataPart("reference", name, "adjusted"), found.adjusted)
    if found.unadjusted is not None:
        yield _of(DataPart("reference", name, "unadjusted"), found.unadjusted)
    bars = files.reference_contracts(vendor) if contracts else None
    if bars is not None and not _absent(bars):
        yield _of(DataPart("reference", name, "contracts"), bars)


def _absent(found: ContractBars | CtlError) -> bool:
    """Whether a vendor has none of what only informs: nothing is missing then."""
    return isinstance(found, CtlError) and found.code == "INPUT_MISSING"


def _part(role: Role, vendor: str, part: Part, read: Callable[[], ContractBars | DailySeries]) -> DataPart:
    empty = DataPart(role, vendor, part)
    try:
        return _of(empty, read())
    except CtlError as error:
        return replace(empty, problem=_problem(error))


def _problem(error: CtlError) -> DataProblem:
    return DataProblem(error.code, str(error))


def _of(empty: DataPart, found: ContractBars | DailySeries | CtlError) -> DataPart:
    if isinstance(found, CtlError):
        return replace(empty, problem=_problem(found))
    days, meta = found.frame["session"], found.meta
    first, last = days.min(), days.max()
    return replace(
        empty,
        first=first if isinstance(first, date) else None,
        last=last if isinstance(last, date) else None,
        sessions=days.n_unique(),
        contracts=len(found.contracts) if isinstance(found, ContractBars) else None,
        session_basis=meta.session_basis,
        close_basis=meta.close_basis,
        adjustment_basis=meta.adjustment_basis,
        quote_unit=meta.quote_unit,
        files=meta.sources,
        counts=dict(meta.counts),
        notes=meta.notes,
        lacking=meta.lacking,
    )


def _aged(each: SymbolData, newest: date | None) -> SymbolData:
    def behind(last: date | None) -> int | None:
        if last is None or newest is None:
            return None
        if last >= newest:
            return 0
        try:
            return sessions.count_between(each.calendar, last + timedelta(days=1), newest)
        except CtlError:  # a calendar that does not reach there, or none: days of the week say it well enough
            return sum((last + timedelta(days=day)).weekday() < 5 for day in range(1, (newest - last).days + 1))

    return replace(each, parts=tuple(replace(part, behind=behind(part.last)) for part in each.parts))


# ---------------------------------------------------------------- doctor


def doctor(workspace: Workspace, symbols: Sequence[str], instant: datetime) -> DoctorReport:
    """What is missing, stale, unfinished or unreadable, per symbol, with the command that mends it."""
    found = report(workspace, symbols, instant)
    findings: list[DoctorFinding] = []
    ok: list[str] = []
    limit = USUAL_STALENESS
    if not os.path.lexists(workspace.profile_path):
        text = f"{workspace.relative(workspace.profile_path)} is not there"
        findings.append(DoctorFinding("mend", "profile", "PROFILE_MISSING", text, "ctl init"))
    else:
        try:
            profile = portfolio.read_profile(workspace)
            chosen = profile.max_staleness_sessions
            limit = USUAL_STALENESS if chosen == "none" else chosen
            ok.append("profile")
        except ProfileError as error:
            findings.append(DoctorFinding("mend", "profile", error.code, str(error), None))
    if os.path.lexists(workspace.decision_log):
        try:
            decision_log.require_whole(workspace)
            ok.append("decision log")
        except DecisionLogError as error:
            findings.append(DoctorFinding("mend", "decision log", error.code, str(error), "ctl verify"))
    own = workspace.root / OWN_INSTRUMENTS
    if workspace.instruments is None and own.exists():
        text = f'{own.name} is not used: ctl.toml does not name it (instruments = "{own.name}")'
        findings.append(DoctorFinding("know", "ctl.toml", "NOT_USED", text, None))
    read = 0
    for each in found.symbols:
        read += sum(len(part.files) for part in each.parts)
        findings += _of_symbol(workspace, each, limit, instant)
    ok += [counted(read, "file"), "calendars"]
    order = {"mend": 0, "know": 1}
    return DoctorReport(
        instant, workspace.simulated, tuple(sorted(findings, key=lambda item: order[item.level])), tuple(ok)
    )


def no_rate(config: SymbolConfig, risk: RiskTerms) -> str:
    """Why nothing of a symbol is ever entered: its currency cannot be turned into the budget's. Empty where it can."""
    if risk.rate(config.currency) is not None:
        return ""
    return f"{config.currency} has no rate into {risk.currency} under [risk.rates]: nothing is ever entered"


def _of_symbol(workspace: Workspace, each: SymbolData, limit: int, instant: datetime) -> Iterator[DoctorFinding]:
    config = workspace.symbol(each.symbol)
    if not config.references:
        yield DoctorFinding("know", each.symbol, "REFERENCE_MISSING", "no reference: it cannot be certified", None)
    if workspace.risk is not None and (text := no_rate(config, workspace.risk)):
        yield DoctorFinding("mend", each.symbol, NO_RATE, text, None)
    try:
        if each.calendar != "none":
            sessions.sessions_between(each.calendar, _A_WEEK[0], _A_WEEK[1])
    except CtlError as error:
        yield DoctorFinding("mend", each.symbol, error.code, str(error), None)
    for part in each.parts:
        bought = part.role == "canonical" and workspace.vendors[part.vendor].format == "databento"
        fetch = f"ctl fetch {each.symbol}" if bought else None
        where = f"{part.part} of {part.vendor}"
        if part.problem is not None:
            needed = part.part not in ("statistics", "intraday") and not (
                part.role == "reference" and part.part == "contracts"
            )
            command = fetch if part.problem.code == "INPUT_MISSING" else None
            yield DoctorFinding("mend" if needed else "know", each.symbol, part.problem.code,
                                part.problem.text, command)  # fmt: skip
            continue
        if part.behind is not None and part.behind > limit:
            text = f"{where} ends {part.last}, {counted(part.behind, 'session')} behind"
            yield DoctorFinding("mend", each.symbol, "STALE_INPUT", text, fetch)
        lost = [session for session in part.lacking if session.over <= instant]
        for session in lost:
            text = f"{where}: {session.session}, over since {session.over:%Y-%m-%d %H:%M} UTC: {session.text}"
            yield DoctorFinding("mend", each.symbol, session.code, text, fetch)
        for note in () if lost else part.notes:
            code = next((code for code in _UNFINISHED if note.startswith(code)), None)
            if code is not None:
                yield DoctorFinding("know", each.symbol, code, f"{where}: {note.partition(': ')[2]}", None)
