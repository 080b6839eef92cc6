"""Test the check of the Coral."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pytest

from pi_mask.doctor.coral import check_coral, find_usb
from pi_mask.doctor.machine import Service
from pi_mask.settings import ModelSettings, Settings
from tests.colour_model import install_model
from tests.doctor.made_up import Programs, Root, advised, found
from tests.inference.fake_driver import FakeDriver, compile_fake_driver, plugged_in_driver
from tests.tiny_model import COMPILED_MODEL, write_model

FRESH, USED = ("1a6e", "089a"), ("18d1", "9302")


def plug_in(root: Root, ids: tuple[str, str] = FRESH, speed: str = "5000", port: str = "2-1") -> Path:
    """Put a stick on the bus; return its device node."""
    folder = f"sys/bus/usb/devices/{port}"
    numbers = {"busnum": "2", "devnum": "7", "speed": speed}
    for name, value in {"idVendor": ids[0], "idProduct": ids[1], **numbers}.items():
        root.put(f"{folder}/{name}", f"{value}\n")
    root.put("sys/bus/usb/devices/2-0:1.0/bInterfaceClass", "09\n")
    return root.put("dev/bus/usb/002/007")


@dataclass(frozen=True, slots=True)
class Bench:
    """A machine with a driver that does as told, and a model compiled for it."""

    root: Root
    driver: FakeDriver
    model: Path

    def check(
        self, accelerator: str = "auto", service: Service | None = None
    ) -> tuple[list[tuple[str, str, str]], list[str]]:
        """What is found, and the advice."""
        model = ModelSettings.model_validate({"name": str(self.model), "accelerator": accelerator})
        results = list(check_coral(self.root.machine(service), Settings(model=model)))
        return found(results), advised(results)


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in of libedgetpu."""
    return compile_fake_driver(tmp_path_factory.mktemp("doctor-driver"))


