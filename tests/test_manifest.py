"""Hold models to their manifests, and whatever is wrong to one line of advice."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from pi_mask import manifest as module
from pi_mask.errors import ModelError
from pi_mask.manifest import (
    DEFAULT_MODEL,
    Manifest,
    find_manifest,
    load_manifest,
    models_dir,
    read_model,
    shipped_models,
)
from pi_mask.types import MaskLabel

CONTENT = b"TFL3 made up"
SHIPPED = sorted({*shipped_models(), DEFAULT_MODEL})


def description(**changes: Any) -> dict[str, Any]:
    """What a manifest's file holds, with some keys replaced."""
    return {
        "schema": 1,
        "name": "made-up",
        "description": "for tests",
        "cpu": {"file": "made-up.tflite", "sha256": hashlib.sha256(CONTENT).hexdigest()},
        "labels": ["with_mask", "without_mask", "incorrect"],
        "input": {"width": 320, "height": 320},
        "head": {"kind": "ssd", "levels": [{"stride": 8, "outputs": {"scores": 0, "boxes": 1}}]},
        "thresholds": {"with_mask": 0.5, "without_mask": 0.4, "incorrect": 0.3},
        "iou_threshold": 0.5,
        "training": {},
        "metrics": {},
        **changes,
    }


def save(folder: Path, **changes: Any) -> Path:
    """Write model and manifest into a folder; return the manifest."""
    (folder / "made-up.tflite").write_bytes(CONTENT)
    path = folder / "made-up.json"
    path.write_text(json.dumps(description(**changes)))
    return path


def refusal(path: Path) -> str:
    """The error about a manifest: one line, exit code 4, which names the file and ends with advice."""
    with pytest.raises(ModelError) as caught:
        load_manifest(path)
    message = str(caught.value)
    assert caught.value.exit_code == 4
    assert message.startswith(f"Manifest {path} ")
    assert "\n" not in message
    return message.removeprefix(f"Manifest {path} ")


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_model_matches_its_manifest(name: str) -> None:
    """Every shipped model, the default one among them, has a valid manifest and the file it describes."""
    path = find_manifest(name)
    manifest = load_manifest(path)

    files = [file for file in (manifest.cpu, manifest.edgetpu) if file is not None]

    assert manifest.name == name == path.stem
    assert [read_model(path, file)[4:8] for file in files] == [b"TFL3"] * len(files)
    assert manifest.metrics["int8"]["mAP50"] > 0.5
    assert {"commit", "data", "versions"} <= set(manifest.training)


def test_every_shipped_file_belongs_to_a_manifest() -> None:
    """No .tflite file lies among the models that no manifest vouches for."""
    manifests = [load_manifest(models_dir() / f"{name}.json") for name in shipped_models()]

    described = {file.file for each in manifests for file in (each.cpu, each.edgetpu) if file is not None}

    assert {path.name for path in models_dir().glob("*.tflite")} == described


def test_the_default_model_comes_first() -> None:
    """Whoever takes the first of the shipped models gets the default one."""
    assert shipped_models()[:1] == (DEFAULT_MODEL,)


def test_a_manifest_gives_types_and_defaults(tmp_path: Path) -> None:
    """Labels become MaskLabel, and what a manifest may leave out has its default."""
    manifest = load_manifest(save(tmp_path))

    assert manifest.labels == (MaskLabel.WITH_MASK, MaskLabel.WITHOUT_MASK, MaskLabel.INCORRECT)
    assert manifest.thresholds[MaskLabel.INCORRECT] == 0.3
    assert (manifest.input.letterbox, manifest.input.fill, manifest.edgetpu) == (True, 114, None)
    assert manifest.min_side_px == 0.0


def test_a_manifest_survives_its_own_file(tmp_path: Path) -> None:
    """What is written as JSON by its aliases is read back the same."""
    manifest = load_manifest(save(tmp_path))
    path = tmp_path / "again.json"

    path.write_text(json.dumps(manifest.model_dump(mode="json", by_alias=True)))

    assert load_manifest(path) == manifest


