"""The daily signature of the event log, for as long as the server stays."""

from __future__ import annotations

import logging
import threading

from threefold.store import Store

LOOK_EVERY_S = 3_600.0

logger = logging.getLogger(__name__)


class Notary:
    """Looks once an hour whether the newest checkpoint is a day old, in a thread of its own, until it is closed."""

    def __init__(self, store: Store, look_every_s: float = LOOK_EVERY_S) -> None:
        self._store = store
        self._look_every_s = look_every_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="notary", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Finish what is under way, then end."""
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._over.wait(self._look_every_s):
            try:
                look(self._store)
            except Exception:  # a thread's door: the catalogue may be away for a while
                logger.exception("the event log was not signed")


def look(store: Store) -> bool:
    """Sign the log where it is due; returns whether it was."""
    from threefold.store import checkpoints  # cryptography: a server need not wait for it at its start

    return checkpoints.make_daily(store) is not None
