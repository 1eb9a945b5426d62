"""YAML for files that people edit and machines trust: plain values, and the line of every key.

Stricter than YAML itself: one document, UTF-8, no aliases, no tags, no duplicate keys, bounded size,
depth and count. Plain scalars are null, booleans, decimal numbers, ISO dates or strings; keys are
always strings. This module imports no sibling.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

MAX_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 16
MAX_NODES: Final = 100_000

Path = tuple[str | int, ...]

_INTEGER = re.compile(r"[-+]?\d{1,18}")
_FLOAT = re.compile(r"[-+]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][-+]?\d{1,4})?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_SPECIAL: Final[dict[str, bool | float | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf"), float("inf")),
    "-.inf": float("-inf"),
}


@dataclass(frozen=True, slots=True)
class YamlProblem:
    """One thing wrong with the text: `line` counts from 1, `key` is dotted (empty for the document)."""

    line: int
    key: str
    found: str
    expected: str


@dataclass(frozen=True, slots=True)
class YamlTree:
    """Plain values, the line of every key and item, and what was wrong with the text."""

    value: Any
    lines: dict[Path, int]
    problems: tuple[YamlProblem, ...]

    def line_of(self, path: Path) -> int:
        """The line of `path`, or of its nearest ancestor that stands in the text."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def dotted(path: Path) -> str:
    """`symbol_settings.ES.tick_size`, `gating_universe[2]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def read(data: bytes) -> YamlTree:
    """Read one document. Never raises: what cannot be read is in `problems` (and `value` is then None)."""
    if len(data) > MAX_BYTES:
        return _unreadable(1, f"{len(data)} bytes", f"at most {MAX_BYTES} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        return _unreadable(line, f"byte {data[error.start]:#04x} that is not UTF-8", "UTF-8 text")
    return _Builder().read(text)


def _unreadable(line: int, found: str, expected: str) -> YamlTree:
    return YamlTree(None, {}, (YamlProblem(line, "", found, expected),))


@dataclass(slots=True)
class _Open:
    """A mapping or sequence being filled; `key` is the key whose value comes next."""

    path: Path
    value: dict[str, Any] | list[Any]
    key: str | None = None
    discard: bool = False


class _Builder:
    """Fills plain values from the event stream, without recursion."""

    def __init__(self) -> None:
        self.lines: dict[Path, int] = {}
        self.problems: list[YamlProblem] = []
        self.stack: list[_Open] = []
        self.root: Any = None
        self.nodes = 0
        self.documents = 0

    def read(self, text: str) -> YamlTree:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import MarkedYAMLError, YAMLError

        line = 0
        try:
            for event in YAML(typ="safe", pure=True).parse(text):
                line = event.start_mark.line
                if not self._take(event, line + 1):
                    break
        except YAMLError as error:
            mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
            reason = getattr(error, "problem", None) or type(error).__name__
            return _unreadable((mark.line if mark else line) + 1, f"text that is not YAML ({reason})", "YAML")
        except (ValueError, TypeError, AttributeError, AssertionError, LookupError, NotImplementedError) as error:
            # The parser has paths for malformed text that end in these.
            return _unreadable(line + 1, f"text that is not YAML ({type(error).__name__})", "YAML")
        if self.documents == 0 and not self.problems:
            return _unreadable(1, "an empty file", "a document")
        return YamlTree(self.root, self.lines, tuple(self.problems))

    def _take(self, event: Any, line: int) -> bool:
        """Add one event; False ends the reading because going on is unsafe or pointless."""
        kind = type(event).__name__
        if kind == "DocumentStartEvent":
            self.documents += 1
            return self.documents == 1 or self._refuse(line, "a second document", "one document")
        if kind in {"MappingEndEvent", "SequenceEndEvent"}:
            self.stack.pop()
            return True
        if kind not in {"ScalarEvent", "AliasEvent", "MappingStartEvent", "SequenceStartEvent"}:
            return True
        self.nodes += 1
        if self.nodes > MAX_NODES:
            return self._refuse(line, f"more than {MAX_NODES} values", "a file that a person wrote")
        if kind == "AliasEvent":
            return self._refuse(line, f"the alias *{event.anchor}", "the value written out")
        if event.tag is not None:
            return self._refuse(line, f"the tag {event.tag}", "a plain value")
        if kind == "ScalarEvent":
            self._scalar(event, line)
            return True
        return self._container({} if kind == "MappingStartEvent" else [], line)

    def _scalar(self, event: Any, line: int) -> None:
        top = self.stack[-1] if self.stack else None
        if top is not None and isinstance(top.value, dict) and top.key is None:
            self._key(top, event.value, line)
            return
        plain = event.style is None
        self._place(_plain(event.value) if plain else event.value, line)

    def _key(self, top: _Open, key: str, line: int) -> None:
        top.key = key
        top.discard = key in top.value
        if top.discard:
            first = self.lines[(*top.path, key)]
            self.problems.append(
                YamlProblem(line, dotted((*top.path, key)), f"a duplicate key (first on line {first})", "each key once")
            )
        else:
            self.lines[(*top.path, key)] = line

    def _container(self, value: dict[str, Any] | list[Any], line: int) -> bool:
        if len(self.stack) >= MAX_DEPTH:
            return self._refuse(line, f"more than {MAX_DEPTH} levels of nesting", "a flatter document")
        top = self.stack[-1] if self.stack else None
        if top is not None and isinstance(top.value, dict) and top.key is None:
            return self._refuse(line, "a list or mapping as a key", "a name")
        path = self._place(value, line)
        self.stack.append(_Open(path, value))
        return True

    def _place(self, value: Any, line: int) -> Path:
        if not self.stack:
            self.root = value
            self.lines[()] = line
            return ()
        top = self.stack[-1]
        if isinstance(top.value, dict):
            key = top.key or ""
            top.key = None
            if top.discard:
                return (*top.path, key, "(duplicate)")
            top.value[key] = value
            return (*top.path, key)
        top.value.append(value)
        path = (*top.path, len(top.value) - 1)
        self.lines[path] = line
        return path

    def _refuse(self, line: int, found: str, expected: str) -> bool:
        path: Path = ()
        if self.stack:
            top = self.stack[-1]
            path = (*top.path, top.key) if top.key is not None else top.path
        self.problems.append(YamlProblem(line, dotted(path), found, expected))
        self.root = None
        return False


def _plain(text: str) -> Any:
    """The value of an unquoted scalar."""
    if text in _SPECIAL:
        return _SPECIAL[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _DATE.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            return text
    return text
