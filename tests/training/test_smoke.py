"""Run the whole chain of training once, on made-up pictures."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pi_mask.decoder import dequantise
from pi_mask.detector import letterbox
from pi_mask.inference.cpu import CpuInterpreter
from pi_mask.manifest import load_manifest, read_model
from pi_mask.types import MaskLabel
from training import smoke as module
from training.data import load_coco, read_rgb
from training.quantise import load_network
from training.smoke import make_data
from training.torch_interpreter import TorchInterpreter
from training.train import Config, Run, train

# All of these come from the packages and are as they should be in so short a run.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty:UserWarning"),
    pytest.mark.filterwarnings("ignore:The number of training batches:UserWarning"),
    pytest.mark.filterwarnings("ignore:Found .* in eval mode at the start of training:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*experimental_preserve_all_tensors:UserWarning"),
]
LIMITS = {3: (-6.0, 6.0), 4: (-2.0, 3.0)}
"""What scores and boxes are cut to, by their depth."""
LIVELINESS = 100.0
"""Eight steps leave the maps nearly constant; with predictions stretched by this, they vary by some units."""


@dataclass(frozen=True, slots=True)
class Chain:
    """What the chain left behind."""

    folder: Path
    figures: dict[str, Any]

    @property
    def manifest(self) -> Path:
        """The quantised model's manifest."""
        return self.folder / "models" / "smoke.json"


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """Train, quantise and evaluate once for all tests."""
    folder = tmp_path_factory.mktemp("smoke")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "train", train_lively)
        return Chain(folder, module.smoke(folder))


def train_lively(config: Config, run: Run) -> None:
    """Train, then stretch what the last checkpoint predicts."""
    train(config, run)
    path = run.output / "last.ckpt"
    checkpoint = torch.load(path, map_location="cpu", weights_only=False)
    predictions = [
        name for name in checkpoint["state_dict"] if re.search(r"(scores|boxes)\.\d\.2\.weight", name)
    ]
    assert len(predictions) == 6
    for name in predictions:
        checkpoint["state_dict"][name] *= LIVELINESS
    torch.save(checkpoint, path)


def test_the_int8_file_takes_and_gives_bytes(chain: Chain) -> None:
    """Input is image bytes as they are; outputs are six maps of bytes, scores then boxes."""
    path = chain.manifest
    with_model = CpuInterpreter(read_model(path, load_manifest(path).cpu), threads=1)

    spec = with_model.spec

    assert (spec.input.shape, spec.input.dtype) == ((1, 128, 128, 3), "uint8")
    assert (spec.input.scale, spec.input.zero_point) == (pytest.approx(1 / 255), 0)
    sides = (16, 8, 4)
    shapes = [(1, side, side, depth) for depth in (3, 4) for side in sides]
    assert [(tensor.shape, tensor.dtype) for tensor in spec.outputs] == [(shape, "uint8") for shape in shapes]


def test_the_manifest_vouches_for_the_file(chain: Chain) -> None:
    """Checksum, labels and input are those of the file beside it, which is about a third of its parent."""
    manifest = load_manifest(chain.manifest)
    model = (chain.manifest.parent / manifest.cpu.file).read_bytes()

    assert hashlib.sha256(model).hexdigest() == manifest.cpu.sha256
    assert manifest.labels == tuple(MaskLabel)
    assert (manifest.input.width, manifest.input.height, manifest.input.letterbox) == (128, 128, True)
    assert len(model) < 0.45 * (chain.folder / "run" / "float.tflite").stat().st_size


def test_a_run_leaves_what_is_needed_to_repeat_it(chain: Chain) -> None:
    """Checkpoints, log and a record of configuration, commit, data and versions lie in the run's folder."""
    run = chain.folder / "run"
    record = json.loads((run / "run.json").read_text())

    assert {"best.ckpt", "last.ckpt", "run.json", "float.tflite", "log"} <= {
        path.name for path in run.iterdir()
    }
    assert set(record) == {"config", "commit", "data", "versions"}
    assert (record["config"]["size"], record["config"]["epochs"]) == (128, 2)
    assert set(record["data"]) == {"annotations.json"}


def test_all_figures_are_there(chain: Chain) -> None:
    """Precision of int8 and float, the door's view and latencies: all of them, all within their bounds."""
    names = {"mAP50", "mAP", "AP50_with_mask", "AP50_without_mask", "AP50_incorrect"}

    assert set(chain.figures) == {"int8", "float", "loss_points", "door", "latency"}
    assert set(chain.figures["int8"]) == set(chain.figures["float"]) == names
    assert all(0 <= value <= 1 for kind in ("int8", "float") for value in chain.figures[kind].values())
    assert {"right", "missed", "masked_refused", "confusion"} <= set(chain.figures["door"])
    threads = {"threads_1", "threads_2", "float32_inference_ms_threads_1"}
    assert set(chain.figures["latency"]) == threads


def test_int8_says_what_float_says(chain: Chain) -> None:
    """On a picture never seen, every map of the int8 file follows its float parent's to a few percent."""
    manifest = load_manifest(chain.manifest)
    int8 = CpuInterpreter(read_model(chain.manifest, manifest.cpu), threads=1)
    parent = TorchInterpreter(load_network(chain.folder / "run" / "last.ckpt"), 128)
    picture = load_coco(chain.folder / "val" / "annotations.json")[0]
    image = letterbox(read_rgb(picture.path), manifest.input)[None]

    figures = []
    for raw, spec, expected in zip(int8.invoke(image), int8.spec.outputs, parent.invoke(image), strict=True):
        real, wanted = dequantise(raw, spec), expected.clip(*LIMITS[spec.shape[-1]])
        correlation = np.corrcoef(real.ravel(), wanted.ravel())[0, 1]
        figures.append((float(correlation), float(np.abs(real - wanted).mean() / np.ptp(wanted))))

    assert len(figures) == 6
    assert min(correlation for correlation, _ in figures) > 0.95
    assert max(error for _, error in figures) < 0.05


def test_made_up_data_is_the_same_every_time(tmp_path: Path) -> None:
    """Pictures and annotations depend on the seed alone; every face lies in its picture."""
    one, same, other = (make_data(tmp_path / name, 4, seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))

    assert one.read_text() == same.read_text() != other.read_text()
    images = [[read_rgb(p.path).tobytes() for p in load_coco(path)] for path in (one, same)]
    assert images[0] == images[1]
    boxes = np.concatenate([picture.boxes for picture in load_coco(one)])
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] <= (160, 120)).all()
