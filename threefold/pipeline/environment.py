"""What a step's result owes to the interpreter and to installed packages."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import sys
import sysconfig
from collections.abc import Collection, Iterator
from functools import lru_cache
from pathlib import Path

from threefold.pipeline.files import Files

OWN = "threefold"
SOURCES = (".py", ".so", ".pyd", ".pyx", ".sql", ".json", ".yaml", ".toml")  # what counts in an editable package


def normal(name: str) -> str:
    """A distribution's name as indexes compare it.

    >>> normal("Scikit_Learn")
    'scikit-learn'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def library_folders() -> tuple[Path, ...]:
    """The folders of the standard library and of installed packages."""
    return _library_folders(tuple(sys.path))


@lru_cache(maxsize=8)
def _library_folders(entries: tuple[str, ...]) -> tuple[Path, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    found = [Path(sysconfig.get_path(name)).resolve() for name in names]
    installed = [Path(entry) for entry in entries if Path(entry).name in ("site-packages", "dist-packages")]
    return tuple(dict.fromkeys([*found, *(entry.resolve() for entry in installed)]))


def is_library(path: Path) -> bool:
    """Whether a file belongs to the standard library, an installed package, or Threefold itself."""
    return path.is_relative_to(own_folder()) or any(path.is_relative_to(folder) for folder in library_folders())


@lru_cache(maxsize=1)
def own_folder() -> Path:
    """Where Threefold's own source lies."""
    return Path(__file__).resolve().parent.parent


def local_folders(root: Path) -> tuple[Path, ...]:
    """Where source that is nobody's package is imported from: the project, then plain folders on the path."""
    entries = [Path(entry or os.curdir).resolve() for entry in sys.path if not entry.endswith(".zip")]
    # `root` may hold a virtual environment: what lies in there is installed, not source.
    plain = [entry for entry in entries if entry.is_dir() and not is_library(entry)]
    return tuple(dict.fromkeys([root.resolve(), *plain]))


class Distributions:
    """The installed distributions, read from the names of their metadata folders: a millisecond, not a second."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.folders = {normal(folder.name.split("-")[0]): folder for folder in _metadata_folders()}
        self._owners: dict[str, tuple[str, ...]] | None = None
        self._needs: dict[str, tuple[str, ...]] = {}
        self._source: str | None = None

    def version(self, name: str) -> str:
        """The version of a distribution; of one that is used from its source folder also the digest of that."""
        folder = self.folders[name]
        version = folder.name.removesuffix(".dist-info").removesuffix(".egg-info").split("-")[1]
        if name == OWN:
            return f"{version} {self._own_source()}"
        return version

    def _own_source(self) -> str:
        if self._source is None:
            self._source = f"source {self.files.tree_digest(own_folder(), SOURCES)[:12]}"
        return self._source

    def document(self, imported: Collection[str]) -> dict[str, str]:
        """The environment of code that imports some top-level modules: name -> version.

        Holds Python, the platform, the distributions that bring these modules, and all that these need.
        """
        found: dict[str, str] = {
            "python": f"{sys.version_info.major}.{sys.version_info.minor}",
            "platform": f"{sys.platform} {platform.machine()}",
        }
        waiting = [name for module in imported for name in self.owners(module)]
        while waiting:
            name = waiting.pop()
            if name not in found and name in self.folders:
                found[name] = self.version(name)
                waiting.extend(self.needs(name))
        if OWN in imported and OWN not in found:  # used from a folder, not installed
            found[OWN] = self._own_source()
        return dict(sorted(found.items()))

    def owners(self, module: str) -> tuple[str, ...]:
        """The distributions that bring a top-level module; none for the standard library."""
        if module in sys.stdlib_module_names:
            return ()
        if normal(module) in self.folders:
            return (normal(module),)
        if self._owners is None:
            from importlib.metadata import packages_distributions  # reads every package: only for the odd names

            self._owners = {
                name: tuple(dict.fromkeys(map(normal, owners))) for name, owners in packages_distributions().items()
            }
        return self._owners.get(module, ())

    def needs(self, name: str) -> tuple[str, ...]:
        """The distributions that one asks for and that are here; of Threefold also those of its extras."""
        if name not in self._needs:
            self._needs[name] = tuple(dict.fromkeys(_requirements(self.folders[name], with_extras=name == OWN)))
        return self._needs[name]


def _metadata_folders() -> Iterator[Path]:
    seen: set[str] = set()
    for entry in map(Path, sys.path):
        if not entry.is_dir():
            continue
        for name in sorted(os.listdir(entry)):
            if name.endswith((".dist-info", ".egg-info")) and "-" in name and name.split("-")[0] not in seen:
                seen.add(name.split("-")[0])
                yield entry / name


def _requirements(folder: Path, *, with_extras: bool) -> Iterator[str]:
    file = next((folder / name for name in ("METADATA", "PKG-INFO") if (folder / name).is_file()), None)
    if file is None:
        return
    with file.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if not line.strip():
                return  # the header ends, the description begins
            match = re.match(r"Requires-Dist:\s*([\w.-]+)", line)
            if match and (with_extras or "extra ==" not in line):
                yield normal(match[1])


def digest_of_document(document: dict[str, str]) -> tuple[bytes, str]:
    """The document as bytes, and their sha256."""
    data = "\n".join(f"{name} {version}" for name, version in document.items()).encode()
    return data, hashlib.sha256(data).hexdigest()


def read_document(data: bytes) -> dict[str, str]:
    """The document from its bytes."""
    return dict(line.split(" ", 1) for line in data.decode().splitlines())
