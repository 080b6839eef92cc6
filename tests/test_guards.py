"""Test what must stay true of the whole repository."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from pi_mask.commands.group import cli
from pi_mask.manifest import DEFAULT_MODEL, load_manifest, models_dir, read_model, shipped_models
from pi_mask.settings import RESERVED_VARIABLES

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pi_mask"
MODULES = sorted(PACKAGE.rglob("*.py"))
HEAVY = {"cv2", "numpy", "pydantic", "ai_edge_litert", "tflite_runtime", "gpiozero", "picamera2", "libcamera"}
FRAME_WRITERS = {"imwrite", "imwritemulti", "imencode", "VideoWriter", "tofile", "save", "savez", "savetxt"}
VENDORS = {
    "ai_edge_litert": ("inference/",),
    "tflite_runtime": ("inference/",),
    "gpiozero": ("indicator/", "testing.py"),
    "picamera2": ("camera/picamera.py",),
    "libcamera": ("camera/picamera.py",),
}


def name_of(path: Path) -> str:
    """A module's path within the package."""
    return path.relative_to(PACKAGE).as_posix()


def imported(path: Path) -> Iterator[str]:
    """The full names of all that a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def methods_called(path: Path) -> set[str]:
    """The names of all attributes that a module calls."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {
        node.func.attr
        for node in nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }


def commands(group: click.Group, path: str) -> Iterator[str]:
    """Every command as it is typed."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}"


@pytest.mark.parametrize(
    "code",
    [
        "import pi_mask",
        "import pi_mask.cli; pi_mask.cli.main(['--help'])",
        "import pi_mask.cli; pi_mask.cli.main(['run', '--help'])",
        "import pi_mask.cli; pi_mask.cli.main(['--version'])",
    ],
    ids=["import", "help", "help of a command", "version"],
)
def test_import_and_help_are_light(code: str) -> None:
    """Neither importing pi_mask nor its help loads anything heavy."""
    program = f"""
import json, sys
try:
    {code}
except SystemExit as end:
    assert end.code == 0
print("\\n" + json.dumps(sorted(sys.modules)))
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    loaded = {module.partition(".")[0] for module in json.loads(result.stdout.splitlines()[-1])}
    assert "pi_mask" in loaded
    assert loaded & HEAVY == set()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_the_package_needs_neither_training_nor_tests(path: Path) -> None:
    """What is installed at the door never imports what made the model or what tests it."""
    roots = {name.partition(".")[0] for name in imported(path)}

    assert roots & {"training", "tests", "torch", "lightning", "pytest", "hypothesis"} == set()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_vendors_stay_in_their_back_ends(path: Path) -> None:
    """Only a back end imports its vendor's module, so that the others work without it."""
    roots = {name.partition(".")[0] for name in imported(path)}

    strangers = {
        vendor for vendor, homes in VENDORS.items() if vendor in roots and not name_of(path).startswith(homes)
    }
    assert strangers == set()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_click_is_used_as_its_oldest_version_allows(path: Path) -> None:
    """Subscripts of click's classes, such as click.ParamType[int], fail at import before click 8.4."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    subscripted = [ast.unparse(node.value) for node in nodes if isinstance(node, ast.Subscript)]

    assert [name for name in subscripted if name.startswith("click.")] == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_writes_or_sends_a_frame(path: Path) -> None:
    """Pictures are written by one module, which --output, record and the demo reach; none are sent away."""
    names = set(imported(path))
    roots = {".".join(name.split(".")[:2]) for name in names} | {name.partition(".")[0] for name in names}

    is_writer = name_of(path) == "output.py"
    may_write = name_of(path) in {"commands/detect.py", "record.py"} or name_of(path).startswith("demo/")
    assert is_writer or methods_called(path) & FRAME_WRITERS == set()
    assert is_writer or may_write or "pi_mask.output" not in roots
    assert name_of(path) == "commands/record.py" or "pi_mask.record" not in roots
    assert roots & {"requests", "urllib.request", "http.client", "ftplib", "smtplib", "paramiko"} == set()


def test_the_guard_sees_the_one_writer() -> None:
    """The module that may write pictures does so by the names that the guard looks for."""
    assert methods_called(PACKAGE / "output.py") >= {"imencode", "VideoWriter"}


def test_the_documentation_names_every_command() -> None:
    """README or docs show each command as it is typed."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)

    assert [command for command in commands(cli, "pi-mask") if command not in text] == []


def test_debugging_is_no_unknown_setting() -> None:
    """The variable that main reads may stand beside the settings' variables."""
    assert "PI_MASK_DEBUG" in RESERVED_VARIABLES


def test_the_default_model_is_shipped() -> None:
    """The model that is used without --model is there, and listed first."""
    assert shipped_models()[:1] == (DEFAULT_MODEL,)


def test_manifests_match_the_files_beside_them() -> None:
    """Each manifest is named after itself and its files have its checksums; no model is without one."""
    described = set()
    for name in shipped_models():
        path = models_dir() / f"{name}.json"
        manifest = load_manifest(path)
        assert manifest.name == name
        for file in filter(None, (manifest.cpu, manifest.edgetpu)):
            assert read_model(path, file)
            described.add(file.file)

    assert described
    assert described == {path.name for path in models_dir().glob("*.tflite")}
