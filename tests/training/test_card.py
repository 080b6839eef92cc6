"""Hold the model card to the figures in the manifests beside it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pi_mask.manifest import DEFAULT_MODEL, ModelFile, models_dir
from pi_mask.types import MaskLabel
from tests.hand_made import manifest
from training.card import SOURCES, main, write_card
from training.card_texts import FOR_THE_OWNER, OUR_PICTURES, OURS, RECORDED, WHY
from training.intervals import share
from training.manifests import manifest_json

NAMES = ("mAP50", "AP50_with_mask", "AP50_without_mask", "AP50_incorrect", "mAP")
STAGES = {"preprocess_ms": 0.25, "inference_ms": 10.0, "postprocess_ms": 0.125}
METRICS: dict[str, Any] = {
    "data": {"file": "val.json", "sha256": "0" * 64, "pictures": 553},
    "int8": dict(zip(NAMES, (0.8, 0.9, 0.85, 0.65, 0.5), strict=True)),
    "float": dict(zip(NAMES, (0.81, 0.91, 0.86, 0.66, 0.51), strict=True)),
    "door": {
        "min_side_px": 24.0,
        "right": share(682, 925),
        "unmasked_or_wrong_passed_as_masked": share(0, 10),
        "masked_refused": share(1, 10),
        "missed": share(10, 10),
        "false_boxes": {"per_picture": 0.0417, "interval95": [0.01, 0.08]},
        "large_false_boxes": {"per_picture": 0.02, "interval95": [0.0, 0.05]},
        "confusion": {},
    },
    "latency": {"threads_1": STAGES, "threads_2": STAGES, "float32_inference_ms_threads_1": 40.0},
}
OUR_METRICS = METRICS | {"data": METRICS["data"] | {"sha256": OUR_PICTURES}}


def save(folder: Path, metrics: dict[str, Any], name: str = "hand-made", **changes: Any) -> None:
    """Write a manifest, with these values replaced, into a folder."""
    thresholds = {MaskLabel.WITH_MASK: 0.55, MaskLabel.WITHOUT_MASK: 0.4, MaskLabel.INCORRECT: 0.25}
    made = manifest(
        name=name,
        metrics=metrics,
        **({"training": {"commit": "a" * 40}, "thresholds": thresholds, "min_side_px": 1.6} | changes),
    )
    (folder / f"{name}.json").write_text(manifest_json(made))
    (folder / f"{name}.tflite").touch()


def chapter(text: str, title: str) -> list[str]:
    """The lines below a heading, up to the next one."""
    return text.split(f"\n## {title}\n")[1].split("\n## ", maxsplit=1)[0].strip().splitlines()


def headings(text: str) -> list[str]:
    """Of all chapters."""
    return [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]


def test_the_card_has_the_manifests_figures(tmp_path: Path) -> None:
    """A model's chapter holds precision, shares at the door, latency and thresholds, rounded."""
    save(tmp_path, OUR_METRICS, DEFAULT_MODEL)

    text = write_card(tmp_path).read_text()

    assert chapter(text, DEFAULT_MODEL) == [
        ". Input 64 × 64. Training commit `aaaaaaaaaaaa`.",
        "",
        "Validation: 553 pictures, COCO average precision; faces with a shorter side below 16 px are "
        "ignored.",
        "",
        "| | mAP50 | AP50_with_mask | AP50_without_mask | AP50_incorrect | mAP |",
        "|---|---|---|---|---|---|",
        "| int8 | 0.800 | 0.900 | 0.850 | 0.650 | 0.500 |",
        "| float32 parent | 0.810 | 0.910 | 0.860 | 0.660 | 0.510 |",
        "",
        "What single frames would say at the thresholds below, faces of at least 24 px, with 95 % "
        "Clopper-Pearson intervals, which take faces for independent:",
        "",
        "| | share | interval | faces |",
        "|---|---|---|---|",
        "| said rightly | 73.7% | 70.8% – 76.5% | 925 |",
        "| bare or wrongly masked, passed as masked | 0.0% | 0.0% – 30.9% | 10 |",
        "| masked, refused | 10.0% | 0.2% – 44.5% | 10 |",
        "| not found | 100.0% | 69.2% – 100.0% | 10 |",
        "",
        "Boxes on no annotated face, a picture: 0.020 (0.000 – 0.050) of at least 24 px, "
        "0.042 (0.010 – 0.080) of any size; 95 % intervals by bootstrap over groups of near-duplicates.",
        "",
        "Median milliseconds a frame on the x86-64 machine that measured it:",
        "",
        "- 1 thread: 10.0 inference, 0.25 before, 0.12 after",
        "- 2 threads: 10.0 inference, 0.25 before, 0.12 after",
        "- float32 parent, 1 thread: 40.0 inference",
        "",
        "Thresholds: with_mask 0.55, without_mask 0.4, incorrect 0.25. "
        "Smallest face: 1.6 px of the input, 2.5% of the frame's longer side.",
        "",
        "No file for the Edge TPU comes with it; releases are meant to carry one (docs/edge-tpu.md).",
    ]


