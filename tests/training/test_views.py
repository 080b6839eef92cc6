"""Hold the two views to detectors of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pi_mask.build import open_detector
from pi_mask.settings import ModelSettings
from pi_mask.types import Frame, MaskLabel
from tests.colour_model import picture
from training.float_parent import EVALUATION_MIN_SCORE
from training.views import open_views

MASKED, BARE, INCORRECT = MaskLabel


def test_both_views_see_what_their_own_detectors_see(model: Path) -> None:
    """The door's view has the manifest's thresholds, the low one the lowest, picture by picture."""
    faint = (picture(MASKED) // 3 + 76).astype(np.uint8)
    images = [picture(MASKED, BARE), faint, faint, picture(INCORRECT)]
    expected = []
    for min_score in (EVALUATION_MIN_SCORE, None):
        settings = ModelSettings(name=str(model), accelerator="cpu", threads=1, min_score=min_score)
        with open_detector(settings) as opened:
            expected.append([opened.detector.detect(Frame(image, 0.0, 0))[0] for image in images])

    with open_views(model, threads=1) as views:
        seen = views.detect_all(images)

    assert list(seen) == expected
    assert [len(found) for found in seen[1]] == [2, 0, 0, 1]


def test_one_picture_is_inferred_once(model: Path) -> None:
    """Both detectors share an interpreter that runs the model for the first of them only."""
    with open_views(model, threads=1) as views:
        remembering = views.low._interpreter
        first = remembering.invoke(np.zeros((1, 64, 64, 3), np.uint8))

        assert views.door._interpreter is remembering
        assert remembering.invoke(np.zeros((1, 64, 64, 3), np.uint8)) is first
        assert remembering.invoke(np.ones((1, 64, 64, 3), np.uint8)) is not first
