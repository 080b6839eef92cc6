"""Tests for what install.sh does differently by system, memory, driver and compiled model."""

from __future__ import annotations

import pytest

from pi_mask.settings import ModelSettings, Settings, load_settings
from tests.install.stand_ins import OLD_CPU, Computer

COMPILED = '{\n  "edgetpu": {"file": "x", "sha256": "y"}\n}\n'
SMALL = "nano_320"


def model_settings(computer: Computer) -> ModelSettings:
    """What the installer has left for the service under [model]; it changes nothing else."""
    settings = load_settings({}, config=computer.root / "etc/pi-mask/config.toml", environ={}).settings
    assert settings == Settings(model=settings.model)
    return settings.model


def compile_models(computer: Computer) -> None:
    """Make the installer's folder a release's, with models for the Edge TPU."""
    for path in (computer.state / "manifest.json", computer.source / "models/model.json"):
        path.write_text(COMPILED)


def test_a_driver_that_cannot_be_fetched_stops_nothing(computer: Computer) -> None:
    """The CPU does the work; the next run fetches the driver."""
    computer.set(fail_at="curl --fail")
    said = computer.install()
    assert "could not be fetched" in said
    assert "systemctl restart pi-mask.service" in computer.calls()

    computer.set(fail_at="")
    computer.install()
    assert "ldconfig" in computer.calls()


def test_a_source_that_apt_cannot_read_stops_nothing(computer: Computer) -> None:
    """A broken source of the owner's own is a warning, as long as the packages come."""
    computer.set(fail_at="600 update")

    said = computer.install()

    assert "Warning: apt could not read all its sources" in said
    assert "systemctl restart pi-mask.service" in computer.calls()


def test_a_driver_with_another_checksum_is_not_used(computer: Computer) -> None:
    """Whatever else comes from that address never reaches the loader's folder."""
    computer.set(driver="something else")

    said = computer.install()

    assert "its checksum differs" in said
    assert not (computer.root / "usr/local/lib/aarch64-linux-gnu/libedgetpu.so.1").exists()
    assert "ldconfig" not in computer.calls()


def test_a_compiled_model_is_not_missed(computer: Computer) -> None:
    """Where the release has a model for the Edge TPU, nothing is said about its absence."""
    compile_models(computer)

    said = computer.install()

    assert model_settings(computer) == ModelSettings()
    assert "  model                compiled for the Edge TPU; the CPU's stands in" in said
    assert "no compiled Edge TPU model" not in said


def test_a_record_of_training_is_no_compiled_model(computer: Computer) -> None:
    """What a manifest allows to stay on the CPU stands under the same key, deeper in."""
    for path in (computer.state / "manifest.json", computer.source / "models/model.json"):
        path.write_text('{\n  "edgetpu": null,\n  "training": {\n    "edgetpu": {\n    }\n  }\n}\n')

    said = computer.install()

    assert "this release has none compiled for the Edge TPU" in said
    assert "no compiled Edge TPU model" in said


def test_the_cpus_model_is_said_before_and_after(computer: Computer) -> None:
    """A checkout without a compiled model says so in its plan, and again when all is done."""
    said = computer.install()

    assert "  model                for the CPU: this release has none compiled for the Edge TPU" in said
    assert "so the CPU runs the model" in said


def test_32_bit_bookworm_takes_what_exists_for_it(computer: Computer) -> None:
    """A 32-bit system below a 64-bit kernel gets apt's OpenCV, the 32-bit list, and no Edge TPU driver."""
    computer.set(architecture="armhf")

    said = computer.install()

    assert any(call.endswith(" python3-picamera2 python3-opencv libusb-1.0-0") for call in computer.calls())
    assert any(call.endswith("requirements/pi-32.txt") for call in computer.calls())
    assert not any(call.startswith("curl") for call in computer.calls())
    assert "no maintained one for 32-bit" in said


def test_trixie_takes_its_own_driver(computer: Computer) -> None:
    """The driver is the one built for the system."""
    computer.has_os("trixie")
    computer.set(python_version="3.13")

    computer.install()

    assert any(call.endswith("16.0tf2.19.1-1.trixie_arm64.deb") for call in computer.calls())


@pytest.mark.parametrize(
    ("codename", "advice"), [("bookworm", "CONF_SWAPSIZE=512"), ("trixie", "/etc/rpi/swap.conf")]
)
def test_a_small_pi_gets_one_thread_and_advice(computer: Computer, codename: str, advice: str) -> None:
    """On a Zero 2 W the configuration says one thread, and too little swap is named, as its system has it."""
    computer.is_board("Raspberry Pi Zero 2 W Rev 1.0")
    computer.has_memory(420, 99)
    computer.has_os(codename)

    said = computer.install()

    assert advice in said
    assert model_settings(computer) == ModelSettings(name=SMALL, threads=1)


def test_a_small_pi_with_enough_swap_is_not_nagged(computer: Computer) -> None:
    """With half a gigabyte of swap only the one thread is said."""
    computer.has_memory(420, 512)

    assert "little swap" not in computer.install()


def test_an_old_cpu_gets_the_small_model(computer: Computer) -> None:
    """Without a compiled model a Pi 4 is given the one for boards without a Coral, and its owner is told."""
    said = computer.install()

    assert model_settings(computer) == ModelSettings(name=SMALL)
    assert "nano_320, because this board's CPU runs it" in said


def test_a_new_cpu_keeps_the_default_model(computer: Computer) -> None:
    """A Pi 5, whose CPU has int8 dot products, is given no smaller model."""
    computer.has_cpu(f"{OLD_CPU} asimdhp asimddp")

    computer.install()

    assert model_settings(computer) == ModelSettings()


def test_32_bits_never_use_the_dot_products(computer: Computer) -> None:
    """Its runtime is of 2023 and has no driver: any board gets the small model, and looks for no Coral."""
    computer.set(architecture="armhf")
    computer.has_cpu("half thumb neon asimddp")

    computer.install()

    assert model_settings(computer) == ModelSettings(name=SMALL, accelerator="cpu")


def test_without_coral_a_compiled_model_is_no_reason_for_the_large_one(computer: Computer) -> None:
    """Whoever says --no-coral has the CPU run the model, and sees no amber sign of a Coral that is lost."""
    compile_models(computer)

    computer.install("--no-coral")

    assert model_settings(computer) == ModelSettings(name=SMALL, accelerator="cpu")
