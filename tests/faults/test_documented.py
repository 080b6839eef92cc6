"""Test that docs/faults.md and this suite are about the same faults."""

from __future__ import annotations

import ast
import re
from pathlib import Path

FOLDER = Path(__file__).parent
PAGE = (FOLDER.parents[1] / "docs" / "faults.md").read_text(encoding="utf-8")


def test_each_fault_has_a_row_and_each_row_a_test() -> None:
    """The page names every test of the suite, and no other."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("test_*.py"))]
    names = [node.name for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)]
    tests = {name for name in names if name.startswith("test_")}
    own = "test_each_fault_has_a_row_and_each_row_a_test"

    assert set(re.findall(r"`(test_\w+)`", PAGE)) == tests - {own}
