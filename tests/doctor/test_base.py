"""Test what checks find."""

from __future__ import annotations

import pytest

from pi_mask.doctor.base import Result, Status, Symptom, ok
from pi_mask.errors import CameraError, SettingsError

SYMPTOM = Symptom("lens-cracked", Status.FAULT, "The lens of {who} is cracked.", "Ask {who}.", CameraError)
BROKEN = Symptom("broken", Status.FAULT, "{error}", "Mend it.")


def test_a_symptom_fills_in_its_values() -> None:
    """Message and advice are templates; a fault brings its error's exit code."""
    assert SYMPTOM.found(who="camera 0") == Result(
        Status.FAULT, "The lens of camera 0 is cracked.", "Ask camera 0.", "lens-cracked", 3
    )


def test_a_warning_has_no_exit_code() -> None:
    """A symptom that is only a warning this time does not count."""
    result = SYMPTOM.found(who="it", status=Status.WARNING)

    assert (result.status, result.exit_code) == (Status.WARNING, 0)


@pytest.mark.parametrize(
    ("text", "message", "advice"),
    [
        ("No lens. Buy one.", "No lens.", "Buy one."),
        ("No lens", "No lens", "Mend it."),
        ("No lens\nat all. Buy one. Or two.", "No lens at all.", "Buy one. Or two."),
        ("e.g. no lens. Buy one.", "e.g. no lens.", "Buy one."),
    ],
)
def test_an_error_is_split_into_message_and_advice(text: str, message: str, advice: str) -> None:
    """The first sentence is what is wrong, the rest what to do; the error's own exit code counts."""
    result = BROKEN.caused_by(SettingsError(text))

    assert (result.message, result.advice, result.exit_code) == (message, advice, 2)


def test_nothing_wrong_is_a_message_alone() -> None:
    """A good result has neither advice nor entry."""
    assert ok("Fine") == Result(Status.OK, "Fine", "", "", 0)
