"""Digests and symbol tables of files, read again only when the file changed.

One `Files` gives one answer about a file, the first it found, so that all steps of a run are judged by the same source.
What was imported before counts as it was then: see `design/frozen.py`.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from threefold.design.frozen import ABSENT
from threefold.design.opened import Stamp, stamp_of
from threefold.pipeline.symbols import FileTable, read_table

FORMAT = 4  # 2: more statements act when a module is loaded; 3: names of files that are read; 4: classes that enrol
# A file changed in the moment it was read may change again within one tick of the file system's clock, with the
# same size and time. Git calls such an entry racy; we do not trust it either.
RACY_NS = 2_000_000_000
KEPT = 5_000  # entries in the file
SKIPPED = frozenset(("__pycache__", "node_modules", "site-packages", "build", "dist"))

NOWHERE: Stamp = (0, 0, 0, 0)  # of what was read from memory


@dataclass(slots=True)
class _Entry:
    stamp: Stamp
    read_ns: int
    digest: str
    tables: dict[str, FileTable] = field(default_factory=dict)  # by the module's name, which relative imports need


@dataclass(slots=True)
class _Kept:
    format: int
    entries: dict[str, _Entry]


class Files:
    """Remembers what files hold, in memory and in one file beside the catalogue.

    Args:
        memory: the file; None keeps nothing beyond this object. A damaged or foreign one is ignored.
        frozen: what source files held when they were imported; of these the disk is not asked.
    """

    def __init__(self, memory: Path | None = None, frozen: Mapping[Path, bytes] | None = None) -> None:
        self.memory = memory
        self.frozen = frozen or {}
        self.entries = _load(memory) if memory else {}
        self.changed = False
        self._settled: dict[str, _Entry] = {}

    def on_disk(self) -> Files:
        """The files as they lie there now, for whatever does not use what was imported."""
        found = Files()
        found.entries = self.entries
        return found

    def digest(self, path: Path) -> str:
        """The sha256 of a file's bytes. Raises OSError where it cannot be read."""
        return self._entry(path).digest

    def digest_of_state(self, path: Path, stamp: Stamp | None) -> str | None:
        """The digest of a file in the state of this stamp; "absent" where it was not there; None where it changed."""
        if stamp_of(path) != stamp:
            return None
        return ABSENT if stamp is None else self._of_disk(path).digest

    def table(self, path: Path, module: str) -> FileTable:
        """The symbol table of a source file. Raises SyntaxError, OSError."""
        entry = self._entry(path)
        table = entry.tables.get(module)
        if table is None:
            source = self.frozen[path] if path in self.frozen else path.read_bytes()
            if hashlib.sha256(source).hexdigest() != entry.digest:  # edited since it was looked at, a moment ago
                return read_table(source, module, path.name == "__init__.py")
            table = entry.tables[module] = read_table(source, module, path.name == "__init__.py")
            self.changed = True
        return table

    def _entry(self, path: Path) -> _Entry:
        name = str(path)
        if name not in self._settled:
            self._settled[name] = self._of_frozen(path) if path in self.frozen else self._of_disk(path)
        return self._settled[name]

    def _of_frozen(self, path: Path) -> _Entry:
        digest, known = hashlib.sha256(self.frozen[path]).hexdigest(), self.entries.get(str(path))
        if known is not None and known.digest == digest:
            return known  # its tables are right, however it lies on the disk now
        self.entries[str(path)] = made = _Entry(NOWHERE, 0, digest)
        self.changed = True
        return made

    def _of_disk(self, path: Path) -> _Entry:
        entry, stamp = self.entries.get(str(path)), stamp_of(path)
        if stamp is None:
            raise FileNotFoundError(path)
        if entry is None or entry.stamp != stamp or entry.read_ns - max(stamp[1], stamp[3]) < RACY_NS:
            entry = self._read(path, stamp, entry)
        return entry

    def _read(self, path: Path, stamp: Stamp, before: _Entry | None) -> _Entry:
        now = time.time_ns()
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        tables = before.tables if before is not None and before.digest == digest else {}
        self.entries[str(path)] = entry = _Entry(stamp, now, digest, tables)
        self.changed = True
        return entry

    def tree_digest(self, folder: Path, suffixes: tuple[str, ...] | None = None) -> str:
        """The sha256 over names and contents of all files of a folder, sorted; hidden ones are left out."""
        lines = [f"{file.relative_to(folder).as_posix()} {self.digest(file)}" for file in walk(folder, suffixes)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def save(self) -> None:
        """Keep what was learnt. A store that cannot be written loses nothing but time."""
        if self.memory is None or not self.changed:
            return
        entries = dict(list(self.entries.items())[-KEPT:])
        try:
            handle, name = tempfile.mkstemp(prefix=".half-", dir=self.memory.parent)
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.msgpack.encode(_Kept(FORMAT, entries)))
            os.replace(name, self.memory)
        except OSError:
            return
        self.changed = False


def _load(memory: Path) -> dict[str, _Entry]:
    try:
        kept = msgspec.msgpack.decode(memory.read_bytes(), type=_Kept)
    except (OSError, msgspec.DecodeError):
        return {}
    return kept.entries if kept.format == FORMAT else {}


def walk(folder: Path, suffixes: tuple[str, ...] | None = None) -> Iterator[Path]:
    """The files of a folder, sorted; no hidden ones, no virtual environments, nothing that was built."""
    for entry in sorted(os.scandir(folder), key=lambda one: one.name):
        if entry.name.startswith(".") or entry.name in SKIPPED:
            continue
        if entry.is_dir(follow_symlinks=False):
            if not Path(entry.path, "pyvenv.cfg").is_file():
                yield from walk(Path(entry.path), suffixes)
        elif (suffixes is None or entry.name.endswith(suffixes)) and entry.is_file():
            yield Path(entry.path)
