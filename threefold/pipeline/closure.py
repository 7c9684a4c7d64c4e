"""Which project code a function reaches: from its name, along every name it reads, across the project's modules."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from threefold.errors import StepFailed
from threefold.pipeline.environment import OWN, is_library, local_folders
from threefold.pipeline.files import Files, walk
from threefold.pipeline.symbols import FileTable, Statement

# What reaches code by names made at run time; from there on only the whole source tree is a safe answer.
OPAQUE_NAMES = frozenset(("exec", "eval", "compile", "globals", "__import__", "__subclasses__"))
OPAQUE_MODULES = ("importlib", "runpy", "pkgutil", "builtins", "imp")
CLEAR_MODULES = ("importlib.metadata", "importlib.resources")  # they read data, no code


@dataclass(slots=True)
class Reach:
    """What a piece of code depends on."""

    code: dict[str, str] = field(default_factory=dict)  # "features.py: function late_rate" -> digest
    imports: set[str] = field(default_factory=set)  # top-level modules that are installed, not the project's
    opaque: list[str] = field(default_factory=list)  # places that hide what they reach, as sentences
    files: set[Path] = field(default_factory=set)
    named: set[Path] = field(default_factory=set)  # places where a file may lie whose name stands in the code
    reads_files: bool = False  # it reads files in ways that Python does not hear
    reads_at_import: bool = False  # it does so while a module is imported

    def add(self, other: Reach) -> None:
        """Take in what another piece of code depends on."""
        self.code.update(other.code)
        self.imports |= other.imports
        self.opaque.extend(place for place in other.opaque if place not in self.opaque)
        self.files |= other.files
        self.named |= other.named
        self.reads_files |= other.reads_files
        self.reads_at_import |= other.reads_at_import


@dataclass(frozen=True, slots=True)
class _Module:
    name: str
    path: Path


class Sources:
    """The source that belongs to the project: where it lies, and what reaches what.

    Args:
        root: the project's folder.
        files: the memory of symbol tables.
    """

    def __init__(self, root: Path, files: Files) -> None:
        self.root = root.resolve()
        self.files = files
        self.folders = local_folders(self.root)
        self._modules: dict[str, _Module | None] = {}
        self._namespaces: dict[str, bool] = {}
        self._bound: dict[Path, dict[str, list[int]]] = {}
        self._known: dict[tuple[Path, str], Reach] = {}
        self._tree: Reach | None = None

    # ---------------------------------------------------------------------------------------- where things lie

    def is_local(self, path: Path) -> bool:
        """Whether a file is source of the project or of a plain folder, not of an installed package."""
        return path.suffix == ".py" and self._is_there(path) and not is_library(path)

    def _is_there(self, path: Path) -> bool:
        return path in self.files.frozen or path.is_file()

    def module_at(self, path: Path) -> _Module:
        """The module of a file, named as its folder on the path names it."""
        for folder in self.folders:
            if path.is_relative_to(folder):
                parts = path.relative_to(folder).with_suffix("").parts
                return _Module(".".join(parts[:-1] if parts[-1] == "__init__" else parts), path)
        return _Module(path.stem, path)

    def find(self, name: str) -> _Module | None:
        """The module of the project with this dotted name."""
        if name not in self._modules:
            self._modules[name] = self._search(name)
        return self._modules[name]

    def _search(self, name: str) -> _Module | None:
        if not name or name.partition(".")[0] == OWN:
            return None
        relative = Path(*name.split("."))
        for folder in self.folders:
            for path in (folder / relative / "__init__.py", folder / relative.with_suffix(".py")):
                if self._is_there(path) and not is_library(path):
                    return _Module(name, path)
        return None

    def is_namespace(self, name: str) -> bool:
        """Whether a folder without `__init__.py` carries this name and holds modules."""
        if name not in self._namespaces:
            first = name.partition(".")[0]
            relative = Path(*name.split("."))
            self._namespaces[name] = (
                bool(name)
                and first not in sys.stdlib_module_names
                and first != OWN
                and any(next((folder / relative).glob("*.py"), None) is not None for folder in self.folders)
            )
        return self._namespaces[name]

    def shown(self, path: Path) -> str:
        """The path as people should read it: relative to the project where it lies inside."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.name

    # -------------------------------------------------------------------------------------------- what is read

    def statements(self, module: _Module) -> list[Statement]:
        """The top-level statements of a module, in order."""
        return self._table(module).statements

    def _table(self, module: _Module) -> FileTable:
        try:
            return self.files.table(module.path, module.name)
        except SyntaxError as error:
            raise StepFailed(
                f"the project's code is not Python: {error.msg}",
                f"{self.shown(module.path)}:{error.lineno}",
                "mend that line and run again",
            ) from error

    def bound(self, module: _Module) -> dict[str, list[int]]:
        """The names a module binds -> the statements that bind them."""
        found = self._bound.get(module.path)
        if found is None:
            found = {}
            for index, statement in enumerate(self.statements(module)):
                for name in statement.names:
                    found.setdefault(name, []).append(index)
            self._bound[module.path] = found
        return found

    # ---------------------------------------------------------------------------------------------- the answers

    def of_symbol(self, path: Path, name: str) -> Reach:
        """What a function or class at the top of a file reaches."""
        module = self.module_at(path)
        if name not in self.bound(module):
            return self.of_module(path)  # made at run time: somewhere in this module
        return self._remembered(path, f"name {name}", lambda steps: steps.reach_name(module, name, []))

    def of_line(self, path: Path, line: int) -> Reach:
        """What the top-level statement around a line reaches; for lambdas and functions inside functions."""
        module = self.module_at(path)
        for index, statement in enumerate(self.statements(module)):
            if statement.first <= line <= statement.last:
                return self._remembered(path, f"statement {index}", partial(_Walk.take, module=module, index=index))
        return self.of_module(path)

    def of_module(self, path: Path) -> Reach:
        """What a whole file reaches when it is loaded or started as a script."""
        return self._remembered(path, "module", partial(_Walk.take_all, module=self.module_at(path)))

    def _remembered(self, path: Path, start: str, begin: Callable[[_Walk], object]) -> Reach:
        key = (path, start)
        if key not in self._known:
            steps = _Walk(self)
            begin(steps)
            self._known[key] = steps.finish()
        return self._known[key]

    def tree(self) -> Reach:
        """The whole source of the project, file by file."""
        if self._tree is None:
            reach = Reach()
            for path in [one for one in self.files.frozen if one.suffix == ".py"] or walk(self.root, (".py",)):
                module = self.module_at(path)
                text = "".join(statement.digest for statement in self.statements(module))
                reach.code[f"{self.shown(path)}: file"] = hashlib.sha256(text.encode()).hexdigest()[:32]
                reach.imports |= {name.partition(".")[0] for name in self._imported(module) if not self.find(name)}
                reach.files.add(path)
            self._tree = reach
        return self._tree

    def _imported(self, module: _Module) -> Iterator[str]:
        for statement in self.statements(module):
            yield from statement.loads


