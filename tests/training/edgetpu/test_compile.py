"""Compile with a stand-in that writes the real compiler's log; the real one is not to be had here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pi_mask.errors import HardwareMissingError, ModelError, OutputError
from pi_mask.inference.graph import EDGETPU_OP
from pi_mask.manifest import load_manifest, read_model
from tests.colour_model import NAME, install_model
from tests.edgetpu_compiler import ROOT, UNSUPPORTED, VERSION, install
from training.edgetpu.compile import Log, LogLine, compile_model, read_log

MAPPED = "Mapped to Edge TPU"
# Published by its users: google-coral/edgetpu #342 (2021), a model of which most stays on the CPU.
PUBLISHED = """Edge TPU Compiler version 15.0.340273435
Input: model.tflite
Output: model_edgetpu.tflite

Operator                       Count      Status

TRANSPOSE                      70         Operation not supported
FULLY_CONNECTED                1          More than one subgraph is not supported
PAD                            1          Mapped to Edge TPU
QUANTIZE                       1          Operation is otherwise supported, but not mapped due to """ + (
    "some unspecified limitation\n"
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A real model with its manifest, alone in a folder."""
    folder = tmp_path / "models"
    folder.mkdir()
    return install_model(folder).with_suffix(".tflite")


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The stand-in on PATH; set STAND_IN for a fault."""
    folder = install(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("STAND_IN", raising=False)
    return monkeypatch


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_published_log_is_read() -> None:
    """Version, names, counts and status come back; what is mapped is told from what is not."""
    log = read_log(PUBLISHED)

    assert log == Log(
        "15.0.340273435",
        (
            LogLine("TRANSPOSE", 70, "Operation not supported"),
            LogLine("FULLY_CONNECTED", 1, "More than one subgraph is not supported"),
            LogLine("PAD", 1, MAPPED),
            LogLine("QUANTIZE", 1, UNSUPPORTED),
        ),
    )
    assert [line.name for line in log.on_cpu(["QUANTIZE"])] == ["TRANSPOSE", "FULLY_CONNECTED"]


@pytest.mark.parametrize(
    "text", ["", "Edge TPU Compiler version 16.0\nCompilation failed!", "Operator  Count  Status\n\n"]
)
def test_a_log_without_operations_is_an_error(text: str) -> None:
    """Nothing listed is not the same as nothing on the CPU."""
    with pytest.raises(ModelError, match="lists no operations"):
        read_log(text)


@pytest.mark.parametrize("fault", ["", "no log"])
def test_the_compiled_file_is_named_in_the_manifest(
    model: Path, compiler: pytest.MonkeyPatch, fault: str
) -> None:
    """The file lies beside the CPU's, its checksum is in the manifest, and all else there stays."""
    compiler.setenv("STAND_IN", fault)
    path, before = model.with_suffix(".json"), load_manifest(model.with_suffix(".json"))

    target, log = compile_model(model)

    after = load_manifest(path)
    assert target == model.with_name(f"{NAME}_edgetpu.tflite")
    assert log == Log(VERSION, (LogLine("CONV_2D", 2, MAPPED),))
    assert after.edgetpu is not None
    assert after.edgetpu.file == target.name
    assert EDGETPU_OP in read_model(path, after.edgetpu)
    assert after.training["edgetpu"] == {"compiler": VERSION, "operations": [f"2 CONV_2D: {MAPPED}"]}
    assert after.model_copy(update={"edgetpu": None, "training": {}}) == before
    assert set(contents(model.parent)) == {path.name, model.name, target.name}