YOLO_LEVEL = {"stride": 8, "outputs": {"scores": 0, "boxes": 1, "objectness": 2}, "anchors": [[10, 14]]}


def test_a_yolov5_head_is_a_head_too(tmp_path: Path) -> None:
    """Head yolov5 has objectness and anchors."""
    manifest = load_manifest(save(tmp_path, head={"kind": "yolov5", "levels": [YOLO_LEVEL]}))

    assert manifest.head.levels[0].anchors == ((10.0, 14.0),)


def ssd_levels(**changes: Any) -> dict[str, Any]:
    """A head of one level with some keys replaced."""
    level = {"stride": 8, "outputs": {"scores": 0, "boxes": 1}, **changes}
    return {"kind": "ssd", "levels": [level]}


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"schema": 2}, "schema"),
        ({"name": ""}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"name": "red\x1b[31m"}, "name"),
        ({"name": "two\u2028lines"}, "name"),
        ({"labels": ["with_mask", "without_mask"]}, "file"),
        ({"labels": ["with_mask", "with_mask", "incorrect"]}, "file"),
        ({"labels": ["with_mask", "without_mask", "helmet"]}, "labels.2"),
        ({"colour": "red"}, "colour"),
        ({"input": {"width": 320, "height": 320, "mean": 0}}, "input.mean"),
        ({"input": {"width": 31, "height": 320}}, "input.width"),
        ({"input": {"width": 4097, "height": 320}}, "input.width"),
        ({"input": {"width": 320, "height": 31}}, "input.height"),
        ({"input": {"width": 320, "height": 4097}}, "input.height"),
        ({"input": {"width": 320, "height": 320, "fill": 256}}, "input.fill"),
        ({"input": {"width": 320, "height": 320, "fill": -1}}, "input.fill"),
        ({"cpu": {"file": "../made-up.tflite", "sha256": "0" * 64}}, "cpu.file"),
        ({"cpu": {"file": "/etc/made-up.tflite", "sha256": "0" * 64}}, "cpu.file"),
        ({"cpu": {"file": "..\\made-up.tflite", "sha256": "0" * 64}}, "cpu.file"),
        ({"cpu": {"file": "a\0.tflite", "sha256": "0" * 64}}, "cpu.file"),
        ({"cpu": {"file": "passwd", "sha256": "0" * 64}}, "cpu.file"),
        ({"cpu": {"file": "made-up.tflite", "sha256": "F" * 64}}, "cpu.sha256"),
        ({"cpu": {"file": "made-up.tflite"}}, "cpu.sha256"),
        ({"thresholds": {"with_mask": 0.5, "without_mask": 0.5}}, "file"),
        ({"thresholds": {"with_mask": 0.0, "without_mask": 0.5, "incorrect": 0.5}}, "thresholds.with_mask"),
        ({"thresholds": {"with_mask": 1.0, "without_mask": 0.5, "incorrect": 0.5}}, "thresholds.with_mask"),
        ({"iou_threshold": float("nan")}, "iou_threshold"),
        ({"iou_threshold": 1.0}, "iou_threshold"),
        ({"min_side_px": -1.0}, "min_side_px"),
        ({"min_side_px": float("nan")}, "min_side_px"),
        ({"min_side_px": float("inf")}, "min_side_px"),
        ({"head": {"kind": "ssd", "levels": []}}, "head.levels"),
        ({"head": {"kind": "retina", "levels": [YOLO_LEVEL]}}, "head.kind"),
        ({"head": {"kind": "ssd", "levels": [YOLO_LEVEL]}}, "head"),
        ({"head": ssd_levels(anchors=[[10, 14]])}, "head"),
        ({"head": ssd_levels(outputs={"scores": 0})}, "head"),
        ({"head": ssd_levels(outputs={"scores": 0, "boxes": -1})}, "head.levels.0.outputs.boxes"),
        ({"head": ssd_levels(outputs={"scores": 0, "corners": 1})}, "head.levels.0.outputs.corners.[key]"),
        ({"head": {**ssd_levels(), "kind": "yolov5"}}, "head"),
        ({"head": ssd_levels(stride=0)}, "head.levels.0.stride"),
        ({"head": ssd_levels(outputs={"scores": 0, "boxes": 0})}, "head"),
        ({"head": {"kind": "ssd", "levels": 2 * ssd_levels()["levels"]}}, "head"),
    ],
    ids=str,
)
def test_a_wrong_manifest_is_refused(tmp_path: Path, changes: dict[str, Any], where: str) -> None:
    """Each mistake is one line that says where it is and what to use instead."""
    message = refusal(save(tmp_path, **changes))

    assert message.startswith(f"is wrong at {where}: ")
    assert message.endswith(". Use the one that came with the model.")


