"""The project's own Python, found by convention: data.py, features.py, model.py, checks.py, steps.py."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from inspect import isclass, isfunction
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from threefold.design import frozen
from threefold.design.frozen import Imported, Sources, digest_of
from threefold.design.opened import Opened, is_foreign, listening, stamp_of
from threefold.errors import Conflict, StepFailed

Convention = Literal["data", "features", "model", "checks", "steps"]
MODULES: tuple[Convention, ...] = ("data", "features", "model", "checks", "steps")
KEPT = (".py", ".yaml", ".yml", ".sql")

# What was imported for which project. A project is one code base at a time; when any of its files changed, or a file
# that one of its modules has read, all of its modules are imported anew, since they may have imported one another.
_loaded: dict[Path, Imported] = {}


@dataclass(frozen=True, slots=True)
class ProjectCode:
    """The modules of one project. Functions are looked up by convention; the rest is the project's own business.

    `sources` is what the files held when they were imported: for as long as this code runs, they are what counts.
    """

    root: Path
    modules: dict[str, ModuleType]
    sources: Sources  # .py, .yaml, .sql of the project; hidden folders and environments left out
    imported: Imported  # the modules among them, and which files they have read

    def module(self, name: Convention) -> ModuleType | None:
        """One of the five modules; None where the project has no such file."""
        return self.modules.get(name)

    def functions(self, name: Convention) -> dict[str, Callable[..., Any]]:
        """Public functions and classes defined in a module, in the order of the source; what it imports is not among
        them. Empty where there is no such file.
        """
        module = self.modules.get(name)
        if module is None:
            return {}
        return {
            key: thing
            for key, thing in vars(module).items()
            if not key.startswith("_") and (isfunction(thing) or isclass(thing)) and thing.__module__ == module.__name__
        }


def load_code(root: Path) -> ProjectCode:
    """Import the project's modules under their plain names, with the project's folder first on the path.

    Modules that another project, or an older state of this one, left under the same names are dropped first. Modules
    whose project did not change are kept as they are, so that their classes stay the same objects.

    Args:
        root: the folder with `threefold.yaml`.
    Raises:
        StepFailed: a module raised while it was imported; says its file and line.
    """
    root = root.resolve()
    sources = _read(root)
    _make_room(root, {file: text for file, text in sources.items() if file.suffix == ".py"})
    frozen.hold(root, sources)
    names = [name for name in MODULES if (root / f"{name}.py").is_file()]
    with listening(root) as heard:
        modules: dict[str, ModuleType] = {name: _import(name, root) for name in names}
    _remember(root, heard)
    return ProjectCode(root, modules, sources, _loaded[root])


def _make_room(root: Path, now: Sources) -> None:
    """Put the project on the path, and drop what stands in its way."""
    for other in [other for other in _loaded if other != root or not _loaded[other].holds(now)]:
        _forget(other)
    for name in MODULES:  # a module of that name from nowhere we know
        if name in sys.modules and not _belongs(sys.modules[name], root):
            del sys.modules[name]
    sys.path[:] = [str(root), *(entry for entry in sys.path if entry != str(root))]
    importlib.invalidate_caches()
    _loaded.setdefault(root, Imported(now))


def _remember(root: Path, heard: Opened) -> None:
    """Keep which files the modules have read while they were imported, with the state in which they read them."""
    reads = {source: {file: digest_of(file) for file in sorted(files)} for source, files in heard.by.items()}
    changed = [file for file, stamp in heard.read.items() if stamp_of(file) != stamp]
    if changed:
        _forget(root)
        raise Conflict(f"{changed[0].name} changed while it was read", str(changed[0]), "run the command again")
    before = _loaded[root]
    _loaded[root] = replace(before, reads={**before.reads, **reads})


def _forget(root: Path) -> None:
    """Drop every module of a project, and take it off the path."""
    del _loaded[root]
    frozen.release(root)
    for name in [name for name, module in list(sys.modules.items()) if _belongs(module, root)]:
        del sys.modules[name]
    sys.path[:] = [entry for entry in sys.path if entry != str(root)]


def _belongs(module: ModuleType, root: Path) -> bool:
    file = getattr(module, "__file__", None)
    if not isinstance(file, str):
        return False
    path = Path(file)
    if not path.is_relative_to(root):
        return False
    return not is_foreign(path.relative_to(root).parts[:-1])


def _import(name: str, root: Path) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        _forget(root)  # a half-imported project must not be taken for a whole one
        raise StepFailed(
            f"{name}.py raised {type(error).__name__}: {_said(error)}", _place(error, name, root), _remedy(error)
        ) from error


def _said(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return error.msg or "invalid syntax"
    return " ".join(str(error).split()) or "no message"


def _place(error: BaseException, name: str, root: Path) -> str:
    """File and line in the project's own code where it went wrong."""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).is_relative_to(root):
        return f"{Path(error.filename).relative_to(root)}:{error.lineno or 1}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(root) and not is_foreign(path.relative_to(root).parts[:-1]):
            return f"{path.relative_to(root)}:{frame.lineno}"
    return f"{name}.py:1"


def _remedy(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"install '{error.name.partition('.')[0]}' where Threefold runs, or mend the import"
    return "mend this line and run the command again"


def _walk(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        folders[:] = [one for one in folders if not is_foreign((one,)) and not (here / one / "pyvenv.cfg").is_file()]
        yield from (here / file for file in files if file.endswith(KEPT) and not file.startswith("."))


def _read(root: Path) -> Sources:
    """What the files of a project hold now; a broken link is left out: whoever imports it will say so."""
    found: dict[Path, bytes] = {}
    for file in sorted(_walk(root)):
        try:
            found[file] = file.read_bytes()
        except OSError:
            continue
    return found
