"""Hold the loss to its assignment, its weights and its published parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pi_mask.types import BoundingBox
from tests.training.faces import Face, targets
from training.loss import IGNORED, DetectionLoss, Targets, giou
from training.networks.base import Maps
from training.networks.ssd import SsdMobileNetV2

SIDE = 64
STRIDES = SsdMobileNetV2.strides
CORNER, LENGTH = st.integers(-30, 30), st.integers(1, 30)


@st.composite
def boxes(draw: st.DrawFn) -> list[float]:
    """A whole-numbered box with an area."""
    x, y, width, height = draw(CORNER), draw(CORNER), draw(LENGTH), draw(LENGTH)
    return [x, y, x + width, y + height]


@settings(deadline=None, derandomize=True)
@given(boxes(), boxes())
def test_giou_is_iou_less_the_empty_share_of_the_hull(one: list[float], other: list[float]) -> None:
    """GIoU is IoU − (hull − union) / hull (Rezatofighi et al. 2019), symmetric, above −1 and at most IoU."""
    iou, generalised = (float(x) for x in giou(torch.tensor(one), torch.tensor(other)))

    a, b = BoundingBox(*one), BoundingBox(*other)
    hull = BoundingBox(
        min(a.xmin, b.xmin), min(a.ymin, b.ymin), max(a.xmax, b.xmax), max(a.ymax, b.ymax)
    ).area
    union = (a.area + b.area) / (1 + a.iou(b))
    assert iou == pytest.approx(a.iou(b), abs=1e-6)
    assert generalised == pytest.approx(a.iou(b) - (hull - union) / hull, abs=1e-5)
    assert -1 < generalised <= iou + 1e-6
    assert float(giou(torch.tensor(other), torch.tensor(one))[1]) == pytest.approx(generalised, abs=1e-6)


@settings(deadline=None, derandomize=True)
@given(boxes())
def test_giou_of_a_box_with_itself_is_one(box: list[float]) -> None:
    """Equal boxes have the largest value."""
    iou, generalised = giou(torch.tensor(box), torch.tensor(box))

    assert (float(iou), float(generalised)) == pytest.approx((1.0, 1.0))


def test_giou_pulls_boxes_that_do_not_meet() -> None:
    """Apart from each other the gradient still points to the target, unlike IoU's, which is zero."""
    box = torch.tensor([0.0, 0.0, 4.0, 4.0], requires_grad=True)

    giou(box, torch.tensor([10.0, 0.0, 14.0, 4.0]))[1].backward()

    assert box.grad is not None
    assert float(box.grad[2]) > 0


