"""The operating profile: what people decide of a cycle, read strictly from bytes.

`load` reports every problem of a profile in one go, each as `file:line: key: found X; expected Y`. What the machine
derived when it was locked stands in the lock file beside it (`ctl.model.lock_file`). Pure: no file, clock or network.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator, Mapping, MutableMapping, MutableSequence, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from ctl import digests, strict_files
from ctl.errors import ProfileError
from ctl.model.bars import AS_DELIVERED, BarsChoice, ClosesChoice, SeriesChoice
from ctl.model.documents import document
from ctl.model.findings import Recommendation
from ctl.model.lock_file import SessionRange
from ctl.model.names import SAFE_NAME_TEXT, is_safe_name
from ctl.model.recommendation import recommend
from ctl.model.rolls import (
    GUARD_SESSIONS,
    MOST_MONTHS_BEFORE,
    MOST_SESSIONS,
    Adjustment,
    CalendarAnchor,
    PolicyKind,
    RollPolicy,
    RollTarget,
    Timing,
)
from ctl.model.run import ValueChange
from ctl.strict_files import ReadAs, Rule, Strict, dotted, expected, shown

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

ExpectedStatus = Literal["ACCEPT", "WATCH"]
AcceptancePolicy = Literal["v1", "v2"]
AssetClass = Literal["future", "equity"]
if TYPE_CHECKING:
    ProfilePolicyKind = PolicyKind
else:  # a profile names no file, so it cannot hold a schedule
    ProfilePolicyKind = Literal[tuple(kind for kind in get_args(PolicyKind) if kind != "schedule")]

MAX_DAY_DELTA: Final = 60
MAX_STALENESS: Final = 260
MAX_RATCHET: Final = 10.0
SMALLEST_TICK: Final = 1e-9
LARGEST_STEP: Final = 1e6

_VERSION = re.compile(r"_v(\d{1,6})(?=\.[A-Za-z]+$)")


# ---------------------------------------------------------------- what a profile says

_STATUSES: Final = "ACCEPT or WATCH"
_NAME: Final = f"a name: {SAFE_NAME_TEXT}"
_SYMBOL: Final = f"a symbol: {SAFE_NAME_TEXT}"
_SIGNER: Final = "an Ed25519 public key in base64, or a file of the workspace that holds one"
_MONTHS: Final = "month letters in delivery order out of FGHJKMNQUVXZ, such as HMUZ"


def _safe(name: str, info: ValidationInfo) -> str:
    if not is_safe_name(name):
        raise ValueError("the field's description says what is expected")
    return name


def _as_mapping(value: Any) -> Any:
    """A list of symbols as the mapping of each to nothing."""
    if not isinstance(value, list):
        return value
    for index, name in enumerate(value):
        if not isinstance(name, str):
            raise expected("a list of symbols, or a mapping of symbols to role and reason", shown(name), at=(index,))
    return {name: {} for name in value}


Text = Annotated[str, Field(max_length=4000, description="text of at most 4000 characters")]
SafeName = Annotated[str, AfterValidator(_safe)]
Flag = Annotated[bool, Field(description="true or false")]


class RollPolicyKeys(Strict):
    """`symbol_settings.<SYM>.roll_policy`; the defaults are those of the volume policy."""

    policy: ProfilePolicyKind = Field("volume", description=", ".join(get_args(ProfilePolicyKind)))
    consecutive_days: int = Field(2, ge=1, le=20, description="a whole number from 1 to 20")
    eligible_months: str | None = Field(None, pattern=r"^[FGHJKMNQUVXZ]{1,12}$", description=_MONTHS)
    timing: Timing = Field("next_session", description="next_session or same_session")
    adjustment: Adjustment = Field("difference", description="difference, ratio or none")
    anchor: CalendarAnchor = Field("expiry", description="expiry, first_notice or fixed_day")
    offset: int = Field(0, ge=0, le=60, description="a whole number of sessions from 0 to 60")
    fixed_day: int | None = Field(None, ge=1, le=31, description="a day of the month from 1 to 31")
    months_before: int = Field(
        0, ge=0, le=MOST_MONTHS_BEFORE, description=f"months before delivery's from 0 to {MOST_MONTHS_BEFORE}"
    )
    guard_sessions: Annotated[int, Field(ge=0, le=MOST_SESSIONS)] | Literal["none"] = Field(
        GUARD_SESSIONS, description=f"a whole number of sessions from 0 to {MOST_SESSIONS}, or none"
    )
    target: RollTarget = Field("adjacent", description="adjacent or most_active")
    bridge_holes: Flag = False

    @field_validator("eligible_months")
    @classmethod
    def _in_order(cls, months: str | None) -> str | None:
        if months is not None and "".join(sorted(set(months))) != months:
            raise expected(_MONTHS)
        return months

    @field_validator("anchor", "offset")
    @classmethod
    def _of_a_calendar(cls, value: Any, info: ValidationInfo) -> Any:
        if info.data.get("policy", "calendar") != "calendar":
            raise expected(f"no {info.field_name} unless policy is calendar")
        return value

    @model_validator(mode="after")
    def _fixed(self) -> Self:
        if self.anchor == "fixed_day" and self.fixed_day is None:
            raise expected("a day of the month from 1 to 31, because anchor is fixed_day", "nothing", at=("fixed_day",))
        for name in ("fixed_day", "months_before"):
            value = getattr(self, name)
            if self.anchor != "fixed_day" and value:
                raise expected(f"no {name} unless anchor is fixed_day", shown(value), at=(name,))
        return self

    def made(self) -> RollPolicy:
        """The policy as the rest of the program sees it."""
        keys = self.model_dump()
        guard = keys.pop("guard_sessions")
        return RollPolicy(kind=keys.pop("policy"), guard_sessions=None if guard == "none" else guard, **keys)


class SeriesKeys(Strict):
    """`symbol_settings.<SYM>.series`."""

    bars: BarsChoice = Field("daily", description="daily or session")
    closes: ClosesChoice = Field("last_trade", description="last_trade or settlement")

    def made(self) -> SeriesChoice:
        """The choice as the rest of the program sees it."""
        return SeriesChoice(**self.model_dump())


class SymbolSettings(Strict):
    """What the profile locks of one symbol. `expected_status` is None only for non-gating symbols.

    watch_until: the last day on which WATCH is as expected.
    tick_size, slippage_per_side: quote units. max_day_delta: trading days, inclusive.
    """

    tick_size: float = Field(ge=SMALLEST_TICK, le=LARGEST_STEP, description="a number above 0 (1e-9 to 1e6)")
    max_day_delta: int = Field(
        ge=0, le=MAX_DAY_DELTA, description=f"a whole number of trading days from 0 to {MAX_DAY_DELTA}"
    )
    slippage_per_side: float = Field(ge=0, le=LARGEST_STEP, description="a number of at least 0 (at most 1e6)")
    quote_unit: str = Field(
        min_length=1, max_length=64, description="the unit that prices are quoted in, such as index points"
    )
    expected_status: ExpectedStatus | None = Field(None, description=_STATUSES)
    watch_until: date | None = Field(None, description="a date, YYYY-MM-DD, beside expected_status WATCH")
    roll_policy: Annotated[RollPolicy, ReadAs(RollPolicyKeys, RollPolicyKeys.made)] = Field(
        RollPolicy(), description="a mapping with policy, consecutive_days, eligible_months, timing, adjustment"
    )
    series: Annotated[SeriesChoice, ReadAs(SeriesKeys, SeriesKeys.made)] = Field(
        AS_DELIVERED, description="a mapping with bars and closes"
    )
    reference: SafeName | None = Field(None, description=f"the name of a vendor: {SAFE_NAME_TEXT}")
    notes: Text = ""
    asset_class: AssetClass = Field("future", description="future or equity")


class NonGating(Strict):
    """Why a symbol does not gate."""

    role: Text = ""
    reason: Text = ""


class PolicyConstraints(Strict):
    """What a lock must hold."""

    thresholds_locked: Flag
    strategy_logic_locked: Flag


class ProfileKeys(Strict):
    """The operating profile as it stands in the file."""

    schema_version: int = Field(ge=1, le=1, description="1")
    cycle_id: SafeName = Field(description=_NAME)
    locked_date: date = Field(description="a date, YYYY-MM-DD")
    portfolio_recommendation: Recommendation = Field(description="GO, CONDITIONAL GO or NO-GO")
    portfolio_scope: str = Field(min_length=1, max_length=64, description="a name of the scope, such as futures_only")
    gating_universe: tuple[str, ...] = Field(strict=False, min_length=1, description="a list of at least one symbol")
    non_gating_symbols: Annotated[dict[str, NonGating], BeforeValidator(_as_mapping)] = Field(
        {}, description="a list of symbols, or a mapping of symbols to role and reason"
    )
    symbol_settings: dict[str, SymbolSettings] = Field(description="a mapping of symbols to their settings")
    policy_constraints: PolicyConstraints = Field(
        description="a mapping with thresholds_locked and strategy_logic_locked"
    )
    acceptance_policy: AcceptancePolicy = Field("v1", description="v1 or v2")
    max_staleness_sessions: Annotated[int, Field(ge=0, le=MAX_STALENESS)] | Literal["none"] = Field(
        5, description=f"a whole number of sessions from 0 to {MAX_STALENESS}, or none"
    )
    ratchet: float = Field(1.0, ge=0, le=MAX_RATCHET, description=f"a number from 0 to {MAX_RATCHET:g}")
    strategy: str = Field(
        "b1",
        pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$",
        description="the name of a strategy: lower-case letters, digits, '_' or '-'",
    )
    signers: dict[SafeName, Annotated[str, Field(min_length=1, max_length=200, description=_SIGNER)]] = Field(
        {}, description=f"a mapping of names to {_SIGNER}"
    )


class OperatingProfile(ProfileKeys):
    """A valid profile: what its file says, and which file it is.

    sha256: of the file's bytes, `text`. strategy: the name of the one that runs behind the gate; whether it is
    installed is not known here.
    """

    name: str
    sha256: str
    text: str

    @property
    def version(self) -> int | None:
        """The version in the file's name."""
        return version_of(self.name)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every symbol of the profile: gating first, in the profile's order."""
        return (*self.gating_universe, *self.non_gating_symbols)


