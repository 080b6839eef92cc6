"""Define the settings of lamps, buzzer and relay together with the reason for each default."""

from __future__ import annotations

import re
from datetime import time
from itertools import combinations
from typing import Literal

from pydantic import Field, field_validator, model_validator

from pi_mask.settings_base import Section, conflict

_CLOCK = r"([01][0-9]|2[0-3]):([0-5][0-9])"
_QUIET_HOURS = re.compile(rf"{_CLOCK}-{_CLOCK}")


class GpioSettings(Section):
    """Which pin drives what; pins are BCM numbers."""

    pin_factory: Literal["auto", "lgpio", "rpigpio", "pigpio", "native", "mock"] = Field(
        default="auto",
        description="Library that drives the pins. auto is gpiozero's own order (lgpio first, the one that "
        "works on every Pi) and never mock; mock moves no pin and is only for trying things out.",
    )
    green_pin: int = Field(
        default=17,
        ge=0,
        le=27,
        description="Pin of the green light. 17 is header pin 11: the first of a row (11, 13, 15) beside a "
        "ground, without a second job, and pulled low at boot.",
    )
    amber_pin: int = Field(
        default=27, ge=0, le=27, description="Pin of the amber light. 27 is header pin 13, next to green's."
    )
    red_pin: int = Field(
        default=22, ge=0, le=27, description="Pin of the red light. 22 is header pin 15, next to amber's."
    )
    buzzer_pin: int | None = Field(
        default=23,
        ge=0,
        le=27,
        description='Pin of an active buzzer; "none" without one. 23 is header pin 16, across from red\'s, '
        "with a ground beside it.",
    )
    relay_pin: int | None = Field(
        default=None,
        ge=0,
        le=27,
        description='Pin of a door relay; "none" without one. "none", because a door that opens by itself '
        "must be the owner's decision; 24 (header pin 18) is free for it.",
    )
    leds_active_high: bool = Field(
        default=True,
        description="The lights shine at 3.3 V. true, for an LED and its resistor from the pin to ground.",
    )
    buzzer_active_high: bool = Field(
        default=True,
        description="The buzzer sounds at 3.3 V. true, as an active buzzer from the pin to ground does.",
    )
    relay_active_high: bool = Field(
        default=True,
        description="The relay pulls at 3.3 V. true, because a pin is low at boot; many cheap boards are the "
        "other way round (false) and need a resistor that holds them off. After a crash a pin may keep its "
        "level: see docs/wiring.md.",
    )
    relay_mode: Literal["fail_secure", "fail_safe"] = Field(
        default="fail_secure",
        description="Where the relay goes without a verdict or without power. fail_secure pulls only to let "
        "in; fail_safe pulls to keep shut, for doors that people must be able to leave by. fail_secure, "
        "because an entrance that opens on a fault is no check; never wire an escape route so.",
    )
    buzzer_cooldown_s: float = Field(
        default=5.0,
        ge=0,
        le=3600,
        description="Seconds between two sounds. 5, so that one who puts on a mask at the door is reminded "
        "once.",
    )
    quiet_hours: str = Field(
        default="",
        description='Local time without sounds, such as "22:00-06:30"; lights stay on. "" is never quiet, '
        "because only the owner knows the neighbours.",
        json_schema_extra={"allowed": '"" or two different times of day as "HH:MM-HH:MM"'},
    )

    @field_validator("quiet_hours")
    @classmethod
    def _quiet_hours_are_a_span(cls, text: str) -> str:
        match = _QUIET_HOURS.fullmatch(text)
        if text and (match is None or match.group(1, 2) == match.group(3, 4)):
            raise ValueError("not a span of time")
        return text

    @model_validator(mode="after")
    def _pins_differ(self) -> GpioSettings:
        names = ("green_pin", "amber_pin", "red_pin", "buzzer_pin", "relay_pin")
        wired = [(name, pin) for name in names if (pin := getattr(self, name)) is not None]
        for (first, pin), (second, other) in combinations(wired, 2):
            if pin == other:
                raise conflict([first, second], "A pin drives one part: give each its own.")
        return self

    def is_quiet(self, moment: time) -> bool:
        """Whether ``moment``, local time of day, lies in the quiet hours: start included, end excluded."""
        match = _QUIET_HOURS.fullmatch(self.quiet_hours)
        if match is None:
            return False
        hour, minute, end_hour, end_minute = (int(number) for number in match.groups())
        start, end = time(hour, minute), time(end_hour, end_minute)
        if start < end:
            return start <= moment < end
        return moment >= start or moment < end


class IndicatorSettings(Section):
    """Where verdicts are shown."""

    kind: Literal["gpio", "console"] = Field(
        default="gpio",
        description="What shows the verdict. gpio, the lights at the door; console prints it and must be "
        "asked for, so that a door never runs without its lights unnoticed.",
    )
    self_test: bool = Field(
        default=True,
        description="Show each light and sound the buzzer once when the service starts, not when it restarts "
        "after a failure. true, because a dead light looks like one that is off; quiet hours silence the "
        "buzzer.",
    )
    gpio: GpioSettings = GpioSettings()
