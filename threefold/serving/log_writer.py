"""The writer of the journal: what it has taken is with the operating system, under the name where it is looked for.

A store can be deleted, renamed or restored from a backup under a running server. An open file does not notice; the
writer does, when it is told to `look`: it takes what it acknowledged along into the store that stands there now. Where
none stands there, nothing is taken until one does.
"""

from __future__ import annotations

import contextlib
import logging
import os
import zlib
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from threefold.errors import StoreError
from threefold.serving.journal import HEADER, MAGIC, SUFFIX, Columns, Feedback, Inference, Refusal, lock
from threefold.store.pieces import write_all

SEGMENT_BYTES = 64 * 1024 * 1024
SPARE_BYTES = 1024 * 1024  # a disk with less than this is full: the next requests would find it so

logger = logging.getLogger(__name__)


class LogWriter:
    """Appends records of one endpoint to its segment.

    Promises: when `predictions` or `feedback` returns, the record is with the operating system, and survives the
    death of this process; when it raises, nothing of the record stays.

    Args:
        folder: `<store>/log/<endpoint>`. It is made where it is missing; the store is not.

    Attributes:
        problem: why the last record was not taken, or the next would not be; None while all is well.
    """

    def __init__(self, folder: Path, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.folder = folder
        self.segment_bytes = segment_bytes
        self.problem: str | None = None
        self._file = -1
        self._name = ""
        self._size = 0
        self._known: dict[Columns, int] = {}
        self._moved = False  # the open segment is no longer found under its name

    def predictions(self, record: Inference, columns: Columns) -> None:
        """Keep one answered request. Raises StoreError when the disk does not take it."""
        self._make_room()
        number = self._known.get(columns)
        if number is None:
            self._append(b"s", _encode(columns))
            number = self._known[columns] = len(self._known)
        record.columns = number
        self._append(b"p", _encode(record))

    def feedback(self, record: Feedback) -> None:
        """Keep labels. Raises StoreError when the disk does not take them."""
        self._make_room()
        self._append(b"f", _encode(record))

    def refusal(self, record: Refusal) -> None:
        """Keep a request that got no prediction. Raises StoreError when the disk does not take it."""
        self._make_room()
        self._append(b"r", _encode(record))

    def look(self) -> None:
        """See whether what is written is found again, and whether there is room for more. Any thread may call it."""
        file, name = self._file, self._name
        if file >= 0 and not _same(file, self.folder / name):
            self._moved = True
        try:
            trouble = self._trouble()
        except OSError as error:
            trouble = error.strerror
        self.problem = None if trouble is None else str(_disk_error(trouble, self.folder))

    def close(self) -> None:
        """End the segment; it is then final."""
        if self._moved:
            try:
                self._follow()
            except OSError as error:
                logger.error("%d bytes of the log were lost with their store: %s", self._size, error)
        if self._file >= 0:
            os.fsync(self._file)
        self._end()

    def _end(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file, self._size, self._known, self._moved = -1, 0, {}, False

    def _make_room(self) -> None:
        try:
            if self._moved:
                self._follow()
            if self._size > self.segment_bytes:
                self.close()
            if self._file < 0:
                self._open(_new_name(), MAGIC)
        except OSError as error:
            raise self._failed(error) from error

    def _open(self, name: str, begin: bytes) -> None:
        """Begin a segment; the lock comes before the first byte, as an empty segment is never taken as final."""
        _make_folder(self.folder)
        file = os.open(self.folder / name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            lock(file)
            write_all(file, begin)
        except OSError:
            os.close(file)
            (self.folder / name).unlink(missing_ok=True)
            raise
        self._file, self._name, self._size = file, name, len(begin)

    def _append(self, kind: bytes, payload: bytes) -> None:
        frame = HEADER.pack(len(payload), zlib.crc32(payload), kind) + payload
        try:
            write_all(self._file, frame)
        except OSError as error:
            self._take_back()
            raise self._failed(error) from error
        self._size += len(frame)
        self.problem = None

    def _take_back(self) -> None:
        """Cut a half-written frame off; where even that fails, go on in a new segment."""
        try:
            os.ftruncate(self._file, self._size)
        except OSError:
            self._end()

    def _failed(self, error: OSError) -> StoreError:
        told = _disk_error(error.strerror, self.folder)
        self.problem = str(told)
        return told

    def _follow(self) -> None:
        """Go on in the store that stands here now, with what was acknowledged into the one before."""
        if self._file >= 0 and not _same(self._file, self.folder / self._name):
            _make_folder(self.folder)
            self._take_along()
        self._moved = False

    def _take_along(self) -> None:
        """Write the segment again, and go on in it; where the old store was only renamed, it keeps its own.

        The name stays: where the new store is a copy of the old one, what was ingested is not ingested again.
        """
        old, known, data = self._file, self._known, _all_of(self._file, self._size)
        copy = _copy_of(self.folder / self._name, data)
        if copy is None:
            self._open(self._name if not (self.folder / self._name).exists() else _new_name(), data)
        else:
            self._file = copy
        os.close(old)
        self._size, self._known = len(data), known
        logger.warning("%s: the store was replaced; %d bytes of the log were taken along", self.folder, len(data))

    def _trouble(self) -> str | None:
        """What would keep the next record from being taken; None: nothing that can be seen without writing."""
        place = next((one for one in (self.folder, *self.folder.parents[:2]) if one.is_dir()), None)
        if place is None:
            return "there is no store"
        if not os.access(place, os.W_OK | os.X_OK):
            return "the folder may not be written"
        room = os.statvfs(place) if hasattr(os, "statvfs") else None  # not on Windows
        if room is not None and room.f_blocks and room.f_bavail * room.f_frsize < SPARE_BYTES:
            return "the disk is full"
        return self._refused(place) if self.problem else None

    @staticmethod
    def _refused(place: Path) -> str | None:
        """After a record was not taken: whether a file is, by now."""
        probe = place / f".probe-{os.getpid()}"
        try:
            probe.write_bytes(MAGIC)
        finally:
            with contextlib.suppress(OSError):
                probe.unlink(missing_ok=True)
        return None


def _new_name() -> str:
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{os.getpid()}{SUFFIX}"


def _same(file: int, path: Path) -> bool:
    try:
        found, ours = path.stat(), os.fstat(file)
    except OSError:
        return False
    return (found.st_dev, found.st_ino) == (ours.st_dev, ours.st_ino)


def _copy_of(path: Path, data: bytes) -> int | None:
    """An older copy of a segment, as a backup holds one, locked and brought up to date; None where there is none."""
    try:
        file = os.open(path, os.O_RDWR | os.O_APPEND)
    except FileNotFoundError:
        return None
    try:
        lock(file)
        there = _all_of(file, os.fstat(file).st_size)
        if data.startswith(there) and _same(file, path):  # not ingested and removed in the meantime
            write_all(file, data[len(there) :])
            return file
    except OSError:
        os.close(file)
        raise
    os.close(file)
    return None


def _make_folder(folder: Path) -> None:
    """The folder of an endpoint and the one above, in a store that is there: the store itself is never made here."""
    folder.parent.mkdir(exist_ok=True)
    folder.mkdir(exist_ok=True)


def _all_of(file: int, size: int) -> bytes:
    parts, at = [], 0
    while at < size and (part := os.pread(file, size - at, at)):
        parts.append(part)
        at += len(part)
    return b"".join(parts)


def _disk_error(why: str | None, folder: Path) -> StoreError:
    return StoreError(
        f"the inference log cannot be written: {why}", str(folder),
        "free some space or mend the folder; requests are refused until then, and none is lost",
    )  # fmt: skip


_encode = msgspec.msgpack.Encoder().encode
