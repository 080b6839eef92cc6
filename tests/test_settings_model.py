"""Promises of pi_mask.settings_model: settings that must agree."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest

from pi_mask import settings as settings_module
from pi_mask.errors import SettingsError
from pi_mask.settings import GpioSettings, PolicySettings, load_settings
from tests.door_films import MASK, MASKED, face, film, verdicts


@pytest.fixture(autouse=True)
def _no_system_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tests off the machine's own /etc."""
    monkeypatch.setattr(settings_module, "SYSTEM_CONFIG", tmp_path / "etc" / "pi-mask" / "config.toml")


def complaint(flags: dict[str, object] | None = None, environ: dict[str, str] | None = None) -> str:
    """The message with which these settings are refused."""
    with pytest.raises(SettingsError) as caught:
        load_settings(flags or {}, environ=environ or {})
    return str(caught.value)


def test_a_pin_drives_one_part() -> None:
    """Two parts on one pin are refused; both keys are named with their sources."""
    assert complaint(environ={"PI_MASK_INDICATOR_GPIO_RELAY_PIN": "17"}) == (
        "indicator.gpio.green_pin = 17 (default), "
        "indicator.gpio.relay_pin = 17 (environment PI_MASK_INDICATOR_GPIO_RELAY_PIN): "
        "A pin drives one part: give each its own."
    )


def test_parts_that_are_not_there_share_no_pin() -> None:
    """Neither buzzer nor relay is no conflict."""
    environ = {"PI_MASK_INDICATOR_GPIO_BUZZER_PIN": "none", "PI_MASK_INDICATOR_GPIO_RELAY_PIN": "none"}

    gpio = load_settings({}, environ=environ).settings.indicator.gpio

    assert (gpio.buzzer_pin, gpio.relay_pin) == (None, None)


def test_the_policy_must_be_able_to_work() -> None:
    """Keeping a verdict needs no more than reaching it, and green ends before its looks are too old."""
    assert complaint({"policy.keep_share": 0.7}) == (
        "policy.keep_share = 0.7 (flag --keep-share), policy.green_share = 0.75 (default), "
        "policy.red_share = 0.6 (default): "
        "Keeping a verdict must not need more than reaching it: lower keep_share."
    )
    assert complaint({"policy.hold_green_s": 1.5}) == (
        "policy.hold_green_s = 1.5 (flag --hold-green-s), policy.vote_window_s = 1.5 (default): "
        "Green must end before the looks it rests on are too old: lower hold_green_s."
    )


def test_votes_that_can_never_be_reached_are_refused() -> None:
    """Where the window holds fewer looks at the camera's rate, the message says how many would do."""
    assert complaint({"policy.min_votes": 4, "camera.fps": 2.0}) == (
        "policy.min_votes = 4 (flag --min-votes), policy.vote_window_s = 1.5 (default), "
        "camera.fps = 2.0 (flag --fps): "
        "The window holds too few looks for any verdict: lower min_votes to 3, or raise the others."
    )


def test_people_who_would_be_forgotten_before_the_next_frame_are_refused() -> None:
    """Nobody would get a second look, nor a verdict; where one look is enough, nothing is wrong with it."""
    given: dict[str, object] = {"tracker.max_age_s": 0.4, "camera.fps": 2.0, "policy.min_votes": 2}
    at_once: dict[str, object] = {**given, "tracker.min_hits": 1, "policy.min_votes": 1}

    assert complaint(given) == (
        "tracker.max_age_s = 0.4 (flag --max-age-s), camera.fps = 2.0 (flag --fps): "
        "Everybody is forgotten before the next frame comes: raise max_age_s, or fps."
    )
    assert "max_age_s" in complaint({**at_once, "tracker.min_hits": 2})
    for allowed in (at_once, {**given, "tracker.max_age_s": 0.5}):
        load_settings(allowed, environ={})


@pytest.mark.parametrize(
    ("window_s", "fps", "most"), [(0.2, 2.0, 1), (1.5, 2.0, 3), (1.0, 4.0, 4), (1.5, 3.0, 5), (2.5, 3.0, 8)]
)
def test_the_most_votes_are_what_the_policy_counts(window_s: float, fps: float, most: int) -> None:
    """With that many votes a door gets to its verdict, with one more it never does, and that is refused."""
    given: dict[str, object] = {
        "camera.fps": fps,
        "policy.vote_window_s": window_s,
        "policy.hold_green_s": 0.0,
        "policy.min_votes": most,
    }
    policy = load_settings(given, environ={}).settings.policy
    one_more = policy.model_copy(update={"min_votes": most + 1})

    recording = film([[face(MASKED)]] * 60, fps)

    assert MASK in verdicts(recording, policy)
    assert MASK not in verdicts(recording, one_more)
    assert f"lower min_votes to {most}, " in complaint({**given, "policy.min_votes": most + 1})


def test_rounding_makes_no_room_for_a_vote() -> None:
    """0.7 s hold seven looks at ten a second, although 0.7 × 10 is more than 7 in floating point."""
    assert PolicySettings(vote_window_s=0.7).most_looks(10.0) == 7


def test_the_rate_of_a_camera_is_none_of_a_films() -> None:
    """camera.fps has no effect on files, which are judged by their own."""
    given: dict[str, object] = {"camera.fps": 2.0, "policy.min_votes": 8, "tracker.max_age_s": 0.1}

    settings = load_settings({**given, "camera.kind": "files"}, environ={}).settings

    assert (settings.policy.min_votes, settings.tracker.max_age_s) == (8, 0.1)


@pytest.mark.parametrize(
    ("span", "quiet"),
    [
        ("", []),
        ("22:00-06:30", [time(0), time(6, 29, 59), time(22)]),
        ("12:00-13:00", [time(12)]),
    ],
)
def test_quiet_hours_may_cross_midnight(span: str, quiet: list[time]) -> None:
    """The start is quiet, the end no longer, on either side of midnight."""
    gpio = GpioSettings(quiet_hours=span)
    moments = [time(0), time(6, 29, 59), time(6, 30), time(12), time(13), time(21, 59), time(22)]

    assert [moment for moment in moments if gpio.is_quiet(moment)] == quiet
