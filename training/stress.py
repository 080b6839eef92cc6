"""Make pictures harder, each in one way, to see where a model gives way.

The ways are fixed and stronger than what training varies by itself; each moves the boxes along.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from training.augment import through_jpeg
from training.data import Picture
from training.door_view import door_view
from training.loss import IGNORED
from training.metrics import MIN_SIDE_PX, average_precision
from training.views import Detections, Views

if TYPE_CHECKING:
    from pi_mask.types import Image

_FILL: Final = 114
_MIN_VISIBLE: Final = 0.5
_GONE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture with its faces; boxes and labels as in :class:`training.data.Picture`.

    Attributes:
        index: Of the picture; decides what would otherwise be chance.
    """

    image: Image
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    index: int = 0

    @property
    def faces(self) -> NDArray[np.float32]:
        """The boxes without the regions to ignore."""
        faces: NDArray[np.float32] = self.boxes[self.labels != IGNORED]
        return faces


def dark(scene: Scene) -> Scene:
    """A hall at dusk: middle grey falls from 128 to 38."""
    values = 255 * 0.6 * (np.arange(256) / 255) ** 2
    return replace(scene, image=np.asarray(cv2.LUT(scene.image, values.astype(np.uint8)), np.uint8))


def backlit(scene: Scene) -> Scene:
    """A glass door behind: faces at 0.3 of their light, all around them burnt out by 1.7."""
    shade = np.zeros(scene.image.shape[:2], np.float32)
    for box in scene.faces:
        x, y = (float(v) for v in (box[:2] + box[2:]) / 2)
        axes = tuple(max(1, round(0.8 * float(side))) for side in box[2:] - box[:2])
        cv2.ellipse(shade, (round(x), round(y)), axes, 0, 0, 360, 1.0, -1)
    gain = 1.7 - 1.4 * cv2.GaussianBlur(shade, (0, 0), 6)
    return replace(scene, image=_bytes(scene.image * gain[..., None]))


def blurred(scene: Scene) -> Scene:
    """Out of focus: Gaussian of 2 px."""
    return replace(scene, image=np.asarray(cv2.GaussianBlur(scene.image, (0, 0), 2), np.uint8))


def noisy(scene: Scene) -> Scene:
    """A cheap sensor at night: Gaussian noise of 25 grey levels."""
    noise = np.random.default_rng(scene.index).standard_normal(scene.image.shape, np.float32)
    return replace(scene, image=_bytes(scene.image + 25 * noise))


def small(scene: Scene) -> Scene:
    """Twice as far away: half the size, on grey."""
    height, width = scene.image.shape[:2]
    return _warp(scene, np.array([[0.5, 0, width / 4], [0, 0.5, height / 4]]))


def big(scene: Scene) -> Scene:
    """Twice as near: double the size around the largest face, or the middle."""
    height, width = scene.image.shape[:2]
    middle = np.array([width, height]) / 2
    if len(scene.faces):
        largest = scene.faces[np.argmax((scene.faces[:, 2:] - scene.faces[:, :2]).prod(1))]
        middle = (largest[:2] + largest[2:]) / 2
    quarter = np.array([width, height]) / 4
    corner = np.clip(middle - quarter, 0, 2 * quarter)
    return _warp(scene, np.array([[2, 0, -2 * corner[0]], [0, 2, -2 * corner[1]]]))


def rotated(scene: Scene) -> Scene:
    """A camera hung askew: 20° to one side, in every other picture to the other."""
    height, width = scene.image.shape[:2]
    angle = 20 if scene.index % 2 else -20
    return _warp(scene, np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)))


def grey(scene: Scene) -> Scene:
    """An infrared camera: no colour."""
    plain = cv2.cvtColor(scene.image, cv2.COLOR_RGB2GRAY)
    return replace(scene, image=np.asarray(cv2.cvtColor(plain, cv2.COLOR_GRAY2RGB), np.uint8))


def jpeg(scene: Scene) -> Scene:
    """A bad connection: JPEG of quality 10."""
    return replace(scene, image=np.ascontiguousarray(through_jpeg(scene.image, 10)))


