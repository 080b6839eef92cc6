"""Stand in for edgetpu_compiler: its options, its files and the words of its log, as people published them.

The log's form is that of compiler 16 in google-coral/edgetpu #671 and WongKinYiu/yolov7 #1672. It is
installed as an executable that runs this module; ``STAND_IN`` in the environment says what goes wrong.
"""

from __future__ import annotations

import argparse
import os
import stat
import sys
from collections import Counter
from pathlib import Path

import click

VERSION = "16.0.384591198"
ROOT = Path(__file__).parents[1]
UNSUPPORTED = "Operation is otherwise supported, but not mapped due to some unspecified limitation"


_FAILED = "Compilation child process completed within timeout period.\nCompilation failed! "


def install(folder: Path) -> Path:
    """Put an executable named edgetpu_compiler into a folder; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "edgetpu_compiler"
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from {__name__} import main; main()"
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{code}" "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return folder


def main() -> None:
    """Compile as told by the command line and STAND_IN."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--show_operations", "-s", action="store_true")
    parser.add_argument("--out_dir", "-o", type=Path, default=Path())
    parser.add_argument("model", type=Path)
    options, fault = parser.parse_args(), os.environ.get("STAND_IN", "")
    click.echo(f"Edge TPU Compiler version {VERSION}\nStarted a compilation timeout timer of 180 seconds.")
    if fault == "crash":
        click.echo("Internal compiler error. Aborting!", err=True)
        click.echo(_FAILED)
        sys.exit(1)
    if fault == "too new":
        click.echo("ERROR: Didn't find op for builtin opcode 'CONV_2D' version '6'\n", err=True)
        click.echo(f"Invalid model: {options.model}\nModel could not be parsed\n{_FAILED}")
        sys.exit(1)
    if fault == "silent":
        click.echo(_FAILED)
        return
    target = options.out_dir / f"{options.model.stem}_edgetpu.tflite"
    table = _compile(options.model, target, fault)
    head = f"Edge TPU Compiler version {VERSION}\nInput: {options.model}\nOutput: {target}\n"
    if fault != "no log":
        target.with_suffix(".log").write_text(f"{head}\n{table}")
    click.echo(
        f"\nModel compiled successfully in 351 ms.\n\nInput model: {options.model}\nOutput model: {target}"
    )
    click.echo(f"Number of Edge TPU subgraphs: 1\nOperation log: {target.with_suffix('.log')}")
    if options.show_operations:
        click.echo(
            f"\n{table}Compilation child process completed within timeout period.\nCompilation succeeded!"
        )


def _compile(source: Path, target: Path, fault: str) -> str:
    """Write a file with the same borders and one custom operation; return the table of operations."""
    from tests.tiny_model import EDGETPU_OP, TinyModel, TinyTensor, write_model
    from training.edgetpu.flatbuffer import read_graph

    graph = read_graph(source.read_bytes())
    scale = 2.0 if fault == "other scale" else 1.0
    ends = [
        TinyTensor(end.name, end.shape, end.dtype, (end.scale * scale,), (end.zero_point,))
        for end in (graph.borders.input, *graph.borders.outputs)
    ]
    operation = "cpu-custom-op" if fault == "nothing mapped" else EDGETPU_OP
    target.write_bytes(write_model(TinyModel((ends[0],), tuple(ends[1:]), operation)))
    rows = Counter((operation.name, "Mapped to Edge TPU") for operation in graph.operations)
    if fault == "quantize on cpu":
        rows["QUANTIZE", UNSUPPORTED] = 2
    lines = "".join(f"{name:<31}{count:<11}{status}\n" for (name, status), count in rows.items())
    return "" if fault == "empty table" else f"{'Operator':<31}{'Count':<11}Status\n\n{lines}"
