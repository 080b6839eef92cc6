"""Let a network learn from its own answers (self-distillation): annotations teach it nothing.

What :mod:`training.qat` and :mod:`training.mirror` have in common. A network that goes on from its answers
stays where training, and the mean of several runs, left it; going on from annotations led away from there
each time (LOG.md, 28 November 2026).
"""

from __future__ import annotations

import copy
import json
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import click
import lightning
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from pi_mask.commands.options import FiniteRange
from pi_mask.errors import InputError, UsageError
from training.annotations import write_text
from training.augment import AugmentConfig, parse_augment
from training.batch_norm import training_batches
from training.fitting import fit
from training.networks.base import DetectionNetwork
from training.networks.registry import Checkpoint, load_checkpoint, save_checkpoint
from training.precision import PRECISIONS
from training.provenance import provenance, with_parents
from training.prune import SUFFIXES

_HELD_BATCHES = 4
_SAID_EVERY = 50  # steps: about every two minutes on two cores
_WARM_UP = 0.07  # of the steps
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_Main = TypeVar("_Main", bound=Callable[..., Any])


@dataclass(frozen=True)
class Config:
    """What a run depends on."""

    steps: int
    learning_rate: float
    batch: int = 8
    precision: str = "float32"
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
            {k: by_anchor(x, max(1, len(anchors))) for k, x in zip(kinds, maps[level::levels], strict=True)}
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


def by_anchor(x: Tensor, n_anchors: int) -> Tensor:
    """N × (anchors × values) × H × W becomes N × anchors × values × H × W."""
    return x.reshape(x.shape[0], n_anchors, -1, *x.shape[2:])


def _divergence(mine: Tensor, goal: Tensor) -> Tensor:
    share = goal.sigmoid()
    return binary_cross_entropy_with_logits(mine, share, reduction="none") - binary_cross_entropy_with_logits(
        goal, share, reduction="none"
    )


class SelfTaught(lightning.LightningModule):
    """A network as Lightning trains it, towards what it gave before. Batch norm's statistics stay.

    Args:
        network: To train, in evaluation mode.
        config: Of the run.
    """

    def __init__(self, network: DetectionNetwork, config: Config) -> None:
        super().__init__()
        self.config = config
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        teacher = copy.deepcopy(network).requires_grad_(False)
        self._teacher = (teacher,)  # in a tuple: no part of this module, so neither trained nor saved

    @torch.no_grad()
    def teach(self, images: Tensor) -> Sequence[Tensor]:
        """What the network gave before it was trained here, raw values."""
        maps: Sequence[Tensor] = self._teacher[0](images).flat()
        return maps

    @abstractmethod
    def answers(self, images: Tensor) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
        """What the network gives for a batch, N × 3 × H × W, 0 to 1, and what it shall give."""

    def training_step(self, images: Tensor, _index: int) -> Tensor:
        """Lightning's hook: the divergence of one batch."""
        own, wanted = ([x.float() for x in maps] for maps in self.answers(images))
        with torch.autocast(self.device.type, enabled=False):
            return divergence(own, wanted, self.network)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:  # noqa: ANN401 as Lightning has it
        """Lightning's hook: say every now and then how far it is."""
        if self.global_step % _SAID_EVERY == 0:
            self.print(f"step {self.global_step} of {self.config.steps}: {float(outputs['loss']):.3g}")

    @torch.no_grad()
    def measure(self, batches: Sequence[Tensor]) -> float:
        """The mean divergence of some batches."""
        return float(torch.stack([self.training_step(images, 0) for images in batches]).mean())

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Lightning's hook: Adam, warmed up, then one cosine down to nothing."""
        weights = [each for each in self.network.parameters() if each.requires_grad]
        rate, steps = self.config.learning_rate, self.config.steps
        optimizer = torch.optim.Adam(weights, rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, rate, total_steps=steps, pct_start=_WARM_UP, cycle_momentum=False
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def learn(self, batches: Iterable[Tensor]) -> tuple[float, float]:
        """Train in place; return the divergence from what is wanted before and after.

        Args:
            batches: N × 3 × H × W, 0 to 1; the first few are kept to measure on.
        """
        rest = iter(batches)
        held = list(islice(rest, _HELD_BATCHES))
        before = self.measure(held)
        trainer = lightning.Trainer(
            max_steps=self.config.steps,
            accelerator="cpu",
            precision=PRECISIONS[self.config.precision],
            gradient_clip_val=10.0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        fit(trainer, self, rest)
        self.network.eval()
        return before, self.measure(held)


def options(default: Config) -> Callable[[_Main], _Main]:
    """What every command of this kind takes; ``default`` has what is not given."""
    given = (
        click.option("--checkpoint", type=_FILE, required=True, help="Of the network to train."),
        click.option(
            "--data",
            type=_FILE,
            required=True,
            help="COCO file; pictures to learn from, whatever their labels.",
        ),
        click.option(
            "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="A .ckpt file."
        ),
        click.option("--steps", type=click.IntRange(min=1), default=default.steps, show_default=True),
        click.option(
            "--learning-rate",
            type=FiniteRange(0, min_open=True),
            default=default.learning_rate,
            show_default=True,
        ),
        click.option(
            "--augment",
            multiple=True,
            metavar="NAME=VALUE",
            help="How pictures are varied, as for training.train.",
        ),
    )

    def add(main: _Main) -> _Main:
        for option in reversed(given):
            main = option(main)
        return main

    return add


def run(
    begin: Callable[[Checkpoint, Config], SelfTaught],
    default: Config,
    checkpoint: Path,
    data: Path,
    output: Path,
    **given: Any,  # noqa: ANN401 the other options
) -> tuple[float, float]:
    """Train a checkpoint's network and write it, with a record beside it; return as :meth:`SelfTaught.learn`.

    Raises:
        UsageError: ``output`` is no checkpoint's name, or there are fewer pictures than a batch holds.
        InputError: The network went away from what is wanted; nothing is written.
    """
    if output.suffix not in SUFFIXES:
        raise UsageError(f"{output} does not end in .ckpt. Name it so: the next command reads it.")
    config = replace(default, **{**given, "augment": parse_augment(given["augment"])})
    trained = load_checkpoint(checkpoint)
    trainee = begin(trained, config)
    batches = training_batches(data, trained.size, config.augment, config.steps + _HELD_BATCHES, config.batch)
    before, after = trainee.learn(batches)
    if not after <= before:  # nor is a distance that is no number
        raise InputError(
            f"It went away from what it shall learn ({after:.3g}, was {before:.3g}); nothing was written. "
            "Lower --learning-rate."
        )
    save_checkpoint(trained, output)
    record = with_parents(provenance(asdict(config), [data]), start=checkpoint)
    write_text(output.with_suffix(".json"), json.dumps(record, indent=2) + "\n")
    return before, after
