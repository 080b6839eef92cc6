"""Choose the concrete classes that the settings name.

Back ends are imported only when chosen: a desktop has no picamera2, a Pi no webcam.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pi_mask.detector import Detector, place
from pi_mask.errors import EdgeTpuError, ModelError, UsageError
from pi_mask.manifest import Manifest, ModelInput, find_manifest, load_manifest, read_model
from pi_mask.pipeline import Parts, Pipeline
from pi_mask.policy import DoorPolicy
from pi_mask.redaction import clean
from pi_mask.settings import CameraSettings, IndicatorSettings, ModelSettings, Settings
from pi_mask.tracker import Tracker
from pi_mask.types import MaskLabel

if TYPE_CHECKING:
    from pi_mask.camera.base import Camera
    from pi_mask.indicator.base import Indicator
    from pi_mask.inference.base import Interpreter

logger = logging.getLogger(__name__)


def isp_size(settings: CameraSettings, wanted: ModelInput) -> tuple[int, int]:
    """Width and height to ask of a Pi camera: its processor shrinks for nothing, so no more than is seen.

    Even numbers, as the processor wants them. A stretched input keeps the camera's own size, because the
    processor would crop.
    """
    placement = place(settings.width, settings.height, wanted.width, wanted.height, letterbox=True)
    if not wanted.letterbox or placement.width >= settings.width:
        return settings.width, settings.height
    return placement.width // 2 * 2, placement.height // 2 * 2


def _picamera(settings: CameraSettings) -> Camera:
    from pi_mask.camera.picamera import PicameraCamera

    number = settings.source or "0"
    if not number.isdecimal():
        raise UsageError(
            f"A Pi camera has a number, not the source '{clean(number)}'. Use --source 0, or --camera webcam."
        )
    return PicameraCamera(
        width=settings.width,
        height=settings.height,
        fps=settings.fps,
        timeout_s=settings.timeout_s,
        camera_index=int(number),
    )


def _webcam(settings: CameraSettings) -> Camera:
    from pi_mask.camera.webcam import WebcamCamera

    return WebcamCamera(
        settings.source,
        width=settings.width,
        height=settings.height,
        fps=settings.fps,
        timeout_s=settings.timeout_s,
    )


def _files(settings: CameraSettings) -> Camera:
    from pi_mask.camera.files import PICTURE_STEP_S, FilesCamera

    if not settings.source:
        raise UsageError(
            "--camera files needs something to play. Add --source with an image, folder or video."
        )
    camera = FilesCamera([Path(settings.source)], realtime=settings.realtime)
    if camera.has_pictures:
        logger.warning(
            "Pictures come %g s apart, and frames further apart than tracker.max_age_s never make a person. "
            "Use pi-mask detect for pictures, or a video.",
            PICTURE_STEP_S,
        )
    return camera


def _gpio(settings: IndicatorSettings) -> Indicator:
    from pi_mask.indicator.gpio import GpioIndicator

    return GpioIndicator(settings.gpio)


def _console(_settings: IndicatorSettings) -> Indicator:
    from pi_mask.indicator.console import ConsoleIndicator

    return ConsoleIndicator()


EdgeTpuCheck: TypeAlias = Callable[[], object]
"""Called each time before the Edge TPU is opened in this process; raises EdgeTpuError to leave it alone."""


def _always() -> None:
    """Leave no Edge TPU alone."""


CAMERAS: Mapping[str, Callable[[CameraSettings], Camera]] = {
    "picamera": _picamera,
    "webcam": _webcam,
    "files": _files,
}
INDICATORS: Mapping[str, Callable[[IndicatorSettings], Indicator]] = {"gpio": _gpio, "console": _console}


@dataclass(frozen=True, slots=True)
class _ModelFiles:
    """The checked contents of a model's files."""

    manifest: Manifest
    cpu: bytes
    edgetpu: bytes | None
    check_edgetpu: EdgeTpuCheck


def _cpu(files: _ModelFiles, settings: ModelSettings) -> Interpreter:
    from pi_mask.inference.cpu import CpuInterpreter

    return CpuInterpreter(files.cpu, threads=settings.threads)


def _edgetpu(files: _ModelFiles, settings: ModelSettings) -> Interpreter:
    from pi_mask.inference.probe import open_probed

    compiled = _compiled(files)
    files.check_edgetpu()
    return open_probed(compiled, device=settings.device)


def _compiled(files: _ModelFiles) -> bytes:
    if files.edgetpu is None:
        raise EdgeTpuError(
            f"Model {files.manifest.name} has no file compiled for the Edge TPU. "
            "Compile it (docs/edge-tpu.md), or use --accelerator cpu."
        )
    return files.edgetpu


def _auto(files: _ModelFiles, settings: ModelSettings) -> Interpreter:
    from pi_mask.inference.auto import AutoInterpreter

    return AutoInterpreter(lambda: _edgetpu(files, settings), lambda: _cpu(files, settings))


