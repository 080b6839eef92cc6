"""Hold the face classifier to its crops, to an int8 file of bytes and to an honest comparison."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from pi_mask.errors import ModelError
from pi_mask.types import BoundingBox, Detection, MaskLabel
from training.classify.crops import MARGIN, CropConfig, Face, FaceCrops, crop, cut_faces, face_crop
from training.classify.network import SIDE, FaceClassifier, load_classifier
from training.classify.rejudge import Judge, compare, helps, is_unsure, rejudge
from training.classify.train import Config, crop_images, fit, recall, to_int8
from training.data import LABELS, Picture
from training.loss import IGNORED

# All of these come from the packages and are as they should be in so short a run.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The number of training batches:UserWarning"),
    pytest.mark.filterwarnings("ignore:Found .* in eval mode at the start of training:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*does not have many workers:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*experimental_preserve_all_tensors:UserWarning"),
]
COLOURS = ((220, 40, 40), (40, 220, 40), (40, 40, 220))
"""Of the faces, by label."""
BOX = (40.0, 30.0, 80.0, 90.0)


def picture_of(label: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """A grey picture with a face of the label's colour in BOX."""
    image = np.full((120, 160, 3), 114, np.uint8)
    xmin, ymin, xmax, ymax = map(int, BOX)
    image[ymin:ymax, xmin:xmax] = COLOURS[label]
    return image


@pytest.fixture
def pictures(tmp_path: Path) -> list[Picture]:
    """One picture a label, on disk; the first also holds a tiny face and a region to ignore."""
    made = []
    for label in range(3):
        path = tmp_path / f"{label}.png"
        assert cv2.imwrite(str(path), picture_of(label)[..., ::-1])
        boxes = [BOX, (0, 0, 10, 10), (100, 0, 160, 60)] if label == 0 else [BOX]
        labels = [0, 0, IGNORED] if label == 0 else [label]
        made.append(Picture(path, np.array(boxes, np.float32), np.array(labels), label == 1, "drawn"))
    return made


def face(label: int) -> Face:
    """The face with the picture around it."""
    return Face(picture_of(label), np.array(BOX, np.float32), label, False)


def test_a_crop_is_the_square_around_the_face() -> None:
    """The longer side with its margin fills the crop, the face in the middle, its surroundings around it."""
    made = face_crop(picture_of(0), BOX)

    assert (made.shape, made.dtype) == ((SIDE, SIDE, 3), np.uint8)
    rows, columns = np.nonzero(made[..., 0] > 167)
    height, width = SIDE / (1 + 2 * MARGIN), SIDE / (1 + 2 * MARGIN) * 40 / 60
    assert [np.ptp(rows) + 1, np.ptp(columns) + 1] == pytest.approx([height, width], abs=2)
    assert [rows.mean(), columns.mean()] == pytest.approx([SIDE / 2 - 0.5] * 2, abs=1.5)


