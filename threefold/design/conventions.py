"""Functions of a project that nobody will call, because their name is a letter away from one that means something."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from threefold.design.canvas import Canvas
from threefold.errors import Finding

NEAR = 0.75  # how alike a name must be to be taken for a slip; "clean_order" and "clean_orders" are 0.96
CLEAN = "clean_"


def misnamed(canvas: Canvas) -> list[Finding]:
    """The functions of data.py that look like cleaning and belong to no table, each with the nearest right name."""
    right = [f"{CLEAN}{table}" for table in canvas.data]
    return [
        Finding(_what(name), f"data.py:{line}", _do(name, right))
        for name, line in _functions(canvas.root / "data.py")
        if name not in right and (name.startswith(CLEAN) or get_close_matches(name, right, n=1, cutoff=NEAR))
    ]


def _functions(file: Path) -> Iterator[tuple[str, int]]:
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return  # what is no Python is reported when it is imported
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node.name, node.lineno


def _what(name: str) -> str:
    if not name.startswith(CLEAN):
        return f"'{name}' would never be called: what cleans a table is named {CLEAN}<table>"
    return f"'{name}' would never be called: no table of the canvas is named '{name.removeprefix(CLEAN)}'"


def _do(name: str, right: list[str]) -> str:
    near = get_close_matches(name, right, n=1, cutoff=0.5)
    meant = f"did you mean '{near[0]}'? " if near else f"the names that are called: {', '.join(right)}; "
    return meant + "a function of your own that is called elsewhere begins with an underscore"
