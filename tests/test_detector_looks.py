"""Hold a look to what detectors with other thresholds would have said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pi_mask.detector import Detector, faces_in
from pi_mask.inference.base import ModelSpec
from pi_mask.testing import ScriptedInterpreter
from pi_mask.types import MaskLabel
from tests.hand_made import frame, manifest, model_spec

LOW = dict.fromkeys(MaskLabel, 0.1)
STRICTER = ((0.1, 0.1, 0.1), (0.45, 0.4, 0.3), (0.5, 0.5, 0.5), (0.9, 0.2, 0.7), (0.99, 0.99, 0.99))


def quantised(spec: ModelSpec) -> ModelSpec:
    """The same borders in uint8, as the shipped models have them."""
    outputs = (replace(tensor, dtype="uint8", scale=0.1, zero_point=128) for tensor in spec.outputs)
    return ModelSpec(spec.input, tuple(outputs))


@pytest.mark.parametrize("seed", range(20))
def test_a_look_tells_what_stricter_detectors_see(seed: int) -> None:
    """A low-threshold look, judged by stricter limits, gives exactly a stricter detector's detections."""
    described = manifest(size=(320, 320), stride=32)
    spec = quantised(model_spec(described))
    random = np.random.default_rng(seed)
    outputs = tuple(
        random.normal(centre, spread, tensor.shape).clip(0, 255).astype(np.uint8)
        for tensor, centre, spread in zip(spec.outputs, (110, 130), (30, 8), strict=True)
    )
    shown = frame(640, 480)
    look = Detector(ScriptedInterpreter(spec, [outputs]), described, thresholds=LOW).look(shown)

    for limits in STRICTER:
        thresholds = dict(zip(described.labels, limits, strict=True))
        detector = Detector(ScriptedInterpreter(spec, [outputs]), described, thresholds=thresholds)
        wanted, _ = detector.detect(shown)
        assert faces_in(look.reaching(detector.rules.limits), detector.rules) == wanted
        assert wanted or limits == STRICTER[-1]


def test_a_look_knows_its_frame() -> None:
    """The size is width and height of the frame, not of the model's input."""
    described = manifest()
    empty = tuple(np.full(tensor.shape, -9.0, np.float32) for tensor in model_spec(described).outputs)

    look = Detector(ScriptedInterpreter(model_spec(described), [empty]), described).look(frame(30, 20))

    assert look.size == (30, 20)
    assert faces_in(look, Detector(ScriptedInterpreter(model_spec(described), []), described).rules) == ()
