"""Hold the decoder to the heads' published formulas and to plain float arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pi_mask.decoder import Candidates, Decoder, dequantise, logit, quantised_threshold, sigmoid
from pi_mask.errors import ModelError
from pi_mask.inference.base import ModelSpec, TensorSpec
from pi_mask.manifest import Head, Level

SIDE = 64
RANGES = {"uint8": (0, 255), "int8": (-128, 127)}
INPUT = TensorSpec("image", (1, SIDE, SIDE, 3), "uint8", 1 / 255, 0)
ONE_IN_A_MILLION = 1e-6
PROBABILITIES = st.floats(0.01, 0.99)
SCALES = st.floats(1e-3, 1.0)


@st.composite
def quantised_specs(draw: st.DrawFn) -> TensorSpec:
    """A 2 × 2 map of three labels in either integer type."""
    dtype = draw(st.sampled_from(sorted(RANGES)))
    zero_point = draw(st.integers(*RANGES[dtype]))
    return TensorSpec("scores", (1, 2, 2, 3), dtype, draw(SCALES), zero_point)


def float_map(name: str, depth: int, cells: int = 2) -> TensorSpec:
    """A square float tensor."""
    return TensorSpec(name, (1, cells, cells, depth), "float32", 0.0, 0)


SSD = Head(kind="ssd", levels=(Level(stride=32, outputs={"scores": 0, "boxes": 1}),))
SSD_SPEC = ModelSpec(INPUT, (float_map("scores", 3), float_map("boxes", 4)))
NOBODY = np.full((1, 2, 2, 3), -9.0, np.float32)
ANCHORS = ((10.0, 14.0), (23.0, 27.0))
YOLO_OUTPUTS = {"scores": 2, "boxes": 0, "objectness": 1}
YOLO = Head(kind="yolov5", levels=(Level(stride=32, outputs=YOLO_OUTPUTS, anchors=ANCHORS),))
YOLO_SPEC = ModelSpec(INPUT, (float_map("boxes", 8), float_map("objectness", 2), float_map("scores", 6)))


def ssd(scores: NDArray[Any], boxes: NDArray[Any], thresholds: Sequence[float] = (0.5,) * 3) -> Candidates:
    """Decode one level of float maps."""
    return Decoder(SSD, SSD_SPEC, thresholds).decode((scores, boxes))


def logistic(value: float) -> float:
    """σ by its definition."""
    return 1.0 / (1.0 + math.exp(-value))


@settings(deadline=None, derandomize=True)
@given(st.floats(1e-9, 1 - 1e-9))
def test_logit_inverts_the_logistic_function(probability: float) -> None:
    """σ(logit(p)) is p."""
    assert logistic(logit(probability)) == pytest.approx(probability)


@settings(deadline=None, derandomize=True)
@given(st.lists(st.floats(-30, 30, width=32), min_size=1))
def test_sigmoid_is_the_logistic_function(values: list[float]) -> None:
    """By tanh or by its definition, the value is the same."""
    got = sigmoid(np.array(values, np.float32))

    assert got.tolist() == pytest.approx([logistic(value) for value in values], abs=1e-6)


def test_sigmoid_never_overflows() -> None:
    """The largest and infinite values give 0 and 1, without a warning."""
    values = np.array([-np.inf, -3e38, 0.0, 3e38, np.inf], np.float32)

    assert sigmoid(values).tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]


@settings(deadline=None, derandomize=True)
@given(quantised_specs(), st.data())
def test_dequantise_is_scale_times_distance_from_the_zero_point(
    spec: TensorSpec, data: st.DataObject
) -> None:
    """Real values are scale × (integer − zero point), as TensorSpec says, without wrapping around."""
    values = data.draw(st.lists(st.integers(*RANGES[spec.dtype]), min_size=1, max_size=8))

    got = dequantise(np.array(values, spec.dtype), spec)

    assert got.dtype == np.float32
    assert got.tolist() == pytest.approx([spec.scale * (value - spec.zero_point) for value in values])


def test_dequantise_lets_floats_pass() -> None:
    """Float tensors are real values already."""
    values = np.array([-1.5, 0.0, 7.25], np.float32)

    assert dequantise(values, float_map("scores", 3)).tolist() == [-1.5, 0.0, 7.25]


@settings(deadline=None, derandomize=True)
@given(quantised_specs(), PROBABILITIES)
def test_the_integer_threshold_parts_values_as_floats_do(spec: TensorSpec, probability: float) -> None:
    """Over all values of the type, integer and float comparison keep the same, to a millionth of a step."""
    real = logit(probability)
    low, high = RANGES[spec.dtype]
    values = np.arange(low, high + 1).astype(spec.dtype)

    kept = (values >= quantised_threshold(real, spec)).tolist()

    steps = [value - spec.zero_point - real / spec.scale for value in range(low, high + 1)]
    is_clear = [abs(step) > 2 * ONE_IN_A_MILLION for step in steps]
    pairs = list(zip(kept, steps, is_clear, strict=True))
    assert [is_kept for is_kept, _, clear in pairs if clear] == [
        step > 0 for _, step, clear in pairs if clear
    ]


@settings(deadline=None, derandomize=True)
@given(quantised_specs(), st.integers(-300, 300))
def test_a_threshold_that_is_a_step_keeps_that_step(spec: TensorSpec, step: int) -> None:
    """Rounding must not lift a threshold that is exactly representable to the next integer."""
    real = step * spec.scale

    assert quantised_threshold(real, spec) == step + spec.zero_point


def test_the_threshold_of_a_float_tensor_is_itself() -> None:
    """Float scores are compared as they are."""
    assert quantised_threshold(-0.25, float_map("scores", 3)) == -0.25


@settings(deadline=None, derandomize=True)
@given(quantised_specs(), st.tuples(*[PROBABILITIES] * 3), st.data())
def test_integer_maps_keep_the_candidates_of_float_maps(
    spec: TensorSpec, thresholds: tuple[float, float, float], data: st.DataObject
) -> None:
    """A cell is a candidate exactly where the real score of some label reaches that label's threshold."""
    size = math.prod(spec.shape)
    raw = data.draw(st.lists(st.integers(*RANGES[spec.dtype]), min_size=size, max_size=size))
    boxes = np.arange(16, dtype=np.float32).reshape(1, 2, 2, 4) / 16
    quantised = ModelSpec(INPUT, (spec, float_map("boxes", 4)))

    found = Decoder(SSD, quantised, thresholds).decode((np.array(raw, spec.dtype).reshape(spec.shape), boxes))

    rows = [[value - spec.zero_point for value in raw[i : i + 3]] for i in range(0, size, 3)]
    limits = [logit(p) / spec.scale - ONE_IN_A_MILLION for p in thresholds]
    kept = [row for row in rows if any(v >= limit for v, limit in zip(row, limits, strict=True))]
    expected = [[logistic(spec.scale * value) for value in row] for row in kept]
    assert found.scores.tolist() == [pytest.approx(row, abs=1e-5) for row in expected]


