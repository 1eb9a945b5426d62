"""Files that people edit, read strictly: YAML and TOML, every problem at once, each with line and key.

Only a regular file of bounded size is read, so that a FIFO, a device or a sparse file is refused at once.
Stricter than the formats themselves: UTF-8, no duplicate keys, bounded depth; of YAML one document without aliases and
tags, its plain scalars null, booleans, decimal numbers, ISO dates or strings, its keys strings.
What a file may say is a model (`Strict`): a field's description says what is expected of its value. A problem reads
`file:line: key: found X; expected Y`.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, time
from errno import EFBIG, EINVAL, EISDIR
from pathlib import Path as FilePath
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Final, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError, core_schema

from ctl.errors import CtlError, one_of

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler

MAX_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 16
MAX_NODES: Final = 100_000
MAX_DIGITS: Final = 40

Path = tuple[str | int, ...]
Rule = tuple[Path, str, str]
"""A path, what was found there, what was expected."""


# ---------------------------------------------------------------- bytes


@contextmanager
def opened(path: FilePath, most: int = MAX_BYTES) -> Iterator[BinaryIO]:
    """A regular file of at most `most` bytes, open for reading; nothing else is waited for or read.

    Raises OSError, its strerror saying what the file is instead: a folder, a FIFO, a device, too large.
    """
    try:
        _require_regular(path, path.stat(), most)  # opening a device can itself have an effect
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except ValueError as error:
        raise OSError(EINVAL, f"no usable file name ({error})", str(path)) from error
    with os.fdopen(handle, "rb") as file:
        _require_regular(path, os.fstat(handle), most)
        yield file


def read_bytes(path: FilePath, most: int = MAX_BYTES) -> bytes:
    """The bytes of a file as `opened`, which may not have grown beyond `most` meanwhile."""
    with opened(path, most) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(EFBIG, f"more than the {most} bytes that such a file may have", str(path))
    return data


def _require_regular(path: FilePath, found: os.stat_result, most: int) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(EISDIR, "a folder, no file", str(path))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(EINVAL, f"{_KINDS.get(stat.S_IFMT(found.st_mode), 'a device')}, no regular file", str(path))
    if found.st_size > most:
        raise OSError(EFBIG, f"{found.st_size} bytes, more than the {most} that such a file may have", str(path))


_KINDS: Final = {stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}


# ---------------------------------------------------------------- models


class Strict(BaseModel):
    """What a file may say. Unknown keys, other types and numbers that are not finite are refused."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, arbitrary_types_allowed=True
    )


def expected(text: str, found: str | None = None, *, at: Path = ()) -> PydanticCustomError:
    """The error that a model's validator raises. found: where not the value itself; at: below the value."""
    return PydanticCustomError("expected", "{expected}", {"expected": text, "found": found, "at": at})


@dataclass(frozen=True, slots=True)
class ReadAs:
    """Says of a field that the file holds `model`, and the program what `make` makes of it."""

    model: type[Strict]
    make: Callable[[Any], Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self.make, handler.generate_schema(self.model))


M = TypeVar("M", bound=Strict)


def read_model(
    data: bytes,
    name: str,
    model: type[M],
    refuse: type[CtlError],
    *,
    rules: Callable[[dict[str, Any]], Iterable[Rule]] = lambda raw: (),
    context: Mapping[str, Any] | None = None,
) -> tuple[M, dict[str, Any]]:
    """The bytes of the file `name` as `model`, and as plain values; a name in `.toml` is TOML, any other YAML.

    rules: what the keys say against each other, of plain values that the model may have refused. context: for the
    model's validators. Raises `refuse` with every problem.
    """
    tree = read_toml(data) if name.endswith(".toml") else read_yaml(data)
    problems = list(tree.problems)
    parsed: M | None = None
    if tree.value is not None or not problems:
        if isinstance(tree.value, dict):
            try:
                parsed = model.model_validate(tree.value, context=dict(context or {}))
            except ValidationError as error:
                problems += _model_problems(error, model, tree)
            problems += [Problem(tree.line_of(path), dotted(path), *said) for path, *said in rules(tree.value)]
        else:
            problems.append(Problem(1, "", shown(tree.value), "a mapping of keys"))
    if problems or parsed is None:
        raise refusal(name, problems, refuse)
    return parsed, tree.value


def refusal(name: str, problems: Iterable[Problem], refuse: type[CtlError]) -> CtlError:
    """The error that says every problem of the file `name`, each once, by line."""
    ordered = sorted(dict.fromkeys(problems), key=lambda item: (item.line, item.key))
    lines = tuple(
        printable(
            f"{name}:{item.line}: {item.key + ': ' if item.key else ''}found {item.found}; expected {item.expected}"
        )
        for item in ordered
    )
    return refuse.of_problems(lines)


