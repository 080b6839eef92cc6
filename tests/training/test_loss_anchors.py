"""Hold the loss with anchors to its assignment, its weights and the decoder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pi_mask.decoder import Decoder
from tests.training.faces import Face, targets
from training.loss import IGNORED, AnchorConfig, LossConfig, Targets
from training.loss_anchors import AnchorLoss
from training.networks.base import Maps
from training.networks.yolov5 import YoloV5n
from training.torch_interpreter import float_spec

SIDE = 128
STRIDES = YoloV5n.strides
SURE = 6.0
FACES = (Face((8, 12, 40, 52), 0), Face((60, 40, 110, 110), 1), Face((90, 4, 104, 22), 2))


@cache
def network() -> YoloV5n:
    """The same network for all tests, in evaluation mode."""
    torch.manual_seed(0)
    return YoloV5n().eval()


def anchor_loss(config: LossConfig | None = None) -> AnchorLoss:
    """The network's loss."""
    return AnchorLoss(SIDE, SIDE, network().level_anchors(), config)


@st.composite
def faces(draw: st.DrawFn) -> Face:
    """A face of 8 to 100 px, wholly in the picture, up to twice as wide as high or the reverse."""
    width = draw(st.floats(8, 100))
    height = draw(st.floats(max(8, width / 2), min(100, 2 * width)))
    x, y = draw(st.floats(0, SIDE - width)), draw(st.floats(0, SIDE - height))
    return Face((x, y, x + width, y + height), draw(st.integers(0, 2)))


@dataclass(frozen=True, slots=True)
class Place:
    """One box of the network: level, anchor and cell."""

    level: int
    anchor: int
    row: int
    column: int


