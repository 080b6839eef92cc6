"""Compile a model with edgetpu_compiler and take the result into its manifest.

The compiler itself has never run here: what is known of its options and its log is Coral's documentation and
logs that people published.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pi_mask.errors import HardwareMissingError, ModelError, OutputError
from pi_mask.inference.graph import EDGETPU_OP
from pi_mask.inference.matching import match_outputs
from pi_mask.manifest import Manifest, ModelFile, find_manifest, load_manifest, read_model
from training.annotations import write_bytes, write_text
from training.edgetpu.flatbuffer import read_graph
from training.edgetpu.prepare import prepare
from training.manifests import manifest_json

COMPILER: Final = "edgetpu_compiler"
_TIMEOUT_S: Final = 900
"""A model of this size takes seconds; the compiler's own limit is three minutes for each attempt."""

_NO_COMPILER: Final = (
    f"{COMPILER} is not on PATH. It runs on x86-64 Linux only and comes from Google's package source "
    "(apt install edgetpu-compiler); docs/edge-tpu.md says how, on your machine, in a container or by the "
    "release workflow."
)
_OPERATION: Final = re.compile(r"^(\S+)\s+(\d+)\s+(\S.*?)\s*$")
_VERSION: Final = re.compile(r"Edge TPU Compiler version (\S+)")
_FAILURE: Final = re.compile(r"ERROR: |Compilation failed: |Aborting|Invalid model|not quantized")
"""Begins or ends the line that names a failure's cause, in what people published."""
_MAPPED: Final = "Mapped to Edge TPU"


@dataclass(frozen=True, slots=True)
class LogLine:
    """What the compiler says of the operations of one kind."""

    name: str
    count: int
    status: str

    @property
    def is_mapped(self) -> bool:
        """Whether they run on the Edge TPU."""
        return self.status == _MAPPED


@dataclass(frozen=True, slots=True)
class Log:
    """What the compiler said.

    Attributes:
        version: Of the compiler, "" where it doesn't say.
        lines: One per kind of operation and status.
    """

    version: str
    lines: tuple[LogLine, ...]

    def on_cpu(self, allowed: Collection[str] = ()) -> tuple[LogLine, ...]:
        """The operations that stay on the CPU, without the allowed ones."""
        return tuple(line for line in self.lines if not line.is_mapped and line.name not in allowed)


def read_log(text: str) -> Log:
    """Read the compiler's log: a table below a heading "Operator Count Status".

    Raises:
        ModelError: It has no such table, or an empty one.
    """
    _, _, table = text.partition("Operator ")
    matches = map(_OPERATION.match, table.splitlines()[1:])
    lines = tuple(LogLine(found[1], int(found[2]), found[3]) for found in matches if found)
    if not lines:
        raise ModelError(f"{COMPILER}'s log lists no operations. Look at it: {_last_line(text)}")
    version = _VERSION.search(text)
    return Log(version[1] if version else "", lines)


def compile_model(model: Path) -> tuple[Path, Log]:
    """Compile the CPU's file of a model and name the result in its manifest.

    Nothing is written unless all is well.

    Args:
        model: The ``.tflite`` file, its manifest beside it. What may stay on the CPU is listed there, under
            ``training.edgetpu.allowed_on_cpu``, by the names of the schema; nothing, where there is no list.

    Returns:
        The compiled file's path and the compiler's log.

    Raises:
        HardwareMissingError: There is no compiler on this machine.
        ModelError: The compiler refuses the model, more than allowed stays on the CPU, or the result is not
            the same network's.
        OutputError: The result cannot be written.
    """
    path = find_manifest(str(model))
    manifest = load_manifest(path)
    if path.with_name(manifest.cpu.file).resolve() != model.resolve():
        raise ModelError(
            f"{path} is about {manifest.cpu.file}, not {model.name}. Compile that, or correct it."
        )
    content = read_model(path, manifest.cpu)
    allowed = _allowed(path, manifest)
    compiler = shutil.which(COMPILER)
    if compiler is None:
        raise HardwareMissingError(_NO_COMPILER)
    compiled, log = _run(compiler, Path(manifest.cpu.file).stem, prepare(content))
    _check(content, compiled, log, allowed)
    target = path.with_name(f"{Path(manifest.cpu.file).stem}_edgetpu.tflite")
    described = manifest_json(_described(manifest, target, compiled, log))
    before = target.read_bytes() if target.exists() else None
    write_bytes(target, compiled)
    try:
        write_text(path, described)
    except OutputError:
        if before is None:
            target.unlink()
        else:
            write_bytes(target, before)
        raise
    return target, log


def _allowed(path: Path, manifest: Manifest) -> list[str]:
    """What may stay on the CPU."""
    record = manifest.training.get("edgetpu", {})
    allowed = record.get("allowed_on_cpu", []) if isinstance(record, dict) else None
    if not isinstance(allowed, list) or not all(isinstance(name, str) for name in allowed):
        raise ModelError(
            f'{path}: training.edgetpu.allowed_on_cpu is no list of names. Write it like ["QUANTIZE"].'
        )
    return allowed


def _run(compiler: str, stem: str, model: bytes) -> tuple[bytes, Log]:
    """Run the compiler in a folder of its own; the compiled file and the log."""
    with tempfile.TemporaryDirectory() as folder:
        source, compiled = Path(folder, f"{stem}.tflite"), Path(folder, f"{stem}_edgetpu.tflite")
        source.write_bytes(model)
        command = [compiler, "--show_operations", "--out_dir", folder, str(source)]
        try:
            result = subprocess.run(
                command,
                check=False,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_TIMEOUT_S,
                cwd=folder,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ModelError(f"{COMPILER} did not finish: {error}. Run it by hand.") from error
        said = result.stdout + result.stderr
        if result.returncode or not compiled.is_file():
            reason = f"exit code {result.returncode}: {_reason(result.stderr + result.stdout)}"
            advice = "'python -m training.edgetpu report' tells the likely cause."
            raise ModelError(f"{COMPILER} made no file ({reason}). {advice}")
        log = compiled.with_suffix(".log")
        return compiled.read_bytes(), read_log(log.read_text(errors="replace") if log.is_file() else said)


def _check(content: bytes, compiled: bytes, log: Log, allowed: Collection[str]) -> None:
    if refused := log.on_cpu(allowed):
        named = "; ".join(f"{line.count} {line.name}: {line.status}" for line in refused)
        raise ModelError(
            f"These operations would stay on the CPU: {named}. Change the network, or allow them in the "
            "manifest under training.edgetpu.allowed_on_cpu."
        )
    if EDGETPU_OP not in compiled:
        raise ModelError(f"{COMPILER} put nothing on the Edge TPU. Its log says why; run it by hand.")
    match_outputs(read_graph(content).borders, read_graph(compiled).borders)


def _described(manifest: Manifest, target: Path, compiled: bytes, log: Log) -> Manifest:
    record: dict[str, Any] = {
        **manifest.training.get("edgetpu", {}),
        "compiler": log.version,
        "operations": [f"{line.count} {line.name}: {line.status}" for line in log.lines],
    }
    file = ModelFile(file=target.name, sha256=hashlib.sha256(compiled).hexdigest())
    return manifest.model_copy(update={"edgetpu": file, "training": {**manifest.training, "edgetpu": record}})


def _reason(text: str) -> str:
    """Why the compiler failed; its last lines say only that it did."""
    lines = [line.strip().rstrip(".") for line in text.splitlines()]
    return next((line for line in lines if _FAILURE.search(line)), _last_line(text))


def _last_line(text: str) -> str:
    """The last thing said, for an error message."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else "it said nothing"
