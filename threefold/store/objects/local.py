"""Objects in a local folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from threefold.store.objects.base import Growing, Objects, digest_of
from threefold.store.objects.growing import GrowingFile, disk_error, gate, sweep
from threefold.store.pieces import pieces_of

if TYPE_CHECKING:
    import polars as pl


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

    def last_put(self, digest: str) -> float:
        """When an object was last put. Raises NotFound."""
        try:
            return self.path(digest).stat().st_mtime
        except FileNotFoundError:
            raise self._missing(digest) from None

    def remove_unused(self, digest: str, before: float) -> bool:
        """Take an object away unless it was put again since."""
        with gate(self.root, alone=True):
            return super().remove_unused(digest, before)

    def _used_again(self, digest: str) -> bool:
        """Note that an object is wanted now; False where it has just been taken away."""
        with gate(self.root, alone=False):
            try:
                os.utime(self.path(digest))
            except FileNotFoundError:
                return False
            except PermissionError:
                pass  # another user's file: it keeps its age, and the grace of `store gc` has to do
            return True

    def put(self, data: bytes) -> str:
        """Keep some bytes; returns their digest. Raises StoreError."""
        digest = digest_of(data)
        try:
            held = _holds(self.path(digest), data) and self._used_again(digest)
        except OSError as error:
            raise disk_error(error, self.root) from error
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

    def head(self, digest: str, count: int) -> bytes:
        """The first bytes of an object. Raises NotFound."""
        try:
            with self.path(digest).open("rb") as file:
                return file.read(count)
        except FileNotFoundError:
            raise self._missing(digest) from None

    def growing(self) -> Growing:
        """A new object that takes its bytes bit by bit."""
        return GrowingFile(self.root, self._publish)

    def _publish(self, half: Path, digest: str) -> None:
        target = self.path(digest)
        target.parent.mkdir(exist_ok=True)
        os.replace(half, target)  # a damaged copy is mended by the way
        _sync_folder(target.parent)

    def open_stream(self, digest: str, start: int = 0) -> Iterator[bytes]:
        """The bytes of an object from `start` on, in pieces."""
        self.size_bytes(digest)
        pieces = self._pieces(digest, start)
        return self._verified(pieces, digest, str(self.path(digest))) if start == 0 else pieces

    def _pieces(self, digest: str, start: int) -> Iterator[bytes]:
        try:
            with self.path(digest).open("rb") as file:
                file.seek(start)
                yield from pieces_of(file)
        except FileNotFoundError:
            raise self._missing(digest) from None

    def scan_table(self, digest: str) -> pl.LazyFrame:
        """A table to search in, read column by column from the disk."""
        import polars as pl  # 170 ms: only who reads tables pays for it

        parts = self.references(digest) or (digest,)
        for part in parts:
            self.size_bytes(part)
        return pl.scan_parquet([self.path(part) for part in parts])

    def sweep(self) -> int:
        """Remove what writers that were killed left half-written; returns how many files."""
        return sweep(self.root)


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
