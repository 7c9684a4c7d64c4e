"""What every door of the server shares: the store, one queue of writers, a few threads for readers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from threefold.store import Store, Writer
from threefold.store.queue import WriteQueue

READERS = 4  # threads; a reader waits for the catalogue or computes, and more of them only share the same cores

T = TypeVar("T")


@dataclass(slots=True)
class Context:
    """Handed to every door.

    Attributes:
        store: the one memory.
        queue: takes every change; what waits together is committed together.
        allow_reset: whether the store may be put back to empty over HTTP; said when the server is started.
        project: the folder of the project whose store it is; None: only the store is known.
        hosts: names beside localhost by which a browser may call a server that it reaches through this machine.
    """

    store: Store
    allow_reset: bool = False
    project: Path | None = None
    hosts: frozenset[str] = frozenset()
    queue: WriteQueue = field(init=False)
    readers: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        self.queue = WriteQueue(self.store)
        self.readers = ThreadPoolExecutor(READERS, "reader")

    async def read(self, work: Callable[..., T], *arguments: Any) -> T:
        """Call `work(connection, *arguments)` beside the event loop; it sees one consistent state of the catalogue."""
        return await asyncio.get_running_loop().run_in_executor(self.readers, self._read, work, arguments)

    async def write(self, piece: Callable[[Writer], T]) -> T:
        """Call `piece(tx)` in the queue of writers; comes back when it is committed and with the disk."""
        return await asyncio.wrap_future(self.queue.submit(piece))

    async def beside(self, work: Callable[..., T], *arguments: Any) -> T:
        """Call something slow that needs no connection, beside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self.readers, work, *arguments)

    def close(self) -> None:
        """Finish what was handed in, then give everything back."""
        self.queue.close()
        self.readers.shutdown()

    def _read(self, work: Callable[..., T], arguments: tuple[Any, ...]) -> T:
        with self.store.read() as connection:
            return work(connection, *arguments)
