"""Tell whether a step looks as it was said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Final

from pi_mask.calibrate.collected import Clip, Collected, duration
from pi_mask.calibrate.people import Seen, people_in
from pi_mask.calibrate.steps import FAR, NEAR, USUAL, Truth
from pi_mask.types import MaskLabel

if TYPE_CHECKING:
    from pi_mask.settings import TrackerSettings

_LEAST_S: Final = 2.0
_LEAST_FRAMES: Final = 8
"""What any statement needs: 2 s at the 4 frames a second of the slowest boards."""
_THERE: Final = 0.2
"""Somebody who should not be there is, when seen in a fifth of the frames."""
_STAYED: Final = 0.4
"""The person must be found in two fifths: fewer, and the model hardly knows that anybody is there."""
_NEARER: Final = 1.15
"""How much larger the face must be when nearer; less is the sway of somebody who stands."""
_SAME_SPOT: Final = 1.5
"""By how much the face's size may differ at "the usual spot"."""
_SURELY: Final = 0.7
"""From this share of the looks on, a label other than the one that was asked for is the person's doing."""
_BELIEVED: Final = 1.0

Thresholds = Mapping[MaskLabel, float]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a step is refused, in one line that says what to do.

    Attributes:
        is_doubt: It looks as if something else was done than said; the model may also simply be wrong.
        clip: Index of the clip that is wrong; None where it takes all of them to tell.
    """

    text: str
    is_doubt: bool = False
    clip: int | None = None


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What steps are measured with: the tracker's settings and the thresholds in force."""

    tracking: TrackerSettings
    thresholds: Thresholds


def check(collected: Collected, before: Mapping[str, Collected], yardstick: Yardstick) -> Problem | None:
    """Find what is wrong with a step.

    Args:
        collected: The step with at least one clip.
        before: Steps that were accepted, per name.
        yardstick: What to measure with.

    Returns:
        None where it looks as said.
    """
    for index, clip in enumerate(collected.clips):
        problem = _too_short(clip) or _wrong_people(collected, clip, yardstick)
        if problem is not None:
            return replace(problem, clip=index)
    if collected.step.truth is Truth.EMPTY:
        return None
    return _wrong_size(collected, before, yardstick) or _wrong_label(collected, yardstick)


def person_in(clip: Clip, tracking: TrackerSettings) -> Seen | None:
    """Who the step is about: whoever was seen longest."""
    return next(iter(people_in(clip, tracking)), None)


def person_size(collected: Collected, tracking: TrackerSettings) -> float:
    """Median size of the person's face over the clips, in pixels; 0 where nobody is in them."""
    people = (person_in(clip, tracking) for clip in collected.clips)
    return median([person.size_px for person in people if person] or [0.0])


def _too_short(clip: Clip) -> Problem | None:
    seconds = duration(clip)
    if len(clip) >= _LEAST_FRAMES and seconds >= _LEAST_S:
        return None
    return Problem(
        f"Only {len(clip)} frames in {seconds:.1f} s were seen, too few to tell anything. Watch for longer."
    )


def _wrong_people(collected: Collected, clip: Clip, yardstick: Yardstick) -> Problem | None:
    people = people_in(clip, yardstick.tracking)
    believed = [seen for seen in people if _is_there(seen, clip, yardstick)]
    if collected.step.truth is Truth.EMPTY:
        if not believed:
            return None
        share, size = len(believed[0].faces) / len(clip), believed[0].size_px
        return Problem(
            f"A face of {size:.0f} px is in view for {share:.0%} of the time. Leave the doorway, "
            "or cover the picture or mirror it is in, and repeat the step."
        )
    if not people or len(people[0].faces) < _STAYED * len(clip):
        share = len(people[0].faces) / len(clip) if people else 0.0
        return Problem(
            f"A face was found in {share:.0%} of the frames only. Look towards the camera, in better light "
            "or a little nearer, and repeat the step."
        )
    others = [seen for seen in believed if seen is not people[0]]
    if others:
        count = len(others) + 1
        return Problem(f"{count} people are in view. Let one person stand there alone, and repeat the step.")
    return None


def _is_there(seen: Seen, clip: Clip, yardstick: Yardstick) -> bool:
    limits = yardstick.thresholds
    ratios = [
        max(score / limits[label] for label, score in face.scores.items()) for face in seen.faces.values()
    ]
    return len(seen.faces) >= _THERE * len(clip) and median(ratios) >= _BELIEVED


def _wrong_size(
    collected: Collected, before: Mapping[str, Collected], yardstick: Yardstick
) -> Problem | None:
    name = collected.step.name
    usual = before.get(USUAL)
    if usual is None or name == USUAL:
        return None
    size, usual_size = (person_size(each, yardstick.tracking) for each in (collected, usual))
    seen = f"The face is {size:.0f} px, at the usual spot it was {usual_size:.0f} px."
    if name == NEAR:
        return None if size >= _NEARER * usual_size else Problem(f"{seen} Come nearer, and repeat the step.")
    if name == FAR:
        is_farther = size * _NEARER <= usual_size
        return None if is_farther else Problem(f"{seen} Step farther back, and repeat the step.")
    if usual_size / _SAME_SPOT <= size <= usual_size * _SAME_SPOT:
        return None
    return Problem(f"{seen} Stand where you stood before, and repeat the step.")


def _wrong_label(collected: Collected, yardstick: Yardstick) -> Problem | None:
    """Catch a mask that was forgotten, or forgotten to take off; "incorrect" may be the model's mistake."""
    step = collected.step
    said = _labels(collected, yardstick)
    wrong = MaskLabel.WITHOUT_MASK if step.truth is Truth.MASKED else MaskLabel.WITH_MASK
    if step.name not in {USUAL, NEAR, FAR, "bare"} or not said:
        return None
    share = said.count(wrong) / len(said)
    if share < _SURELY:
        return None
    advice = "Put the mask on" if step.truth is Truth.MASKED else "Take the mask off"
    what = "no mask" if step.truth is Truth.MASKED else "a mask"
    return Problem(f"{share:.0%} of the looks saw {what}. {advice}, and repeat the step.", is_doubt=True)


def _labels(collected: Collected, yardstick: Yardstick) -> list[MaskLabel]:
    limits = yardstick.thresholds
    people = (person_in(clip, yardstick.tracking) for clip in collected.clips)
    faces = (face for person in people if person for face in person.faces.values())
    return [max(limits, key=lambda label: face.scores[label] / limits[label]) for face in faces]
