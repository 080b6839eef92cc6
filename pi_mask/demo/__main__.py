"""Make the film, show it to the door, say what the door said.

python -m pi_mask.demo [--output DIR] [--photo PATH] [--fast]
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from pi_mask.commands.streams import say
from pi_mask.demo.film import FPS, SIZE, film
from pi_mask.demo.photograph import find_photograph, load_portrait
from pi_mask.demo.sheet import Moment, write_sheet
from pi_mask.demo.show import Show, run_show
from pi_mask.errors import OutputError, PiMaskError
from pi_mask.output import VideoWriter

CLIP, ANNOTATED, SHEET = "clip.mp4", "annotated.mp4", "sheet.png"


def make_demo(output: Path, photo: Path | None, *, is_fast: bool) -> tuple[Moment, ...]:
    """Film, run and write ``clip.mp4``, ``annotated.mp4`` and ``sheet.png`` into a folder.

    Returns:
        The moments on the contact sheet.

    Raises:
        PiMaskError: The photograph, the model or the folder is unusable.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{output} cannot be made: {error.strerror}. Choose another --output.") from error
    say("Filming a made-up visitor: a bare face, a mask, the mask under the nose.")
    portrait = load_portrait(photo or find_photograph())
    with VideoWriter(output / CLIP, FPS, SIZE) as clip:
        for image in film(portrait):
            clip.write(image)
    say("The door watches. Lamps and buzzer are simulated; all verdicts come from the model.\n")
    moments = run_show(Show(output / CLIP, output / ANNOTATED, is_fast, say))
    write_sheet(output / SHEET, moments)
    say(f"\nSee {output / ANNOTATED} and {output / SHEET}. The film itself: {output / CLIP}")
    return moments


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo-output"),
    show_default=True,
)
@click.option(
    "--photo", type=click.Path(dir_okay=False, path_type=Path), help="scikit-image's astronaut.png."
)
@click.option("--fast", "is_fast", is_flag=True, help="Don't keep to the film's own pace.")
def main(output: Path, photo: Path | None, is_fast: bool) -> None:
    """Show the whole way from a film to the lamps, without camera and pins."""
    if sys.stdout is not None:  # as where the shell closed it
        # Not every terminal knows the strips' blocks.
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        make_demo(output, photo, is_fast=is_fast)
    except PiMaskError as error:
        if os.environ.get("PI_MASK_DEBUG"):
            raise
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
