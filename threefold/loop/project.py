"""A project, opened: canvas, code and store together."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from threefold.design.canvas import Canvas
from threefold.design.code import ProjectCode, load_code
from threefold.design.reading import load
from threefold.design.settings import value_of
from threefold.errors import Conflict
from threefold.store import Store

STORE_FOLDER = ".threefold"


@dataclass(frozen=True, slots=True)
class Project:
    """All that the rooms need to know about one project."""

    root: Path
    canvas: Canvas
    code: ProjectCode
    store: Store

    @property
    def endpoint(self) -> str:
        """The name under which predictions are served; also the model's name."""
        return self.canvas.project


def find_root(start: Path) -> Path:
    """The nearest folder at or above `start` that holds a canvas; `start` itself where there is none."""
    for folder in (start, *start.parents):
        if (folder / "threefold.yaml").is_file():
            return folder
    return start


def open_project(start: Path, *, store: Path | None = None) -> Project:
    """Read the canvas, import the project's code, open its store.

    Args:
        start: the project's folder, or one inside it.
        store: another folder for the store; default is what the settings say.
    Raises:
        CanvasError, StepFailed, StoreError: the canvas, the code or the store cannot be used.
        Conflict: the canvas was edited in this very moment.
    """
    root = find_root(start.resolve())
    canvas = load(root)
    code = load_code(root)
    if hashlib.sha256(code.sources[canvas.file]).hexdigest() != canvas.digest:
        raise Conflict(f"{canvas.file.name} changed while it was read", str(canvas.file), "run the command again")
    # A store that was named has its catalogue inside: what is tried out must not reach the team's database.
    url = None if store else value_of("catalogue", canvas) or None
    opened = Store.open(root / value_of("store", canvas, store), url=url)
    opened.actor = value_of("actor", canvas)
    return Project(root, canvas, code, opened)
