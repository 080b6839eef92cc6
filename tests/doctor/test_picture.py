"""Test how the doctor judges what a camera delivers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from pi_mask.doctor.picture import Look, frame_rate, judge, look_at, settled
from pi_mask.settings import CameraSettings, Settings
from pi_mask.types import Frame
from tests.doctor.made_up import found

GOOD = Look(0.0, 640, 480, brightness=120.0, burnt_out=0.02, black=0.1, focus=300.0, checksum=0)
DOOR = Settings(camera=CameraSettings(kind="webcam"))


def looks(count: int = 10, fps: float = 10.0, **changes: Any) -> list[Look]:
    """Looks at a steady rate, no two the same, all with these changes."""
    return [replace(GOOD, timestamp=index / fps, **{"checksum": index, **changes}) for index in range(count)]


def textured(size: tuple[int, int] = (640, 480)) -> Any:
    """A sharp picture: squares of random grey."""
    width, height = size
    coarse = np.random.default_rng(0).integers(60, 200, (height // 20, width // 20), np.uint8)
    return cv2.cvtColor(
        cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST), cv2.COLOR_GRAY2RGB
    )


def test_a_good_picture_is_nothing_to_speak_of() -> None:
    """Size, rate, light and focus as they should be give no finding."""
    assert found(judge(looks(), DOOR)) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"width": 320, "height": 240},
            ("warning", "camera-small", "The camera delivers 320×240 instead of 640×480."),
        ),
        (
            {"brightness": 39.4},
            ("warning", "camera-dark", "The picture is dark (mean brightness 39 of 255)."),
        ),
        (
            {"brightness": 226.0},
            ("warning", "camera-bright", "The picture is too bright (mean brightness 226 of 255)."),
        ),
        (
            {"burnt_out": 0.15, "black": 0.3, "focus": 1.0},
            (
                "warning",
                "camera-backlit",
                "The light comes from behind: 15% of the picture is burnt out, 30% black.",
            ),
        ),
        (
            {"focus": 39.0},
            ("warning", "camera-blurred", "The picture is blurred (focus 39; sharp ones have more than 40)."),
        ),
        (
            {"checksum": 5},
            ("warning", "camera-frozen", "All 10 frames were the same to the last pixel."),
        ),
    ],
)
def test_each_defect_is_named(changes: dict[str, Any], expected: tuple[str, str, str]) -> None:
    """One finding each, with its figures; light comes before focus."""
    assert found(judge(looks(**changes), DOOR)) == [expected]


@pytest.mark.parametrize(
    ("fps", "expected"),
    [
        (5.0, []),
        (
            4.9,
            [
                (
                    "warning",
                    "camera-slow",
                    "The camera delivers 4.9 frames a second; verdicts take more than a second.",
                )
            ],
        ),
        (
            1.3,
            [
                (
                    "fault",
                    "camera-no-verdict",
                    "The camera delivers 1.30 frames a second; 1.5 s never hold the 3 looks of a verdict.",
                )
            ],
        ),
        (
            1.2,
            [
                (
                    "fault",
                    "camera-too-slow",
                    "The camera delivers 1.20 frames a second; below 1.25 nobody is followed.",
                )
            ],
        ),
    ],
)
def test_a_slow_camera(fps: float, expected: list[tuple[str, str, str]]) -> None:
    """Below five a second a warning, below what policy or tracker bear a fault of the hardware."""
    results = list(judge(looks(fps=fps), DOOR))

    assert found(results) == expected
    assert [result.exit_code for result in results] == [3 if fps < 1.33 else 0] * len(results)


def test_files_may_have_any_size() -> None:
    """A recording is as large as it is."""
    files = Settings(camera=CameraSettings(kind="files"))

    assert found(judge(looks(width=100, height=100), files)) == []


def test_a_single_picture_is_neither_slow_nor_frozen() -> None:
    """One look tells nothing about time."""
    assert (frame_rate(looks(1)), found(judge(looks(1), DOOR))) == (None, [])


def test_time_that_stands_still_gives_no_rate() -> None:
    """A broken clock is no reason to divide by nothing."""
    assert frame_rate([GOOD, GOOD]) is None


def test_the_first_half_does_not_count() -> None:
    """A camera that wakes up in the dark and blurred is judged by what comes after."""
    waking = looks(9, brightness=5.0, focus=0.0) + looks(11, fps=10.0)
    ordered = [replace(look, timestamp=index / 10, checksum=index) for index, look in enumerate(waking)]

    assert (settled(ordered).brightness, settled(ordered).focus) == (120.0, 300.0)
    assert found(judge(ordered, DOOR)) == []


@pytest.mark.parametrize(
    ("image", "codes"),
    [
        (textured(), []),
        (cv2.GaussianBlur(textured(), (0, 0), 8), ["camera-blurred"]),
        (textured() // 6, ["camera-dark"]),
        (255 - (255 - textured()) // 8, ["camera-bright"]),
        (np.where(np.arange(640)[None, :, None] < 200, 255, textured() // 6), ["camera-backlit"]),
    ],
    ids=["sharp", "blurred", "dark", "bright", "backlit"],
)
def test_pictures_are_measured(image: Any, codes: list[str]) -> None:
    """Real arrays, from the pixels to the finding."""
    look = look_at(Frame(np.ascontiguousarray(image, np.uint8), 0.0, 0))

    assert [code for _, code, _ in found(judge([look], DOOR))] == codes


@pytest.mark.parametrize("size", [(1, 1), (3, 400), (4096, 10)])
def test_strange_sizes_are_measured_too(size: tuple[int, int]) -> None:
    """Whatever a camera delivers has measures."""
    look = look_at(Frame(np.zeros((size[1], size[0], 3), np.uint8), 0.0, 0))

    assert (look.width, look.height, look.brightness, look.black, look.focus) == (*size, 0.0, 1.0, 0.0)