@pytest.fixture
def bench(
    root: Root, programs: Programs, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Bench:
    """A stick that works, with the stand-in in the place of libedgetpu."""
    monkeypatch.setattr("pi_mask.inference.libedgetpu.default_library", lambda: str(library))
    monkeypatch.setattr("pi_mask.inference.edgetpu.default_library", lambda: str(library))
    state = tmp_path / "driver"
    state.mkdir()
    return Bench(root, plugged_in_driver(library, state, monkeypatch), _compiled_model(tmp_path))


def _compiled_model(folder: Path) -> Path:
    content = write_model(COMPILED_MODEL)
    (folder / "colours_edgetpu.tflite").write_bytes(content)
    checksum = hashlib.sha256(content).hexdigest()
    manifest = install_model(folder, edgetpu={"file": "colours_edgetpu.tflite", "sha256": checksum})
    return manifest.with_suffix(".tflite")


def see_the_stand_in_work(monkeypatch: pytest.MonkeyPatch, outcome: Exception | None = None) -> None:
    """Let the trial in a child process end so; tests/inference/test_probe.py has the real one."""

    def probe(_model: bytes, *, device: str) -> None:
        assert device == ""
        if outcome is not None:
            raise outcome

    monkeypatch.setattr("pi_mask.inference.probe.probe", probe)


@pytest.mark.parametrize(
    ("ids", "used"), [(FRESH, "1a6e:089a (not used"), (USED, "18d1:9302 (used")], ids=["fresh", "used"]
)
def test_a_stick_is_known_under_both_of_its_names(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, ids: tuple[str, str], used: str
) -> None:
    """Before and after its first use; driver and trial are reported."""
    plug_in(bench.root, ids)
    see_the_stand_in_work(monkeypatch)

    assert bench.check() == (
        [
            ("ok", "", f"USB 2-1, 5000 Mb/s, {used} since it was plugged in)"),
            ("ok", "", "Driver: fake-edgetpu 1.0"),
            ("ok", "", "The compiled model ran once"),
        ],
        [],
    )


def test_other_usb_devices_are_none(root: Root) -> None:
    """Neither a hub nor a device of the same maker is a Coral; without a bus there is none."""
    nothing = find_usb(root.folder)
    plug_in(root, ("18d1", "4ee7"), port="1-1")
    plug_in(root, ("1d6b", "0003"), port="2-2")

    assert (nothing, find_usb(root.folder)) == ((), ())


@pytest.mark.parametrize(("accelerator", "status"), [("auto", "warning"), ("edgetpu", "fault")])
def test_a_missing_coral_is_a_fault_where_it_was_asked_for(
    bench: Bench, accelerator: str, status: str
) -> None:
    """Under auto the CPU stands in."""
    assert bench.check(accelerator) == (
        [(status, "coral-missing", "No Coral is plugged in.")],
        ["Plug it in (a USB 3 port, its own cable, no hub), or set model.accelerator to cpu."],
    )


def test_the_cpu_by_name_needs_no_coral(bench: Bench) -> None:
    """It is only said whether one is there."""
    without = bench.check("cpu")[0]
    bench.root.put("dev/apex_0")

    assert without == [("ok", "", "None plugged in; not used (accelerator cpu)")]
    assert bench.check("cpu")[0] == [("ok", "", "PCIe apex_0; not used (accelerator cpu)")]


@pytest.mark.parametrize(
    ("speed", "is_slow"), [("480", True), ("5000", False), ("10000", False), ("", False)]
)
def test_usb_2_is_a_warning(bench: Bench, monkeypatch: pytest.MonkeyPatch, speed: str, is_slow: bool) -> None:
    """The bus's speed tells the port; one that is not told is not guessed."""
    plug_in(bench.root, speed=speed)
    see_the_stand_in_work(monkeypatch)

    slow = ("warning", "coral-usb2", f"The Coral runs on USB 2 ({speed} Mb/s), which is slower.")
    assert (slow in bench.check()[0]) is is_slow


def test_a_stick_that_may_not_be_opened(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The node is named, and what gives the right to it."""
    node = plug_in(bench.root)
    see_the_stand_in_work(monkeypatch)
    monkeypatch.setattr("os.access", lambda path, _: path != node)

    results, advice = bench.check("edgetpu")

    assert results[1] == ("fault", "coral-no-access", f"This user may not open the Coral ({node}).")
    assert "plugdev" in advice[0]


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        ("libedgetpu1-std 16.0tf2.19.1-1", []),
        ("libedgetpu1-std 16.0", ["coral-old-driver"]),
        ("libedgetpu1-max 16.0tf2.19.1-1", ["coral-hot-driver"]),
        ("libedgetpu1-max 15.0", ["coral-old-driver", "coral-hot-driver"]),
    ],
)
def test_old_and_hot_drivers_are_warned_of(
    bench: Bench, programs: Programs, monkeypatch: pytest.MonkeyPatch, installed: str, expected: list[str]
) -> None:
    """Google's of 2021 have no TensorFlow version in their own; max is the one at the highest clock."""
    package, version = installed.split()
    plug_in(bench.root)
    see_the_stand_in_work(monkeypatch)
    programs.script("dpkg-query", f'case "$*" in *{package}*) echo {version};; *) exit 1;; esac')

    assert [code for _, code, _ in bench.check()[0] if code] == expected


def test_without_a_driver_nothing_is_tried(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the library that is not there."""
    plug_in(bench.root)
    monkeypatch.setattr("pi_mask.inference.libedgetpu.default_library", lambda: "libnothing.so.1")

    results, advice = bench.check("edgetpu")

    assert [(status, code) for status, code, _ in results[1:]] == [("fault", "coral-no-driver")]
    assert results[1][2].startswith("The Edge TPU driver cannot be loaded (libnothing.so.1: ")
    assert advice == ["Install the Edge TPU driver (install.sh does), or use --accelerator cpu."]


def test_a_model_that_is_not_compiled(bench: Bench, tmp_path: Path) -> None:
    """The Coral has nothing to run, so the CPU does the work."""
    plug_in(bench.root)
    install_model(tmp_path)

    results, advice = bench.check()

    assert results[2:] == [
        (
            "warning",
            "coral-no-model",
            "Model colours has no file compiled for the Edge TPU, so the CPU does the work.",
        )
    ]
    assert advice == ["Compile it (docs/edge-tpu.md), or set model.accelerator to cpu."]


def test_a_damaged_model_is_the_models_own_matter(bench: Bench) -> None:
    """Nothing is said of it here, and it is not run."""
    plug_in(bench.root)
    bench.model.with_name("colours_edgetpu.tflite").write_bytes(b"rust")

    assert [message for _, _, message in bench.check()[0]][1:] == ["Driver: fake-edgetpu 1.0"]


def test_the_running_service_keeps_its_coral(bench: Bench) -> None:
    """A second program would be refused."""
    plug_in(bench.root)

    results, _ = bench.check(service=Service(load="loaded", active="active", sub="running"))

    assert results[2:] == [("ok", "", "Not tried: the service uses it")]


def test_a_service_that_does_without_its_coral_is_a_warning(bench: Bench) -> None:
    """The stick is plugged in, and the service says that it runs on the CPU."""
    plug_in(bench.root)
    status = "Watching on the CPU, without the Edge TPU: idle."

    results, _ = bench.check(service=Service(load="loaded", active="active", sub="running", status=status))

    assert results[2:] == [
        ("warning", "coral-unused", "Not tried: the service is running, and does without it, on the CPU.")
    ]


def test_a_trial_that_crashes_is_a_finding(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in aborts its process when the model is loaded; the doctor lives on."""
    plug_in(bench.root)
    bench.driver.tell("crash", "prepare")
    # The child process does not know of the other library by itself.
    from pi_mask.inference import probe

    real = probe.probe
    monkeypatch.setattr(
        probe, "probe", lambda model, *, device: real(model, device=device, library=bench.driver.library)
    )

    results, advice = bench.check("edgetpu")

    assert results[2][:2] == ("fault", "coral-fails")
    assert results[2][2].startswith("The Edge TPU driver crashed (SIGABRT).")
    assert "Install a newer driver" in advice[0]