def test_a_crop_beyond_the_picture_is_grey_there() -> None:
    """Faces at the edge keep their scale; what nobody saw is the letterbox's grey."""
    image = np.full((50, 50, 3), 200, np.uint8)

    half, nothing = crop(image, (0, 25), 40), crop(image, (-500, 25), 40)

    assert half[:, : SIDE // 2 - 2].max() == 114
    assert half[:, SIDE // 2 + 2 :].min() == 200
    assert np.unique(nothing).tolist() == [114]


def test_faces_are_cut_with_their_surroundings(pictures: list[Picture]) -> None:
    """Tiny faces and regions to ignore are left out; the crop of a cut face is that of the whole picture."""
    faces = cut_faces(pictures, 16)

    assert [(each.label, each.is_two_class) for each in faces] == [(0, False), (1, True), (2, False)]
    for each in faces:
        assert each.image.shape[0] < 125
        plain = face_crop(picture_of(each.label), BOX)
        assert np.array_equal(face_crop(each.image, each.box.tolist()), plain)


def test_each_label_is_shown_as_often() -> None:
    """However rare a label is among the faces, a third of the crops have it; each epoch has others."""
    faces = [face(0)] * 50 + [face(1)] * 9 + [face(2)]
    crops = FaceCrops(faces, CropConfig(), seed=1)

    labels = [crops[index][1] for index in range(60)]
    first = crops[0][0]
    crops.epoch = 1
    second = crops[0][0]

    assert min(labels.count(label) for label in range(3)) >= 10
    assert (first.shape, first.dtype) == ((3, SIDE, SIDE), torch.uint8)
    assert not torch.equal(first, second)
    assert len(crops) == 60


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[FaceClassifier, bytes, Path]:
    """A classifier that saw a few crops of each colour, its int8 file and its folder."""
    folder = tmp_path_factory.mktemp("classifier")
    torch.manual_seed(0)
    config = Config(epochs=6, batch=6, workers=0, precision="float32", ema_decay=0.5, learning_rate=3e-3)
    plain = replace(config.crops.augment, colour=0, grey=0, dark=0, backlight=0, noise=0)
    config = replace(config, crops=replace(config.crops, augment=plain))
    faces = [face(label) for label in range(3)] * 6
    network = fit(config, faces, FaceClassifier(), folder)
    return network, to_int8(network, faces, config), folder


def test_the_int8_file_judges_as_its_parent(trained: tuple[FaceClassifier, bytes, Path]) -> None:
    """uint8 in and out; its scores are within a few hundredths of the float network's."""
    network, model, folder = trained
    judge = Judge(model)
    faces = [face(label) for label in range(3)]

    scores = [judge.scores(each.image, BoundingBox(*BOX)) for each in faces]

    with torch.inference_mode():
        images = np.concatenate(list(crop_images(faces)))
        expected = network(torch.from_numpy(images).permute(0, 3, 1, 2)).sigmoid()
    got = np.array([[one[label] for label in LABELS] for one in scores])
    assert got.tolist() == [pytest.approx(row, abs=0.1) for row in expected.tolist()]
    assert len(judge.spent_ms) == 3
    loaded = load_classifier(folder / "last.ckpt")
    assert recall(loaded, faces) == recall(network, faces)
    assert set(recall(network, faces[1:])) == {"without_mask", "incorrect"}  # nothing is said of no face


def test_what_is_no_classifier_is_refused(tmp_path: Path) -> None:
    """A file of something else is named in one line."""
    path = tmp_path / "x.ckpt"
    path.write_bytes(b"no checkpoint")

    with pytest.raises(ModelError, match=r"x\.ckpt holds no face classifier\. Give a \.ckpt that"):
        load_classifier(path)
    with pytest.raises(ModelError):
        Judge(b"no model")


def detection(with_: float, without: float, wrong: float) -> Detection:
    """A face in BOX with the best score's label."""
    scores = dict(zip(LABELS, (with_, without, wrong), strict=True))
    label = max(scores, key=lambda each: scores[each])
    return Detection(BoundingBox(*BOX), label, scores[label], scores)


def test_only_unsure_faces_are_judged_again() -> None:
    """A low best score or a near runner-up is unsure; a clear one is left alone."""
    assert not is_unsure(detection(0.9, 0.1, 0.2), 0.6)
    assert is_unsure(detection(0.5, 0.1, 0.1), 0.6)
    assert is_unsure(detection(0.9, 0.1, 0.5), 0.6)
    assert is_unsure(detection(0.9, 0.1, 0.2), 1.0)


class Oracle(Judge):
    """A judge that knows the colours."""

    def __init__(self) -> None:
        self.spent_ms = []

    def scores(self, image: object, box: BoundingBox) -> dict[MaskLabel, float]:
        """1 for the label whose colour is in the middle of the box."""
        assert isinstance(image, np.ndarray)
        x, y = (int(value) for value in box.center)
        self.spent_ms.append(1.0)
        return {label: float(tuple(image[y, x]) == COLOURS[i]) for i, label in enumerate(LABELS)}


def test_a_second_look_is_compared_with_the_first(pictures: list[Picture]) -> None:
    """A judge who knows corrects an unsure mistake but no sure one, and the figures say that it helps."""
    images = [picture_of(label) for label in range(3)]
    # The first is right and sure; the second is wrong and unsure; the third is wrong and sure.
    found = [[detection(0.9, 0.1, 0.1)], [detection(0.5, 0.4, 0.1)], [detection(0.95, 0.0, 0.1)]]

    result = compare(pictures, images, found, Oracle(), 0.6)

    assert result["without"]["right"]["hits"] == 1
    assert result["with"]["right"]["hits"] == 2
    assert [
        view["unmasked_or_wrong_passed_as_masked"]["hits"] for view in (result["without"], result["with"])
    ] == [2, 1]
    assert (result["rejudged_share"], result["ms_a_face"], result["helps"]) == (0.3333, 1.0, True)
    again = rejudge(found[1][0], images[1], Oracle(), 0.6)
    assert (again.label, again.score) == (MaskLabel.WITHOUT_MASK, pytest.approx(0.7))


def test_more_passed_wrongly_is_no_help() -> None:
    """However many more are right, a second look that lets more pass does not help."""
    names = ("right", "unmasked_or_wrong_passed_as_masked", "masked_refused")

    def view(*shares: float) -> dict[str, dict[str, float]]:
        return {name: {"share": value} for name, value in zip(names, shares, strict=True)}

    assert helps(view(0.8, 0.1, 0.1), view(0.9, 0.1, 0.1))
    assert not helps(view(0.8, 0.1, 0.1), view(0.9, 0.2, 0.1))
    assert not helps(view(0.8, 0.1, 0.1), view(0.9, 0.1, 0.2))
    assert not helps(view(0.8, 0.1, 0.1), view(0.8, 0.1, 0.1))
