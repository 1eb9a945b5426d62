"""The operating profile: the machine-readable lock of a cycle, read strictly from bytes.

`load` reports every problem of a profile in one go, each as `file:line: key: found X; expected Y`.
`settings_digest` is the digest of everything the profile says but its `lock`; `with_lock` writes a
lock into the text of a profile without touching its comments. Pure: no file, clock or network.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ctl import digests, strict_files
from ctl.errors import ProfileError
from ctl.model.names import SAFE_NAME_TEXT, is_safe_name
from ctl.model.recommendation import recommend
from ctl.model.rolls import Adjustment, CalendarAnchor, PolicyKind, RollPolicy, Timing
from ctl.strict_files import YamlProblem, YamlTree, dotted

if TYPE_CHECKING:
    import polars as pl

    from ctl.model.findings import Recommendation

ExpectedStatus = Literal["ACCEPT", "WATCH"]
AcceptancePolicy = Literal["v1", "v2"]
AssetClass = Literal["future", "equity"]
if TYPE_CHECKING:
    ProfilePolicyKind = PolicyKind
else:  # a profile names no file, so it cannot hold a schedule
    ProfilePolicyKind = Literal[tuple(kind for kind in get_args(PolicyKind) if kind != "schedule")]

CONSTRAINTS: Final = ("thresholds_locked", "strategy_logic_locked")
MAX_DAY_DELTA: Final = 60
MAX_STALENESS: Final = 260
SMALLEST_TICK: Final = 1e-9
LARGEST_STEP: Final = 1e6

_HEX64 = r"^[0-9a-f]{64}$"
_VERSION = re.compile(r"_v(\d{1,6})(?=\.[A-Za-z]+$)")

_STRATEGY: Final = r"^[a-z0-9][a-z0-9_-]{0,63}$"
_STATUSES: Final = "ACCEPT or WATCH"
_DIGEST: Final = "64 lower-case hex digits (a sha256)"
_EXPECTED: Final[dict[str, str]] = {
    "schema_version": "1",
    "cycle_id": f"a name: {SAFE_NAME_TEXT}",
    "locked_date": "a date, YYYY-MM-DD",
    "portfolio_recommendation": "GO, CONDITIONAL GO or NO-GO",
    "portfolio_scope": "a name of the scope, such as futures_only",
    "gating_universe": "a list of at least one symbol",
    "non_gating_symbols": "a list of symbols, or a mapping of symbols to role and reason",
    "symbol_settings": "a mapping of symbols to their settings",
    "policy_constraints": "a mapping with thresholds_locked and strategy_logic_locked",
    "thresholds_locked": "true or false",
    "strategy_logic_locked": "true or false",
    "acceptance_policy": "v1 or v2",
    "max_staleness_sessions": f"a whole number of sessions from 0 to {MAX_STALENESS}",
    "role": "text",
    "reason": "text",
    "notes": "text",
    "tick_size": "a number above 0 (1e-9 to 1e6)",
    "slippage_per_side": "a number of at least 0 (at most 1e6)",
    "max_day_delta": f"a whole number of trading days from 0 to {MAX_DAY_DELTA}",
    "expected_status": _STATUSES,
    "quote_unit": "the unit that prices are quoted in, such as index points",
    "reference": f"the name of a vendor: {SAFE_NAME_TEXT}",
    "asset_class": "future or equity",
    "roll_policy": "a mapping with policy, consecutive_days, eligible_months, timing, adjustment",
    "policy": ", ".join(get_args(ProfilePolicyKind)),
    "consecutive_days": "a whole number from 1 to 20",
    "eligible_months": "month letters in delivery order out of FGHJKMNQUVXZ, such as HMUZ",
    "timing": "next_session or same_session",
    "adjustment": "difference, ratio or none",
    "anchor": "expiry, first_notice or fixed_day",
    "offset": "a whole number of sessions from 0 to 60",
    "fixed_day": "a day of the month from 1 to 31",
    "lock": "a mapping with thresholds, strategy, settings and inputs",
    "thresholds": _DIGEST,
    "strategy": _DIGEST,  # of the lock; the profile's own key is a name
    "settings": _DIGEST,
    "sha256": _DIGEST,
    "inputs": "a mapping of symbols to files and sessions",
    "files": "a mapping of file names to their sha256",
    "sessions": "a list of {first, last, sha256}",
    "first": "a date, YYYY-MM-DD",
    "last": "a date, YYYY-MM-DD, not before first",
}


# ---------------------------------------------------------------- what the rest of the program sees


@dataclass(frozen=True, slots=True)
class SymbolSettings:
    """What the profile locks of one symbol. `expected_status` is None only for non-gating symbols.

    tick_size, slippage_per_side: quote units. max_day_delta: trading days, inclusive.
    """

    tick_size: float
    max_day_delta: int
    slippage_per_side: float
    quote_unit: str
    expected_status: ExpectedStatus | None = None
    roll_policy: RollPolicy = field(default_factory=RollPolicy)
    reference: str | None = None
    notes: str = ""
    asset_class: AssetClass = "future"


@dataclass(frozen=True, slots=True)
class NonGating:
    """Why a symbol does not gate."""

    role: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SessionRange:
    """Digest of every bar of a symbol with first <= session <= last."""

    first: date
    last: date
    sha256: str


@dataclass(frozen=True, slots=True)
class InputLock:
    """The inputs a symbol was certified from: sha256 per raw file, and per calendar year of canonical bars."""

    files: Mapping[str, str] = field(default_factory=dict)
    sessions: tuple[SessionRange, ...] = ()


@dataclass(frozen=True, slots=True)
class Lock:
    """The digests that hold a profile in place; None where the profile carries no such digest."""

    thresholds: str | None = None
    strategy: str | None = None
    settings: str | None = None
    inputs: Mapping[str, InputLock] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OperatingProfile:
    """A valid profile. `sha256` is of the file's bytes; `content` is all it says but `lock`, JSON-ready.

    strategy: the name of the strategy that runs behind the gate; whether it is installed is not known here.
    """

    name: str
    sha256: str
    version: int | None
    schema_version: int
    cycle_id: str
    locked_date: date
    portfolio_recommendation: Recommendation
    portfolio_scope: str
    gating_universe: tuple[str, ...]
    non_gating: Mapping[str, NonGating]
    symbol_settings: Mapping[str, SymbolSettings]
    thresholds_locked: bool
    strategy_logic_locked: bool
    acceptance_policy: AcceptancePolicy
    max_staleness_sessions: int | None
    lock: Lock | None
    content: Mapping[str, Any]
    strategy: str = "b1"

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every symbol of the profile: gating first, in the profile's order."""
        return (*self.gating_universe, *self.non_gating)