def test_ssd_boxes_are_distances_from_the_cells_centre() -> None:
    """Log distances 0, ln 2, ln ½ and 1 give 32, 64, 16 and 32·e pixels around the centre of their cell."""
    scores, boxes = NOBODY.copy(), np.zeros((1, 2, 2, 4), np.float32)
    scores[0, 1, 0] = (2.0, -9.0, 0.0)  # second row, first column: centre (16, 48)
    boxes[0, 1, 0] = (0.0, math.log(2), math.log(0.5), 1.0)

    found = ssd(scores, boxes)

    assert found.boxes.tolist() == [pytest.approx([16 - 32, 48 - 64, 16 + 16, 48 + 32 * math.e], rel=1e-6)]
    assert found.scores.tolist() == [pytest.approx([logistic(2.0), logistic(-9.0), 0.5], abs=1e-6)]


def test_cells_run_row_by_row() -> None:
    """Candidates come in the order of the maps, first level first, each around its own cell."""
    levels = tuple(Level(stride=s, outputs={"scores": i, "boxes": i + 2}) for i, s in enumerate((32, 64)))
    maps = (float_map("s32", 3), float_map("s64", 3, 1), float_map("b32", 4), float_map("b64", 4, 1))
    outputs = [
        np.full(tensor.shape, 1.0 if index < 2 else -9.0, np.float32) for index, tensor in enumerate(maps)
    ]

    found = Decoder(Head(kind="ssd", levels=levels), ModelSpec(INPUT, maps), (0.5,) * 3).decode(outputs)

    middles = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    assert middles.tolist() == [[16, 16], [48, 16], [16, 48], [48, 48], [32, 32]]


