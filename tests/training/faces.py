"""Build a batch's targets from faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from training.loss import Targets


@dataclass(frozen=True, slots=True)
class Face:
    """One annotated box; label −1 is a region to ignore."""

    box: tuple[float, float, float, float]
    label: int = 0
    is_two_class: bool = False


def targets(*pictures: Sequence[Face]) -> Targets:
    """Faces of a batch, padded."""
    most = max(1, *(len(faces) for faces in pictures)) if pictures else 1
    made = Targets(
        torch.zeros(len(pictures), most, 4),
        torch.zeros(len(pictures), most, dtype=torch.int64),
        torch.zeros(len(pictures), most, dtype=torch.bool),
        torch.zeros(len(pictures), most, dtype=torch.bool),
    )
    for row, faces in enumerate(pictures):
        for column, face in enumerate(faces):
            made.boxes[row, column] = torch.tensor(face.box)
            made.labels[row, column] = face.label
            made.is_two_class[row, column] = face.is_two_class
            made.is_present[row, column] = True
    return made