# ---------------------------------------------------------------- the file's schema


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


Text = Annotated[str, Field(max_length=4000)]
Name = Annotated[str, Field(min_length=1, max_length=64)]
Digest = Annotated[str, Field(pattern=_HEX64)]


class RollPolicyFile(_Strict):
    """`symbol_settings.<SYM>.roll_policy`; the defaults are those of the volume policy."""

    policy: ProfilePolicyKind = "volume"
    consecutive_days: Annotated[int, Field(ge=1, le=20)] = 2
    eligible_months: Annotated[str, Field(pattern=r"^[FGHJKMNQUVXZ]{1,12}$")] | None = None
    timing: Timing = "next_session"
    adjustment: Adjustment = "difference"
    anchor: CalendarAnchor = "expiry"
    offset: Annotated[int, Field(ge=0, le=60)] = 0
    fixed_day: Annotated[int, Field(ge=1, le=31)] | None = None

    @field_validator("eligible_months")
    @classmethod
    def _ordered(cls, months: str | None) -> str | None:
        if months is not None and "".join(sorted(set(months))) != months:
            raise ValueError("out of order")
        return months


class SymbolSettingsFile(_Strict):
    """`symbol_settings.<SYM>`."""

    tick_size: Annotated[float, Field(ge=SMALLEST_TICK, le=LARGEST_STEP)]
    max_day_delta: Annotated[int, Field(ge=0, le=MAX_DAY_DELTA)]
    slippage_per_side: Annotated[float, Field(ge=0, le=LARGEST_STEP)]
    quote_unit: Annotated[str, Field(min_length=1, max_length=64)]
    expected_status: ExpectedStatus | None = None
    roll_policy: RollPolicyFile = RollPolicyFile()
    reference: Name | None = None
    notes: Text = ""
    asset_class: AssetClass = "future"


