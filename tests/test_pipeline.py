"""Test pi_mask.pipeline."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pytest

from pi_mask.detector import Detector
from pi_mask.errors import (
    CameraError,
    CameraTimeout,
    EdgeTpuError,
    InputError,
    ModelError,
    OutputError,
    PiMaskError,
    messages,
)
from pi_mask.inference.base import ModelSpec, TensorSpec
from pi_mask.manifest import load_manifest
from pi_mask.pipeline import Parts, Pipeline
from pi_mask.policy import DoorPolicy
from pi_mask.settings import PolicySettings, Zone
from pi_mask.testing import RecordingIndicator, ScriptedCamera, ScriptedInterpreter
from pi_mask.tracker import Tracker
from pi_mask.types import BoundingBox, Frame, MaskLabel, Observation, Verdict
from tests.colour_model import COLOURS, SIDE, install_model, picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

Tensors: TypeAlias = "tuple[NDArray[Any], ...]"

IDLE, CHECKING, MASK, FAULT = Verdict.IDLE, Verdict.CHECKING, Verdict.MASK, Verdict.FAULT
NO_MASK = Verdict.NO_MASK
SPEC = ModelSpec(
    TensorSpec("image", (1, SIDE, SIDE, 3), "uint8", 1 / 255, 0),
    (
        TensorSpec("scores", (1, 4, 4, 3), "uint8", 1 / 8, 128),
        TensorSpec("boxes", (1, 4, 4, 4), "uint8", 1 / 8, 128),
    ),
)
STALL = CameraTimeout("The camera delivered nothing for 5 s. Check the cable.")
LOST = CameraError("The camera is gone. Plug it in.")
UNREADABLE = InputError("b.png is empty. Copy the file again.")


def seen(label: MaskLabel | None = None) -> Tensors:
    """The model's outputs for one face, or none, in the middle of a frame."""
    scores, boxes = np.zeros((1, 4, 4, 3), np.uint8), np.full((1, 4, 4, 4), 128, np.uint8)
    if label is not None:
        scores[0, 1, 1, list(COLOURS).index(label)] = 255
    return scores, boxes


def frames(count: int, start: float = 0.0) -> list[Frame]:
    """Frames at ten a second."""
    return [Frame(picture(), start + index / 10, index) for index in range(count)]


class Door:
    """A pipeline of doubles around the real detector, tracker and policy."""

    def __init__(
        self,
        folder: Path,
        camera: Sequence[Frame | CameraError | InputError],
        outputs: Sequence[Tensors | EdgeTpuError | ModelError],
        *,
        is_live: bool = False,
        policy: PolicySettings | None = None,
    ) -> None:
        self.camera = ScriptedCamera(camera, is_live=is_live)
        self.interpreter = ScriptedInterpreter(SPEC, outputs)
        self.indicator = RecordingIndicator()
        self.is_degraded = False
        detector = Detector(self.interpreter, load_manifest(install_model(folder)))
        door = DoorPolicy(policy or PolicySettings())
        tracker = Tracker(0.3, 0.8, 64, min_hits=2)
        parts = Parts(self.camera, detector, tracker, door, self.indicator, lambda: self.is_degraded)
        self.pipeline = Pipeline(parts)

    def run(self) -> list[Observation]:
        """All observations until the end of the files."""
        return list(self.pipeline)

    def run_to_failure(self, error: type[PiMaskError]) -> list[Observation]:
        """All observations until this error."""
        observations: list[Observation] = []

        def follow() -> None:
            for observation in self.pipeline:
                observations.append(observation)

        with pytest.raises(error):
            follow()
        return observations


def test_an_observation_is_complete(tmp_path: Path) -> None:
    """Each turn yields frame, detections, people, verdict and latency."""
    film = frames(3)
    observations = Door(tmp_path, film, [seen(MaskLabel.WITH_MASK)] * 3).run()

    last = observations[-1]
    box = BoundingBox(16.0, 16.0, 80.0, 80.0)
    assert [observation.frame for observation in observations] == film
    assert [(face.label, face.box) for face in last.detections] == [(MaskLabel.WITH_MASK, box)]
    assert [(person.track.id, person.track.hits, person.verdict) for person in last.people] == [(1, 3, MASK)]
    assert (last.verdict, last.is_degraded, last.fault) == (MASK, False, "")
    assert last.latency is not None
    assert last.latency.inference_ms > 0


