"""Tests of pi_mask.demo."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from itertools import islice
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

from pi_mask.camera.opencv import cv2
from pi_mask.demo.__main__ import ANNOTATED, CLIP, SHEET, main, make_demo
from pi_mask.demo.film import DURATION_S, FPS, film
from pi_mask.demo.lamps import LampLog, LoggedIndicator
from pi_mask.demo.mask import wear_mask
from pi_mask.demo.photograph import Portrait, find_photograph, load_portrait
from pi_mask.demo.sheet import Moment, write_sheet
from pi_mask.errors import InputError, OutputError
from pi_mask.indicator.gpio import GpioIndicator
from pi_mask.indicator.patterns import Part
from pi_mask.manifest import shipped_models
from pi_mask.output import frame_count
from pi_mask.settings import GpioSettings
from pi_mask.testing import watched_mock_factory
from pi_mask.types import Verdict

NOSE, LIP, CHIN, EYE = (224, 127), (224, 145), (222, 172), (204, 101)
"""Places on the photograph's face: x, y."""


@pytest.fixture(scope="module")
def photograph() -> Path:
    """The photograph, which comes with scikit-image."""
    try:
        return find_photograph()
    except InputError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def portrait(photograph: Path) -> Portrait:
    """The person cut out of it."""
    return load_portrait(photograph)


def _covered(bare: Portrait, masked: Portrait, place: tuple[int, int]) -> bool:
    """Whether a place of the face was painted over."""
    x, y = place[0] * bare.scale, place[1] * bare.scale
    return bool(np.abs(bare.image[y, x].astype(int) - masked.image[y, x]).max() > 25)


@pytest.mark.parametrize(
    ("lowered", "covered"),
    [(0.0, [False, True, True, True]), (1.0, [False, False, True, True]), (2.0, [False, False, False, True])],
)
def test_the_mask_covers_what_its_place_says(portrait: Portrait, lowered: float, covered: list[bool]) -> None:
    """A worn mask covers nose, lip and chin; lowered it frees the nose, then the lip; never the eyes."""
    masked = wear_mask(portrait, lowered)
    assert [_covered(portrait, masked, place) for place in (EYE, NOSE, LIP, CHIN)] == covered


def test_the_film_is_the_same_every_time(portrait: Portrait) -> None:
    """Two showings have equal frames, noise included."""
    first, second = list(islice(film(portrait), 40)), list(islice(film(portrait), 40))
    assert np.array_equal(first, second)


def test_the_film_begins_and_ends_with_an_empty_room(portrait: Portrait) -> None:
    """The first and the last second show the wall alone."""
    frames = list(film(portrait))
    wall, *others = (
        cv2.blur(frame, (41, 41)).astype(int) for frame in (*frames[: int(FPS)], *frames[-int(FPS) :])
    )
    assert len(frames) == round(DURATION_S * FPS)
    assert max(int(np.abs(wall - other).max()) for other in others) <= 2


def test_another_picture_is_refused(tmp_path: Path) -> None:
    """A photograph whose face was never measured is an error that says what to install."""
    path = tmp_path / "other.png"
    cv2.imwrite(str(path), np.zeros((512, 512, 3), np.uint8))
    with pytest.raises(InputError, match=r"other\.png is another picture .* pip install"):
        load_portrait(path)


def test_a_missing_photograph_says_what_to_install() -> None:
    """Without scikit-image the error names the command that installs it."""
    with pytest.raises(InputError, match=r"not installed\. Run 'make demo'"):
        find_photograph("no_such_package_is_installed")


def test_strips_draw_what_was_on() -> None:
    """A strip has one character per tenth of a second, for the parts that were on."""
    times = iter([0.0, 0.0, 0.2, 0.3, 0.5, 0.7])
    log = LampLog(lambda: next(times))
    log.begin()
    for name, is_on in (("red", True), ("buzzer", True), ("red", False), ("buzzer", False)):
        log.note(name, is_on)
    assert log.strips(0) == {Part.RED: "███····", Part.BUZZER: "··███··"}
    assert log.lit == frozenset()


def test_a_strip_stays_on_its_line() -> None:
    """On a very busy computer a verdict may take a minute; its strip ends after ten seconds."""
    times = iter([0.0, 0.0, 60.0])
    log = LampLog(lambda: next(times))
    log.begin()
    log.note("red", True)
    assert log.strips(0) == {Part.RED: "█" * 100 + "…"}


def test_a_strip_ends_where_the_next_verdict_begins() -> None:
    """However late it is drawn, the strip of NO_MASK has nothing of the green that came after it."""
    now = 0.0
    log = LampLog(lambda: now)
    gpio = GpioSettings(pin_factory="mock", buzzer_pin=None)
    with (
        closing(watched_mock_factory(gpio, log.note)) as pins,
        closing(LoggedIndicator(GpioIndicator(gpio, pin_factory=pins), log)) as lamps,
    ):
        lamps.show(Verdict.NO_MASK)
        now = 0.5
        lamps.show(Verdict.MASK)
        now = 0.9
        assert [log.strips(0), log.strips(1)] == [{Part.RED: "█████"}, {Part.GREEN: "████"}]


