"""The data plane: every endpoint of a store as this process serves it, kept up to date beside the answering.

It follows the generation numbers in the store. A new routing is loaded and warmed in a thread, then put in place by
one assignment; a request that already began keeps the picture it took. When the store cannot be read, the process
goes on with what it has, and says so. When another one stands in its place, restored from a backup, say, it is opened
instead: an open file would go on reading, and writing to, the one that was deleted.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from time import monotonic

from sqlalchemy import select

from threefold.errors import NotFound, StoreError
from threefold.records import Arm, Routing, from_plain
from threefold.serving.arms import LoadedArm, load_arm
from threefold.serving.log_writer import LogWriter
from threefold.serving.measures import Measures
from threefold.serving.served import Served
from threefold.store import Store
from threefold.store.schema import endpoints

POLL_S = 0.25
RETRY_S = 5.0  # between two tries to load what could not be loaded
LOAD_FAILED = "serving.load failed"

logger = logging.getLogger(__name__)


class Plane:
    """What one server process holds.

    Attributes:
        served: endpoint -> what it answers from; replaced entry by entry.
        problems: endpoint -> why its newest routing could not be loaded; the one before is served on.
        away: why the store could not be read at the last look; None: it could.
    """

    def __init__(self, store: Store, names: Collection[str] = ()) -> None:
        self.store = store
        self.names = frozenset(names)  # empty: all endpoints of the store
        self.served: dict[str, Served] = {}
        self.problems: dict[str, str] = {}
        self.measures = Measures()
        self.store_seen_at = monotonic()
        self.away: str | None = None
        self._catalogue = _whereabouts(store)
        self._anew: set[str] = set()  # endpoints to read again though their generation is the same
        self._logs: dict[str, LogWriter] = {}
        self._retry_at: dict[str, float] = {}  # endpoint -> when to try again what could not be loaded
        self._reported: dict[str, int] = {}  # endpoint -> generation whose problem is already in the event log

    @property
    def ready(self) -> bool:
        """Whether every endpoint this process was asked for can answer."""
        return self.why_not_ready() is None

    def why_not_ready(self) -> str | None:
        """What keeps an endpoint that this process was asked for from answering, in a sentence; None: all can."""
        wanted = self.names or (self.served.keys() | self.problems.keys())
        if not wanted:
            return f"nothing is released yet ({self.store.root}); release a model: threefold run"
        return next((why for why in map(self.why_not, sorted(wanted)) if why is not None), None)

    def why_not(self, name: str) -> str | None:
        """What keeps one endpoint from answering; None: it can."""
        if name not in self.served:
            return self.problems.get(name) or f"nothing is released as {name!r} ({self.store.root}); release a model"
        return self.log(name).problem

    def endpoint(self, name: str) -> Served:
        """What an endpoint answers from.

        Raises:
            NotFound: there is no such endpoint.
            StoreError: there is one, and it could not be loaded.
        """
        served = self.served.get(name)
        if served is not None:
            return served
        if name in self.problems:
            raise StoreError(f"{name!r} cannot be served: {self.problems[name]}", "this server", "it is tried again")
        listing = f"served are: {', '.join(sorted(self.served))}" if self.served else "nothing is served yet"
        raise NotFound(f"there is no model {name[:80]!r}", "this server", listing)

    def log(self, name: str) -> LogWriter:
        """Where the requests of an endpoint are kept."""
        writer = self._logs.get(name)
        return writer or self._logs.setdefault(name, LogWriter(self.store.root / "log" / name))

    def refresh(self) -> None:
        """Look at the store once; load and put in place what changed. Runs outside the event loop.

        Raises:
            Exception: the store cannot be read; what is served stays.
        """
        for writer in list(self._logs.values()):
            writer.look()
        try:
            self._reopen()
            generations = self._generations()
        except Exception as error:
            self.away = str(error)
            raise
        self.away, self.store_seen_at = None, monotonic()
        for name, generation in generations.items():
            known = self.served.get(name)
            new = known is None or known.routing.generation != generation or name in self._anew
            if new and (self._reported.get(name) != generation or monotonic() >= self._retry_at.get(name, 0.0)):
                self._load(name)
        for name in self.served.keys() - generations.keys():
            self.problems[name] = f"the store in {self.store.root} does not know this endpoint"
            del self.served[name]

    def _reopen(self) -> None:
        """Open the store that stands at the address now, where it is not the one that is open.

        Raises:
            StoreError: none stands there; nothing was opened, as that would make one.
        """
        found = _whereabouts(self.store)
        if found == self._catalogue:
            return
        old = self.store
        self.store = Store.open(old.root, url=old.catalogue, objects=old.objects_at)
        self.store.actor = old.actor
        old.close()
        self._catalogue, self._anew = found, set(self.served)
        self._reported.clear()
        logger.warning("%s: another store stands here now; what it says is served", old.root)

    async def follow(self) -> None:
        """Refresh four times a second until cancelled."""
        away = False
        while True:
            await asyncio.sleep(POLL_S)
            try:
                await asyncio.to_thread(self.refresh)
                if away:
                    logger.warning("the store is back")
                away = False
            except Exception as error:  # the store may come back; meanwhile what is loaded answers
                if not away:
                    logger.warning("the store cannot be read, serving what is loaded: %s", error)
                away = True

    def close(self) -> None:
        """End the log segments and give the store back."""
        for writer in self._logs.values():
            writer.close()
        self.store.close()

    def gauges(self) -> dict[str, dict[str, float]]:
        """What is served, as numbers for the metrics page."""
        generations = {f'model="{name}"': float(served.routing.generation) for name, served in self.served.items()}
        return {
            "threefold_generation": generations,
            "threefold_load_failed": {f'model="{name}"': 1.0 for name in self.problems},
            "threefold_log_failed": {f'model="{name}"': 1.0 for name, log in self._logs.items() if log.problem},
            "threefold_store_away": {"": float(self.away is not None)},
            "threefold_store_last_seen_seconds": {"": round(monotonic() - self.store_seen_at, 3)},
        }

    def _generations(self) -> dict[str, int]:
        with self.store.read() as connection:
            rows = connection.execute(select(endpoints.c.name, endpoints.c.generation)).all()
        return {row.name: row.generation for row in rows if not self.names or row.name in self.names}

    def _load(self, name: str) -> None:
        with self.store.read() as connection:
            routing = from_plain(
                connection.scalar(select(endpoints.c.routing).where(endpoints.c.name == name)), Routing
            )
        served, problem = self._build(routing)
        if problem is None:
            self.problems.pop(name, None)
            self._retry_at.pop(name, None)
        else:
            self._report(routing, problem)
        if served is not None:
            self.log(name).look()
            self.served[name] = served  # the swap
            self._anew.discard(name)
            logger.info("%s: generation %d", name, routing.generation)

    def _build(self, routing: Routing) -> tuple[Served | None, Exception | None]:
        """The picture of a routing, without what cannot be loaded; and why it cannot.

        A canary that cannot be loaded leaves all rows to the champion. A champion that cannot leaves what is served.
        """
        warm = self._warm(routing.endpoint)
        try:
            champion = self._arm(warm, routing.arms[0])
        except Exception as error:  # whatever is wrong with a bundle: a missing object, a model that raises
            return None, error
        previous = None
        if routing.previous is not None:
            with contextlib.suppress(Exception):  # a lost old bundle must not keep a new one from being served
                previous = self._arm(warm, routing.previous)
        try:
            arms = [champion, *(self._arm(warm, arm) for arm in routing.arms[1:])]
        except Exception as error:  # as above
            alone = replace(routing, arms=(replace(routing.arms[0], share=1.0),))
            return Served(alone, [champion], previous), error
        return Served(routing, arms, previous), None

    def _warm(self, name: str) -> dict[tuple[int, str], LoadedArm]:
        served = self.served.get(name)
        if served is None:
            return {}
        return {(arm.number, arm.bundle.digest): arm for arm in (*served.arms, served.previous) if arm}

    def _arm(self, warm: dict[tuple[int, str], LoadedArm], arm: Arm) -> LoadedArm:
        return warm.get((arm.number, arm.bundle)) or load_arm(self.store, arm.number, arm.bundle)

    def _report(self, routing: Routing, error: Exception) -> None:
        """Say that a routing cannot be served: in the log, and in the store where the rollout control sees it."""
        name, again = routing.endpoint, routing.generation == self._reported.get(routing.endpoint)
        self.problems[name] = str(error)
        self._retry_at[name] = monotonic() + RETRY_S
        self._reported[name] = routing.generation
        if again:
            return
        logger.error("%s: generation %d cannot be loaded whole: %s", name, routing.generation, error)
        version = routing.arms[-1].number
        with contextlib.suppress(Exception), self.store.write() as tx:
            body = {"generation": routing.generation, "version": version, "error": str(error)}
            tx.event(LOAD_FAILED, f"endpoint {name}", body)


def _whereabouts(store: Store) -> tuple[int, int] | None:
    """Which file the catalogue is: device and inode; None where it is none, but a database server.

    Raises:
        StoreError: the file is not there, or is still empty.
    """
    if store.engine.dialect.name != "sqlite" or store.engine.url.database is None:
        return None
    file = Path(store.engine.url.database)
    try:
        found = file.stat()
    except OSError as error:
        raise StoreError(f"the store is away: {error.strerror}", str(file), "bring it back") from error
    if not found.st_size:
        raise StoreError("the catalogue is empty", str(file), "restore it from a backup")
    return found.st_dev, found.st_ino


def open_plane(
    root: Path, names: Collection[str] = (), catalogue: str | None = None, objects: str | None = None
) -> Plane:
    """Open a store for serving and load what it routes.

    Raises:
        StoreError: the store cannot be read.
    """
    plane = Plane(Store.open(root, url=catalogue, objects=objects), names)
    plane.refresh()
    return plane