def test_a_wide_input_keeps_rows_and_columns_apart() -> None:
    """On an input of 32 × 96 the last of three cells lies to the right, not below."""
    wide = TensorSpec("image", (1, 32, 96, 3), "uint8", 1 / 255, 0)
    maps = tuple(
        TensorSpec(name, (1, 1, 3, depth), "float32", 0.0, 0) for name, depth in (("s", 3), ("b", 4))
    )
    scores = np.array([-9.0] * 6 + [1.0] * 3, np.float32).reshape(1, 1, 3, 3)

    found = Decoder(SSD, ModelSpec(wide, maps), (0.5,) * 3).decode(
        (scores, np.zeros((1, 1, 3, 4), np.float32))
    )

    assert found.boxes.tolist() == [[48, -16, 112, 48]]


def published_yolov5(raw: Sequence[float], anchor: tuple[float, float], column: int, row: int) -> list[float]:
    """YOLOv5 v6.0's Detect layer: ``xy = (2σ − 0.5 + grid)·stride``, ``wh = (2σ)²·anchor``, as corners."""
    x = (2 * logistic(raw[0]) - 0.5 + column) * 32
    y = (2 * logistic(raw[1]) - 0.5 + row) * 32
    width, height = (2 * logistic(raw[2])) ** 2 * anchor[0], (2 * logistic(raw[3])) ** 2 * anchor[1]
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]


def test_yolov5_boxes_follow_the_published_formula() -> None:
    """Every cell and anchor gives the box and the product of scores of the original's formula."""
    rng = np.random.default_rng(0)
    outputs = [rng.normal(0, 2, tensor.shape).astype(np.float32) for tensor in YOLO_SPEC.outputs]

    found = Decoder(YOLO, YOLO_SPEC, (0.001,) * 3).decode(outputs)

    places = [(row, column, anchor) for row in range(2) for column in range(2) for anchor in range(2)]
    boxes, objectness, scores = (
        output.reshape(2, 2, 2, depth).astype(float) for output, depth in zip(outputs, (4, 1, 3), strict=True)
    )
    assert found.boxes.tolist() == [
        pytest.approx(published_yolov5(boxes[r, c, a], ANCHORS[a], c, r), abs=1e-3) for r, c, a in places
    ]
    assert found.scores.tolist() == [
        pytest.approx([logistic(objectness[place][0]) * logistic(s) for s in scores[place]], abs=1e-6)
        for place in places
    ]


@settings(deadline=None, derandomize=True)
@given(st.tuples(*[PROBABILITIES] * 3), st.integers(0, 2**32 - 1))
def test_yolov5_scores_are_compared_as_products(thresholds: tuple[float, float, float], seed: int) -> None:
    """Testing each factor first loses no candidate and lets none through whose product is too small."""
    rng = np.random.default_rng(seed)
    outputs = [rng.normal(0, 3, tensor.shape).astype(np.float32) for tensor in YOLO_SPEC.outputs]

    found = Decoder(YOLO, YOLO_SPEC, thresholds).decode(outputs)

    everything = Decoder(YOLO, YOLO_SPEC, (1e-9,) * 3).decode(outputs)
    is_kept = (everything.scores >= np.array(thresholds, np.float32)).any(axis=1)
    assert found.scores.tolist() == everything.scores[is_kept].tolist()
    assert found.boxes.tolist() == everything.boxes[is_kept].tolist()


