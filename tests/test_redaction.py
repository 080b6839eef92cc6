"""Test that secrets leave no trace."""

from __future__ import annotations

import pytest

from pi_mask.redaction import clean, clean_home, clean_lines, clean_value


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("rtsp://door:hunter2@192.168.1.20:554/1 is lost.", "rtsp://***@192.168.1.20:554/1 is lost."),
        ("rtsp://door:hunt/er@2@camera/1", "rtsp://***@camera/1"),
        ("rtsp:/door:hunter2@camera/1", "rtsp:/***@camera/1"),
        ("There is no webcam at door:hunt/er@2@camera/1.", "There is no webcam at ***@camera/1."),
        ("rtsp;//door:hunter2@camera/1", "rtsp;//***@camera/1"),
        ('camera.kind = "rtsp:door:hunter2@camera"', 'camera.kind = "***@camera"'),
        ("12:30 Started getty@tty1.service: fine", "12:30 Started getty@tty1.service: fine"),
        ("http://camera/video?user=door&pwd=hunter2 is", "http://camera/video?*** is"),
        ("rtsp://camera/user=door&password=hunter2&channel=1", "rtsp://camera/user=door&password=***"),
        ("rtsp://camera/user=door&pwd=hunter2&channel=1", "rtsp://camera/user=door&pwd=***"),
        ("rtsp://camera/user=door&pass=hunter2", "rtsp://camera/user=door&pass=***"),
        ("two: http://a:b@c/ and http://d:e@f/", "two: http://***@f/"),
        ("api_key = hunter2", "api_key = ***"),
        ('"API-Key": "hunter2"', '"API-Key": ***'),
        ("Authorization: Bearer hunter2", "Authorization: ***"),
        ("The password of the camera is wrong.", "The password of the camera is wrong."),
        ("Webcam /dev/video0 is lost.", "Webcam /dev/video0 is lost."),
        ("https://github.com/feranick/libedgetpu", "https://github.com/feranick/libedgetpu"),
        ("", ""),
    ],
)
def test_credentials_are_hidden_and_all_else_stays(text: str, cleaned: str) -> None:
    """User names, passwords and queries of URLs, and what is assigned to a secret's name."""
    assert clean(text) == cleaned


def test_lines_are_cleaned_by_themselves() -> None:
    """A secret in one line takes nothing of the next."""
    assert clean_lines("token: a\nFine\nhttp://u:p@h") == "token: ***\nFine\nhttp://***@h"


@pytest.mark.parametrize(
    ("key", "value", "cleaned"),
    [
        ("camera.source", "rtsp://u:p@h/1", "rtsp://***@h/1"),
        ("camera.password", "hunter2", "***"),
        ("camera.password", "", ""),
        ("camera.width", 640, 640),
        ("policy.zone", (0.0, 1.0), (0.0, 1.0)),
        ("model.min_score", None, None),
    ],
)
def test_values_are_cleaned_by_their_key(key: str, value: object, cleaned: object) -> None:
    """A secret's own setting is hidden whatever it looks like; numbers stay numbers."""
    assert clean_value(key, value) == cleaned


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("file /home/ada/.config/pi-mask/config.toml", "file ~/.config/pi-mask/config.toml"),
        ('"/home/ada"', '"~"'),
        ("/home/adam/x and /Users/eve/y", "/home/***/x and /Users/***/y"),
        ("/home/j\\u00fcrgen/x", "/home/***/x"),
        ("/etc/pi-mask/config.toml", "/etc/pi-mask/config.toml"),
    ],
)
def test_home_folders_lose_their_names(text: str, cleaned: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One's own is ~, others' keep only where they are."""
    monkeypatch.setenv("HOME", "/home/ada")

    assert clean_home(text) == cleaned


@pytest.mark.parametrize("home", ["", "/"])
def test_a_service_without_a_home_hides_nothing_by_it(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise every slash would be one."""
    monkeypatch.setenv("HOME", home)

    assert clean_home("/etc/x") == "/etc/x"
