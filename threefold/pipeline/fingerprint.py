"""The key of a step: everything its result depends on, part by part.

key = sha256 of (format, name, code reached, content of inputs, parameters, environment, state of the world outside).

The parts are kept beside the key, so that a later run can say which of them moved.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import os
import sys
import types
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from threefold.design.canvas import CommandStep
from threefold.design.frozen import ABSENT, Imported
from threefold.errors import Conflict, ThreefoldError
from threefold.pipeline import codecs, commands
from threefold.pipeline.closure import Reach, Sources
from threefold.pipeline.environment import Distributions, digest_of_document, is_library
from threefold.pipeline.files import Files
from threefold.pipeline.step import Step

FORMAT = 1
LONGEST_VALUE = 2_000  # characters of a parameter that are kept to be shown; of a longer one only the digest


@dataclass(slots=True)
class Fingerprint:
    """What a step's result depends on."""

    parts: dict[str, Any]
    key: str
    environment: bytes  # the document whose digest is among the parts
    doubts: tuple[str, ...]  # what cannot be told; a step with doubts runs
    opaque: tuple[str, ...]  # places in the code that hide what they reach, so that all source counts
    files: Mapping[Path, str] = field(default_factory=dict)  # read from the disk for it, with their digests
    counted: frozenset[Path] = frozenset()  # all files whose content is among the parts, wherever it was read from

    @property
    def reads(self) -> tuple[str, ...]:
        """The files that the step reads without declaring them, as far as that is known."""
        return tuple(self.parts.get("reads", ()))

    def with_reads(self, reads: Mapping[str, str]) -> Fingerprint:
        """The same step, and what it reads without declaring it: file -> digest."""
        parts = {name: part for name, part in self.parts.items() if name != "reads"}
        if reads:
            parts["reads"] = dict(sorted(reads.items()))
        return replace(self, parts=parts, key=key_of(parts))


@dataclass(slots=True)
class _Code:
    files: Files
    sources: Sources
    read: dict[Path, str] = field(default_factory=dict)
    reach: Reach = field(default_factory=Reach)
    doubts: list[str] = field(default_factory=list)


