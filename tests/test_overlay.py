"""Test pi_mask.overlay."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pi_mask.overlay import draw
from pi_mask.types import BoundingBox, Detection, MaskLabel, Verdict

if TYPE_CHECKING:
    from pi_mask.types import Image

BOX = BoundingBox(100, 100, 180, 200)


def blank(width: int = 320, height: int = 240) -> Image:
    """A grey picture."""
    return np.full((height, width, 3), 128, np.uint8)


def face(label: MaskLabel = MaskLabel.WITH_MASK, box: BoundingBox = BOX, score: float = 0.9) -> Detection:
    """A detection."""
    return Detection(box, label, score)


def test_the_picture_given_stays_as_it_is() -> None:
    """A new picture comes back of the same shape; the given one may be read-only."""
    image = blank()
    image.setflags(write=False)

    drawn = draw(image, [face()], Verdict.MASK)

    assert (drawn.shape, str(drawn.dtype)) == (image.shape, "uint8")
    assert (image == 128).all()
    assert (drawn != 128).any()


def test_nothing_to_draw_changes_nothing() -> None:
    """Without faces and verdict the picture comes back alike."""
    assert (draw(blank(), []) == blank()).all()


def test_the_box_is_drawn_where_it_is() -> None:
    """All four edges are coloured, the middle of the face and what is far away stay free."""
    drawn = draw(blank(), [face()])

    edges = [drawn[150, 100], drawn[150, 180], drawn[200, 140], drawn[100, 140]]
    assert all((pixel != 128).any() for pixel in edges)
    assert (drawn[110:190, 110:170] == 128).all()
    assert (drawn[:, 250:] == 128).all()


@pytest.mark.parametrize(
    ("label", "colour"),
    [
        (MaskLabel.WITH_MASK, (0, 158, 115)),
        (MaskLabel.INCORRECT, (230, 159, 0)),
        (MaskLabel.WITHOUT_MASK, (213, 94, 0)),
    ],
    ids=str,
)
def test_a_box_has_its_labels_colour(label: MaskLabel, colour: tuple[int, int, int]) -> None:
    """Its line is coloured, between dark ones that show it on a background of that colour."""
    across = draw(blank(), [face(label)])[150, 96:105].tolist()

    coloured = [place for place, pixel in enumerate(across) if tuple(pixel) == colour]
    assert len(coloured) == 1
    assert across[coloured[0] - 1] == across[coloured[0] + 1] == [0, 0, 0]


@pytest.mark.parametrize(("one", "other"), list(combinations(MaskLabel, 2)), ids=str)
def test_where_no_text_fits_the_symbol_tells(one: MaskLabel, other: MaskLabel) -> None:
    """In a picture too narrow for any text the tags still differ in their dark strokes."""
    strokes = [
        draw(blank(30, 240), [face(label, BoundingBox(2, 100, 28, 140))]).max(axis=2) < 40
        for label in (one, other)
    ]

    assert (strokes[0] != strokes[1])[80:99].sum() > 5


@pytest.mark.parametrize(("one", "other"), [(Verdict.MASK, Verdict.NO_MASK), (Verdict.MASK, Verdict.FAULT)])
def test_where_no_verdict_fits_its_symbol_tells(one: Verdict, other: Verdict) -> None:
    """The banner of a picture too narrow for any word still differs in its dark strokes."""
    strokes = [draw(blank(40, 240), [], verdict).max(axis=2) < 40 for verdict in (one, other)]

    assert (strokes[0] != strokes[1]).sum() > 20


@pytest.mark.parametrize("verdict", Verdict)
def test_a_long_verdict_shrinks_to_its_room(verdict: Verdict) -> None:
    """In a narrow picture nothing is written at the right edge, where a word too long would end."""
    drawn = draw(blank(120, 240), [], verdict)

    assert not (drawn.max(axis=2) < 40)[:, -16:].any()


@pytest.mark.parametrize(("one", "other"), list(combinations(MaskLabel, 2)), ids=str)
def test_labels_differ_without_colour(one: MaskLabel, other: MaskLabel) -> None:
    """Text and symbol tell the labels apart: the dark strokes differ, whatever the colours are."""
    strokes = [(draw(blank(), [face(label)]).max(axis=2) < 40)[60:100, 100:250] for label in (one, other)]

    assert strokes[0].sum() > 50
    assert (strokes[0] != strokes[1]).sum() > 50


@pytest.mark.parametrize(("one", "other"), list(combinations(Verdict, 2)), ids=str)
def test_verdicts_differ_without_colour(one: Verdict, other: Verdict) -> None:
    """The banners' dark strokes differ from verdict to verdict."""
    strokes = [draw(blank(), [], verdict).max(axis=2) < 40 for verdict in (one, other)]

    assert (strokes[0] != strokes[1]).sum() > 30


def test_the_banner_covers_the_bottom_quarter_at_most() -> None:
    """The verdict leaves the upper three quarters of the picture free."""
    drawn = draw(blank(), [], Verdict.NO_MASK)

    assert (drawn[:180] == 128).all()
    assert (drawn[-1] != 128).any(axis=1).all()


def test_the_score_is_written() -> None:
    """Another score gives another picture."""
    assert (draw(blank(), [face(score=0.91)]) != draw(blank(), [face(score=0.57)])).any()


@pytest.mark.parametrize(
    "box", [BoundingBox(0, 0, 40, 40), BoundingBox(280, 0, 320, 40), BoundingBox(100, -30, 140, 10)]
)
def test_a_tag_stays_within_the_picture(box: BoundingBox) -> None:
    """At the upper edge, and beyond, the tag moves into the picture: as much of it is seen as elsewhere."""
    green = np.array((0, 158, 115))
    seen, elsewhere = (
        (draw(blank(), [face(box=place)]) == green).all(axis=2).sum()
        for place in (box, BoundingBox(100, 100, 140, 140))
    )

    assert seen == pytest.approx(elsewhere, rel=0.3)


@given(
    size=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    corners=st.tuples(*[st.floats(-50, 350)] * 4),
    label=st.sampled_from(MaskLabel),
    verdict=st.none() | st.sampled_from(Verdict),
)
def test_any_picture_and_box_can_be_drawn(
    size: tuple[int, int],
    corners: tuple[float, float, float, float],
    label: MaskLabel,
    verdict: Verdict | None,
) -> None:
    """Tiny pictures and boxes at or beyond the border are drawn without an error."""
    x, y = sorted(corners[:2]), sorted(corners[2:])
    box = BoundingBox(x[0], y[0], x[1], y[1])

    drawn = draw(blank(*size), [face(label, box)], verdict)

    assert drawn.shape == (size[1], size[0], 3)
