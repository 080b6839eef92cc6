"""Define every setting together with the reason for its default."""

from __future__ import annotations

import math
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, field_validator, model_validator

from pi_mask.settings_base import Section, conflict
from pi_mask.settings_indicator import IndicatorSettings

Fraction = Annotated[float, Field(ge=0, le=1)]

_LONGEST_PATH = 4096  # Linux's PATH_MAX; a bound also makes pydantic refuse what is not UTF-8


class Zone(NamedTuple):
    """A part of the frame; each side is a fraction of the frame's width or height, 0 at the top left."""

    xmin: Fraction
    ymin: Fraction
    xmax: Fraction
    ymax: Fraction


class CameraSettings(Section):
    """Where the frames come from."""

    kind: Literal["picamera", "webcam", "files"] = Field(
        default="picamera",
        description="Kind of camera. picamera, because the device at the door is a Raspberry Pi with its "
        "own camera; webcam is any USB or network camera, files is for trying things out.",
    )
    source: str = Field(
        default="",
        max_length=_LONGEST_PATH,
        description="Which camera or file: a number or /dev path or URL for webcam, a number for picamera, "
        'an image, folder or video for files. "" is the first camera found, which is the only one on most '
        "devices.",
    )
    width: int = Field(
        default=640,
        ge=64,
        le=4096,
        description="Width of a frame in pixels. 640, because every USB camera and the Pi's image processor "
        "deliver it, and it holds a face at 2 m with some 40 pixels; more costs time, the model sees less "
        "anyway.",
    )
    height: int = Field(
        default=480,
        ge=64,
        le=4096,
        description="Height of a frame in pixels. 480 goes with a width of 640: 4:3 is the shape of most "
        "sensors, so nothing of their view is cut off. Camera Module 3's is 16:9: 640×480 cuts an eighth of "
        "its width off at each side, 640×360 nothing.",
    )
    fps: float = Field(
        default=30.0,
        ge=2,
        le=120,
        description="Frames a second asked of the camera. 30, what nearly every camera can do; frames that "
        "the model has no time for are skipped, so asking for more than needed only makes the newest one "
        "newer. At least 2: a second without a frame is shown as a fault.",
    )
    timeout_s: float = Field(
        default=5.0,
        ge=0.5,
        le=10,
        description="Seconds without a frame after which the camera counts as lost; a Pi camera or a "
        "stream is then opened anew. 5, because a camera may take some seconds to wake; the lamps show FAULT "
        "after one second already. At most 10: the service's watchdog ends the program after 15.",
    )
    realtime: bool = Field(
        default=False,
        description="Play files at their own frame rate. false, because a recording is judged by its own "
        "timestamps and gives the same verdicts as fast as it can be read; true is for watching.",
    )


class ThresholdSettings(Section):
    """Smallest score per label, as pi-mask calibrate chooses them for one model at one door."""

    with_mask: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description='Smallest score of a face with a mask that is believed. "none" takes the one from the '
        "model's manifest, chosen on pictures of many places; pi-mask calibrate finds the door's own.",
    )
    without_mask: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description='Smallest score of a face without a mask that is believed. "none" takes the manifest\'s.',
    )
    incorrect: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Smallest score of a face with its mask under nose or chin that is believed. "
        '"none" takes the manifest\'s.',
    )


class ModelSettings(Section):
    """Which network looks for faces, and on what."""

    name: str = Field(
        default="",
        max_length=_LONGEST_PATH,
        description='Name of a shipped model or path of a .tflite file beside its manifest. "" is the '
        "shipped default, the one whose measurements the README gives.",
    )
    accelerator: Literal["auto", "edgetpu", "cpu"] = Field(
        default="auto",
        description="Where the model runs. auto takes the Edge TPU and steps down to the CPU with a warning "
        "and the amber sign, because a slower answer is better than none; edgetpu refuses to start without "
        "one.",
    )
    device: str = Field(
        default="",
        max_length=64,
        description='Edge TPU in libedgetpu\'s words, such as "usb", "usb:1" or "pci:0". "" is the '
        "first one found, because most devices have one.",
    )
    threads: int = Field(
        default=2,
        ge=1,
        le=16,
        description="CPU threads for the model. 2, half the cores of a Pi, so that the camera and the "
        "system keep theirs and the board stays cooler; without effect on what runs on the Edge TPU.",
    )
    min_score: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Smallest score of a face that is believed, for all labels alike; it beats "
        'model.thresholds. "none" takes those, one per label, because a mask and a bare face are not equally '
        "easy to see.",
    )
    iou_threshold: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description='Overlap (intersection over union) above which two boxes are taken for one face. "none" '
        "takes it from the model's manifest, because it belongs to how the model was trained.",
    )
    thresholds: ThresholdSettings = ThresholdSettings()


