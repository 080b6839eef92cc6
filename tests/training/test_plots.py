"""Hold plots to being pictures that show what they were given."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pi_mask.errors import OutputError
from training.plots import draw_confusion, draw_curves

FLAT = {"with_mask": [1.0] * 101, "without_mask": [0.5] * 101, "incorrect": [0.0] * 101}


def read(path: Path) -> NDArray[np.uint8]:
    """A PNG as RGB."""
    image = cv2.imread(str(path))
    assert image is not None
    return np.asarray(image[..., ::-1], np.uint8)


def has(image: NDArray[np.uint8], colour: tuple[int, int, int]) -> int:
    """Number of pixels of exactly this colour."""
    return int((image == colour).all(axis=2).sum())


def test_each_label_has_its_curve(tmp_path: Path) -> None:
    """Two flat lines in the labels' colours; a label without precision is in the legend only."""
    path = tmp_path / "curves.png"

    draw_curves(path, FLAT, "made up")

    image = read(path)
    assert image.shape == (450, 600, 3)
    mask, bare, wrong = (has(image, c) for c in ((0, 158, 115), (213, 94, 0), (230, 159, 0)))
    assert min(mask, bare) > 400
    assert 0 < wrong < 100


def test_a_confusion_is_as_dark_as_its_share(tmp_path: Path) -> None:
    """The one full cell is the darkest; the same figures give the same file."""
    paths = [tmp_path / name for name in ("a.png", "b.png")]
    counts = {"with_mask → with_mask": 8, "without_mask → missed": 1, "without_mask → without_mask": 1}

    for path in paths:
        draw_confusion(path, counts, "made up")

    image = read(paths[0])
    assert has(image, (8, 48, 107)) > 5000  # the colour map's last
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_no_faces_are_no_error(tmp_path: Path) -> None:
    """An empty confusion is a pale picture, and so are curves of no label."""
    draw_confusion(tmp_path / "empty.png", {}, "nobody")
    draw_curves(tmp_path / "none.png", {}, "nobody")

    assert min(read(tmp_path / name).mean() for name in ("empty.png", "none.png")) > 200


def test_a_missing_folder_is_an_error_with_advice(tmp_path: Path) -> None:
    """One line names the file."""
    with pytest.raises(OutputError, match=r"curves\.png cannot be written: No such file"):
        draw_curves(tmp_path / "none" / "curves.png", FLAT, "made up")
