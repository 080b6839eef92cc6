"""Promises of the tick thread that its users on mock pins cannot show."""

from __future__ import annotations

import logging
import threading

import pytest

from pi_mask.indicator.patterns import Part, Scene
from pi_mask.indicator.player import Player


@pytest.mark.parametrize(
    ("scene", "drawn"),
    [
        (Scene(red="#."), ["red", "", "red", "", "red"]),
        (Scene(red="#", buzzer="#"), ["red buzzer", "red", "red", "red", "red"]),
    ],
    ids=["a lamp's rhythm", "the end of a beep"],
)
def test_a_rhythm_goes_on_after_failed_ticks(
    scene: Scene, drawn: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A pin that fails for a while leaves no lamp and no beep on; the log says when it begins and ends."""
    tried: list[str] = []
    is_done = threading.Event()

    def draw(lit: frozenset[Part]) -> None:
        tried.append(" ".join(part.value for part in (Part.RED, Part.BUZZER) if part in lit))
        if len(tried) == len(drawn):
            is_done.set()
        if len(tried) in {2, 3, 4}:
            raise OSError("the chip is gone")

    player = Player(draw, lambda stopping, _: stopping.is_set())
    with caplog.at_level(logging.INFO):
        player.play(scene)
        assert is_done.wait(60)
        player.stop()

    assert tried[: len(drawn)] == drawn
    assert caplog.messages == [
        "A lamp or the buzzer does not obey: the chip is gone. Check the wiring.",
        "The lamps and the buzzer obey again.",
    ]
