"""Turn frames into verdicts, one Observation a frame."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from pi_mask.errors import CameraTimeout, InputError, PiMaskError
from pi_mask.types import Frame, Observation, Verdict

if TYPE_CHECKING:
    from pi_mask.camera.base import Camera
    from pi_mask.detector import Detector
    from pi_mask.indicator.base import Indicator
    from pi_mask.policy import DoorPolicy
    from pi_mask.tracker import Tracker

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a pipeline is made of; whoever opened them closes them."""

    camera: Camera
    detector: Detector
    tracker: Tracker
    policy: DoorPolicy
    indicator: Indicator
    is_degraded: Callable[[], bool] = lambda: False


class Pipeline:
    """The loop from the camera to the indicator.

    Iterating reads, judges and shows; each turn yields what it saw. A stalled camera shows FAULT and is read
    again; an unreadable file is logged, counted and left out; any other failure shows FAULT and is raised.

    Attributes:
        unreadable: Number of files that could not be read so far.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._shown: tuple[Verdict, bool] | None = None
        self.unreadable = 0

    def __iter__(self) -> Iterator[Observation]:
        is_stalled = False
        while True:
            try:
                frame = self._parts.camera.read()
                if frame is None:
                    return
                observation = self._observe(frame)
            except CameraTimeout as error:
                if not is_stalled:
                    logger.warning("%s", error)
                is_stalled = True
                observation = Observation(None, (), (), Verdict.FAULT, self._parts.is_degraded(), fault=str(error))
            except InputError as error:
                logger.error("%s", error)
                self.unreadable += 1
                continue
            except PiMaskError as error:
                self._fail(error)
            else:
                is_stalled = False
            self._show(observation)
            yield observation

    def _observe(self, frame: Frame) -> Observation:
        parts = self._parts
        detections, latency = parts.detector.detect(frame)
        size = (frame.image.shape[1], frame.image.shape[0])
        tracks = parts.tracker.update(parts.policy.eligible(detections, size), frame.timestamp)
        decision = parts.policy.decide(tracks, frame.timestamp, size)
        return Observation(
            frame, detections, decision.people, decision.verdict, parts.is_degraded(), latency
        )

    def _show(self, observation: Observation) -> None:
        """Tell the indicator about changes only: a blinking light would start over at every call."""
        shown = (observation.verdict, observation.is_degraded)
        if shown != self._shown:
            self._shown = shown
            self._parts.indicator.show(observation.verdict, is_degraded=observation.is_degraded)

    def _fail(self, error: PiMaskError) -> NoReturn:
        self._show(Observation(None, (), (), Verdict.FAULT, fault=str(error)))
        raise error
