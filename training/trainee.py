"""Give Lightning the detector with its loss, optimiser and measurement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from numpy.typing import NDArray
from torch import Tensor, nn

from pi_mask.camera.picture import decode_picture
from pi_mask.detector import place
from pi_mask.errors import InputError, UsageError
from pi_mask.overlay import draw
from pi_mask.types import Detection
from training.augment import AugmentConfig
from training.data import Picture
from training.distil import Distillation
from training.float_parent import float_detector
from training.loss import DetectionLoss, LossConfig, Targets
from training.loss_anchors import AnchorLoss
from training.metrics import average_precision, detect_all
from training.networks.base import DetectionNetwork
from training.networks.registry import DEFAULT_NETWORK, checkpoint_labels
from training.precision import native_precision
from training.torch_interpreter import INPUT_SCALE

# Boxes below are so many that no picture can be read.
_DRAWN_MIN_SCORE = 0.3
_LAST_RATE = 1e-5  # where the cosine ends, if it begins above


@dataclass(frozen=True)
class Config:
    """What a run depends on, each with its reason."""

    network: str = DEFAULT_NETWORK
    size: int = 320  # a face of 40 px at 640 × 480 has 20 px here: two cells and a half of stride 8
    batch: int = 16  # a process
    epochs: int = 36  # about an hour and a half on two cores
    small_epochs: int = 12  # what a face is can be learnt from small pictures, at half the cost of a step
    small_size: int = 224
    learning_rate: float = 1.5e-3  # AdamW from ImageNet weights; 3e-3 was unstable in the prototype
    weight_decay: float = 0.05
    warmup_steps: int = 300  # at most; a tenth of a short run
    ema_decay: float = 0.998  # averages the last epoch and a half
    distillation_weight: float = 4.0  # where there is a teacher: about as much as all other losses at first
    incorrect_weight: float = 3.0  # 595 of 14,105 boxes are the class that matters most
    mosaic_free_epochs: int = 0  # whole scenes alone show too few small faces: LOG.md, 22 and 24 November
    val_every_epochs: int = 4  # a measurement takes half a minute
    sample_pictures: int = 8  # in the log, at each measurement
    frozen: tuple[str, ...] = ()  # parts that stay as they are: steps are faster
    workers: int = 1  # a process; on two cores more would be in training's way
    seed: int = 1
    accelerator: str = "cpu"
    precision: str = field(default_factory=native_precision)
    devices: int = 1  # processes a machine
    nodes: int = 1  # machines
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    loss: LossConfig = field(default_factory=LossConfig)

    def warmup(self, steps: int) -> int:
        """Steps with a rising learning rate, and before weights are averaged, of so many in all."""
        return min(self.warmup_steps, max(1, steps // 10))

    def size_at(self, epoch: int) -> int:
        """Side of the pictures of an epoch in pixels."""
        return min(self.small_size, self.size) if epoch < self.small_epochs else self.size


class Trainee(lightning.LightningModule):
    """The detector as Lightning trains it.

    Args:
        config: Of the run.
        network: To train.
        val: What to measure on.
        teacher: A trained network whose view the network shall share.
    """

    def __init__(
        self,
        config: Config,
        network: DetectionNetwork,
        val: list[Picture],
        teacher: DetectionNetwork | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        for name in config.frozen:
            part_of(network, name).requires_grad_(False).eval()  # Lightning leaves each part its mode
        if not any(parameter.requires_grad for parameter in network.parameters()):
            raise UsageError("All parts are frozen, so nothing would be trained. Leave out one --freeze.")
        self._losses = {side: loss_of(network, config, side) for side in {config.small_size, config.size}}
        self.distillation = Distillation(network, teacher) if teacher is not None else None
        self._val = val
        self._val_images = [decode_picture(picture.path) for picture in val]

    def on_fit_start(self) -> None:
        """Lightning's hook: the network has been moved to where it will be trained; the losses follow."""
        for loss in self._losses.values():
            loss.to(self.device)

    def training_step(self, batch: tuple[Tensor, Targets], _index: int) -> Tensor:
        """Lightning's hook: the loss of one batch."""
        images, targets = batch
        pixels = images.float() * INPUT_SCALE
        pyramid = self.network.pyramid(pixels)
        maps = self.network.predict(pyramid)
        with torch.autocast(self.device.type, enabled=False):
            parts = self._losses[images.shape[-1]](maps, targets)
        if self.distillation is not None:
            parts["distillation"] = self.config.distillation_weight * self.distillation(pixels, pyramid)
            parts["loss"] = parts["loss"] + parts["distillation"]
        if not torch.isfinite(parts["loss"]):
            raise InputError(
                "The loss is no number any more. Lower --learning-rate, or go on from an earlier checkpoint."
            )
        self.log_dict({f"train/{name}": value for name, value in parts.items()}, prog_bar=True)
        return parts["loss"]

    def validation_step(self, _batch: object, _index: int) -> None:
        """Lightning's hook: mAP of the averaged weights through pi_mask's Detector, in one step."""
        with torch.autocast(self.device.type, enabled=False):
            measured, found = measure(self.network, self._val, self._val_images, self.config.size)
        # Each process measures all pictures, so all agree on which checkpoint is best.
        self.log_dict({f"val/{n}": value for n, value in measured.items()}, batch_size=1, sync_dist=True)
        self.print(f"epoch {self.current_epoch}: " + "  ".join(f"{n} {v:.4f}" for n, v in measured.items()))
        if self.trainer.is_global_zero:
            self._log_samples(found)

    def _log_samples(self, found: Sequence[Sequence[Detection]]) -> None:
        """Draw what is found on pictures spread over the whole set."""
        count = min(self.config.sample_pictures, len(found))
        for index in np.linspace(0, len(found) - 1, count).astype(int):
            image = sample_picture(self._val_images[index], found[index], self.config.size)
            for logger in self.loggers:
                if isinstance(logger, TensorBoardLogger):
                    logger.experiment.add_image(f"val/{index}", image, self.current_epoch, dataformats="HWC")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Lightning's hook: a checkpoint says what it is of."""
        checkpoint.update(checkpoint_labels(self.config.network, self.config.size))

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
        warmup = self.config.warmup(steps)
        end = min(_LAST_RATE, self.config.learning_rate)
        schedule = torch.optim.lr_scheduler.SequentialLR(
            optimizer,
            [
                torch.optim.lr_scheduler.LinearLR(optimizer, 0.01, total_iters=warmup),
                torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, steps - warmup), eta_min=end),
            ],
            milestones=[warmup],
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def part_of(network: DetectionNetwork, name: str) -> nn.Module:
    """A part of the network by its name.

    Raises:
        UsageError: There is none.
    """
    parts = dict(network.named_children())
    if name not in parts:
        raise UsageError(f"This network has no part {name!r}. Choose from {', '.join(parts)}.")
    return parts[name]


