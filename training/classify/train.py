"""Train the face classifier and turn it into an int8 file.

    python -m training.classify.train --data ../shared/data/train.json --val ../shared/data/val.json \
        --output training/runs/classifier

Writes ``last.ckpt``, ``classifier.tflite`` (uint8 in and out) and ``classifier.json`` into the output folder.
Whether the door gains by it, ``training.classify.rejudge`` says.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click
import lightning
import litert_torch
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot
from torch.utils.data import DataLoader

from pi_mask.errors import InputError
from pi_mask.output import prepare_folder
from training.annotations import write_bytes, write_text
from training.classify.crops import CropConfig, Face, FaceCrops, cut_faces, face_crop
from training.classify.network import SIDE, FaceClassifier
from training.command import Command
from training.data import LABELS, load_coco
from training.fitting import fit as fit_whole
from training.loss import LossConfig, label_weights
from training.networks.imagenet import imagenet_weights
from training.precision import PRECISIONS, native_precision
from training.provenance import provenance
from training.quantise import quantise
from training.torch_interpreter import INPUT_SCALE


@dataclass(frozen=True)
class Config:
    """What a run depends on, each with its reason."""

    epochs: int = 6  # an epoch shows as many crops as there are faces: some minutes on two cores
    batch: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    ema_decay: float = 0.99  # averages the last hundred steps
    calibration_faces: int = 300
    workers: int = 1
    seed: int = 1
    precision: str = field(default_factory=native_precision)
    crops: CropConfig = field(default_factory=CropConfig)
    loss: LossConfig = field(default_factory=LossConfig)


class Learner(lightning.LightningModule):
    """The classifier as Lightning trains it."""

    def __init__(self, config: Config, network: FaceClassifier) -> None:
        super().__init__()
        self.config = config
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], _index: int) -> Tensor:
        """Lightning's hook: one logistic loss a label; two-class sources say little about "incorrect"."""
        images, labels, is_two_class = batch
        logits = self.network(images.float().contiguous(memory_format=torch.channels_last) * INPUT_SCALE)
        weights = label_weights(is_two_class, len(LABELS), self.config.loss)
        goal = one_hot(labels, len(LABELS)).float()
        loss = binary_cross_entropy_with_logits(logits.float(), goal, weights)
        self.log("train/loss", loss)
        return loss

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Lightning's hook: AdamW and one cycle."""
        rate, steps = self.config.learning_rate, int(self.trainer.estimated_stepping_batches)
        trained = [p for p in self.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=rate, weight_decay=self.config.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=max(2, steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class _OtherCrops(Callback):
    """Each epoch draws other crops."""

    def __init__(self, crops: FaceCrops) -> None:
        self._crops = crops

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Lightning's hook."""
        self._crops.epoch = trainer.current_epoch


def fit(config: Config, faces: Sequence[Face], network: FaceClassifier, output: Path) -> FaceClassifier:
    """Train in place, leave ``last.ckpt`` in the output folder and return the averaged network."""
    lightning.seed_everything(config.seed, verbose=False)
    crops = FaceCrops(faces, config.crops, config.seed)
    loader = DataLoader(crops, config.batch, num_workers=config.workers, drop_last=len(crops) > config.batch)
    trainer = lightning.Trainer(
        max_epochs=config.epochs,
        accelerator="cpu",
        precision=PRECISIONS[config.precision],
        gradient_clip_val=10.0,
        logger=False,
        enable_checkpointing=False,
        callbacks=[EMAWeightAveraging(decay=config.ema_decay), _OtherCrops(crops)],
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    learner = Learner(config, network)
    fit_whole(trainer, learner, loader)
    trainer.save_checkpoint(output / "last.ckpt")
    return network.eval()


def recall(network: FaceClassifier, faces: Sequence[Face]) -> dict[str, float]:
    """Share of each label's faces that get that label; nothing for a label without faces."""
    right = np.zeros(len(LABELS))
    total = np.zeros(len(LABELS))
    for image, face in zip(crop_images(faces), faces, strict=True):
        with torch.inference_mode():
            logits = network(torch.from_numpy(image).permute(0, 3, 1, 2))
        right[face.label] += int(logits.argmax()) == face.label
        total[face.label] += 1
    return {
        label.value: round(float(r / t), 4) for label, r, t in zip(LABELS, right, total, strict=True) if t
    }


def crop_images(faces: Sequence[Face]) -> Iterator[NDArray[np.float32]]:
    """The plain crop of each face, 1 × SIDE × SIDE × 3, 0 to 1."""
    for face in faces:
        yield face_crop(face.image, face.box.tolist())[None].astype(np.float32) * np.float32(INPUT_SCALE)


def to_int8(network: FaceClassifier, faces: Sequence[Face], config: Config) -> bytes:
    """The int8 file, uint8 at the ends, calibrated on faces of every label."""
    wrapped = litert_torch.to_channel_last_io(network.eval(), args=[0])
    model = bytes(litert_torch.convert(wrapped, (torch.zeros(1, SIDE, SIDE, 3),)).model_content())
    chosen = np.random.default_rng(config.seed).permutation(len(faces))[: config.calibration_faces]
    return quantise(model, crop_images([faces[i] for i in chosen]), percentile=100.0)


@click.command(cls=Command)
@click.option("--data", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--val", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--epochs", type=click.IntRange(1), default=Config.epochs, show_default=True)
def main(data: Path, val: Path, output: Path, epochs: int) -> None:
    """Train the face classifier on the faces of COCO annotations."""
    config = Config(epochs=epochs)
    prepare_folder(output)
    faces, unseen = (cut_faces(load_coco(path), config.crops.min_side_px) for path in (data, val))
    if not faces:
        raise InputError(f"No face in {data} is large enough. Add pictures with faces.")
    network = FaceClassifier()
    network.features.load_imagenet(torch.load(imagenet_weights(), weights_only=True))
    network = fit(config, faces, network, output)
    model = to_int8(network, faces, config)
    write_bytes(output / "classifier.tflite", model)
    record: dict[str, Any] = provenance(asdict(config), [data, val])
    record |= {"sha256": hashlib.sha256(model).hexdigest(), "float_recall": recall(network, unseen)}
    write_text(output / "classifier.json", json.dumps(record, indent=2) + "\n")
    click.echo(f"{output / 'classifier.tflite'}: float recall on val {record['float_recall']}")


if __name__ == "__main__":
    main()