INTERPRETERS: Mapping[str, Callable[[_ModelFiles, ModelSettings], Interpreter]] = {
    "auto": _auto,
    "edgetpu": _edgetpu,
    "cpu": _cpu,
}


@dataclass(frozen=True, slots=True)
class OpenedDetector:
    """A detector, ready to run, with what it was made from."""

    detector: Detector
    manifest: Manifest
    interpreter: Interpreter


def _check_file(name: str, manifest: Manifest) -> None:
    """A file named by the user must be the one that its manifest is about."""
    own = {file.file for file in (manifest.cpu, manifest.edgetpu) if file is not None}
    if name.endswith(".tflite") and Path(name).name not in own:
        raise ModelError(
            f"The manifest beside {name} is about {' and '.join(sorted(own))}. "
            "Put the model's own manifest there."
        )


def label_thresholds(settings: ModelSettings, manifest: Manifest) -> Mapping[MaskLabel, float]:
    """Smallest score per label: ``min_score`` for all, else the label's own, else the manifest's."""
    if settings.min_score is not None:
        return dict.fromkeys(MaskLabel, settings.min_score)
    own = settings.thresholds.model_dump()
    return {label: own[label.value] or manifest.thresholds[label] for label in MaskLabel}


@contextmanager
def open_detector(settings: ModelSettings, check_edgetpu: EdgeTpuCheck = _always) -> Iterator[OpenedDetector]:
    """Load, verify and start the model that the settings name.

    Raises:
        ModelError: The model is unusable or does not match its manifest.
        EdgeTpuError: ``accelerator`` is "edgetpu" and there is none.
    """
    path = find_manifest(settings.name)
    manifest = load_manifest(path)
    _check_file(settings.name, manifest)
    compiled = None
    if manifest.edgetpu is not None and settings.accelerator != "cpu":
        compiled = read_model(path, manifest.edgetpu)
    files = _ModelFiles(manifest, read_model(path, manifest.cpu), compiled, check_edgetpu)
    thresholds = label_thresholds(settings, manifest)
    with closing(INTERPRETERS[settings.accelerator](files, settings)) as interpreter:
        detector = Detector(
            interpreter, manifest, thresholds=thresholds, iou_threshold=settings.iou_threshold
        )
        yield OpenedDetector(detector, manifest, interpreter)


def shrunk_by_isp(settings: Settings, wanted: ModelInput) -> Settings:
    """The settings for the smaller frames of a Pi camera; what is given in pixels shrinks with them."""
    if settings.camera.kind != "picamera":
        return settings
    width, height = isp_size(settings.camera, wanted)
    smallest = settings.policy.min_face_px * width / settings.camera.width
    return settings.model_copy(
        update={
            "camera": settings.camera.model_copy(update={"width": width, "height": height}),
            "policy": settings.policy.model_copy(update={"min_face_px": smallest}),
        }
    )


@contextmanager
def open_pipeline(
    settings: Settings,
    *,
    camera: Camera | None = None,
    indicator: Indicator | None = None,
    check_edgetpu: EdgeTpuCheck = _always,
) -> Iterator[Pipeline]:
    """Open everything that a door needs; on leaving, outputs are off and devices released.

    Args:
        settings: Complete and valid.
        camera: In place of the one that the settings name; closed here.
        indicator: In place of the one that the settings name; closed here.
        check_edgetpu: See ``EdgeTpuCheck``.

    Raises:
        PiMaskError: A part cannot be opened; those opened before it are closed.
    """
    with ExitStack() as stack:
        # What was handed over is closed whatever fails to open. The indicator comes first, to be closed last:
        # its lights go off whatever else fails.
        for given in (indicator, camera):
            if given is not None:
                stack.enter_context(closing(given))
        shown_on = indicator or stack.enter_context(
            closing(INDICATORS[settings.indicator.kind](settings.indicator))
        )
        opened = stack.enter_context(open_detector(settings.model, check_edgetpu))
        if camera is None:
            settings = shrunk_by_isp(settings, opened.manifest.input)
        filmed_by = camera or stack.enter_context(closing(CAMERAS[settings.camera.kind](settings.camera)))
        tracker = Tracker(
            settings.tracker.iou_threshold,
            settings.tracker.max_age_s,
            settings.tracker.max_votes,
            settings.tracker.min_hits,
        )
        policy = DoorPolicy(settings.policy)
        # "auto" promises a TPU; a CPU that was asked for by name is nothing to warn about.
        wants_edgetpu = settings.model.accelerator == "auto"
        yield Pipeline(
            Parts(
                filmed_by,
                opened.detector,
                tracker,
                policy,
                shown_on,
                lambda: wants_edgetpu and opened.interpreter.device == "cpu",
            )
        )
