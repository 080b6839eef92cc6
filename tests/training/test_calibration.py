"""Hold calibration to percentiles over single pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import pytest
from ai_edge_quantizer.quantizer import Quantizer
from numpy.typing import NDArray

from training.calibration import Statistics, calibrate, limit_range, set_range


class ScriptedQuantizer:
    """Gives a picture's own extremes, as ai-edge-quantizer does for a single one; one tensor is constant."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []

    def calibrate(
        self, data: Mapping[str, Sequence[Mapping[str, NDArray[np.float32]]]], num_threads: int
    ) -> dict[str, dict[str, Any]]:
        """Statistics of the given pictures."""
        ((signature, pictures),) = data.items()
        self.calls.append((signature, len(pictures)))
        image = pictures[0]["image"]
        return {
            "image": {"min": np.full((1, 1), image.min()), "max": np.full((1, 1), image.max())},
            "weights": {},
        }


def measured(
    extremes: Sequence[tuple[float, float]], percentile: float
) -> tuple[Statistics, ScriptedQuantizer]:
    """Calibrate on pictures with these extremes."""
    machine = ScriptedQuantizer()
    inputs = [{"image": np.array(pair, np.float32)} for pair in extremes]
    return calibrate(cast("Quantizer", machine), "serve", iter(inputs), percentile), machine


EXTREMES = [(-1.0 * i, 2.0 * i) for i in range(11)]


@pytest.mark.parametrize(
    ("percentile", "low", "high"), [(100, -10.0, 20.0), (90, -9.0, 18.0), (50, -5.0, 10.0), (95, -9.5, 19.0)]
)
def test_the_range_is_a_percentile_of_the_extremes(percentile: float, low: float, high: float) -> None:
    """Maxima are cut at the percentile and minima at its mirror, whatever the pictures' order."""
    forwards, _ = measured(EXTREMES, percentile)
    backwards, _ = measured(EXTREMES[::-1], percentile)

    for statistics in (forwards, backwards):
        assert set(statistics) == {"image"}
        assert statistics["image"]["min"].tolist() == [[pytest.approx(low)]]
        assert statistics["image"]["max"].tolist() == [[pytest.approx(high)]]


def test_each_picture_is_measured_by_itself() -> None:
    """One call a picture, or the average over the last ones would hide the rare level with a face."""
    _, machine = measured(EXTREMES[:3], 99)

    assert machine.calls == [("serve", 1)] * 3


def test_calibrating_with_nothing_is_refused() -> None:
    """Without a picture there is an error that says so."""
    with pytest.raises(ValueError, match=r"^no picture to calibrate with; give at least one$"):
        measured([], 99)


def statistics() -> Statistics:
    """Ranges of one tensor of two channels."""
    return {"scores": {"min": np.array([[-20.0, -3.0]]), "max": np.array([[2.0, 9.0]])}}


def test_a_range_can_be_set() -> None:
    """Both ends are fixed, the arrays' shapes stay."""
    made = statistics()

    set_range(made, "scores", 0.0, 1.0)

    assert {end: values.tolist() for end, values in made["scores"].items()} == {
        "min": [[0.0, 0.0]],
        "max": [[1.0, 1.0]],
    }


def test_a_range_can_be_limited() -> None:
    """Only what lies outside is cut."""
    made = statistics()

    limit_range(made, "scores", -6.0, 6.0)

    assert {end: values.tolist() for end, values in made["scores"].items()} == {
        "min": [[-6.0, -3.0]],
        "max": [[2.0, 6.0]],
    }
