"""Open a project to operate it: what is released goes on, whatever its folder looks like today.

The stop switch, a rollback or a look at the log must work at the worst of moments, with a canvas half edited and code
that does not import. So code is imported only where something asks for it, and in the place of a canvas that cannot be
read stands the one of the newest version, which the store keeps with the rest of its source.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from threefold.design.canvas import Canvas
from threefold.design.reading import FILE, load
from threefold.design.settings import find, value_of
from threefold.errors import CanvasError, NotFound, ThreefoldError
from threefold.loop.archive import unpack
from threefold.loop.project import Parts, Project, find_root, open_store
from threefold.records import ModelVersion
from threefold.registry import versions
from threefold.store import Store


@dataclass(frozen=True, slots=True)
class Around:
    """What stands around a folder: a project, a project whose canvas cannot be used, or none."""

    root: Path
    canvas: Canvas | None = None
    unread: CanvasError | None = None
    told: Mapping[str, str] = field(default_factory=dict)  # the settings that an unusable canvas still tells

    def value(self, name: str, flag: object = None) -> str:
        """One setting: by flag, environment or canvas; of a canvas that cannot be used, what it still says of it."""
        if flag is None and name in self.told and not os.environ.get(find(name).variable):
            try:
                return value_of(name, None, self.told[name])
            except ThreefoldError:
                return value_of(name)  # that is one of the findings
        return value_of(name, self.canvas, flag)

    def parts(self, folder: Path | None = None) -> Parts:
        """Where catalogue and objects lie, as `project.parts` says."""
        if folder:
            return {"url": None, "objects": None}
        return {"url": self.value("catalogue") or None, "objects": self.value("objects") or None}


def around(start: Path) -> Around:
    """What stands around a folder. Raises nothing for a canvas that cannot be used: see `unread`."""
    root = find_root(start.resolve())
    if not (root / FILE).is_file():
        return Around(root)
    try:
        return Around(root, load(root))
    except CanvasError as wrong:
        return Around(root, unread=wrong, told=_glimpse(root))


def canvas_for(root: Path, store: Store) -> Canvas:
    """The canvas to operate by: the one in the folder, or where that cannot be used, the one of the newest version.

    Raises:
        CanvasError: there is none of both.
    """
    try:
        return load(root)
    except CanvasError as wrong:
        return _older(root, store, wrong)


def duties_are_separate(canvas: Canvas | None, model: str) -> bool:
    """Whether who made a version of a model may not approve it: by the risk in its canvas, or by the setting."""
    high = canvas is not None and canvas.project == model and canvas.value.risk == "high"
    return high or value_of("separate_approvals", canvas) == "1"


def open_to_operate(start: Path) -> Project:
    """The project around a folder; its code is not imported, and its canvas may be an older one: see `unread`.

    Raises:
        CanvasError: the canvas cannot be used, and the store knows no version to go by.
        StoreError: the store cannot be used.
    """
    root = find_root(start.resolve())
    try:
        canvas = load(root)
    except CanvasError as wrong:
        return _by_the_store(root, wrong)
    return Project(root, canvas, open_store(root, canvas))


def open_memory(start: Path) -> Store:
    """The store around a folder, for who asks for nothing else: its canvas may be in any state."""
    root = find_root(start.resolve())
    try:
        return open_store(root, load(root))
    except CanvasError as wrong:
        return _store(root, wrong)


def _by_the_store(root: Path, wrong: CanvasError) -> Project:
    store = _store(root, wrong)
    try:
        return Project(root, _older(root, store, wrong), store, unread=wrong)
    except BaseException:
        store.close()
        raise


def _older(root: Path, store: Store, wrong: CanvasError) -> Canvas:
    """The canvas of the newest version. Raises what is wrong with the one in the folder where there is none."""
    version = _newest(store, _glimpse(root).get("project"))
    if version is None:
        raise wrong
    return _canvas_of(store, version, root, wrong)


def _store(root: Path, wrong: CanvasError) -> Store:
    """The store where the canvas would have it, as far as that can still be read."""
    here = Around(root, unread=wrong, told=_glimpse(root))
    folder = root / here.value("store")
    if not folder.is_dir():
        raise wrong  # nothing was ever done here
    store = Store.open(folder, **here.parts())
    store.actor = here.value("actor")
    return store


def _newest(store: Store, name: str | None) -> ModelVersion | None:
    """The newest version of the project; of the only one in the store, where its name cannot be read."""
    known = tuple(one for one in versions.list_versions(store) if one.lineage.code.get("archive"))
    mine = [one for one in known if one.name == name] or (known if len({one.name for one in known}) == 1 else ())
    return max(mine, key=lambda one: one.number, default=None)


def _canvas_of(store: Store, version: ModelVersion, root: Path, wrong: CanvasError) -> Canvas:
    with tempfile.TemporaryDirectory(prefix="threefold-canvas-") as folder:
        try:
            unpack(store.objects.get(version.lineage.code["archive"]), Path(folder))
            return replace(load(Path(folder)), root=root, file=root / FILE)
        except (ThreefoldError, NotFound):
            raise wrong from None


def _glimpse(root: Path) -> dict[str, str]:
    """The name and the settings that a broken canvas still tells."""
    try:
        text = (root / FILE).read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        return {}
    try:
        read = yaml.safe_load(text)
    except yaml.YAMLError:
        found = re.search(r"^project:[ \t]*([\w.-]+)", text, re.MULTILINE)
        return {"project": found[1]} if found else {}
    read = read if isinstance(read, dict) else {}
    settings = read.get("settings") if isinstance(read.get("settings"), dict) else {}
    told = {**(settings or {}), "project": read.get("project")}
    return {str(name): str(value) for name, value in told.items() if type(value) in (str, int)}
