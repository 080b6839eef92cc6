"""Test the checks of runtime and model."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pi_mask import manifest
from pi_mask.doctor.machine import Service
from pi_mask.doctor.model import check_model, check_runtime, judge_speed
from pi_mask.errors import PiMaskError
from pi_mask.inference import runtime
from pi_mask.settings import ModelSettings, Settings, TrackerSettings
from tests.colour_model import install_model
from tests.doctor.made_up import Root, advised, found


def of_model(path: Path | str, accelerator: str = "auto") -> Settings:
    """Settings that name a model."""
    return Settings(
        model=ModelSettings.model_validate({"name": str(path), "accelerator": accelerator, "threads": 1})
    )


def test_the_pair_in_use_is_named(root: Root) -> None:
    """LiteRT, numpy and OpenCV with their versions."""
    ((status, _, message),) = found(check_runtime(root.machine(), Settings()))

    assert status == "ok"
    assert [part.split()[0] for part in message.split(", ")] == ["ai-edge-litert", "numpy", "OpenCV"]


def test_a_runtime_that_cannot_be_imported(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    """What went wrong, and what to install."""

    def none() -> object:
        raise PiMaskError("tflite-runtime 2.14.0 does not work with numpy 2. Run: pip install 'numpy<2'.")

    monkeypatch.setattr(runtime, "find_runtime", none)
    results = list(check_runtime(root.machine(), Settings()))

    assert found(results) == [
        ("fault", "runtime-unusable", "tflite-runtime 2.14.0 does not work with numpy 2.")
    ]
    assert advised(results) == ["Run: pip install 'numpy<2'."]


def test_the_slow_runtime_is_a_warning(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    """tflite-runtime works, but has no fast kernels for int8."""
    real = runtime.find_runtime()
    slow = type(real)("tflite-runtime", "2.14.0", real.make_interpreter, real.load_delegate)
    monkeypatch.setattr(runtime, "find_runtime", lambda: slow)

    assert [code for _, code, _ in found(check_runtime(root.machine(), Settings()))] == ["", "runtime-slow"]


def test_opencv_that_does_not_fit_numpy(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    """The import's own words stand in the message."""
    monkeypatch.delattr("pi_mask.camera.opencv.cv2")

    ((status, code, message),) = found(check_runtime(root.machine(), Settings()))

    assert (status, code) == ("fault", "runtime-opencv")
    assert message.startswith("OpenCV cannot be imported (cannot import name 'cv2'")


def test_a_model_that_matches_its_manifest_is_run(root: Root, model: Path) -> None:
    """One line with its name and its speed here."""
    ((status, _, message),) = found(check_model(root.machine(), of_model(model)))

    assert status == "ok"
    assert message.startswith("colours: the file matches its manifest; ")
    assert message.endswith(" ms a picture on the CPU")


@pytest.mark.parametrize(
    ("damage", "start"),
    [
        ("rust", "Model {} does not match its manifest (sha256 "),
        (None, "Model {} does not exist."),
    ],
)
def test_a_damaged_model_is_a_fault_of_the_model(
    root: Root, model: Path, damage: str | None, start: str
) -> None:
    """Exit code 4, and the way to mend it."""
    model.write_text(damage) if damage else model.unlink()

    (result,) = check_model(root.machine(), of_model(model))

    assert (result.status.value, result.code, result.exit_code) == ("fault", "model-unusable", 4)
    assert result.message.startswith(start.format(model))
    assert result.advice


def test_a_damaged_file_for_the_coral_counts_on_the_cpu_too(root: Root, model: Path) -> None:
    """All files that a manifest names are compared."""
    install_model(model.parent, edgetpu={"file": "gone.tflite", "sha256": "0" * 64})

    assert [code for _, code, _ in found(check_model(root.machine(), of_model(model)))] == ["model-unusable"]


