"""Find pictures that show the same scene.

A difference hash (dHash, Krawetz 2013) of 16 × 16 bits proposes pairs; thumbnails confirm them, since flat
backgrounds alone bring two hashes near each other. Mirrored copies are found too: many public collections
hold them as augmentation. An own hash of ten lines spares imagehash, which would bring Pillow, SciPy and
PyWavelets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pi_mask.types import Image

_SIDE = 16
_BITS = _SIDE * _SIDE
_THUMB = 32
_CHUNK = 512

# Set by looking at the closest 140 pairs of 5,871 pictures of nine collections: beyond these values other
# people before the same kind of wall begin to appear; small ones before an empty wall do earlier. Unrelated
# pictures differ in about 128 bits.
MAX_DISTANCE = 60
MAX_DIFFERENCE = 0.28
SURE_DISTANCE = 30
"""So near, the same scene may differ more: a mask was pasted on, or a person walked on."""
SURE_DIFFERENCE = 0.6


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is kept of a picture to compare it.

    Attributes:
        signs: 256 float32, +1 where brightness grows to the right, −1 elsewhere.
        mirrored: The same for the mirrored picture.
        thumbnail: 32 × 32 float32, grey, mean 0 and standard deviation 1.
    """

    signs: NDArray[np.float32]
    mirrored: NDArray[np.float32]
    thumbnail: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures that show the same, by their positions.

    Attributes:
        distance: Bits of 256 in which the hashes differ.
        difference: Mean absolute difference of the thumbnails in standard deviations; 0 for the very same.
    """

    first: int
    second: int
    distance: int
    difference: float
    is_mirrored: bool

    @property
    def is_close(self) -> bool:
        """Whether this is near enough to be the same scene."""
        limit = SURE_DIFFERENCE if self.distance <= SURE_DISTANCE else MAX_DIFFERENCE
        return self.distance <= MAX_DISTANCE and self.difference <= limit

    @property
    def is_identical(self) -> bool:
        """Whether nothing at all tells the two apart."""
        return not (self.distance or self.difference or self.is_mirrored)


def fingerprint(image: Image) -> Fingerprint:
    """Reduce a picture (RGB, any size) to what is compared."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (_THUMB, _THUMB), interpolation=cv2.INTER_AREA).astype(np.float32)
    # One more, so that the noise of an even picture stays small.
    thumbnail = (small - small.mean()) / (small.std() + 1.0)
    return Fingerprint(_signs(grey), _signs(np.ascontiguousarray(grey[:, ::-1])), thumbnail)


def _signs(grey: NDArray[Any]) -> NDArray[np.float32]:
    tiny = cv2.resize(grey, (_SIDE + 1, _SIDE), interpolation=cv2.INTER_AREA).astype(np.int16)
    return np.where(tiny[:, 1:] > tiny[:, :-1], 1.0, -1.0).astype(np.float32).ravel()


def near_duplicates(prints: Sequence[Fingerprint]) -> list[Pair]:
    """All pairs that show the same scene, in order of their positions; the time grows with the square."""
    if not prints:
        return []
    signs = np.stack([each.signs for each in prints])
    mirrored = np.stack([each.mirrored for each in prints])
    pairs = []
    # A picture that is its own mirror image is both: the later one, not mirrored, is what counts.
    for is_mirrored, others in ((True, mirrored), (False, signs)):
        for first, second, distance in _near(signs, others):
            difference = _difference(prints[first].thumbnail, prints[second].thumbnail, is_mirrored)
            pairs.append(Pair(first, second, distance, difference, is_mirrored))
    pairs.sort(key=lambda pair: -pair.difference)
    best = {(pair.first, pair.second): pair for pair in pairs if pair.is_close}
    return [best[key] for key in sorted(best)]


def _near(signs: NDArray[np.float32], others: NDArray[np.float32]) -> Iterator[tuple[int, int, int]]:
    """Positions (first < second) whose hashes differ in few bits, and in how many."""
    for start in range(0, len(signs), _CHUNK):
        # A product of signs counts equal bits minus different ones.
        distances = (_BITS - signs[start : start + _CHUNK] @ others.T) / 2
        rows, columns = np.nonzero(distances <= MAX_DISTANCE)
        for row, column in zip(rows, columns, strict=True):
            if row + start < column:
                yield int(row + start), int(column), int(distances[row, column])


def _difference(one: NDArray[np.float32], other: NDArray[np.float32], is_mirrored: bool) -> float:
    return float(np.abs(one - (other[:, ::-1] if is_mirrored else other)).mean())


def connected(count: int, pairs: Sequence[tuple[int, int]]) -> list[int]:
    """A number per item, the same for all that are linked by pairs (union-find)."""
    parent = list(range(count))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for first, second in pairs:
        parent[root(second)] = root(first)
    return [root(item) for item in range(count)]
