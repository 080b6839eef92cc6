"""Promises of pi_mask.settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from pi_mask import settings as settings_module
from pi_mask.errors import SettingsError
from pi_mask.settings import LoadedSettings, Settings, Zone, load_settings
from pi_mask.settings_fields import FIELDS
from pi_mask.settings_toml import value_of


@pytest.fixture(autouse=True)
def _no_system_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tests off the machine's own /etc."""
    monkeypatch.setattr(settings_module, "SYSTEM_CONFIG", tmp_path / "etc" / "pi-mask" / "config.toml")


def write(path: Path, text: str) -> Path:
    """A file with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def complaint(
    flags: dict[str, object] | None = None, config: Path | None = None, environ: dict[str, str] | None = None
) -> str:
    """The message with which these settings are refused."""
    with pytest.raises(SettingsError) as caught:
        load_settings(flags or {}, config=config, environ=environ or {})
    return str(caught.value)


# Layers


def test_nothing_given_is_the_defaults() -> None:
    """Without flags, variables and files every setting is its default and says so."""
    loaded = load_settings({}, environ={})

    assert loaded == LoadedSettings(Settings(), dict.fromkeys(FIELDS, "default"), None)


def test_a_flag_beats_a_variable_beats_the_file_beats_the_default(tmp_path: Path) -> None:
    """Each layer wins over the one below, key by key, and the source of each key is told."""
    config = write(tmp_path / "door.toml", "[camera]\nwidth = 320\nheight = 320\nfps = 5\n")
    environ = {"PI_MASK_CAMERA_HEIGHT": "200", "PI_MASK_CAMERA_FPS": "10"}

    loaded = load_settings({"camera.fps": 15.0, "camera.kind": None}, config=config, environ=environ)

    camera = loaded.settings.camera
    assert (camera.kind, camera.width, camera.height, camera.fps) == ("picamera", 320, 200, 15.0)
    keys = ("camera.kind", "camera.width", "camera.height", "camera.fps")
    assert [loaded.sources[key] for key in keys] == [
        "default",
        f"file {config}",
        "environment PI_MASK_CAMERA_HEIGHT",
        "flag --fps",
    ]
    assert loaded.config == config


def test_settings_are_frozen() -> None:
    """No one changes a setting after it was validated."""
    with pytest.raises(ValidationError, match="frozen"):
        Settings().camera.width = 1


@pytest.mark.parametrize(
    ("key", "flag"),
    [
        ("camera.kind", "flag --camera"),
        ("indicator.kind", "flag --indicator"),
        ("model.name", "flag --model"),
        ("camera.source", "flag --source"),
        ("model.min_score", "flag --min-score"),
    ],
)
def test_a_flag_is_named_as_it_is_typed(key: str, flag: str) -> None:
    """The source of a flag is the option of the command line."""
    values: dict[str, object] = {"camera.kind": "files", "indicator.kind": "console", "model.min_score": 0.5}

    assert load_settings({key: values.get(key, "x")}, environ={}).sources[key] == flag


def test_flags_may_be_paths_or_text(tmp_path: Path) -> None:
    """A path becomes text, and text is read as in the environment."""
    flags = {"camera.source": tmp_path, "policy.zone": "0.1,0,0.9,1", "model.threads": "3"}

    loaded = load_settings(flags, environ={}).settings

    assert (loaded.camera.source, loaded.policy.zone, loaded.model.threads) == (
        str(tmp_path),
        Zone(0.1, 0.0, 0.9, 1.0),
        3,
    )


# Environment


@pytest.mark.parametrize(
    ("name", "text", "key", "value"),
    [
        ("PI_MASK_CAMERA_REALTIME", "Yes", "camera.realtime", True),
        ("PI_MASK_CAMERA_REALTIME", "0", "camera.realtime", False),
        ("PI_MASK_INDICATOR_GPIO_GREEN_PIN", "5", "indicator.gpio.green_pin", 5),
        ("PI_MASK_INDICATOR_GPIO_BUZZER_PIN", "none", "indicator.gpio.buzzer_pin", None),
        ("PI_MASK_INDICATOR_GPIO_RELAY_PIN", "24", "indicator.gpio.relay_pin", 24),
        ("PI_MASK_MODEL_MIN_SCORE", "None", "model.min_score", None),
        ("PI_MASK_MODEL_MIN_SCORE", "0.4", "model.min_score", 0.4),
        ("PI_MASK_POLICY_ZONE", "0.1, 0, 0.9, 1", "policy.zone", Zone(0.1, 0.0, 0.9, 1.0)),
        ("PI_MASK_CAMERA_SOURCE", "none", "camera.source", "none"),
        ("PI_MASK_CAMERA_SOURCE", "7", "camera.source", "7"),
        ("PI_MASK_POLICY_WHO", "everybody", "policy.who", "everybody"),
    ],
)
def test_variables_are_read_by_the_type_of_their_setting(
    name: str, text: str, key: str, value: object
) -> None:
    """Booleans, numbers, the zone and "none" are read as what the setting is; text stays text."""
    loaded = load_settings({}, environ={name: text})

    assert value_of(loaded.settings, key) == value
    assert loaded.sources[key] == f"environment {name}"


def test_other_variables_are_left_alone() -> None:
    """PI_MASK_DEBUG is the program's own, an empty PI_MASK_CONFIG is none, and the rest belongs to others."""
    environ = {"PI_MASK_DEBUG": "1", "PI_MASK_CONFIG": "", "PATH": "/bin", "CAMERA_KIND": "x"}

    assert load_settings({}, environ=environ).settings == Settings()