@pytest.mark.parametrize(("width", "height", "fill"), [(32, 4096, 0), (4096, 32, 255)])
def test_the_ends_of_a_range_are_allowed(tmp_path: Path, width: int, height: int, fill: int) -> None:
    """The smallest and the largest input, black and white padding."""
    manifest = load_manifest(save(tmp_path, input={"width": width, "height": height, "fill": fill}))

    assert (manifest.input.width, manifest.input.height, manifest.input.fill) == (width, height, fill)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"null", b"[]", b'"text"', b"\xff\xfe{}", b"{}", b"[" * 100_000, b"\0" * 64, CONTENT],
    ids=["empty", "cut", "null", "list", "text", "utf-16", "no keys", "deep", "zeros", "model"],
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, content: bytes) -> None:
    """Whatever bytes a file holds, the error is one line."""
    path = tmp_path / "made-up.json"
    path.write_bytes(content)

    assert refusal(path).endswith(". Use the one that came with the model.")


def test_every_cut_of_a_manifest_is_refused(tmp_path: Path) -> None:
    """A file that ends too early, wherever, is refused and never half believed."""
    path = save(tmp_path)
    whole = path.read_text()
    for end in range(0, len(whole), 7):
        path.write_text(whole[:end])

        assert refusal(path).startswith("is wrong at ")