def test_the_indicator_hears_of_changes_only(tmp_path: Path) -> None:
    """Nobody, somebody with a mask, nobody: four changes, however many frames each takes."""
    outputs = [seen()] * 3 + [seen(MaskLabel.WITH_MASK)] * 6 + [seen()] * 12
    door = Door(tmp_path, frames(len(outputs)), outputs)

    verdicts = [observation.verdict for observation in door.run()]

    assert door.indicator.shown == [(v, False) for v in (IDLE, CHECKING, MASK, CHECKING, IDLE)]
    assert verdicts[:7] == [IDLE, IDLE, IDLE, IDLE, CHECKING, MASK, MASK]
    assert verdicts[-1] == IDLE


def test_a_film_begins_with_nobody(tmp_path: Path) -> None:
    """Green does not reach from one film into the next, which shows somebody without a mask at once."""
    outputs = [seen(MaskLabel.WITH_MASK)] * 8 + [seen(MaskLabel.WITHOUT_MASK)] * 4
    door = Door(tmp_path, [*frames(8), *frames(4, start=0.8)], outputs)

    verdicts = [observation.verdict for observation in door.run()]

    assert verdicts[7:] == [MASK, IDLE, CHECKING, NO_MASK, NO_MASK]


def test_pictures_are_one_film(tmp_path: Path) -> None:
    """Of pictures, each a file of its own, those close enough in time make a person."""
    pictures = [replace(frame, index=0) for frame in frames(3)]
    observations = Door(tmp_path, pictures, [seen(MaskLabel.WITH_MASK)] * 3).run()

    assert [observation.verdict for observation in observations] == [IDLE, CHECKING, MASK]


def test_losing_the_edge_tpu_is_a_change(tmp_path: Path) -> None:
    """The amber sign appears with the next frame, and goes again."""
    door = Door(tmp_path, frames(4), [seen()] * 4)
    for index, observation in enumerate(door.pipeline):
        assert observation.is_degraded is (index == 2)
        door.is_degraded = index == 1

    assert door.indicator.shown == [(IDLE, False), (IDLE, True), (IDLE, False)]


def test_the_same_film_gives_the_same_verdicts(tmp_path: Path) -> None:
    """Only the frames' own timestamps count: two runs agree in everything but latency."""
    outputs = [seen(MaskLabel.WITHOUT_MASK)] * 5 + [seen()] * 5
    runs = [Door(tmp_path, frames(10), outputs).run() for _ in range(2)]

    first, second = ([(o.verdict, o.people, o.detections) for o in run] for run in runs)
    assert first == second
    assert NO_MASK in {observation.verdict for observation in runs[0]}


