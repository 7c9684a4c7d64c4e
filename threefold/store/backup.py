"""One file with all of a store in it, made while others write.

The archive is a tar: `format.json`, the files of the folder (key, logs not yet ingested, and what else lies there), the
catalogue as a file of SQLite whatever engine it came from, each object once, and at the end `index.json`, which counts
and names all of it: an archive without it was cut off. The order matters. Logs come before the catalogue, so that what
is ingested meanwhile stands in one of the two; the catalogue before the objects, as an object is older than its row.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from threefold.errors import Conflict, NotFound, StoreError
from threefold.records import utc_now
from threefold.store import copying, database, roots, schema
from threefold.store.gc import at_work
from threefold.store.objects import LocalObjects
from threefold.store.objects.growing import HALF
from threefold.store.store import OBJECTS, Store

VERSION = 1
SCRATCH = ".backup-"
LEFT_OUT = ("catalogue.db", "catalogue.db-wal", "catalogue.db-shm", "run.holder.json", "tmp")
LEFT_OUT_ENDINGS = (".lock", HALF, ".torn")

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Archived:
    """What an archive holds."""

    schema: str
    created_at: str
    files: dict[str, str]  # name in the archive -> sha256
    objects: int
    object_bytes: int
    missing: tuple[str, ...]  # objects that the store itself had lost
    rows: dict[str, int]


def backup(store: Store, file: Path, *, progress: Progress = lambda what, done, of: None) -> Archived:
    """Write a store into one file. It holds the store's key: whoever has it can open what only this store may open.

    Raises:
        Conflict: the file is there already, or a gc is at work.
        StoreError: the archive cannot be written, or an object cannot be read; nothing half-written stays.
    """
    if file.exists():
        raise Conflict("the file is there already", str(file), "name another one, or remove it first")
    half = file.with_name(f"{file.name}.half")
    try:
        with at_work(store.root, "backup"):
            for left in store.root.glob(f"{SCRATCH}*"):  # of a backup that was killed: there is one at a time
                shutil.rmtree(left, ignore_errors=True)
            with open(half, "wb", opener=_private) as handle:
                found = _write(store, handle, progress)
                handle.flush()
                os.fsync(handle.fileno())
            half.rename(file)
    except OSError as error:
        raise StoreError(
            f"the archive cannot be written: {error.strerror}", str(file), "free some space, or name another place"
        ) from error
    finally:
        half.unlink(missing_ok=True)
    return found


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _write(store: Store, handle: IO[bytes], progress: Progress) -> Archived:
    files: dict[str, str] = {}
    with (
        tarfile.open(fileobj=handle, mode="w") as archive,
        tempfile.TemporaryDirectory(prefix=SCRATCH, dir=store.root) as folder,
    ):
        _add(archive, "format.json", json.dumps({"format": "threefold store", "version": VERSION}).encode())
        for path in _files_of(store):
            name = f"files/{path.relative_to(store.root).as_posix()}"
            digest = _add_file(archive, name, path)
            if digest is not None:
                files[name] = digest
        snapshot = Path(folder) / "catalogue.db"
        take_catalogue(store, snapshot, progress)
        files["catalogue.db"] = _add_file(archive, "catalogue.db", snapshot) or ""
        counted, missing = _add_objects(store, snapshot, archive, progress)
        found = Archived(schema.HEAD, utc_now().isoformat(), files, *counted, missing, _rows_of(snapshot))
        _add(archive, "index.json", json.dumps(asdict(found)).encode())
    return found


def _files_of(store: Store) -> Iterator[Path]:
    """What lies in the folder beside catalogue and objects: the key, logs, spools, and whatever a room keeps there."""
    objects = store.objects.root if isinstance(store.objects, LocalObjects) else store.root / OBJECTS
    for path in sorted(store.root.rglob("*")):
        if path.is_file() and not path.is_relative_to(objects) and _wanted(path.relative_to(store.root)):
            yield path


def _wanted(inside: Path) -> bool:
    """Whether a file outlives the processes of the moment."""
    first = inside.parts[0]
    passing = first in LEFT_OUT or first.startswith((SCRATCH, "catalogue-schema-"))
    return not (passing or HALF in inside.parts or inside.name.endswith(LEFT_OUT_ENDINGS))


def take_catalogue(store: Store, file: Path, progress: Progress) -> None:
    """The catalogue at one moment, as a file of SQLite."""
    source = store.engine.url.database
    if store.engine.dialect.name == "sqlite" and source:
        with (
            closing(sqlite3.connect(source, timeout=database.BUSY_TIMEOUT_S)) as one,
            closing(sqlite3.connect(file)) as to,
        ):
            one.backup(to)
            to.execute("PRAGMA journal_mode=DELETE")  # one file, and no other beside it
        return
    engine = database.engine_of(database.address_of(file.parent, f"sqlite:///{file}"))
    try:
        with store.read() as read, engine.connect() as target:
            target.exec_driver_sql("BEGIN")
            schema.create(target)
            copying.copy(read, target, progress)
            target.commit()
        with engine.connect() as target:
            target.exec_driver_sql("PRAGMA journal_mode=DELETE")
    finally:
        engine.dispose()


def _add_objects(
    store: Store, snapshot: Path, archive: tarfile.TarFile, progress: Progress
) -> tuple[tuple[int, int], tuple[str, ...]]:
    engine = database.engine_of(database.address_of(snapshot.parent, f"sqlite:///{snapshot}"))
    try:
        with engine.connect() as connection:
            needed = roots.whole(store.objects, roots.direct(connection))
    finally:
        engine.dispose()
    count = size = 0
    missing = []
    for number, digest in enumerate(sorted(needed), 1):
        progress("packing objects", number, len(needed))
        try:
            member = _member(f"objects/{digest}", store.objects.size_bytes(digest))
        except NotFound:
            missing.append(digest)
            continue
        archive.addfile(member, _Reader(store.objects.open_stream(digest)))
        count, size = count + 1, size + member.size
    return (count, size), tuple(missing)


def _rows_of(snapshot: Path) -> dict[str, int]:
    with closing(sqlite3.connect(snapshot)) as connection:
        return {
            table.name: connection.execute(f'SELECT count(*) FROM "{table.name}"').fetchone()[0]
            for table in schema.metadata.sorted_tables
        }


def _add_file(archive: tarfile.TarFile, name: str, path: Path) -> str | None:
    """Add a file as long as it is now, though it may be growing; None where it has just gone."""
    try:
        with path.open("rb") as source:
            member = _member(name, os.fstat(source.fileno()).st_size, path.stat().st_mode & 0o777)
            seen = _Hashing(source)
            archive.addfile(member, seen)
            return seen.hexdigest()
    except FileNotFoundError:
        return None


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    archive.addfile(_member(name, len(data)), io.BytesIO(data))


def _member(name: str, size: int, mode: int = 0o600) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, mode, int(utc_now().timestamp())
    return member


class _Hashing(io.RawIOBase):
    """A file that remembers the sha256 of what was read from it."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source, self._seen = source, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        data = self._source.read(size)
        self._seen.update(data)
        return data

    def hexdigest(self) -> str:
        """Of all that was read."""
        return self._seen.hexdigest()


class _Reader(io.RawIOBase):
    """A stream of pieces, read like a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._left = pieces, b""

    def read(self, size: int = -1) -> bytes:
        """The next bytes, fewer than asked for only at the end."""
        parts = [self._left]
        have = len(self._left)
        while size < 0 or have < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            parts.append(piece)
            have += len(piece)
        data = b"".join(parts)
        cut = len(data) if size < 0 else size
        self._left = data[cut:]
        if not self._left:
            # The last piece is only handed over when the whole is right: ask now, not after the archive was closed.
            with suppress(StopIteration):
                self._left = next(self._pieces)
        return data[:cut]
