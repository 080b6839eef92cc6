"""Hold the division of pictures to its two promises: nothing in common, and as much of everything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pi_mask.types import BoundingBox, MaskLabel
from tests.training.checks.scenes import annotated, face
from training.annotations import AnnotatedImage, Face
from training.checks.dividing import divide
from training.checks.near_duplicates import Pair

LABELS = list(MaskLabel)


def collection(count: int, groups: int) -> list[AnnotatedImage]:
    """Pictures of two sources, with 0 to 5 faces, a tenth of them worn wrongly, some synthetic."""
    rng = np.random.default_rng(4)
    images = []
    for index in range(count):
        labels = rng.choice(3, int(rng.integers(6)), p=[0.6, 0.3, 0.1])
        group = int(rng.integers(groups))
        images.append(
            annotated(
                f"{index}.jpg",
                *(face(LABELS[label]) for label in labels),
                source="hall" if group % 3 else "street",
                group=str(group),
                is_synthetic=group % 10 == 0,
            )
        )
    return images


def tally(images: Sequence[AnnotatedImage]) -> Counter[tuple[str, object]]:
    """Pictures per source, faces per source and label."""
    found: Counter[tuple[str, object]] = Counter((image.source, "pictures") for image in images)
    found.update((image.source, each.label) for image in images for each in image.faces)
    return found


def test_each_source_and_label_is_divided_alike() -> None:
    """A fifth of the real pictures and of each kind of face goes to the smaller part, by one group or so."""
    images = collection(900, 300)

    chosen = divide(images, [], 0.2, seed=1)

    real = tally([image for image in images if not image.is_synthetic])
    small = tally([image for image, is_chosen in zip(images, chosen, strict=True) if is_chosen])
    assert {key: small[key] / real[key] for key in real} == {
        key: pytest.approx(0.2, abs=max(0.02, 2.5 / real[key])) for key in real
    }


@given(
    st.lists(st.tuples(st.integers(0, 39), st.integers(0, 39)), max_size=25),
    st.integers(1, 40),
    st.floats(0.05, 0.5),
    st.integers(0, 5),
)
def test_what_belongs_together_stays_together(
    links: list[tuple[int, int]], groups: int, share: float, seed: int
) -> None:
    """No group and no pair of near-duplicates is divided, and no synthetic picture is chosen."""
    images = collection(40, groups)
    pairs = [Pair(*sorted(link), 0, 0.0, False) for link in links]

    chosen = divide(images, pairs, share, seed)

    sides: dict[str, set[bool]] = {}
    for image, is_chosen in zip(images, chosen, strict=True):
        sides.setdefault(image.group, set()).add(is_chosen)
        assert not (is_chosen and image.is_synthetic)
    assert all(len(side) == 1 for side in sides.values())
    assert all(chosen[pair.first] == chosen[pair.second] for pair in pairs)


def test_the_seed_decides() -> None:
    """The same seed chooses the same pictures, another one others."""
    images = collection(200, 200)

    assert divide(images, [], 0.2, 1) == divide(images, [], 0.2, 1) != divide(images, [], 0.2, 2)


@pytest.mark.parametrize(("large", "small"), [(0, 60), (120, 30), (12, 0)])
def test_many_small_sources_and_few_pictures_are_divided_too(large: int, small: int) -> None:
    """What is too rare in a source for a share of its own is counted with all others."""
    names = ["large"] * large + [f"small{index}" for index in range(small) for _ in range(4)]
    images = [
        annotated(f"{index}.jpg", face(LABELS[index % 3]), source=source, group=str(index))
        for index, source in enumerate(names)
    ]

    chosen = divide(images, [], 0.1, seed=1)

    found = Counter(name[:5] for name, is_chosen in zip(names, chosen, strict=True) if is_chosen)
    assert found["large"] == pytest.approx(0.1 * large, abs=2)
    assert found["small"] == pytest.approx(0.1 * 4 * small, abs=3)
    assert found.total() >= 1


def test_a_label_that_is_rare_in_every_source_is_divided_too() -> None:
    """Twenty faces in as many sources are none too few for one or three of them to be measured on."""
    images = [
        annotated(
            f"{source}-{number}.jpg",
            face(MaskLabel.INCORRECT if source < 20 and number == 0 else MaskLabel.WITH_MASK),
            Face(BoundingBox(0, 0, 9, 9), None),
            source=str(source),
        )
        for source in range(60)
        for number in range(4)
    ]

    for seed in range(20):
        chosen = divide(images, [], 0.1, seed)

        small = [image for image, is_chosen in zip(images, chosen, strict=True) if is_chosen]
        assert 1 <= sum(image.faces[0].label is MaskLabel.INCORRECT for image in small) <= 3
