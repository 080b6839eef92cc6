"""Describe a model file by the manifest that lies beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError, model_validator

from pi_mask.errors import ModelError
from pi_mask.types import MaskLabel

DEFAULT_MODEL = "ssd_mobilenet_v2_512"

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Probability = Annotated[float, Field(gt=0, lt=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelInput(_Strict):
    """What the network was trained to see.

    Attributes:
        letterbox: True keeps the frame's proportions and pads; False stretches.
        fill: Grey level of the padding, 0 to 255.
    """

    width: int = Field(ge=32, le=4096)
    height: int = Field(ge=32, le=4096)
    letterbox: bool = True
    fill: int = Field(default=114, ge=0, le=255)


class Level(_Strict):
    """One level of the feature pyramid.

    Attributes:
        stride: Input pixels per cell.
        outputs: Positions of this level's tensors among the model's outputs, by kind:
            ``scores`` and ``boxes`` for head "ssd"; ``scores``, ``boxes`` and ``objectness`` for "yolov5".
        anchors: Width and height of each anchor in input pixels; none for anchor-free heads.
    """

    stride: int = Field(ge=1)
    outputs: Mapping[Literal["scores", "boxes", "objectness"], NonNegativeInt]
    anchors: tuple[tuple[float, float], ...] = ()


class Head(_Strict):
    """How raw outputs become boxes; the heads are explained in :mod:`pi_mask.decoder`."""

    kind: Literal["ssd", "yolov5"]
    levels: tuple[Level, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_levels(self) -> Self:
        kinds = {"scores", "boxes"} | ({"objectness"} if self.kind == "yolov5" else set())
        for level in self.levels:
            if set(level.outputs) != kinds:
                raise ValueError(f"each level of head {self.kind} needs the outputs {sorted(kinds)}")
            if bool(level.anchors) != (self.kind == "yolov5"):
                raise ValueError("anchors belong to head yolov5 only, at least one a level")
        outputs = [position for level in self.levels for position in level.outputs.values()]
        if len(set(outputs)) < len(outputs):
            raise ValueError("an output is named twice")
        return self


class ModelFile(_Strict):
    """A file beside the manifest."""

    file: str = Field(pattern=r"^[^/\\\x00]+\.tflite$")
    sha256: Sha256


class Manifest(_Strict):
    """Everything about a model that is not in the .tflite file itself.

    Attributes:
        name: What ``--model`` calls it.
        cpu: The int8 file for LiteRT on a CPU.
        edgetpu: The same network compiled for the Edge TPU, where there is one.
        labels: The score tensors' last axis.
        thresholds: Lowest score at which a label counts.
        iou_threshold: Above this overlap two boxes are one face.
        min_side_px: Shorter side of the smallest box that is believed, in input pixels: the mask on a smaller
            face can't be told.
        training: Commit, data hash and configuration it was trained with.
        metrics: What was measured on the validation pictures.
    """

    schema_version: Literal[1] = Field(alias="schema")
    name: str = Field(pattern=r"^[^\p{C}\p{Zl}\p{Zp}]+$")  # one line: calibrate writes it into a comment
    description: str
    cpu: ModelFile
    edgetpu: ModelFile | None = None
    labels: tuple[MaskLabel, ...]
    input: ModelInput
    head: Head
    thresholds: Mapping[MaskLabel, Probability]
    iou_threshold: float = Field(gt=0, lt=1)
    min_side_px: float = Field(default=0.0, ge=0, le=4096)
    training: Mapping[str, Any]
    metrics: Mapping[str, Any]

    @model_validator(mode="after")
    def _check_labels(self) -> Self:
        if sorted(label.value for label in self.labels) != sorted(label.value for label in MaskLabel):
            raise ValueError(f"labels must be {[label.value for label in MaskLabel]} in some order")
        if set(self.thresholds) != set(MaskLabel):
            raise ValueError("thresholds need exactly one entry per label")
        return self


def models_dir() -> Path:
    """Folder of the shipped models: inside the wheel, or the checkout's ``models/``."""
    package = Path(__file__).resolve().parent
    inside = package / "models"
    return inside if inside.is_dir() else package.parent / "models"


def shipped_models() -> tuple[str, ...]:
    """Names of the shipped models, the default one first."""
    names = sorted(path.stem for path in models_dir().glob("*.json"))
    return tuple(sorted(names, key=lambda name: name != DEFAULT_MODEL))


def find_manifest(model: str = "") -> Path:
    """Return the manifest's path for a shipped model's name or for a ``.tflite`` or ``.json`` file.

    Raises:
        ModelError: There is no such model, or the file has no manifest beside it.
    """
    if not model.endswith((".tflite", ".json")):
        name = model or DEFAULT_MODEL
        path = models_dir() / f"{name}.json"
        if not _is_file(path):
            names = ", ".join(shipped_models()) or "none"
            raise ModelError(f"No model is called '{name}'. Shipped: {names}; or give a .tflite file.")
        return path
    path = Path(model)
    if not _is_file(path):
        raise ModelError(f"Model {model} does not exist. 'pi-mask models' lists the shipped ones.")
    path = path.with_suffix(".json")
    if not _is_file(path):
        raise ModelError(f"Model {model} has no manifest. Put {path.name} beside it (see models/README.md).")
    return path


def _is_file(path: Path) -> bool:
    """Whether there is such a file; a folder that may not be searched, or too long a name, is an error."""
    try:
        return path.is_file()
    except OSError as error:
        raise ModelError(f"Model {path} cannot be reached: {error.strerror}. Check the path.") from error


def load_manifest(path: Path) -> Manifest:
    """Read and validate a manifest.

    Raises:
        ModelError: It cannot be read, is no JSON, or describes something else.
    """
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ModelError(
            f"Manifest {path} cannot be read: {error.strerror}. Check the path and its permissions."
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        raise ModelError(
            f"Manifest {path} is wrong at {where}: {first['msg']}. Use the one that came with the model."
        ) from error


def read_model(manifest_path: Path, model: ModelFile) -> bytes:
    """Read a model and compare it with its manifest, so that what was checked is what runs.

    Raises:
        ModelError: The file is missing or its checksum differs.
    """
    path = manifest_path.parent / model.file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"Model {path} cannot be read: {error.strerror}. Reinstall pi-mask.") from error
    found = hashlib.sha256(content).hexdigest()
    if found != model.sha256:
        raise ModelError(
            f"Model {path} does not match its manifest (sha256 {found[:12]}…, expected {model.sha256[:12]}…, "
            f"{len(content)} bytes). The file is damaged or another one: reinstall it."
        )
    return content
