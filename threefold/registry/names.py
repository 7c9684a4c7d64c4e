"""What people call a version: a semantic name, an alias, or its number."""

from __future__ import annotations

import re

from sqlalchemy import Connection, select, update

from threefold.errors import Conflict, NotFound, Refused
from threefold.records import ModelVersion
from threefold.registry import versions
from threefold.store import Store
from threefold.store.schema import aliases, model_versions

# Source: semver.org, version 2.0.0: no leading zeros, pre-release and build parts of letters, digits and hyphens.
_NUMBER = r"(?:0|[1-9]\d*)"
_PART = r"(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
SEMANTIC = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-{_PART}(?:\.{_PART})*)?(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?"
)
LONGEST = 64


def name_version(store: Store, name: str, number: int, semantic: str) -> ModelVersion:
    """Give a version a semantic name; one it had before is replaced.

    Raises:
        Refused: it is no semantic version.
        Conflict: another version of the model has it.
        NotFound: the model has no such version.
    """
    label = versions.subject(name, number)
    if not SEMANTIC.fullmatch(semantic) or len(semantic) > LONGEST:
        raise Refused(
            f"{semantic!r} is no semantic version", label, "write it as in 2.1.0 or 2.1.0-rc.1, see semver.org"
        )
    with store.write() as tx:
        version = versions.find_in(tx.connection, name, number, store.url)
        taken = _number_of(tx.connection, name, semantic)
        if taken not in (None, number):
            raise Conflict(f"version {taken} is called {semantic} already", label, "take the next name")
        if version.semantic != semantic:
            mine = (model_versions.c.name == name, model_versions.c.number == number)
            tx.execute(update(model_versions).where(*mine).values(semantic=semantic, updated_at=tx.now))
            tx.event("model.named", label, {"from": version.semantic, "to": semantic})
        return versions.find_in(tx.connection, name, number, store.url)


def find(store: Store, name: str, reference: str) -> ModelVersion:
    """The version that a number, a semantic name or an alias means; an alias may carry an @ before it.

    Raises:
        NotFound: it means none.
    """
    with store.read() as connection:
        if reference.isdecimal():
            number: int | None = int(reference)
        elif SEMANTIC.fullmatch(reference):
            number = _number_of(connection, name, reference)
        else:
            mine = (aliases.c.name == name, aliases.c.alias == reference.removeprefix("@"))
            number = connection.scalar(select(aliases.c.number).where(*mine))
        if number is None:
            raise NotFound(
                f"model {name!r} has no version called {reference!r}", f"registry in {store.url}",
                "name a number, a semantic name or an alias; see: threefold models list",
            )  # fmt: skip
        return versions.find_in(connection, name, number, store.url)


def _number_of(connection: Connection, name: str, semantic: str) -> int | None:
    # A deleted version keeps its name: it can be restored, and the name may stand in somebody's notes.
    mine = (model_versions.c.name == name, model_versions.c.semantic == semantic)
    return connection.scalar(select(model_versions.c.number).where(*mine))
