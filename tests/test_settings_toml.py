"""Promises of pi_mask.settings_toml."""

from __future__ import annotations

import math
import string
import tomllib
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pi_mask.settings import Settings, Zone, load_settings, render_toml
from pi_mask.settings_fields import FIELDS, allowed


def by_type(key: str) -> st.SearchStrategy[object]:
    """Values that a setting allows, from its own bounds."""
    field = FIELDS[key]
    kinds = get_args(field.annotation) or (field.annotation,)
    if get_origin(field.annotation) is Literal:
        return st.sampled_from(kinds)
    optional: st.SearchStrategy[object] = st.none() if NoneType in kinds else st.nothing()
    if bool in kinds:
        return st.booleans()
    if str in kinds:
        return st.text(max_size=64) | st.text(string.printable + "\x00\x7f\u2028", max_size=64)
    if Zone in kinds:
        side = st.floats(0, 0.5, exclude_max=True), st.floats(0.5, 1)
        return st.tuples(side[0], side[0], side[1], side[1]).map(lambda sides: Zone(*sides))
    low = next(getattr(bound, "ge", getattr(bound, "gt", None)) for bound in field.metadata)
    high = [getattr(bound, "le", getattr(bound, "lt", None)) for bound in field.metadata][-1]
    assert low is not None
    assert high is not None
    if int in kinds:
        return optional | st.integers(low, high)
    return optional | st.floats(math.nextafter(low, high), math.nextafter(high, low))


@st.composite
def any_settings(draw: st.DrawFn) -> Settings:
    """Valid settings of any kind."""
    values = {key: draw(by_type(key)) for key in FIELDS if not key.endswith("_pin")}
    pins = draw(st.lists(st.integers(0, 27), min_size=5, max_size=5, unique=True))
    for key, pin in zip([key for key in FIELDS if key.endswith("_pin")], pins, strict=True):
        is_missing = NoneType in get_args(FIELDS[key].annotation) and draw(st.booleans())
        values[key] = None if is_missing else pin
    values["indicator.gpio.quiet_hours"] = draw(st.sampled_from(["", "22:00-06:30", "00:00-23:59"]))
    values["policy.keep_share"] = draw(st.floats(0.01, 0.5))
    most = int(values["policy.vote_window_s"] * values["camera.fps"])
    values["policy.min_votes"] = draw(st.integers(1, max(1, min(most, 30))))
    values["tracker.max_age_s"] = draw(st.floats(1 / values["camera.fps"], 10))
    values["policy.hold_green_s"] = draw(st.floats(0, 0.19))
    document: dict[str, Any] = {}
    for key, value in values.items():
        table = document
        *sections, name = key.split(".")
        for section in sections:
            table = table.setdefault(section, {})
        table[name] = value
    return Settings.model_validate(document)


@given(wanted=any_settings())
@hypothesis_settings(deadline=None, derandomize=True)
def test_what_is_written_reads_back(wanted: Settings, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Any valid settings, written as TOML and loaded again, are equal."""
    path = tmp_path_factory.mktemp("settings") / "config.toml"
    path.write_bytes(render_toml(wanted).encode())

    assert load_settings({}, config=path, environ={}).settings == wanted


def test_the_written_file_is_complete() -> None:
    """Every key is there, after its description, its range and its default."""
    text = render_toml(Settings())
    document = tomllib.loads(text)
    written = []
    for key in FIELDS:
        *sections, name = key.split(".")
        table = document
        for section in sections:
            table = table[section]
        written.append(name in table)

    comments = " ".join(line.removeprefix("# ") for line in text.splitlines() if line.startswith("# "))
    assert all(written)
    for key, field in FIELDS.items():
        assert f"{field.description} Allowed: {allowed(key)}. Default: " in comments


def test_the_written_file_tells_sources(tmp_path: Path) -> None:
    """With sources each value is followed by where it comes from, and the text still loads."""
    config = tmp_path / "a\nb.toml"
    config.write_text("[camera]\nwidth = 320\n", encoding="utf-8")
    loaded = load_settings({"policy.who": "everybody"}, config=config, environ={})

    text = render_toml(loaded.settings, loaded.sources)

    lines = text.splitlines()
    assert 'who = "everybody"  # flag --who' in lines
    assert f"width = 320  # file {tmp_path}/a�b.toml" in lines
    assert "height = 480  # default" in lines
    path = tmp_path / "again.toml"
    path.write_text(text, encoding="utf-8")
    assert load_settings({}, config=path, environ={}).settings == loaded.settings
