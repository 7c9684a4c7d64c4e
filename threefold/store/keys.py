"""The secrets of a store: files that only their owner can read."""

from __future__ import annotations

import errno
import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path

from threefold.errors import DiskFull, StoreError

KEY_BYTES = 32


def own_key(file: Path) -> bytes:
    """The key in a file; made with mode 0600 where there is none. Two processes at once agree on one.

    Raises:
        StoreError: the file cannot be read or written, or does not hold a key.
    """
    key = secret(file, lambda: secrets.token_bytes(KEY_BYTES))
    if len(key) != KEY_BYTES:
        raise StoreError(
            "the store's key is damaged", str(file), "restore it from a backup; without it its pickles stay closed"
        )
    return key


def secret(file: Path, make: Callable[[], bytes]) -> bytes:
    """What a file of mode 0600 holds; `make` says what, where there is none yet.

    Raises:
        StoreError: the file cannot be read or written.
    """
    try:
        if not file.is_file():
            _write(file, make())
        return file.read_bytes()
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DiskFull("the disk is full: the store's key cannot be made", str(file), "free some space") from error
        raise StoreError(f"the store's key cannot be used: {error.strerror}", str(file), "check its rights") from error


def _write(file: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix=".key-", dir=file.parent)  # mkstemp gives 0600
    try:
        with os.fdopen(handle, "wb") as half:
            half.write(data)
            half.flush()
            os.fsync(half.fileno())
        # A link fails where the name exists, so the first of two processes wins and nobody sees half a key.
        os.link(name, file)
    except FileExistsError:
        pass
    finally:
        Path(name).unlink(missing_ok=True)
