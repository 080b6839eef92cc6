"""Test pi_mask.calibrate.replay."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pi_mask.build import open_detector, open_pipeline
from pi_mask.calibrate.collect import collect
from pi_mask.calibrate.collected import Collected
from pi_mask.calibrate.replay import Door, Shown, faces_of, replay, verdicts
from pi_mask.calibrate.steps import STEP_NAMES, Answer
from pi_mask.detector import Rules
from pi_mask.settings import ModelSettings, PolicySettings, Settings, ThresholdSettings
from pi_mask.testing import RecordingIndicator, ScriptedCamera
from pi_mask.types import Frame, MaskLabel
from tests.calibrate.scenes import BARE, IN_FORCE, MASKED, TRACKING, clip, standing, step
from tests.colour_model import picture

DOOR = Door(IN_FORCE, TRACKING, PolicySettings())
LABELS = (MaskLabel.WITH_MASK, MaskLabel.WITHOUT_MASK, MaskLabel.INCORRECT)


def film(seed: int) -> list[Frame]:
    """People who come, change and go, with colours that are more or less pure."""
    random = np.random.default_rng(seed)
    frames = []
    for index in range(60):
        people = [LABELS[(index // 20 + who) % 3] for who in range(1 + index // 40)] if index % 25 else []
        image = picture(*people).astype(np.int16) + random.integers(-60, 60, (128, 128, 3))
        frames.append(Frame(image.clip(0, 255).astype(np.uint8), index / 10, index))
    return frames


@pytest.mark.parametrize("limits", [(0.5, 0.5, 0.5), (0.9, 0.3, 0.6), (0.2, 0.2, 0.2)])
def test_a_replay_is_what_the_door_does(model: Path, limits: tuple[float, float, float]) -> None:
    """Collected once at low thresholds, a film gives frame by frame the verdicts of a run with any others."""
    thresholds = dict(zip((label.value for label in MaskLabel), limits, strict=True))
    policy = PolicySettings(min_face_px=20, min_votes=4, green_share=0.8)
    settings = Settings(
        model=ModelSettings(name=str(model), accelerator="cpu", thresholds=ThresholdSettings(**thresholds)),
        policy=policy,
    )
    frames = film(1)
    with open_pipeline(settings, camera=ScriptedCamera(frames), indicator=RecordingIndicator()) as pipeline:
        run = [observation.verdict for observation in pipeline]

    low = ModelSettings(name=str(model), accelerator="cpu", min_score=0.1)
    with open_detector(low) as opened:
        seen = tuple(collect(frame, opened.detector) for frame in frames)
        rules = Rules(opened.detector.rules.labels, np.array(limits), opened.detector.rules.iou_threshold)
    (faces,) = faces_of(Collected(STEP_NAMES["mask"], (seen,)), rules)

    assert verdicts(seen, faces, settings.tracker, policy) == run
    assert len(set(run)) >= 3


def test_shares_are_shares_of_the_time() -> None:
    """Somebody with a mask who stands for 4 s gets green from the third frame on."""
    replayed = replay(step("mask", standing()), DOOR)

    shares = {kind: round(share.share, 3) for kind, share in replayed.shares.items()}
    assert shares == {Shown.GREEN: 0.95, Shown.RED: 0.0, Shown.CHECKING: 0.025, Shown.IDLE: 0.025}
    assert replayed.answers[Answer.RIGHT] == pytest.approx(0.95)
    assert sum(replayed.answers.values()) == pytest.approx(1.0)


def test_uneven_frames_count_by_their_time() -> None:
    """A verdict counts for as long as it is shown, not by the frames that showed it."""
    slow = standing(MASKED, count=10)
    stretched = tuple(
        type(frame)(frame.timestamp if index < 5 else 0.4 + (index - 4) * 0.5, frame.look, frame.faces)
        for index, frame in enumerate(slow)
    )

    green = replay(step("mask", stretched), DOOR).shares[Shown.GREEN].share

    assert green > replay(step("mask", slow), DOOR).shares[Shown.GREEN].share


def test_few_seconds_say_little_and_many_clips_more() -> None:
    """The interval holds the share, is wide for one clip and narrower for ten."""
    random = np.random.default_rng(2)

    def wavering() -> list[list[tuple[float, float, tuple[float, float, float]]]]:
        return [[(320.0, 80.0, (float(random.uniform(0.6, 0.9)), 0.1, 0.1))] for _ in range(40)]

    one = replay(step("mask", clip(wavering())), DOOR)
    ten = replay(step("mask", *(clip(wavering()) for _ in range(10))), DOOR)

    widths = []
    for replayed in (one, ten):
        green = replayed.shares[Shown.GREEN]
        assert green.low <= green.share <= green.high
        widths.append(green.high - green.low)
    assert widths[0] > 2 * widths[1]
    assert one.looks <= 4.0 / DOOR.policy.vote_window_s + 1


def test_each_clip_starts_with_nobody() -> None:
    """A bare face at the end of one clip says nothing about the next clip's first frames."""
    both = replay(step("mask", standing(BARE), standing(MASKED)), DOOR)

    assert both.shares[Shown.RED].share == pytest.approx(0.475)
    assert both.shares[Shown.GREEN].share == pytest.approx(0.475)
    assert both.answers[Answer.WRONG_RED] == pytest.approx(0.475)
