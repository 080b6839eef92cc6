"""Turn frames into verdicts, one Observation a frame."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pi_mask.errors import CameraError, CameraTimeout, InputError, PiMaskError
from pi_mask.types import Frame, Observation, Verdict

if TYPE_CHECKING:
    from pi_mask.camera.base import Camera
    from pi_mask.detector import Detector
    from pi_mask.indicator.base import Indicator
    from pi_mask.policy import DoorPolicy
    from pi_mask.tracker import Tracker

logger = logging.getLogger(__name__)

LATE_S: Final = 1.0
"""How long a camera that has delivered is waited for: no green may go on for longer without a look."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a pipeline is made of; whoever opened them closes them."""

    camera: Camera
    detector: Detector
    tracker: Tracker
    policy: DoorPolicy
    indicator: Indicator
    is_degraded: Callable[[], bool]


class Pipeline:
    """The loop from the camera to the indicator.

    Iterating reads, judges and shows; each turn yields what it saw. A camera without a frame for ``LATE_S``
    (the first one may take its ``timeout_s``) shows FAULT and is read again; an unreadable file is logged,
    counted and left out; any other failure, the end of a live camera's stream too, is shown and yielded as
    FAULT and then raised. What comes after a film begins with nobody: its people are not those of the film.

    Attributes:
        unreadable: Number of files that could not be read so far.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._shown: tuple[Verdict, bool] | None = None
        self._wait_s = math.inf
        self._index = 0
        self.unreadable = 0

    def __iter__(self) -> Iterator[Observation]:
        is_stalled = False
        while True:
            try:
                frame = self._read()
                if frame is None:
                    return
                observation = self._observe(frame)
                is_stalled = False
            except CameraTimeout as error:
                if not is_stalled:
                    logger.warning("%s", error)
                is_stalled = True
                self._parts.tracker.forget()
                observation = self._fault(error)
            except InputError as error:
                logger.error("%s", error)
                self.unreadable += 1
                continue
            except PiMaskError as error:
                # In here, so that an indicator that fails too does not hide this error (errors.messages).
                observation = self._fault(error)
                self._show(observation)
                yield observation
                raise
            self._show(observation)
            yield observation

    def _read(self) -> Frame | None:
        frame = self._parts.camera.read(self._wait_s)
        if frame is None and self._parts.camera.is_live:
            raise CameraError(
                "The camera's stream has ended. Check the camera and its cable, then start again."
            )
        self._wait_s = LATE_S
        return frame

    def _fault(self, error: PiMaskError) -> Observation:
        return Observation(None, (), (), Verdict.FAULT, self._parts.is_degraded(), fault=str(error))

    def _observe(self, frame: Frame) -> Observation:
        parts = self._parts
        if frame.index < self._index:  # counted anew: the file before has ended
            parts.tracker.forget()
        self._index = frame.index
        detections, latency = parts.detector.detect(frame)
        size = (frame.image.shape[1], frame.image.shape[0])
        tracks = parts.tracker.update(parts.policy.eligible(detections, size), frame.timestamp)
        decision = parts.policy.decide(tracks, frame.timestamp, size)
        return Observation(frame, detections, decision.people, decision.verdict, parts.is_degraded(), latency)

    def _show(self, observation: Observation) -> None:
        """Tell the indicator about changes only: a blinking light would start over at every call."""
        shown = (observation.verdict, observation.is_degraded)
        if shown != self._shown:
            self._shown = shown
            self._parts.indicator.show(observation.verdict, is_degraded=observation.is_degraded)