def places(wanted: Targets) -> list[tuple[Place, int]]:
    """Which boxes learn which face of the first picture."""
    found = []
    for level, stride in enumerate(STRIDES):
        m = anchor_loss().match(level, wanted, SIDE // stride, SIDE // stride)
        for picture, *place, face in zip(m.picture, m.anchor, m.row, m.column, m.face, strict=True):
            assert int(picture) == 0
            found.append((Place(level, *(int(x) for x in place)), int(face)))
    return found


def empty_maps(pictures: int = 1) -> Maps:
    """Maps in which nobody is."""
    head = network().output_shapes(SIDE)
    flat = [torch.zeros(pictures, depth, rows, columns) for _, rows, columns, depth in head]
    return Maps(flat[:3], flat[3:6], [x - SURE for x in flat[6:]])


def encode(maps: Maps, place: Place, face: Face) -> None:
    """Write a face into the maps, by the inverse of the published formulas."""
    stride = STRIDES[place.level]
    anchor = torch.tensor(network().level_anchors()[place.level][place.anchor])
    corners = torch.tensor(face.box)
    centre, size = (corners[:2] + corners[2:]) / 2, corners[2:] - corners[:2]
    cell = torch.tensor([place.column, place.row]) + 0.5
    values = torch.cat([(centre / stride - cell + 1) / 2, (size / anchor).sqrt() / 2])
    maps.boxes[place.level][0, 4 * place.anchor : 4 * place.anchor + 4, place.row, place.column] = (
        torch.logit(values, eps=1e-5)
    )
    labels = torch.full((3,), -SURE)
    labels[face.label] = SURE
    maps.scores[place.level][0, 3 * place.anchor : 3 * place.anchor + 3, place.row, place.column] = labels
    maps.objectness[place.level][0, place.anchor, place.row, place.column] = SURE


@settings(deadline=None, derandomize=True, max_examples=60)
@given(faces())
def test_each_face_is_learnt_where_it_can_be_said(face: Face) -> None:
    """A face has at least one box and at most three cells an anchor, all within a stride and four sizes."""
    found = [place for place, _ in places(targets([face]))]

    assert found
    assert len(found) == len(set(found))
    x, y = (face.box[0] + face.box[2]) / 2, (face.box[1] + face.box[3]) / 2
    for place in found:
        stride = STRIDES[place.level]
        across, down = x / stride - place.column - 0.5, y / stride - place.row - 0.5
        assert max(abs(across), abs(down)) <= 1 + 1e-4
        # Never the diagonal neighbour.
        assert min(abs(across), abs(down)) <= 0.5 + 1e-4
        for side, anchor in zip(
            (face.box[2] - face.box[0], face.box[3] - face.box[1]),
            network().level_anchors()[place.level][place.anchor],
            strict=True,
        ):
            assert 1 / 4 < side / anchor < 4
    anchors = {(place.level, place.anchor) for place in found}
    assert len(found) <= 3 * len(anchors)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(faces(), st.integers(0, 1000))
def test_an_encoded_face_comes_back_from_the_decoder(face: Face, choice: int) -> None:
    """What a box should learn is what pi_mask's decoder reads from it, and the loss calls it right."""
    wanted = targets([face])
    found = [place for place, _ in places(wanted)]
    chosen, maps = found[choice % len(found)], empty_maps()
    encode(maps, chosen, face)

    decoder = Decoder(network().head(), float_spec(network(), SIDE), (0.5,) * 3)
    got = decoder.decode([x.permute(0, 2, 3, 1).numpy() for x in maps.flat()])

    assert got.boxes.tolist() == [pytest.approx(face.box, abs=0.05)]
    assert int(got.scores[0].argmax()) == face.label
    for place in found:
        encode(maps, place, face)
    parts = anchor_loss()(maps, wanted)
    assert float(parts["boxes"]) < 0.01
    assert float(parts["scores"]) < 0.01
    assert float(parts["objectness"]) < 0.05


def lively_maps(pictures: int = 1) -> Maps:
    """Random outputs, ready to receive gradients."""
    generator = torch.Generator().manual_seed(0)

    def varied(values: list[Tensor], mean: float) -> list[Tensor]:
        return [(torch.randn(x.shape, generator=generator) * 0.5 + mean).requires_grad_() for x in values]

    like = empty_maps(pictures)
    return Maps(varied(like.scores, 0.0), varied(like.boxes, 0.0), varied(like.objectness, -3.0))


def gradients(maps: Maps, wanted: Targets, config: LossConfig | None = None) -> list[Tensor]:
    """What the loss pulls at, map by map in the order of the outputs."""
    anchor_loss(config)(maps, wanted)["loss"].backward()
    return [torch.zeros_like(x) if x.grad is None else x.grad for x in maps.flat()]


def test_only_a_faces_boxes_learn_its_place_and_label() -> None:
    """Boxes and labels are pulled at the matched places and nowhere else; objectness everywhere."""
    wanted = targets(FACES)
    got = gradients(lively_maps(), wanted)

    pulled = {
        Place(level, anchor, row, column)
        for level, gradient in enumerate(got[3:6])
        for anchor, row, column in gradient[0].unflatten(0, (3, 4)).abs().sum(1).nonzero().tolist()
    }
    assert pulled == {place for place, _ in places(wanted)}
    assert {face for _, face in places(wanted)} == {0, 1, 2}
    assert all(bool((gradient != 0).all()) for gradient in got[6:])
    labelled = {
        Place(level, anchor, row, column)
        for level, gradient in enumerate(got[:3])
        for anchor, row, column in gradient[0].unflatten(0, (3, 3)).abs().sum(1).nonzero().tolist()
    }
    assert labelled == pulled


def test_a_region_to_ignore_teaches_nothing() -> None:
    """In it no box says that nobody is there, unless a face is there too; outside all stays the same."""
    region = Face((0, 0, 64, 64), IGNORED)
    alone, together = gradients(lively_maps(), targets([])), gradients(lively_maps(), targets([region]))

    for level, (before, after) in enumerate(zip(alone[6:], together[6:], strict=True)):
        cells = 64 // STRIDES[level]
        assert bool((before > 0).all())
        assert float(after[..., :cells, :cells].abs().sum()) == 0
        assert bool((after[..., cells:, :] > 0).all())
        assert bool((after[..., :, cells:] > 0).all())
    assert all(float(x.abs().sum()) == 0 for x in together[:6])
    both = gradients(lively_maps(), targets([FACES[0], region]))
    found = [place for place, _ in places(targets(FACES[:1]))]
    assert all(float(both[6 + p.level][0, p.anchor, p.row, p.column]) != 0 for p in found)


@pytest.mark.parametrize("corner", [(8.5, 16.5), (30.0, 42.0), (1.0, 100.0)], ids=str)
def test_a_tiny_face_to_ignore_is_no_background(corner: tuple[float, float]) -> None:
    """However few cells have their middle in it: where a face of its size would be learnt, nothing is."""
    x, y = corner
    region = Face((x, y, x + 3, y + 3), IGNORED)
    would_learn = {place for place, _ in places(targets([replace(region, label=0)]))}

    got = gradients(lively_maps(), targets([region]))

    assert would_learn
    assert all(float(got[6 + p.level][0, p.anchor, p.row, p.column]) == 0 for p in would_learn)
    assert sum(int((x == 0).sum()) for x in got[6:]) == len(would_learn)


def test_a_two_class_source_says_little_about_incorrect() -> None:
    """On its faces the label "incorrect" has a quarter of the gradient; all else is the same."""
    face = Face((8, 12, 40, 52), 0)
    three = gradients(lively_maps(), targets([face]))
    two = gradients(lively_maps(), targets([replace(face, is_two_class=True)]))

    for before, after in zip(three[:3], two[:3], strict=True):
        expected = before.clone().unflatten(1, (3, 3))
        expected[:, :, 2] *= 0.25
        torch.testing.assert_close(after, expected.flatten(1, 2))
    assert all(map(torch.equal, three[3:], two[3:]))


def test_two_faces_in_one_place_are_one_to_objectness() -> None:
    """It says that somebody is there, not how many."""
    with torch.no_grad():
        one, two = (anchor_loss()(lively_maps(), targets(FACES[:1] * n))["objectness"] for n in (1, 2))

    assert float(two) == pytest.approx(float(one), rel=1e-6)


def test_objectness_pulls_at_no_box() -> None:
    """It learns the overlap that a box reaches; a box does not learn to be as good as is said of it."""
    silent = LossConfig(anchors=AnchorConfig(objectness_weight=0.0))

    with_it, without = (gradients(lively_maps(), targets(FACES), config) for config in (None, silent))

    assert all(map(torch.equal, with_it[:6], without[:6]))


def test_pictures_without_faces_have_a_finite_loss() -> None:
    """Nobody in the batch: no label, no box, objectness falls."""
    with torch.no_grad():
        parts = anchor_loss()(lively_maps(2), targets([], []))

    assert (float(parts["boxes"]), float(parts["scores"])) == (0.0, 0.0)
    assert 0 < float(parts["objectness"]) < 10


def test_padding_is_no_face() -> None:
    """A picture's loss does not change because another one in the batch has more faces."""
    one = targets(FACES[:1])
    more = torch.zeros(1, 5, dtype=torch.int64)
    padded = Targets(
        torch.cat([one.boxes, torch.zeros(1, 5, 4)], dim=1),
        torch.cat([one.labels, more], dim=1),
        torch.cat([one.is_two_class, more.bool()], dim=1),
        torch.cat([one.is_present, more.bool()], dim=1),
    )

    narrow, wide = gradients(lively_maps(), one), gradients(lively_maps(), padded)

    assert all(map(torch.equal, narrow, wide))


def test_absurd_outputs_have_a_finite_loss() -> None:
    """Values far out of range, as in a run's first steps, give numbers and finite gradients."""
    maps = Maps(*([torch.full_like(x, 80.0).requires_grad_() for x in kind] for kind in kinds(empty_maps())))

    assert all(bool(torch.isfinite(x).all()) for x in gradients(maps, targets(FACES)))


def kinds(maps: Maps) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """The three lists of maps."""
    return maps.scores, maps.boxes, maps.objectness


def test_a_few_steps_learn_one_batch() -> None:
    """The network overfits two pictures: the loss of boxes, labels and both together falls."""
    torch.manual_seed(0)
    learner = YoloV5n().train()
    optimizer = torch.optim.AdamW(learner.parameters(), lr=2e-3)
    loss, images, wanted = anchor_loss(), torch.rand(2, 3, SIDE, SIDE), targets(FACES[:1], FACES[1:])
    history = []
    for _ in range(10):
        parts = loss(learner(images), wanted)
        optimizer.zero_grad()
        parts["loss"].backward()
        optimizer.step()
        history.append({name: float(value.detach()) for name, value in parts.items()})

    assert history[-1]["boxes"] < 0.8 * history[0]["boxes"]
    assert history[-1]["scores"] < 0.8 * history[0]["scores"]
    assert history[-1]["loss"] < 0.8 * history[0]["loss"]