class NonGatingFile(_Strict):
    """`non_gating_symbols.<SYM>`."""

    role: Text = ""
    reason: Text = ""


class ConstraintsFile(_Strict):
    """`policy_constraints`: what a lock must hold."""

    thresholds_locked: bool
    strategy_logic_locked: bool


class SessionRangeFile(_Strict):
    """One calendar year of a symbol's canonical bars, both ends inclusive."""

    first: date
    last: date
    sha256: Digest


class InputLockFile(_Strict):
    """`lock.inputs.<SYM>`."""

    files: dict[str, Digest] = {}
    sessions: list[SessionRangeFile] = []


class LockFile(_Strict):
    """`lock`: written by `ctl lock`, never by hand."""

    thresholds: Digest | None = None
    strategy: Digest | None = None
    settings: Digest | None = None
    inputs: dict[str, InputLockFile] = {}


class ProfileFile(_Strict):
    """The operating profile as it stands in the file."""

    schema_version: Annotated[int, Field(ge=1, le=1)]
    cycle_id: Name
    locked_date: date
    portfolio_recommendation: Literal["GO", "CONDITIONAL GO", "NO-GO"]
    portfolio_scope: Name
    gating_universe: Annotated[list[str], Field(min_length=1)]
    non_gating_symbols: list[str] | dict[str, NonGatingFile] = {}
    symbol_settings: dict[str, SymbolSettingsFile]
    policy_constraints: ConstraintsFile
    acceptance_policy: AcceptancePolicy = "v1"
    max_staleness_sessions: Annotated[int, Field(ge=0, le=MAX_STALENESS)] | None = None
    strategy: Annotated[str, Field(pattern=_STRATEGY)] = "b1"
    lock: LockFile | None = None


# ---------------------------------------------------------------- reading


def load(data: bytes, name: str, *, require_lock: bool = True) -> OperatingProfile:
    """Read a profile from the bytes of its file; `name` is how problems call the file.

    require_lock False reads a template whose lock is still to be filled in.
    Raises ProfileError with every problem found.
    """
    tree = strict_files.read(data)
    problems = list(tree.problems)
    raw = tree.value
    parsed: ProfileFile | None = None
    if raw is not None or not problems:
        if isinstance(raw, dict):
            parsed = _validate(raw, tree, problems)
            problems.extend(_contradictions(raw, tree, require_lock=require_lock))
        else:
            problems.append(YamlProblem(1, "", _shown(raw), "a mapping of the profile's keys"))
    if problems or parsed is None:
        raise _refusal(name, problems)
    content = {key: _json_ready(value) for key, value in raw.items() if key != "lock"}
    return _profile(parsed, name=name, sha256=digests.sha256_bytes(data), content=content)


def settings_digest(profile: OperatingProfile) -> str:
    """sha256 of the canonical JSON of everything the profile says but `lock`, as written (dates as ISO text)."""
    return digests.digest(dict(profile.content))


def version_of(name: str) -> int | None:
    """The version in a profile's file name (`operating_profile_v3.yaml` is 3), or None."""
    match = _VERSION.search(name)
    return int(match[1]) if match else None


