"""Keep a run's folder: what it was begun with, and whether it may go on."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from lightning.pytorch.utilities import rank_zero_only

from pi_mask.errors import UsageError
from training.annotations import Json, read_json, write_text
from training.provenance import data_hash, provenance, with_parents
from training.trainee import Config

RECORD = "run.json"
LAST = "last.ckpt"
_OPTIONS = {"frozen": "freeze", "loss": "two_class_weight"}
"""Settings whose options bear another name."""
_MAY_CHANGE = {"workers", "precision", "val_every_epochs", "accelerator", "sample_pictures"}
"""Settings that a run may go on with another value of: they change its speed, or what is shown of it."""


@dataclass(frozen=True)
class Run:
    """Where a run reads and writes.

    Attributes:
        data: COCO annotations to train on.
        val: COCO annotations to measure on.
        output: Folder for checkpoints, log and record.
        start: Checkpoint whose weights to start from, in place of ImageNet's or none.
        teacher: Checkpoint of a trained network whose view the trained one shall share.
        resume: Go on from the output folder's ``last.ckpt``.
        anchors: JSON file with a key "anchors": per level the width and height of each, pixels.
    """

    data: Path
    val: Path
    output: Path
    start: Path | None = None
    teacher: Path | None = None
    resume: bool = False
    anchors: Path | None = None

    @property
    def last(self) -> Path | None:
        """The checkpoint to resume from, where there is one."""
        path = self.output / LAST
        return path if self.resume and path.exists() else None


def first_epoch(config: Config, run: Run) -> int:
    """Number of the epoch that a run begins with.

    Raises:
        UsageError: A run is there that is not to be resumed, or it is to be resumed as another one: the
            learning rate would rise again, or pictures or parts change in the middle.
    """
    if run.last is None:
        if (run.output / LAST).exists():
            raise UsageError(
                f"{run.output} holds a run. Go on with it: --resume; or choose another --output."
            )
        return 0
    begun = read_json(run.output / RECORD)
    for name in _differences(begun, config, run):
        option = f"--{_OPTIONS.get(name, name).replace('_', '-')}"
        value = begun["config"].get(name)
        shown = f" {value}" if isinstance(value, int | float | str) else f" (see {run.output / RECORD})"
        raise UsageError(
            f"{run.output} was begun with another {option}:{shown}. Resume it with that, or begin a new "
            f"schedule from its weights: --start {run.last} and another --output."
        )
    return int(torch.load(run.last, map_location="cpu", weights_only=False)["epoch"]) + 1


def _differences(begun: Json, config: Config, run: Run) -> Iterator[str]:
    """What a run was begun with and would not go on with."""
    now = json.loads(json.dumps(asdict(config)))
    yield from (
        n for n, value in begun["config"].items() if now.get(n, value) != value and n not in _MAY_CHANGE
    )
    data = provenance({}, [run.data, run.val])["data"]
    if begun.get("data", data) != data:
        yield "data"
    teacher = {"teacher": run.teacher} if run.teacher else {}
    if begun.get("teacher") != with_parents({}, **teacher).get("teacher"):
        yield "teacher"
    if begun.get("anchors") != _anchors(run):
        yield "anchors"


def _anchors(run: Run) -> str | None:
    return data_hash(run.anchors) if run.anchors else None


@rank_zero_only
def write_record(config: Config, run: Run) -> None:
    """Write what this run came from, and what its first weights and its teacher came from."""
    given = {"start": run.start, "teacher": run.teacher}
    parents = {part: checkpoint for part, checkpoint in given.items() if checkpoint is not None}
    record = with_parents(provenance(asdict(config), [run.data, run.val]), **parents)
    if run.anchors:
        record["anchors"] = _anchors(run)
    write_text(run.output / RECORD, json.dumps(record, indent=2) + "\n")


def log_folder(output: Path) -> str:
    """A folder of its own for each start: the CSV logger deletes what it finds."""
    names = itertools.chain(["log"], (f"log{number}" for number in itertools.count(2)))
    return next(name for name in names if not (output / name).exists())
