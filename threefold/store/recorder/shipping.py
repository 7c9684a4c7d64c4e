"""Shipping: a thread takes what lies in the spool to where it belongs, again and again until it arrives."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from threefold.errors import StoreError, ThreefoldError
from threefold.store.pieces import pieces_at
from threefold.store.recorder import spool, taking
from threefold.store.store import Store

BATCH = 500  # records at a time
PATIENCE_S = (0.2, 30.0)  # how long to wait after the first failure, and at most
QUIET_S = 0.05  # what is logged within that time travels together

logger = logging.getLogger(__name__)


class Unreachable(StoreError):
    """The other side cannot be reached now; later it may be."""


class Target(Protocol):
    """Where records go.

    Promises: a batch that was sent twice is taken once; what `send` returned for is committed.
    """

    name: str  # as people are told

    def taken(self, run_id: str) -> int:
        """How many records of a run are there already."""
        ...

    def send_file(self, digest: str, path: Path) -> None:
        """Bring the bytes of a file, before the record that names it."""
        ...

    def send(self, run_id: str, records: taking.Numbered) -> int:
        """Bring records; returns how many of the run are there now."""
        ...

    def close(self) -> None:
        """Give connections back."""
        ...


class StoreTarget:
    """A store on this machine."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.name = str(store.root)

    def taken(self, run_id: str) -> int:
        """See Target."""
        with self.store.read() as connection:
            return taking.taken(connection, run_id)

    def send_file(self, digest: str, path: Path) -> None:
        """See Target."""
        if not self.store.objects.has(digest):
            self.store.objects.put_stream(pieces_at(path))

    def send(self, run_id: str, records: taking.Numbered) -> int:
        """See Target."""
        with self.store.write() as tx:
            return taking.take(tx, run_id, records, self.store.objects)

    def close(self) -> None:
        """See Target."""
        self.store.close()


class Shipper:
    """The thread that delivers one spool.

    Attributes:
        problem: what the last attempt met; None while all is well.
    """

    def __init__(self, folder: Path, target: Target) -> None:
        self.folder = folder
        self.target = target
        self.problem: ThreefoldError | None = None
        self._reader = spool.Reader(folder)
        self._news, self._ending = threading.Event(), threading.Event()
        self._moved = threading.Condition()
        self._shipped = 0
        self._thread = threading.Thread(target=self._work, name="shipper", daemon=True)
        self._thread.start()

    def tell(self) -> None:
        """There is something new in the spool."""
        self._news.set()

    def wait(self, number: int, timeout_s: float) -> bool:
        """Wait until a record is delivered; False where it takes longer."""
        self.tell()
        with self._moved:
            return self._moved.wait_for(lambda: self._shipped >= number, timeout_s)

    def end(self) -> None:
        """Stop; what is left stays in the spool."""
        self._ending.set()
        self._news.set()
        self._thread.join()
        self._reader.close()

    def _work(self) -> None:
        patience = PATIENCE_S[0]
        while not self._ending.is_set():
            self._news.wait()
            self._news.clear()
            try:
                self._shipped = max(self._shipped, deliver(self._reader, self.target, self._shipped, self._arrived))
                self.problem, patience = None, PATIENCE_S[0]
                self._ending.wait(QUIET_S)
            except ThreefoldError as error:
                self._complain(error)
                self._ending.wait(patience * random.uniform(0.5, 1.0))
                patience = min(2 * patience, PATIENCE_S[1])
                self._news.set()

    def _complain(self, error: ThreefoldError) -> None:
        if self.problem is None:
            logger.warning("what the run logs is kept in %s until it can be delivered: %s", self.folder, error)
        self.problem = error

    def _arrived(self, number: int) -> None:
        with self._moved:
            self._shipped = number
            self._moved.notify_all()


def deliver(reader: spool.Reader, target: Target, known: int = 0, arrived: Callable[[int], None] | None = None) -> int:
    """Bring everything that lies in a spool; returns how many of its records are there.

    Args:
        known: how many are there for certain; 0 asks the target.
        arrived: told the number after each batch.
    Raises:
        ThreefoldError: the target cannot be reached, or does not take a record; what arrived until then is there.
    """
    folder, run_id = reader.folder, reader.folder.name
    known = known or target.taken(run_id)
    while batch := reader.after(known, BATCH):
        for _, record in batch:
            if record["is"] == "file":
                target.send_file(record["digest"], folder / record["digest"])
        known = target.send(run_id, batch)
        if arrived is not None:
            arrived(known)
    if arrived is not None:
        arrived(known)
    return known


@dataclass(frozen=True, slots=True)
class Left:
    """A spool that somebody left behind, and what came of delivering it."""

    run_id: str
    records: int
    problem: ThreefoldError | None


def deliver_left(root: Path, target: Target) -> list[Left]:
    """Deliver the spools of runs whose process is gone, and remove those that arrived."""
    return [_deliver_left(folder, target) for folder in spool.waiting(root)]


def _deliver_left(folder: Path, target: Target) -> Left:
    records, problem = 0, None
    try:
        records = spool.end_for(folder)
        with closing(spool.Reader(folder)) as reader:
            deliver(reader, target)
        spool.remove(folder)
    except ThreefoldError as error:
        problem = error
    return Left(folder.name, records, problem)
