"""Judge what a camera delivers."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

import numpy as np

from pi_mask.camera.opencv import cv2
from pi_mask.doctor.base import Result, Status, Symptom
from pi_mask.errors import CameraError

if TYPE_CHECKING:
    from pi_mask.settings import Settings
    from pi_mask.types import Frame

# Chosen on 227 photographs of people, long side 640: 98 in 100 have a mean brightness of 58 to 214. Focus is
# measured at a long side of 320, less than the shipped model sees. There 99 in 100 sharp ones have more than
# 91, and 99 in 100 blurred ones (Gaussian, sigma 4 pixels at 640) less than 28.
DARK: Final = 40.0
BRIGHT: Final = 225.0
BLURRED: Final = 40.0
FOCUS_SIDE_PX: Final = 320
BURNT_OUT, BLACK = 250, 50
BURNT_OUT_SHARE, BLACK_SHARE = 0.15, 0.30
SMOOTH_FPS: Final = 5.0
FROZEN_AFTER: Final = 5

SMALL = Symptom(
    "camera-small",
    Status.WARNING,
    "The camera delivers {width}×{height} instead of {asked_width}×{asked_height}.",
    "Set camera.width and camera.height to what it can do, and policy.min_face_px to suit.",
)
SLOW = Symptom(
    "camera-slow",
    Status.WARNING,
    "The camera delivers {fps:.1f} frames a second; verdicts take more than a second.",
    "More light lets it expose for less long; else another port or cable, or a smaller camera.width.",
)
TOO_SLOW = Symptom(
    "camera-too-slow",
    Status.FAULT,
    "The camera delivers {fps:.2f} frames a second; below {least:.2f} nobody is followed.",
    "More light lets it expose for less long; else another port or cable, or raise tracker.max_age_s.",
    CameraError,
)
NO_VERDICT = Symptom(
    "camera-no-verdict",
    Status.FAULT,
    "The camera delivers {fps:.2f} frames a second; {window_s:g} s never hold the {votes} looks of a "
    "verdict.",
    "More light lets it expose for less long; else another port or cable, or raise policy.vote_window_s, or "
    "lower policy.min_votes.",
    CameraError,
)
TOO_DARK = Symptom(
    "camera-dark",
    Status.WARNING,
    "The picture is dark (mean brightness {mean:.0f} of 255).",
    "Take the cap or film off the lens, and light the place where people stand.",
)
TOO_BRIGHT = Symptom(
    "camera-bright",
    Status.WARNING,
    "The picture is too bright (mean brightness {mean:.0f} of 255).",
    "Turn the camera away from sun and lamps.",
)
BACKLIT = Symptom(
    "camera-backlit",
    Status.WARNING,
    "The light comes from behind: {burnt:.0%} of the picture is burnt out, {black:.0%} black.",
    "Point the camera away from windows and glass doors, or light faces from the camera's side.",
)
OUT_OF_FOCUS = Symptom(
    "camera-blurred",
    Status.WARNING,
    "The picture is blurred (focus {focus:.0f}; sharp ones have more than {least:.0f}).",
    "Clean the lens, and turn its ring until somebody in the doorway is sharp. A bare wall looks so, too.",
)
FROZEN = Symptom(
    "camera-frozen",
    Status.WARNING,
    "All {count} frames were the same to the last pixel.",
    "Wave a hand before the lens and run this again; if it stays, re-plug the camera.",
)


@dataclass(frozen=True, slots=True)
class Look:
    """What is kept of a frame: measures, no picture.

    Attributes:
        timestamp: The frame's, in seconds.
        width: Pixels.
        height: Pixels.
        brightness: Mean grey level, 0 to 255.
        burnt_out: Share of pixels of 250 and more, 0 to 1.
        black: Share of pixels of 50 and less, 0 to 1.
        focus: Variance of the Laplacian (Pech-Pacheco et al. 2000, "Diatom autofocusing in brightfield
            microscopy") at a long side of 320 pixels; higher is sharper.
        checksum: Differs between frames that differ.
    """

    timestamp: float
    width: int
    height: int
    brightness: float
    burnt_out: float
    black: float
    focus: float
    checksum: int


def look_at(frame: Frame) -> Look:
    """Measure a frame."""
    grey = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    scale = FOCUS_SIDE_PX / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    seen = cv2.resize(grey, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return Look(
        frame.timestamp,
        width,
        height,
        float(grey.mean()),
        float(np.mean(grey >= BURNT_OUT)),
        float(np.mean(grey <= BLACK)),
        float(cv2.Laplacian(seen, cv2.CV_64F).var()),
        zlib.crc32(frame.image.tobytes()),
    )


def frame_rate(looks: Sequence[Look]) -> float | None:
    """Frames a second by their timestamps; None for fewer than two."""
    if len(looks) < 2 or looks[-1].timestamp <= looks[0].timestamp:
        return None
    return (len(looks) - 1) / (looks[-1].timestamp - looks[0].timestamp)


def settled(looks: Sequence[Look]) -> Look:
    """The medians of the later half: exposure and focus need a moment after opening.

    Args:
        looks: At least one.
    """
    later = looks[len(looks) // 2 :]
    last = later[-1]
    return Look(
        last.timestamp,
        last.width,
        last.height,
        median(look.brightness for look in later),
        median(look.burnt_out for look in later),
        median(look.black for look in later),
        median(look.focus for look in later),
        last.checksum,
    )


def judge(looks: Sequence[Look], settings: Settings) -> Iterator[Result]:
    """Find what is wrong with the frames.

    Args:
        looks: At least one, in the order of their frames.
        settings: What was asked of the camera.
    """
    seen, camera = settled(looks), settings.camera
    if camera.kind != "files" and (seen.width < camera.width or seen.height < camera.height):
        yield SMALL.found(
            width=seen.width, height=seen.height, asked_width=camera.width, asked_height=camera.height
        )
    yield from _judge_rate(frame_rate(looks), settings)
    yield from _judge_light(seen)
    if len(looks) >= FROZEN_AFTER and len({look.checksum for look in looks}) == 1:
        yield FROZEN.found(count=len(looks))


def _judge_rate(fps: float | None, settings: Settings) -> Iterator[Result]:
    least, policy = 1 / settings.tracker.max_age_s, settings.policy
    if fps is None:
        return
    # A hair below, for a camera at exactly the limit whose timestamps were rounded.
    if fps < least * 0.999:
        yield TOO_SLOW.found(fps=fps, least=least)
    elif policy.most_looks(fps) < policy.min_votes:
        yield NO_VERDICT.found(fps=fps, window_s=policy.vote_window_s, votes=policy.min_votes)
    elif fps < SMOOTH_FPS * 0.999:
        yield SLOW.found(fps=fps)


def _judge_light(seen: Look) -> Iterator[Result]:
    """Light first: a dark picture has no contrast and would seem blurred as well."""
    if seen.burnt_out >= BURNT_OUT_SHARE and seen.black >= BLACK_SHARE:
        yield BACKLIT.found(burnt=seen.burnt_out, black=seen.black)
    elif seen.brightness < DARK:
        yield TOO_DARK.found(mean=seen.brightness)
    elif seen.brightness > BRIGHT:
        yield TOO_BRIGHT.found(mean=seen.brightness)
    elif seen.focus < BLURRED:
        yield OUT_OF_FOCUS.found(focus=seen.focus, least=BLURRED)
