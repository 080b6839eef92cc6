"""See what the door makes of pictures that are no visitors."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, repeat
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pi_mask.build import open_pipeline
from pi_mask.settings import ModelSettings, Settings
from pi_mask.testing import RecordingIndicator, ScriptedCamera
from pi_mask.types import Frame, MaskLabel, Verdict
from tests.colour_model import SIDE, picture
from tests.faults.door import Bench, Door
from tests.faults.film import black, noise, save_film

if TYPE_CHECKING:
    from pi_mask.types import Image

NOBODY = picture(side=SIDE)
MASKED, BARE = MaskLabel.WITH_MASK, MaskLabel.WITHOUT_MASK


def masked() -> Image:
    """Somebody with a mask, on the left."""
    return picture(MASKED, side=SIDE)


def played(bench: Bench, scenes: Iterable[Image], fps: float) -> Door:
    """The door after a recording has been played to it as fast as it goes, by the recording's own time."""
    film = save_film(bench.folder / "film.avi", scenes, fps)
    with Door(bench, "--camera", "files", "--source", film) as door:
        assert door.code() == 0, door.seen.log
    return door


def test_a_frame_of_noise_changes_nothing(bench: Bench) -> None:
    """A visitor's verdict outlasts it: neither lamp nor relay moves."""
    door = played(bench, chain([NOBODY], repeat(masked(), 8), [noise(0)], repeat(masked(), 8)), 10.0)

    assert door.seen.verdicts == ["idle", "checking", "mask"]
    assert door.seen.pins.count(("relay", True)) == 1
    assert door.seen.lit == set()


@pytest.mark.parametrize("is_grey", [False, True])
def test_nothing_but_noise_is_nobody(is_grey: bool) -> None:
    """The shipped model lets no noise in, whether coloured dots or black and white ones."""
    pictures = [noise(seed, 320) for seed in range(12)]
    if is_grey:
        pictures = [np.repeat((picture[..., :1] > 127) * np.uint8(255), 3, axis=2) for picture in pictures]
    frames = [Frame(image, index / 10, index) for index, image in enumerate(pictures)]
    indicator = RecordingIndicator()
    settings = Settings(model=ModelSettings(accelerator="cpu"))
    with open_pipeline(settings, camera=ScriptedCamera(frames), indicator=indicator) as door:
        list(door)

    assert Verdict.MASK not in {verdict for verdict, _ in indicator.shown}


def test_an_hour_of_black_is_nobody_and_then_all_is_as_before(bench: Bench) -> None:
    """IDLE with its heartbeat, not a line in the log; who comes after it is judged at once."""
    fps, hour = 2.0, 7200
    door = played(bench, chain(repeat(black(), hour), repeat(masked(), 6)), fps)

    assert door.summary is not None
    assert door.summary["frames"] == hour + 6
    assert door.seen.verdicts == ["idle", "checking", "mask"]
    assert [line for line in door.seen.log if not line.startswith("Info: ")] == []


def test_a_poster_holds_the_door_for_half_a_minute_and_no_longer(bench: Bench) -> None:
    """A masked face that never moves loses its say; whoever comes beside it is judged alone."""
    both = picture(MASKED, BARE, side=SIDE)
    alone, visit = repeat(masked(), 5 * 40), repeat(both, 10)

    door = played(bench, chain([NOBODY], alone, visit, repeat(masked(), 10)), 5.0)

    assert door.seen.verdicts == ["idle", "checking", "mask", "idle", "checking", "no_mask", "idle"]
    assert door.seen.pins.count(("relay", True)) == 1
    lines = [line for line in door.seen.log if "has not moved" in line]
    assert lines == ["Info: A face at 12, 24 has not moved for 30 s: it has no say until it does."]
