"""What is kept of a run beside its steps: what it prints, what the machine does meanwhile, what it costs.

A thread looks every few seconds. What was printed lies in a file from the moment it is printed, so it outlives the
process: whoever marks the run as interrupted hands it on.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import select

from threefold.errors import NotFound, ThreefoldError
from threefold.records import now_ms
from threefold.store import Store, Writer
from threefold.store.pieces import pieces_at
from threefold.store.recorder.console import NAME, Copied
from threefold.store.recorder.spool import FOLDER
from threefold.store.recorder.system import Meter, Price, Watching
from threefold.store.schema import runs
from threefold.store.tracking import files, metrics
from threefold.store.tracking import runs as tracked

Kept = tuple[str, int]  # digest and size


class Recording:
    """Around a run of the engine, from its start to its end.

    Args:
        price: what an hour of this machine costs; None: only the seconds are kept.
    """

    def __init__(self, store: Store, run_id: str, price: Price | None = None) -> None:
        self._store, self._run_id = store, run_id
        self._meter = Meter(price)
        folder = folder_of(store, run_id)
        folder.mkdir(parents=True, exist_ok=True)
        self._console = Copied(folder / NAME)
        self._watching = Watching(self._look, store.root)
        self._ended = False
        self._last: dict[str, float] = {}
        self._printed: Kept | None = None

    def print(self, text: bytes) -> None:
        """Keep what a command of the run has printed; it does not appear on the screen."""
        self._console.keep(text)

    def end(self) -> None:
        """Stop looking and listening; a second call does nothing."""
        if self._ended:
            return
        self._ended = True
        self._last = {**self._watching.end(), **self._meter.read()}
        self._console.end()
        with contextlib.suppress(ThreefoldError, OSError):  # the file stays, and is handed on later
            self._printed = _kept(self._store, self._console.file)

    def write(self, tx: Writer) -> None:
        """Write the last of it, in the transaction that ends the run."""
        _write(tx, self._run_id, self._last, round(self._meter.wall_s), self._printed)

    def forget(self) -> None:
        """The end of the run is committed: what lay outside of the store is not needed any more."""
        forget(self._store, self._run_id)

    def _look(self, values: Mapping[str, float]) -> None:
        with contextlib.suppress(ThreefoldError, OSError):  # a look that is lost must not end the run
            printed = _kept(self._store, self._console.file) if self._console.due() else None
            with self._store.write() as tx:
                seen = {**values, **self._meter.read()}
                _write(tx, self._run_id, seen, round(self._meter.wall_s), printed)


def left_behind(store: Store, run_id: str) -> Kept | None:
    """What a run printed whose process is gone, kept as an object; None where it printed nothing or nothing is left."""
    with contextlib.suppress(ThreefoldError, OSError):
        return _kept(store, folder_of(store, run_id) / NAME)
    return None


def forget(store: Store, run_id: str) -> None:
    """Take away what a run kept outside of the store, once all of it is in it."""
    shutil.rmtree(folder_of(store, run_id), ignore_errors=True)


def add_console(tx: Writer, run_id: str, printed: Kept | None) -> None:
    """Let the run's console.txt be what was printed."""
    root = tx.connection.scalar(select(runs.c.artifact_root).where(runs.c.id == run_id))
    if printed and root:
        files.put(tx.connection, files.path_in(root, NAME), *printed)


def folder_of(store: Store, run_id: str) -> Path:
    """Where a run of this machine keeps what is not in the store yet."""
    return store.root / FOLDER / run_id


def _kept(store: Store, file: Path) -> Kept | None:
    if not file.is_file() or not file.stat().st_size:
        return None
    return store.objects.put_stream(pieces_at(file))


def _write(tx: Writer, run_id: str, values: Mapping[str, float], step: int, printed: Kept | None) -> None:
    at_ms = now_ms()
    points = [metrics.Point(name, value, step, at_ms) for name, value in values.items()]
    with contextlib.suppress(NotFound):  # somebody removed the run while it went
        metrics.add(tx.connection, tracked.number_of(tx.connection, run_id), points)
        add_console(tx, run_id, printed)
