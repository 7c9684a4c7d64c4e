"""Aliases: names that move from version to version, with every move on record."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from threefold.errors import NotFound, Refused
from threefold.registry import versions
from threefold.store import Store
from threefold.store.schema import alias_moves

_NAME = re.compile(r"[A-Za-z_][\w.-]{0,255}")
_RESERVED = re.compile(r"latest|v\d+", re.IGNORECASE)  # they mean a version already


@dataclass(frozen=True, slots=True)
class AliasMove:
    """One move of an alias."""

    name: str
    alias: str
    before: int | None  # None: it pointed nowhere
    after: int | None  # None: it was taken away
    at: datetime
    by: str
    reason: str


def point(store: Store, name: str, alias: str, number: int, reason: str) -> None:
    """Let an alias point at a version.

    Raises:
        Refused: the alias cannot be called that.
        NotFound: the model has no such version.
    """
    if not _NAME.fullmatch(alias) or _RESERVED.fullmatch(alias):
        raise Refused(
            f"an alias cannot be called {alias!r}", f"model {name}",
            "begin with a letter, go on with letters, digits, - _ and .; `latest` and `v3` mean a version already",
        )  # fmt: skip
    versions.set_alias(store, name, alias, number, reason)


def remove(store: Store, name: str, alias: str, reason: str) -> None:
    """Take an alias away. Raises NotFound."""
    if alias not in versions.aliases(store, name):
        raise NotFound(f"model {name!r} has no alias {alias!r}", f"model {name}", "see: threefold models list")
    with store.write() as tx:
        versions.move_alias(tx, name, alias, None, reason)


def history(store: Store, name: str, alias: str | None = None) -> tuple[AliasMove, ...]:
    """Every move of one alias of a model, or of all, oldest first."""
    query = (
        select(alias_moves).where(alias_moves.c.name == name).order_by(alias_moves.c.id)
    )  # clocks jump, numbers grow
    if alias is not None:
        query = query.where(alias_moves.c.alias == alias)
    with store.read() as connection:
        return tuple(
            AliasMove(row.name, row.alias, row.before, row.after, datetime.fromisoformat(row.at), row.by, row.reason)
            for row in connection.execute(query)
        )
