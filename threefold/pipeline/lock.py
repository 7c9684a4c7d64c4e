"""One run at a time in a project."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from threefold.errors import Conflict
from threefold.records import utc_now


@dataclass(slots=True)
class _Hold:
    lock: FileLock
    thread: int
    depth: int


_held: dict[Path, _Hold] = {}  # what this process holds; a run inside a run of the same thread is one run
_guard = threading.Lock()


@contextmanager
def run_lock(folder: Path, purpose: str) -> Iterator[None]:
    """Hold the project's run lock, or say who does.

    The operating system drops the lock when the holder dies, so a kill never leaves a project locked.

    Args:
        folder: the root of the store.
        purpose: what is being run, for whoever is refused meanwhile.
    Raises:
        Conflict: another process or thread holds it.
    """
    path = (folder / "run.lock").resolve()
    _enter(path, purpose)
    try:
        yield
    finally:
        _leave(path)


def _enter(path: Path, purpose: str) -> None:
    with _guard:
        hold = _held.get(path)
        if hold is not None and hold.thread == threading.get_ident():
            hold.depth += 1
            return
        lock = FileLock(path, thread_local=False)
        try:
            if hold is not None:
                raise Timeout(str(path))
            lock.acquire(timeout=0)
        except Timeout:
            raise _conflict(path) from None
        _held[path] = _Hold(lock, threading.get_ident(), 1)
        holder = {"pid": os.getpid(), "since": utc_now().isoformat(timespec="seconds"), "purpose": purpose}
        _side_file(path).write_text(json.dumps(holder))


def _leave(path: Path) -> None:
    with _guard:
        hold = _held[path]
        hold.depth -= 1
        if hold.depth == 0:
            del _held[path]
            _side_file(path).unlink(missing_ok=True)
            hold.lock.release()


def _side_file(path: Path) -> Path:
    return path.with_name("run.holder.json")


def _conflict(path: Path) -> Conflict:
    try:
        holder = json.loads(_side_file(path).read_text())
        who = f"process {holder['pid']}, since {holder['since']}, {holder['purpose']}"
    except (OSError, ValueError, KeyError):
        who = "a process that has just started"  # the lock is taken a moment before the side file is written
    return Conflict(f"another run holds this project ({who})", str(path), "wait until it is done, or end that process")
