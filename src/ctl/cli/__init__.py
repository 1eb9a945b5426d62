"""The command line: arguments, output and exit codes; nothing else.

Nothing heavy is imported here, so that `ctl --help` answers at once.
"""

from __future__ import annotations

import gc
import io
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ctl import stopping
from ctl.cli import screens
from ctl.cli.screens import documents
from ctl.errors import EXIT_ERROR, EXIT_OK, EXIT_USAGE, CtlError
from ctl.stopping import Stopped

_LISTS = frozenset({"--contracts"})
_ANYWHERE = frozenset({"--debug", "--ascii", "--no-color", "--quiet", "--verbose"})
_SUGGESTION = re.compile(r"(?:\.? Did you mean:? (?:one of:? )?|\.? \(Possible options: )(.*?)[)?]*$")
_INTERRUPTED = 130
_SIGNALLED = 128
_ALLOCATIONS_PER_COLLECTION = 50_000


def script(argv: Sequence[str] | None = None) -> int:
    """`main` of a process that does nothing else: the console script's and the scheduler's.

    A command's imports alone allocate enough to set off hundreds of collections that find nothing, and the one
    at exit looks through all of it once more: together a fifth of a weekly run. So collections are rarer, and what
    lives when the command has ended is left to the operating system.
    """
    gc.set_threshold(_ALLOCATIONS_PER_COLLECTION, 20, 50)
    code = main(argv)
    gc.freeze()
    return code


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 error, 2 refused by the gate, 64 usage, 128 + a signal.

    Errors are one readable line on stderr; `--debug` anywhere adds the traceback. `--ascii`, `--no-color`,
    `--quiet` and `--verbose`, allowed anywhere too, are how screens are drawn.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    documents.set(0)
    try:
        with stopping.stoppable():
            code = _main(arguments)
            if code < _SIGNALLED:
                stopping.check()  # one that was swallowed
    except Stopped as stop:
        _complain(f"{stopping.CODE}: {stop}", debug=False)
        return _documented(arguments, stop.exit_code, stopping.CODE, str(stop))
    return code


def _main(arguments: list[str]) -> int:
    debug = "--debug" in arguments
    screens.ascii_only.set("--ascii" in arguments)
    screens.colourless.set("--no-color" in arguments)
    screens.quiet.set("--quiet" in arguments)
    screens.verbose.set("--verbose" in arguments)
    screens.words.set(tuple(word for word in arguments if word not in _ANYWHERE))
    _make_streams_usable()
    try:
        code = _run(_spread([word for word in arguments if word not in _ANYWHERE]))
        sys.stdout.flush()  # here a full disk is still an error with its line, not a complaint at exit
    except CtlError as error:
        _complain(f"{len(error.problems)} problems" if len(error.problems) > 1 else str(error), debug)
        for problem in error.problems[1:] and error.problems:
            print(f"  {problem}", file=sys.stderr)
        if error.exit_code == EXIT_USAGE:
            _ping_unless_begun(arguments, str(error))
        return _documented(arguments, error.exit_code, error.code, str(error), error)
    except BrokenPipeError:
        drop_output()
        _complain("the output's reader has gone", debug)
        return EXIT_ERROR
    except OSError as error:
        if error.filename is None:
            drop_output()
        where = "the output, or the current folder" if error.filename is None else str(error.filename)
        text = f"{where}: {error.strerror or type(error).__name__}"
        if isinstance(error, PermissionError):
            text += "; mend its permissions, or those of its folder"
        _complain(text, debug)
        return EXIT_ERROR if error.filename is None else _documented(arguments, EXIT_ERROR, "FILE_UNUSABLE", text)
    except KeyboardInterrupt:
        code = _INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the outermost frame: every error becomes one line and exit 1
        hint = "" if debug else "; run again with --debug for the traceback"
        text = f"unexpected {type(error).__name__}: {' '.join(str(error).split()) or 'no message'}"
        _complain(f"{text}{hint}", debug)
        return _documented(arguments, EXIT_ERROR, "UNEXPECTED", text)
    if code == _INTERRUPTED:
        print("ctl: interrupted", file=sys.stderr)
    return code


def _documented(arguments: Sequence[str], exit_code: int, code: str, text: str, error: CtlError | None = None) -> int:
    """The exit code; under `--json`, where the command has printed no document of its own, the error's is printed."""
    if "--json" in arguments and not documents.get():
        from ctl.cli import output
        from ctl.model.documents import document
        from ctl.model.failure import Failure

        made = Failure(code=code, message=text, exit_code=exit_code) if error is None else Failure.of(error)
        with suppress(OSError):  # nobody reads it any more
            output.print_json(document(made))
            sys.stdout.flush()
    return exit_code


def _make_streams_usable() -> None:
    """Where nobody listens, write to nowhere; where an encoding lacks a character, write another one."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - lives as long as we do
        elif isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="replace")


def drop_output() -> None:
    """Send what is still to be written nowhere: the interpreter must not complain about it a second time."""
    with suppress(OSError):  # a stream that is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(arguments: list[str]) -> int:
    import typer

    from ctl.cli.app import app
    from ctl.cli.help import what_is_wrong

    # click's own, or that of the copy of click which newer typers carry
    usage_error: type[Any] = typer.BadParameter.__bases__[0]
    try:
        code = typer.main.get_command(app).main(arguments, prog_name="ctl", standalone_mode=False)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except usage_error as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            return EXIT_USAGE  # the help text has been printed by its constructor's caller
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "ctl"
        message = f"{path}: " + _SUGGESTION.sub(r"; nearest \1", what_is_wrong(error))
        print(f"{message}; see `{path} --help`", file=sys.stderr)
        _ping_unless_begun(arguments, message)
        return _documented(arguments, EXIT_USAGE, "USAGE", message)
    return code if isinstance(code, int) else EXIT_OK


def _ping_unless_begun(arguments: Sequence[str], problem: str) -> None:
    """Tell the dead-man's switch of a weekly cycle that was called wrongly; it has not come to tell it itself."""
    url = os.environ.get("CTL_OPS_PING_URL")
    if url and next((word for word in arguments if not word.startswith("-")), None) == "ops":
        from ctl import ops_notifier

        failed = ops_notifier.ping(url, "failure", body=problem)
        if failed is not None:
            print(f"ctl ops: the dead-man's switch was not told of the failure: {failed}", file=sys.stderr)


def _spread(arguments: list[str]) -> list[str]:
    """`--contracts a b c` as the repeated option that the parser knows: a shell's glob gives one list."""
    spread: list[str] = []
    taking: str | None = None
    first = False
    for word in arguments:
        if word in _LISTS:
            taking, first = word, True
            spread.append(word)
        elif taking is None or word.startswith("-"):
            taking = None
            spread.append(word)
        elif first:
            first = False
            spread.append(word)
        else:
            spread += [taking, word]
    return spread


def _complain(message: str, debug: bool) -> None:
    if debug:
        import traceback

        traceback.print_exc()
    print(f"ctl: {message}", file=sys.stderr)