def _model_problems(error: ValidationError, model: type[BaseModel], tree: Tree) -> Iterator[Problem]:
    """Pydantic's errors in the file's words."""
    for item in error.errors(include_url=False):
        path = tuple(part for part in item["loc"] if not str(part).startswith("<"))  # <...>: labels of unions
        context = item.get("ctx", {})
        match item["type"]:
            case "extra_forbidden":
                found, wanted = "an unknown key", one_of(str(path[-1]), _keys_of(model, path[:-1]))
            case "missing":
                found, wanted = "nothing", _wanted(model, path)
            case "expected":
                path = (*path, *context["at"])
                found, wanted = context["found"] or shown(item["input"]), context["expected"]
            case _:
                while path and path not in tree.lines:  # the names of a union's alternatives
                    path = path[:-1]
                found, wanted = shown(item["input"]), _wanted(model, path)
        yield Problem(tree.line_of(path), dotted(path), found, wanted)


def _wanted(model: type[BaseModel], path: Path) -> str:
    """The description of the field at `path`, or of the nearest one above it that has one."""
    said = "a valid value"
    for holder, name in _walk(model, path):
        info = _by_key(holder).get(name)
        said = (info.description if info else None) or said
    return said


def _keys_of(model: type[BaseModel], path: Path) -> tuple[str, ...]:
    """The keys that the mapping at `path` may have."""
    for holder, name in _walk(model, (*path, "")):
        if name == "":
            return tuple(_by_key(holder))
    return ()


