"""Test pi_mask.report."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pi_mask.report import (
    Summary,
    Tally,
    frame_json,
    frame_text,
    json_line,
    printable,
    summary_json,
    summary_text,
    verdict_json,
)
from pi_mask.types import (
    BoundingBox,
    Detection,
    Frame,
    Latency,
    MaskLabel,
    Observation,
    Person,
    Track,
    Verdict,
)

FRAME = Frame(np.zeros((480, 640, 3), np.uint8), timestamp=1.23456789, index=7, source="door.mp4")
FACE = Detection(BoundingBox(1.04, 2.06, 30.0, 40.55), MaskLabel.INCORRECT, 0.123456)
LATENCY = Latency(1.23456, 20.0, 0.00049)
COUNTS = dict.fromkeys(Verdict, 0)


def observed(verdict: Verdict, frame: Frame | None = FRAME, people: tuple[Person, ...] = ()) -> Observation:
    """One turn of the loop."""
    return Observation(frame, (), people, verdict)


def test_a_frame_in_json() -> None:
    """A frame's line has exactly the fixed keys in their order, with numbers rounded to their worth."""
    assert frame_json(FRAME, [FACE], LATENCY) == (
        '{"schema": 1, "source": "door.mp4", "frame": 7, "timestamp": 1.234568, "width": 640, "height": 480, '
        '"detections": [{"label": "incorrect", "score": 0.1235, "box": [1.0, 2.1, 30.0, 40.5]}], '
        '"latency_ms": {"preprocess": 1.235, "inference": 20.0, "postprocess": 0.0}}'
    )


@pytest.mark.parametrize("label", MaskLabel)
def test_every_label_has_its_name(label: MaskLabel) -> None:
    """The labels' names are the ones that others build on."""
    line = json.loads(frame_json(FRAME, [Detection(FACE.box, label, 0.5)], LATENCY))

    assert line["detections"][0]["label"] in {"with_mask", "without_mask", "incorrect"}
    assert line["detections"][0]["label"] == label.value


def test_a_frame_in_words() -> None:
    """In words a frame is its file, its number in a video, and each face."""
    assert frame_text(FRAME, [FACE, FACE], is_video=True) == (
        "door.mp4 frame 7: incorrect 0.12 (1, 2, 30, 40), incorrect 0.12 (1, 2, 30, 40)"
    )
    assert frame_text(FRAME, [], is_video=False) == "door.mp4: no face"


def test_a_change_of_verdict_in_json() -> None:
    """A change names the people, with null for the verdict of a bystander."""
    track = Track(3, FACE.box, hits=4, age=1.0, last_seen=1.1, votes=())
    people = (Person(track, Verdict.NO_MASK), Person(track, None))

    line = json.loads(verdict_json(observed(Verdict.NO_MASK, people=people)))

    person = {"id": 3, "box": [1.0, 2.1, 30.0, 40.5], "hits": 4, "last_seen": 1.1}
    assert line == {
        "schema": 1,
        "event": "verdict",
        "timestamp": 1.234568,
        "frame": 7,
        "verdict": "no_mask",
        "people": [{**person, "verdict": "no_mask"}, {**person, "verdict": None}],
    }


def test_a_fault_without_a_frame_in_json() -> None:
    """A fault without a frame has null for time and number."""
    line = json.loads(verdict_json(observed(Verdict.FAULT, None)))

    assert (line["timestamp"], line["frame"], line["verdict"]) == (None, None, "fault")


def test_the_tally_counts_changes_and_frames() -> None:
    """A verdict is counted when it differs from the one before, a frame when there is one."""
    tally = Tally()
    verdicts = [Verdict.IDLE, Verdict.IDLE, Verdict.MASK, Verdict.IDLE]

    changes = [tally.add(observed(verdict)) for verdict in verdicts]
    changes.append(tally.add(observed(Verdict.FAULT, None)))

    assert changes == [True, False, True, True, True]
    assert tally.summary(2.0, 1) == Summary(
        4, 2.0, {**COUNTS, Verdict.IDLE: 2, Verdict.MASK: 1, Verdict.FAULT: 1}, 1
    )


def test_a_summary_in_json() -> None:
    """The last line has all verdicts, also those that never came up."""
    assert summary_json(Summary(30, 4.0, {**COUNTS, Verdict.MASK: 2}, 1)) == (
        '{"schema": 1, "event": "summary", "frames": 30, "seconds": 4.0, "fps": 7.5, "verdicts": '
        '{"idle": 0, "checking": 0, "mask": 2, "incorrect": 0, "no_mask": 0, "fault": 0}, "unreadable": 1}'
    )


@pytest.mark.parametrize(
    ("summary", "text"),
    [
        (Summary(0, 0.0, COUNTS, 0), "0 frames in 0.0 s (0.0 a second). Verdicts: none."),
        (
            Summary(30, 4.0, {**COUNTS, Verdict.IDLE: 2, Verdict.MASK: 1}, 3),
            "30 frames in 4.0 s (7.5 a second). Verdicts: idle 2×, mask 1×. Unreadable files: 3.",
        ),
    ],
)
def test_a_summary_in_words(summary: Summary, text: str) -> None:
    """In words a summary names what came up, and unreadable files where there were some."""
    assert summary_text(summary) == text


def test_json_refuses_what_is_no_number() -> None:
    """NaN is not JSON; it must not reach the reader."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_line(score=float("nan"))


def test_printable_keeps_text_and_replaces_the_rest() -> None:
    """Letters of any language stay, line breaks and lone surrogates don't."""
    assert printable("Tür 入口\n\udcff\x1b.png") == "Tür 入口���.png"
