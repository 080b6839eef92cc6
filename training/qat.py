"""Teach a network to do with what int8 leaves of it (quantisation-aware training).

    python -m training.qat --checkpoint training/runs/ssd/last.ckpt --data ../shared/data/train.json \
        --output training/runs/ssd-int8/last.ckpt

For networks that lose more than a point in ``training.quantise``. The network computes as its int8 file will
and learns to give what it gave in float. Annotations teach it nothing, so that it stays where training left
it. Batch norm's statistics stay too. Quantise the result as any checkpoint.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import click
import lightning
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from pi_mask.commands.options import FiniteRange
from pi_mask.errors import InputError, UsageError
from pi_mask.output import prepare_folder
from training.annotations import write_text
from training.augment import AugmentConfig, parse_augment
from training.batch_norm import training_batches
from training.command import Command
from training.data import load_coco
from training.fake_int8 import FakeInt8
from training.fitting import fit
from training.networks.base import DetectionNetwork
from training.networks.registry import load_checkpoint, save_checkpoint
from training.provenance import provenance, with_parents
from training.prune import SUFFIXES
from training.quantise import Config as QuantiseConfig
from training.quantise import calibration_images, output_limits

_HELD_BATCHES = 4
_SAID_EVERY = 50  # steps: about every two minutes on two cores


@dataclass(frozen=True)
class Config:
    """What a run depends on, each with its reason."""

    steps: int = 300  # ten to twenty-five minutes on two cores; no other number was tried
    batch: int = 8  # float32 throughout: bf16 rounds as coarsely as int8
    learning_rate: float = 1e-5  # 1e-4 led away from the float network
    augment: AugmentConfig = field(default_factory=AugmentConfig)


def divergence(own: Sequence[Tensor], wanted: Sequence[Tensor], network: DetectionNetwork) -> Tensor:
    """How far a network's maps are from the wanted ones, 0 where they agree.

    What is sure counts: boxes by the best score wanted in their place, and labels by the objectness. Scores
    and objectness are compared by the Kullback-Leibler divergence of their probabilities, boxes by half the
    square of their differences; all relative to the sum of the best scores.

    Args:
        own: Raw values, one N × channels × H × W map per level and kind, in the order of the file's outputs.
        wanted: As many, of the same shapes.
        network: Says how the maps are to be read.
    """
    levels = len(network.strides)
    sums, total = torch.zeros(()), torch.zeros(())
    for level, anchors in enumerate(network.level_anchors()):
        kinds = network.output_kinds()[::levels]
        mine, goal = (
            {k: _by_anchor(x, max(1, len(anchors))) for k, x in zip(kinds, maps[level::levels], strict=True)}
            for maps in (own, wanted)
        )
        present = goal["objectness"].sigmoid() if "objectness" in goal else torch.ones(())
        sureness = (present * goal["scores"].sigmoid()).amax(2, keepdim=True)
        sums = sums + (present * _divergence(mine["scores"], goal["scores"])).sum()
        sums = sums + (sureness * mse_loss(mine["boxes"], goal["boxes"], reduction="none")).sum() / 2
        if "objectness" in goal:
            sums = sums + _divergence(mine["objectness"], goal["objectness"]).sum()
        total = total + sureness.sum()
    return sums / total


def _by_anchor(x: Tensor, n_anchors: int) -> Tensor:
    """N × (anchors × values) × H × W becomes N × anchors × values × H × W."""
    return x.view(x.shape[0], n_anchors, -1, *x.shape[2:])


def _divergence(mine: Tensor, goal: Tensor) -> Tensor:
    share = goal.sigmoid()
    return binary_cross_entropy_with_logits(mine, share, reduction="none") - binary_cross_entropy_with_logits(
        goal, share, reduction="none"
    )


class QuantisedTrainee(lightning.LightningModule):
    """The network as Lightning trains it: as int8 computes it, towards what it was in float.

    Args:
        network: To train, in evaluation mode.
        ranges: N × 3 × H × W pictures, 0 to 1, that give the tensors' ranges.
        config: Of the run.
    """

    def __init__(self, network: DetectionNetwork, ranges: Iterable[Tensor], config: Config) -> None:
        super().__init__()
        self.config = config
        self.network = network.requires_grad_(True).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        # In a list: no part of this module, so neither trained nor saved.
        self._teacher = [copy.deepcopy(network).requires_grad_(False)]
        self._limits = output_limits(network)
        self._rounded = FakeInt8(network, ranges, self._limits)

    def training_step(self, images: Tensor, _index: int) -> Tensor:
        """Lightning's hook: the divergence of one batch, N × 3 × H × W, 0 to 1."""
        with torch.no_grad():
            wanted = self._teacher[0](images).flat()
        # What int8 cuts off is no error.
        cut = [x.clamp(low, high) for x, (low, high) in zip(wanted, self._limits, strict=True)]
        return divergence(self._rounded.run(images), cut, self.network)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:  # noqa: ANN401 as Lightning has it
        """Lightning's hook: say every now and then how far it is."""
        if self.global_step % _SAID_EVERY == 0:
            self.print(f"step {self.global_step} of {self.config.steps}: {float(outputs['loss']):.3g}")

    @torch.no_grad()
    def measure(self, batches: Sequence[Tensor]) -> float:
        """The mean divergence of some batches."""
        return float(torch.stack([self.training_step(images, 0) for images in batches]).mean())

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Lightning's hook: Adam, one cosine down to nothing."""
        optimizer = torch.optim.Adam(self.network.parameters(), self.config.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.config.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def retrain(
    network: DetectionNetwork, ranges: Iterable[Tensor], batches: Iterable[Tensor], config: Config
) -> tuple[float, float]:
    """Train in place; return the divergence from the float network before and after.

    Args:
        network: Left in evaluation mode.
        ranges: As for :class:`QuantisedTrainee`.
        batches: N × 3 × H × W, 0 to 1; the first few are kept to measure on.
        config: Of the run.
    """
    trainee = QuantisedTrainee(network, ranges, config)
    rest = iter(batches)
    held = list(islice(rest, _HELD_BATCHES))
    before = trainee.measure(held)
    trainer = lightning.Trainer(
        max_steps=config.steps,
        accelerator="cpu",
        gradient_clip_val=10.0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    fit(trainer, trainee, rest)
    return before, trainee.measure(held)


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(cls=Command)
@click.option("--checkpoint", type=_FILE, required=True, help="Of the network that loses in int8.")
@click.option(
    "--data", type=_FILE, required=True, help="COCO file; pictures to learn from, whatever their labels are."
)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="A .ckpt file."
)
@click.option("--steps", type=click.IntRange(min=1), default=Config.steps, show_default=True)
@click.option(
    "--learning-rate", type=FiniteRange(0, min_open=True), default=Config.learning_rate, show_default=True
)
@click.option(
    "--augment", multiple=True, metavar="NAME=VALUE", help="How pictures are varied, as for training.train."
)
def main(checkpoint: Path, data: Path, output: Path, augment: tuple[str, ...], **options: Any) -> None:  # noqa: ANN401 they are Config's
    """Train a network to do in int8 what it does in float."""
    if output.suffix not in SUFFIXES:
        raise UsageError(f"{output} does not end in .ckpt. Name it so: training.quantise reads it.")
    trained = load_checkpoint(checkpoint)
    prepare_folder(output.parent)
    config = Config(augment=parse_augment(augment), **options)
    record = with_parents(provenance(asdict(config), [data]), start=checkpoint)
    pictures = calibration_images(load_coco(data), QuantiseConfig(size=trained.size))
    ranges = (torch.from_numpy(image).permute(0, 3, 1, 2) for image in pictures)
    batches = training_batches(data, trained.size, config.augment, config.steps + _HELD_BATCHES, config.batch)
    before, after = retrain(trained.network, ranges, batches, config)
    if not after <= before:  # nor is a distance that is no number
        raise InputError(
            f"It went away from the float network ({after:.3g}, was {before:.3g}); nothing was written. "
            "Lower --learning-rate."
        )
    save_checkpoint(trained, output)
    write_text(output.with_suffix(".json"), json.dumps(record, indent=2) + "\n")
    click.echo(f"{output}: in int8 {after:.3g} away from the float network, was {before:.3g}")


if __name__ == "__main__":
    main()
