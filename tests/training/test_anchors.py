"""Hold the choice of anchors to suiting the faces, and to reaching the network and its manifest."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pi_mask.errors import InputError
from pi_mask.types import BoundingBox, MaskLabel
from training.anchors import Config, choose, compare, fit, ious, letterboxed_sizes, main, varied
from training.annotations import AnnotatedImage, Face, read_annotations, write_annotations
from training.networks.yolov5 import DEFAULT_ANCHORS, YoloV5
from training.run_folder import Run
from training.train import build_network
from training.trainee import Config as TrainConfig


def image(*sizes: tuple[float, float], frame: tuple[int, int] = (640, 480)) -> AnnotatedImage:
    """A picture with faces of some widths and heights."""
    faces = [Face(BoundingBox(0, 0, width, height), MaskLabel.WITH_MASK) for width, height in sizes]
    return AnnotatedImage("a.jpg", *frame, tuple(faces))


def people(count: int = 60) -> list[AnnotatedImage]:
    """Pictures of faces from 12 to 400 pixels wide."""
    rng = np.random.default_rng(5)
    widths = np.exp(rng.uniform(np.log(12), np.log(400), count))
    return [image((float(width), float(width * rng.uniform(1.0, 1.4)))) for width in widths]


def test_sizes_are_those_of_the_letterboxed_picture() -> None:
    """Both sides shrink by what fits the longer one; regions to ignore and empty pictures do not count."""
    ignored = Face(BoundingBox(0, 0, 9, 9), None)
    images = [
        image((64, 80)),
        AnnotatedImage("b.jpg", 100, 320, (ignored,)),
        image((10, 20), frame=(160, 320)),
        image(frame=(0, 0)),
    ]

    assert letterboxed_sizes(images, 320).tolist() == [[32, 40], [10, 20]]


def test_faces_are_varied_as_training_varies_them() -> None:
    """From half the size to double; too small ones are left out, large ones end at the input's edge."""
    sizes = varied(np.array([[10.0, 12.0], [200.0, 250.0]] * 9), Config(scale=(0.5, 2.0), scales=3))

    assert np.unique(sizes, axis=0).tolist() == [[10, 12], [20, 24], [100, 125], [200, 250], [320, 320]]


def test_overlap_of_boxes_with_one_centre() -> None:
    """The shared area is that of the smaller sides."""
    assert ious(np.array([[10.0, 20.0]]), np.array([[10.0, 20.0], [20.0, 10.0], [5.0, 20.0]])).tolist() == [
        [1.0, pytest.approx(100 / 300), 0.5]
    ]


def test_clusters_are_found() -> None:
    """Faces of three sizes give those three anchors, those of a small area first."""
    rng = np.random.default_rng(2)
    centres = np.array([[100.0, 130.0], [20.0, 90.0], [30.0, 40.0]])
    sizes = (centres[:, None] * rng.uniform(0.95, 1.05, (3, 50, 2))).reshape(-1, 2)

    assert choose(sizes, 3, Config()) == pytest.approx(centres[[2, 1, 0]], rel=0.02)


def test_chosen_anchors_suit_their_faces_better_than_the_default_ones() -> None:
    """On faces of few sizes the overlap is higher; and the figures are what they say."""
    chosen, fits = compare([image((40, 80)), image((50, 100)), image((200, 400), frame=(480, 640))], Config())

    assert fits["chosen"]["as trained"].mean_iou > fits["default"]["as trained"].mean_iou + 0.05
    assert [len(level) for level in chosen] == [3, 3, 3]
    areas = [width * height for level in chosen for width, height in level]
    assert areas == sorted(areas)
    perfect = fit(np.array([[7.0, 9.0], [70.0, 90.0]]), (((7.0, 9.0),), ((70.0, 90.0),)))
    assert (perfect.mean_iou, perfect.recall, perfect.within_ratio) == (1, 1, 1)
    far = fit(np.array([[10.0, 10.0], [2.0, 10.0]]), (((10.0, 10.0),),))
    assert (far.mean_iou, far.recall, far.within_ratio) == (pytest.approx(0.6), 0.5, 0.5)
    by_half = fit(np.array([[10.0, 19.0], [10.0, 21.0]]), (((10.0, 10.0),),))
    assert (by_half.recall, by_half.within_ratio) == (0.5, 1)


def test_the_default_anchors_are_those_that_training_takes() -> None:
    """At every size they have the same pixels: so a network has them that is trained without a file."""
    _, fits = compare(people(), Config(size=640))

    faces = varied(letterboxed_sizes(people(), 640), Config(size=640))
    network = build_network(TrainConfig(network="yolov5n", size=640), Run(Path(), Path(), Path("none")))
    assert fits["default"]["as trained"] == fit(faces, network.level_anchors())


def test_faces_too_small_to_train_on_are_measured_as_trained_only() -> None:
    """As they are, what they fit to does not matter."""
    _, fits = compare([*people(), image((5, 7))], Config(size=640))

    sizes = letterboxed_sizes(people(), 640)
    assert fits["default"]["as they are"] == fit(sizes, DEFAULT_ANCHORS)
    assert fits["default"]["as trained"] != fit(varied(sizes, Config(size=640)), DEFAULT_ANCHORS)


def test_the_file_goes_from_the_faces_to_the_manifest(tmp_path: Path) -> None:
    """The command's file is what training reads; the network's description of itself carries the anchors."""
    data = tmp_path / "train.json"
    write_annotations(data, people())
    output = tmp_path / "anchors.json"

    options = ["--size", "640", "--seed", "3"]

    result = CliRunner().invoke(main, ["--data", str(data), "--output", str(output), *options])
    network = build_network(TrainConfig(network="yolov5n"), Run(data, data, tmp_path, anchors=output))

    assert result.exit_code == 0, result.output
    record = json.loads(output.read_text())
    assert record["fit"]["chosen"]["as trained"]["recall"] > 0.95
    chosen, _ = compare(read_annotations(data), Config(size=640, seed=3))
    assert (record["size"], record["anchors"]) == (640, json.loads(json.dumps(chosen)))
    assert isinstance(network, YoloV5)
    manifest = [[list(anchor) for anchor in level.anchors] for level in network.head().levels]
    assert manifest == [[pytest.approx(anchor, abs=0.01) for anchor in level] for level in record["anchors"]]
    assert manifest[0] != [list(anchor) for anchor in DEFAULT_ANCHORS[0]]


def test_the_seed_decides() -> None:
    """The same faces and seed give the same anchors."""
    sizes = varied(letterboxed_sizes(people(), 320), Config())

    assert choose(sizes, 9, Config(seed=3)).tolist() == choose(sizes, 9, Config(seed=3)).tolist()


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([], "No face in the annotations"),
        ([image(frame=(10, 10))], "No face in the annotations"),
        ([image((10, 10), frame=(0, 0))], r"a\.jpg has no width and height"),
        ([image((4, 4))], "0 faces of 6 pixels and more are too few"),
        ([image((4, 5), (5, 5), (5, 5.5), frame=(320, 240))], "Too few faces of different sizes reach 6"),
        ([image((12, 14), (12, 14))], "Too few faces of different sizes reach 6 pixels of 320"),
    ],
)
def test_what_cannot_be_chosen_from(images: list[AnnotatedImage], message: str) -> None:
    """Nothing to choose from is one line that says what is missing."""
    with pytest.raises(InputError, match=message):
        compare(images, Config())
