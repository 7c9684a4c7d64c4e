"""Where tables come from: files, packages, databases."""

from __future__ import annotations

import gzip
import hashlib
import importlib.metadata
import json
import time
import zipfile
import zlib
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl

from threefold.data.database import read_database
from threefold.data.database import without_secrets as without_secrets
from threefold.data.formats import registry
from threefold.data.words import did_you_mean, listing
from threefold.design.canvas import Source
from threefold.errors import DataError

PACKAGE = "package:"
SETTLED_S = 2.0  # a file changed within this time may change again under the same time stamp: its digest is not kept


def read(source: Source, root: Path) -> tuple[pl.DataFrame, str]:
    """Read one table.

    Args:
        source: as the canvas has it; relative paths are relative to `root`.
        root: the project's folder.
    Returns:
        The table as it stands there (times with a zone are turned to UTC and lose the zone), and the sha256 of the
        bytes that were read.
    Raises:
        DataError: the file is missing, empty or unreadable, has no rows, or its package or driver is not installed.
    """
    if is_database(source):
        frame, digest = read_database(source, root)
        where = without_secrets(source.source)
    else:
        path = locate(source, root)
        where = shown(path, root)
        data = _bytes(path, source, where)
        digest = hashlib.sha256(data).hexdigest()
        frame = _parse(path.name, data, source, where)
    if frame.is_empty():
        raise DataError(f"table '{source.name}' has 0 rows", where, "check the source; a header alone is not enough")
    return _naive_times(frame), digest


def observe(source: Source, root: Path) -> dict[str, Any]:
    """What the outside world looks like now: equal answers mean an unchanged source.

    Files answer with the digest of their content. A database is not asked for its content, so it answers with this
    moment and is read again each time.
    """
    if is_database(source):
        return {"source": without_secrets(source.source), "read_at": datetime.now(UTC).isoformat()}
    return {"source": source.source, "sha256": _digest(locate(source, root), root, source)}


def is_database(source: Source) -> bool:
    """Whether the source is a database URL."""
    return "://" in source.source


def locate(source: Source, root: Path) -> Path:
    """The file of a source.

    Raises:
        DataError: there is no such file, or the package that brings it is not installed.
    """
    if source.source.startswith(PACKAGE):
        return _in_package(source)
    path = root / source.source
    if path.is_file():
        return path
    if path.is_dir():
        raise DataError(f"the source of table '{source.name}' is a folder", shown(path, root), "name a file in it")
    folder = path.parent
    names = [entry.name for entry in folder.iterdir() if entry.is_file()] if folder.is_dir() else []
    advice = did_you_mean(path.name, names, "files there") if names else f"there is no folder {shown(folder, root)}"
    if folder.is_dir() and not names:
        advice = "put the file there, or mend `source` in the canvas"
    raise DataError(f"the file of table '{source.name}' is missing", shown(path, root), advice)


def shown(path: Path, root: Path) -> str:
    """A path as people write it: relative to the project where it lies inside."""
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def _in_package(source: Source) -> Path:
    """The file of an installed distribution, found without importing it."""
    name, _, inner = source.source.removeprefix(PACKAGE).partition("/")
    try:
        files = importlib.metadata.files(name) or []
    except importlib.metadata.PackageNotFoundError:
        raise DataError(
            f"table '{source.name}' comes from the package '{name}', which is not installed",
            source.source,
            f"install it: pip install {name}",
        ) from None
    for file in files:
        if file.as_posix() == inner:
            return Path(str(file.locate()))
    near = [file.as_posix() for file in files if file.name.endswith((*registry.endings(), ".zip", ".gz"))]
    raise DataError(
        f"the package '{name}' has no file '{inner}'", source.source, did_you_mean(inner, near, "data files")
    )


def _bytes(path: Path, source: Source, where: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"the file of table '{source.name}' cannot be read: {error.strerror}", where, "check the file's rights"
        ) from error
    if not data.strip():
        raise DataError(f"the file of table '{source.name}' is empty", where, "check where it was written")
    return data


def _parse(name: str, data: bytes, source: Source, where: str) -> pl.DataFrame:
    if name.lower().endswith((".zip", ".gz")):
        name, data = _unpack(name, data, source, where)
    reader = registry.find(name)
    if reader is None:
        raise DataError(
            f"the format of table '{source.name}' is not known",
            where,
            f"use a file that ends in {listing(registry.endings())}, or one of them in .zip or .gz",
        )
    return reader(data, source, where)


def _unpack(name: str, data: bytes, source: Source, where: str) -> tuple[str, bytes]:
    try:
        if name.lower().endswith(".gz"):
            return name[:-3], gzip.decompress(data)
        with zipfile.ZipFile(BytesIO(data)) as archive:
            inner = [n for n in archive.namelist() if registry.find(n) and not n.startswith("__MACOSX")]
            if len(inner) == 1:
                return inner[0], archive.read(inner[0])
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(
            f"the archive of table '{source.name}' is damaged: {error}", where, "fetch the file again"
        ) from error
    raise DataError(
        f"the archive of table '{source.name}' holds {len(inner)} tables", where, "keep exactly one table in it"
    )


def _naive_times(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(
        column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        for column in frame
        if isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone
    )


def _digest(path: Path, root: Path, source: Source) -> str:
    """The sha256 of a file; remembered beside the store, so that an unchanged file is read once."""
    about = path.stat()
    key = f"{path.resolve()}:{about.st_size}:{about.st_mtime_ns}"
    memory = root / ".threefold" / "tmp" / "observed.json"
    remembered = _remembered(memory)
    if key in remembered:
        return remembered[key]
    digest = hashlib.sha256(_bytes(path, source, shown(path, root))).hexdigest()
    if time.time() - about.st_mtime > SETTLED_S and (root / ".threefold").is_dir():
        _remember(memory, remembered | {key: digest})
    return digest


def _remembered(memory: Path) -> dict[str, str]:
    try:
        kept = json.loads(memory.read_text())
    except (OSError, ValueError):
        return {}  # it is a memory only: without it the file is read again
    return kept if isinstance(kept, dict) else {}


def _remember(memory: Path, digests: dict[str, str]) -> None:
    half = memory.with_suffix(".half")
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        half.write_text(json.dumps(digests))
        half.replace(memory)
    except OSError:
        half.unlink(missing_ok=True)  # a full disk must not stop a reading command
