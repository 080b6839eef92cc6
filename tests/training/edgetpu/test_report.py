"""Hold the report to graphs whose fate is plain."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from pi_mask.errors import ModelError
from pi_mask.manifest import DEFAULT_MODEL, models_dir, shipped_models
from tests.tiny_model import EDGETPU_OP, TinyModel, TinyTensor, write_model
from tests.training.edgetpu.graphs import Step, Wire, build
from training.edgetpu.__main__ import cli
from training.edgetpu.report import ON_CHIP_BYTES, SURE_ON_CHIP_BYTES, Line, Report, as_json, as_text, report

# One input forks: a branch of two that the chip cannot start, and one beside it that it can.
FORKED = build(
    {"in": Wire(), "a": Wire(), "b": Wire(), "c": Wire(), "out": Wire()},
    [
        Step("LOGISTIC", ["in"], ["a"], 2),
        Step("EXP", ["a"], ["b"]),
        Step("LOGISTIC", ["b"], ["b"], 2),
        Step("LOGISTIC", ["a"], ["c"], 2),
        Step("ADD", ["b", "c"], ["out"], 2),
    ],
)
ONE_WAY = "Coral, Edge TPU Compiler (2022): more than one subgraph is not supported"


def test_what_needs_the_cpus_result_stays_there() -> None:
    """Operations after an unsupported one stay on the CPU; a branch beside it does not."""
    found = report(Path("folder/forked.tflite"), FORKED)

    assert found.lines == (
        Line("LOGISTIC", 2, 2),
        Line("EXP", 1, 1, "not supported", "Coral, models-intro: supported operations (2022)"),
        Line("LOGISTIC", 2, 1, "needs a result of the CPU", ONE_WAY),
        Line("ADD", 2, 1, "needs a result of the CPU", ONE_WAY),
    )
    assert (found.file, found.n_mapped, found.n_operations) == ("forked.tflite", 2, 5)


def test_a_file_of_two_graphs_is_not_mapped() -> None:
    """The compiler takes one graph."""
    found = report(Path("two.tflite"), build({"in": Wire()}, [Step("LOGISTIC", ["in"], ["in"])], graphs=2))

    assert [(line.is_mapped, line.reason) for line in found.lines] == [(False, "the file has several graphs")]


def test_a_version_that_ends_the_compiler_maps_nothing() -> None:
    """One convolution too new is said where it is; all else stays on the CPU with it."""
    newest, found = (
        report(
            Path("new.tflite"),
            build(
                {"in": Wire(), "a": Wire(), "out": Wire()},
                [Step("LOGISTIC", ["in"], ["a"], 2), Step("CONV_2D", ["a"], ["out"], version)],
            ),
        )
        for version in (5, 6)
    )

    assert [line.reason for line in found.lines] == [
        "the compiler refuses the whole file for a version it doesn't know",
        "version 6, at most 5 is known",
    ]
    assert (found.n_mapped, found.n_mapped_prepared) == (0, 0)
    assert (newest.n_mapped, newest.n_mapped_prepared) == (2, 2)


def test_what_is_gained_by_rewriting_is_said() -> None:
    """Resizing with half-pixel centres stays on the CPU as it stands, and is rewritten without."""
    wires = {"in": Wire(), "size": Wire((2,), "INT32", [8, 8]), "out": Wire((1, 8, 8, 8))}
    steps = [
        Step("RESIZE_NEAREST_NEIGHBOR", ["in", "size"], ["out"], 3, {"halfPixelCenters": True}),
        Step("EXP", ["out"], ["out"]),
    ]

    text = as_text(report(Path("resize.tflite"), build(wires, steps)))

    assert "Predicted to run on the Edge TPU: 0 of 2 operations." in text
    assert "As 'compile' rewrites it first, with the same results: 1 of 2." in text


@pytest.mark.parametrize(
    ("weights", "memory"),
    [
        (SURE_ON_CHIP_BYTES, "fits"),
        (SURE_ON_CHIP_BYTES + 1, "may stream"),
        (ON_CHIP_BYTES, "may stream"),
        (ON_CHIP_BYTES + 1, "streams"),
    ],
)
def test_weights_are_held_against_the_chip(weights: int, memory: str) -> None:
    """Up to 6 MiB surely fit, above 8 MiB surely not."""
    assert Report("x", 1, (), weights, 0).memory == memory


def test_the_text_says_what_stays_and_why() -> None:
    """A table with numbered sources, then the sums."""
    assert as_text(report(Path("forked.tflite"), FORKED)) == [
        "forked.tflite: 0.00 MiB, 5 operations",
        "",
        "operation  version  count  predicted",
        "LOGISTIC         2      2  Edge TPU",
        "EXP              1      1  CPU: not supported [1]",
        "LOGISTIC         2      1  CPU: needs a result of the CPU [2]",
        "ADD              2      1  CPU: needs a result of the CPU [2]",
        "  [1] Coral, models-intro: supported operations (2022)",
        f"  [2] {ONE_WAY}",
        "",
        "Predicted to run on the Edge TPU: 2 of 5 operations.",
        "Weights: 0.00 MiB of about 8 MiB on the chip; they fit.",
        "A prediction from published rules; what counts is the compiler's own log.",
    ]


def test_the_command_prints_both_forms(tmp_path: Path) -> None:
    """Text by default; with --json one object with the same figures."""
    path = tmp_path / "forked.tflite"
    path.write_bytes(FORKED)
    expected = report(path, FORKED)

    text, one = (CliRunner().invoke(cli, ["report", str(path), *more]) for more in ([], ["--json"]))

    assert text.output.splitlines() == as_text(expected)
    assert json.loads(one.output) == as_json(expected)
    assert set(as_json(expected)["operations"][0]) == {
        "name",
        "version",
        "count",
        "reason",
        "source",
        "is_mapped",
    }


def test_the_command_refuses_another_file(tmp_path: Path) -> None:
    """No model: exit code 4 and one line."""
    path = tmp_path / "notes.txt"
    path.write_text("no model at all")

    result = CliRunner().invoke(cli, ["report", str(path)])

    assert result.exit_code == 4
    assert result.output == "Error: The file is not a TensorFlow Lite model. Name a .tflite file.\n"


@pytest.mark.parametrize("name", shipped_models())
def test_shipped_models_are_predicted_to_run_whole(name: str) -> None:
    """As 'compile' hands them over, all operations are predicted to map; the default's weights surely fit."""
    path = models_dir() / f"{name}.tflite"

    found = report(path, path.read_bytes())

    assert found.n_mapped_prepared == found.n_operations
    assert found.memory in ({"fits"} if name == DEFAULT_MODEL else {"fits", "may stream"})


def test_a_compiled_file_is_not_reported_on(tmp_path: Path) -> None:
    """Its one operation is the chip's own; the report is about what the compiler is given."""
    end = TinyTensor("x", (1, 8), "uint8", (1.0,), (0,))
    compiled = write_model(TinyModel((end,), (end,), EDGETPU_OP))

    with pytest.raises(ModelError, match="is compiled for the Edge TPU already"):
        report(tmp_path / "a_edgetpu.tflite", compiled)


def test_an_operation_without_a_result_is_reported() -> None:
    """Files with variables have some."""
    found = report(Path("a.tflite"), build({"in": Wire()}, [Step("ASSIGN_VARIABLE", ["in"], [])]))

    assert [line.reason for line in found.lines] == ["not supported"]
