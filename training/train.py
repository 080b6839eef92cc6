"""Train a detection network.

    python -m training.train --data ../shared/data/train.json --val ../shared/data/val.json \
        --output training/runs/ssd

Writes checkpoints (best by mAP50, last), metrics as CSV and for TensorBoard and ``run.json`` into the output
folder; ``--resume`` goes on from ``last.ckpt``. The validation pictures are only measured, never trained or
tuned on.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import cv2
import lightning
import torch
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.strategies import DDPStrategy
from torch.utils.data import DataLoader, TensorDataset

from pi_mask.commands.options import FiniteRange
from pi_mask.errors import ModelError, UsageError
from training.annotations import read_json
from training.augment import parse_augment
from training.command import Command, InputSide
from training.data import TrainingSet, collate, load_coco
from training.fitting import WholeCheckpoints, fit
from training.loss import LossConfig
from training.networks.base import DetectionNetwork
from training.networks.imagenet import imagenet_weights
from training.networks.registry import DEFAULT_NETWORK, NETWORKS, load_checkpoint, start_from
from training.networks.ssd import SsdMobileNetV2
from training.networks.yolov5 import YoloV5
from training.precision import PRECISIONS, native_precision
from training.run_folder import Run, first_epoch, log_folder, write_record
from training.trainee import Config, Trainee


class EpochPlan(Callback):
    """Tells the training set which pictures an epoch wants: others than before, how large, mosaics or not.

    Args:
        data: To tell.
        config: Of the run.
        first: The epoch that comes first. Lightning starts the processes that read before its hook for it.
    """

    def __init__(self, data: TrainingSet, config: Config, first: int = 0) -> None:
        self._data, self._config = data, config
        self._begin(first)

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Lightning's hook; the last epoch is measured whatever its number."""
        self._begin(trainer.current_epoch)
        if trainer.current_epoch == self._config.epochs - 1:
            trainer.check_val_every_n_epoch = 1

    def _begin(self, epoch: int) -> None:
        config = self._config
        use_mosaic = epoch < config.epochs - config.mosaic_free_epochs
        self._data.begin(epoch, config.size_at(epoch), use_mosaic=use_mosaic)


def _one_thread(_worker: int) -> None:
    """A worker process that starts threads of its own would take the cores from the training."""
    cv2.setNumThreads(0)


def build_network(config: Config, run: Run) -> DetectionNetwork:
    """The network with its first weights: resumed, another run's, ImageNet's, or random.

    Raises:
        ModelError: A checkpoint is of another network.
    """
    if run.last is not None:
        resumed = load_checkpoint(run.last)
        if resumed.name != config.network:
            raise ModelError(f"{run.last} holds a {resumed.name}. Resume with --network {resumed.name}.")
        return resumed.network.train()
    if run.start is not None:
        network = start_from(config.network, load_checkpoint(run.start))
    else:
        network = NETWORKS[config.network]()
        if isinstance(network, SsdMobileNetV2) and network.takes_imagenet:
            network.backbone.load_imagenet(torch.load(imagenet_weights(), weights_only=True))
    if run.anchors is not None:
        _set_anchors(network, run.anchors)
    return network


def _set_anchors(network: DetectionNetwork, file: Path) -> None:
    content = read_json(file)
    if not isinstance(network, YoloV5):
        raise UsageError("This network has no anchors. Leave --anchors out, or choose a yolov5 network.")
    try:
        network.set_anchors(content["anchors"])
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f'{file} holds no anchors for three levels. Give {{"anchors": [[[width, height], …], …]}}.'
        ) from error


def train(config: Config, run: Run) -> DetectionNetwork:
    """Train, leave ``best.ckpt``, ``last.ckpt`` and ``run.json`` in the output folder; return the network.

    Raises:
        UsageError: There is no such accelerator here.
    """
    if config.accelerator == "cuda":
        if not torch.cuda.is_available():
            raise UsageError(_NO_CUDA)
        # Not on a CPU: with AMX it makes some of float32's convolutions bf16, in this whole process.
        torch.set_float32_matmul_precision("medium")
    lightning.seed_everything(config.seed, verbose=False)
    network = build_network(config, run)
    teacher = load_checkpoint(run.teacher).network if run.teacher is not None else None
    trainee = Trainee(config, network, load_coco(run.val), teacher)
    pictures = TrainingSet(
        load_coco(run.data), config.size, config.augment, config.incorrect_weight, config.seed
    )
    warmup = config.warmup(_steps(config, len(pictures)))
    plan = EpochPlan(pictures, config, first_epoch(config, run))
    if run.last is None:
        write_record(config, run)
    loader = DataLoader(
        pictures,
        config.batch,
        num_workers=config.workers,
        collate_fn=collate,
        worker_init_fn=_one_thread,
        drop_last=True,
        prefetch_factor=4 if config.workers else None,
    )
    # One step of validation, which measures all pictures; what the loader holds plays no part.
    once: DataLoader[Any] = DataLoader(TensorDataset(torch.zeros(1)))
    trainer = _trainer(config, run.output, plan, warmup)
    # Only our own checkpoints are read; Lightning's hold more than tensors.
    fit(trainer, trainee, loader, once, ckpt_path=run.last, weights_only=False)
    return network