@pytest.mark.parametrize(("head", "spec"), [(SSD, SSD_SPEC), (YOLO, YOLO_SPEC)], ids=["ssd", "yolov5"])
def test_nobody_gives_empty_arrays(head: Head, spec: ModelSpec) -> None:
    """Without a candidate the arrays keep their columns and types."""
    outputs = [np.full(tensor.shape, -9.0, np.float32) for tensor in spec.outputs]

    found = Decoder(head, spec, (0.5,) * 3).decode(outputs)

    assert (found.boxes.shape, found.boxes.dtype) == ((0, 4), np.float32)
    assert (found.scores.shape, found.scores.dtype) == ((0, 3), np.float32)


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("head", "spec"), [(SSD, SSD_SPEC), (YOLO, YOLO_SPEC)], ids=["ssd", "yolov5"])
def test_broken_numbers_are_no_candidates(head: Head, spec: ModelSpec, broken: float) -> None:
    """One NaN or infinite value in any tensor takes its own cell out, no other, without a warning."""
    sound = [np.full(tensor.shape, 2.0, np.float32) for tensor in spec.outputs]
    decoder = Decoder(head, spec, (0.5,) * 3)
    whole = decoder.decode(sound)
    for index in range(len(sound)):
        outputs = [tensor.copy() for tensor in sound]
        outputs[index][0, 0, 0, 0] = broken

        found = decoder.decode(outputs)

        assert found.boxes.tolist() == whole.boxes[1:].tolist()
        assert found.scores.tolist() == whole.scores[1:].tolist()


@settings(deadline=None, derandomize=True)
@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_finite_garbage_stays_finite(value: float) -> None:
    """Whatever finite numbers a box holds, its corners are finite and in order."""
    found = ssd(NOBODY + 12, np.full((1, 2, 2, 4), value, np.float32))

    assert len(found.boxes) == 4
    assert np.isfinite(found.boxes).all()
    assert (found.boxes[:, :2] <= found.boxes[:, 2:]).all()


@pytest.mark.parametrize(
    ("scores", "boxes", "message"),
    [
        ((1, 2, 2, 2), (1, 2, 2, 4), "Output scores has shape (1, 2, 2, 2), the manifest says (1, 2, 2, 3)"),
        ((1, 4, 4, 3), (1, 2, 2, 4), "Output scores has shape (1, 4, 4, 3), the manifest says (1, 2, 2, 3)"),
        ((1, 2, 2, 3), (1, 4, 2, 2), "Output boxes has shape (1, 4, 2, 2), the manifest says (1, 2, 2, 4)"),
        ((1, 12), (1, 2, 2, 4), "Output scores has shape (1, 12), the manifest says (1, 2, 2, 3)"),
    ],
    ids=["labels", "stride", "boxes", "flat"],
)
def test_other_shapes_are_refused(scores: tuple[int, ...], boxes: tuple[int, ...], message: str) -> None:
    """A tensor that is not what the head describes is a model error that names both shapes."""
    tensors = [TensorSpec(n, s, "float32", 0.0, 0) for n, s in (("scores", scores), ("boxes", boxes))]

    with pytest.raises(ModelError) as caught:
        Decoder(SSD, ModelSpec(INPUT, tuple(tensors)), (0.5,) * 3)

    assert str(caught.value).startswith(message)
    assert str(caught.value).endswith("Use the manifest that came with the model.")


def test_an_output_that_is_not_there_is_refused() -> None:
    """A position beyond the model's outputs is a model error, no IndexError."""
    with pytest.raises(ModelError, match=r"^The manifest names output 1, the model has 1 \(from 0\)\. Use "):
        Decoder(SSD, ModelSpec(INPUT, SSD_SPEC.outputs[:1]), (0.5,) * 3)


def test_a_level_left_out_is_refused() -> None:
    """A manifest that names fewer outputs than the model has would miss every face of a size."""
    more = ModelSpec(INPUT, (*SSD_SPEC.outputs, float_map("scores8", 3, 8), float_map("boxes8", 4, 8)))

    with pytest.raises(
        ModelError, match=r"^The manifest names 2 outputs, the model has 4: faces would be mis"
    ):
        Decoder(SSD, more, (0.5,) * 3)


def test_swapped_outputs_are_refused() -> None:
    """Scores and boxes in each other's place are noticed by their depths."""
    with pytest.raises(ModelError, match=r"^Output boxes has shape \(1, 2, 2, 4\)"):
        Decoder(SSD, ModelSpec(INPUT, SSD_SPEC.outputs[::-1]), (0.5,) * 3)
