"""The names a project's Python file offers, read without running it."""

from __future__ import annotations

import ast
from pathlib import Path


def public_names(file: Path) -> tuple[str, ...]:
    """Public functions and classes at the top of a file, in its order; none where it is missing or no Python.

    A file that cannot be parsed is reported when it is imported, with its line; here it only offers no names.
    """
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return ()
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return tuple(node.name for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_"))
