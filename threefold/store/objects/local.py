"""Objects in a local folder."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from threefold.errors import StoreError
from threefold.store.objects.base import PIECE_BYTES, Growing, Objects, digest_of

if TYPE_CHECKING:
    import polars as pl

HALF = ".half"  # the folder, among the objects, where bytes grow before they get their name
ABANDONED_S = 24 * 3600  # nobody writes one object for a day


class LocalObjects(Objects):
    """A folder of immutable objects. A new one grows beside the others and gets its name by one atomic rename."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.address = str(root)

    def path(self, digest: str) -> Path:
        """Where the object lies; two letters make the folder."""
        return self.root / digest[:2] / digest[2:]

    def has(self, digest: str) -> bool:
        """Whether the object is here."""
        return self.path(digest).is_file()

    def digests(self) -> Iterator[str]:
        """Every object there is, in no particular order."""
        for folder in self.root.glob("[0-9a-f][0-9a-f]"):
            for file in folder.iterdir():
                yield folder.name + file.name

    def size_bytes(self, digest: str) -> int:
        """How much room an object takes. Raises NotFound."""
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            raise self._missing(digest) from None

    def remove(self, digest: str) -> None:
        """Take an object away for good; nothing happens where there is none."""
        self.path(digest).unlink(missing_ok=True)

    def put(self, data: bytes) -> str:
        """Keep some bytes; returns their digest. Raises StoreError."""
        digest = digest_of(data)
        try:
            held = _holds(self.path(digest), data)
        except OSError as error:
            raise _disk_error(error, self.root) from error
        if not held:
            with self.growing() as half:
                half.write(data)
                half.keep()
        return digest

    def get(self, digest: str) -> bytes:
        """The bytes of an object. Raises NotFound, StoreError."""
        try:
            data = self.path(digest).read_bytes()
        except FileNotFoundError:
            raise self._missing(digest) from None
        if digest_of(data) != digest:
            raise self._damaged(digest, str(self.path(digest)))
        return data

    def growing(self) -> Growing:
        """A new object that takes its bytes bit by bit."""
        return GrowingFile(self)

    def open_stream(self, digest: str, start: int = 0) -> Iterator[bytes]:
        """The bytes of an object from `start` on, in pieces."""
        self.size_bytes(digest)
        pieces = self._pieces(digest, start)
        return self._verified(pieces, digest, str(self.path(digest))) if start == 0 else pieces

    def _pieces(self, digest: str, start: int) -> Iterator[bytes]:
        try:
            with self.path(digest).open("rb") as file:
                file.seek(start)
                while piece := file.read(PIECE_BYTES):
                    yield piece
        except FileNotFoundError:
            raise self._missing(digest) from None

    def scan_table(self, digest: str) -> pl.LazyFrame:
        """A table to search in, read column by column from the disk."""
        import polars as pl  # 170 ms: only who reads tables pays for it

        self.size_bytes(digest)
        return pl.scan_parquet(self.path(digest))

    def sweep(self) -> int:
        """Remove what writers that were killed left half-written; returns how many files. Young ones may still grow."""
        half, removed = self.root / HALF, 0
        for file in half.iterdir() if half.is_dir() else ():
            try:
                if time.time() - file.stat().st_mtime > ABANDONED_S:
                    file.unlink()
                    removed += 1
            except FileNotFoundError:
                continue  # its writer is alive and has just finished
        return removed


class GrowingFile(Growing):
    """An object growing in a file that nobody sees."""

    def __init__(self, home: LocalObjects) -> None:
        self._home = home
        self._seen = hashlib.sha256()
        self._size = 0
        half = home.root / HALF
        try:
            half.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=half)
        except OSError as error:
            raise _disk_error(error, home.root) from error
        self._file = os.fdopen(handle, "wb", buffering=0)  # nothing is left to flush when a full disk is noticed
        self._path = Path(name)

    def write(self, data: bytes) -> None:
        """Add bytes. Raises StoreError where there is no room."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise _disk_error(error, self._home.root) from error
        self._seen.update(data)
        self._size += len(data)

    def keep(self) -> tuple[str, int]:
        """Bring the bytes to the disk, then give them their name."""
        digest = self._seen.hexdigest()
        target = self._home.path(digest)
        try:
            os.fsync(self._file.fileno())
            self._file.close()
            target.parent.mkdir(exist_ok=True)
            os.replace(self._path, target)  # a damaged copy is mended by the way
            _sync_folder(target.parent)
        except OSError as error:
            raise _disk_error(error, self._home.root) from error
        return digest, self._size

    def discard(self) -> None:
        """Forget what was written."""
        self._file.close()
        self._path.unlink(missing_ok=True)


def _holds(file: Path, data: bytes) -> bool:
    try:
        return file.stat().st_size == len(data) and file.read_bytes() == data
    except FileNotFoundError:
        return False


def _sync_folder(folder: Path) -> None:
    """Bring the new name itself to the disk, so that it outlives a power cut."""
    if os.name == "nt":  # folders cannot be opened there; its file system writes names through
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _disk_error(error: OSError, root: Path) -> StoreError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreError("the disk is full", str(root), "free some space and run again; nothing half-written was kept")
    return StoreError(f"cannot write: {error.strerror}", str(root), "check that the folder exists and is writable")