def test_giou_of_nothing_is_a_number() -> None:
    """Boxes without an area give no NaN."""
    iou, generalised = giou(torch.zeros(4), torch.zeros(4))

    assert (float(iou), float(generalised)) == (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Outputs:
    """Outputs of an untrained network, ready to receive gradients."""

    scores: list[Tensor]
    boxes: list[Tensor]

    def loss(self, wanted: Targets) -> dict[str, Tensor]:
        """Loss and gradients for these targets."""
        parts = DetectionLoss(SIDE, SIDE)(Maps(self.scores, self.boxes, []), wanted)
        parts["loss"].backward()
        return {name: value.detach() for name, value in parts.items()}

    def score_gradients(self) -> Tensor:
        """Pictures × cells × labels."""
        return flat([x.grad for x in self.scores if x.grad is not None])

    def box_gradients(self) -> Tensor:
        """Pictures × cells × 4."""
        return flat([x.grad for x in self.boxes if x.grad is not None])


def flat(maps: Sequence[Tensor]) -> Tensor:
    """Maps of all levels as pictures × cells × channels."""
    return torch.cat([x.flatten(2) for x in maps], dim=2).transpose(1, 2)


def maps(pictures: int = 1, seed: int = 0) -> Outputs:
    """Random outputs: scores of a few percent, boxes of about two strides to each side."""
    generator = torch.Generator().manual_seed(seed)

    def level(channels: int, mean: float) -> list[Tensor]:
        sizes = [(pictures, channels, SIDE // stride, SIDE // stride) for stride in STRIDES]
        return [(torch.randn(size, generator=generator) * 0.5 + mean).requires_grad_() for size in sizes]

    return Outputs(level(3, -3.0), level(4, 0.7))


FACES = (Face((4, 6, 30, 40), 0), Face((28, 20, 62, 60), 1), Face((40, 2, 52, 14), 2))


def belongs(centre: Sequence[float], stride: float, box: tuple[float, float, float, float]) -> bool:
    """A cell's centre lies in the face, or at the finest level within a stride of the face's middle."""
    (x, y), (xmin, ymin, xmax, ymax) = centre, box
    is_inside = xmin < x < xmax and ymin < y < ymax
    is_near = max(abs(x - (xmin + xmax) / 2), abs(y - (ymin + ymax) / 2)) < stride
    return is_inside or (is_near and stride == 8)


@pytest.mark.parametrize("seed", range(5))
def test_positives_lie_inside_their_face(seed: int) -> None:
    """Only cells that belong to a face are given to it, and only their boxes are pulled."""
    wanted = targets(FACES)
    loss = DetectionLoss(SIDE, SIDE)
    made = maps(seed=seed)
    with torch.no_grad():
        reach = flat(made.boxes).exp() * loss.strides[:, None]
        predicted = torch.cat([loss.centres - reach[..., :2], loss.centres + reach[..., 2:]], dim=-1)

        assigned, quality = loss._assign(predicted, wanted)

    assert set(assigned.unique().tolist()) == {-1, 0, 1, 2}
    for cell, face in enumerate(assigned[0].tolist()):
        if face >= 0:
            assert belongs(loss.centres[cell].tolist(), float(loss.strides[cell]), FACES[face].box)
    assert (quality[0] > 0).tolist() == (assigned[0] >= 0).tolist()
    assert float(quality.max()) <= 1
    made.loss(wanted)
    assert (made.box_gradients()[0].abs().sum(-1) > 0).tolist() == (assigned[0] >= 0).tolist()


def test_a_large_face_is_learnt_by_the_cells_around_its_middle() -> None:
    """Of the many cells inside a face only the nine that fit it best in place and size learn it."""
    made = maps()

    made.loss(targets([Face((0, 0, SIDE, SIDE))]))

    learning = (made.box_gradients()[0].abs().sum(-1) > 0).nonzero().flatten().tolist()
    centres = DetectionLoss(SIDE, SIDE).centres[learning]
    assert len(learning) == 9
    assert {16.0, 32.0} >= {float(stride) for stride in DetectionLoss(SIDE, SIDE).strides[learning]}
    assert float((centres - SIDE / 2).abs().max()) < 32


def test_a_face_is_learnt_where_it_is() -> None:
    """Off the picture's middle, too, its nine cells are those of its own level around its own middle."""
    made = maps()

    made.loss(targets([Face((3, 29, 35, 61))]))

    learning = made.box_gradients()[0].abs().sum(-1) > 0
    centres = DetectionLoss(SIDE, SIDE).centres[learning]
    assert centres.tolist() == [[x, y] for y in (36, 44, 52) for x in (12, 20, 28)]
    assert int(learning[64:].sum()) == 0  # the first 64 cells are those of stride 8


def test_a_face_between_the_centres_is_not_lost() -> None:
    """A face too small to hold a cell's centre is learnt by the finest level's cells around it."""
    made = maps()

    made.loss(targets([Face((13, 21, 19, 27))]))

    learning = made.box_gradients()[0].abs().sum(-1) > 0
    centres = DetectionLoss(SIDE, SIDE).centres[learning]
    assert centres.tolist() == [[12, 20], [20, 20], [12, 28], [20, 28]]
    assert int(learning[64:].sum()) == 0  # the first 64 cells are those of stride 8


def test_a_tiny_face_has_no_coarse_cell() -> None:
    """Only cells of the finest level can see it, even where a coarse cell's centre lies in it."""
    made = maps()

    made.loss(targets([Face((20, 20, 29, 29))]))

    learning = (made.box_gradients()[0].abs().sum(-1) > 0).nonzero().flatten().tolist()
    assert {float(stride) for stride in DetectionLoss(SIDE, SIDE).strides[learning]} == {8.0}


def test_a_cell_between_two_faces_is_the_nearer_ones() -> None:
    """Where two faces overlap a cell learns the one whose middle is nearer, in either order."""
    left, right = Face((0, 16, 40, 56), 0), Face((24, 16, 64, 56), 1)
    loss = DetectionLoss(SIDE, SIDE)
    cells = int((SIDE // 8) ** 2)
    for faces in ((left, right), (right, left)):
        assigned, _ = loss._assign(torch.zeros(1, len(loss.centres), 4), targets(faces))

        owners = [faces[face] if face >= 0 else None for face in assigned[0, :cells].tolist()]
        assert {owner for owner in owners if owner} == {left, right}
        for (x, _), owner in zip(loss.centres[:cells].tolist(), owners, strict=True):
            assert owner is None or owner is (left if x < SIDE / 2 else right)


def test_an_ignored_region_teaches_nothing() -> None:
    """Cells in a region to ignore get no gradient; the same cells are background without it."""
    region = Face((0, 0, 32, 32), IGNORED)
    with_region, without = maps(), maps()

    with_region.loss(targets([region]))
    without.loss(targets([]))

    centres = DetectionLoss(SIDE, SIDE).centres
    is_inside = (centres < 32).all(-1)
    assert (with_region.score_gradients()[0].abs().sum(-1) == 0).tolist() == is_inside.tolist()
    assert bool((without.score_gradients()[0].abs().sum(-1) > 0).all())
    assert float(with_region.box_gradients().abs().sum()) == 0


def test_a_face_over_an_ignored_region_is_still_learnt() -> None:
    """Where a face and a region to ignore overlap, the face's cells count."""
    face, region = Face((4, 4, 44, 44), 1), Face((0, 0, SIDE, SIDE), IGNORED)
    alone, together = maps(), maps()

    alone.loss(targets([face]))
    together.loss(targets([face, region]))

    learns = alone.box_gradients()[0].abs().sum(-1) > 0
    assert torch.equal(together.box_gradients(), alone.box_gradients())
    assert torch.equal(together.score_gradients()[0, learns], alone.score_gradients()[0, learns])
    assert float(together.score_gradients()[0, ~learns].abs().sum()) == 0


def test_a_two_class_source_says_little_about_incorrect() -> None:
    """On its faces the column "incorrect" has a quarter of the gradient; all else is the same."""
    three, two = maps(), maps()

    three.loss(targets([Face((4, 4, 44, 44), 0)]))
    two.loss(targets([Face((4, 4, 44, 44), 0, is_two_class=True)]))

    learns = three.box_gradients()[0].abs().sum(-1) > 0
    expected = three.score_gradients().clone()
    expected[0, learns, 2] *= 0.25
    torch.testing.assert_close(two.score_gradients(), expected)
    assert torch.equal(two.box_gradients(), three.box_gradients())


def test_pictures_without_faces_are_learnt_from() -> None:
    """A batch without any face has a finite loss that pushes every score down and leaves boxes alone."""
    made = maps(pictures=2)

    parts = made.loss(targets([], []))

    assert bool(torch.isfinite(parts["loss"]))
    assert float(parts["boxes"]) == 0
    assert bool((made.score_gradients() > 0).all())
    assert float(made.box_gradients().abs().sum()) == 0


def test_padding_is_no_face() -> None:
    """A picture's loss does not change because another one in the batch has more faces."""
    narrow, wide = maps(), maps()

    narrow.loss(targets(FACES[:1]))
    padded = targets(FACES[:1])
    more = torch.zeros(1, 5, dtype=torch.int64)
    wide.loss(
        Targets(
            torch.cat([padded.boxes, torch.zeros(1, 5, 4)], dim=1),
            torch.cat([padded.labels, more], dim=1),
            torch.cat([padded.is_two_class, more.bool()], dim=1),
            torch.cat([padded.is_present, more.bool()], dim=1),
        )
    )

    assert torch.equal(narrow.score_gradients(), wide.score_gradients())
    assert torch.equal(narrow.box_gradients(), wide.box_gradients())


def test_absurd_outputs_have_a_finite_loss() -> None:
    """Scores and distances far out of range give numbers, as they may in a run's first steps."""
    made = Outputs(
        [torch.full((1, 3, SIDE // s, SIDE // s), 80.0, requires_grad=True) for s in STRIDES],
        [torch.full((1, 4, SIDE // s, SIDE // s), 80.0, requires_grad=True) for s in STRIDES],
    )

    parts = made.loss(targets(FACES))

    assert bool(torch.isfinite(torch.stack(list(parts.values()))).all())
    assert bool(torch.isfinite(made.score_gradients()).all())


def test_a_few_steps_learn_one_batch() -> None:
    """The network overfits two pictures: the loss falls by a third, and so does its part for boxes."""
    torch.manual_seed(0)
    network = SsdMobileNetV2().train()
    optimizer = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], lr=2e-3)
    loss = DetectionLoss(SIDE, SIDE)
    images, wanted = torch.rand(2, 3, SIDE, SIDE), targets(FACES[:1], FACES[1:])
    history = []
    for _ in range(12):
        parts = loss(network(images), wanted)
        optimizer.zero_grad()
        parts["loss"].backward()
        optimizer.step()
        history.append({name: float(value.detach()) for name, value in parts.items()})

    # The scores' own part grows at first: what they aim at is the overlap, which grows.
    assert history[-1]["boxes"] < 0.67 * history[0]["boxes"]
    assert history[-1]["loss"] < 0.67 * history[0]["loss"]
