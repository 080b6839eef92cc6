"""End a training command with one line and an exit code, as pi-mask itself does."""

from __future__ import annotations

from typing import Any

import click

from pi_mask.commands.streams import is_debugging, tell
from pi_mask.errors import PiMaskError

_INTERRUPTED = 130


class _Failure(click.ClickException):
    """An error of ours with its own exit code."""

    def __init__(self, error: PiMaskError) -> None:
        super().__init__(str(error))
        self.exit_code = error.exit_code  # type: ignore[misc]  # click reads it from the instance


class InputSide(click.IntRange):
    """The side of a network's input, pixels."""

    def __init__(self) -> None:
        super().__init__(min=32)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ANN401 as click has it
        """An int that the network's strides divide."""
        side: int = super().convert(value, param, ctx)
        if side % 32:
            self.fail(f"{side} is no multiple of 32: the coarsest cells have 32 px", param, ctx)
        return side


groups_decide = click.option(
    "--groups-decide",
    is_flag=True,
    help="Let pictures of two groups look alike: for a fixed camera, with a group per person or visit.",
)


class Command(click.Command):
    """A command whose known failures are one line; ``PI_MASK_DEBUG=1`` shows the traceback."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; exit codes are those of :mod:`pi_mask.errors`, and 130 after Ctrl-C."""
        try:
            return super().invoke(ctx)
        except PiMaskError as error:
            if is_debugging():
                raise
            raise _Failure(error) from error
        except KeyboardInterrupt:
            tell("Interrupted.")
            ctx.exit(_INTERRUPTED)
