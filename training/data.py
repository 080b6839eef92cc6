"""Read COCO detection files and feed training batches."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from pi_mask.types import MaskLabel
from training.augment import AugmentConfig, Augmenter, Sample
from training.loss import Targets

LABELS = tuple(MaskLabel)


@dataclass(frozen=True, slots=True)
class Picture:
    """One annotated picture of a data set.

    Attributes:
        boxes: M × 4 float32, xmin, ymin, xmax, ymax in pixels.
        labels: M int64, positions in LABELS.
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
        ValueError: A category is none of MaskLabel's names.
    """
    content: dict[str, Any] = json.loads(annotations.read_text())
    order = {label.value: position for position, label in enumerate(LABELS)}
    unknown = [c["name"] for c in content["categories"] if c["name"] not in order]
    if unknown:
        raise ValueError(f"{annotations}: categories {unknown} are none of {list(order)}; rename them first")
    label_of = {c["id"]: order[c["name"]] for c in content["categories"]}
    faces: dict[int, list[Any]] = defaultdict(list)
    three_class_sources = set()
    source_of = {image["id"]: image.get("source", "") for image in content["images"]}
    for annotation in content["annotations"]:
        faces[annotation["image_id"]].append(annotation)
        if LABELS[label_of[annotation["category_id"]]] is MaskLabel.INCORRECT:
            three_class_sources.add(source_of[annotation["image_id"]])
    pictures = []
    for image in content["images"]:
        own = faces[image["id"]]
        boxes = np.array([a["bbox"] for a in own], np.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        labels = np.array([label_of[a["category_id"]] for a in own], np.int64)
        path = annotations.parent / "images" / image["file_name"]
        source = source_of[image["id"]]
        pictures.append(Picture(path, boxes, labels, source not in three_class_sources, source))
    return pictures


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Decode a picture.

    Raises:
        ValueError: It is missing or damaged.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f"{path} cannot be read; remove it from the annotations or restore it")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]


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
        self._images = [read_rgb(picture.path) for picture in self._pictures]
        self._size, self._config = size, config
        self._augmenter = Augmenter(size, config)
        incorrect = LABELS.index(MaskLabel.INCORRECT)
        weights = np.array([incorrect_weight if incorrect in p.labels else 1.0 for p in self._pictures])
        self._probabilities = weights / weights.sum()
        self._seed = seed
        self.epoch = 0

    def use_mosaic(self, is_on: bool) -> None:
        """Switch mosaics on or off, from the next epoch's workers on."""
        config = self._config if is_on else replace(self._config, mosaic=0.0)
        self._augmenter = Augmenter(self._size, config)

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, Sample]:
        # Seeded by (seed, epoch, index): the same run twice gives the same pictures, whatever the workers do.
        rng = np.random.default_rng((self._seed, self.epoch, index))
        chosen = rng.choice(len(self._pictures), 4, p=self._probabilities)
        sample = self._augmenter(
            [
                Sample(self._images[i], p.boxes, p.labels, np.full(len(p.labels), p.is_two_class))
                for i in chosen
                for p in (self._pictures[i],)
            ],
            rng,
        )
        image = torch.from_numpy(sample.image).permute(2, 0, 1)
        return image, sample


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
