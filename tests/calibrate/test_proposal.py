"""Test what is proposed: thresholds, place, votes and hints about the light."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pi_mask.calibrate import light
from pi_mask.calibrate.collected import Collected, Light
from pi_mask.calibrate.place import door_zone, smallest_face
from pi_mask.calibrate.proposal import InForce, propose
from pi_mask.calibrate.replay import Door, Shown, faces_of, verdicts
from pi_mask.calibrate.thresholds import Costs
from pi_mask.calibrate.voting import choose_voting, trials
from pi_mask.settings import (
    CameraSettings,
    ModelSettings,
    PolicySettings,
    Settings,
    ThresholdSettings,
    Zone,
)
from pi_mask.types import MaskLabel, Verdict
from tests.calibrate.scenes import (
    IN_FORCE,
    MASKED,
    TRACKING,
    UNDER_NOSE,
    clip,
    frame,
    standing,
    step,
    visit,
)

COSTS = Costs()
DOOR = Door(IN_FORCE, TRACKING, PolicySettings(min_face_px=20))
NOW = InForce(Settings(policy=PolicySettings(min_face_px=20)), DOOR)


def test_a_good_door_gets_its_place_and_nothing_else() -> None:
    """Where all is right, thresholds and votes stay; zone and smallest face follow from the person."""
    proposal = propose(visit(), NOW, COSTS)

    assert [change.key for change in proposal.changes] == ["policy.zone", "policy.min_face_px"]
    assert proposal.settings.policy.min_face_px == 40.0  # four fifths of 50, the farthest face
    assert [result.collected.step.name for result in proposal.steps] == [each.step.name for each in visit()]
    assert proposal.hints == ()


def test_what_is_proposed_does_better_where_the_door_was_wrong() -> None:
    """A mask under the nose that got green gets red, and masks keep their green."""
    fooled = tuple(
        step("under_nose", standing((0.62, 0.05, 0.4))) if each.step.name == "under_nose" else each
        for each in visit()
    )

    proposal = propose(fooled, NOW, COSTS)

    by_name = {result.collected.step.name: result for result in proposal.steps}
    assert by_name["under_nose"].current.shares[Shown.GREEN].share > 0.9
    assert by_name["under_nose"].proposed.shares[Shown.GREEN].share == 0.0
    assert by_name["mask"].proposed.shares[Shown.GREEN].share > 0.9
    assert any(change.key.startswith("model.thresholds.") for change in proposal.changes)


def test_pixels_are_those_of_the_settings() -> None:
    """Where the processor halves the frames, the smallest face is named in the camera's own pixels."""
    halved = propose(visit(), InForce(NOW.settings, DOOR, camera_px=2.0), COSTS)
    as_they_are = propose(visit(), NOW, COSTS)

    assert halved.settings.policy.min_face_px == 80.0
    assert [each.proposed for each in halved.steps] == [each.proposed for each in as_they_are.steps]


def test_the_smallest_face_is_rounded_downwards() -> None:
    """Who stands where the person did is not left out for a fraction of a pixel."""
    scaled = InForce(NOW.settings, DOOR, camera_px=1.04)

    assert propose(visit(), scaled, COSTS).settings.policy.min_face_px == 41.0  # of 41.6


def test_a_smallest_score_for_all_gives_way_to_thresholds() -> None:
    """min_score, which beats thresholds, is taken away with all three named; without a move it stays."""
    settings = Settings(model=ModelSettings(min_score=0.5), policy=PolicySettings(min_face_px=20))
    fooled = (*visit()[:-1], step("under_nose", standing((0.62, 0.05, 0.4))))

    changed = propose(fooled, replace(NOW, settings=settings), COSTS).settings.model
    kept = propose(visit(), replace(NOW, settings=settings), COSTS).settings.model

    assert changed.min_score is None
    assert None not in changed.thresholds.model_dump().values()
    assert (kept.min_score, kept.thresholds) == (0.5, ThresholdSettings())


def test_the_zone_holds_everybody_with_room() -> None:
    """The zone reaches past where the person stood, is rounded outwards, and leaves out the far side."""
    steps = (step("mask", standing(x=160, size=60)), step("mask_far", standing(x=170, size=40)))

    zone = door_zone(steps, TRACKING)

    assert zone == Zone(0.1, 0.25, 0.4, 0.75)
    assert all(zone.xmin < x / 640 < zone.xmax for x in (160, 172))


