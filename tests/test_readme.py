"""Tests that the documentation tells the truth about commands, targets, links and JSON."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from pi_mask.commands.group import cli
from pi_mask.demo.__main__ import main as demo
from pi_mask.report import Tally, frame_json, summary_json, verdict_json
from pi_mask.types import (
    BoundingBox,
    Detection,
    Frame,
    Latency,
    MaskLabel,
    Observation,
    Person,
    Track,
    Verdict,
)
from tests.conftest import Invoke

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = sorted(path for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))
JSON_PAGE = (ROOT / "docs" / "json.md").read_text()
LINKED = sorted((*PAGES, *ROOT.glob("training/*.md"), *ROOT.glob("models/*.md")))
_EXAMPLE = re.compile(r"```json\n(.*?)\n```", re.DOTALL)
_COMMAND = re.compile(r"(?:^    (?:\S*/)?|`(?:\S*/)?)pi-mask((?: [^`\n#]+)?)(?:`|#|$)", re.MULTILINE)


def _commands(text: str) -> Iterator[list[str]]:
    """The arguments of every pi-mask command in indented blocks and between backquotes."""
    for match in _COMMAND.finditer(text):
        yield shlex.split(match.group(1))


DOCUMENTED = sorted(
    {(page.name, *arguments) for page in PAGES for arguments in _commands(page.read_text()) if arguments}
)


def _parse(command: click.Command, arguments: list[str]) -> None:
    """Let click parse a command line as it would, short of running it; --help would end it there."""
    name = "pi-mask"
    arguments = [argument for argument in arguments if argument != "--help"]
    while isinstance(command, click.Group) and arguments:
        name, *arguments = arguments
        assert name in command.commands, f"there is no command {name}"
        command = command.commands[name]
    if arguments or not isinstance(command, click.Group):
        command.make_context(name, arguments)


@pytest.mark.parametrize("documented", DOCUMENTED, ids=" ".join)
def test_documented_commands_exist(documented: tuple[str, ...]) -> None:
    """Every pi-mask command in the documentation is one that click accepts."""
    arguments = list(documented[1:])
    # Prose names a command without its arguments: `pi-mask detect`.
    if len(arguments) == 1 and arguments[0] in cli.commands:
        return
    _parse(cli, arguments)


def test_an_unknown_option_would_be_noticed() -> None:
    """The check above fails for an option that does not exist."""
    with pytest.raises(click.NoSuchOption):
        _parse(cli, ["run", "--no-such-option"])


def test_make_targets_in_the_documentation_exist() -> None:
    """Every `make target` in the documentation is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = "\n".join(page.read_text() for page in PAGES)
    named = set(re.findall(r"(?:^    |`)make ([a-z-]+)", text, re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


def _anchors(page: Path) -> set[str]:
    """What "#" may name on a page: its headings, in small letters and without signs, as GitHub has them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", LINKED, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link in the documentation leads to a file, folder or heading of the repository."""
    links = re.findall(r"\]\(([^)#]*)#?([^)]*)\)", page.read_text())
    local = [(page.parent / path if path else page, anchor) for path, anchor in links if "://" not in path]
    assert [path for path, _ in local if not path.exists()] == []
    assert [(path, anchor) for path, anchor in local if anchor and anchor not in _anchors(path)] == []


def _keys(value: object) -> object:
    """The shape of a JSON value: its keys, and the shape of the first element of its lists."""
    if isinstance(value, dict):
        return {key: _keys(inner) for key, inner in value.items()}
    return [_keys(value[0])] if isinstance(value, list) and value else None


def test_json_examples_have_the_real_keys() -> None:
    """The README's JSON lines have exactly the keys that the program writes."""
    import numpy as np

    box = BoundingBox(1.0, 2.0, 3.0, 4.0)
    face = Detection(box, MaskLabel.WITH_MASK, 0.9)
    frame = Frame(np.zeros((4, 6, 3), np.uint8), 0.5, 1, "clip.mp4")
    people = (Person(Track(1, box, 5, 0.5, 0.5, ()), Verdict.NO_MASK),)
    written = [
        frame_json(frame, [face], Latency(1.0, 2.0, 3.0)),
        verdict_json(Observation(frame, (face,), people, Verdict.NO_MASK)),
        summary_json(Tally().summary(1.0, 0)),
    ]
    examples = _EXAMPLE.findall(README)
    assert [_keys(json.loads(line)) for line in examples] == [_keys(json.loads(line)) for line in written]


def test_the_page_of_json_has_the_real_keys(invoke: Invoke, model: Path) -> None:
    """The lines of bench, config show and models have exactly the keys that docs/json.md gives them."""
    commands = (("bench", "--model", model, "--frames", 2), ("config", "show"), ("models",))
    written = [invoke(*command, "--json").lines[0] for command in commands]
    examples = _EXAMPLE.findall(JSON_PAGE)
    assert [_keys(json.loads(line)) for line in examples] == [_keys(json.loads(line)) for line in written]


def test_the_page_of_json_names_every_command_that_prints_it() -> None:
    """Whoever adds --json to a command says what it prints."""
    named = set(re.findall(r"^\| `pi-mask ([a-z ]+)(?: PATH)? --json`", JSON_PAGE, re.MULTILINE))
    assert named == {name for name, command in _leaves(cli) if _takes_json(command)}


def _leaves(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command with its full name."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _leaves(command, f"{before}{name} ")
        else:
            yield before + name, command


def _takes_json(command: click.Command) -> bool:
    return any("--json" in parameter.opts for parameter in command.params)


def test_exit_codes_agree_with_the_help() -> None:
    """The README's table of exit codes says what --help says."""
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", README, re.MULTILINE)
    assert cli.epilog is not None
    assert rows == re.findall(r"^  (\d+) +(.+)$", cli.epilog, re.MULTILINE)


def test_the_demo_takes_the_documented_options() -> None:
    """The options named at the top of the demo's module are its options."""
    module = (ROOT / "pi_mask" / "demo" / "__main__.py").read_text()
    documented = set(re.findall(r"--[a-z]+", module.split('"""')[1]))
    assert documented == {option for parameter in demo.params for option in parameter.opts}