def test_shipped_models_that_are_not_in_use_are_compared_too(
    root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Theirs is a warning, for the door works."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    monkeypatch.setattr(manifest, "models_dir", lambda: folder)
    install_model(folder, "colours")
    install_model(folder, "fine")
    install_model(folder, "zzz")
    (folder / "zzz.tflite").write_bytes(b"")

    results = found(check_model(root.machine(), of_model("colours")))

    assert [(status, code) for status, code, _ in results] == [
        ("ok", ""),
        ("warning", "model-other-unusable"),
    ]
    assert results[1][2].startswith(f"A shipped model that is not in use: Model {folder / 'zzz.tflite'} does")


@pytest.mark.parametrize(
    ("ms", "accelerator", "expected"),
    [
        (200.0, "auto", []),
        (
            201.0,
            "cpu",
            [("warning", "model-slow", "The model takes 201 ms a picture on the CPU: 5.0 a second.")],
        ),
        (
            799.0,
            "cpu",
            [
                (
                    "fault",
                    "model-no-verdict",
                    "The model takes 799 ms a picture on the CPU: 1.5 s never hold the 3 looks of a verdict.",
                )
            ],
        ),
        (
            749.0,
            "cpu",
            [("warning", "model-slow", "The model takes 749 ms a picture on the CPU: 1.3 a second.")],
        ),
        (
            801.0,
            "auto",
            [
                (
                    "fault",
                    "model-too-slow",
                    "The model takes 801 ms a picture on the CPU: nobody is followed below 1.25 a second.",
                )
            ],
        ),
        (5000.0, "edgetpu", []),
    ],
)
def test_a_slow_cpu_is_judged_by_what_tracker_and_policy_bear(
    ms: float, accelerator: str, expected: list[tuple[str, str, str]]
) -> None:
    """Below five a second a warning, too few for a verdict or for the tracker a fault; beside a TPU none."""
    settings = Settings(
        model=ModelSettings.model_validate({"accelerator": accelerator}),
        tracker=TrackerSettings(max_age_s=0.8),
    )

    assert found(judge_speed(ms, settings)) == expected


@pytest.mark.parametrize(("ms", "is_spare"), [(300.0, False), (799.0, False), (900.0, False), (900.0, True)])
def test_the_smallest_model_is_advised_where_it_is_not_the_one(ms: float, is_spare: bool) -> None:
    """Whoever has it already is not told to choose it."""
    small = Settings(model=ModelSettings(name="nano_320"))

    (default,), (smallest,) = (
        list(judge_speed(ms, settings, is_spare=is_spare)) for settings in (Settings(), small)
    )

    assert default.advice == f'{smallest.advice} Or try model.name = "nano_320".'


@pytest.mark.parametrize(("ms", "is_short"), [(500.0, False), (749.0, False), (751.0, True), (2000.0, True)])
def test_a_slow_cpu_beside_a_coral_is_no_fault_of_the_door(ms: float, is_short: bool) -> None:
    """It stands in only: one on which no verdict is reached is a warning, a merely slow one nothing."""
    start = f"The model takes {ms:.0f} ms a picture on the CPU: "
    warning = ("warning", "model-slow-spare", start + "while the Coral is away, no verdict is reached.")

    assert found(judge_speed(ms, Settings(), is_spare=True)) == [warning] * is_short


def test_the_cpu_is_a_spare_beside_a_coral_that_works(
    root: Root, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a Coral, a model compiled for it or its use by the service, the CPU is all that there is."""

    def code(accelerator: str = "auto", status: str = "Watching: idle.") -> str:
        service = Service(load="loaded", active="active", sub="running", status=status)
        return found(check_model(root.machine(service), of_model(model, accelerator)))[1][1]

    monkeypatch.setattr("pi_mask.doctor.model._inference_ms", lambda *_: 2000.0)
    model.with_name("e.tflite").write_bytes(b"compiled")
    checksum = hashlib.sha256(b"compiled").hexdigest()
    install_model(model.parent, edgetpu={"file": "e.tflite", "sha256": checksum})
    without = code()
    root.put("dev/apex_0")
    beside = [code(), code("cpu"), code(status="Watching on the CPU, without the Edge TPU: idle.")]
    install_model(model.parent)

    assert (without, beside, code()) == (
        "model-too-slow",
        ["model-slow-spare", "model-too-slow", "model-too-slow"],
        "model-too-slow",
    )
