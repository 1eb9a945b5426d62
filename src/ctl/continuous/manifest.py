"""Roll manifests as they are read: ours, and older shapes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from typing import Any, Final

from ctl.errors import InputError

INVERTED_ADJUSTMENT: Final = "INVERTED_ADJUSTMENT"

_OURS: Final = ("add", "difference")
_INVERTED: Final = "subtract"
_CONVENTION_KEYS: Final = (
    "convention", "adjustment_convention", "sign_convention", "adjustment_sign", "sign", "adjustment",
    "adjustment_method", "adjust", "method",
)  # fmt: skip
_ALIASES: Final[dict[str, tuple[str, ...]]] = {
    "roll_date": ("roll_date", "date", "session"),
    "gap_session": ("gap_session",),
    "known_at": ("known_at",),
    "from_contract": ("from_contract", "from", "old_contract", "old"),
    "to_contract": ("to_contract", "to", "new_contract", "new"),
    "from_close": ("from_close", "old_close"),
    "to_close": ("to_close", "new_close"),
    "gap": ("gap",),
    "cumulative_adjustment": ("cumulative_adjustment", "cumulative_adj"),
    "from_volume": ("from_volume",),
    "to_volume": ("to_volume",),
    "reason": ("reason",),
    "concurrent": ("concurrent",),
}
_CLOSE_TOLERANCE: Final = 1e-6
_LARGEST: Final = 1e15


@dataclass(frozen=True, slots=True)
class ManifestRoll:
    """One roll as a manifest states it; None where an older one is silent.

    gap and cumulative_adjustment have the sign that removes the jump (new close less old close), whatever
    convention the manifest was written in.
    """

    roll_date: date
    to_contract: str
    from_contract: str | None = None
    gap_session: date | None = None
    known_at: date | None = None
    from_close: float | None = None
    to_close: float | None = None
    gap: float | None = None
    cumulative_adjustment: float | None = None
    from_volume: tuple[int | None, ...] = ()
    to_volume: tuple[int | None, ...] = ()
    reason: str | None = None
    concurrent: bool | None = None


def read_manifest(data: bytes) -> tuple[dict[str, Any], list[ManifestRoll]]:
    """Header and rolls of a roll manifest; see `ctl.continuous.read_manifest`."""
    try:
        document = json.loads(data.decode("utf-8-sig"), parse_constant=_no_constant)
    except ValueError as error:
        raise InputError("not a roll manifest", found=str(error)[:120], expected="JSON") from error
    except RecursionError as error:
        raise InputError("not a roll manifest", found="endless nesting", expected="JSON") from error
    if isinstance(document, list):
        header: dict[str, Any] = {}
        entries = document
    elif isinstance(document, dict) and isinstance(document.get("rolls"), list):
        header = {key: value for key, value in document.items() if key != "rolls"}
        entries = document["rolls"]
    else:
        raise InputError(
            "not a roll manifest", found=type(document).__name__, expected="an object with `rolls`, or a list of rolls"
        )
    rolls = [_read_roll(entry, number) for number, entry in enumerate(entries, start=1)]
    for number, (earlier, later) in enumerate(pairwise(rolls), start=2):
        if later.roll_date < earlier.roll_date:
            raise InputError(
                "rolls of a manifest are not in order",
                where=f"roll {number}",
                found=f"{later.roll_date} after {earlier.roll_date}",
                expected="ascending dates",
            )
    if _is_inverted(header, entries, rolls):
        rolls = _upright(rolls)
        header = {
            **header,
            "findings": [
                *header.get("findings", []),
                {
                    "code": INVERTED_ADJUSTMENT,
                    "text": "the manifest subtracts its gaps: applied as written they double each jump instead of "
                    "removing it",
                },
            ],
        }
    return header, rolls


def _read_roll(entry: Any, number: int) -> ManifestRoll:
    where = f"roll {number}"
    if not isinstance(entry, dict):
        raise InputError("not a roll", where=where, found=type(entry).__name__, expected="an object")
    entry = _unpaired(entry)
    values = {
        field: next((entry[name] for name in names if entry.get(name) is not None), None)
        for field, names in _ALIASES.items()
    }
    roll_date, to_contract = _date(values["roll_date"], where), _text(values["to_contract"], "to_contract", where)
    if roll_date is None or to_contract is None:
        missing = "date" if roll_date is None else "new contract"
        raise InputError(f"a roll without its {missing}", where=where, expected="at least a date and a new contract")
    return ManifestRoll(
        roll_date=roll_date,
        to_contract=to_contract,
        from_contract=_text(values["from_contract"], "from_contract", where),
        gap_session=_date(values["gap_session"], where),
        known_at=_date(values["known_at"], where),
        from_close=_number(values["from_close"], "from_close", where),
        to_close=_number(values["to_close"], "to_close", where),
        gap=_number(values["gap"], "gap", where),
        cumulative_adjustment=_number(values["cumulative_adjustment"], "cumulative_adjustment", where),
        from_volume=_volumes(values["from_volume"], where),
        to_volume=_volumes(values["to_volume"], where),
        reason=_text(values["reason"], "reason", where),
        concurrent=values["concurrent"] if isinstance(values["concurrent"], bool) else None,
    )


def _unpaired(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry whose old and new contracts, or closes, stand in a list of two, with a key for each."""
    named = dict(entry)
    for key, parts in (("contracts", ("from_contract", "to_contract")), ("closes", ("from_close", "to_close"))):
        pair = entry.get(key)
        if isinstance(pair, list) and len(pair) == 2:
            named.update({part: value for part, value in zip(parts, pair, strict=True) if part not in entry})
    return named