class _Walk:
    """One walk along the names, from one start."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.digests: dict[str, list[str]] = {}
        self.reach = Reach()
        self.taken: set[tuple[Path, int]] = set()
        self.waiting: list[tuple[_Module, int]] = []
        self.loaded: set[Path] = set()
        self.followed: set[tuple[Path, str]] = set()

    def finish(self) -> Reach:
        """Walk until nothing new is found."""
        while self.waiting or self._enrolled():
            module, index = self.waiting.pop()
            self._follow(module, self.sources.statements(module)[index])
        self._collect()
        if self.reach.opaque:
            self.reach.add(self.sources.tree())
        return self.reach

    def _enrolled(self) -> bool:
        """Count the classes that enter themselves somewhere by deriving from another; whether there are new ones.

        Which class derives from which is not followed: where one class enrols, all classes that are loaded count.
        """
        loaded = [self.sources.module_at(path) for path in sorted(self.loaded)]
        if any(one.enrols for module in loaded for one in self.sources.statements(module)):
            for module in loaded:
                for index, one in enumerate(self.sources.statements(module)):
                    if one.label.startswith("class "):
                        self.take(module, index)
        return bool(self.waiting)

    def _collect(self) -> None:
        by_module: dict[str, list[str]] = {}
        for path, index in sorted(self.taken):
            statement = self.sources.statements(self.sources.module_at(path))[index]
            self.reach.reads_files |= statement.reads_files
            self.reach.reads_at_import |= statement.reads_files and not statement.label.startswith("function ")
            folders = (self.sources.root, path.parent)
            self.reach.named.update(folder / name for folder in folders for name in statement.named)
            if not statement.label.startswith("import "):
                by_module.setdefault(f"{self.sources.shown(path)}: {statement.label}", []).append(statement.digest)
        for name, digests in by_module.items():
            joined = "".join(digests)
            self.reach.code[name] = joined if len(digests) == 1 else hashlib.sha256(joined.encode()).hexdigest()[:32]

    def take_all(self, module: _Module) -> None:
        """Count every statement of a module."""
        self.load(module)
        for index in range(len(self.sources.statements(module))):
            self.take(module, index)

    def take(self, module: _Module, index: int) -> None:
        """Count one statement, and whatever loading its module does."""
        if (module.path, index) not in self.taken:
            self.taken.add((module.path, index))
            self.waiting.append((module, index))
            self.load(module)

    def load(self, module: _Module) -> None:
        """Count what acts when a module is loaded: in itself, its packages, and the modules it loads at once."""
        if module.path in self.loaded:
            return
        self.loaded.add(module.path)
        self.reach.files.add(module.path)
        self._load_packages(module.name)
        for index, statement in enumerate(self.sources.statements(module)):
            if statement.effect:
                self.take(module, index)
            if statement.label.startswith(("import ", "block ")):
                self._load_imported(statement)

    def _load_packages(self, name: str) -> None:
        parts = name.split(".")
        for length in range(1, len(parts)):
            package = self.sources.find(".".join(parts[:length]))
            if package is not None:
                self.load(package)

    def _load_imported(self, statement: Statement) -> None:
        for target in (
            *statement.loads,
            *(one.replace(":", ".") for ones in statement.imports.values() for one in ones),
        ):
            found = self.sources.find(target)
            if found is not None:
                self.load(found)

    def _follow(self, module: _Module, statement: Statement) -> None:
        if not statement.label.startswith("import "):
            self._load_imported(statement)
        place = f"{self.sources.shown(module.path)}:{statement.first}"
        for reference in statement.refs:
            base, *rest = reference.split(".")
            self._note_opaque(base, rest, place)
            if base in statement.imports:
                for target in statement.imports[base]:
                    self._target(module, base, target, rest, place)
            else:
                self.reach_name(module, base, rest, place)
        for star in statement.stars:
            if not statement.label.startswith("import "):
                self._star(star)

    def _note_opaque(self, base: str, rest: list[str], place: str) -> None:
        if base in OPAQUE_NAMES or (base == "sys" and rest[:1] == ["modules"]):
            self.reach.opaque.append(f"{place} uses {'.'.join((base, *rest))}")

    def _star(self, name: str) -> None:
        module = self.sources.find(name)
        if module is not None:
            self.take_all(module)
        else:
            self.reach.imports.add(name.partition(".")[0])

    def reach_name(self, module: _Module, name: str, rest: list[str], place: str = "") -> bool:
        """Follow one name of a module; tells whether the module has it."""
        found = self.sources.bound(module).get(name)
        if found is None:
            return self._through_stars(module, name, rest, place)
        marker = (module.path, ".".join((name, *rest)))
        if marker in self.followed:
            return True
        self.followed.add(marker)
        for index in found:
            statement = self.sources.statements(module)[index]
            self.take(module, index)
            for target in statement.imports.get(name, ()):
                self._target(module, name, target, rest, place)
        return True

    def _through_stars(self, module: _Module, name: str, rest: list[str], place: str) -> bool:
        for statement in self.sources.statements(module):
            for star in statement.stars:
                found = self.sources.find(star)
                if found is None:
                    self.reach.imports.add(star.partition(".")[0])
                elif (found.path, f"* {name}") not in self.followed:
                    self.followed.add((found.path, f"* {name}"))  # two modules may import everything of one another
                    if self.reach_name(found, name, rest, place):
                        return True
        return False

    def _target(self, module: _Module, local: str, target: str, rest: list[str], place: str) -> None:
        """Follow an imported name: a module, or a symbol of one."""
        name, _, symbol = target.partition(":")
        path = [*([symbol] if symbol else []), *rest]
        found = self.sources.find(name)
        while path:
            below = self.sources.find(f"{name}.{path[0]}")
            if below is None and not self.sources.is_namespace(f"{name}.{path[0]}"):
                break
            if found is not None and path[0] in self.sources.bound(found):
                break
            found, name = below, f"{name}.{path.pop(0)}"
        if found is not None:
            self.load(found)
            if path:
                self.reach_name(found, path[0], path[1:], place)
            else:
                self.take_all(found)  # the module itself is handed about, so anything in it may be used
        elif not self.sources.is_namespace(name):
            self._external(module, local, target, rest, place)

    def _external(self, module: _Module, local: str, target: str, rest: list[str], place: str) -> None:
        full = ".".join((target.replace(":", "."), *rest))
        self.reach.imports.add(full.partition(".")[0])
        self.reach.code[f"{self.sources.shown(module.path)}: import {local}"] = target
        hidden = full.startswith(tuple(f"{name}." for name in OPAQUE_MODULES)) or full in OPAQUE_MODULES
        if (hidden and not full.startswith(CLEAR_MODULES)) or full.startswith("sys.modules"):
            self.reach.opaque.append(f"{place} uses {full}")
