"""Which files of a project its code opens for reading, told by Python itself.

An audit hook cannot be taken off again, so there is one, put on when it is first needed, and it listens only while
somebody asks. It hears what Python opens: `open`, `Path.read_text`, NumPy, pandas. What a library opens in machine code
of its own, as Polars does, and what other processes open, it does not hear.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Folders that hold nothing of the project's own: environments, caches, what builds leave behind.
PASSED_OVER = {"__pycache__", "node_modules", "site-packages", "build", "dist"}

Stamp = tuple[int, int, int, int]  # size, modified, inode, changed

_listening: list[Opened] = []
_hooked: list[bool] = []


@dataclass(slots=True)
class Opened:
    """The files of one project that were opened while it listened."""

    root: Path
    besides: Path  # a folder that does not count: the store
    read: dict[Path, Stamp | None] = field(default_factory=dict)  # as it was when first opened; None: it was not there
    written: set[Path] = field(default_factory=set)
    by: dict[Path, set[Path]] = field(default_factory=dict)  # source file that was running -> what was opened
    imported: set[Path] = field(default_factory=set)  # modules of the project that were loaded meanwhile

    def hear(self, name: str, flags: int) -> None:
        """One file is about to be opened."""
        path = Path(os.path.normpath(os.path.join(os.getcwd(), name)))
        if not path.is_relative_to(self.root) or path.is_relative_to(self.besides) or path.suffix == ".pyc":
            return
        if is_foreign(path.relative_to(self.root).parts[:-1]):
            return
        if flags & os.O_ACCMODE == os.O_WRONLY:
            self.written.add(path)
            return
        found = stamp_of(path)
        if found is not None and not stat.S_ISREG(path.stat().st_mode):
            return
        self.read.setdefault(path, found)
        for source in self._running():
            self.by.setdefault(source, set()).add(path)

    def _running(self) -> Iterator[Path]:
        """The source files of the project whose code is on the way to this call."""
        below, frame = f"{self.root}{os.sep}", sys._getframe(2)
        while frame is not None:
            if frame.f_code.co_filename.startswith(below):
                yield Path(frame.f_code.co_filename)
            frame = frame.f_back  # type: ignore[assignment]  # None at the outermost


@contextmanager
def listening(root: Path, besides: Path | None = None) -> Iterator[Opened]:
    """Hear of every file below a project's folder that is opened inside the block."""
    if not _hooked:
        _hooked.append(True)
        sys.addaudithook(_hook)
    heard = Opened(root, besides or root / ".threefold")
    before = set(sys.modules)
    _listening.append(heard)
    try:
        yield heard
    finally:
        _listening.remove(heard)
        heard.imported |= {file for name in sys.modules.keys() - before if (file := _file_of(name, root)) is not None}


def _file_of(module: str, root: Path) -> Path | None:
    file = getattr(sys.modules.get(module), "__file__", None)
    below = isinstance(file, str) and file.startswith(f"{root}{os.sep}") and file.endswith(".py")
    return Path(str(file)) if below and not is_foreign(Path(str(file)).relative_to(root).parts[:-1]) else None


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "open" or not _listening:
        return
    try:
        name, flags = os.fsdecode(arguments[0]), int(arguments[2])
        for heard in tuple(_listening):
            heard.hear(name, flags)
    except (TypeError, ValueError, OSError):
        return  # a number for a file that is open already, or a name that no file can have


def is_foreign(folders: Sequence[str]) -> bool:
    """Whether a path inside the project leads through a hidden folder, an environment or a cache."""
    return any(folder.startswith(".") or folder in PASSED_OVER for folder in folders)


def stamp_of(path: Path) -> Stamp | None:
    """What tells one state of a file from the next without reading it; None where there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino, found.st_ctime_ns
