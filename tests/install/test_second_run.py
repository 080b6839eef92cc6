"""Tests for install.sh on a Pi where an earlier run has left something."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pi_mask.settings import load_settings
from tests.install.stand_ins import PI_MASK, Computer

RESTART, START = "systemctl restart pi-mask.service", "systemctl start pi-mask.service"
LIBRARY = "usr/local/lib/aarch64-linux-gnu/libedgetpu.so.1"


def starts(computer: Computer) -> list[str]:
    """How the last run started the service."""
    return [call for call in computer.calls() if call in {RESTART, START}]


def get_a_driver(computer: Computer) -> None:
    """Make the next run the first that gets a driver."""
    computer.set(driver="")
    computer.install()
    computer.set(driver="the genuine driver")


def get_another_unit(computer: Computer) -> None:
    """Make the next run bring another unit."""
    computer.install()
    unit = computer.source / "systemd/pi-mask.service"
    unit.write_text(unit.read_text() + "# changed\n")


@pytest.mark.parametrize(
    ("bring", "step"), [(get_a_driver, "usermod"), (get_another_unit, "systemctl enable")]
)
def test_what_the_service_runs_is_taken_up_after_a_break(
    computer: Computer, bring: Callable[[Computer], None], step: str
) -> None:
    """Whatever a run has replaced before it broke off late, the next one restarts the service, once."""
    bring(computer)
    computer.set(fail_at=step)
    assert computer.run().returncode == 1
    computer.set(fail_at="")

    computer.install()
    assert starts(computer) == [RESTART]
    computer.install()
    assert starts(computer) == [START]


def test_a_configuration_is_fitted_to_the_board_whenever_it_is_written(computer: Computer) -> None:
    """Broken off between writing and fitting it, the next run does both: what is kept is the owner's."""
    sed = computer.bin / "sed"
    real = sed.readlink()
    sed.unlink()
    computer.stand_in(sed, f'exec {real} "$@"')
    computer.set(fail_at="nano_320")
    assert computer.run().returncode == 1
    computer.set(fail_at="")

    computer.install()

    path = computer.root / "etc/pi-mask/config.toml"
    settings = load_settings({}, config=path, environ={}).settings
    assert settings.model.name == "nano_320"
    assert [entry.name for entry in path.parent.iterdir()] == ["config.toml"]


def test_a_driver_half_removed_is_put_back(computer: Computer) -> None:
    """A note of the driver without the driver, as a removal that broke off leaves, is not believed."""
    computer.install()
    (computer.root / f"{LIBRARY}.0").unlink()

    computer.install()

    assert (computer.root / LIBRARY).exists()


def test_without_service_takes_an_earlier_one_away(computer: Computer) -> None:
    """--no-service keeps its word, that nothing starts at boot, also where an earlier run made a service."""
    computer.install()
    said = computer.install("--no-service")

    assert "  service              none; the one that is there is removed" in said
    assert "systemctl disable --now pi-mask.service" in computer.calls()
    assert not (computer.root / "etc/systemd/system/pi-mask.service").exists()
    assert "  service              none\n" in computer.install("--no-service")


def test_without_coral_takes_an_earlier_driver_away(computer: Computer) -> None:
    """--no-coral removes an earlier driver, and names the setting that the owner has to change."""
    computer.install()
    said = computer.install("--no-coral")

    assert "  Edge TPU driver      none; the one that is there is removed" in said
    assert 'Set accelerator = "cpu"' in said
    assert not list((computer.root / LIBRARY).parent.iterdir())
    assert not list((computer.root / "etc/udev/rules.d").iterdir())
    assert starts(computer) == [RESTART]
    assert "  Edge TPU driver      none\n" in computer.install("--no-coral")
    assert starts(computer) == [START]


def test_a_damaged_environment_is_made_anew(computer: Computer) -> None:
    """Where the one in use no longer runs, or a model is damaged, a plain run repairs it."""
    computer.install()
    installed = computer.root / "opt/pi-mask/venv/bin/pi-mask"
    computer.stand_in(installed, PI_MASK.replace('"config init")', '"models ") exit 4 ;;\n"config init")'))

    said = computer.install()

    assert "complete already" not in said
    assert starts(computer) == [RESTART]
    assert "complete already" in computer.install()


def test_a_damaged_environment_stays_until_another_is_whole(computer: Computer) -> None:
    """Where another cannot be made, the damaged one is what it was; where one can, it alone is left."""
    computer.install()
    base = computer.root / "opt/pi-mask"
    for _ in range(2):
        damaged = (base / "venv").resolve()
        text = PI_MASK.replace('"config init")', '"models ") exit 4 ;;\n"config init")')
        computer.stand_in(damaged / "bin/pi-mask", text)

        computer.set(fail_at="requirements/pi-64.txt")
        assert computer.run().returncode == 1
        assert (base / "venv").resolve() == damaged
        assert text in (damaged / "bin/pi-mask").read_text()

        computer.set(fail_at="")
        computer.install()
        assert (base / "venv").resolve() != damaged
        assert {path.resolve() for path in base.iterdir() if path.is_dir()} == {(base / "venv").resolve()}


def test_an_environment_without_its_python_is_made_anew(computer: Computer) -> None:
    """After an upgrade of the system a plain run goes on: there is nothing working to keep."""
    computer.install()
    (computer.root / "opt/pi-mask/venv/bin/pi-mask").write_text("#!/usr/bin/a-python-that-left\n")
    computer.has_os("trixie")
    computer.set(python_version="3.13")

    computer.install()

    assert starts(computer) == [RESTART]