# ---------------------------------------------------------------- reading


@lru_cache(maxsize=4)
def load(data: bytes, name: str) -> OperatingProfile:
    """Read a profile from the bytes of its file; `name` is how problems call the file.

    The same bytes again are not read again. Raises ProfileError with every problem found.
    """
    keys, _ = strict_files.read_model(data, name, ProfileKeys, ProfileError, rules=_contradictions)
    return OperatingProfile.model_construct(
        **dict(keys), name=name, sha256=digests.sha256_bytes(data), text=data.decode("utf-8-sig")
    )


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
    return ProfileKeys.model_json_schema()


def _contradictions(raw: dict[str, Any]) -> Iterator[Rule]:
    """What the keys say against each other; of the plain values, so that it is also said of a broken profile."""
    gating, others = _names(raw, "gating_universe"), _names(raw, "non_gating_symbols")
    settings = _mapping(raw, "symbol_settings")
    for path, name in (*gating, *others, *((("symbol_settings", name), name) for name in settings)):
        if not is_safe_name(name):
            yield path, shown(name), _SYMBOL
    for section in (gating, others):
        names = [name for _, name in section]
        for index, (path, name) in enumerate(section):
            if name in names[:index]:
                yield path, f"{shown(name)} a second time", "each symbol once"
    gates = {name for _, name in gating}
    known = gates | {name for _, name in others}
    for path, name in others:
        if name in gates:
            yield path, f"{shown(name)}, which also stands in gating_universe", "gating or non-gating, not both"
    for path, name in gating:
        if name not in settings:
            yield path, f"{shown(name)} without settings", f"an entry symbol_settings.{name}"
        elif isinstance(settings[name], dict) and settings[name].get("expected_status") is None:
            yield ("symbol_settings", name, "expected_status"), "nothing", _STATUSES
    shares = [name for _, name in gating if _mapping(settings, name).get("asset_class") == "equity"]
    if shares and raw.get("portfolio_scope") == "futures_only":
        wanted = "another scope, such as futures_and_equities"
        yield ("portfolio_scope",), f"futures_only, and {shares[0]} is an equity of gating_universe", wanted
    for name in settings:
        one = _mapping(settings, name)
        if one.get("watch_until") is not None and one.get("expected_status") != "WATCH":
            wanted = "no watch_until unless expected_status is WATCH"
            yield ("symbol_settings", name, "watch_until"), shown(one["watch_until"]), wanted
        if name not in known:
            wanted = "a symbol of gating_universe or non_gating_symbols"
            yield ("symbol_settings", name), "settings of a symbol in neither universe", wanted
    statuses = [_mapping(settings, name).get("expected_status") for _, name in gating]
    stated = raw.get("portfolio_recommendation")
    if stated in ("GO", "CONDITIONAL GO", "NO-GO") and statuses and all(s in ("ACCEPT", "WATCH") for s in statuses):
        derived = recommend(statuses)  # type: ignore[arg-type]  # judged on the line above
        if derived != stated:
            board = ", ".join(f"{name} {status}" for (_, name), status in zip(gating, statuses, strict=True))
            yield ("portfolio_recommendation",), stated, f"{derived}, which follows from {board}"


