"""The project's own code and canvas, kept with every version, so that it can be run again as it was."""

from __future__ import annotations

import io
import subprocess
import zipfile
from pathlib import Path
from typing import Any

from threefold.design.frozen import Sources
from threefold.loop.project import Project

EPOCH = (1980, 1, 1, 0, 0, 0)  # one time for all files: equal contents give equal bytes


def code_state(project: Project) -> dict[str, Any]:
    """Which code this is: `archive` (digest of the files, kept in the store), `commit` and `dirty` where there is git.

    `dirty` is true when the project's folder differs from its commit; None outside a repository.
    """
    archive = project.store.objects.put(pack(project.root, project.code.sources))
    commit = _git(project.root, "rev-parse", "HEAD")
    changed = _git(project.root, "status", "--porcelain", "--", ".") if commit else None
    return {"archive": archive, "commit": commit, "dirty": None if changed is None else bool(changed)}


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


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
