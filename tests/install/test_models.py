"""Tests for the compiled models that install.sh fetches from the release of the checkout's own version."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.install.stand_ins import Computer

RELEASE = "github.com/us/pi-mask/releases/download/v1.2.3"
COMPILED = '{\n  "edgetpu": {"file": "model_edgetpu.tflite"}\n}\n'
INSTALLED = "opt/pi-mask/venv/lib/python3.11/site-packages/pi_mask/models"
RESTART = "systemctl restart pi-mask.service"


def clone(computer: Computer, origin: str = "https://github.com/us/pi-mask.git") -> None:
    """Make what is unpacked a git checkout of version 1.2.3 with one model."""
    (computer.source / ".git").mkdir()
    (computer.source / ".git/config").write_text(
        f'[core]\n\tbare = false\n[remote "fork"]\n\turl = https://github.com/other/fork\n'
        f'[remote "origin"]\n\turl = {origin}\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n'
        f'[remote "third"]\n\turl = https://github.com/third/fork\n'
    )
    (computer.source / "pi_mask/__init__.py").write_text('__version__ = "1.2.3"\n')


def publish(computer: Computer, **changed: str) -> None:
    """Put the release's files where the stand-in for curl finds them; `changed` ones after summing."""
    folder = computer.state / RELEASE
    folder.mkdir(parents=True)
    files = {"model.tflite": "short", "model_edgetpu.tflite": "compiled", "model.json": COMPILED}
    sums = [f"{hashlib.sha256(text.encode()).hexdigest()}  {name}\n" for name, text in files.items()]
    for name, text in (files | {"SHA256SUMS": "".join(sums)} | changed).items():
        (folder / name).write_text(text)


def installed(computer: Computer) -> dict[str, str]:
    """The models that the service will find."""
    return {path.name: path.read_text() for path in (computer.root / INSTALLED).iterdir()}


@pytest.mark.parametrize(
    "origin",
    [
        "https://github.com/us/pi-mask",
        "https://github.com/us/pi-mask.git",
        "git@github.com:us/pi-mask.git",
        "ssh://git@github.com/us/pi-mask.git",
    ],
)
def test_a_checkout_gets_the_models_of_its_release(computer: Computer, origin: str) -> None:
    """The plan names the place; model and manifest end where the program looks, once, and it starts anew."""
    clone(computer, origin)
    computer.install("--no-coral")
    publish(computer)

    said = computer.install()

    assert f"  model                compiled for the Edge TPU, if https://{RELEASE} has it" in said
    assert "no compiled Edge TPU model" not in said
    assert installed(computer) == {"model.json": COMPILED, "model_edgetpu.tflite": "compiled"}
    assert RESTART in computer.calls()
    assert "Models compiled for the Edge TPU: there already" in computer.install()
    assert not any(RELEASE in call for call in computer.calls())
    assert RESTART not in computer.calls()


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"model_edgetpu.tflite": "half of"}, "is not the file that SHA256SUMS lists"),
        ({"model.json": "{}"}, "is not the file that SHA256SUMS lists"),
        ({"SHA256SUMS": ""}, "is not the file that SHA256SUMS lists"),
    ],
)
def test_a_model_with_another_checksum_is_not_used(
    computer: Computer, changed: dict[str, str], problem: str
) -> None:
    """Whatever is not whole stays out, is named in one line, and stops nothing."""
    clone(computer)
    publish(computer, **changed)

    said = computer.install()

    assert f"The compiled model of https://{RELEASE} {problem}. The CPU runs the model" in said
    assert installed(computer) == {"model.json": '{\n  "edgetpu": null\n}\n'}
    assert "so the CPU runs the model" in said


def test_a_model_compiled_from_another_is_not_used(computer: Computer) -> None:
    """Otherwise a checkout with a model of its own would judge one way on the CPU, another on the TPU."""
    clone(computer)
    (computer.source / "models/model.tflite").write_text("trained on")
    publish(computer)

    assert "was made of another model.tflite than this folder's" in computer.install()
    assert "model_edgetpu.tflite" not in installed(computer)


def test_without_a_release_the_cpu_works(computer: Computer) -> None:
    """No release of this version, or no network: one warning, and the next run asks again."""
    clone(computer)

    said = computer.install()
    publish(computer)
    computer.install()

    assert said.count("could not be fetched. The CPU runs the model; run this again to try again.") == 1
    assert "model_edgetpu.tflite" in installed(computer)


@pytest.mark.parametrize("origin", ["/srv/pi-mask.git", "https://git.example.org/us/pi-mask.git"])
def test_elsewhere_nobody_is_asked(computer: Computer, origin: str) -> None:
    """Only GitHub's releases have a known place."""
    clone(computer, origin)

    said = computer.install()

    assert "this release has none compiled for the Edge TPU" in said
    assert [call for call in computer.calls() if call.startswith("curl") and "libedgetpu" not in call] == []


def test_without_a_coral_none_is_fetched(computer: Computer) -> None:
    """--no-coral and 32-bit systems have no use for them."""
    clone(computer)
    publish(computer)

    assert "  model                for the CPU\n" in computer.install("--no-coral")
    assert "model_edgetpu.tflite" not in installed(computer)


def test_a_dry_run_names_each_file(computer: Computer) -> None:
    """What would be fetched, and where it would go."""
    clone(computer)
    publish(computer)

    said = computer.install("--dry-run")

    for name in ("SHA256SUMS", "model_edgetpu.tflite", "model.json"):
        assert f" https://{RELEASE}/{name}\n" in said
    assert "/model_edgetpu.tflite /tmp/pi-mask-install/models/model.json" in said


def test_a_bundle_carries_them(computer: Computer, tmp_path: Path) -> None:
    """--download fetches them, its checksums cover them, --offline installs them without the network."""
    clone(computer)
    publish(computer)
    bundle = tmp_path / "bundle"

    computer.install("--download", str(bundle))
    said = computer.install("--offline", str(bundle))

    assert {path.name for path in (bundle / "models").iterdir()} == {"model.json", "model_edgetpu.tflite"}
    assert "./models/model_edgetpu.tflite" in (bundle / "SHA256SUMS").read_text()
    assert not any(call.startswith("curl") for call in computer.calls())
    assert "compiled for the Edge TPU, from that folder" in said
    assert installed(computer) == {"model.json": COMPILED, "model_edgetpu.tflite": "compiled"}


def test_a_bundle_without_them_is_one_for_the_cpu(computer: Computer, tmp_path: Path) -> None:
    """Where they could not be fetched, the bundle is whole without."""
    clone(computer)

    said = computer.install("--download", str(tmp_path / "bundle"))
    dry = computer.install("--offline", str(tmp_path / "bundle"), "--dry-run")
    offline = computer.install("--offline", str(tmp_path / "bundle"))

    assert "could not be fetched. The CPU runs the model" in said
    assert "_edgetpu.tflite" not in dry
    assert "so the CPU runs the model" in offline
