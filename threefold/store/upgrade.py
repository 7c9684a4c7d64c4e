"""Bring a catalogue to the newest schema, or refuse one from the future."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from threefold.errors import StoreError
from threefold.store.schema import HEAD

if TYPE_CHECKING:
    from threefold.store.store import Store

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(store: Store, revision: str | None) -> None:
    """Migrate a catalogue from its revision (None: empty) to HEAD, in one transaction.

    Raises:
        StoreError: the revision is not one that this Threefold knows.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in known:
        raise StoreError(
            f"the store was written by a newer Threefold (schema {revision}; this one knows up to {HEAD})",
            store.url,
            "install the newer Threefold; nothing was changed",
        )
    with store.write() as tx:
        if store.revision_in(tx.connection) == HEAD:  # another process was faster
            return
        config.attributes["connection"] = tx.connection
        command.upgrade(config, "head")
        tx.event("store.migrated", "store", {"from": revision, "to": HEAD})
