"""Run the command line so that every failure is one line with an exit code.

At their tops the commands import only click and what is as light: ``pi-mask --help`` stays quick. They are
imported within ``main``, so that Ctrl-C is answered properly even then.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn, TextIO

from pi_mask.errors import PiMaskError, messages

if TYPE_CHECKING:
    import click

_FAILURE = 1
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and exit with its code.

    Args:
        arguments: In place of ``sys.argv[1:]``.
    """
    try:
        # Both are None where the shell closed them (>&- 2>&-).
        sys.stdout = sys.stdout or _nowhere()
        sys.stderr = sys.stderr or _nowhere()
        # A file's name need not be text; it must not be the name that fails.
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        code = _run(arguments)
    except KeyboardInterrupt:
        code = _failed(["Interrupted."], _INTERRUPTED)
    except PiMaskError as error:
        code = _failed(messages(error), error.exit_code)
    except Exception as error:  # the last resort before a traceback
        text = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")
        code = _failed([f"{text}. This is a bug; run it with PI_MASK_DEBUG=1 and report it."], _FAILURE)
    sys.exit(code)


def _nowhere() -> TextIO:
    return open(os.devnull, "w")  # noqa: PTH123 pathlib would be imported for it


def _run(arguments: Sequence[str] | None) -> int:
    import click

    from pi_mask.commands.group import cli
    from pi_mask.commands.streams import unwritable

    try:
        code = cli.main(args=arguments, prog_name="pi-mask", standalone_mode=False)
    except click.Abort as error:  # click's name for KeyboardInterrupt
        raise KeyboardInterrupt from error
    except click.ClickException as error:
        return _failed([_usage(error)], error.exit_code)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise unwritable(error) from error  # click's own help or version: what we write says so itself
    return code if isinstance(code, int) else 0


def _failed(lines: Sequence[str], code: int) -> int:
    from pi_mask.commands.streams import is_debugging, tell

    if is_debugging():
        import traceback

        traceback.print_exc()
    for line in lines:
        tell(f"Error: {line}")
    return code


def _usage(error: click.ClickException) -> str:
    """What click found wrong, on one line, with the help to look at."""
    message = " ".join(error.format_message().split())
    end = "" if message.endswith((".", "?")) else "."
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "pi-mask"
    return f'{message}{end} Run "{command} --help".'