def next_version_name(name: str) -> str:
    """The file name of the version after `name`; a name without a version counts as version 1.

    Raises ValueError for a name without an extension.
    """
    version = version_of(name)
    if version is not None:
        return _VERSION.sub(f"_v{version + 1}", name)
    stem, dot, suffix = name.rpartition(".")
    if not dot:
        raise ValueError(f"{name!r} has no extension to put a version before")
    return f"{stem}_v2.{suffix}"


def json_schema() -> dict[str, Any]:
    """JSON Schema of the file."""
    return ProfileFile.model_json_schema()


def _validate(raw: dict[str, Any], tree: YamlTree, problems: list[YamlProblem]) -> ProfileFile | None:
    try:
        return ProfileFile.model_validate(raw)
    except ValidationError as error:
        seen: set[tuple[str, str]] = set()
        for item in error.errors(include_url=False, include_context=False):
            problem = _schema_problem(item, raw, tree)
            if problem is not None and (problem.key, problem.found) not in seen:
                seen.add((problem.key, problem.found))
                problems.append(problem)
        return None


def _schema_problem(item: Any, raw: dict[str, Any], tree: YamlTree) -> YamlProblem | None:
    """One pydantic error in the profile's words."""
    path: tuple[Any, ...] = tuple(item["loc"])
    if path[:1] == ("non_gating_symbols",):
        used = _union_path(path, raw)
        if used is None:
            return None
        path = used
    key = next((part for part in reversed(path) if isinstance(part, str) and part in _EXPECTED), "")
    expected = _EXPECTED.get(key, "a valid value")
    if path[-1] != key and isinstance(path[-1], str) and path[:1] == ("symbol_settings",) and len(path) == 2:
        expected = "a mapping of settings"
    if path == ("strategy",):
        expected = "the name of a strategy: lower-case letters, digits, '_' or '-'"
    line = tree.line_of(path)
    match item["type"]:
        case "extra_forbidden":
            parent = path[:-1]
            expected = f"one of {', '.join(_known_keys(parent))}"
            return YamlProblem(line, dotted(path), "an unknown key", expected)
        case "missing":
            return YamlProblem(line, dotted(path), "nothing", expected)
        case _:
            return YamlProblem(line, dotted(path), _shown(item["input"]), expected)


def _union_path(path: tuple[Any, ...], raw: dict[str, Any]) -> tuple[Any, ...] | None:
    """The path without pydantic's union labels; None for the branch that the text does not use."""
    value = raw.get("non_gating_symbols")
    branch = path[1] if len(path) > 1 else ""
    if isinstance(value, list):
        return (path[0], *path[2:]) if branch == "list[str]" else None
    if isinstance(value, dict):
        return (path[0], *path[2:]) if str(branch).startswith("dict[") else None
    return path[:1]


def _known_keys(parent: tuple[Any, ...]) -> tuple[str, ...]:
    model: type[BaseModel]
    match parent:
        case ():
            model = ProfileFile
        case ("policy_constraints",):
            model = ConstraintsFile
        case ("symbol_settings", _):
            model = SymbolSettingsFile
        case ("symbol_settings", _, "roll_policy"):
            model = RollPolicyFile
        case ("non_gating_symbols", _):
            model = NonGatingFile
        case ("lock",):
            model = LockFile
        case ("lock", "inputs", _):
            model = InputLockFile
        case _:
            model = SessionRangeFile
    return tuple(model.model_fields)


