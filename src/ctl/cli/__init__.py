"""The command line: arguments, output and exit codes; nothing else.

Nothing heavy is imported here, so that `ctl --help` answers at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from ctl.errors import EXIT_ERROR, EXIT_OK, EXIT_USAGE, CtlError, ProfileError

_LISTS = frozenset({"--contracts"})


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 error, 2 refused by the gate, 64 usage.

    Errors are one readable line on stderr; `--debug` anywhere adds the traceback.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    try:
        return _run(_spread([word for word in arguments if word != "--debug"]))
    except ProfileError as error:
        if not error.problems:
            _complain(str(error), debug)
            return error.exit_code
        count = len(error.problems)
        _complain(f"the operating profile cannot be used: {count} problem{'s' if count > 1 else ''}", debug)
        for problem in error.problems:
            print(f"  {problem}", file=sys.stderr)
        return error.exit_code
    except CtlError as error:
        _complain(str(error), debug)
        return error.exit_code
    except BrokenPipeError:
        # The reader of our output has gone; the interpreter must not complain about it a second time.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_ERROR
    except KeyboardInterrupt:
        print("ctl: interrupted", file=sys.stderr)
        return 130
    except Exception as error:  # noqa: BLE001 - the outermost frame: every error becomes one line and exit 1
        hint = "" if debug else "; run again with --debug for the traceback"
        _complain(f"unexpected {type(error).__name__}: {' '.join(str(error).split()) or 'no message'}{hint}", debug)
        return EXIT_ERROR


def _run(arguments: list[str]) -> int:
    import typer

    from ctl.cli.app import app

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
        message = " ".join(error.format_message().split()).rstrip(".")
        print(f"{path}: {message[:1].lower()}{message[1:]}; see `{path} --help`", file=sys.stderr)
        return EXIT_USAGE
    return code if isinstance(code, int) else EXIT_OK


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
