"""Files of runs and logged models: a path points at an object, so equal files are kept once.

A folder is nothing but the beginning of paths: it is there as long as a file lies in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from sqlalchemy import Connection, delete, func, insert, or_, select

from threefold.errors import DataError, NotFound
from threefold.records import now_ms
from threefold.store.schema import files
from threefold.store.tracking.experiments import ROOT

LONGEST = 1_024  # letters of a path
LONGEST_BYTES = 2_600  # of the same in UTF-8; an index of Postgres takes no more
AT_ONCE = 1_000  # rows looked at together
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class File:
    """One entry of a folder.

    Attributes:
        size_bytes: None for a folder.
    """

    path: str
    size_bytes: int | None = None


def plain(path: str) -> str:
    """The name under which a client of MLflow asks for a file: it reads what follows a percent sign, in every name it lists.

    The images that `mlflow.log_image(step=20)` sends are such names. A control letter is written out, never kept as one;
    "#" becomes its wide form, because the same clients refuse a whole list in which it stands: step 23 has one.

    >>> plain("dog%step%20%timestamp%17"), plain("a%252Fb"), plain("dog%step%23")
    ('dog%step %timestamp%17', 'a/b', 'dog%step＃')
    """
    for _ in range(10):  # written in percent signs several times over
        decoded = unquote(path)
        if decoded == path:
            break
        path = decoded
    return _CONTROL.sub(lambda found: f"%{ord(found[0]):02x}", path).replace("#", "\uff03")


def safe(path: str) -> str:
    """A path that stays below its root, in `plain` letters. Raises DataError for one that would climb out, however written."""
    name = plain(path)
    parts = name.split("/")
    if (
        name.startswith(("/", "file:")) or ".." in parts or "\\" in name
        or name[1:2] == ":" or _CONTROL.search(path)
    ):  # fmt: skip
        raise DataError("Invalid path", f"the path {path[:200]!r}", "name a file below the root, without '..'")
    return "/".join(part for part in parts if part not in ("", "."))


def put(connection: Connection, path: str, digest: str, size_bytes: int) -> None:
    """Let a path point at an object, whatever it pointed at before. Raises DataError."""
    if not path or len(path) > LONGEST:
        raise DataError(f"a path has 1 to {LONGEST} letters, this one {len(path)}", path[:200], "shorten it")
    if (size := len(path.encode())) > LONGEST_BYTES:
        raise DataError(f"a path has at most {LONGEST_BYTES} bytes, this one {size}", path[:200], "shorten it")
    _refuse_mixture(connection, path)
    connection.execute(delete(files).where(files.c.path == path))
    row = {"path": path, "digest": digest, "size_bytes": size_bytes, "changed_ms": now_ms()}
    connection.execute(insert(files).values(**row))


def get(connection: Connection, path: str) -> tuple[str, int]:
    """Digest and size of a file. Raises NotFound."""
    row = connection.execute(select(files.c.digest, files.c.size_bytes).where(files.c.path == path)).first()
    if row is None:
        raise NotFound(f"there is no file {path!r}", "the files of the store", "list its folder")
    return row.digest, row.size_bytes


def listed(connection: Connection, folder: str) -> list[File]:
    """What lies in a folder, sorted; empty where there is no such folder. "" is the root."""
    begin = f"{folder}/" if folder else ""
    found: list[File] = []
    cursor, inclusive = begin, True
    while True:
        after = files.c.path >= cursor if inclusive else files.c.path > cursor
        query = select(files.c.path, files.c.size_bytes).where(after).order_by(files.c.path).limit(AT_ONCE)
        if begin:
            query = query.where(files.c.path < _end(begin))
        rows = connection.execute(query).all()
        for row in rows:
            name, below, _ = row.path[len(begin) :].partition("/")
            entry = File(begin + name, None if below else row.size_bytes)
            if not found or found[-1].path != entry.path:
                found.append(entry)
        if len(rows) < AT_ONCE:
            return found
        last = found[-1]  # a folder that fills the page is passed over as a whole
        cursor, inclusive = (rows[-1].path, False) if last.size_bytes is not None else (_end(f"{last.path}/"), True)


def below(connection: Connection, folder: str) -> dict[str, tuple[str, int]]:
    """Every file in a folder and its folders: path below it -> digest and size; sorted by path."""
    inside = (files.c.path >= f"{folder}/") & (files.c.path < _end(f"{folder}/"))
    rows = connection.execute(select(files).where(inside).order_by(files.c.path))
    return {row.path[len(folder) + 1 :]: (row.digest, row.size_bytes) for row in rows}


def remove(connection: Connection, path: str) -> int:
    """Take a file, or a folder with all in it, away; returns how many files. Their objects are collected later."""
    inside = (files.c.path >= f"{path}/") & (files.c.path < _end(f"{path}/"))
    return connection.execute(delete(files).where(or_(files.c.path == path, inside))).rowcount


def size_of(connection: Connection, folder: str) -> int:
    """How many bytes the files of a folder have together."""
    inside = (files.c.path >= f"{folder}/") & (files.c.path < _end(f"{folder}/"))
    return int(connection.scalar(select(func.sum(files.c.size_bytes)).where(inside)) or 0)


def path_in(root: str, path: str = "") -> str:
    """Where a file of a run lies in this store, from the address of the run's files.

    >>> path_in("mlflow-artifacts:/0/abc/artifacts", "model/MLmodel")
    '0/abc/artifacts/model/MLmodel'

    Raises:
        DataError: the run keeps its files elsewhere.
    """
    if not root.startswith(ROOT):
        raise DataError(
            "its files do not lie in this store", root or "a run without files of its own", "read them at that address"
        )
    return "/".join(part for part in (root.removeprefix(ROOT).strip("/"), path) if part)


def _refuse_mixture(connection: Connection, path: str) -> None:
    """A name is a file or a folder, never both: no disk could hold it."""
    parts = path.split("/")
    above = ["/".join(parts[:count]) for count in range(1, len(parts))]
    file = connection.scalar(select(files.c.path).where(files.c.path.in_(above)).limit(1))
    if file is not None:
        raise DataError(f"{file!r} is a file, not a folder", path, "choose another name")
    inside = (files.c.path >= f"{path}/") & (files.c.path < _end(f"{path}/"))
    if connection.scalar(select(files.c.path).where(inside).limit(1)) is not None:
        raise DataError(f"{path!r} is a folder, not a file", path, "choose another name")


def _end(folder: str) -> str:
    """The first text behind all paths that begin with "folder/"."""
    return folder[:-1] + chr(ord("/") + 1)
