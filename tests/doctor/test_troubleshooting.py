"""Test that docs/troubleshooting.md explains what the doctor says."""

from __future__ import annotations

import ast
import importlib
import json
import pkgutil
import re
from pathlib import Path

import pi_mask.doctor
from pi_mask.doctor.base import Symptom
from pi_mask.doctor.examination import NAMES
from pi_mask.doctor.report import PAGE, report_json
from pi_mask.settings import load_settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / PAGE).read_text(encoding="utf-8")
SOURCES = sorted(Path(pi_mask.doctor.__path__[0]).glob("*.py"))


def symptoms() -> list[Symptom]:
    """All that can be wrong, of every module."""
    found: dict[int, Symptom] = {}
    for module in pkgutil.iter_modules(pi_mask.doctor.__path__, "pi_mask.doctor."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Symptom):
                found[id(value)] = value
    return list(found.values())


def test_each_symptom_has_an_entry_and_each_entry_a_symptom() -> None:
    """The words in brackets are headings of the page, and no heading is left over from what is gone."""
    codes = [symptom.code for symptom in symptoms()]

    assert len(codes) == len(set(codes)) > 40
    assert sorted(re.findall(r"^### (\S+)$", TEXT, re.MULTILINE)) == sorted(codes)


def test_each_entry_says_something() -> None:
    """No heading stands alone."""
    entries = re.split(r"^#{2,3} .*$", TEXT, flags=re.MULTILINE)[1:]
    headings = re.findall(r"^#{2,3} (.*)$", TEXT, re.MULTILINE)
    texts = dict(zip(headings, entries, strict=True))

    assert [symptom.code for symptom in symptoms() if len(texts[symptom.code].split()) < 4] == []


def test_symptoms_are_found_by_this_test() -> None:
    """Every Symptom is a constant of its module, where the first test looks."""
    made, constants = 0, 0
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
        made += sum(isinstance(call.func, ast.Name) and call.func.id == "Symptom" for call in calls)
        values = [node.value for node in tree.body if isinstance(node, ast.Assign)]
        constants += sum(
            isinstance(v, ast.Call) and isinstance(v.func, ast.Name) and v.func.id == "Symptom"
            for v in values
        )

    assert made == constants == len(symptoms())


def test_every_symptom_has_advice_in_one_line() -> None:
    """What is wrong, then what to do."""
    for symptom in symptoms():
        assert symptom.message
        assert symptom.advice
        assert "\n" not in symptom.message + symptom.advice


def test_the_documented_example_has_the_keys_of_the_real_one(clean_environment: None) -> None:
    """The page's JSON is an object as --json prints it."""
    documented = json.loads(TEXT.partition("```json")[2].partition("```")[0])
    symptom = symptoms()[0]
    real = json.loads(report_json([symptom.caused_by(symptom.error("x"))], load_settings({}, environ={})))

    assert list(documented) == list(real)
    for key in ("checks", "settings"):
        assert list(documented[key][0]) == list(real[key][0])


def test_every_check_is_listed() -> None:
    """The page names each value that "check" may have."""
    listed = TEXT.partition("`check` is one of")[2].partition(".")[0]

    assert re.findall(r"`(\w+)`", listed) == list(NAMES)
