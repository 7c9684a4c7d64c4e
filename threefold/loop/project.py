"""A project, opened: canvas, code and store together."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypedDict

from threefold.design.canvas import Canvas
from threefold.design.code import ProjectCode, load_code
from threefold.design.reading import FILE, load
from threefold.design.settings import value_of
from threefold.errors import CanvasError, Conflict
from threefold.store import Store

STORE_FOLDER = ".threefold"


@dataclass(frozen=True)
class Project:
    """All that the rooms need to know about one project.

    The code is imported when it is first asked for: who only looks at the store, or operates what is released, never
    depends on it. `unread` says why the canvas in the folder cannot be used; `canvas` is then an older one.
    """

    root: Path
    canvas: Canvas
    store: Store
    unread: CanvasError | None = None

    @property
    def endpoint(self) -> str:
        """The name under which predictions are served; also the model's name."""
        return self.canvas.project

    @cached_property
    def code(self) -> ProjectCode:
        """The project's own modules.

        Raises:
            CanvasError: the canvas in the folder cannot be used, so nothing can be run by it.
            StepFailed: a module raised while it was imported.
            Conflict: the canvas was edited since it was read.
        """
        if self.unread is not None:
            raise self.unread
        code = load_code(self.root)
        if hashlib.sha256(code.sources[self.canvas.file]).hexdigest() != self.canvas.digest:
            where = str(self.canvas.file)
            raise Conflict(f"{self.canvas.file.name} changed while it was read", where, "run the command again")
        return code


def find_root(start: Path) -> Path:
    """The nearest folder at or above `start` that holds a canvas; `start` itself where there is none."""
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            return folder
    return start


def surroundings(start: Path) -> tuple[Path, Canvas | None]:
    """The root around a folder and the canvas in it; None where there is no project, and the settings' defaults hold.

    Raises:
        CanvasError: there is a canvas, and it cannot be used.
    """
    root = find_root(start.resolve())
    return root, load(root) if (root / FILE).is_file() else None


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
    project = Project(root, canvas, open_store(root, canvas, store))
    try:
        project.code  # noqa: B018  # whoever opens a project so means to run it: say now what is wrong
    except BaseException:
        project.store.close()
        raise
    return project


def open_store(root: Path, canvas: Canvas, store: Path | None = None) -> Store:
    """The store of a project, as the settings or the caller say."""
    opened = Store.open(root / value_of("store", canvas, store), **parts(canvas, store))
    opened.actor = value_of("actor", canvas)
    return opened


class Parts(TypedDict):
    """Where the parts of a store lie that may be elsewhere; None: inside its folder."""

    url: str | None  # of the catalogue
    objects: str | None


def parts(canvas: Canvas | None, store: Path | None = None) -> Parts:
    """Where catalogue and objects lie, as `Store.open` takes it.

    A store that was named has everything inside: what is tried out must not reach the database of the team.
    """
    if store:
        return {"url": None, "objects": None}
    return {"url": value_of("catalogue", canvas) or None, "objects": value_of("objects", canvas) or None}
