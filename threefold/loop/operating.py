"""Open a project to operate it: what is released goes on, whatever its folder looks like today.

The stop switch, a rollback or a look at the log must work at the worst of moments, with a canvas half edited and code
that does not import. So code is imported only where something asks for it, and in the place of a canvas that cannot be
read stands the one of the newest version, which the store keeps with the rest of its source.
"""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import replace
from pathlib import Path

import yaml

from threefold.design.canvas import Canvas
from threefold.design.reading import FILE, load
from threefold.design.settings import PREFIX, value_of
from threefold.errors import CanvasError, NotFound, ThreefoldError
from threefold.loop.archive import unpack
from threefold.loop.project import Project, find_root, open_store
from threefold.records import ModelVersion
from threefold.registry import versions
from threefold.store import Store


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
    version = _newest(store, _glimpse(root).get("project"))
    if version is None:
        store.close()
        raise wrong
    return Project(root, _canvas_of(store, version, root, wrong), store, unread=wrong)


def _store(root: Path, wrong: CanvasError) -> Store:
    """The store where the canvas would have it, as far as that can still be read."""
    told = _glimpse(root)
    folder = os.environ.get(f"{PREFIX}STORE") or told.get("store") or value_of("store")
    if not (root / folder).is_dir():
        raise wrong  # nothing was ever done here
    url, objects = (
        os.environ.get(f"{PREFIX}{name.upper()}") or told.get(name) or value_of(name) or None
        for name in ("catalogue", "objects")
    )
    store = Store.open(root / folder, url=url, objects=objects)
    store.actor = value_of("actor")
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
    return {str(name): value for name, value in told.items() if isinstance(value, str)}