def test_an_unknown_variable_is_an_error() -> None:
    """A mistyped variable is refused with the nearest name."""
    assert complaint(environ={"PI_MASK_CAMERA_KNID": "webcam"}) == (
        'Unknown setting "PI_MASK_CAMERA_KNID" (environment). Did you mean PI_MASK_CAMERA_KIND?'
    )


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "PI_MASK_CAMERA_WIDTH",
            "wide",
            'camera.width = "wide" (environment PI_MASK_CAMERA_WIDTH) is not allowed. '
            "Give a whole number from 64 to 4096.",
        ),
        (
            "PI_MASK_CAMERA_REALTIME",
            "",
            'camera.realtime = "" (environment PI_MASK_CAMERA_REALTIME) is not allowed. Give true or false.',
        ),
        (
            "PI_MASK_CAMERA_FPS",
            "nan",
            "camera.fps = nan (environment PI_MASK_CAMERA_FPS) is not allowed. Give a number from 2 to 120.",
        ),
        (
            "PI_MASK_CAMERA_SOURCE",
            "\udcff",
            'camera.source = "\\U0000DCFF" (environment PI_MASK_CAMERA_SOURCE) is not allowed. '
            "Give UTF-8 text of up to 4096 characters, in quotes.",
        ),
    ],
)
def test_a_variable_of_the_wrong_type_is_an_error(name: str, text: str, message: str) -> None:
    """The message names key, value and variable and says what is allowed."""
    assert complaint(environ={name: text}) == message


# File


def test_the_file_is_looked_for_in_the_usual_places(tmp_path: Path) -> None:
    """PI_MASK_CONFIG is before the user's file, which is before the system's; --config is before all."""
    home = tmp_path / "home"
    system = write(settings_module.SYSTEM_CONFIG, "")
    user = write(home / ".config/pi-mask/config.toml", "")
    xdg = write(tmp_path / "xdg/pi-mask/config.toml", "")
    named, flag = write(tmp_path / "named.toml", ""), write(tmp_path / "flag.toml", "")
    environs = [
        {},
        {"HOME": str(home)},
        {"HOME": str(home), "XDG_CONFIG_HOME": "relative"},
        {"HOME": str(home), "XDG_CONFIG_HOME": str(tmp_path / "xdg")},
        {"HOME": str(home), "PI_MASK_CONFIG": str(named)},
    ]

    found = [load_settings({}, environ=environ).config for environ in environs]

    assert found == [system, user, user, xdg, named]
    assert load_settings({}, config=flag, environ=environs[-1]).config == flag


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    """A missing file is an error that says which name to correct."""
    path = tmp_path / "missing.toml"

    assert complaint(config=path) == (
        f"The configuration {path} does not exist. "
        'Correct the path, or run "pi-mask config init" for a fresh one.'
    )
    assert complaint(environ={"PI_MASK_CONFIG": str(path)}) == (
        f"The configuration {path} does not exist. "
        'Correct PI_MASK_CONFIG, or run "pi-mask config init" for a fresh one.'
    )


def test_an_unreadable_file_is_an_error_even_where_it_was_only_found(tmp_path: Path) -> None:
    """A file in a usual place that cannot be read is never passed over in silence."""
    (tmp_path / ".config/pi-mask/config.toml").mkdir(parents=True)

    assert complaint(environ={"HOME": str(tmp_path)}) == (
        f"The configuration {tmp_path}/.config/pi-mask/config.toml cannot be read "
        "(Is a directory). Correct that."
    )


def test_a_file_in_another_encoding_is_an_error(tmp_path: Path) -> None:
    """The message tells the byte and what to do."""
    path = tmp_path / "latin.toml"
    path.write_bytes("# Tür".encode("latin-1"))

    message = f"The configuration {path} is not UTF-8 (byte 3). Save it as UTF-8 text."
    assert complaint(config=path) == message


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    """A file saved by a Windows editor is read."""
    path = tmp_path / "bom.toml"
    path.write_bytes(b"\xef\xbb\xbf[camera]\nwidth = 320\n")

    assert load_settings({}, config=path, environ={}).settings.camera.width == 320


def test_a_syntax_error_is_told_with_its_place(tmp_path: Path) -> None:
    """The message gives line and column on one line."""
    path = write(tmp_path / "broken.toml", "[camera]\nwidth 320\n")

    message = complaint(config=path)

    assert message.startswith(f"{path} is not valid TOML: ")
    assert "(at line 2, column 7)" in message
    assert "\n" not in message


