"""Functions of a project that nobody will call, because their name is a letter away from one that means something."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from threefold.design.canvas import Canvas
from threefold.design.outline import public_names
from threefold.design.words import advise
from threefold.errors import Finding

NEAR = 0.75  # how alike a name must be to be taken for a slip; "clean_order" and "clean_orders" are 0.96
CLEAN = "clean_"


def misnamed(canvas: Canvas) -> list[Finding]:
    """The functions whose names would lead nowhere: cleaning of no table, views of no table. With the nearest right name."""
    made = {step.table.partition(":")[0].strip() for step in canvas.steps if step.table}
    tables = [*canvas.data, *sorted(made), *public_names(canvas.root / "steps.py")]
    return [*_cleaning(canvas), *_views(canvas, tables)]


def _views(canvas: Canvas, tables: list[str]) -> Iterator[Finding]:
    for node in _functions(canvas.root / "features.py"):
        taken = node.args.posonlyargs + node.args.args
        named = [one.arg for one in taken[: len(taken) - len(node.args.defaults)]]
        if len(named) == 1 and named[0] not in tables:
            what = f"view '{node.name}' takes '{named[0]}', which is no table"
            do = advise(named[0], tables, "the tables are") + "; a function that is no view begins with an underscore"
            yield Finding(what, f"features.py:{node.lineno}", do)


def _cleaning(canvas: Canvas) -> list[Finding]:
    right = [f"{CLEAN}{table}" for table in canvas.data]
    return [
        Finding(_what(node.name), f"data.py:{node.lineno}", _do(node.name, right))
        for node in _functions(canvas.root / "data.py")
        if node.name not in right
        and (node.name.startswith(CLEAN) or get_close_matches(node.name, right, n=1, cutoff=NEAR))
    ]


def _functions(file: Path) -> Iterator[ast.FunctionDef]:
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return  # what is no Python is reported when it is imported
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node


def _what(name: str) -> str:
    if not name.startswith(CLEAN):
        return f"'{name}' would never be called: what cleans a table is named {CLEAN}<table>"
    return f"'{name}' would never be called: no table of the canvas is named '{name.removeprefix(CLEAN)}'"


def _do(name: str, right: list[str]) -> str:
    near = get_close_matches(name, right, n=1, cutoff=0.5)
    meant = f"did you mean '{near[0]}'? " if near else f"the names that are called: {', '.join(right)}; "
    return meant + "a function of your own that is called elsewhere begins with an underscore"