def test_newer_figures_get_tables_of_their_own(tmp_path: Path) -> None:
    """Sizes, stress, pictures, the bootstrap and the ratio to float32, where they were measured."""
    row = dict(zip(NAMES, (0.8, 0.9, 0.85, None, 0.5), strict=True))
    stress = {"faces": 5, "mAP50": 0.5, "wrong_green": share(1, 10), "missed": share(5, 10)}
    newer = {
        "sizes": {"16–32": row},
        "stress": {"dark": stress},
        "pictures": ["../docs/evaluation/hand-made/confusion.png"],
        "latency": METRICS["latency"] | {"threads_1": STAGES | {"int8_over_float32": 0.25}},
    }
    save(tmp_path, METRICS | newer)

    lines = chapter(write_card(tmp_path).read_text(), "hand-made")

    assert "| 16–32 | 0.800 | 0.900 | 0.850 | – |" in lines
    assert "| dark | 0.500 | 10.0% | 0.2% – 44.5% | 50.0% |" in lines
    assert "![confusion of hand-made](../docs/evaluation/hand-made/confusion.png)" in lines
    assert "- float32 parent, 1 thread: 40.0 inference; int8 takes 0.25 of that, by turns" in lines


def test_what_nobody_annotated_has_a_row_of_its_own(tmp_path: Path) -> None:
    """The card says what the row leaves out; the first rows stay what they are."""
    boxes = {name: METRICS["door"][name] for name in ("false_boxes", "large_false_boxes")}
    figures = dict(zip(NAMES, (0.82, 0.91, 0.89, 0.66, 0.51), strict=True))
    save(tmp_path, METRICS | {"marked": {"regions": 113, "int8": figures, **boxes}})

    lines = chapter(write_card(tmp_path).read_text(), "hand-made")

    assert "| int8 | 0.800 | 0.900 | 0.850 | 0.650 | 0.500 |" in lines
    assert "| int8, those left out | 0.820 | 0.910 | 0.890 | 0.660 | 0.510 |" in lines
    assert "are ignored. 113 larger ones that nobody annotated, as another" in lines[2]
    assert "where 0.020 boxes a picture of at least 24 px lie on nobody." in lines[2]


def test_no_faces_have_no_share(tmp_path: Path) -> None:
    """Where all faces are masked, nothing is known of bare ones that pass: a dash, in each table."""
    nothing = share(0, 0)
    door = METRICS["door"] | {"unmasked_or_wrong_passed_as_masked": nothing}
    stress = {"dark": {"faces": 5, "mAP50": 0.5, "wrong_green": nothing, "missed": share(5, 10)}}
    for name in ("one", "other"):
        save(tmp_path, METRICS | {"door": door, "stress": stress}, name)

    text = write_card(tmp_path).read_text()

    assert "| bare or wrongly masked, passed as masked | – | – | 0 |" in chapter(text, "one")
    assert "| dark | 0.500 | – | – | 50.0% |" in chapter(text, "one")
    assert "| one | 0.800 | – | 10.0% | 100.0% | 0.020 | 10.0 |" in chapter(text, "Which one")


