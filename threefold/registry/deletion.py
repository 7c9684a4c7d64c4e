"""Deletion with a time of grace: gone from every list at once, gone for good only when `store gc` finds its days over."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, select, update

from threefold.errors import NotFound, Refused
from threefold.records import Routing, from_plain
from threefold.registry import holds, versions
from threefold.store import Store
from threefold.store.schema import aliases, endpoints, model_versions


def delete(store: Store, name: str, number: int, reason: str) -> None:
    """Take a version out of every list; its aliases end. It can be restored until it is purged.

    Raises:
        NotFound: the model has no such version.
        Refused: it answers somewhere, was released and not retired, or is held.
    """
    label = versions.subject(name, number)
    with store.write() as tx:
        version = versions.find_in(tx.connection, name, number, store.url)
        holds.require_free(tx.connection, label)
        require_idle(tx.connection, name, number)
        if version.status == "released":
            raise Refused("the version was released", label, f"first: threefold models retire {number} --reason WHY")
        mine = (aliases.c.name == name, aliases.c.number == number)
        for alias in tx.connection.scalars(select(aliases.c.alias).where(*mine)).all():
            versions.move_alias(tx, name, alias, None, f"version {number} was deleted: {reason}")
        tx.execute(update(model_versions).where(*_row(name, number)).values(deleted_at=tx.now, updated_at=tx.now))
        tx.event("model.deleted", label, {"reason": reason})


def restore(store: Store, name: str, number: int, reason: str) -> None:
    """Undo a deletion; aliases do not come back by themselves. Raises NotFound."""
    with store.write() as tx:
        deleted = select(model_versions.c.deleted_at).where(*_row(name, number))
        if tx.connection.scalar(deleted) is None:
            raise NotFound(
                f"model {name!r} has no deleted version {number}", store.url, "see: threefold models list --deleted"
            )
        tx.execute(update(model_versions).where(*_row(name, number)).values(deleted_at=None, updated_at=tx.now))
        tx.event("model.restored", versions.subject(name, number), {"reason": reason})


def retire(store: Store, name: str, number: int, reason: str) -> None:
    """Say that a version is no longer for use.

    Raises:
        Refused: it still answers somewhere, or its status does not allow it.
    """
    with store.write() as tx:
        require_idle(tx.connection, name, number)
        versions.move_status(tx, name, number, "retired", reason, store.url)


def require_idle(connection: Connection, name: str, number: int) -> None:
    """Say no to taking away a version that answers, or is kept warm for a rollback. Raises Refused."""
    for body in connection.scalars(select(endpoints.c.routing)):
        routing = from_plain(body, Routing)
        arms = (*routing.arms, *((routing.previous,) if routing.previous else ()))
        if routing.model == name and number in {arm.number for arm in arms}:
            does = "answers" if number in {arm.number for arm in routing.arms} else "is kept warm for a rollback"
            raise Refused(
                f"version {number} {does} behind {routing.endpoint!r}", versions.subject(name, number),
                "release another version first",
            )  # fmt: skip


def _row(name: str, number: int) -> tuple[ColumnElement[bool], ...]:
    return (model_versions.c.name == name, model_versions.c.number == number)
