"""Choose anchors for a YOLOv5 network by k-means under IoU distance.

    python -m training.anchors --data data/train.json --size 320 --output anchors.json
    python -m training.train … --network yolov5s --anchors anchors.json

The distance is that of Redmon and Farhadi (YOLO9000, 2017): one minus the overlap of two boxes with the same
centre. Faces are letterboxed as the detector does it and scaled as training scales them. A checkpoint holds
its anchors, and so does the manifest of the model made from it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from pi_mask.commands.streams import say, tell
from pi_mask.detector import place
from pi_mask.errors import InputError
from training.annotations import AnnotatedImage, read_annotations, write_text
from training.augment import AugmentConfig
from training.command import Command
from training.loss import AnchorConfig
from training.networks.base import Anchors
from training.networks.yolov5 import DEFAULT_ANCHORS
from training.provenance import provenance

Sizes = NDArray[np.float64]
"""N × 2, width and height in pixels."""

_LEVELS, _EACH = 3, 3
_MAX_ROUNDS = 300
_SAMPLE = 20_000
"""Faces; more of them move no anchor by a pixel."""


_AUGMENT = AugmentConfig()


@dataclass(frozen=True)
class Config:
    """How anchors are chosen, with a reason per default."""

    size: int = 320  # of the square input, in pixels
    scale: tuple[float, float] = _AUGMENT.scale  # faces are trained at all of these
    scales: int = 9  # enough that no face size between them is missed
    min_side_px: float = _AUGMENT.min_side_px  # smaller faces are not trained on
    restarts: int = 5  # k-means ends in a local optimum; its spread over seeds is below 0.002
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Fit:
    """How well anchors suit faces.

    Attributes:
        mean_iou: Of each face with its best anchor.
        recall: Share of faces whose best anchor overlaps by more than half.
        within_ratio: Share of faces that training gives an anchor at all.
    """

    mean_iou: float
    recall: float
    within_ratio: float


def letterboxed_sizes(images: Sequence[AnnotatedImage], size: int) -> Sizes:
    """Faces' sizes in the pixels of a square input.

    Raises:
        InputError: No face is there, or a picture's size is not stated.
    """
    sizes = []
    for image in images:
        faces = [face for face in image.faces if face.label is not None]
        if faces and min(image.width, image.height) < 1:
            raise InputError(
                f"{image.file_name} has no width and height in the annotations. Import them: "
                "python -m training.importers coco --help."
            )
        if faces:
            placed = place(image.width, image.height, size, size, letterbox=True)
            sizes += [(face.box.width * placed.scale_x, face.box.height * placed.scale_y) for face in faces]
    if not sizes:
        raise InputError("No face in the annotations. Add pictures with faces.")
    return np.array(sizes, np.float64)


def varied(sizes: Sizes, config: Config) -> Sizes:
    """The same faces at all scales of the training, cut to the input, without those too small to train on."""
    factors = np.geomspace(*config.scale, config.scales)
    scaled = (sizes[:, None] * factors[:, None]).reshape(-1, 2).clip(max=config.size)
    kept: Sizes = scaled[scaled.min(1) >= config.min_side_px]
    if len(kept) < _LEVELS * _EACH:
        raise InputError(
            f"{len(kept)} faces of {config.min_side_px:g} pixels and more are too few. Add pictures."
        )
    return kept


def ious(sizes: Sizes, anchors: Sizes) -> NDArray[np.float64]:
    """N × K overlaps of boxes with one centre."""
    shared = np.minimum(sizes[:, None], anchors).prod(-1)
    overlaps: NDArray[np.float64] = shared / (sizes.prod(-1)[:, None] + anchors.prod(-1) - shared)
    return overlaps


def choose(sizes: Sizes, count: int, config: Config) -> Sizes:
    """So many anchors, small ones first: the best of several k-means on a sample of the faces."""
    rng = np.random.default_rng(config.seed)
    if len(sizes) > _SAMPLE:
        sizes = sizes[rng.choice(len(sizes), _SAMPLE, replace=False)]
    runs = [_k_means(sizes, _first_anchors(sizes, count, rng)) for _ in range(config.restarts)]
    best = max(runs, key=lambda anchors: ious(sizes, anchors).max(1).mean())
    ordered: Sizes = best[best.prod(1).argsort()]
    return ordered


def _first_anchors(sizes: Sizes, count: int, rng: np.random.Generator) -> Sizes:
    """Far apart ones (k-means++, Arthur and Vassilvitskii 2007)."""
    anchors: Sizes = sizes[rng.integers(len(sizes))][None]
    while len(anchors) < count:
        distances = (1 - ious(sizes, anchors).max(1)) ** 2
        total = distances.sum()
        chances = distances / total if total > 0 else None
        anchors = np.vstack([anchors, sizes[rng.choice(len(sizes), p=chances)]])
    return anchors


def _k_means(sizes: Sizes, anchors: Sizes) -> Sizes:
    nearest = np.full(len(sizes), -1)
    for _ in range(_MAX_ROUNDS):
        before, nearest = nearest, ious(sizes, anchors).argmax(1)
        if (nearest == before).all():
            break
        # Sizes differ by factors: the geometric mean overlaps its faces better than the mean, by 0.01.
        # An anchor without faces stays where it is.
        mine = [sizes[nearest == index] for index in range(len(anchors))]
        anchors = np.array(
            [
                np.exp(np.log(each).mean(0)) if len(each) else old
                for each, old in zip(mine, anchors, strict=True)
            ]
        )
    return anchors


def fit(sizes: Sizes, anchors: Anchors) -> Fit:
    """Measure anchors on faces."""
    flat = np.array([anchor for level in anchors for anchor in level], np.float64)
    best = ious(sizes, flat).max(1)
    ratios = sizes[:, None] / flat
    farthest = np.maximum(ratios, 1 / ratios).max(-1).min(1)
    is_within = farthest < AnchorConfig().ratio
    return Fit(*(round(float(value), 4) for value in (best.mean(), (best > 0.5).mean(), is_within.mean())))


def levels(anchors: Sizes) -> Anchors:
    """Three levels of three, small anchors for the fine level."""
    rows = [tuple(float(round(side, 1)) for side in anchor) for anchor in anchors]
    return tuple(
        tuple((row[0], row[1]) for row in rows[start : start + _EACH]) for start in range(0, len(rows), _EACH)
    )


def compare(images: Sequence[AnnotatedImage], config: Config) -> tuple[Anchors, dict[str, dict[str, Fit]]]:
    """Chosen anchors; and how they and the default ones suit the faces, as they are and as trained.

    Raises:
        InputError: There are too few faces, of too few sizes, to choose from.
    """
    sizes = letterboxed_sizes(images, config.size)
    trained = varied(sizes, config)
    seen = sizes[sizes.min(1) >= config.min_side_px]
    if not len(seen) or len(np.unique(trained, axis=0)) < _LEVELS * _EACH:
        raise InputError(
            f"Too few faces of different sizes reach {config.min_side_px:g} pixels of {config.size}. "
            "Add pictures, or choose a larger --size."
        )
    chosen = levels(choose(trained, _LEVELS * _EACH, config))
    fits = {
        name: {"as trained": fit(trained, anchors), "as they are": fit(seen, anchors)}
        for name, anchors in (("chosen", chosen), ("default", DEFAULT_ANCHORS))
    }
    return chosen, fits


def _table(fits: Mapping[str, Mapping[str, Fit]]) -> list[str]:
    lines = [f"{'anchors, faces':24}{'mean IoU':>10}{'IoU > 0.5':>11}{'an anchor':>11}"]
    for name, by_view in fits.items():
        for view, each in by_view.items():
            cells = f"{each.mean_iou:10.3f}{each.recall:11.2%}{each.within_ratio:11.2%}"
            lines.append(f"{f'{name}, {view}':24}{cells}")
    return lines


@click.command(cls=Command)
@click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="COCO file to train on.",
)
@click.option(
    "--size",
    type=click.IntRange(min=32),
    default=Config.size,
    show_default=True,
    help="Input side in pixels.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="JSON file for training.train --anchors.",
)
@click.option("--seed", type=click.IntRange(min=0), default=Config.seed, show_default=True)
def main(data: Path, size: int, output: Path | None, seed: int) -> None:
    """Choose nine anchors and say how well they suit the faces."""
    config = Config(size=size, seed=seed)
    chosen, fits = compare(read_annotations(data), config)
    say("\n".join(["; ".join(str(level) for level in chosen), *_table(fits)]))
    if output is not None:
        figures = {
            name: {view: {key: getattr(each, key) for key in Fit.__slots__} for view, each in views.items()}
            for name, views in fits.items()
        }
        record = {"anchors": chosen, "size": size, "fit": figures, **provenance({"seed": seed}, [data])}
        write_text(output, json.dumps(record, indent=2) + "\n")
        tell(f"Wrote {output}")


if __name__ == "__main__":
    main()