def loss_of(network: DetectionNetwork, config: Config, side: int) -> DetectionLoss | AnchorLoss:
    """The loss that fits the network's head, for pictures of one size."""
    if network.head_kind == "ssd":
        return DetectionLoss(side, side, config.loss, network.strides)
    return AnchorLoss(side, side, network.level_anchors(), config.loss, network.strides)


def measure(
    network: DetectionNetwork, pictures: list[Picture], images: list[NDArray[np.uint8]], size: int
) -> tuple[dict[str, float], list[tuple[Detection, ...]]]:
    """AP figures of a float network, and what it found on each picture."""
    was_training = network.training
    network.eval()
    found = detect_all(float_detector(network, size), images)
    network.train(was_training)
    return average_precision(pictures, found), found


def sample_picture(image: NDArray[np.uint8], found: Sequence[Detection], side: int) -> NDArray[np.uint8]:
    """The picture with the surer boxes drawn, its longer side scaled to ``side`` pixels."""
    import cv2

    drawn = draw(image, [detection for detection in found if detection.score >= _DRAWN_MIN_SCORE])
    fit = place(image.shape[1], image.shape[0], side, side, letterbox=True)
    scaled: NDArray[np.uint8] = cv2.resize(drawn, (fit.width, fit.height), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return scaled
