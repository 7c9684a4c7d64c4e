"""The migrations and the schema say the same, however a catalogue came to be."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from threefold.store import Store, schema
from threefold.store.events import verify
from threefold.store.upgrade import MIGRATIONS, upgrade


@pytest.fixture
def created(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(tmp_path / "created")
    yield store
    store.close()


@pytest.fixture
def migrated(tmp_path: Path) -> Iterator[Store]:
    """A catalogue that went through every migration, one after the other."""
    store = Store.open(tmp_path / "migrated")
    with store.write() as tx:
        for table in reversed(schema.metadata.sorted_tables):
            tx.execute(text(f"DROP TABLE {table.name}"))
        tx.execute(text("DELETE FROM alembic_version"))
    upgrade(store, None)
    yield store
    store.close()


def definitions(store: Store) -> dict[str, str]:
    with store.read() as connection:
        rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")).all()
    return {name: " ".join(sql.split()) for name, sql in rows if name != "alembic_version"}


def test_the_migrated_schema_is_the_schema(migrated: Store) -> None:
    with migrated.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, schema.metadata) == []


def test_a_new_catalogue_equals_one_that_was_migrated(created: Store, migrated: Store) -> None:
    assert definitions(created) == definitions(migrated)
    assert created.revision() == migrated.revision() == schema.HEAD


def test_the_newest_migration_is_the_head() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [schema.HEAD]


def test_a_migration_is_recorded_in_the_event_log(migrated: Store) -> None:
    with migrated.read() as connection:
        assert verify(connection) == (1, None)
