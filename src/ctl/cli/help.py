"""`--help` as the screens are: plain words, wrapped at the width at hand, choices under the option they belong to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Final, TypeVar, get_args

import typer
import typer.core

from ctl.cli import screens
from ctl.cli.screens import Terminal

Body = TypeVar("Body", bound=Callable[..., Any])
BEGIN, WEEK, PROVE, LOCK = "begin", "every week", "certify", "lock and decide"
DATA, RUNS, TRY = "data", "runs and schedule", "try out, apart from the gate"
PANELS: Final = (BEGIN, WEEK, PROVE, LOCK, DATA, RUNS, TRY)
"""The parts of `ctl --help`, in the order that a new user needs them."""

_WIDTH: Final = 80  # of help that no terminal reads
_LEFT: Final = 27
_MARKUP: Final = re.compile(r"\[/?(?:bold|cyan)\]")
_COMMAND: Final = re.compile(r"(.*?)\[cyan\](.*?)\[/cyan\](.*)", re.DOTALL)
_KINDS: Final = {int: "N", float: "X", Path: "PATH", str: "TEXT"}


class Commands(typer.Typer):
    """A group of commands whose help is drawn here."""

    def __init__(self, **options: Any) -> None:
        super().__init__(cls=_Group, **options)

    def command(self, name: str | None = None, **options: Any) -> Callable[[Body], Body]:
        """As Typer's."""
        return super().command(name, cls=_Command, **options)


class _Command(typer.core.TyperCommand):
    def format_help(self, ctx: Any, formatter: Any) -> None:
        _write(self, ctx, formatter)


class _Group(typer.core.TyperGroup):
    def format_help(self, ctx: Any, formatter: Any) -> None:
        _write(self, ctx, formatter)


def _write(command: Any, context: Any, formatter: Any) -> None:
    found = screens.terminal()
    on = Terminal(min(found.width or _WIDTH, 100), colour=found.colour)
    formatter.write("\n".join(_lines(command, context, on)))


def _lines(command: Any, context: Any, on: Terminal) -> Iterator[str]:
    yield from _text(command.help or "", on)
    parameters = command.get_params(context)
    takes = [_metavar(item) for item in parameters if item.param_type_name == "argument"]
    if hasattr(command, "commands"):
        takes.append("COMMAND ...")
    yield from ("", *screens.wrapped(" ".join([context.command_path, "[OPTIONS]", *takes]), on, first="usage: "))
    described = [(_metavar(item), item.help) for item in parameters if item.param_type_name == "argument" and item.help]
    yield from _listed("arguments", described, on)
    for panel, items in groupby(_commands(command), key=lambda item: item.rich_help_panel or "commands"):
        yield from _listed(panel, [(item.name, _first_sentence(item.help or "")) for item in items], on)
    options = [(_names(item), _described(item, context)) for item in parameters if item.param_type_name == "option"]
    yield from _listed("options", options, on)
    if command.epilog:
        yield from ("", *screens.wrapped(command.epilog, on))


def _commands(command: Any) -> list[Any]:
    shown = [item for item in getattr(command, "commands", {}).values() if not item.hidden]
    return sorted(shown, key=lambda item: PANELS.index(item.rich_help_panel) if item.rich_help_panel else 0)


def _text(text: str, on: Terminal) -> Iterator[str]:
    """The paragraphs of a docstring; a command to paste stands on a line of its own."""
    for number, paragraph in enumerate(text.strip().split("\n\n")):
        if number:
            yield ""
        example = _COMMAND.fullmatch(paragraph)
        if example is None:
            yield from screens.wrapped(_MARKUP.sub("", " ".join(paragraph.split())), on)
            continue
        before, words, after = (" ".join(part.replace("\\\n", " ").split()) for part in example.groups())
        yield before
        yield from _command_lines(words, on)
        if after.strip(" ."):
            yield from screens.wrapped(after.lstrip(". "), on)


def _command_lines(words: str, on: Terminal) -> Iterator[str]:
    """A command, continued by a backslash where it is too long for a line; broken before options alone."""
    line = " "
    for part in re.split(r" (?=--|&&)", words):
        if len(line) > 1 and on.width is not None and len(line) + len(part) + 3 > on.width:
            yield f"{line} \\"
            line = "   "
        line += f" {part}"
    yield line


def _listed(title: str, rows: list[tuple[str, str]], on: Terminal) -> Iterator[str]:
    if not rows:
        return
    yield from ("", f"{title}:")
    width = min(max(len(name) for name, _ in rows) + 4, _LEFT)
    for name, text in rows:
        head = f"  {name}".ljust(width)
        if len(name) + 4 > width:
            yield f"  {name}"
            head = " " * width
        yield from screens.wrapped(text, on, first=head, indent=" " * width)


def _first_sentence(text: str) -> str:
    paragraph = _MARKUP.sub("", " ".join(text.strip().split("\n\n")[0].split()))
    return re.split(r"(?<=[.?]) ", paragraph)[0].rstrip(".")


def _metavar(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    if name.startswith("["):
        return str(name)
    name = name if argument.required else f"[{name}]"
    return f"{name}..." if argument.nargs == -1 else str(name)


def _names(option: Any) -> str:
    names = sorted((*option.opts, *option.secondary_opts), key=lambda name: (name.startswith("--"),))
    if option.is_flag:
        return ", ".join(names)
    chosen = option.opts[0].rpartition("-")[2].upper()
    return f"{', '.join(names)} {option.metavar or _KINDS.get(_kind(option), chosen)}"


def _kind(option: Any) -> Any:
    """The type of a value; of one of several where the option is repeatable."""
    kind = option.type_descriptor.annotation
    return get_args(kind)[0] if option.multiple else kind


def _described(option: Any, context: Any) -> str:
    """The help of an option, then its choices, its range, its default and its environment variable."""
    said = [(option.help or "").rstrip(".")]
    choices = option.type_descriptor.choices if option.type_descriptor.is_choice else ()
    if choices:
        said.append(f"One of: {', '.join(getattr(item, 'value', item) for item in choices)}")
    said.append(_range(option))
    default = option.get_default(context)
    if default not in (None, False, "", ()) and not option.multiple and not callable(default):
        said.append(f"Default: {getattr(default, 'value', default)}")
    if option.envvar and option.show_envvar:
        said.append(f"Environment: {option.envvar}")
    if option.required:
        said.append("Required")
    return ". ".join(filter(None, said)) + "."


def _range(option: Any) -> str:
    low, high = option.min, option.max
    if high is not None:
        return f"{low:,} to {high:,}"
    return "" if low is None else f"At least {low:,}"


def what_is_wrong(error: Any) -> str:
    """What the parser says of a value, without the words of the library that looked at it."""
    option, cause = getattr(error, "param", None), error.__cause__
    if option is not None and hasattr(cause, "errors") and _kind(option) in (int, float):
        kind = "a whole number" if _kind(option) is int else "a number"
        within = _range(option)
        expected = f"{kind} from {within}" if " to " in within else f"{kind} {within[:1].lower()}{within[1:]}".rstrip()
        return f"{option.opts[0]}: found {str(cause.errors()[0]['input'])!r}; expected {expected}"
    message = " ".join(error.format_message().split()).rstrip(".").replace("Value error, ", "")
    return message[:1].lower() + message[1:]
