"""One queue for all writers of a process: what waits together is committed together.

A commit waits for the disk, and the disk takes its time however little it is given. So one thread takes whatever has
been handed in, runs each piece within a savepoint of one transaction, commits once, and then tells everybody.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

from threefold.errors import StoreError
from threefold.store.database import ends_the_transaction
from threefold.store.store import Store, Writer

T = TypeVar("T")

LARGEST_BATCH = 256  # pieces in one transaction: readers of Postgres and the log of SQLite want it to end some time


class WriteQueue:
    """Runs pieces of writing one after the other, many to a commit.

    Promises: a future is done only when its piece is committed and with the disk; pieces run in the order in which they
    were handed in; one that raises leaves nothing behind, and the others are not touched by it.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: SimpleQueue[tuple[Callable[[Writer], Any], Future[Any]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="write queue", daemon=True)
        self._thread.start()

    def submit(self, piece: Callable[[Writer], T]) -> Future[T]:
        """Hand in a piece of writing; the future has what it returned, or what it raised."""
        future: Future[T] = Future()
        self._waiting.put((piece, future))
        return future

    def close(self) -> None:
        """Finish what waits, then end."""
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        going = True
        while going:
            batch = [self._waiting.get()]
            while not self._waiting.empty() and len(batch) < LARGEST_BATCH:
                batch.append(self._waiting.get())
            going = batch[-1] is not None
            # A future that its owner gave up is passed over: the piece of a request that is gone is not begun.
            pieces = [entry for entry in batch if entry is not None and entry[1].set_running_or_notify_cancel()]
            if len(pieces) == 1:
                self._alone(*pieces[0])
            elif pieces:
                self._commit(pieces)

    def _alone(self, piece: Callable[[Writer], Any], future: Future[Any]) -> None:
        """One piece is a transaction of its own: no savepoint."""
        try:
            with self._store.write() as tx:
                value = piece(tx)
        except Exception as error:  # whatever it is, it is for whoever handed the piece in
            future.set_exception(error)
        else:
            future.set_result(value)

    def _commit(self, batch: list[tuple[Callable[[Writer], Any], Future[Any]]]) -> None:
        done: list[tuple[Future[Any], Any]] = []
        try:
            with self._store.write() as tx:
                for piece, future in batch:
                    try:
                        with tx.connection.begin_nested():
                            done.append((future, piece(tx)))
                    except Exception as error:  # whatever a piece raises is for whoever handed it in
                        if ends_the_transaction(error):
                            raise
                        future.set_exception(error)
        except Exception as error:  # the commit itself: nobody's piece was kept
            for _, future in batch:
                if not future.done():
                    future.set_exception(_copy(error))
            return
        for future, value in done:
            future.set_result(value)


def _copy(error: Exception) -> Exception:
    """An error of its own for each waiter: one object raised in several threads mixes up its traces."""
    if isinstance(error, StoreError):
        return type(error)(error.what, error.where, error.do)
    return error