def test_several_models_are_compared(tmp_path: Path) -> None:
    """A row each, the default marked; one model alone, or not measured, is no choice."""
    save(tmp_path, METRICS, "slower")
    save(tmp_path, {}, "unmeasured")
    assert "## Which one" not in write_card(tmp_path).read_text()

    save(tmp_path, METRICS | {"int8": METRICS["int8"] | {"mAP50": 0.83}}, DEFAULT_MODEL)

    lines = chapter(write_card(tmp_path).read_text(), "Which one")
    assert [line for line in lines if line.startswith("| ")] == [
        "| model | mAP50 | passed wrongly | masked, refused | not found | false boxes | ms, 1 thread |",
        "| slower | 0.800 | 0.0% | 10.0% | 100.0% | 0.020 | 10.0 |",
        f"| {DEFAULT_MODEL} (default) | 0.830 | 0.0% | 10.0% | 100.0% | 0.020 | 10.0 |",
    ]


def test_our_choice_is_argued_for_among_ours(tmp_path: Path) -> None:
    """The words compare our three by our figures: without one of them, or with others', they are not said."""
    for name in OURS:
        assert WHY not in write_card(tmp_path).read_text()
        save(tmp_path, OUR_METRICS, name)
    assert WHY in write_card(tmp_path).read_text()

    save(tmp_path, METRICS, OURS[0])

    assert WHY not in write_card(tmp_path).read_text()


def test_a_compiled_model_is_named(tmp_path: Path) -> None:
    """File and compiler are on the card, and of ours that nobody has run it."""
    compiled = {
        "edgetpu": ModelFile(file="compiled_edgetpu.tflite", sha256="1" * 64),
        "training": {"edgetpu": {"compiler": "16.0"}},
    }
    save(tmp_path, METRICS, "mine", **compiled)
    save(tmp_path, OUR_METRICS, DEFAULT_MODEL, **compiled)

    text = write_card(tmp_path).read_text()

    named = "For the Edge TPU: `compiled_edgetpu.tflite`, compiler 16.0"
    assert f"{named}." in chapter(text, "mine")
    assert chapter(text, DEFAULT_MODEL)[-1] == f"{named}; never run on a device by us."


@pytest.mark.parametrize("name", ["mine", DEFAULT_MODEL])
def test_nothing_of_ours_is_said_of_somebody_elses_model(tmp_path: Path, name: str) -> None:
    """Data, licences, limits, rebuilding and machine are ours, whatever the model is called."""
    save(tmp_path, METRICS, name)

    text = write_card(tmp_path).read_text()

    assert headings(text) == ["Intended use", name]
    ours = ("never trained or tuned on", "kaggle853", "ImageNet", "tilt-mean", "x86-64", "releases", "by us")
    assert [words for words in (*ours, "shipped") if words in text.removesuffix(FOR_THE_OWNER)] == []
    assert text.endswith(f"\n{FOR_THE_OWNER}")


def test_somebody_elses_model_has_what_its_manifest_records(tmp_path: Path) -> None:
    """Each step's data and plain settings are a row, back to the first run; then what the owner must add."""
    training = {
        "commit": "a" * 40,
        "config": {"epochs": 3, "augment": {"rotate": 0.5}},
        "data": {"train.json": "b" * 64, "val.json": "c" * 64},
        "start": "d" * 12,
        "ancestors": {"d" * 12: {"averaged": ["e" * 12, "f" * 12], "data": {}}},
        "thresholds": {"config": {"seed": 7, "grid": [0.2, 0.3]}, "data": {"train.json": "b" * 64}},
    }
    save(tmp_path, METRICS, "mine", training=training)

    lines = chapter(write_card(tmp_path).read_text(), "mine")

    start = lines.index(RECORDED.strip())
    assert lines[start + 1 :] == [
        "",
        "| step | data | settings |",
        "|---|---|---|",
        "| training | `train.json` bbbbbbbbbbbb, `val.json` cccccccccccc | epochs 3, start dddddddddddd |",
        "| earlier run dddddddddddd | – | averaged eeeeeeeeeeee ffffffffffff |",
        "| thresholds | `train.json` bbbbbbbbbbbb | seed 7 |",
        "| measuring | `val.json` 000000000000 | pictures 553 |",
        "",
        *FOR_THE_OWNER.splitlines(),
    ]


