"""Say what is wrong with the light."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING, Final

from pi_mask.calibrate.steps import Truth

if TYPE_CHECKING:
    from pi_mask.calibrate.collected import Collected

_DARK, _BRIGHT = 60.0, 200.0
"""Mean luma of a face: below, noise hides the mask's edge; above, skin and mask are both white."""
_BACKLIT: Final = 0.6
"""A face at three fifths of the frame's brightness has a window behind it."""


def hints(steps: Sequence[Collected]) -> tuple[str, ...]:
    """One line for each thing to improve; none where the faces are well lit."""
    lights = [
        frame.light
        for each in steps
        if each.step.truth is not Truth.EMPTY
        for clip in each.clips
        for frame in clip
        if frame.light is not None
    ]
    if not lights:
        return ()
    face = median(light.face for light in lights)
    frame = median(light.frame for light in lights)
    found = []
    if face < _BACKLIT * frame:
        found.append(
            f"Faces are dark before a bright background ({face:.0f} against {frame:.0f} of 255). Turn the "
            "camera away from the window, or put a lamp beside it."
        )
    elif face < _DARK:
        found.append(f"Faces are dark ({face:.0f} of 255). Put a lamp where it lights them from the front.")
    if face > _BRIGHT:
        found.append(f"Faces are too bright ({face:.0f} of 255). Shade them, or move the lamp farther away.")
    return tuple(found)
