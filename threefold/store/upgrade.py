"""Bring a catalogue to the newest schema, or refuse one from the future."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from threefold.errors import StoreError
from threefold.store import schema

if TYPE_CHECKING:
    from threefold.store.store import Store

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(store: Store, revision: str | None, *, asked: bool = True) -> Path | None:
    """Migrate a catalogue from its revision (None: empty) to HEAD, in one transaction.

    Args:
        asked: whether somebody asked for it. A Postgres may be shared with others who still need the older schema.
    Returns:
        The copy of the catalogue that was made before, where it is a file of SQLite.
    Raises:
        StoreError: the revision is not one that this Threefold knows, or nobody asked to migrate a Postgres.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in known:
        raise StoreError(
            f"the store was written by a newer Threefold (schema {revision}; this one knows up to {schema.HEAD})",
            store.url,
            "install the newer Threefold; nothing was changed",
        )
    if not asked and store.engine.dialect.name == "postgresql":
        raise StoreError(
            f"the catalogue has schema {revision}, and this Threefold works with {schema.HEAD}",
            store.url,
            "when nobody works with the older Threefold any more: threefold store upgrade",
        )
    with store.write() as tx:
        if store.revision_in(tx.connection) == schema.HEAD:  # another process was faster
            return None
        copy = _copy(store, revision) if revision is not None else None
        config.attributes["connection"] = tx.connection
        command.upgrade(config, "head")
        schema.collate(tx.connection)
        tx.event("store.migrated", "store", {"from": revision, "to": schema.HEAD})
    return copy


def _copy(store: Store, revision: str) -> Path | None:
    """A copy of the file as it was; made while the writer's lock is held, so that nobody changes it meanwhile."""
    file = store.engine.url.database
    if store.engine.dialect.name != "sqlite" or not file or file == ":memory:":
        return None
    target = Path(file).with_name(f"{Path(file).stem}-schema-{revision}.db")
    half = target.with_suffix(".half")
    try:
        half.unlink(missing_ok=True)
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(half)) as copy:
            source.backup(copy)
        half.replace(target)
    except (OSError, sqlite3.Error) as error:
        half.unlink(missing_ok=True)
        raise StoreError(
            f"no copy of the catalogue could be made before the upgrade: {error}", str(target),
            "free some space or mend the folder's rights; nothing was changed",
        ) from error  # fmt: skip
    return target
