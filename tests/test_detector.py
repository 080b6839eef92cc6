"""Hold the detector to its geometry and to its one input buffer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pi_mask.detector import Detector, letterbox, place
from pi_mask.errors import ModelError
from pi_mask.inference.base import ModelSpec, TensorSpec
from pi_mask.manifest import ModelInput
from pi_mask.testing import ScriptedInterpreter
from pi_mask.types import Frame, Latency
from tests.hand_made import (
    GREY,
    SIDE,
    WatchedInterpreter,
    corners,
    frame,
    logits,
    manifest,
    model_spec,
    nobody,
    run,
    say,
)


@st.composite
def frames_with_a_face(draw: st.DrawFn) -> tuple[int, int, list[float]]:
    """A frame's width and height, and how far a face reaches from its middle to the four sides, in pixels."""
    width, height = draw(st.integers(1, 2000)), draw(st.integers(1, 2000))
    share = st.floats(0.05, 1.0)
    return width, height, [draw(share) * side / 2 for side in (width, height, width, height)]


def found_again(
    width: int, height: int, reach: Sequence[float], scales: tuple[float, float], *, is_letterboxed: bool
) -> list[float]:
    """Where the detector puts a face in the frame's middle that lies in the input as these scales say."""
    described = manifest(stride=SIDE, is_letterboxed=is_letterboxed)
    distances = [length * scales[side % 2] / SIDE for side, length in enumerate(reach)]
    scores = np.array(logits(0.9, 0.1, 0.1), np.float32).reshape(1, 1, 1, 3)
    boxes = np.log(np.array(distances, np.float32)).reshape(1, 1, 1, 4)
    (detection,) = run(described, (scores, boxes), frame(width, height))
    return corners(detection.box)


def around_the_middle(width: int, height: int, reach: Sequence[float]) -> list[float]:
    """The face's corners in the frame."""
    return [width / 2 - reach[0], height / 2 - reach[1], width / 2 + reach[2], height / 2 + reach[3]]


@settings(deadline=None, derandomize=True)
@given(frames_with_a_face())
def test_boxes_lose_the_padding_and_get_the_frames_scale(face: tuple[int, int, list[float]]) -> None:
    """A face in a letterboxed frame of any size comes back within a pixel of the input, inside the frame."""
    width, height, reach = face
    scale = min(SIDE / width, SIDE / height)

    got = found_again(width, height, reach, (scale, scale), is_letterboxed=True)

    assert got == pytest.approx(around_the_middle(width, height, reach), abs=1 / scale)
    assert 0 <= got[0] < got[2] <= width
    assert 0 <= got[1] < got[3] <= height


@settings(deadline=None, derandomize=True)
@given(frames_with_a_face())
def test_a_stretched_frame_has_a_scale_per_axis(face: tuple[int, int, list[float]]) -> None:
    """Without a letterbox the face comes back exactly, whatever the frame's proportions."""
    width, height, reach = face

    got = found_again(width, height, reach, (SIDE / width, SIDE / height), is_letterboxed=False)

    assert got == pytest.approx(around_the_middle(width, height, reach), abs=1e-3)


@settings(deadline=None, derandomize=True)
@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(32, 640), st.integers(32, 640))
def test_a_placement_is_centred_and_keeps_proportions(width: int, height: int, to_x: int, to_y: int) -> None:
    """The frame fills one axis, lies in the middle of the other, never beyond, never thinner than a pixel."""
    p = place(width, height, to_x, to_y, letterbox=True)

    assert p.width == to_x or p.height == to_y
    assert 1 <= p.width <= to_x
    assert 1 <= p.height <= to_y
    assert p.offset_x == (to_x - p.width) // 2
    assert p.offset_y == (to_y - p.height) // 2
    ideal = min(to_x / width, to_y / height)
    assert (p.width, p.height) == pytest.approx((width * ideal, height * ideal), abs=1)
    assert (p.scale_x, p.scale_y) == (p.width / width, p.height / height)


def test_the_frame_lies_between_grey_bars() -> None:
    """A wide frame has the fill above and below and its own pixels between, scaled down."""
    wanted = ModelInput(width=SIDE, height=SIDE, fill=GREY)

    image = letterbox(frame(128, 64).image, wanted)

    rows = [GREY] * 16 + [200] * 32 + [GREY] * 16
    assert image.tolist() == [[[row] * 3] * SIDE for row in rows]


def test_a_picture_of_the_inputs_size_is_taken_as_it_is() -> None:
    """Nothing is resampled where nothing has to be."""
    image = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)

    assert np.array_equal(letterbox(image, ModelInput(width=SIDE, height=SIDE)), image)


def test_shrinking_averages_areas() -> None:
    """One white column in four becomes a quarter of white: nothing is skipped, as it would be by bilinear."""
    columns = np.where(np.arange(256) % 4 == 0, 255, 0).astype(np.uint8)
    image = np.ascontiguousarray(np.broadcast_to(columns[None, :, None], (256, 256, 3)))

    shrunk = letterbox(image, ModelInput(width=SIDE, height=SIDE))

    assert np.unique(shrunk).tolist() == [64]


