"""A store out of an archive that `backup` wrote: everything is verified before anything is put in its place."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from filelock import FileLock, Timeout

from threefold.errors import Conflict, StoreError
from threefold.store import copying, schema
from threefold.store.backup import VERSION, Archived
from threefold.store.objects import Objects, open_objects
from threefold.store.pieces import pieces_of
from threefold.store.store import OBJECTS, Store

BROKEN = "take another backup; nothing was changed"

Progress = Callable[[str, int, int], None]


def restore(
    file: Path,
    root: Path,
    *,
    url: str | None = None,
    objects: str | None = None,
    replace: bool = False,
    progress: Progress = lambda what, done, of: None,
) -> Archived:
    """Lay a store out in a folder, and its catalogue in a database where one is named.

    Args:
        root: the store's folder. What lay there is kept beside it under another name.
        url: the address of the catalogue; None: SQLite in the folder.
        objects: where the objects go; None: a folder in that of the store. What lies there already stays.
        replace: put it in the place of a store that is there.
    Raises:
        Conflict: a store is there, and nobody said to replace it; or a run is under way in it.
        StoreError: the archive is damaged or cut off, or there is no room; nothing was changed.
    """
    half = root.with_name(f".{root.name}.restoring")
    shutil.rmtree(half, ignore_errors=True)
    try:
        with _nobody_at_work(root):
            _require_free(root, url, replace)
            found = _unpack(file, half, _home(objects, root, half), progress)
            if url is not None:
                _into_database(half, url, replace, progress)
            _switch(half, root)
    except OSError as error:
        raise StoreError(
            f"cannot restore: {error.strerror or error}", str(file), "check the path and the room"
        ) from error
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return found


@contextmanager
def _nobody_at_work(root: Path) -> Iterator[None]:
    if not root.exists():
        yield
        return
    try:
        with FileLock(root / "run.lock", timeout=0), FileLock(root / "care.lock", timeout=0):
            yield
    except Timeout:
        raise Conflict("somebody works with this store", str(root), "end the run, gc or backup first") from None


def _require_free(root: Path, url: str | None, replace: bool) -> None:
    if replace:
        return
    taken = [path.name for path in root.iterdir() if not path.name.endswith(".lock")] if root.exists() else []
    if taken:
        raise Conflict("a store is there already", str(root), "name another folder, or say --replace")


def _home(address: str | None, root: Path, half: Path) -> Objects:
    """Objects in the folder of the store move into place with it; elsewhere they can lie before anything needs them."""
    where = address or OBJECTS
    inside = "://" not in where and (root / where).is_relative_to(root)
    return open_objects(where, half if inside else root)


def _unpack(file: Path, half: Path, objects: Objects, progress: Progress) -> Archived:
    hashes: dict[str, str] = {}
    kept: list[int] = []
    index: Archived | None = None
    half.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(file) as archive:
            for number, member in enumerate(archive, 1):
                progress("unpacking", number, 0)
                content = archive.extractfile(member)
                if content is None:
                    raise _broken(file, f"{member.name} is no file")
                if number == 1:
                    _require_known(file, member.name, content.read())
                elif member.name == "index.json":
                    said = json.loads(content.read())
                    index = Archived(**{**said, "missing": tuple(said["missing"])})
                elif member.name.startswith("objects/"):
                    digest, size = objects.put_stream(pieces_of(content))
                    if f"objects/{digest}" != member.name:
                        raise _broken(file, f"object {member.name[8:20]} does not match its digest")
                    kept.append(size)
                else:
                    hashes[member.name] = _lay_out(member, content, half, file)
    except (tarfile.TarError, EOFError) as error:
        raise _broken(file, str(error)) from error
    if index is None:
        raise _broken(file, "its end is missing")
    if hashes != index.files or (len(kept), sum(kept)) != (index.objects, index.object_bytes):
        raise _broken(file, "what it holds is not what its index says")
    return index


def _require_known(file: Path, name: str, data: bytes) -> None:
    try:
        said = json.loads(data) if name == "format.json" else {}
    except ValueError:
        said = {}
    if said.get("format") != "threefold store":
        raise StoreError("this is no backup of a store", str(file), "name a file that `threefold store backup` wrote")
    if said["version"] > VERSION:
        raise StoreError("the backup was made by a newer Threefold", str(file), "install the newer Threefold")


def _lay_out(member: tarfile.TarInfo, content: IO[bytes], half: Path, file: Path) -> str:
    name = PurePosixPath(member.name)
    parts = name.parts[1:] if name.parts[0] == "files" else name.parts
    if not parts or name.is_absolute() or ".." in parts:
        raise _broken(file, f"{member.name} has no place in a store")
    target = half.joinpath(*parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    seen = hashlib.sha256()
    with target.open("wb") as out:
        for data in pieces_of(content):
            seen.update(data)
            out.write(data)
    target.chmod(member.mode & 0o777)
    return seen.hexdigest()


def _into_database(half: Path, url: str, replace: bool, progress: Progress) -> None:
    """The rows of the unpacked catalogue into another database, in one transaction."""
    inside = Store.open(half)  # brings an older schema to the newest one
    target = Store.over(half, url)
    try:
        with inside.read() as source, target.write() as tx:
            if not copying.is_empty(tx.connection):
                if not replace:
                    raise Conflict("the database is not empty", target.url, "name an empty one, or say --replace")
                copying.drop_everything(tx.connection)
            schema.create(tx.connection)
            copying.copy(source, tx.connection, progress)
            copying.compare(source, tx.connection, target.url, progress)
    finally:
        inside.close()
        target.close()
    for left in half.glob("catalogue*"):
        left.unlink()


def _switch(half: Path, root: Path) -> None:
    """Put the new folder in the place of the old one, which stays beside it."""
    if root.exists():
        number = 1
        while (aside := root.with_name(f"{root.name}.before-restore-{number}")).exists():
            number += 1
        root.rename(aside)
    root.parent.mkdir(parents=True, exist_ok=True)
    half.rename(root)


def _broken(file: Path, why: str) -> StoreError:
    return StoreError(f"the backup is damaged: {why}", str(file), BROKEN)