def test_beside_ours_somebody_elses_model_is_told_apart(tmp_path: Path) -> None:
    """What is said of ours stays, and the other one's chapter says that it is not about it."""
    save(tmp_path, OUR_METRICS, DEFAULT_MODEL)
    save(tmp_path, METRICS, "mine")

    text = write_card(tmp_path).read_text()

    assert {"Limits", "Data and licences", "How to rebuild"} < set(headings(text))
    assert FOR_THE_OWNER.splitlines()[-1] in chapter(text, "mine")
    assert text.count(FOR_THE_OWNER) == 1


def test_the_shipped_card_is_that_of_the_shipped_manifests(tmp_path: Path) -> None:
    """Nobody has edited models/README.md or a manifest by hand."""
    for path in models_dir().glob("*.json"):
        shutil.copy(path, tmp_path)
        (tmp_path / path.name).with_suffix(".tflite").touch()

    assert write_card(tmp_path).read_text() == (models_dir() / "README.md").read_text()


def test_the_card_names_every_source_and_licence(tmp_path: Path) -> None:
    """Each source of pictures is a row with what its publisher says about its licence."""
    sources = json.loads(SOURCES.read_text())
    save(tmp_path, OUR_METRICS, DEFAULT_MODEL)

    text = write_card(tmp_path).read_text()

    rows = [line for line in chapter(text, "Data and licences") if line.startswith("| ")]
    expected = [f"| {each['source']} | {each['repository']} | {each['licence']} |" for each in sources]
    assert rows == ["| source | repository | licence |", *expected]
    assert len(sources) > 3


def test_only_manifests_are_read(tmp_path: Path) -> None:
    """Annotations may lie beside somebody's model; a label that occurs nowhere has a dash."""
    figures = {name: 1.0 for name in NAMES if name != "AP50_incorrect"}
    save(tmp_path, METRICS | {"int8": figures})
    (tmp_path / "val.json").write_text('{"images": []}')

    text = write_card(tmp_path).read_text()

    assert "| int8 | 1.000 | 1.000 | 1.000 | – | 1.000 |" in text


def test_somebody_elses_page_stays(tmp_path: Path) -> None:
    """A README.md that is no model card is not overwritten."""
    save(tmp_path, METRICS)
    (tmp_path / "README.md").write_text("my notes")

    result = CliRunner().invoke(main, [str(tmp_path)])

    assert result.exit_code == 1
    assert "README.md is no model card. Keep the models in a folder of their own" in result.stderr
    assert (tmp_path / "README.md").read_text() == "my notes"


def test_models_follow_one_another(tmp_path: Path) -> None:
    """Each manifest of the folder gets a chapter, in the order of their names; one not yet measured too."""
    save(tmp_path, METRICS, "b")
    save(tmp_path, {}, "a")
    save(tmp_path, OUR_METRICS, DEFAULT_MODEL)

    text = write_card(tmp_path).read_text()

    models = ["Which one", "a", "b", DEFAULT_MODEL]
    assert headings(text) == ["Intended use", "Limits", *models, "Data and licences", "How to rebuild"]
    assert chapter(text, "a")[2].startswith("Thresholds: with_mask 0.55, without_mask 0.4,")


def test_the_command_writes_the_card(tmp_path: Path) -> None:
    """``python -m training.card FOLDER`` writes the same page and names it."""
    save(tmp_path, METRICS)
    expected = write_card(tmp_path).read_text()
    (tmp_path / "README.md").unlink()

    result = CliRunner().invoke(main, [str(tmp_path)])

    assert (result.exit_code, result.output) == (0, f"{tmp_path / 'README.md'}\n")
    assert (tmp_path / "README.md").read_text() == expected