def _contradictions(raw: dict[str, Any], tree: YamlTree, *, require_lock: bool) -> Iterator[YamlProblem]:
    """What the keys say against each other; reads the raw values so that it also runs on a broken profile."""

    def problem(path: tuple[str | int, ...], found: str, expected: str) -> YamlProblem:
        return YamlProblem(tree.line_of(path), dotted(path), found, expected)

    gating, other, settings = (
        _names(raw, "gating_universe"),
        _names(raw, "non_gating_symbols"),
        raw.get("symbol_settings"),
    )
    settings = settings if isinstance(settings, dict) else {}
    cycle = raw.get("cycle_id")
    if isinstance(cycle, str) and cycle and not is_safe_name(cycle):
        yield problem(("cycle_id",), _shown(cycle), _EXPECTED["cycle_id"])
    for path, name in (*gating, *other, *((("symbol_settings", name), name) for name in settings)):
        if not is_safe_name(name):
            yield problem(path, _shown(name), f"a symbol: {SAFE_NAME_TEXT}")
    for section in (gating, other):
        seen: set[str] = set()
        for path, name in section:
            if name in seen:
                yield problem(path, f"{_shown(name)} a second time", "each symbol once")
            seen.add(name)
    gating_names = {name for _, name in gating}
    known = gating_names | {name for _, name in other}
    for path, name in other:
        if name in gating_names:
            yield problem(
                path, f"{_shown(name)}, which also stands in gating_universe", "gating or non-gating, not both"
            )
    for path, name in gating:
        if name not in settings:
            yield problem(path, f"{_shown(name)} without settings", f"an entry symbol_settings.{name}")
    for name, entry in settings.items():
        here = ("symbol_settings", name)
        if name not in known:
            yield problem(
                here, "settings of a symbol in neither universe", "a symbol of gating_universe or non_gating_symbols"
            )
        if not isinstance(entry, dict):
            continue
        if name in gating_names and entry.get("expected_status") is None:
            yield problem((*here, "expected_status"), "nothing", _STATUSES)
        reference = entry.get("reference")
        if isinstance(reference, str) and reference and not is_safe_name(reference):
            yield problem((*here, "reference"), _shown(reference), _EXPECTED["reference"])
        policy = entry.get("roll_policy")
        if isinstance(policy, dict):
            yield from _policy_contradictions(policy, (*here, "roll_policy"), problem)
    yield from _recommendation_contradiction(raw, [name for _, name in gating], settings, problem)
    yield from _lock_contradictions(raw, known, problem, require_lock=require_lock)


def _names(raw: dict[str, Any], key: str) -> list[tuple[tuple[str | int, ...], str]]:
    value = raw.get(key)
    if isinstance(value, list):
        return [((key, index), name) for index, name in enumerate(value) if isinstance(name, str)]
    if isinstance(value, dict) and key == "non_gating_symbols":
        return [((key, name), name) for name in value]
    return []


def _policy_contradictions(policy: dict[str, Any], here: tuple[str | int, ...], problem: Any) -> Iterator[YamlProblem]:
    fixed = policy.get("anchor") == "fixed_day"
    if fixed and "fixed_day" not in policy:
        yield problem((*here, "fixed_day"), "nothing", "a day of the month from 1 to 31, because anchor is fixed_day")
    if not fixed and policy.get("fixed_day") is not None:
        yield problem((*here, "fixed_day"), _shown(policy["fixed_day"]), "no fixed_day unless anchor is fixed_day")
    if policy.get("policy", "volume") != "calendar":
        for key in ("anchor", "offset"):
            if key in policy:
                yield problem((*here, key), _shown(policy[key]), f"no {key} unless policy is calendar")


def _recommendation_contradiction(
    raw: dict[str, Any], gating: Sequence[str], settings: dict[str, Any], problem: Any
) -> Iterator[YamlProblem]:
    entries = [settings.get(name) for name in gating]
    statuses = [entry.get("expected_status") if isinstance(entry, dict) else None for entry in entries]
    stated = raw.get("portfolio_recommendation")
    if stated not in ("GO", "CONDITIONAL GO", "NO-GO") or not statuses:
        return
    if any(status not in ("ACCEPT", "WATCH") for status in statuses):
        return
    derived = recommend(statuses)  # type: ignore[arg-type]
    if derived != stated:
        board = ", ".join(f"{name} {status}" for name, status in zip(gating, statuses, strict=True))
        yield problem(("portfolio_recommendation",), str(stated), f"{derived}, which follows from {board}")


