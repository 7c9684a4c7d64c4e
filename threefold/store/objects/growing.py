"""Bytes on their way to become an object: a file that nobody sees until it is whole."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from threefold.errors import StoreError
from threefold.store.objects.base import Growing

HALF = ".half"  # the folder where bytes grow before they get their name
ABANDONED_S = 24 * 3600  # nobody writes one object for a day


class GrowingFile(Growing):
    """An object growing in a file.

    Args:
        root: the folder in which HALF lies.
        publish: gives the whole file its place under its digest; may take the file away.
    """

    def __init__(self, root: Path, publish: Callable[[Path, str], None]) -> None:
        self._root = root
        self._publish = publish
        self._seen = hashlib.sha256()
        self._size = 0
        try:
            (root / HALF).mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=root / HALF)
        except OSError as error:
            raise disk_error(error, root) from error
        self._file = os.fdopen(handle, "wb", buffering=0)  # nothing is left to flush when a full disk is noticed
        self._path = Path(name)

    def write(self, data: bytes) -> None:
        """Add bytes. Raises StoreError where there is no room."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise disk_error(error, self._root) from error
        self._seen.update(data)
        self._size += len(data)

    def keep(self) -> tuple[str, int]:
        """Bring the bytes to the disk, then give them their name."""
        digest = self._seen.hexdigest()
        try:
            os.fsync(self._file.fileno())
            self._file.close()
            self._publish(self._path, digest)
        except OSError as error:
            raise disk_error(error, self._root) from error
        return digest, self._size

    def discard(self) -> None:
        """Forget what was written."""
        self._file.close()
        self._path.unlink(missing_ok=True)


def sweep(root: Path) -> int:
    """Remove files that stopped growing a day ago; returns how many."""
    half, removed = root / HALF, 0
    for file in half.iterdir() if half.is_dir() else ():
        try:
            if time.time() - file.stat().st_mtime > ABANDONED_S:
                file.unlink()
                removed += 1
        except FileNotFoundError:
            continue  # its writer is alive and has just finished
    return removed


def disk_error(error: OSError, root: Path) -> StoreError:
    """What a disk that refuses bytes means for the user."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreError("the disk is full", str(root), "free some space and run again; nothing half-written was kept")
    return StoreError(f"cannot write: {error.strerror}", str(root), "check that the folder exists and is writable")