class TrackerSettings(Section):
    """How detections become people over time, in the words of SORT (Bewley et al. 2016)."""

    iou_threshold: float = Field(
        default=0.3,
        gt=0,
        lt=1,
        description="Smallest overlap (intersection over union) of a face with its last box. 0.3, SORT's "
        "own value: at 10 frames a second somebody who walks up overlaps far more, two people side by side "
        "less.",
    )
    min_hits: int = Field(
        default=2,
        ge=1,
        le=10,
        description="Detections before a face counts as a person. 2, because most false alarms last for a "
        "single frame, and a second frame costs a third of a second even on a slow board.",
    )
    max_age_s: float = Field(
        default=0.8,
        gt=0,
        le=10,
        description="Seconds after which somebody no longer seen is forgotten. 0.8 outlasts two missed "
        "frames at 3 frames a second, yet ends before the next person stands in the same place. Frames "
        "further apart than this never make a person, so at least the 1 / camera.fps between two.",
    )
    max_votes: int = Field(
        default=64,
        ge=30,
        le=1000,
        description="Votes kept per person, so that memory stays bounded however long somebody stays. 64 "
        "fill the policy's window of 1.5 s at up to 42 frames a second; more frames shorten the window, no "
        "harm done.",
    )


class PolicySettings(Section):
    """When the door says what."""

    who: Literal["nearest", "everybody"] = Field(
        default="nearest",
        description="Whose mask decides. nearest, because a door lets in one person at a time; everybody "
        "takes the worst case among all in the zone, and one who is still being checked holds back green.",
    )
    zone: Zone = Field(
        default=Zone(0.0, 0.0, 1.0, 1.0),
        description="Part of the frame that counts: xmin, ymin, xmax, ymax as fractions of its width and "
        "height; a face counts when the centre of its box lies inside. The whole frame, because where "
        "people stand is for the owner to say (see pi-mask calibrate).",
        json_schema_extra={
            "allowed": "four numbers from 0 to 1: xmin, ymin, xmax, ymax, with xmin < xmax and ymin < ymax"
        },
    )
    min_face_px: float = Field(
        default=40.0,
        ge=0,
        le=4096,
        description="Smallest face that counts, its box's shorter side in pixels of the frame; for picamera "
        "of camera.width × camera.height, even where smaller frames are asked of it. 40 at 640×480: an "
        "adult's face (15 cm) at 2 m under the Camera Module's 62° lens. Who is further away is passing by, "
        "and the model sees too little of the mask. Somebody who counts does so down to nine tenths of it, "
        "so that nothing flickers. Below a fortieth of the frame's longer side (16 of 640) "
        "it changes nothing: the shipped models report no smaller faces.",
    )
    takeover_ratio: float = Field(
        default=1.2,
        ge=1,
        le=4,
        description="How many times larger (square root of the box's area) another face must be to take "
        "over as the nearest. 1.2, a sixth less far away, more than a box's jitter: two people side by side "
        "don't flicker.",
    )
    vote_window_s: float = Field(
        default=1.5,
        ge=0.2,
        le=10,
        description="Seconds for which a look at a face counts. 1.5 holds five looks at 3 frames a second, "
        "so that one wrong one can be outvoted, and lets a mask pulled down turn the light within about 0.9 "
        "s.",
    )
    min_votes: int = Field(
        default=3,
        ge=1,
        le=30,
        description="Looks of its own colour that a verdict needs within the window. 3 outvotes one error "
        "and takes 0.2 s at 10 frames a second, 0.7 s at 3. At most as many as vote_window_s holds at "
        "camera.fps: vote_window_s × camera.fps, rounded up.",
    )
    green_share: float = Field(
        default=0.75,
        gt=0.5,
        le=1,
        description="Share of the looks in the window that must see a mask before green appears. 0.75, "
        "stricter than red, because a wrong green is the costly mistake; one wrong look in four is forgiven.",
    )
    red_share: float = Field(
        default=0.6,
        gt=0.5,
        le=1,
        description="Share of the looks in the window that must see no mask, or one worn wrongly, before "
        "red appears. 0.6 is a clear majority that a mask pulled down reaches in 0.9 s.",
    )
    keep_share: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="Share of the looks that keeps a verdict already shown. 0.5, below both others, so that "
        "a light near the border stays instead of flickering (hysteresis).",
    )
    hold_green_s: float = Field(
        default=0.4,
        ge=0,
        le=2,
        description="Seconds for which green outlasts the last look at a person whose face is missed. 0.4 "
        "bridges one missed frame at 3 frames a second and no more, because green must rest on fresh looks: "
        "those within the window must still carry it, or it ends at once.",
    )
    hold_red_s: float = Field(
        default=0.8,
        ge=0,
        le=10,
        description="Seconds for which red outlasts the last look that confirmed it, while the person is "
        "missed or unsure. 0.8, longer than green, because turning the head must not clear it; it ends with "
        "the person.",
    )

    still_after_s: float = Field(
        default=30.0,
        ge=1,
        le=86400,
        description="Seconds after which a face that has not moved has no say until it moves, such as one on "
        "a poster. 30, ten times as long as people who stood and talked kept still; a picture holds the "
        "door's verdict no longer than that after it came into view.",
    )

    def most_looks(self, fps: float) -> int:
        """How many looks at one face the window holds at a steady rate.

        The newest one counts; one that is exactly ``vote_window_s`` old no longer does.

        Args:
            fps: Looks a second.
        """
        # A hair less, because 0.7 × 10 is a little more than 7 in floating point.
        return math.ceil(self.vote_window_s * fps - 1e-9)

    @field_validator("zone")
    @classmethod
    def _zone_is_not_empty(cls, zone: Zone) -> Zone:
        if zone.xmin >= zone.xmax or zone.ymin >= zone.ymax:
            raise ValueError("an empty zone")
        return zone

    @model_validator(mode="after")
    def _times_and_shares_agree(self) -> PolicySettings:
        if self.keep_share > min(self.green_share, self.red_share):
            raise conflict(
                ["keep_share", "green_share", "red_share"],
                "Keeping a verdict must not need more than reaching it: lower keep_share.",
            )
        if self.hold_green_s >= self.vote_window_s:
            raise conflict(
                ["hold_green_s", "vote_window_s"],
                "Green must end before the looks it rests on are too old: lower hold_green_s.",
            )
        return self


class Settings(Section):
    """All settings of pi-mask."""

    camera: CameraSettings = CameraSettings()
    model: ModelSettings = ModelSettings()
    tracker: TrackerSettings = TrackerSettings()
    policy: PolicySettings = PolicySettings()
    indicator: IndicatorSettings = IndicatorSettings()

    @model_validator(mode="after")
    def _a_verdict_can_be_reached(self) -> Settings:
        if self.camera.kind == "files":  # they come at a rate of their own
            return self
        is_one_look_enough = max(self.tracker.min_hits, self.policy.min_votes) == 1
        if self.tracker.max_age_s * self.camera.fps < 1 - 1e-9 and not is_one_look_enough:
            raise conflict(
                ["tracker.max_age_s", "camera.fps"],
                "Everybody is forgotten before the next frame comes: raise max_age_s, or fps.",
            )
        most = self.policy.most_looks(self.camera.fps)
        if self.policy.min_votes > most:
            raise conflict(
                ["policy.min_votes", "policy.vote_window_s", "camera.fps"],
                f"The window holds too few looks for any verdict: lower min_votes to {most}, or raise the "
                "others.",
            )
        return self
