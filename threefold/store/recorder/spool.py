"""The spool: a file that a run writes to at once, and that is delivered when the store can be reached.

One line of JSON is one record, numbered 1, 2, 3 …; one record is one write, so a process killed at any moment leaves whole
lines and at most one torn tail, which was never acknowledged. Files of the run lie beside it, under their digest.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from threefold.errors import StoreError
from threefold.store.pieces import pieces_at, write_all
from threefold.store.recorder.console import NAME

try:
    import fcntl
except ImportError:  # Windows has no flock: there nobody else may deliver a spool whose run may still live
    fcntl = None  # type: ignore[assignment]  # the name stays, without its functions

LINES = "records.jsonl"
FOLDER = "spool"  # in the folder of a store: what runs have not brought into it yet, each in a folder of its own
TOGETHER = 8_000_000  # bytes of records that travel together; one that is larger travels alone

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Spool:
    """The records of one run, on disk.

    Promises: when `add` returns, the record is with the operating system and outlives this process; records are read
    back in the order in which they were added.

    Attributes:
        folder: the run's own; it is named by the run's id.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(folder / LINES, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise _disk_error(error, folder) from error
        if fcntl:
            fcntl.flock(self._file, fcntl.LOCK_EX)
        self._size = self._mended()
        self.count = sum(1 for _ in lines(folder))

    def add(self, record: dict[str, Any]) -> int:
        """Keep one record; returns its number. Raises StoreError when the disk does not take it."""
        data = _encode(record) + b"\n"
        with self._lock:
            try:
                write_all(self._file, data)
            except OSError as error:
                os.ftruncate(self._file, self._size)
                raise _disk_error(error, self.folder) from error
            self._size += len(data)
            self.count += 1
            return self.count

    def add_file(self, source: Path | bytes) -> tuple[str, int]:
        """Keep a file's content as it is now; returns its digest and size."""
        half = self.folder / f".half-{threading.get_ident()}"
        hasher, size = hashlib.sha256(), 0
        try:
            with half.open("wb") as target:
                for piece in (source,) if isinstance(source, bytes) else pieces_at(source):
                    hasher.update(piece)
                    size += target.write(piece)
                target.flush()
                os.fsync(target.fileno())
            os.replace(half, self.folder / hasher.hexdigest())
        except OSError as error:
            half.unlink(missing_ok=True)
            raise _disk_error(error, self.folder) from error
        return hasher.hexdigest(), size

    def close(self) -> None:
        """Let others deliver what is left."""
        os.close(self._file)

    def _mended(self) -> int:
        """The length without a torn last line, which is cut off."""
        data = (self.folder / LINES).read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole != len(data):
            os.ftruncate(self._file, whole)
        return whole


class Reader:
    """Goes through the records of a spool as it grows; what was passed once is not read again.

    Attributes:
        folder: the run's own; it is named by the run's id.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = (folder / LINES).open("rb")
        self._number = self._at = 0  # records passed, and where the next one begins

    def after(self, known: int, most: int) -> list[tuple[int, dict[str, Any]]]:
        """The next whole records behind a number, each with its own.

        Args:
            known: never less than in the call before.
            most: how many at the most.
        """
        self._file.seek(self._at)
        while self._number < known:
            self._file.readline()
            self._number += 1
        self._at = self._file.tell()
        found: list[tuple[int, dict[str, Any]]] = []
        size = 0
        for number in range(known + 1, known + most + 1):
            line = self._file.readline()
            size += len(line)
            if not line.endswith(b"\n") or (found and size > TOGETHER):
                break
            found.append((number, _decode(line)))
        return found

    def close(self) -> None:
        """Give the file back."""
        self._file.close()


def lines(folder: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The whole records of a spool, each with its number."""
    with (folder / LINES).open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.endswith(b"\n"):
                yield number, _decode(line)


def end_for(folder: Path) -> int:
    """Say of a run whose process is gone that it was interrupted, unless it had ended; returns how many records it has."""
    ended = [record["is"] for _, record in lines(folder)][-1:] in ([], ["end"])
    mine = Spool(folder)
    try:
        if not ended:
            at_ms = int((folder / LINES).stat().st_mtime * 1000)
            if (folder / NAME).is_file():
                digest, size = mine.add_file(folder / NAME)
                mine.add({"is": "file", "name": NAME, "digest": digest, "size_bytes": size})
            mine.add({"is": "end", "status": "interrupted", "at_ms": at_ms, "error": None})
        return mine.count
    finally:
        mine.close()


def waiting(root: Path) -> list[Path]:
    """The spools in a folder whose process is gone, oldest first."""
    found = [entry.parent for entry in root.glob(f"*/{LINES}") if not _held(entry)]
    return sorted(found, key=lambda folder: (folder / LINES).stat().st_mtime)


def remove(folder: Path) -> None:
    """Take a spool away that was delivered whole."""
    shutil.rmtree(folder, ignore_errors=True)


def _held(file: Path) -> bool:
    if fcntl is None:
        return False
    with file.open("rb") as handle:
        try:
            fcntl.flock(handle.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _disk_error(error: OSError, folder: Path) -> StoreError:
    return StoreError(
        f"what the run logs cannot be kept: {error.strerror}", str(folder),
        "free some space, or name another folder in THREEFOLD_SPOOL",
    )  # fmt: skip
