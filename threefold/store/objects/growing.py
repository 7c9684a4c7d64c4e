"""Bytes on their way to become an object: a file that nobody sees until it is whole."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from threefold.errors import DiskFull, StoreError
from threefold.store.objects.base import Growing

try:
    import fcntl
except ImportError:  # Windows has no flock: there a file is known to be abandoned by its age alone
    fcntl = None  # type: ignore[assignment]  # the name stays, without its functions

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
            with gate(root / HALF, alone=False):  # `sweep` must not meet a file that is not locked yet
                handle, name = tempfile.mkstemp(dir=root / HALF)
                _lock(handle)  # for as long as it grows, so that its writer is known to live
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
            if fcntl is None:
                self._file.close()  # Windows gives no other name to a file that is open
            self._publish(self._path, digest)
            self._file.close()
        except OSError as error:
            raise disk_error(error, self._root) from error
        return digest, self._size

    def discard(self) -> None:
        """Forget what was written."""
        self._file.close()
        self._path.unlink(missing_ok=True)


def sweep(root: Path) -> int:
    """Remove files whose writer is dead, and where that cannot be seen, those that stopped growing a day ago.

    Returns how many.
    """
    half, removed = root / HALF, 0
    if not half.is_dir():
        return 0
    with gate(half, alone=True):
        for file in half.iterdir():
            try:
                if _abandoned(file):
                    file.unlink()
                    removed += 1
            except FileNotFoundError:
                continue  # its writer is alive and has just finished
    return removed


def _abandoned(file: Path) -> bool:
    with file.open("rb") as opened:
        return _lock(opened.fileno()) or time.time() - file.stat().st_mtime > ABANDONED_S


def _lock(handle: int) -> bool:
    """Take a file for as long as it is open; False where another has it, or the file system knows no locks."""
    if fcntl is None:
        return False
    with suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


@contextmanager
def gate(folder: Path, *, alone: bool) -> Iterator[None]:
    """Many may pass a folder at a time, or one alone."""
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks; there the age of files has to do
            fcntl.flock(handle, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)


def disk_error(error: OSError, root: Path) -> StoreError:
    """What a disk that refuses bytes means for the user."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull("the disk is full", str(root), "free some space and run again; nothing half-written was kept")
    return StoreError(f"cannot write: {error.strerror}", str(root), "check that the folder exists and is writable")
