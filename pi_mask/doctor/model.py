"""Check what runs the model, then the model."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import TYPE_CHECKING, Final

from pi_mask.doctor.base import Result, Status, Symptom, ok
from pi_mask.doctor.coral import find_pcie, find_usb
from pi_mask.doctor.machine import Machine
from pi_mask.errors import ModelError, PiMaskError
from pi_mask.manifest import DEFAULT_MODEL

if TYPE_CHECKING:
    from pathlib import Path

    from pi_mask.detector import Detector
    from pi_mask.manifest import Manifest
    from pi_mask.settings import Settings

SMOOTH_FPS: Final = 5.0
"""Three votes then take 0.6 s, within the second that a door has."""
_RUNS: Final = 3
_SMALLEST: Final = "nano_320"

NO_RUNTIME = Symptom(
    "runtime-unusable",
    Status.FAULT,
    "{error}",
    "Install pi-mask anew (install.sh), or: pip install ai-edge-litert",
)
SLOW_RUNTIME = Symptom(
    "runtime-slow",
    Status.WARNING,
    "tflite-runtime takes about 20 times as long as LiteRT for the same model.",
    "Use 64-bit Raspberry Pi OS; there pip install ai-edge-litert works.",
)
NO_OPENCV = Symptom(
    "runtime-opencv",
    Status.FAULT,
    "OpenCV cannot be imported ({reason}).",
    "On Bookworm: pip install 'numpy<2' 'opencv-python-headless<4.12'. Elsewhere: pip install "
    "opencv-python-headless",
)
UNUSABLE = Symptom(
    "model-unusable", Status.FAULT, "{error}", 'See "pi-mask models", or reinstall.', ModelError
)
OTHER_UNUSABLE = Symptom(
    "model-other-unusable",
    Status.WARNING,
    "A shipped model that is not in use: {error}",
    "Reinstall pi-mask (install.sh).",
    ModelError,
)
SLOW = Symptom(
    "model-slow",
    Status.WARNING,
    "The model takes {ms:.0f} ms a picture on the CPU: {fps:.1f} a second.",
    "Raise model.threads, cool the Pi, or add a Coral.{smaller}",
)
TOO_SLOW = Symptom(
    "model-too-slow",
    Status.FAULT,
    "The model takes {ms:.0f} ms a picture on the CPU: nobody is followed below {least:.2f} a second.",
    "Add a Coral, use a faster Pi, or raise tracker.max_age_s.{smaller}",
)
NO_VERDICT = Symptom(
    "model-no-verdict",
    Status.FAULT,
    "The model takes {ms:.0f} ms a picture on the CPU: {window_s:g} s never hold the {votes} looks of a "
    "verdict.",
    "Add a Coral, use a faster Pi, raise policy.vote_window_s, or lower policy.min_votes.{smaller}",
)
SLOW_SPARE = Symptom(
    "model-slow-spare",
    Status.WARNING,
    "The model takes {ms:.0f} ms a picture on the CPU: while the Coral is away, no verdict is reached.",
    "Use a faster Pi.{smaller}",
)


def check_runtime(_machine: Machine, _settings: Settings) -> Iterator[Result]:
    """Import LiteRT, numpy and OpenCV, which have to fit each other."""
    from pi_mask.inference.runtime import find_runtime

    try:
        runtime = find_runtime()
    except PiMaskError as error:
        yield NO_RUNTIME.caused_by(error)
        return
    try:
        import numpy as np

        from pi_mask.camera.opencv import cv2
    except ImportError as error:
        yield NO_OPENCV.found(reason=" ".join(str(error).split()))
        return
    yield ok(f"{runtime.package} {runtime.version}, numpy {np.__version__}, OpenCV {cv2.__version__}")
    if runtime.package == "tflite-runtime":
        yield SLOW_RUNTIME.found()


def check_model(machine: Machine, settings: Settings) -> Iterator[Result]:
    """Compare the models' files with their manifests, and run the chosen one on the CPU a few times."""
    from pi_mask.manifest import models_dir, shipped_models

    yield from _check_chosen(machine, settings)
    chosen = settings.model.name or DEFAULT_MODEL
    for name in shipped_models():
        if name != chosen:
            try:
                _read(models_dir() / f"{name}.json")
            except ModelError as error:
                yield OTHER_UNUSABLE.caused_by(error)


def _check_chosen(machine: Machine, settings: Settings) -> Iterator[Result]:
    from pi_mask.build import open_detector
    from pi_mask.manifest import find_manifest

    try:
        manifest = _read(find_manifest(settings.model.name))
        with open_detector(settings.model.model_copy(update={"accelerator": "cpu"})) as opened:
            ms = _inference_ms(opened.detector, settings)
    except PiMaskError as error:
        yield UNUSABLE.caused_by(error)
        return
    files = "both files match" if manifest.edgetpu else "the file matches"
    yield ok(f"{manifest.name}: {files} its manifest; {ms:.0f} ms a picture on the CPU")
    yield from judge_speed(ms, settings, is_spare=_is_spare(machine, settings, manifest))


def _is_spare(machine: Machine, settings: Settings, manifest: Manifest) -> bool:
    """Whether a Coral does the work in place of the CPU, as far as can be seen without trying it."""
    if settings.model.accelerator != "auto" or manifest.edgetpu is None or machine.service.is_degraded:
        return False
    return bool(find_usb(machine.root) or find_pcie(machine.root))


def _read(path: Path) -> Manifest:
    """Read a manifest, and compare its files with it."""
    from pi_mask.manifest import load_manifest, read_model

    manifest = load_manifest(path)
    for file in filter(None, (manifest.cpu, manifest.edgetpu)):
        read_model(path, file)
    return manifest


def judge_speed(ms: float, settings: Settings, *, is_spare: bool = False) -> Iterator[Result]:
    """Find a CPU too slow for a door; with accelerator "edgetpu" it does not matter.

    Args:
        ms: Milliseconds a picture, above 0.
        settings: How far apart the tracker lets pictures be, and how many of them the policy asks for.
        is_spare: The CPU only stands in for a Coral.
    """
    least, fps, policy = 1 / settings.tracker.max_age_s, 1000 / ms, settings.policy
    if settings.model.accelerator == "edgetpu":
        return
    smaller = "" if settings.model.name == _SMALLEST else f' Or try model.name = "{_SMALLEST}".'
    has_enough_looks = policy.most_looks(fps) >= policy.min_votes
    if is_spare:
        if fps < least or not has_enough_looks:
            yield SLOW_SPARE.found(ms=ms, smaller=smaller)
    elif fps < least:
        yield TOO_SLOW.found(ms=ms, least=least, smaller=smaller)
    elif not has_enough_looks:
        yield NO_VERDICT.found(ms=ms, window_s=policy.vote_window_s, votes=policy.min_votes, smaller=smaller)
    elif fps < SMOOTH_FPS:
        yield SLOW.found(ms=ms, fps=fps, smaller=smaller)


def _inference_ms(detector: Detector, settings: Settings) -> float:
    """The median of a few runs on a grey picture."""
    import numpy as np

    from pi_mask.types import Frame

    grey = np.full((settings.camera.height, settings.camera.width, 3), 114, np.uint8)
    latencies = [detector.detect(Frame(grey, 0.0, index))[1] for index in range(_RUNS)]
    return median(latency.preprocess_ms + latency.inference_ms for latency in latencies)
