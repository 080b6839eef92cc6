"""Test the check of the configuration."""

from __future__ import annotations

from pathlib import Path

from pi_mask import settings
from pi_mask.doctor.config import changed, check_config
from pi_mask.doctor.machine import Service
from pi_mask.errors import SettingsError
from pi_mask.settings import load_settings
from tests.doctor.made_up import Root, advised, found

INSTALLED = Service(load="loaded")


def test_the_file_in_use_is_named(root: Root, tmp_path: Path, clean_environment: None) -> None:
    """With the number of settings that are not as shipped."""
    file = tmp_path / "door.toml"
    file.write_text('[camera]\nkind = "webcam"\nwidth = 640\n')

    with_file = load_settings({"model.threads": 1}, config=file, environ={})
    without = load_settings({}, environ={})

    assert found(check_config(root.machine(), with_file)) == [
        ("ok", "", f"{file}; settings that differ from their defaults: 2")
    ]
    assert changed(with_file) == ["camera.kind", "model.threads"]
    assert found(check_config(root.machine(), without)) == [
        ("ok", "", "No configuration file; settings that differ from their defaults: 0")
    ]


def test_each_mistake_is_a_fault_of_its_own(root: Root) -> None:
    """The settings' own lines, split into what is wrong and what to do; exit code 2."""
    mistakes = SettingsError("Unknown key camera.knd (file a.toml). Did you mean camera.kind?", "Other")

    results = list(check_config(root.machine(), mistakes))

    assert found(results) == [
        ("fault", "config-wrong", "Unknown key camera.knd (file a.toml)."),
        ("fault", "config-wrong", "Other"),
    ]
    assert advised(results) == [
        "Did you mean camera.kind?",
        'Correct it; "pi-mask config check" tells more.',
    ]
    assert {result.exit_code for result in results} == {2}


def test_another_file_than_the_services_is_a_warning(
    root: Root, tmp_path: Path, clean_environment: None
) -> None:
    """The owner may look at one door while the service runs another."""
    system, own = settings.SYSTEM_CONFIG, tmp_path / "own.toml"
    system.parent.mkdir()
    for file in (system, own):
        file.write_text("")
    results = list(check_config(root.machine(INSTALLED), load_settings({}, config=own, environ={})))

    assert found(results)[1:] == [
        ("warning", "config-not-the-services", f"Checked with {own}; the service uses {system}.")
    ]
    assert advised(results) == [f"To check with the service's: pi-mask doctor --config {system}"]
    the_same = load_settings({}, config=system, environ={})
    assert [code for _, code, _ in found(check_config(root.machine(INSTALLED), the_same))] == [""]
