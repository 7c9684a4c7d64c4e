"""Immutable bytes under their digest, in a local folder."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from threefold.errors import NotFound, StoreError

if TYPE_CHECKING:
    import polars as pl

HALF = ".half"  # the folder, among the objects, where bytes grow before they get their name
ABANDONED_S = 24 * 3600  # nobody writes one object for a day


def digest_of(data: bytes) -> str:
    """The sha256 of some bytes, hex."""
    return hashlib.sha256(data).hexdigest()


class Objects:
    """A folder of immutable objects.

    Promises: putting the same bytes twice keeps one copy, and mends it where it was damaged; a half-written object
    is never visible under its digest; bytes are checked against their digest when read.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

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
        """Keep some bytes; returns their digest.

        Raises:
            StoreError: the disk is full or the folder cannot be written; nothing half-written stays.
        """
        digest = digest_of(data)
        target = self.path(digest)
        try:
            if not _holds(target, data):
                self._write(data, target)
        except OSError as error:
            raise _disk_error(error, self.root) from error
        return digest

    def _write(self, data: bytes, target: Path) -> None:
        half = self.root / HALF
        for folder in (half, target.parent):
            folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=half)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, target)
            _sync_folder(target.parent)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

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

    def get(self, digest: str) -> bytes:
        """The bytes of an object.

        Raises:
            NotFound: there is no such object.
            StoreError: the bytes no longer match their digest.
        """
        try:
            data = self.path(digest).read_bytes()
        except FileNotFoundError:
            raise self._missing(digest) from None
        if digest_of(data) != digest:
            raise StoreError(
                f"object {digest[:12]} is damaged: its bytes do not match its digest",
                str(self.path(digest)),
                "delete that file and run again; the step that made it will rebuild it",
            )
        return data

    def _missing(self, digest: str) -> NotFound:
        return NotFound(f"object {digest[:12]} is not in the store", str(self.root), "run the step that made it again")

    def put_table(self, table: pl.DataFrame) -> str:
        """Keep a table as Parquet; equal tables of one Polars version give one digest."""
        buffer = BytesIO()
        table.write_parquet(buffer, compression="zstd", statistics=True)
        return self.put(buffer.getvalue())

    def get_table(self, digest: str) -> pl.DataFrame:
        """A table read back, verified."""
        import polars as pl  # 170 ms: only who reads tables pays for it

        return pl.read_parquet(BytesIO(self.get(digest)))


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