def _by_key(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """A model's fields by the keys that the file has: `from`, whose field cannot bear that name."""
    return {info.alias or name: info for name, info in model.model_fields.items()}


def _walk(model: type[BaseModel], path: Path) -> Iterator[tuple[type[BaseModel], str]]:
    """Each model on the way along `path` with the key that is asked of it."""
    here: Any = model
    for part in path:
        if isinstance(here, type) and issubclass(here, BaseModel):
            yield here, str(part)
            info = _by_key(here).get(str(part))
            if info is None:
                return
            here = _meant(info.annotation, info.metadata)
        else:  # a mapping or a list: its values
            values = [item for item in get_args(here) if item is not Ellipsis]
            here = _meant(values[-1]) if values else None


def _meant(annotation: Any, extras: Sequence[Any] = ()) -> Any:
    """What the file holds: `Lock` of `Lock | None`, the model of a `ReadAs`."""
    if get_origin(annotation) is Annotated:
        first, *extras = get_args(annotation)
        return _meant(first, extras)
    if get_origin(annotation) in {Union, UnionType}:
        return _meant(next(item for item in get_args(annotation) if item is not type(None)))
    return next((extra.model for extra in extras if isinstance(extra, ReadAs)), annotation)


# ---------------------------------------------------------------- what is found


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the text: `line` counts from 1, `key` is dotted (empty for the document)."""

    line: int
    key: str
    found: str
    expected: str


@dataclass(frozen=True, slots=True)
class Tree:
    """Plain values, the line of every key and item, and what was wrong with the text."""

    value: Any
    lines: Mapping[Path, int]
    problems: tuple[Problem, ...]

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


def shown(value: Any) -> str:
    """A value as it may stand in a one-line message."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case dict():
            return "a mapping"
        case list():
            return "a list" if value else "an empty list"
        case date() | time():
            return value.isoformat()
    with suppress(ValueError):  # a whole number of thousands of digits has no text
        text = repr(value)
        return text if len(text) <= 80 else f"{text[:77]}..."
    return "a number of thousands of digits"


def printable(text: str) -> str:
    """`text` with what would break a line or drive a terminal written as escapes."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _text(data: bytes) -> str | Tree:
    """The text of a file, or why it has none."""
    if len(data) > MAX_BYTES:
        return _unreadable(1, f"{len(data)} bytes", f"at most {MAX_BYTES} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        return _unreadable(line, f"byte {data[error.start]:#04x} that is not UTF-8", "UTF-8 text")


def _unreadable(line: int, found: str, wanted: str, key: str = "") -> Tree:
    return Tree(None, {}, (Problem(line, key, found, wanted),))


# ---------------------------------------------------------------- TOML


def read_toml(data: bytes) -> Tree:
    """Read a TOML document. Never raises: what cannot be read is in `problems` (and `value` is then None)."""
    text = _text(data)
    if isinstance(text, Tree):
        return text
    places = _TomlPlaces(text.replace("\r\n", "\n"))
    if places.problem is not None:
        return Tree(None, {}, (places.problem,))
    try:
        return Tree(tomllib.loads(text), places.lines, ())
    except RecursionError:
        return _unreadable(1, "endless nesting", f"at most {MAX_DEPTH} levels")
    except ValueError as error:
        at = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", str(error))
        said = str(error)[: at.start()] if at else str(error)
        line = int(at[1]) if at and at[1] else text.count("\n") + 1
        return _unreadable(line, f"text that is not TOML ({said[:1].lower()}{said[1:]})", "TOML, each key once")


_TOML_TOKEN: Final = re.compile(
    r'''(?P<quoted>"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*')'''
    r"""|(?P<space>[ \t]+|\#[^\n]*)|(?P<end>\n)|(?P<mark>[\[\]{}=,.])|(?P<bare>[^\s"'#\[\]{}=,.]+|.)""",
    re.DOTALL,
)


@dataclass(slots=True)
class _TomlPlaces:
    """The line of every key and item of a TOML text; of one that is not TOML something, which nobody then asks for.

    `problem` is what must not reach the decoder: nesting and numbers without bound.
    """

    text: str
    lines: dict[Path, int] = field(default_factory=lambda: {(): 1})
    problem: Problem | None = None
    _tokens: Iterator[tuple[str, str, int]] = field(init=False)
    _now: tuple[str, str, int] = field(init=False)
    _tables: dict[Path, int] = field(default_factory=dict)  # how many [[tables]] of a name there are

    def __post_init__(self) -> None:
        self._tokens = self._tokenised()
        self._step()
        prefix: Path = ()
        while self._now[0] != "stop" and self.problem is None:
            if self._now[0] == "end":
                self._step()
            elif self._now[1] == "[":
                prefix = self._header()
            else:
                self._assignment(prefix)
                while self._now[0] not in {"end", "stop"}:
                    self._step()

    def _tokenised(self) -> Iterator[tuple[str, str, int]]:
        line = 1
        for found in _TOML_TOKEN.finditer(self.text):
            if found.lastgroup != "space":
                yield found.lastgroup or "", found[0], line
            line += found[0].count("\n")
        while True:
            yield "stop", "", line

    def _step(self) -> tuple[str, str, int]:
        """Leave the token under way; it is returned."""
        left = getattr(self, "_now", ("", "", 1))
        self._now = next(self._tokens)
        return left

    def _header(self) -> Path:
        self._step()
        many = self._now[1] == "["
        if many:
            self._step()
        named = self._key()
        path: Path = ()
        for number, part in enumerate(named, start=1):
            path = self._put(path, part)
            if many and number == len(named):
                self._tables[path] = self._tables.get(path, -1) + 1
            if path in self._tables:
                path = self._put(path, self._tables[path])
        while self._now[0] not in {"end", "stop"}:
            self._step()
        return path

    def _assignment(self, path: Path) -> None:
        for part in self._key():
            path = self._put(path, part)
        if self._now[1] == "=":
            self._step()
            self._value(path)

    def _key(self) -> list[str]:
        parts: list[str] = []
        while self._now[0] in {"bare", "quoted"} and self.problem is None:
            kind, text, line = self._step()
            parts.append(_toml_string(text) if kind == "quoted" else text)
            if len(parts) > MAX_DEPTH:
                self.problem = Problem(line, "", f"more than {MAX_DEPTH} levels of nesting", "a flatter document")
            if self._now[1] != ".":
                break
            self._step()
        return parts

    def _value(self, path: Path) -> None:
        _, text, line = self._now
        if text not in {"[", "{"}:
            self._scalar(path)
            return
        if len(path) > MAX_DEPTH:
            self.problem = Problem(line, dotted(path), f"more than {MAX_DEPTH} levels of nesting", "a flatter document")
            return
        closing, number = {"[": "]", "{": "}"}[text], 0
        self._step()
        while self._now[0] != "stop" and self._now[1] != closing and self.problem is None:
            if self._now[0] == "end" or self._now[1] == ",":
                self._step()
            elif closing == "}":
                before = self._now
                self._assignment(path)
                if self._now is before:
                    self._step()
            else:
                self._value(self._put(path, number))
                number += 1
        self._step()

    def _scalar(self, path: Path) -> None:
        size, line = 0, self._now[2]
        while self._now[0] in {"bare", "quoted"} or self._now[1] == ".":
            kind, text, _ = self._step()
            size += len(text) if kind == "bare" else 0
        if size > MAX_DIGITS:
            self.problem = Problem(
                line, dotted(path), f"a number or date of {size} characters", f"at most {MAX_DIGITS} characters"
            )
        if self._now[1] in {"=", "[", "{"}:
            self._step()  # not TOML: go on, the decoder says why

    def _put(self, path: Path, part: str | int) -> Path:
        self.lines.setdefault((*path, part), self._now[2])
        return (*path, part)


def _toml_string(text: str) -> str:
    with suppress(ValueError):
        return str(tomllib.loads(f"x = {text}")["x"])
    return text


# ---------------------------------------------------------------- YAML


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


def read_yaml(data: bytes) -> Tree:
    """Read one YAML document. Never raises: what cannot be read is in `problems` (and `value` is then None)."""
    text = _text(data)
    return text if isinstance(text, Tree) else _YamlBuilder().read(text)


@dataclass(slots=True)
class _Open:
    """A mapping or sequence being filled; `key` is the key whose value comes next."""

    path: Path
    value: dict[str, Any] | list[Any]
    key: str | None = None
    discard: bool = False


class _YamlBuilder:
    """Fills plain values from the event stream, without recursion."""

    def __init__(self) -> None:
        self.lines: dict[Path, int] = {}
        self.problems: list[Problem] = []
        self.stack: list[_Open] = []
        self.root: Any = None
        self.nodes = 0
        self.documents = 0

    def read(self, text: str) -> Tree:
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
        return Tree(self.root, self.lines, tuple(self.problems))

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
                Problem(line, dotted((*top.path, key)), f"a duplicate key (first on line {first})", "each key once")
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
        self.problems.append(Problem(line, dotted(path), found, expected))
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