def _steps(config: Config, pictures: int) -> int:
    """How many steps a run has.

    Raises:
        UsageError: There are fewer pictures than one step takes.
    """
    each = pictures // (config.devices * config.nodes)
    if each < config.batch:
        raise UsageError(f"{each} pictures a process make no batch of {config.batch}. Choose a smaller one.")
    return config.epochs * (each // config.batch)


def _trainer(config: Config, output: Path, plan: EpochPlan, warmup: int) -> lightning.Trainer:
    log = log_folder(output)
    # Half an hour: only one machine may still be reading its pictures.
    several = DDPStrategy(timeout=timedelta(minutes=30))
    return lightning.Trainer(
        max_epochs=config.epochs,
        accelerator=config.accelerator,
        strategy=several if config.devices * config.nodes > 1 else "auto",
        devices=config.devices,
        num_nodes=config.nodes,
        precision=PRECISIONS[config.precision],
        gradient_clip_val=10.0,
        plugins=[WholeCheckpoints()],
        logger=[CSVLogger(output, "", log), TensorBoardLogger(output, "", log)],
        callbacks=[
            ModelCheckpoint(output, "best", monitor="val/mAP50", mode="max", enable_version_counter=False),
            ModelCheckpoint(output, "last", save_on_train_epoch_end=True, enable_version_counter=False),
            # Left to itself it would stay on the CPU, where the network is at its start.
            EMAWeightAveraging(config.accelerator, decay=config.ema_decay, update_starting_at_step=warmup),
            plan,
        ],
        num_sanity_val_steps=0,
        check_val_every_n_epoch=config.val_every_epochs,
        log_every_n_steps=20,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


_NO_CUDA = (
    "PyTorch sees no NVIDIA graphics card here. Leave --accelerator out to train on the CPU, or see whether "
    "nvidia-smi lists the card and whether this PyTorch was built for it (torch.version.cuda)."
)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_POSITIVE = click.IntRange(min=1)


@click.command(cls=Command)
@click.option("--data", type=_FILE, required=True, help="COCO file to train on.")
@click.option("--val", type=_FILE, required=True, help="COCO file to measure on.")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--network", type=click.Choice(list(NETWORKS)), default=DEFAULT_NETWORK, show_default=True)
@click.option("--epochs", type=_POSITIVE, default=Config.epochs, show_default=True)
@click.option(
    "--size",
    type=InputSide(),
    default=Config.size,
    show_default=True,
    help="Input side, a multiple of 32.",
)
@click.option(
    "--small-epochs",
    type=click.IntRange(min=0),
    default=Config.small_epochs,
    show_default=True,
    help="So many first epochs see smaller pictures, which is faster.",
)
@click.option(
    "--small-size",
    type=InputSide(),
    default=Config.small_size,
    show_default=True,
    help="Input side of those epochs, a multiple of 32.",
)
@click.option("--batch", type=_POSITIVE, default=Config.batch, show_default=True, help="A process.")
@click.option(
    "--learning-rate",
    type=FiniteRange(0, min_open=True),
    default=Config.learning_rate,
    show_default=True,
)
@click.option(
    "--accelerator",
    type=click.Choice(["cpu", "cuda"]),
    default=Config.accelerator,
    show_default=True,
    help="cuda is an NVIDIA graphics card; training has never run on one.",
)
@click.option(
    "--precision",
    type=click.Choice(list(PRECISIONS)),
    show_default="bf16 where the accelerator has it, else float32",
)
@click.option(
    "--workers",
    type=click.IntRange(min=0),
    default=Config.workers,
    show_default=True,
    help="Processes that read and vary pictures, for each that trains; a graphics card wants many.",
)
@click.option(
    "--devices",
    type=_POSITIVE,
    default=Config.devices,
    show_default=True,
    help="Processes a machine; as many graphics cards.",
)
@click.option(
    "--nodes",
    type=_POSITIVE,
    default=Config.nodes,
    show_default=True,
    help="Machines; start this on each, with MASTER_ADDR, MASTER_PORT and NODE_RANK set.",
)
@click.option(
    "--augment",
    multiple=True,
    metavar="NAME=VALUE",
    help="Probability of one way to vary pictures, see training/augment.py; may be given several times.",
)
@click.option(
    "--freeze",
    "frozen",
    multiple=True,
    metavar="PART",
    help="Leave this part of the network as it is, which is faster; may be given several times.",
)
@click.option(
    "--incorrect-weight",
    type=FiniteRange(min=0, min_open=True),
    default=Config.incorrect_weight,
    show_default=True,
    help="How much more often pictures with a wrongly worn mask are drawn.",
)
@click.option(
    "--two-class-weight",
    type=FiniteRange(0, 1),
    default=LossConfig().two_class_weight,
    show_default=True,
    help='What a source that knows no "incorrect" is believed when it says that a face is not.',
)
@click.option(
    "--val-every-epochs",
    type=_POSITIVE,
    default=Config.val_every_epochs,
    show_default=True,
    help="Measure this often, and after the last.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=Config.seed,
    show_default=True,
    help="Runs that go on from one another see other pictures with another one.",
)
@click.option("--anchors", type=_FILE, help="JSON file of anchors, for a yolov5 network.")
@click.option(
    "--start",
    type=_FILE,
    help="Start from this checkpoint's weights, with a new schedule. It may be pruned, or of a wider network "
    "of the same kind: then its strongest channels are taken.",
)
@click.option(
    "--teacher",
    type=_FILE,
    help="Let the network learn to see what this checkpoint's sees, beside learning from the annotations.",
)
@click.option("--resume", is_flag=True, help="Go on from last.ckpt in the output folder.")
def main(**options: Any) -> None:  # noqa: ANN401
    """Train a detection network on COCO annotations."""
    run = Run(**{name: options.pop(name) for name in Run.__dataclass_fields__})
    options["augment"] = parse_augment(options["augment"])
    options["precision"] = options["precision"] or native_precision(options["accelerator"])
    options["loss"] = LossConfig(two_class_weight=options.pop("two_class_weight"))
    train(Config(**options), run)


if __name__ == "__main__":
    main()
