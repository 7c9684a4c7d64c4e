"""The source of a project as it stood when it was loaded: what is imported is what counts, whatever is edited later.

A run may last for hours, and people edit while it goes. If a module were imported at one moment and judged by its file
at another, the result of old code would be kept under the name of the new. So every file is read once, before anything
is imported, and modules, fingerprints and archive are all made from those bytes; a module that is imported late, in the
middle of a step, is the one that stood there at the beginning.
"""

from __future__ import annotations

import hashlib
import linecache
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.abc import PathEntryFinder
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from pathlib import Path

Sources = Mapping[Path, bytes]  # file -> what it held
ABSENT = "absent"  # the digest of a file that was looked for and not there


@dataclass(frozen=True, slots=True)
class Imported:
    """What the modules of a project were made of.

    A function may keep what it has read for the next call, so that a later step uses a file without opening it. That
    is why `noted` remembers, for as long as these modules live, which source has opened what.
    """

    sources: Sources = field(default_factory=dict)
    reads: Mapping[Path, Mapping[Path, str]] = field(default_factory=dict)  # source -> files its import read -> digest
    noted: dict[Path, dict[Path, str]] = field(default_factory=dict)  # the same of what steps have read since
    named: dict[Path, str] = field(default_factory=dict)  # files that the code names, and may have read unheard

    def note(self, source: Path, file: Path, digest: str) -> None:
        """Remember that a source has opened a file."""
        self.noted.setdefault(source, {})[file] = digest

    def holds(self, sources: Sources) -> bool:
        """Whether the modules are still what the disk would give: the same source, which read the same files."""
        read = [self.named, *(files for seen in (self.reads, self.noted) for files in seen.values())]
        return self.sources == sources and all(
            digest_of(file) == digest for files in read for file, digest in files.items()
        )


def digest_of(file: Path) -> str:
    """The sha256 of a file, or "absent"."""
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        return ABSENT


_frozen: dict[Path, Sources] = {}  # root of a project -> its files; a project is one code base at a time


def hold(root: Path, sources: Sources) -> None:
    """From now on, modules below this folder are made of these bytes."""
    if _hook not in sys.path_hooks:
        sys.path_hooks.insert(0, _hook)
    _forget_finders(root)
    _frozen[root] = sources
    for file, text in sources.items():
        if file.suffix == ".py":
            # Tracebacks and `inspect.getsource` read from here. Without a time it is not compared with the disk.
            lines = text.decode(errors="replace").splitlines(keepends=True)
            linecache.cache[str(file)] = (len(text), None, lines, str(file))


def release(root: Path) -> None:
    """Modules below this folder are read from the disk again."""
    for file in _frozen.pop(root, {}):
        linecache.cache.pop(str(file), None)
    _forget_finders(root)


def content(file: Path) -> bytes:
    """What a source file held when it was imported; of one that no loaded project holds, what lies there now."""
    held = next((sources[file] for sources in _frozen.values() if file in sources), None)
    return file.read_bytes() if held is None else held


def _forget_finders(root: Path) -> None:
    for entry in [entry for entry in sys.path_importer_cache if Path(entry).is_relative_to(root)]:
        del sys.path_importer_cache[entry]


def _hook(entry: str) -> PathEntryFinder:
    folder = Path(entry)
    root = next((root for root in _frozen if folder.is_relative_to(root)), None)
    if root is None or not folder.is_dir():
        raise ImportError(f"{entry} belongs to no project that is loaded")
    return FileFinder(
        entry, (ExtensionFileLoader, EXTENSION_SUFFIXES), (_Loader, SOURCE_SUFFIXES),
        (SourcelessFileLoader, BYTECODE_SUFFIXES),
    )  # fmt: skip


class _Loader(SourceFileLoader):
    """Makes a module of the frozen bytes; of a file that came later, as one a step has just written, from the disk."""

    def get_data(self, path: str) -> bytes:
        return content(Path(path))

    def path_stats(self, path: str) -> Mapping[str, float]:
        # Byte code is matched to its source by second and size: a file edited twice within a second would be run
        # stale. Without times nothing is read from, or written to, `__pycache__`.
        raise OSError("the source of a project is compiled anew each time")
