"""The lock file: what the machine derived when a profile was locked, with values, beside the profile.

`operating_profile_v1.lock.json` is written by `ctl lock` alone. Machines read it, so it is plain JSON without comments;
the decision log names its sha256.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from ctl.model.locked import LockedSymbol

MAX_BYTES: Final = 64 * 1024 * 1024
"""Of a lock file: some hundred times what 500 symbols need."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Strict:
    """Unknown keys and other types are refused."""

    __slots__ = ()
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class LockedText(_Strict):
    """The profile as locked: its file's path in the workspace, sha256 and text."""

    path: str
    sha256: Sha256
    text: str


@dataclass(frozen=True, slots=True)
class LockedStrategy(_Strict):
    """The strategy as locked.

    fingerprint: what it does on the packaged tape, computed by ctl. distribution, version, source: of a plug-in, the
    package that offers it and the sha256 of its code; None of what ships with ctl.
    """

    name: str
    fingerprint: Sha256
    distribution: str | None = None
    version: str | None = None
    source: Sha256 | None = None


@dataclass(frozen=True, slots=True)
class SessionRange(_Strict):
    """Digest of every bar of a symbol with first <= session <= last."""

    first: date
    last: date
    sha256: Sha256


@dataclass(frozen=True, slots=True)
class LockedSide(_Strict):
    """What a vendor's files held of a symbol: sha256 by file name, as a record, and a digest per range of sessions.

    bars: digest of the bars themselves, as they are kept beside the lock.
    """

    files: Mapping[str, Sha256]
    bars: Sha256
    sessions: tuple[SessionRange, ...]

    @property
    def last(self) -> date | None:
        """The locked last session; None where there was none."""
        return self.sessions[-1].last if self.sessions else None


@dataclass(frozen=True, slots=True)
class LockedTerms(_Strict):
    """What was known in advance of one contract; null where it was not. tick, currency: as its definition states."""

    last_trade: date | None = None
    first_notice: date | None = None
    tick: float | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class LockedInputs(_Strict):
    """The inputs that a symbol was certified from. reference: by series, `adjusted` and `unadjusted` where shipped.

    terms: of every contract that has bars, by name; of an equity none.
    """

    canonical: LockedSide
    reference: Mapping[str, LockedSide]
    terms: Mapping[str, LockedTerms] = field(default_factory=dict)

    @property
    def files(self) -> dict[str, str]:
        """Every file of both sides, sha256 by name."""
        return {name: sha for side in (self.canonical, *self.reference.values()) for name, sha in side.files.items()}

    def side(self, series: str) -> LockedSide | None:
        """What was locked of a table: `contracts` and `daily` are ours."""
        return self.canonical if series in ("contracts", "daily") else self.reference.get(series)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockFile(_Strict):
    """`operating_profile_v<N>.lock.json`.

    previous_head: digest of the decision log's newest entry before that of this lock; None where there was none.
    thresholds: the acceptance limits by policy. workspace: what turns prices into money or picks the data, by the keys
    of ctl.toml. symbols, inputs: by gating symbol.
    """

    kind: Literal["lock_file"] = "lock_file"
    schema_version: Literal[1] = 1
    previous_head: Sha256 | None
    profile: LockedText
    thresholds: Mapping[str, Any]
    strategy: LockedStrategy
    workspace: Mapping[str, Any]
    symbols: Mapping[str, LockedSymbol]
    inputs: Mapping[str, LockedInputs]


def lock_name(profile: str) -> str:
    """The lock file's name of a profile's: `operating_profile_v1.yaml` has `operating_profile_v1.lock.json`."""
    stem, dot, _ = profile.rpartition(".")
    return f"{stem if dot else profile}.lock.json"


def parse(data: bytes) -> LockFile:
    """A lock file's bytes. Raises ValueError, in one line with the place, for what is no lock file."""
    try:
        return _ADAPTER.validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{place + ': ' if place else ''}{first['msg']}") from None


_ADAPTER: Final = TypeAdapter(LockFile)