def test_a_bottomless_file_is_no_traceback(tmp_path: Path) -> None:
    """Brackets nested without end are a settings error like any other."""
    path = write(tmp_path / "deep.toml", "a = " + "[" * 100_000)

    assert complaint(config=path).startswith(f"{path} is not valid TOML: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[camera]\nwidht = 3", 'Unknown setting "camera.widht" ({}). Did you mean camera.width?'),
        ("[polcy]\nwho = 3", 'Unknown setting "polcy" ({}). Did you mean policy?'),
        ('"camera.width" = 320', 'Unknown setting "camera.width" ({}). Did you mean camera.width?'),
        ("[qqq]", 'Unknown setting "qqq" ({}). Run "pi-mask config show" for all keys.'),
        ("indicator = 3", "indicator = 3 ({}): indicator is a section. Write [indicator] instead."),
        (
            '[camera]\nkind = "usb"',
            'camera.kind = "usb" ({}) is not allowed. Give one of "picamera", "webcam", "files".',
        ),
        ('[camera]\nfps = "30"', 'camera.fps = "30" ({}) is not allowed. Give a number from 2 to 120.'),
        (
            "[model]\nthreads = true",
            "model.threads = true ({}) is not allowed. Give a whole number from 1 to 16.",
        ),
        (
            f'[model]\ndevice = "{"x" * 100}"',
            f'model.device = "{"x" * 78}… ({{}}) is not allowed. '
            "Give UTF-8 text of up to 64 characters, in quotes.",
        ),
        (
            "[model]\nmin_score = 1",
            'model.min_score = 1 ({}) is not allowed. Give a number above 0 and below 1 or "none".',
        ),
        (
            "[indicator.gpio]\nbuzzer_pin = 28",
            'indicator.gpio.buzzer_pin = 28 ({}) is not allowed. Give a whole number from 0 to 27 or "none".',
        ),
        (
            "[policy]\nzone = [0.5, 0, 0.5, 1]",
            "policy.zone = [0.5, 0, 0.5, 1] ({}) is not allowed. Give four numbers from 0 to 1: xmin, ymin, "
            "xmax, ymax, with xmin < xmax and ymin < ymax.",
        ),
        (
            "[policy]\nzone = [-1, 2, 3]",
            "policy.zone = [-1, 2, 3] ({}) is not allowed. Give four numbers from 0 to 1: xmin, ymin, "
            "xmax, ymax, with xmin < xmax and ymin < ymax.",
        ),
        (
            '[indicator.gpio]\nquiet_hours = "22:00-24:00"',
            'indicator.gpio.quiet_hours = "22:00-24:00" ({}) is not allowed. '
            'Give "" or two different times of day as "HH:MM-HH:MM".',
        ),
        (
            f"[camera]\nfps = 0x{'f' * 5000}",
            "camera.fps = a huge number ({}) is not allowed. Give a number from 2 to 120.",
        ),
    ],
)
def test_a_wrong_line_in_the_file_is_told(tmp_path: Path, text: str, message: str) -> None:
    """Each mistake has one line: key, value, file, what is allowed."""
    path = write(tmp_path / "door.toml", text)

    assert complaint(config=path) == message.format(f"file {path}")


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """Mistakes in file, environment and flags come together, a line each."""
    path = write(tmp_path / "door.toml", "[camera]\nwidht = 3\nheight = 1\n")

    message = complaint({"camera.fps": 0}, path, {"PI_MASK_MODEL_THREADS": "0"})

    assert message.splitlines() == [
        f'Unknown setting "camera.widht" (file {path}). Did you mean camera.width?',
        f"camera.height = 1 (file {path}) is not allowed. Give a whole number from 64 to 4096.",
        "camera.fps = 0 (flag --fps) is not allowed. Give a number from 2 to 120.",
        "model.threads = 0 (environment PI_MASK_MODEL_THREADS) is not allowed. "
        "Give a whole number from 1 to 16.",
    ]


def test_an_unknown_flag_is_an_error() -> None:
    """A key that no setting has is refused, also from the command line."""
    assert complaint({"camera.knd": "webcam"}) == (
        'Unknown setting "camera.knd" (flag). Did you mean camera.kind?'
    )


@pytest.mark.parametrize("key", FIELDS)
def test_every_setting_says_why(key: str) -> None:
    """Every setting has a description that ends as a sentence, and its default is allowed."""
    field = FIELDS[key]

    assert field.description is not None
    assert field.description.endswith(".")
    assert load_settings({key: field.default}, environ={}).settings == Settings()


def test_a_password_in_a_refused_value_is_hidden() -> None:
    """The message goes to the log and to systemd's status."""
    with pytest.raises(SettingsError) as caught:
        load_settings({}, environ={"PI_MASK_CAMERA_KIND": "rtsp://door:hunter2@camera/1"})

    assert "hunter2" not in str(caught.value)
    assert "rtsp://***@camera/1" in str(caught.value)