def hidden(scene: Scene) -> Scene:
    """Half behind a door's frame: a third of each face, left or right, covered from top to bottom."""
    image = scene.image.copy()
    for number, (xmin, ymin, xmax, ymax) in enumerate(scene.faces.round().astype(int)):
        third = (xmax - xmin) // 3
        left = xmin if (scene.index + number) % 2 else xmax - third
        image[max(0, ymin) : max(0, ymax), max(0, left) : max(0, left + third)] = (96, 84, 72)
    return replace(scene, image=image)


STRESSES: Final[Mapping[str, Callable[[Scene], Scene]]] = {
    "none": lambda scene: scene,
    "dark": dark,
    "backlit": backlit,
    "blurred": blurred,
    "noisy": noisy,
    "small": small,
    "big": big,
    "rotated ±20°": rotated,
    "grey": grey,
    "JPEG 10": jpeg,
    "partly hidden": hidden,
}


def stress_table(
    views: Views,
    pictures: Sequence[Picture],
    images: Sequence[Image],
    stresses: Mapping[str, Callable[[Scene], Scene]] = STRESSES,
) -> dict[str, dict[str, Any]]:
    """Precision, and what the door would say, under each stress.

    Args:
        views: The model.
        pictures: Annotated.
        images: Their pixels.
        stresses: By name.
    """
    table = {}
    for name, stress in stresses.items():
        low: list[Detections] = []
        door: list[Detections] = []
        changed = []
        for index, (picture, image) in enumerate(zip(pictures, images, strict=True)):
            scene = stress(Scene(image, picture.boxes, picture.labels, index))
            changed.append(replace(picture, boxes=scene.boxes, labels=scene.labels))
            for row, found in zip((low, door), views.detect(scene.image), strict=True):
                row.append(found)
        judged = door_view(changed, door)
        table[name] = {
            "faces": sum(_counting(picture) for picture in changed),
            "mAP50": round(average_precision(changed, low)["mAP50"], 4),
            "wrong_green": judged["unmasked_or_wrong_passed_as_masked"],
            "missed": judged["missed"],
        }
    return table


def _counting(picture: Picture) -> int:
    """Number of faces that count for precision."""
    sides = (picture.boxes[:, 2:] - picture.boxes[:, :2]).min(1, initial=np.inf)
    return int(((picture.labels >= 0) & (sides >= MIN_SIDE_PX)).sum())


def _warp(scene: Scene, matrix: NDArray[np.float64]) -> Scene:
    """Move picture and boxes by a 2 × 3 matrix of edge coordinates; cut faces become regions to ignore."""
    height, width = scene.image.shape[:2]
    turn, shift = matrix[:, :2], matrix[:, 2]
    # warpAffine counts from the first pixel's centre, boxes count from its edge.
    on_centres = np.column_stack([turn, shift + turn @ (0.5, 0.5) - 0.5])
    image = cv2.warpAffine(scene.image, on_centres, (width, height), borderValue=(_FILL,) * 3)
    middles, halves = (
        (scene.boxes[:, :2] + scene.boxes[:, 2:]) / 2,
        (scene.boxes[:, 2:] - scene.boxes[:, :2]) / 2,
    )
    # Around the turned ellipse of a face: tighter than around its turned corners.
    middles, halves = middles @ turn.T + shift, np.sqrt(halves**2 @ (turn**2).T)
    whole = np.concatenate([middles - halves, middles + halves], axis=1)
    boxes = whole.clip(0, np.array([width, height] * 2)).astype(np.float32)
    visible = (boxes[:, 2:] - boxes[:, :2]).prod(1) / (4 * halves.prod(1)).clip(1e-6)
    labels = np.where(visible < _MIN_VISIBLE, IGNORED, scene.labels)
    is_region = scene.labels == IGNORED  # it may be larger than a picture: what is left of it is one still
    kept = np.where(is_region, visible > 0, visible >= _GONE)
    return replace(scene, image=np.asarray(image, np.uint8), boxes=boxes[kept], labels=labels[kept])


def _bytes(values: NDArray[np.float32]) -> Image:
    return values.clip(0, 255).astype(np.uint8)