class Fingerprints:
    """Makes the keys of a graph's steps.

    Args:
        root: the project's folder.
        memory: a file that remembers what source files hold; None reads all of them anew.
        imported: what the project's modules were made of.
    """

    def __init__(self, root: Path, memory: Path | None = None, imported: Imported | None = None) -> None:
        self.root = root.resolve()
        self.imported = imported or Imported()
        self.files = Files(memory, self.imported.sources)
        self.sources = Sources(self.root, self.files)
        self.distributions = Distributions(self.files)
        self._environments: dict[frozenset[str], tuple[bytes, str]] = {}

    def of(self, step: Step, inputs: Mapping[str, str], classes: Collection[str] = ()) -> Fingerprint:
        """The fingerprint of a step.

        Args:
            inputs: parameter -> digest of what it will be given.
            classes: "module:qualname" of the project's classes inside these inputs; their code counts too.
        Raises:
            ThreefoldError: a parameter has no place in a key.
        """
        code = self._code(step, classes)
        self._add_named(code)
        self._add_imports_reads(code)
        document, environment = self.environment(code.reach.imports)
        parts: dict[str, Any] = {
            "format": FORMAT,
            "step": step.name,
            "code": code.reach.code,
            "inputs": dict(inputs),
            "params": {name: _shown(step, name, value) for name, value in step.params.items()},
            "environment": environment,
        }
        if step.outputs:
            parts["outputs"] = list(step.outputs)
        if step.by_digest:
            parts["by_digest"] = sorted(step.by_digest)
        if isinstance(step.run, CommandStep):
            parts["command"], read = commands.parts(step.run, step.inputs, self.root, code.files)
            code.read.update(read)
        if step.observe is not None:
            parts["observed"] = _json(step, "what it observes", step.observe())
        if code.reach.opaque:
            parts["opaque"] = sorted(place.rpartition(" uses ")[2] for place in code.reach.opaque)
        read = code.read | {path: code.files.digest(path) for path in code.reach.files - code.files.frozen.keys()}
        counted = frozenset(code.reach.files | code.read.keys())
        return Fingerprint(parts, key_of(parts), document, tuple(code.doubts), tuple(code.reach.opaque), read, counted)

    def changed(self, fingerprint: Fingerprint) -> Path | None:
        """A file that was edited since the fingerprint was made, so that nobody can tell what a step has seen of it."""
        now = self.files.on_disk()
        return next((path for path, digest in fingerprint.files.items() if _content(now, path) != digest), None)

    def content(self, name: str) -> str:
        """The digest of what lies now under a path below the project; "absent" where nothing does."""
        return _content(self.files, self.root / name)

    def settle(self) -> None:
        """Look at all modules of the project that are loaded, so that an edit from now on is noticed."""
        below = f"{self.root}{os.sep}"
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if isinstance(file, str) and file.startswith(below) and self.sources.is_local(Path(file)):
                self.files.digest(Path(file))

    def environment(self, imported: Collection[str]) -> tuple[bytes, str]:
        """The environment document of code that imports some modules, and its digest."""
        asked = frozenset(imported)
        if asked not in self._environments:
            self._environments[asked] = digest_of_document(self.distributions.document(asked))
        return self._environments[asked]

    def save(self) -> None:
        """Keep what was read of the source files for the next time."""
        self.files.save()

    # ------------------------------------------------------------------------------------------------- code

    def _code(self, step: Step, classes: Collection[str]) -> _Code:
        if isinstance(step.run, CommandStep):
            files = self.files.on_disk()  # another process starts now, and reads what lies there now
            code = _Code(files, Sources(self.root, files))
            for path in commands.scripts(step.run, self.root):
                code.reach.add(code.sources.of_module(path))
        else:
            code = _Code(self.files, self.sources)
            self._add(code, step.run)
        for thing in step.code:
            self._add(code, thing)
        for name in classes:
            self._add_class(code, name)
        for thing in step.told:
            place = self.sources.shown(self._path(_file_of_module(thing.__module__) or ""))
            code.reach.code[f"{place}: docstring {thing.__qualname__}"] = _digest(inspect.getdoc(thing))
        return code

    def _add(self, code: _Code, thing: Any) -> None:
        """Count one thing that a step runs or reaches."""
        if isinstance(thing, types.FunctionType):
            self._add_function(code, thing)
        elif isinstance(thing, type):
            self._add_source(code, thing.__module__, _file_of_module(thing.__module__), thing.__qualname__)
        elif isinstance(thing, functools.partial):
            self._add_partial(code, thing)
        elif isinstance(thing, types.MethodType):
            self._add(code, thing.__func__)
            self._add_state(code, thing.__self__)
        elif isinstance(thing, types.ModuleType):
            self._add_source(code, thing.__name__, _file_of_module(thing.__name__), None)
        elif isinstance(thing, types.BuiltinFunctionType):
            code.reach.imports.add((thing.__module__ or "builtins").partition(".")[0])
        elif isinstance(thing, Path):
            self._add_path(code, thing)
        elif isinstance(thing, list | tuple):
            for item in thing:
                self._add(code, item)
        elif isinstance(thing, Mapping):
            for item in thing.values():
                self._add(code, item)
        elif thing is not None:
            self._add_state(code, thing)

    def _add_function(self, code: _Code, function: types.FunctionType) -> None:
        inner = getattr(function, "__wrapped__", None)
        if inner is not None and inner is not function:
            self._add(code, inner)
        file, name = function.__code__.co_filename, function.__qualname__
        if "<" not in name:
            self._add_source(code, function.__module__, file, name)
            return
        # A lambda, or a function made by a function: its text alone does not say what it holds.
        self._add_source(code, function.__module__, file, None, function.__code__.co_firstlineno)
        code.reach.code[f"{name}: made code"] = _bytecode(function.__code__, function.__doc__)
        for label, value in _captured(function):
            self._add_value(code, f"{name}: {label}", value)

    def _add_source(
        self, code: _Code, module: str | None, file: str | None, qualname: str | None, line: int = 0
    ) -> None:
        path = self._path(file) if file else None
        if path is None or not code.sources.is_local(path):
            if module:
                code.reach.imports.add(module.partition(".")[0])
            code.reach.code[f"{module}: {qualname or 'module'}"] = "installed"
            if path is not None and not path.is_file() and not is_library(path):  # typed in, or made from text
                code.doubts.append(f"the source of {qualname or module} is not in a file")
        elif qualname is not None:
            code.reach.add(code.sources.of_symbol(path, qualname.partition(".")[0]))
            code.reach.code[f"start {qualname}"] = "named"
        else:
            code.reach.add(code.sources.of_line(path, line) if line else code.sources.of_module(path))

    def _add_partial(self, code: _Code, thing: functools.partial[Any]) -> None:
        self._add(code, thing.func)
        for label, value in (*enumerate(thing.args), *thing.keywords.items()):
            self._add_value(code, f"argument {label}", value)

    def _add_value(self, code: _Code, label: str, value: Any) -> None:
        """Count a value that code carries with it."""
        try:
            code.reach.code[label] = _digest(codecs.tagged(value))
        except TypeError:
            if callable(value) or isinstance(value, types.ModuleType | list | tuple | dict):
                self._add(code, value)
            else:
                code.doubts.append(f"{label} holds a {type(value).__qualname__}, whose content cannot be told")

    def _add_state(self, code: _Code, thing: Any) -> None:
        """Count an object: its class, and what it holds."""
        kind = type(thing)
        try:
            code.reach.code[f"object {kind.__qualname__}: {len(code.reach.code)}"] = _digest(codecs.tagged(thing))
            return
        except TypeError:
            self._add(code, kind)
        held = getattr(thing, "__dict__", None)
        if held is None:
            code.doubts.append(f"a {kind.__qualname__} does not show what it holds")
            return
        for name, value in held.items():
            self._add_value(code, f"{kind.__qualname__}.{name}", value)

    def _add_named(self, code: _Code) -> None:
        """Count the files that code names, where it calls something that opens files by itself, as Polars does.

        What Python opens is heard when it happens; this is the rest, read from the text.
        """
        for file in sorted(code.reach.named) if code.reach.reads_files else ():
            if file.suffix != ".py" and file.is_relative_to(self.root) and file.is_file():
                digest, name = self.files.digest(file), self.sources.shown(file)
                code.reach.code[f"file {name}"] = digest
                if code.reach.reads_at_import and self.imported.named.setdefault(file, digest) != digest:
                    raise Conflict(
                        f"{name} changed since the code that reads it was imported", str(file), "run the command again"
                    )

    def _add_imports_reads(self, code: _Code) -> None:
        """Count the files that the modules a step reaches have read while they were imported."""
        for source in code.reach.files & self.imported.reads.keys():
            for file, digest in self.imported.reads[source].items():
                code.reach.code[f"file {self.sources.shown(file)}"] = digest

    def _path(self, file: str) -> Path:
        path = Path(file)
        return path if path in self.files.frozen else path.resolve()

    def _add_path(self, code: _Code, path: Path) -> None:
        full = path if path.is_absolute() else self.root / path
        if full.suffix == ".py" and code.sources.is_local(full.resolve()):
            code.reach.add(code.sources.of_module(full.resolve()))
            return
        content = _content(code.files, full)
        code.reach.code[f"file {code.sources.shown(full)}"] = content
        code.read[full] = content

    def _add_class(self, code: _Code, name: str) -> None:
        module, _, qualname = name.partition(":")
        found = code.sources.find(module)
        if found is not None:
            code.reach.add(code.sources.of_symbol(found.path, qualname.partition(".")[0]))

    def is_local_class(self, name: str) -> bool:
        """Whether "module:qualname" is defined in the project's own source."""
        return self.sources.find(name.partition(":")[0]) is not None