def _lock_contradictions(
    raw: dict[str, Any], known: set[str], problem: Any, *, require_lock: bool
) -> Iterator[YamlProblem]:
    constraints = raw.get("policy_constraints")
    constraints = constraints if isinstance(constraints, dict) else {}
    lock = raw.get("lock")
    if require_lock:
        needed = {
            "thresholds": constraints.get("thresholds_locked") is True,
            "strategy": constraints.get("strategy_logic_locked") is True,
        }
        set_ones = [name for name in CONSTRAINTS if constraints.get(name) is True]
        needed["settings"] = bool(set_ones) or lock is not None
        held = lock if isinstance(lock, dict) else {}
        if lock is None and set_ones:
            yield problem(
                ("lock",), "nothing", f"digests, because {' and '.join(set_ones)} is set (`ctl lock` writes them)"
            )
        elif lock is None or isinstance(lock, dict):
            for key, need in needed.items():
                if need and held.get(key) is None:
                    yield problem(("lock", key), "nothing", f"{_DIGEST}; `ctl lock` writes it")
    if not isinstance(lock, dict) or not isinstance(lock.get("inputs"), dict):
        return
    for symbol, entry in lock["inputs"].items():
        here = ("lock", "inputs", symbol)
        if symbol not in known:
            yield problem(here, "inputs of a symbol in neither universe", "a symbol of the profile")
        if not isinstance(entry, dict):
            continue
        files = entry.get("files")
        for name in files if isinstance(files, dict) else ():
            if not name or name in {".", ".."} or any(char in "/\\" or ord(char) < 32 for char in name):
                yield problem((*here, "files", name), _shown(name), "a file name without a folder")
        yield from _range_contradictions(entry.get("sessions"), (*here, "sessions"), problem)


def _range_contradictions(ranges: Any, here: tuple[str | int, ...], problem: Any) -> Iterator[YamlProblem]:
    before: date | None = None
    for index, entry in enumerate(ranges if isinstance(ranges, list) else ()):
        first, last = (entry.get("first"), entry.get("last")) if isinstance(entry, dict) else (None, None)
        if not isinstance(first, date) or not isinstance(last, date):
            continue
        if last < first:
            yield problem((*here, index, "last"), str(last), f"a date not before first ({first})")
        if before is not None and first <= before:
            yield problem((*here, index, "first"), str(first), f"a date after the range before it ({before})")
        before = last


def _refusal(name: str, problems: Sequence[YamlProblem]) -> ProfileError:
    # The schema and the contradictions may find the same fault: it is said once.
    ordered = sorted(dict.fromkeys(problems), key=lambda item: (item.line, item.key))
    lines = tuple(
        _printable(
            f"{name}:{item.line}: {item.key + ': ' if item.key else ''}found {item.found}; expected {item.expected}"
        )
        for item in ordered
    )
    more = f" (and {len(lines) - 1} more problems)" if len(lines) > 1 else ""
    return ProfileError(f"{lines[0]}{more}", problems=lines)


