"""Test pi_mask.bench."""

from __future__ import annotations

import pytest

from pi_mask.bench import WARM_UP, made_up_pictures, measure, recorded_pictures
from pi_mask.detector import Detector
from pi_mask.inference.cpu import CpuInterpreter
from pi_mask.manifest import load_manifest
from pi_mask.testing import ScriptedCamera
from pi_mask.types import Frame, MaskLabel
from tests.colour_model import install_model, picture


@pytest.fixture
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    """A real detector of coloured patches."""
    path = install_model(tmp_path_factory.mktemp("model"))
    return Detector(CpuInterpreter(path.with_suffix(".tflite").read_bytes(), threads=1), load_manifest(path))


def test_every_measured_frame_is_told_and_counted(detector: Detector) -> None:
    """Warm-up frames are left out of count, faces and progress."""
    told: list[None] = []
    images = [picture(), picture(MaskLabel.WITH_MASK, MaskLabel.INCORRECT)]

    result = measure(detector, images, 4, lambda: told.append(None))

    assert WARM_UP > 0
    assert (len(told), result.frames, result.faces_per_frame) == (4, 4, 1.0)


def test_figures_agree_with_each_other(detector: Detector) -> None:
    """Each stage's figures are ordered, the total holds all stages, rate and ratio follow from them."""
    result = measure(detector, [picture()], 20)

    assert list(result.stages) == ["preprocess", "inference", "postprocess", "decide", "total"]
    for spread in result.stages.values():
        assert 0 < spread.min_ms <= spread.median_ms <= spread.p95_ms
    *parts, total = result.stages.values()
    assert total.min_ms >= sum(part.min_ms for part in parts)
    assert 0 < result.fps <= 1e3 / total.min_ms
    before, inference, after, _ = (part.median_ms for part in parts)
    assert result.overhead_ratio == pytest.approx((before + after) / inference)
    assert result.peak_memory_mib is not None
    assert 10 < result.peak_memory_mib < 100_000


def test_made_up_pictures_are_the_same_every_time() -> None:
    """Pictures have the size asked for, differ from each other, and come again alike."""
    first, second = made_up_pictures(40, 30), made_up_pictures(40, 30)

    assert [(image.shape, str(image.dtype)) for image in first] == [((30, 40, 3), "uint8")] * len(first)
    assert len({image.tobytes() for image in first}) == len(first) > 1
    assert [image.tobytes() for image in first] == [image.tobytes() for image in second]


def test_large_pictures_are_fewer() -> None:
    """Pictures of 4096×4096 don't fill the memory."""
    assert len(made_up_pictures(4096, 4096)) == 1


def test_recorded_pictures_stop_in_time() -> None:
    """Only the first 16 frames of a recording are read, scaled where that is asked for."""
    camera = ScriptedCamera([Frame(picture(), index / 10, index) for index in range(40)])

    images = recorded_pictures(camera, (20, 10))

    assert [image.shape for image in images] == [(10, 20, 3)] * 16
    assert camera.reads == 16