def _mapping(raw: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = raw.get(key)
    return value if isinstance(value, dict) else {}


def _names(raw: dict[str, Any], key: str) -> list[tuple[strict_files.Path, str]]:
    """The symbols of a universe and where each stands."""
    value = raw.get(key)
    if isinstance(value, list):
        return [((key, index), name) for index, name in enumerate(value) if isinstance(name, str)]
    return [((key, name), name) for name in _mapping(raw, key)]


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
    import numpy as np
    import polars as pl

    rows = _CanonicalRows.of(frame if last is None else frame.filter(pl.col("session") <= last), symbol)
    years = rows.days.astype("datetime64[D]").astype("datetime64[Y]")
    ends = [0, *(np.flatnonzero(years[1:] != years[:-1]) + 1).tolist(), len(years)]
    return tuple(
        SessionRange(rows.session(start), rows.session(end - 1), rows.digest(start, end))
        for start, end in pairwise(ends)
        if end > start
    )


def restated_ranges(locked: Sequence[SessionRange], frame: pl.DataFrame, *, symbol: str) -> tuple[SessionRange, ...]:
    """The locked ranges whose bars on disk no longer have the locked digest. Empty: no history was restated.

    Bars after the last locked session are new, not restated; bars before the first locked one, or in
    a locked range where there were none, are restated history and belong to the nearest range.
    """
    import numpy as np

    rows = _CanonicalRows.of(frame, symbol)
    last = np.array([entry.last for entry in locked], "datetime64[D]").astype(np.int32)
    ends = [0, *rows.days.searchsorted(last, side="right").tolist()]
    found = [rows.digest(start, end) for start, end in pairwise(ends)]
    return tuple(entry for entry, sha256 in zip(locked, found, strict=True) if sha256 != entry.sha256)


@dataclass(frozen=True, slots=True)
class _CanonicalRows:
    """The bars of a symbol as they are digested, ordered by session and contract.

    days: int32 since 1970. names: of the contracts, UTF-8. values: per price and count its null mask and its values.
    """

    days: npt.NDArray[np.int32]
    names: list[str]
    values: tuple[tuple[npt.NDArray[np.uint8], npt.NDArray[Any]], ...]

    @classmethod
    def of(cls, frame: pl.DataFrame, symbol: str) -> _CanonicalRows:
        """The rows of a frame as for `session_ranges`."""
        import numpy as np
        import polars as pl

        if "contract" not in frame.columns:
            frame = frame.with_columns(contract=pl.lit(None, dtype=pl.String))
        rows = frame.select(
            "session",
            pl.col("contract").fill_null(symbol),
            *((pl.col(name).cast(pl.Float64).fill_nan(None) + 0.0) for name in ("open", "high", "low", "close")),
            *(pl.col(name).cast(pl.Int64) for name in ("volume", "open_interest")),
        ).sort("session", "contract")
        return cls(
            rows["session"].to_physical().to_numpy().astype("<i4"),
            rows["contract"].to_list(),
            tuple(
                (column.is_null().to_numpy().astype("u1"), np.ascontiguousarray(column.fill_null(0).to_numpy()))
                for column in rows.get_columns()[2:]
            ),
        )

    def session(self, row: int) -> date:
        """The session of a row."""
        return date(1970, 1, 1) + timedelta(days=int(self.days[row]))

    def digest(self, start: int, end: int) -> str:
        """sha256 of the rows from `start` up to before `end`."""
        found = hashlib.sha256(bytes(end - start))  # no session is null
        found.update(self.days[start:end].data)
        found.update("\n".join(self.names[start:end]).encode())
        for nulls, values in self.values:
            found.update(nulls[start:end].data)
            found.update(values[start:end].data)
        return found.hexdigest()


def settings_path(profile: OperatingProfile, key: str) -> tuple[str, ...]:
    """Where a key of `--set` stands: `ES.series.closes` below that symbol's settings, `ratchet` in the profile."""
    parts = tuple(key.split("."))
    return ("symbol_settings", *parts) if parts[0] in profile.symbols else parts


REMOVED: Final = object()


def with_values(data: bytes, changes: Mapping[tuple[str, ...], Any]) -> bytes:
    """The profile's text with the values at the given key paths replaced, comments kept; mappings on the way are made.

    REMOVED as a value takes the key away, or the name from a list, to which any other value adds it.
    The result is not validated: it may stand between two profiles. Raises ProfileError where a path leads through
    something else than a mapping.
    """
    return _edited(data, changes)


def _edited(data: bytes, changes: Mapping[tuple[str, ...], Any]) -> bytes:
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap

    yaml = YAML(typ="rt", pure=True)
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    tree = yaml.load(data.decode("utf-8-sig"))
    for path, value in changes.items():
        parent = tree
        for part in path[:-1]:
            if isinstance(parent, CommentedMap):
                if part not in parent:
                    parent.insert(0, part, CommentedMap())  # the comment after the last key belongs to what follows
                parent = parent[part]
        if isinstance(parent, MutableSequence):
            (parent.remove if value is REMOVED else parent.append)(path[-1])
            continue
        if not isinstance(parent, MutableMapping):
            raise ProfileError(f"{dotted(path[:-1])} of the profile is no mapping to write {path[-1]} into")
        if value is REMOVED:
            del parent[path[-1]]
            if not parent and isinstance(parent, CommentedMap):
                parent.fa.set_flow_style()  # `{}` on the key's own line: below its comment it would be no YAML
        else:
            parent[path[-1]] = value
    out = io.StringIO()
    yaml.dump(tree, out)
    return out.getvalue().encode()


# ---------------------------------------------------------------- comparison


def difference(old: str, new: str) -> tuple[ValueChange, ...]:
    """What the text of a profile says otherwise than an older one, key by key; comments and layout do not count.

    Neither needs to be valid: a locked one may be of another version of this package.
    """
    return () if old == new else changes(_plain(old), _plain(new))


def changes(old: Any, new: Any) -> tuple[ValueChange, ...]:
    """The values in which two JSON-ready documents differ, by dotted key; None where one has no such key."""
    left, right = dict(_leaves(old)), dict(_leaves(new))
    return tuple(
        ValueChange(key, left.get(key), right.get(key))
        for key in sorted({*left, *right})
        if left.get(key) != right.get(key)
    )


def _plain(text: str) -> Any:
    return document(strict_files.read_yaml(text.encode()).value)


def _leaves(value: Any, path: strict_files.Path = ()) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and (value or not path):
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    else:
        yield dotted(path), value
