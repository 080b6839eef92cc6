"""Open and use the parts that calibrate and record share."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from pi_mask.commands.options import FiniteRange, Preset, settings_options
from pi_mask.commands.run import DESKTOP
from pi_mask.commands.streams import is_on_terminal, show_live, tell
from pi_mask.errors import UsageError

if TYPE_CHECKING:
    from pi_mask.calibrate.collected import Clip, CollectedFrame
    from pi_mask.calibrate.steps import Step
    from pi_mask.camera.base import Camera
    from pi_mask.detector import Detector, Rules
    from pi_mask.indicator.base import Indicator
    from pi_mask.manifest import Manifest
    from pi_mask.settings import ModelSettings, Settings
    from pi_mask.types import Detection, Frame, MaskLabel

    OnFrame = Callable[[Frame, CollectedFrame], None]


@dataclass(frozen=True, slots=True)
class Collecting:
    """A model that finds all that any settings could.

    Attributes:
        detector: With low thresholds.
        manifest: The model's.
        thresholds: In force.
        rules: The same as the detector's, with these thresholds.
    """

    detector: Detector
    manifest: Manifest
    thresholds: Mapping[MaskLabel, float]
    rules: Rules


@contextmanager
def open_collecting(settings: ModelSettings) -> Iterator[Collecting]:
    """Open the model with thresholds below those in force.

    Raises:
        ModelError: It is unusable.
        EdgeTpuError: The accelerator was asked for by name and is missing.
    """
    from dataclasses import replace

    import numpy as np

    from pi_mask.build import label_thresholds, open_detector
    from pi_mask.calibrate.collect import collecting_score
    from pi_mask.manifest import find_manifest, load_manifest

    thresholds = label_thresholds(settings, load_manifest(find_manifest(settings.name)))
    low = settings.model_copy(update={"min_score": collecting_score(thresholds)})
    with open_detector(low) as opened:
        own = opened.detector.rules
        limits = np.array([thresholds[label] for label in own.labels])
        yield Collecting(opened.detector, opened.manifest, thresholds, replace(own, limits=limits))


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a step takes, in seconds: to get ready, then watched."""

    pause_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class DoorOptions:
    """What the shared flags say: ``--desktop``, ``--seconds`` and ``--pause``."""

    is_desktop: bool
    pace: Pace

    @property
    def preset(self) -> Preset | None:
        """What ``--desktop`` stands for, where it is given."""
        return DESKTOP if self.is_desktop else None


def door_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the shared flags; the command gets them as ``door``, and the settings' flags as ``given``."""

    @functools.wraps(function)
    def command(is_desktop: bool, seconds: float, pause: float, **arguments: object) -> None:
        function(door=DoorOptions(is_desktop, Pace(pause, seconds)), **arguments)

    decorated: Callable[..., None] = command
    for option in (
        click.option(
            "--pause", type=_UP_TO_2_MINUTES, default=5.0, show_default=True, help="Seconds before each step."
        ),
        click.option(
            "--seconds", type=_SOME_SECONDS, default=8.0, show_default=True, help="Seconds of each step."
        ),
        click.option(
            "--desktop",
            "is_desktop",
            is_flag=True,
            help="As in run: webcam, CPU and console, where no other flag says otherwise.",
        ),
        settings_options(
            "camera.kind",
            "camera.source",
            "model.name",
            "model.accelerator",
            "model.threads",
            "indicator.kind",
        ),
    ):
        decorated = option(decorated)
    return decorated


_UP_TO_2_MINUTES = FiniteRange(0, 120)
_SOME_SECONDS = FiniteRange(3, 120)


class AtDoor:
    """Shows what to do, waits, watches.

    Args:
        camera: Live; closed by the caller.
        opened: The model.
        indicator: The lamps; None where the lines of text must do.
        pace: Of each step.
    """

    def __init__(self, camera: Camera, opened: Collecting, indicator: Indicator | None, pace: Pace) -> None:
        self._camera = camera
        self._opened = opened
        self._indicator = indicator
        self._pace = pace
        self._sign: object = None

    def watch(self, step: Step, on_frame: OnFrame = lambda _frame, _kept: None) -> Clip:
        """Lead through one step.

        Args:
            step: Which.
            on_frame: Called with each frame that is watched.

        Raises:
            CameraError: The camera delivers nothing.
        """
        from pi_mask.calibrate.collect import watch
        from pi_mask.detector import faces_in

        self._show(step)
        pace, detector, rules = self._pace, self._opened.detector, self._opened.rules
        tell(f"{step.name}: {step.instruction} In {pace.pause_s:g} s I watch for {pace.seconds:g} s.")
        if pace.pause_s > 0:  # the model runs meanwhile, so that the camera and it have settled
            watch(self._camera, detector, pace.pause_s)
        live = _Live(pace.seconds)

        def seen(frame: Frame, kept: CollectedFrame) -> None:
            live.show(kept.timestamp, faces_in(kept.look.reaching(rules.limits), rules))
            on_frame(frame, kept)

        clip = watch(self._camera, detector, pace.seconds, seen)
        tell(f"{step.name}: {len(clip)} frames, a face in {live.with_a_face}.")
        return clip

    def _show(self, step: Step) -> None:
        if self._indicator is not None and step.sign != self._sign:
            verdict, has_blips = step.sign
            self._indicator.show(verdict, is_degraded=has_blips)
            self._sign = step.sign


@contextmanager
def open_camera_and_lamps(
    settings: Settings, manifest: Manifest
) -> Iterator[tuple[Camera, Indicator | None]]:
    """Open what the settings name; on leaving, lamps are off and the camera is released.

    The console is no lamp: its lines would talk of the verdict while this command talks to the person.

    Raises:
        UsageError: Files are no camera at a door.
        CameraError: There is no camera.
        GpioError: The pins cannot be had.
    """
    from contextlib import ExitStack

    from pi_mask.build import CAMERAS, INDICATORS, shrunk_by_isp

    if settings.camera.kind == "files":
        raise UsageError("Files are no camera at a door. Use pi-mask calibrate --from DIR for recordings.")
    with ExitStack() as stack:
        indicator = None
        if settings.indicator.kind != "console":
            indicator = INDICATORS[settings.indicator.kind](settings.indicator)
            stack.enter_context(closing(indicator))
        filmed = shrunk_by_isp(settings, manifest.input).camera
        yield stack.enter_context(closing(CAMERAS[filmed.kind](filmed))), indicator


class _Live:
    """Counts frames and faces, in a line that is written over and over, on a terminal only."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._start: float | None = None
        self._frames = 0
        self._is_shown = is_on_terminal()
        self.with_a_face = 0

    def show(self, timestamp: float, faces: Sequence[Detection]) -> None:
        self._start = timestamp if self._start is None else self._start
        self._frames += 1
        self.with_a_face += bool(faces)
        if not self._is_shown:
            return
        left = max(0.0, self._seconds - (timestamp - self._start))
        named = ", ".join(f"{face.label.value} {face.score:.2f}" for face in faces[:3]) or "nobody"
        line = f"  {left:4.1f} s left, {self._frames} frames: {named}"
        # One that wraps could not be written over.
        show_live(line[: shutil.get_terminal_size().columns - 1])