def key_of(parts: Mapping[str, Any]) -> str:
    """The sha256 of the parts as canonical JSON."""
    return _digest(parts)


def _content(files: Files, path: Path) -> str:
    if path.is_dir():
        return files.tree_digest(path)
    return files.digest(path) if path.is_file() else ABSENT


def _digest(value: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()


def _shown(step: Step, name: str, value: Any) -> Any:
    """A parameter as it is kept among the parts: itself, or its digest where it is long."""
    tagged = _json(step, f"parameter {name!r}", value)
    text = msgspec.json.encode(tagged, order="sorted")
    return tagged if len(text) <= LONGEST_VALUE else {"$digest": hashlib.sha256(text).hexdigest()}


def _json(step: Step, what: str, value: Any) -> Any:
    try:
        return codecs.tagged(value)
    except TypeError as error:
        raise ThreefoldError(
            f"{what} of step {step.name!r} has no place in a key: {error}",
            f"step {step.name!r}",
            "give plain values or records; hand other objects over as `given`, with their code in `code`",
        ) from error


def _file_of_module(name: str) -> str | None:
    return getattr(sys.modules.get(name), "__file__", None)


def _captured(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """The values a made function holds: defaults, and variables of the function around it."""
    for index, value in enumerate(function.__defaults__ or ()):
        yield f"default {index}", value
    for name, value in (function.__kwdefaults__ or {}).items():
        yield f"default {name}", value
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield f"variable {name}", cell.cell_contents
        except ValueError:
            continue  # not bound yet: nothing can depend on it


def _bytecode(code: types.CodeType, doc: str | None) -> str:
    constants = [
        _bytecode(one, None) if isinstance(one, types.CodeType) else repr(one)
        for one in code.co_consts
        if doc is None or one != doc
    ]
    return _digest([code.co_code.hex(), list(code.co_names), constants])
