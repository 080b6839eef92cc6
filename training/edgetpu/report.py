"""Predict what of a model runs on the Edge TPU."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from pi_mask.errors import ModelError
from pi_mask.inference.graph import EDGETPU_OP
from training.edgetpu.flatbuffer import TfliteGraph, read_graph
from training.edgetpu.prepare import prepare
from training.edgetpu.rules import Obstacle, obstacle, refuses_file

ON_CHIP_BYTES: Final = 8 * 2**20
"""Memory for weights on the chip (Coral, Edge TPU Compiler: parameter data caching)."""
SURE_ON_CHIP_BYTES: Final = 6 * 2**20
"""What public compiler logs leave for weights at the least, next to code and activations."""

_MEMORY: Final = {
    "fits": "they fit",
    "may stream": "some may come over USB at each frame, which is slower",
    "streams": "some come over USB at each frame, which is slower",
}
_ONE_SUBGRAPH: Final = Obstacle(
    "needs a result of the CPU",
    "Coral, Edge TPU Compiler (2022): more than one subgraph is not supported",
)
_REFUSED: Final = Obstacle(
    "the compiler refuses the whole file for a version it doesn't know", "google-coral/edgetpu #631 (2022)"
)
_SEVERAL_GRAPHS: Final = Obstacle("the file has several graphs", "Coral, models-intro (2022)")


@dataclass(frozen=True, slots=True)
class Line:
    """Operations of one name, version and fate.

    Attributes:
        reason: Why they stay on the CPU; "" where they are predicted to run on the Edge TPU.
        source: Who says so; "" likewise.
    """

    name: str
    version: int
    count: int
    reason: str = ""
    source: str = ""

    @property
    def is_mapped(self) -> bool:
        """Whether they are predicted to run on the Edge TPU."""
        return not self.reason


@dataclass(frozen=True, slots=True)
class Report:
    """What the rules say of one file.

    Attributes:
        lines: In the order in which the operations first appear.
        weights_bytes: Size of all constants; the chip's own format needs a little more.
        n_mapped_prepared: Number of operations predicted to run on the Edge TPU after :func:`prepare`, which
            ``compile`` does first.
    """

    file: str
    size_bytes: int
    lines: tuple[Line, ...]
    weights_bytes: int
    n_mapped_prepared: int

    @property
    def n_mapped(self) -> int:
        """Number of operations predicted to run on the Edge TPU."""
        return sum(line.count for line in self.lines if line.is_mapped)

    @property
    def n_operations(self) -> int:
        """Number of all operations."""
        return sum(line.count for line in self.lines)

    @property
    def memory(self) -> str:
        """Whether the weights find room on the chip: "fits", "may stream" or "streams"."""
        if self.weights_bytes <= SURE_ON_CHIP_BYTES:
            return "fits"
        return "may stream" if self.weights_bytes <= ON_CHIP_BYTES else "streams"


def report(path: Path, model: bytes) -> Report:
    """Predict a file's fate.

    Args:
        path: Where it came from.
        model: Its content.

    Raises:
        ModelError: It is no TensorFlow Lite model, or one that the compiler has made.
    """
    graph = read_graph(model)
    if EDGETPU_OP in model:
        raise ModelError(f"{path} is compiled for the Edge TPU already. Give the file that it was made from.")
    fates = Counter(
        (operation.name, operation.version, why)
        for operation, why in zip(graph.operations, _obstacles(graph), strict=True)
    )
    lines = (
        Line(name, version, count, *((why.reason, why.source) if why else ()))
        for (name, version, why), count in fates.items()
    )
    prepared = _obstacles(read_graph(prepare(model))).count(None)
    return Report(path.name, len(model), tuple(lines), graph.weights_bytes, prepared)


def _obstacles(graph: TfliteGraph) -> list[Obstacle | None]:
    """Why each operation stays on the CPU.

    TensorFlow Lite hands a delegate what depends on nothing that the delegate refused. The compiler takes the
    first such part of the graph, so all that needs a result of the CPU stays there too.
    """
    whole = _SEVERAL_GRAPHS if graph.n_graphs > 1 else None
    if any(refuses_file(operation) for operation in graph.operations):
        whole = whole or _REFUSED
    on_cpu: set[int] = set()
    fates = []
    for operation in graph.operations:
        why = obstacle(operation, graph.tensors) or whole
        if why is None and on_cpu.intersection(operation.inputs):
            why = _ONE_SUBGRAPH
        if why is not None:
            on_cpu.update(operation.outputs)
        fates.append(why)
    return fates


def as_text(result: Report) -> list[str]:
    """The report as lines for people."""
    width = max(len("operation"), *(len(line.name) for line in result.lines))
    sources = list(dict.fromkeys(line.source for line in result.lines if line.source))
    table = [f"{'operation':<{width}}  version  count  predicted"]
    for line in result.lines:
        fate = "Edge TPU" if line.is_mapped else f"CPU: {line.reason} [{sources.index(line.source) + 1}]"
        table.append(f"{line.name:<{width}}  {line.version:>7}  {line.count:>5}  {fate}")
    return [
        f"{result.file}: {result.size_bytes / 2**20:.2f} MiB, {result.n_operations} operations",
        "",
        *table,
        *(f"  [{number}] {source}" for number, source in enumerate(sources, 1)),
        "",
        f"Predicted to run on the Edge TPU: {result.n_mapped} of {result.n_operations} operations.",
        *_gain(result),
        f"Weights: {result.weights_bytes / 2**20:.2f} MiB of about {ON_CHIP_BYTES // 2**20} MiB on the chip; "
        f"{_MEMORY[result.memory]}.",
        "A prediction from published rules; what counts is the compiler's own log.",
    ]


def _gain(result: Report) -> list[str]:
    if result.n_mapped_prepared == result.n_mapped:
        return []
    count = f"{result.n_mapped_prepared} of {result.n_operations}"
    return [f"As 'compile' rewrites it first, with the same results: {count}."]


def as_json(result: Report) -> dict[str, Any]:
    """The report ready for JSON."""
    return {
        "schema": 1,
        "file": result.file,
        "size_bytes": result.size_bytes,
        "n_operations": result.n_operations,
        "n_mapped": result.n_mapped,
        "n_mapped_prepared": result.n_mapped_prepared,
        "weights_bytes": result.weights_bytes,
        "on_chip_bytes": ON_CHIP_BYTES,
        "memory": result.memory,
        "operations": [asdict(line) | {"is_mapped": line.is_mapped} for line in result.lines],
    }
