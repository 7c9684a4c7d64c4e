"""Routing: which versions answer behind an endpoint, and with which share.

The routing of an endpoint is one record, replaced whole in one transaction with its event. Servers follow its
generation number and swap with one assignment, so a rollback is as quick as reading one row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, insert, select, update

from threefold.errors import Conflict, NotFound
from threefold.records import Arm, Release, Rollout, Routing, from_plain, plain
from threefold.registry.versions import move_alias
from threefold.serving import history
from threefold.store import Store, Writer
from threefold.store.schema import endpoints


def deploy(
    store: Store, endpoint: str, release: Release, steps: tuple[float, ...] = (1.0,), min_requests: int = 200
) -> Routing:
    """Let a release answer: as a canary with the first share, or at once where the only step is 1.

    The first release of an endpoint answers everything from the start, as there is nobody to share with. A canary
    that is under way is replaced. Deploying what already answers everything changes nothing.

    Args:
        steps: growing shares of the traffic, the last one 1.0.
        min_requests: rows the canary must answer before its next step.
    Raises:
        ValueError: the steps do not grow, or do not end at 1.
    """
    steps = _checked(steps)
    with store.write() as tx:
        old = _read(tx.connection, endpoint)
        arm = Arm(release.number, release.bundle, release.id, 1.0)
        if old is None:
            return _write(tx, Routing(endpoint, release.name, 1, (arm,)), "endpoint.created", {"version": arm.number})
        champion = old.arms[0]
        if champion.release_id == release.id and old.rollout is None:
            return old
        body = {"version": arm.number, "over": champion.number, "release": release.id}
        if len(steps) == 1 or champion.bundle == arm.bundle:
            new = replace(old, model=release.name, arms=(arm,), previous=replace(champion, share=1.0), rollout=None)
            return _write(tx, _next(new), "rollout.finished", body | {"share": 1.0})
        rollout = Rollout(arm.number, steps, 0, datetime.fromisoformat(tx.now), min_requests)
        new = replace(old, arms=_shared(champion, arm, steps[0]), rollout=rollout)
        return _write(tx, _next(new), "rollout.started", body | {"share": steps[0]})


def advance(store: Store, endpoint: str, numbers: Mapping[str, Any] | None = None) -> Routing:
    """Give the canary its next share; at the last step it becomes the champion and the old one is kept warm.

    Raises:
        NotFound: nothing is served under this name.
        Conflict: no rollout is under way.
    """

    def change(old: Routing) -> tuple[Routing, str, dict[str, Any]]:
        rollout, (champion, canary) = _under_way(old)
        position = rollout.position + 1
        share = rollout.steps[position]
        body = {"version": canary.number, "share": share, "numbers": dict(numbers or {})}
        if share >= 1.0:
            full, warm = replace(canary, share=1.0), replace(champion, share=1.0)
            return replace(old, arms=(full,), previous=warm, rollout=None), "rollout.finished", body
        moved = replace(rollout, position=position)
        return replace(old, arms=_shared(champion, canary, share), rollout=moved), "rollout.advanced", body

    return _change(store, endpoint, change)


def abort(store: Store, endpoint: str, reason: str) -> Routing:
    """Take the canary away; the champion answers everything again.

    Raises:
        NotFound: nothing is served under this name.
        Conflict: no rollout is under way.
    """

    def change(old: Routing) -> tuple[Routing, str, dict[str, Any]]:
        _, (champion, canary) = _under_way(old)
        new = replace(old, arms=(replace(champion, share=1.0),), rollout=None)
        return new, "rollout.aborted", {"version": canary.number, "reason": reason}

    return _change(store, endpoint, change)


def rollback(store: Store, endpoint: str, reason: str) -> Routing:
    """Go back at once: to the champion while a canary is under way, otherwise to the version before this one.

    The version that is left stays warm as `previous`, so a second call goes forward again.

    Raises:
        NotFound: nothing is served under this name.
        Conflict: there is no version before this one.
    """

    def change(old: Routing) -> tuple[Routing, str, dict[str, Any]]:
        champion = old.arms[0]
        if old.rollout is not None:
            new = replace(old, arms=(replace(champion, share=1.0),), rollout=None)
            body = {"from": old.arms[1].number, "to": champion.number, "reason": reason}
            return new, "endpoint.rolled back", body
        if old.previous is None:
            raise Conflict(
                f"there is no version before {champion.number} to go back to", f"endpoint {endpoint}",
                "release another version, or stop the endpoint so that the fallback answers",
            )  # fmt: skip
        body = {"from": champion.number, "to": old.previous.number, "reason": reason}
        return replace(old, arms=(old.previous,), previous=champion), "endpoint.rolled back", body

    return _change(store, endpoint, change)


def stop(store: Store, endpoint: str, reason: str) -> Routing:
    """The stop switch: from now on the fallback answers instead of the model. Raises NotFound."""
    return _change(store, endpoint, lambda old: (replace(old, stopped=True), "endpoint.stopped", {"reason": reason}))


def resume(store: Store, endpoint: str, reason: str) -> Routing:
    """Let the model answer again. Raises NotFound."""
    return _change(store, endpoint, lambda old: (replace(old, stopped=False), "endpoint.resumed", {"reason": reason}))


def current(store: Store, endpoint: str) -> Routing:
    """What answers now.

    Raises:
        NotFound: nothing is served under this name; the error lists what is.
    """
    with store.read() as connection:
        return _existing(connection, endpoint, store.url)


def list_routings(store: Store) -> tuple[Routing, ...]:
    """The routing of every endpoint, by name."""
    with store.read() as connection:
        bodies = connection.scalars(select(endpoints.c.routing).order_by(endpoints.c.name)).all()
    return tuple(from_plain(body, Routing) for body in bodies)


def _change(store: Store, endpoint: str, change: Callable[[Routing], tuple[Routing, str, dict[str, Any]]]) -> Routing:
    with store.write() as tx:
        old = _existing(tx.connection, endpoint, store.url)
        new, kind, body = change(old)
        return _write(tx, _next(new), kind, body)


def _next(routing: Routing) -> Routing:
    return replace(routing, generation=routing.generation + 1)


def _write(tx: Writer, routing: Routing, kind: str, body: Mapping[str, Any]) -> Routing:
    values = {"generation": routing.generation, "routing": plain(routing), "updated_at": tx.now}
    if routing.generation == 1:
        tx.execute(insert(endpoints).values(name=routing.endpoint, **values))
    else:
        tx.execute(update(endpoints).where(endpoints.c.name == routing.endpoint).values(**values))
    tx.event(kind, f"endpoint {routing.endpoint}", {"generation": routing.generation, **body, **history.state(routing)})
    reason = str(body.get("reason") or kind)
    move_alias(tx, routing.model, "champion", routing.arms[0].number, reason)
    move_alias(tx, routing.model, "challenger", routing.arms[1].number if routing.rollout else None, reason)
    return routing


def _read(connection: Connection, endpoint: str) -> Routing | None:
    body = connection.scalar(select(endpoints.c.routing).where(endpoints.c.name == endpoint))
    return None if body is None else from_plain(body, Routing)


def _existing(connection: Connection, endpoint: str, where: str) -> Routing:
    routing = _read(connection, endpoint)
    if routing is None:
        names = connection.scalars(select(endpoints.c.name).order_by(endpoints.c.name)).all()
        do = f"served are: {', '.join(names)}" if names else "release a model first: threefold run"
        raise NotFound(f"nothing is served as {endpoint!r}", where, do)
    return routing


def _under_way(routing: Routing) -> tuple[Rollout, tuple[Arm, Arm]]:
    if routing.rollout is None:
        raise Conflict(
            "no rollout is under way",
            f"endpoint {routing.endpoint}",
            f"version {routing.arms[0].number} answers everything",
        )
    return routing.rollout, (routing.arms[0], routing.arms[1])


def _shared(champion: Arm, canary: Arm, share: float) -> tuple[Arm, Arm]:
    return replace(champion, share=1.0 - share), replace(canary, share=share)


def _checked(steps: tuple[float, ...]) -> tuple[float, ...]:
    grows = all(before < after for before, after in pairwise(steps))
    if not steps or steps[-1] != 1.0 or steps[0] <= 0 or not grows:
        raise ValueError(f"the steps of a rollout grow and end at 1.0, not {steps}")
    return steps
