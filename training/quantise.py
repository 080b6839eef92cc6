"""Convert a trained detector to a full int8 .tflite file with uint8 ends and write its manifest.

    python -m training.quantise --checkpoint training/runs/ssd/best.ckpt --data ../shared/data/train.json \
        --output models --name ssd_mobilenet_v2_320

torch → litert-torch (float .tflite) → ai-edge-quantizer (int8, calibrated on training pictures) → uint8 ends.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import litert_torch
import numpy as np
import torch
from ai_edge_quantizer import quantizer, recipe
from numpy.typing import NDArray

from pi_mask.detector import letterbox
from pi_mask.manifest import Manifest, ModelFile, ModelInput
from pi_mask.types import MaskLabel
from training.data import LABELS, Picture, load_coco, read_rgb
from training.float_parent import IOU_THRESHOLD
from training.networks.ssd import ExportedSsd, SsdMobileNetV2
from training.provenance import provenance
from training.torch_interpreter import INPUT_SCALE, ssd_head
from training.uint8_ends import with_uint8_ends

# Until the door's thresholds are chosen on training pictures (training/thresholds.py).
DEFAULT_THRESHOLD = 0.4


@dataclass(frozen=True)
class Config:
    """What the conversion depends on."""

    size: int = 320
    calibration_pictures: int = 300  # min-max ranges no longer move beyond about 200
    seed: int = 1


def load_network(checkpoint: Path) -> SsdMobileNetV2:
    """The network with the averaged weights of a training checkpoint, in evaluation mode."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=False)["state_dict"]
    network = SsdMobileNetV2()
    prefix = "network."
    network.load_state_dict({n.removeprefix(prefix): v for n, v in state.items() if n.startswith(prefix)})
    return network.eval()


def convert_float(network: SsdMobileNetV2, size: int) -> bytes:
    """The float32 .tflite file: picture 0 to 1, channels last; scores then boxes, level by level."""
    exported = ExportedSsd(network).eval()
    count = 2 * len(network.strides)
    wrapped = litert_torch.to_channel_last_io(exported, args=[0], outputs=list(range(count)))
    model = litert_torch.convert(wrapped, (torch.zeros(1, size, size, 3),))
    return bytes(model.model_content())


def calibration_images(pictures: Sequence[Picture], config: Config) -> Iterator[NDArray[np.float32]]:
    """Letterboxed training pictures, as the detector makes them; every label is among them."""
    rng = np.random.default_rng(config.seed)
    for index in rng.permutation(len(pictures))[: config.calibration_pictures]:
        image = letterbox(read_rgb(pictures[index].path), ModelInput(width=config.size, height=config.size))
        yield image[None].astype(np.float32) * np.float32(INPUT_SCALE)


def quantise(model: bytes, images: Iterator[NDArray[np.float32]]) -> bytes:
    """Full int8 inside, uint8 at the ends."""
    machine = quantizer.Quantizer(model, recipe.static_wi8_ai8())
    signature, name = _signature(model)
    result = machine.calibrate({signature: ({name: image} for image in images)}, num_threads=2)
    quantised = machine.quantize(result, enable_progress_report=False).quantized_model
    return with_uint8_ends(bytes(quantised))


def _signature(model: bytes) -> tuple[str, str]:
    """Names of the model's only signature and of its input."""
    from ai_edge_litert.interpreter import Interpreter

    signatures: dict[str, Any] = Interpreter(model_content=model).get_signature_list()
    key = next(iter(signatures))
    return key, signatures[key]["inputs"][0]


def write_model(model: bytes, name: str, folder: Path, training: dict[str, Any], size: int) -> Path:
    """Write the .tflite file and its manifest; metrics are added by training.evaluate."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.tflite"
    file.write_bytes(model)
    manifest = Manifest(
        schema=1,
        name=name,
        description="SSD-MobileNetV2-FPN-lite, anchor-free, int8",
        cpu=ModelFile(file=file.name, sha256=hashlib.sha256(model).hexdigest()),
        labels=LABELS,
        input=ModelInput(width=size, height=size),
        head=ssd_head(),
        thresholds=dict.fromkeys(MaskLabel, DEFAULT_THRESHOLD),
        iou_threshold=IOU_THRESHOLD,
        training=training,
        metrics={},
    )
    path = file.with_suffix(".json")
    path.write_text(manifest_json(manifest))
    return path


def manifest_json(manifest: Manifest) -> str:
    """A manifest as the text of its file."""
    return json.dumps(manifest.model_dump(mode="json", by_alias=True), indent=2) + "\n"


@click.command()
@click.option("--checkpoint", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--data", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--name", default="ssd_mobilenet_v2_320", show_default=True)
@click.option("--size", type=int, default=Config.size, show_default=True)
@click.option("--calibration-pictures", type=int, default=Config.calibration_pictures, show_default=True)
def main(checkpoint: Path, data: Path, output: Path, name: str, size: int, calibration_pictures: int) -> None:
    """Convert a checkpoint to int8 and write model and manifest."""
    config = Config(size=size, calibration_pictures=calibration_pictures)
    model = convert_float(load_network(checkpoint), size)
    (checkpoint.parent / "float.tflite").write_bytes(model)
    quantised = quantise(model, calibration_images(load_coco(data), config))
    run = checkpoint.parent / "run.json"
    record = json.loads(run.read_text()) if run.exists() else {}
    record |= {"quantisation": provenance(asdict(config), [data])}
    path = write_model(quantised, name, output, record, size)
    click.echo(f"{path}: {len(quantised) / 1e6:.2f} MB int8, {len(model) / 1e6:.2f} MB float32")


if __name__ == "__main__":
    main()
