"""Hold the reader of MAFA's MATLAB files to what is odd in them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from pi_mask.errors import InputError
from tests.training.importers.handmade import mafa_table, read_all
from training.importers import mafa

FACE = [10, 20, 30, 40, *[0] * 8, 2, *[0] * 8]


@pytest.mark.parametrize("empty", [np.zeros((0, 0)), np.zeros((0, 21))], ids=["0 × 0", "0 × 21"])
def test_a_picture_may_have_no_face(tmp_path: Path, empty: NDArray[np.float64]) -> None:
    """MATLAB's empty matrix is no face, and no damage."""
    rows: list[tuple[str, ArrayLike]] = [("a.jpg", empty), ("b.jpg", [FACE])]
    table = mafa_table(tmp_path / "LabelTrainAll.mat", "label_train", "imgName", rows)

    assert [len(raw.faces) for raw in read_all(mafa.read, table)] == [0, 1]


@pytest.mark.parametrize("position", [0, 12], ids=["a side", "what covers it"])
def test_a_value_that_is_no_number_is_named(tmp_path: Path, position: int) -> None:
    """One line names the file and the picture, whatever the value is of."""
    face = [math.nan if index == position else value for index, value in enumerate(FACE)]
    table = mafa_table(tmp_path / "LabelTrainAll.mat", "label_train", "imgName", [("a.jpg", [face])])

    with pytest.raises(InputError, match=r"LabelTrainAll\.mat, a\.jpg: .*nan.* is no finite number"):
        read_all(mafa.read, table)