def _printable(text: str) -> str:
    """`text` with what would break a line or drive a terminal written as escapes."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _shown(value: Any) -> str:
    """A value as it may stand in a one-line message."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if isinstance(value, date):
        return value.isoformat()
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _json_ready(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _json_ready(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_json_ready(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value


def _profile(parsed: ProfileFile, *, name: str, sha256: str, content: Mapping[str, Any]) -> OperatingProfile:
    others = parsed.non_gating_symbols
    non_gating = (
        {symbol: NonGating() for symbol in others}
        if isinstance(others, list)
        else {symbol: NonGating(entry.role, entry.reason) for symbol, entry in others.items()}
    )
    return OperatingProfile(
        name=name,
        sha256=sha256,
        version=version_of(name),
        schema_version=parsed.schema_version,
        cycle_id=parsed.cycle_id,
        locked_date=parsed.locked_date,
        portfolio_recommendation=parsed.portfolio_recommendation,
        portfolio_scope=parsed.portfolio_scope,
        gating_universe=tuple(parsed.gating_universe),
        non_gating=non_gating,
        symbol_settings={symbol: _settings(entry) for symbol, entry in parsed.symbol_settings.items()},
        thresholds_locked=parsed.policy_constraints.thresholds_locked,
        strategy_logic_locked=parsed.policy_constraints.strategy_logic_locked,
        acceptance_policy=parsed.acceptance_policy,
        max_staleness_sessions=parsed.max_staleness_sessions,
        lock=None if parsed.lock is None else _lock(parsed.lock),
        content=content,
        strategy=parsed.strategy,
    )


def _settings(entry: SymbolSettingsFile) -> SymbolSettings:
    policy = entry.roll_policy
    return SymbolSettings(
        tick_size=float(entry.tick_size),
        max_day_delta=entry.max_day_delta,
        slippage_per_side=float(entry.slippage_per_side),
        quote_unit=entry.quote_unit,
        expected_status=entry.expected_status,
        roll_policy=RollPolicy(
            kind=policy.policy,
            consecutive_days=policy.consecutive_days,
            eligible_months=policy.eligible_months,
            timing=policy.timing,
            adjustment=policy.adjustment,
            anchor=policy.anchor,
            offset=policy.offset,
            fixed_day=policy.fixed_day,
        ),
        reference=entry.reference,
        notes=entry.notes,
        asset_class=entry.asset_class,
    )


def _lock(entry: LockFile) -> Lock:
    inputs = {
        symbol: InputLock(
            files=dict(item.files),
            sessions=tuple(SessionRange(part.first, part.last, part.sha256) for part in item.sessions),
        )
        for symbol, item in entry.inputs.items()
    }
    return Lock(entry.thresholds, entry.strategy, entry.settings, inputs)


# ---------------------------------------------------------------- locking


def session_ranges(frame: pl.DataFrame, *, symbol: str, last: date | None = None) -> tuple[SessionRange, ...]:
    """Digest the canonical bars of one symbol by calendar year, all contracts of a year together.

    frame: columns session (Date), open, high, low, close (Float64), volume, open_interest (Int64), and
    contract (String; absent or null counts as `symbol`). last: bars after it are left out, inclusive end.
    The digest is the sha256 of, per column in the order session, contract, open, high, low, close,
    volume, open_interest of the rows sorted by (session, contract): the null mask as bytes, then the
    values little-endian (days since 1970 as int32, names as UTF-8 lines, float64, int64; null as 0),
    with -0.0 written as 0.0 and NaN as null.
    """
    import polars as pl

    rows = _canonical_rows(frame, symbol)
    if last is not None:
        rows = rows.filter(pl.col("session") <= last)
    ranges: list[SessionRange] = []
    for part in rows.with_columns(year=pl.col("session").dt.year()).partition_by("year", maintain_order=True):
        sessions = part["session"]
        ranges.append(SessionRange(sessions[0], sessions[-1], _rows_digest(part)))
    return tuple(ranges)


def restated_ranges(locked: Sequence[SessionRange], frame: pl.DataFrame, *, symbol: str) -> tuple[SessionRange, ...]:
    """The locked ranges whose bars on disk no longer have the locked digest. Empty: no history was restated.

    Bars after the last locked session are new, not restated; bars before the first locked one, or in
    a locked range where there were none, are restated history and belong to the nearest range.
    """
    import polars as pl

    rows = _canonical_rows(frame, symbol)
    changed: list[SessionRange] = []
    for index, entry in enumerate(locked):
        within = pl.col("session") <= entry.last
        if index > 0:
            within &= pl.col("session") > locked[index - 1].last
        if _rows_digest(rows.filter(within)) != entry.sha256:
            changed.append(entry)
    return tuple(changed)


_PRICES: Final = ("open", "high", "low", "close")
_COUNTS: Final = ("volume", "open_interest")


def _canonical_rows(frame: pl.DataFrame, symbol: str) -> pl.DataFrame:
    import polars as pl

    if "contract" not in frame.columns:
        frame = frame.with_columns(contract=pl.lit(None, dtype=pl.String))
    return frame.select(
        "session",
        pl.col("contract").fill_null(symbol),
        *((pl.col(name).cast(pl.Float64).fill_nan(None) + 0.0) for name in _PRICES),
        *(pl.col(name).cast(pl.Int64) for name in _COUNTS),
    ).sort("session", "contract")


def _rows_digest(rows: pl.DataFrame) -> str:
    parts = [
        rows["session"].is_null().to_numpy().astype("u1").tobytes(),
        rows["session"].to_physical().to_numpy().astype("<i4").tobytes(),
        "\n".join(rows["contract"].to_list()).encode(),
    ]
    for names, kind in ((_PRICES, "<f8"), (_COUNTS, "<i8")):
        for name in names:
            column = rows[name]
            parts.append(column.is_null().to_numpy().astype("u1").tobytes())
            parts.append(column.fill_null(0).to_numpy().astype(kind).tobytes())
    return digests.sha256_bytes(b"".join(parts))


def with_lock(data: bytes, lock: Lock, *, name: str = "profile") -> bytes:
    """The profile's text with its `lock` replaced; everything else, comments included, stays.

    Raises ProfileError where the text is not a profile (a missing lock excepted).
    """
    before = load(data, name, require_lock=False)
    document: dict[str, Any] = {}
    for key in ("thresholds", "strategy", "settings"):
        if getattr(lock, key) is not None:
            document[key] = getattr(lock, key)
    if lock.inputs:
        document["inputs"] = {
            symbol: {"files": dict(sorted(entry.files.items())), "sessions": [asdict(part) for part in entry.sessions]}
            for symbol, entry in lock.inputs.items()
        }
    written = _edited(data, {("lock",): document})
    after = load(written, name, require_lock=False)
    if after.content != before.content or after.lock != lock:
        raise ProfileError(f"{name}: writing the lock changed the profile's own settings; nothing was written")
    return written


def with_values(data: bytes, changes: Mapping[tuple[str, ...], Any], *, name: str = "profile") -> bytes:
    """The profile's text with the values at the given key paths replaced, comments kept.

    The result is not validated: it may stand between two profiles. Raises ProfileError for a path
    whose parent the text does not hold.
    """
    load(data, name, require_lock=False)
    return _edited(data, changes)


def _edited(data: bytes, changes: Mapping[tuple[str, ...], Any]) -> bytes:
    from ruamel.yaml import YAML

    yaml = YAML(typ="rt", pure=True)
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    document = yaml.load(data.decode("utf-8-sig"))
    for path, value in changes.items():
        parent = document
        for part in path[:-1]:
            parent = parent.get(part) if isinstance(parent, Mapping) else None
        if not isinstance(parent, Mapping):
            raise ProfileError(f"the profile holds no {dotted(path[:-1])} to write {path[-1]} into")
        parent[path[-1]] = value  # type: ignore[index]
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue().encode()


# ---------------------------------------------------------------- comparison


@dataclass(frozen=True, slots=True)
class ProfileChange:
    """One key whose value differs between two profiles; None where a side has no such key."""

    key: str
    old: Any
    new: Any


def difference(old: OperatingProfile, new: OperatingProfile) -> tuple[ProfileChange, ...]:
    """What `new` says otherwise than `old`, key by key in key order; comments and layout do not count."""
    left, right = dict(_leaves(_comparable(old))), dict(_leaves(_comparable(new)))
    return tuple(
        ProfileChange(key, left.get(key), right.get(key))
        for key in sorted({*left, *right})
        if left.get(key) != right.get(key)
    )


def _comparable(profile: OperatingProfile) -> dict[str, Any]:
    document = dict(profile.content)
    if profile.lock is not None:
        document["lock"] = _json_ready(asdict(profile.lock))
    return document


def _leaves(value: Any, path: strict_files.Path = ()) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    else:
        yield dotted(path), value
