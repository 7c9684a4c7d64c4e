"""The project's own code and canvas, kept with every version, so that it can be run again as it was."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from threefold.design.frozen import Sources
from threefold.loop.project import Project
from threefold.pipeline.commands import files_of
from threefold.store.recorder import surroundings

MOST_BYTES = 64_000_000  # of the files beside the source of one version
EPOCH = (1980, 1, 1, 0, 0, 0)  # one time for all files: equal contents give equal bytes


def code_state(project: Project) -> dict[str, Any]:
    """Which code this is: `archive` (digest of the files, kept in the store); `commit`, `branch`, `dirty` where there is git.

    `dirty` is true when the project's folder differs from its commit; None outside a repository.
    """
    archive = project.store.objects.put(pack(project.root, project.code.sources))
    return {"archive": archive, **surroundings.code_state(project.root, below=True)}


def uncommitted(project: Project, code: Mapping[str, Any]) -> dict[str, bytes]:
    """What of the project's folder is not committed, as a file for a run; none where nothing is."""
    return {surroundings.DIFF: surroundings.uncommitted(project.root, below=True)} if code["dirty"] else {}


def files_beside(project: Project, tables: Collection[str], reads: Collection[str]) -> str | None:
    """Archive the further files that a version rests on; the digest of the archive, None where there are none.

    These are what its command steps declare, and what its code was seen to read. Together they may have 64 MB: what
    lies beyond is left out, and whoever builds the version again is told which file is missing.

    Args:
        tables: inputs of commands that are tables, no files.
        reads: paths below the project that steps have read.
    """
    root, kept, room = project.root, dict[Path, bytes](), MOST_BYTES
    imported = [file for files in project.code.imported.reads.values() for file in files]
    declared = [file for step in project.canvas.steps for file in files_of(step, tables, root)]
    for file in sorted({*imported, *declared, *(root / name for name in reads)} - project.code.sources.keys()):
        if file.is_relative_to(root) and file.is_file() and file.stat().st_size <= room:
            kept[file] = file.read_bytes()
            room -= len(kept[file])
    return project.store.objects.put(pack(root, kept)) if kept else None


def pack(root: Path, sources: Sources) -> bytes:
    """The files as one zip whose bytes depend on their names and contents alone."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for file, text in sorted(sources.items()):
            archive.writestr(zipfile.ZipInfo(file.relative_to(root).as_posix(), EPOCH), text)
    return buffer.getvalue()


def unpack(data: bytes, folder: Path) -> None:
    """Lay archived files out in an empty folder."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        archive.extractall(folder)