def test_the_sheet_holds_all_moments(tmp_path: Path) -> None:
    """Five moments make two rows of four tiles, and different lamps look different."""
    frame = np.full((480, 640, 3), 90, np.uint8)
    lamps = [frozenset({part}) for part in (Part.RED, Part.AMBER, Part.GREEN, Part.BUZZER)]
    moments = [Moment(frame, 1.0, Verdict.MASK, lit) for lit in [*lamps, frozenset[Part]()]]
    write_sheet(tmp_path / "sheet.png", moments)
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet is not None
    assert sheet.shape == (2 * 276, 4 * 320, 3)
    tiles = {sheet[y : y + 276, x : x + 320].tobytes() for y in (0, 276) for x in range(0, 1280, 320)}
    assert len(tiles) == 5 + 1  # the three places left over are equally empty


def test_a_folder_that_cannot_be_made_is_an_output_error(tmp_path: Path) -> None:
    """An --output below a file is refused before anything is filmed."""
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file/demo cannot be made: .* Choose another --output\."):
        make_demo(tmp_path / "file" / "demo", None, is_fast=True)


def test_errors_are_one_line_with_an_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A photograph that is not there ends with code 1 and one line on standard error."""
    with pytest.raises(SystemExit) as end:
        main(["--photo", str(tmp_path / "none.png"), "--output", str(tmp_path / "out")])

    assert end.value.code == 1
    assert [line.split(":")[0] for line in capsys.readouterr().err.splitlines()] == ["Error"]


@pytest.mark.parametrize("output", [">&-", ">/dev/full"])
def test_an_output_that_takes_nothing_ends_in_one_line(output: str, tmp_path: Path) -> None:
    """A closed standard output and a full disk are no reason for a traceback."""
    script = f'exec "$0" -m pi_mask.demo --output "$1" --photo none.png {output}'

    ended = subprocess.run(
        ["/bin/sh", "-c", script, sys.executable, tmp_path], capture_output=True, text=True, check=False
    )

    assert ended.returncode == 1
    assert [line.split(":")[0] for line in ended.stderr.splitlines()] == ["Error"]


def test_a_terminal_without_blocks_gets_question_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The strips of the lamps end no demo in a locale that cannot write them."""
    monkeypatch.setattr("pi_mask.demo.__main__.make_demo", lambda *_, **__: click.echo("red ██·"))

    result = CliRunner(charset="latin-1").invoke(main, [])

    assert (result.exit_code, result.output) == (0, "red ??·\n")


@pytest.fixture(scope="module")
def moments(photograph: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[tuple[Moment, ...], Path]:
    """The demo, run once with the shipped model."""
    if not shipped_models():
        pytest.skip("models/ holds no model yet.")
    folder = tmp_path_factory.mktemp("demo")
    return make_demo(folder, photograph, is_fast=True), folder


def _begins(moments: tuple[Moment, ...]) -> list[Moment]:
    """The moments at which the verdict changed."""
    before = (None, *(moment.verdict for moment in moments))
    return [moment for moment, last in zip(moments, before, strict=False) if moment.verdict is not last]


def test_the_shipped_model_sees_what_is_filmed(moments: tuple[tuple[Moment, ...], Path]) -> None:
    """Nobody, a bare face, a mask, the mask under the nose, nobody: five verdicts in this order."""
    told = [moment.verdict for moment in _begins(moments[0]) if moment.verdict is not Verdict.CHECKING]
    without_repeats = [verdict for place, verdict in enumerate(told) if told[place - 1 : place] != [verdict]]
    expected = [Verdict.IDLE, Verdict.NO_MASK, Verdict.MASK, Verdict.INCORRECT, Verdict.IDLE]
    assert without_repeats == expected


def test_every_verdict_lights_its_lamps(moments: tuple[tuple[Moment, ...], Path]) -> None:
    """At its first beat each verdict shows the lamps of the pattern table, and stop verdicts are heard."""
    seen = {moment.verdict: moment.lit for moment in reversed(_begins(moments[0]))}
    seen.pop(Verdict.CHECKING, None)
    assert seen == {
        Verdict.IDLE: {Part.AMBER},
        Verdict.NO_MASK: {Part.RED, Part.BUZZER},
        Verdict.MASK: {Part.GREEN},
        Verdict.INCORRECT: {Part.AMBER, Part.BUZZER},
    }


def test_the_demo_leaves_three_files(moments: tuple[tuple[Moment, ...], Path]) -> None:
    """The film and its annotated copy have all frames; the sheet is there; nothing else is."""
    folder = moments[1]
    assert sorted(path.name for path in folder.iterdir()) == sorted([ANNOTATED, CLIP, SHEET])
    assert [frame_count(folder / name) for name in (CLIP, ANNOTATED)] == [round(DURATION_S * FPS)] * 2
