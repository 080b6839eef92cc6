"""Train, quantise and evaluate on made-up pictures in about a minute, to prove that every stage still runs.

    python -m training.smoke

The figures mean nothing; only that the stages fit together and that the int8 file runs in pi_mask's Detector.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
from numpy.typing import NDArray

from pi_mask.types import MaskLabel
from training.data import load_coco
from training.evaluate import measure
from training.networks.registry import DEFAULT_NETWORK
from training.quantise import Config as QuantiseConfig
from training.quantise import (
    calibration_images,
    convert_float,
    load_network,
    output_limits,
    quantise,
    write_model,
)
from training.train import Run, train
from training.trainee import Config

_LABELS = tuple(MaskLabel)


def draw_face(image: NDArray[np.uint8], box: tuple[int, int, int, int], label: MaskLabel) -> None:
    """Draw a cartoon face that fills the box (xmin, ymin, xmax, ymax) into the picture."""
    xmin, ymin, xmax, ymax = box
    centre, width, height = ((xmin + xmax) // 2, (ymin + ymax) // 2), xmax - xmin, ymax - ymin
    cv2.ellipse(image, centre, (width // 2, height // 2), 0, 0, 360, (215, 170, 140), -1)
    for side in (-1, 1):
        eye = (centre[0] + side * width // 5, ymin + height * 2 // 5)
        cv2.circle(image, eye, max(1, width // 14), (40, 30, 30), -1)
    cv2.line(image, (centre[0], ymin + height // 2), (centre[0], ymin + height * 3 // 5), (170, 110, 90), 2)
    if label is MaskLabel.WITHOUT_MASK:
        mouth = (centre[0], ymin + height * 3 // 4)
        cv2.ellipse(image, mouth, (width // 6, height // 20), 0, 0, 360, (180, 60, 60), -1)
        return
    top = ymin + height * (45 if label is MaskLabel.WITH_MASK else 68) // 100
    corners = (xmin + width // 8, top), (xmax - width // 8, ymax - height // 12)
    cv2.rectangle(image, *corners, (120, 180, 230), -1)


def make_data(folder: Path, count: int, seed: int) -> Path:
    """Write ``count`` pictures with one or two faces each and their COCO file; return its path."""
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for index in range(count):
        picture = np.full((120, 160, 3), rng.integers(60, 200, 3), np.uint8)
        for column in range(int(rng.integers(1, 3))):
            width, height = (int(v) for v in rng.integers(36, 60, 2))
            xmin, ymin = column * 80 + int(rng.integers(0, 80 - width)), int(rng.integers(0, 120 - height))
            label = int(rng.integers(len(_LABELS)))
            draw_face(picture, (xmin, ymin, xmin + width, ymin + height), _LABELS[label])
            face = {"image_id": index, "category_id": label, "bbox": [xmin, ymin, width, height]}
            annotations.append({"id": len(annotations) + 1, **face})
        name = f"{index:04}.png"
        cv2.imwrite(str(folder / "images" / name), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        images.append({"id": index, "file_name": name, "width": 160, "height": 120, "source": "drawn"})
    categories = [{"id": position, "name": label.value} for position, label in enumerate(_LABELS)]
    path = folder / "annotations.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path


def smoke(
    folder: Path, *, network: str = DEFAULT_NETWORK, size: int = 128, epochs: int = 2, pictures: int = 32
) -> dict[str, Any]:
    """Run every stage in a folder; return the evaluation's figures."""
    data, val = make_data(folder / "train", pictures, 1), make_data(folder / "val", 8, 2)
    config = Config(
        network=network, size=size, batch=8, epochs=epochs, warmup_steps=2, val_every_epochs=1, workers=0
    )
    train(config, Run(data, val, folder / "run"))
    checkpoint = folder / "run" / "last.ckpt"
    trained = load_network(checkpoint)
    model = convert_float(trained, size)
    (checkpoint.parent / "float.tflite").write_bytes(model)
    settings = QuantiseConfig(size=size, calibration_pictures=4)
    images = calibration_images(load_coco(data), settings)
    quantised = quantise(model, images, settings.percentile, output_limits(trained))
    path = folder / "models" / "smoke.tflite"
    write_model(quantised, trained, path, {}, size)
    return measure(path, checkpoint, load_coco(val))


@click.command()
def main() -> None:
    """Run the whole training chain on made-up pictures."""
    with tempfile.TemporaryDirectory() as folder:
        click.echo(json.dumps(smoke(Path(folder)), indent=2))


if __name__ == "__main__":
    main()
