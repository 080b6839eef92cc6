"""Read COCO detection files and feed training batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from pi_mask.camera.picture import decode_picture
from pi_mask.errors import InputError
from pi_mask.types import BoundingBox, MaskLabel
from training.annotations import IMAGES, AnnotatedImage, read_annotations
from training.augment import AugmentConfig, Augmenter, Sample
from training.hard_cases import draw_static
from training.loss import IGNORED, Targets

LABELS = tuple(MaskLabel)
_FARTHEST_PX = 1e6  # beyond, the sums of training and OpenCV's own numbers overflow


@dataclass(frozen=True, slots=True)
class Picture:
    """One annotated picture of a data set.

    Attributes:
        boxes: M × 4 float32, xmin, ymin, xmax, ymax in pixels.
        labels: M int64, positions in LABELS; −1 marks a region to ignore.
        is_two_class: The source knows no class "incorrect".
    """

    path: Path
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    is_two_class: bool
    source: str


def load_coco(annotations: Path) -> list[Picture]:
    """Read a COCO file whose pictures lie in ``images/`` beside it, categories matched by name.

    Raises:
        InputError: It is no such file, lists no picture, a category is none of MaskLabel's names, or a box's
            corner is no number or far beyond any picture.
    """
    images = read_annotations(annotations)
    if not images:
        raise InputError(f"{annotations} lists no picture. Import some: python -m training.importers --help.")
    for image in images:
        if not all(_has_place(face.box) for face in image.faces):
            raise InputError(
                f"{annotations}: a box of {image.file_name} is in no place of a picture. Correct it. "
                "All that is wrong with boxes says python -m training.check."
            )
    three_class = {
        image.source for image in images if any(face.label is MaskLabel.INCORRECT for face in image.faces)
    }
    return [_picture(image, annotations.parent / IMAGES, image.source not in three_class) for image in images]


def _has_place(box: BoundingBox) -> bool:
    return all(abs(side) <= _FARTHEST_PX for side in (box.xmin, box.ymin, box.xmax, box.ymax))


def _picture(image: AnnotatedImage, folder: Path, is_two_class: bool) -> Picture:
    boxes = [(f.box.xmin, f.box.ymin, f.box.xmax, f.box.ymax) for f in image.faces]
    labels = [IGNORED if f.label is None else LABELS.index(f.label) for f in image.faces]
    return Picture(
        folder / image.file_name,
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(labels, np.int64),
        is_two_class,
        image.source,
    )


class TrainingSet(Dataset[tuple[torch.Tensor, Sample]]):
    """Augmented samples; draws pictures by weight, so that the scarce class is seen more often.

    Args:
        pictures: What to draw from; all decoded once and kept in memory (about 0.6 MB each).
        size: Side of the square input in pixels.
        incorrect_weight: How much more often a picture with a wrongly worn mask is drawn.
    """

    def __init__(
        self,
        pictures: Sequence[Picture],
        size: int,
        config: AugmentConfig,
        incorrect_weight: float,
        seed: int,
    ) -> None:
        self._pictures = list(pictures)
        self._images = [decode_picture(picture.path) for picture in self._pictures]
        self._config = config
        self._augmenter = Augmenter(size, config)
        incorrect = LABELS.index(MaskLabel.INCORRECT)
        weights = np.array([incorrect_weight if incorrect in p.labels else 1.0 for p in self._pictures])
        self._probabilities = weights / weights.sum()
        self._empty = np.array([i for i, p in enumerate(self._pictures) if not len(p.labels)], np.int64)
        self._seed = seed
        self.epoch = 0

    def begin(self, epoch: int, size: int, *, use_mosaic: bool) -> None:
        """Draw what belongs to this epoch, from its workers' start on.

        Args:
            epoch: Each draws other pictures.
            size: Side of the square input in pixels.
            use_mosaic: Whether some pictures are made of four.
        """
        self.epoch = epoch
        config = self._config if use_mosaic else replace(self._config, mosaic=0.0)
        self._augmenter = Augmenter(size, config)

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, Sample]:
        # Seeded by (seed, epoch, index): the same run twice gives the same pictures, whatever the workers do.
        rng = np.random.default_rng((self._seed, self.epoch, index))
        if rng.random() < self._config.hard.static:
            return _as_tensor(_nobody(draw_static(self._augmenter.size, rng)))
        if len(self._empty) and rng.random() < self._config.hard.empty:
            chosen = rng.choice(self._empty, 4)
        else:
            chosen = rng.choice(len(self._pictures), 4, p=self._probabilities)
        sample = self._augmenter(
            [
                Sample(self._images[i], p.boxes, p.labels, np.full(len(p.labels), p.is_two_class))
                for i in chosen
                for p in (self._pictures[i],)
            ],
            rng,
        )
        return _as_tensor(sample)


def _nobody(image: NDArray[np.uint8]) -> Sample:
    return Sample(image, np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, np.bool_))


def _as_tensor(sample: Sample) -> tuple[torch.Tensor, Sample]:
    return torch.from_numpy(sample.image).permute(2, 0, 1), sample


def collate(batch: Sequence[tuple[torch.Tensor, Sample]]) -> tuple[torch.Tensor, Targets]:
    """Stack images (N × 3 × H × W uint8, channels last in memory) and pad targets."""
    most = max(1, *(len(sample.labels) for _, sample in batch))
    boxes = torch.zeros(len(batch), most, 4)
    labels = torch.zeros(len(batch), most, dtype=torch.int64)
    is_two_class = torch.zeros(len(batch), most, dtype=torch.bool)
    is_present = torch.zeros(len(batch), most, dtype=torch.bool)
    for row, (_, sample) in enumerate(batch):
        count = len(sample.labels)
        boxes[row, :count] = torch.from_numpy(sample.boxes)
        labels[row, :count] = torch.from_numpy(sample.labels)
        is_two_class[row, :count] = torch.from_numpy(sample.is_two_class)
        is_present[row, :count] = True
    images = torch.stack([image for image, _ in batch]).contiguous(memory_format=torch.channels_last)
    return images, Targets(boxes, labels, is_two_class, is_present)