def _is_inverted(header: Mapping[str, Any], entries: Iterable[Any], rolls: list[ManifestRoll]) -> bool:
    """Whether the gaps have the sign that doubles each jump: stated, or visible in every gap that has closes."""
    stated = [source.get(key) for source in (header, *entries) for key in _CONVENTION_KEYS]
    words = {word.strip().lower() for word in stated if isinstance(word, str)}
    if _INVERTED in words:
        return True
    if words & set(_OURS):
        return False
    judged = [
        (roll.gap, roll.to_close - roll.from_close)
        for roll in rolls
        if roll.gap is not None and roll.from_close is not None and roll.to_close is not None
    ]
    moved = [(gap, jump) for gap, jump in judged if abs(jump) > _CLOSE_TOLERANCE * max(1.0, abs(gap))]
    return bool(moved) and all(abs(gap + jump) <= _CLOSE_TOLERANCE * max(1.0, abs(gap)) for gap, jump in moved)


def _upright(rolls: list[ManifestRoll]) -> list[ManifestRoll]:
    """The rolls of an inverted manifest with our sign: that of their closes where they tell, else the sign turned.

    What was cumulated with the wrong sign is summed anew; None where a gap is not stated.
    """
    upright: list[ManifestRoll] = []
    total: float | None = 0.0
    for roll in reversed(rolls):
        gap = roll.gap
        if gap is not None and roll.from_close is not None and roll.to_close is not None:
            jump = roll.to_close - roll.from_close
            gap = gap if abs(gap - jump) <= _CLOSE_TOLERANCE * max(1.0, abs(jump)) else -gap
        elif gap is not None:
            gap = -gap
        total = None if total is None or gap is None else total + gap
        upright.append(replace(roll, gap=gap, cumulative_adjustment=total))
    return upright[::-1]


def _date(value: Any, where: str) -> date | None:
    if value is None:
        return None
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError as error:
        raise InputError("not a date", where=where, found=repr(value)[:40], expected="YYYY-MM-DD") from error


def _text(value: Any, field: str, where: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise InputError(f"{field} is no text", where=where, found=repr(value)[:40])


def _number(value: Any, field: str, where: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST:
        raise InputError(f"{field} is no finite number", where=where, found=str(value)[:40])
    return float(value)


def _volumes(value: Any, where: str) -> tuple[int | None, ...]:
    if value is None:
        return ()
    values = value if isinstance(value, list) else [value]
    if any(isinstance(item, bool) or not isinstance(item, int | None) for item in values):
        raise InputError("volumes are no whole numbers", where=where, found=repr(value)[:40])
    return tuple(values)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")