def test_a_stall_is_a_fault_until_the_next_frame(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """While the camera stalls FAULT is shown and logged once; reading goes on and recovers."""
    door = Door(tmp_path, [*frames(1), STALL, STALL, *frames(1, 11.0), STALL], [seen()] * 2)

    with caplog.at_level(logging.WARNING, "pi_mask.pipeline"):
        observations = door.run()

    fault = Observation(None, (), (), FAULT, fault=str(STALL))
    assert [observation.verdict for observation in observations] == [IDLE, FAULT, FAULT, IDLE, FAULT]
    assert observations[1:3] == [fault, fault]
    assert door.indicator.shown == [(v, False) for v in (IDLE, FAULT, IDLE, FAULT)]
    assert caplog.messages == [str(STALL), str(STALL)]


def test_a_camera_that_never_delivers_is_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A stall before the first frame is said once as well."""
    Door(tmp_path, [STALL, STALL, *frames(1)], [seen()]).run()

    assert caplog.messages == [str(STALL)]


def test_the_zone_lies_in_a_wide_frame(tmp_path: Path) -> None:
    """Its shares are those of the frame's own width and height."""
    wide = [Frame(np.zeros((SIDE, 2 * SIDE, 3), np.uint8), index / 10, index) for index in range(3)]
    zone = Zone(0.3, 0.3, 0.5, 0.5)  # the middle of the face is at 3/8 of both
    door = Door(tmp_path, wide, [seen(MaskLabel.WITH_MASK)] * 3, policy=PolicySettings(zone=zone))

    assert door.run()[-1].verdict is MASK


def test_nobody_waits_long_for_a_late_frame(tmp_path: Path) -> None:
    """The first frame may take as long as the camera likes, all later ones a second: green must not go on."""
    door = Door(tmp_path, [STALL, *frames(2), STALL, *frames(1, 11.0)], [seen()] * 3)

    door.run()

    assert door.camera.waits_s == [math.inf, math.inf, 1.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("back_at", [5.4, 0.9], ids=["a long stall", "shorter than max_age_s"])
def test_no_green_straight_after_a_stall(tmp_path: Path, back_at: float) -> None:
    """After a stall the masked person before the camera is checked anew, however soon it ends."""
    masked = seen(MaskLabel.WITH_MASK)
    door = Door(tmp_path, [*frames(4), STALL, *frames(3, back_at)], [masked] * 7)

    verdicts = [observation.verdict for observation in door.run()]

    assert verdicts == [IDLE, CHECKING, MASK, MASK, FAULT, IDLE, CHECKING, MASK]


def test_an_unreadable_file_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file that cannot be read is logged and counted; it changes no verdict."""
    first, second = frames(2)
    door = Door(tmp_path, [first, UNREADABLE, second, UNREADABLE], [seen()] * 2)

    observations = door.run()

    assert [observation.frame for observation in observations] == [first, second]
    assert (door.pipeline.unreadable, caplog.messages) == (2, [str(UNREADABLE)] * 2)
    assert door.indicator.shown == [(IDLE, False)]


@pytest.mark.parametrize(
    ("camera", "outputs", "error"),
    [
        ([*frames(1), LOST], [seen()], CameraError),
        (frames(2), [seen(), EdgeTpuError("The Edge TPU failed. Plug it in again.")], EdgeTpuError),
        (frames(2), [seen(), ModelError("The runtime refused. Reinstall.")], ModelError),
    ],
    ids=["camera", "edgetpu", "model"],
)
def test_a_failure_is_shown_and_yielded_then_raised(
    tmp_path: Path,
    camera: Sequence[Frame | CameraError],
    outputs: Sequence[Tensors | EdgeTpuError | ModelError],
    error: type[PiMaskError],
) -> None:
    """When a part fails for good FAULT is on the lights and in the last observation before the error."""
    door = Door(tmp_path, camera, outputs, is_live=True)

    observations = door.run_to_failure(error)

    assert [observation.verdict for observation in observations] == [IDLE, FAULT]
    assert observations[-1].fault
    assert door.indicator.shown == [(IDLE, False), (FAULT, False)]


def test_an_indicator_that_fails_too_does_not_hide_why(tmp_path: Path) -> None:
    """Where FAULT cannot be shown, both errors can be told, the first one first."""
    door = Door(tmp_path, [LOST], [], is_live=True)
    door.indicator.close()

    with pytest.raises(OutputError) as failure:
        door.run()

    assert messages(failure.value) == [str(LOST), str(failure.value)]


def test_the_end_of_files_is_the_end(tmp_path: Path) -> None:
    """Files just end, also when there are none."""
    assert Door(tmp_path, [], []).run() == []


def test_the_end_of_a_live_stream_is_a_failure(tmp_path: Path) -> None:
    """A device that ends without an error is lost all the same."""
    door = Door(tmp_path, frames(1), [seen()], is_live=True)

    observations = door.run_to_failure(CameraError)

    assert [observation.verdict for observation in observations] == [IDLE, FAULT]


def test_parts_stay_open(tmp_path: Path) -> None:
    """The pipeline closes nothing: whoever opened the parts does."""
    door = Door(tmp_path, frames(1), [seen()])
    door.run()

    assert not any((door.camera.is_closed, door.interpreter.is_closed, door.indicator.is_closed))