def test_what_the_manifest_allows_may_stay_on_the_cpu(model: Path, compiler: pytest.MonkeyPatch) -> None:
    """With QUANTIZE in the manifest's list the model is taken; the list stays."""
    compiler.setenv("STAND_IN", "quantize on cpu")
    path = model.with_suffix(".json")
    content = json.loads(path.read_text())
    content["training"] = {"edgetpu": {"allowed_on_cpu": ["QUANTIZE"]}, "commit": "abc"}
    path.write_text(json.dumps(content))

    compile_model(model)

    training = load_manifest(path).training
    assert training["commit"] == "abc"
    assert training["edgetpu"]["allowed_on_cpu"] == ["QUANTIZE"]
    assert f"2 QUANTIZE: {UNSUPPORTED}" in training["edgetpu"]["operations"]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("quantize on cpu", f"would stay on the CPU: 2 QUANTIZE: {UNSUPPORTED}"),
        ("crash", "made no file .exit code 1: Internal compiler error. Aborting!"),
        ("too new", "made no file .exit code 1: ERROR: Didn't find op for builtin opcode 'CONV_2D'"),
        ("silent", "made no file .exit code 0: Compilation failed!"),
        ("empty table", "lists no operations"),
        ("nothing mapped", "put nothing on the Edge TPU"),
        ("other scale", "The Edge TPU's model takes"),
    ],
)
def test_a_fault_changes_nothing(model: Path, compiler: pytest.MonkeyPatch, fault: str, message: str) -> None:
    """One line says what is wrong; model and manifest stay as they were."""
    compiler.setenv("STAND_IN", fault)
    before = contents(model.parent)

    with pytest.raises(ModelError, match=message) as raised:
        compile_model(model)

    assert "\n" not in str(raised.value)
    assert contents(model.parent) == before


def test_a_damaged_model_is_not_compiled(model: Path, compiler: pytest.MonkeyPatch) -> None:
    """The compiler gets only what the manifest vouches for."""
    model.write_bytes(model.read_bytes()[:-1])

    with pytest.raises(ModelError, match="does not match its manifest"):
        compile_model(model)


def test_without_a_compiler_the_advice_is_one_line(model: Path, tmp_path: Path) -> None:
    """Exit code 3, nothing on standard output, one line that says how to get one."""
    before = contents(model.parent)
    environment = {**os.environ, "PATH": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "training.edgetpu", "compile", str(model)]

    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert (result.returncode, result.stdout) == (3, "")
    assert result.stderr.count("\n") == 1
    assert "docs/edge-tpu.md" in result.stderr
    assert contents(model.parent) == before
    assert HardwareMissingError.exit_code == 3


@pytest.mark.parametrize("allowed", ["QUANTIZE", 5, None, [1]])
def test_a_list_that_is_none_allows_nothing(
    model: Path, compiler: pytest.MonkeyPatch, allowed: object
) -> None:
    """A string holds the names of other operations as well: it is no list."""
    compiler.setenv("STAND_IN", "quantize on cpu")
    path = model.with_suffix(".json")
    content = json.loads(path.read_text()) | {"training": {"edgetpu": {"allowed_on_cpu": allowed}}}
    path.write_text(json.dumps(content))

    with pytest.raises(ModelError, match="allowed_on_cpu is no list of names"):
        compile_model(model)


def test_a_file_that_the_manifest_does_not_name_is_not_compiled(
    model: Path, compiler: pytest.MonkeyPatch
) -> None:
    """Else another file than the one asked for would be compiled."""
    copy = model.with_name("mine.tflite")
    copy.write_bytes(model.read_bytes())
    copy.with_suffix(".json").write_text(model.with_suffix(".json").read_text())

    with pytest.raises(ModelError, match=r"mine\.json is about colours\.tflite, not mine\.tflite"):
        compile_model(copy)


@pytest.mark.parametrize("older", [None, b"of an earlier time"], ids=["first", "again"])
def test_a_manifest_that_cannot_be_written_leaves_no_compiled_file(
    model: Path, compiler: pytest.MonkeyPatch, older: bytes | None
) -> None:
    """The two go together: an older file stays."""
    if older is not None:
        model.with_name(f"{NAME}_edgetpu.tflite").write_bytes(older)
    before = contents(model.parent)
    blocked = model.with_name(f".{model.stem}.json.partial")
    blocked.mkdir()

    with pytest.raises(OutputError, match=r"colours\.json cannot be written"):
        compile_model(model)

    blocked.rmdir()
    assert contents(model.parent) == before