def test_a_missing_manifest_is_refused(tmp_path: Path) -> None:
    """A manifest that is gone, or is a folder, is a model error with the system's reason."""
    (tmp_path / "folder.json").mkdir()

    reasons = [refusal(tmp_path / name) for name in ("gone.json", "folder.json")]

    advice = "Check the path and its permissions."
    assert reasons == [
        f"cannot be read: No such file or directory. {advice}",
        f"cannot be read: Is a directory. {advice}",
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_forbidden_manifest_is_refused(tmp_path: Path) -> None:
    """A manifest without permission to read, or in a folder without, is a model error."""
    path = save(tmp_path)
    path.chmod(0)
    try:
        assert refusal(path) == "cannot be read: Permission denied. Check the path and its permissions."
        tmp_path.chmod(0)
        with pytest.raises(ModelError, match=r"cannot be reached: Permission denied\. Check the path\.$"):
            find_manifest(str(path))
    finally:
        tmp_path.chmod(0o700)


def test_a_model_is_read_as_described(tmp_path: Path) -> None:
    """The bytes whose checksum was compared are those that are returned."""
    path = save(tmp_path)

    assert read_model(path, load_manifest(path).cpu) == CONTENT


@pytest.mark.parametrize("content", [b"", CONTENT[:-1], CONTENT + b"\0", CONTENT.lower()])
def test_another_model_is_refused(tmp_path: Path, content: bytes) -> None:
    """An empty, truncated, longer or different file does not run; the line names both checksums."""
    path = save(tmp_path)
    model = tmp_path / "made-up.tflite"
    model.write_bytes(content)

    with pytest.raises(ModelError) as caught:
        read_model(path, load_manifest(path).cpu)

    found, expected = (hashlib.sha256(each).hexdigest()[:12] for each in (content, CONTENT))
    assert caught.value.exit_code == 4
    assert str(caught.value) == (
        f"Model {model} does not match its manifest (sha256 {found}…, expected {expected}…, "
        f"{len(content)} bytes). The file is damaged or another one: reinstall it."
    )


def test_a_missing_model_is_refused(tmp_path: Path) -> None:
    """A manifest whose model is gone is a model error."""
    path = save(tmp_path)
    model = tmp_path / "made-up.tflite"
    model.unlink()

    with pytest.raises(ModelError) as caught:
        read_model(path, load_manifest(path).cpu)

    assert str(caught.value) == f"Model {model} cannot be read: No such file or directory. Reinstall pi-mask."


def test_a_wheel_has_its_models_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a checkout they lie beside the package, in an installed one within it."""
    package = tmp_path / "pi_mask"
    monkeypatch.setattr(module, "__file__", str(package / "manifest.py"))
    in_a_checkout = models_dir()
    (package / "models").mkdir(parents=True)

    assert (in_a_checkout, models_dir()) == (tmp_path / "models", package / "models")


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of shipped models of its own, still empty."""
    monkeypatch.setattr(module, "models_dir", lambda: tmp_path)
    return tmp_path


def test_a_model_is_found_by_name_or_file(shipped: Path) -> None:
    """A shipped model's name, its .tflite and its .json lead to one manifest; no name to the default's."""
    path = save(shipped)
    default = shipped / f"{DEFAULT_MODEL}.json"
    default.touch()

    names = ["made-up", str(shipped / "made-up.tflite"), str(path), ""]

    assert [find_manifest(name) for name in names] == [path, path, path, default]
    assert shipped_models() == (DEFAULT_MODEL, "made-up")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("other", "No model is called 'other'. Shipped: made-up; or give a .tflite file."),
        ("", f"No model is called '{DEFAULT_MODEL}'. Shipped: made-up; or give a .tflite file."),
        ("other.tflite", "Model other.tflite does not exist. 'pi-mask models' lists the shipped ones."),
        ("other.json", "Model other.json does not exist. 'pi-mask models' lists the shipped ones."),
    ],
)
def test_an_unknown_model_is_refused(shipped: Path, name: str, message: str) -> None:
    """A name that leads nowhere says what there is."""
    save(shipped)

    with pytest.raises(ModelError) as caught:
        find_manifest(name)

    assert (str(caught.value), caught.value.exit_code) == (message, 4)


def test_nothing_shipped_is_said(shipped: Path) -> None:
    """An empty folder of models is no reason for a traceback."""
    with pytest.raises(ModelError, match=r"Shipped: none; or give a \.tflite file\.$"):
        find_manifest("")


def test_a_model_without_manifest_is_refused(tmp_path: Path) -> None:
    """A bare .tflite file says what is missing beside it."""
    model = tmp_path / "bare.tflite"
    model.touch()

    with pytest.raises(
        ModelError, match=r"has no manifest\. Put bare\.json beside it \(see models/README\.md\)\.$"
    ):
        find_manifest(str(model))


@pytest.mark.parametrize("name", ["x" * 300, "x" * 300 + ".tflite"])
def test_a_name_too_long_for_a_file_is_refused(name: str) -> None:
    """The system's own refusal becomes a model error."""
    with pytest.raises(ModelError, match=r"cannot be reached: File name too long\. Check the path\.$"):
        find_manifest(name)


def test_the_models_lie_beside_the_package() -> None:
    """In a checkout models/ is used, in a wheel the package's own copy of it."""
    package = Path(module.__file__).parent

    assert models_dir() in {package / "models", package.parent / "models"}
    assert models_dir().is_dir()


def test_a_manifest_cannot_be_changed(tmp_path: Path) -> None:
    """What was validated stays as it was."""
    manifest = load_manifest(save(tmp_path))

    with pytest.raises(ValueError, match="frozen"):
        manifest.name = "other"  # type: ignore[misc]

    assert isinstance(manifest, Manifest)