def test_a_zone_of_nearly_everything_is_everything() -> None:
    """A strip of a twentieth at the edge is not worth leaving out; nobody seen means the whole frame."""
    left = step("mask", standing(x=120, size=120))
    wide, narrower = ((left, step("mask_near", standing(x=x, size=120))) for x in (420, 360))

    assert door_zone(wide, TRACKING)[::2] == (0.0, 1.0)
    assert door_zone(narrower, TRACKING)[::2] == (0.0, 0.85)
    assert door_zone((step("empty", clip([[]] * 40)),), TRACKING) == Zone(0.0, 0.0, 1.0, 1.0)


def test_the_smallest_face_is_the_farthest_ones() -> None:
    """One step behind the farthest spot still counts; without that step nothing is too small."""
    swaying = clip([[(320.0, 50.0 if index % 10 else 45.0, MASKED)] for index in range(40)])

    assert smallest_face([step("mask_far", swaying)], TRACKING) == pytest.approx(36.0, abs=0.1)
    assert smallest_face(visit(), TRACKING) == pytest.approx(40.0, abs=0.1)
    assert smallest_face(visit()[:3], TRACKING) == 0.0


def test_votes_change_only_for_a_gain() -> None:
    """A door that is right keeps its votes; where single looks flicker, more votes or a larger share come."""
    fine = choose_voting(visit(), DOOR, COSTS)
    random = np.random.default_rng(4)
    looks = [UNDER_NOSE if random.random() < 0.35 else MASKED for _ in range(120)]
    hard = [UNDER_NOSE if random.random() < 0.45 else MASKED for _ in range(120)]
    flickering = (
        *visit()[:4],
        step("mask", clip([[(320.0, 80.0, scores)] for scores in looks])),
        step("under_nose", clip([[(320.0, 80.0, scores)] for scores in hard])),
    )
    calls: list[int] = []

    chosen = choose_voting(flickering, DOOR, COSTS, lambda: calls.append(1))

    assert fine == DOOR.policy
    assert chosen != DOOR.policy
    assert chosen.green_share >= DOOR.policy.green_share
    assert len(calls) == trials()


def doubtful(seed: int, fps: float, wrong: float = 0.5) -> tuple[Collected, ...]:
    """A visit in which this share of the looks at a mask under the nose sees a proper one."""
    random = np.random.default_rng(seed)
    looks = [MASKED if random.random() < wrong else UNDER_NOSE for _ in range(240)]
    seen = tuple(frame(index / fps, [(320.0, 80.0, scores)]) for index, scores in enumerate(looks))
    return (*visit()[:-1], step("under_nose", seen))


def test_a_door_calibrated_with_an_edge_tpu_answers_without_it() -> None:
    """However many votes pay at 30 frames a second, a CPU that manages three still gets to green."""
    policy = choose_voting(doubtful(3, fps=30), DOOR, COSTS)

    slowly = tuple(frame(index / 3, [(320.0, 80.0, MASKED)]) for index in range(12))
    (faces,) = faces_of(step("mask", slowly), IN_FORCE)
    assert policy != DOOR.policy
    assert Verdict.MASK in verdicts(slowly, faces, TRACKING, policy)


def test_what_is_proposed_is_allowed_with_a_slow_camera() -> None:
    """Where the camera is asked for less than three frames a second, the votes fit those."""
    slow = Settings(camera=CameraSettings(fps=2), policy=DOOR.policy)

    proposed = propose(doubtful(4, fps=2), replace(NOW, settings=slow), COSTS).settings

    assert Settings.model_validate(proposed.model_dump()) == proposed


def test_votes_of_the_owners_do_not_stop_the_rest() -> None:
    """Votes that a slow board would not reach stay as they are set, and shares are tried beside them."""
    owners = replace(DOOR, policy=DOOR.policy.model_copy(update={"min_votes": 8}))

    chosen = choose_voting(doubtful(0, fps=30, wrong=0.8), owners, COSTS)

    assert (chosen.min_votes, chosen.vote_window_s) == (8, 1.5)
    assert chosen.green_share > owners.policy.green_share


@pytest.mark.parametrize(
    ("face", "whole", "advice"),
    [(120, 110, ""), (40, 50, "Put a lamp"), (50, 150, "away from the window"), (220, 180, "too bright")],
)
def test_bad_light_is_named(face: float, whole: float, advice: str) -> None:
    """Dark, backlit and glaring faces each get a line; good light gets none."""
    seen = tuple(frame(index / 10, [(320.0, 80.0, MASKED)], Light(face, whole)) for index in range(30))

    assert [advice in hint for hint in light.hints([step("mask", seen)])] == ([True] if advice else [])


def test_no_threshold_is_named_that_did_not_move() -> None:
    """A threshold that stays follows the next model's own."""
    settings = propose(visit(), NOW, COSTS).settings
    assert settings.model.thresholds.model_dump() == {label.value: None for label in MaskLabel}
