"""Run the door on a film with simulated lamps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pi_mask.build import open_pipeline
from pi_mask.demo.film import DURATION_S, FPS, SIZE
from pi_mask.demo.lamps import SHOWN, LampLog, LoggedIndicator, draw_lamps
from pi_mask.demo.sheet import Moment
from pi_mask.indicator.gpio import GpioIndicator, Timing
from pi_mask.output import VideoWriter
from pi_mask.overlay import draw
from pi_mask.settings import CameraSettings, GpioSettings, IndicatorSettings, ModelSettings, Settings
from pi_mask.testing import watched_mock_factory

if TYPE_CHECKING:
    from pi_mask.pipeline import Pipeline
    from pi_mask.types import Image, Verdict

N_MOMENTS: Final = 12
_LAMP_PX: Final = 40


@dataclass(frozen=True, slots=True)
class Show:
    """How the demo is run.

    Attributes:
        clip: The film.
        annotated: Where the film goes with boxes, verdict and lamps drawn in.
        is_fast: As fast as the CPU can; the lamps then stay at the first beat of each rhythm.
        say: Takes one line of the report.
    """

    clip: Path
    annotated: Path
    is_fast: bool
    say: Callable[[str], None]


@dataclass(slots=True)
class _Story:
    """What was shown so far.

    Attributes:
        log: What the lamps did.
        film_s: Time of the newest frame.
        verdict: The one being shown.
        changes: The first moment of every verdict.
        between: Other moments, evenly spread.
    """

    log: LampLog
    film_s: float = 0.0
    verdict: Verdict | None = None
    changes: list[Moment] = field(default_factory=list)
    between: list[Moment] = field(default_factory=list)


def run_show(show: Show) -> tuple[Moment, ...]:
    """Play the film through the same pipeline as at the door.

    Returns:
        The moments for the contact sheet in order of time: every change of verdict, then others in between.

    Raises:
        PiMaskError: The model, the film or the output is unusable.
    """
    gpio = GpioSettings(pin_factory="mock")
    settings = Settings(
        camera=CameraSettings(kind="files", source=str(show.clip), realtime=not show.is_fast),
        model=ModelSettings(accelerator="cpu"),
        indicator=IndicatorSettings(gpio=gpio),
    )
    story = _Story(LampLog(time.monotonic))
    with (
        _door(settings, story, is_fast=show.is_fast) as pipeline,
        VideoWriter(show.annotated, FPS, SIZE) as video,
    ):
        for observation in pipeline:
            if observation.frame is None:
                continue
            story.film_s = observation.frame.timestamp
            image = draw(observation.frame.image, observation.detections, observation.verdict)
            draw_lamps(image, story.log.lit, (8, 8), _LAMP_PX)
            video.write(image)
            _follow(story, observation.verdict, image, show)
        _report_lamps(story, show)
    return _pick(story)


@contextmanager
def _door(settings: Settings, story: _Story, *, is_fast: bool) -> Iterator[Pipeline]:
    """The pipeline on mock pins, chosen here by name; nothing real is driven."""
    timing = Timing()
    if is_fast:
        # A rhythm on the wall clock would say nothing about a film that runs faster: its first beat stays.
        timing = Timing(clock=lambda: story.film_s, wait=lambda stopping, _: stopping.wait())
    gpio = settings.indicator.gpio
    with closing(watched_mock_factory(gpio, story.log.note)) as pins:
        indicator = LoggedIndicator(GpioIndicator(gpio, pin_factory=pins, timing=timing), story.log)
        with open_pipeline(settings, indicator=indicator) as pipeline:
            yield pipeline


def _follow(story: _Story, verdict: Verdict, image: Image, show: Show) -> None:
    """Report a change of verdict and keep the frames for the sheet."""
    moment = Moment(image, story.film_s, verdict, story.log.lit)
    if verdict is not story.verdict:
        _report_lamps(story, show)
        story.verdict = verdict
        story.changes.append(moment)
        parts = ", ".join(part.value for part in SHOWN if part in moment.lit) or "none"
        show.say(f"{moment.time_s:5.1f} s  {verdict.name:<10} on: {parts}")
    elif round(moment.time_s * FPS) % round(DURATION_S * FPS / N_MOMENTS) == 0:
        story.between.append(moment)


def _report_lamps(story: _Story, show: Show) -> None:
    """Draw what the lamps did while the newest verdict in the story was shown."""
    if not story.changes or show.is_fast:
        return
    for part, strip in story.log.strips(len(story.changes) - 1).items():
        show.say(f"{part.value:>18}  {strip}")


def _pick(story: _Story) -> tuple[Moment, ...]:
    """Every change of verdict as far as there is room, filled up with moments spread over the film."""
    changes = story.changes[:N_MOMENTS]
    room = N_MOMENTS - len(changes)
    step = len(story.between) / room if room else 0.0
    filling = [story.between[int(place * step)] for place in range(min(room, len(story.between)))]
    return tuple(sorted((*changes, *filling), key=lambda moment: moment.time_s))
