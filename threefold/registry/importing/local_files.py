"""Files of a run on this machine."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from threefold.registry.importing.history import Files
from threefold.store.pieces import pieces_at

PROXIED = "mlflow-artifacts:"
LEVELS = 3  # artifacts, run, experiment: what lies below mlruns


def local_path(root: str, base: Path, proxied: Path | None) -> Path | None:
    """The folder that an address means; None where it is somewhere else.

    Args:
        base: what a relative path is relative to.
        proxied: the folder behind addresses of a server's proxy (mlflow-artifacts:), where it is known.
    """
    parts = urlsplit(root)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    if root.startswith(PROXIED):
        return None if proxied is None else proxied / unquote(parts.path).lstrip("/")
    return base / root if parts.scheme == "" else None


def files_in(folder: Path | None) -> Files | None:
    """The files below a folder; None where it is on no disk of this machine.

    A run without files has no folder, and perhaps its experiment has none: then one a little above is there.
    """
    if folder is None or not any(one.is_dir() for one in (folder, *list(folder.parents)[:LEVELS])):
        return None
    return _walk(folder)


def _walk(folder: Path) -> Files:
    """Every file, in order; a link that leads out of the folder is left out."""
    inside = folder.resolve()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.resolve().is_relative_to(inside):
            yield path.relative_to(folder).as_posix(), pieces_at(path)