def test_calibration_sees_what_the_detector_sees() -> None:
    """``letterbox`` makes the very pixels that the detector gives to the model."""
    described = manifest(size=(96, 64))
    interpreter = WatchedInterpreter(model_spec(described), [nobody(described)])
    image = np.random.default_rng(1).integers(0, 256, (300, 210, 3), np.uint8)

    Detector(interpreter, described).detect(Frame(image, 0.0, 0))

    assert np.array_equal(interpreter.images[0], letterbox(image, described.input))


# Sizes that follow one another badly: bars at the sides, then above, none, and frames of a few pixels.
SIZES = [(200, 40), (40, 200), (64, 64), (1, 1), (4000, 2), (2, 4000), (640, 480), (33, 32), (1, 1)]


@pytest.mark.parametrize("is_letterboxed", [True, False])
def test_a_change_of_size_leaves_nothing_of_the_frame_before(is_letterboxed: bool) -> None:
    """Each input equals the one that a new detector would have made of the frame alone, in one buffer."""
    described = manifest(is_letterboxed=is_letterboxed)
    shown = [frame(*size, value=100 + index, index=index) for index, size in enumerate(SIZES)]
    interpreter = WatchedInterpreter(model_spec(described), [nobody(described)] * len(shown))
    detector = Detector(interpreter, described)

    found = [detector.detect(each)[0] for each in shown]

    assert found == [()] * len(shown)
    expected = [letterbox(each.image, described.input).tolist() for each in shown]
    assert [image.tolist() for image in interpreter.images] == expected
    assert len(set(interpreter.buffers)) == 1


def test_a_frame_is_not_written_to() -> None:
    """Detecting leaves the camera's picture alone."""
    shown = frame(100, 50)
    shown.image.flags.writeable = False
    described = manifest()

    run(described, nobody(described), shown)

    assert (shown.image == 200).all()


def test_boxes_end_at_the_frames_edge() -> None:
    """A face that reaches out of the frame is clipped to it, not left out."""
    described = manifest()
    outputs = nobody(described)
    say(outputs, (0, 0), (-20, -30, 40, 50), (0.9, 0.1, 0.1))

    (detection,) = run(described, outputs, frame(128, 128))

    assert corners(detection.box) == pytest.approx([0, 0, 80, 100], abs=1e-3)


def test_a_box_in_the_padding_is_no_face() -> None:
    """What lies in the bars beside the frame is dropped; the face in the frame stays."""
    described = manifest(size=(96, 96))
    outputs = nobody(described)
    say(outputs, (0, 1), (36, 4, 60, 28), (0.9, 0.1, 0.1))
    say(outputs, (1, 1), (38, 40, 58, 56), (0.8, 0.1, 0.1))

    (detection,) = run(described, outputs, frame(960, 320))  # occupies the rows 32 to 64

    assert corners(detection.box) == pytest.approx([380, 80, 580, 240], abs=1e-2)


def test_latency_has_three_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each stage's time is measured by itself."""
    described = manifest()
    monkeypatch.setattr("time.perf_counter", iter([5.0, 5.25, 6.0, 8.0]).__next__)
    interpreter = ScriptedInterpreter(model_spec(described), [nobody(described)])

    _, latency = Detector(interpreter, described).detect(frame(10, 10))

    assert latency == Latency(preprocess_ms=250.0, inference_ms=750.0, postprocess_ms=2000.0)


@pytest.mark.parametrize(
    ("shape", "dtype", "said"),
    [
        ((1, 32, 64, 3), "uint8", "uint8 (1, 32, 64, 3)"),
        ((1, 64, 64, 1), "uint8", "uint8 (1, 64, 64, 1)"),
        ((1, 64, 64, 3), "int8", "int8 (1, 64, 64, 3)"),
        ((1, 64, 64, 3), "float32", "float32 (1, 64, 64, 3)"),
    ],
)
def test_another_input_is_refused(shape: tuple[int, ...], dtype: str, said: str) -> None:
    """An input that is not the manifest's, or takes no bytes, is a model error that says both."""
    described = manifest()
    spec = ModelSpec(TensorSpec("image", shape, dtype, 1 / 255, 0), model_spec(described).outputs)

    with pytest.raises(ModelError) as caught:
        Detector(ScriptedInterpreter(spec, []), described)

    assert str(caught.value) == (
        f"Model hand-made takes {said}, its manifest says uint8 (1, 64, 64, 3). "
        "Use the manifest that came with the model."
    )


def test_other_outputs_are_refused() -> None:
    """A model whose maps do not fit the head is refused before the first frame."""
    described = manifest()
    spec = ModelSpec(model_spec(described).input, model_spec(described).outputs[::-1])

    with pytest.raises(ModelError, match=r"^Output boxes has shape "):
        Detector(ScriptedInterpreter(spec, []), described)
