"""The data plane: every endpoint of a store as this process serves it, kept up to date beside the answering.

It follows the generation numbers in the store. A new routing is loaded and warmed in a thread, then put in place by
one assignment; a request that already began keeps the picture it took. When the store cannot be read, the process
goes on with what it has.
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

from threefold.errors import NotFound
from threefold.records import Arm, Routing, from_plain
from threefold.serving.arms import LoadedArm, load_arm
from threefold.serving.journal import LogWriter
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
    """

    def __init__(self, store: Store, names: Collection[str] = ()) -> None:
        self.store = store
        self.names = frozenset(names)  # empty: all endpoints of the store
        self.served: dict[str, Served] = {}
        self.problems: dict[str, str] = {}
        self.measures = Measures()
        self.store_seen_at = monotonic()
        self._logs: dict[str, LogWriter] = {}
        self._retry_at: dict[str, float] = {}  # endpoint -> when to try again what could not be loaded
        self._reported: dict[str, int] = {}  # endpoint -> generation whose problem is already in the event log

    @property
    def ready(self) -> bool:
        """Whether every endpoint this process was asked for can answer."""
        wanted = self.names or self.problems.keys()
        return all(name in self.served for name in wanted)

    def endpoint(self, name: str) -> Served:
        """What an endpoint answers from. Raises NotFound."""
        served = self.served.get(name)
        if served is None:
            listing = f"served are: {', '.join(sorted(self.served))}" if self.served else "nothing is served yet"
            raise NotFound(f"there is no model {name[:80]!r}", "this server", listing)
        return served

    def log(self, name: str) -> LogWriter:
        """Where the requests of an endpoint are kept."""
        writer = self._logs.get(name)
        if writer is None:
            writer = self._logs[name] = LogWriter(self.store.root / "log" / name)
        return writer

    def refresh(self) -> None:
        """Look at the store once; load and put in place what changed. Runs outside the event loop.

        Raises:
            Exception: the store cannot be read; what is served stays.
        """
        for name, generation in self._generations().items():
            known = self.served.get(name)
            new = known is None or known.routing.generation != generation
            if new and (self._reported.get(name) != generation or monotonic() >= self._retry_at.get(name, 0.0)):
                self._load(name)
        self.store_seen_at = monotonic()

    async def follow(self) -> None:
        """Refresh four times a second until cancelled."""
        away = False
        while True:
            await asyncio.sleep(POLL_S)
            try:
                await asyncio.to_thread(self.refresh)
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
            self.served[name] = served  # the swap
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


def open_plane(root: Path, names: Collection[str] = ()) -> Plane:
    """Open a store for serving and load what it routes.

    Raises:
        StoreError: the store cannot be read.
    """
    plane = Plane(Store.open(root), names)
    plane.refresh()
    return plane
