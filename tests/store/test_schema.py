"""The migrations and the schema say the same, however a catalogue came to be."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import insert, text

from threefold.pipeline import runs
from threefold.registry import versions
from threefold.store import Store, schema
from threefold.store.events import GENESIS, chain, verify
from threefold.store.store import _engine
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


def test_a_store_of_the_first_schema_comes_along_whole(tmp_path: Path) -> None:
    root = tmp_path / "old"
    root.mkdir()
    store = Store(root, _engine(f"sqlite:///{root / 'catalogue.db'}"), "old")
    with store.write() as tx:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = tx.connection
        command.upgrade(config, "0001")
        for statement in FIRST_SCHEMA_ROWS.strip().split(";\n"):
            tx.execute(text(statement))
        first = {"seq": 1, "at": tx.now, "kind": "store.created", "subject": "store", "actor": "ada", "body": "{}"}
        hashed = chain(GENESIS, *first.values())
        tx.execute(insert(schema.events).values(**first, previous=GENESIS, hash=hashed))
    store.close()

    opened = Store.open(root)
    run = runs.get(opened, "r1")
    assert (run.project, run.name, run.params, run.tags) == (
        "flights",
        "linear",
        {"depth": 3, "loss": "log"},
        {"a": "b"},
    )
    assert runs.metrics_of(opened, "r1") == {"auc": 0.7}
    assert runs.curves_of(opened, "r1") == {"roc": [(0.0, 0.0), (1.0, 1.0)]}
    assert [row.step for row in runs.executions_of(opened, "r1")] == ["train"]
    assert [version.number for version in versions.list_versions(opened, "flights")] == [1]
    assert versions.aliases(opened, "flights") == {"champion": 1}
    with opened.read() as connection:
        assert verify(connection) == (2, None)
    opened.close()


FIRST_SCHEMA_ROWS = """
INSERT INTO runs VALUES ('r0', NULL, 'flights', 'pipeline', '', 'done', '2026-01-01T00:00:00+00:00', NULL, '{}', '{}', '{}', NULL, 'h', 1, NULL);
INSERT INTO runs VALUES ('r1', 'r0', 'flights', 'candidate', 'linear', 'done', '2026-01-01T00:00:01+00:00', NULL, '{"depth": 3, "loss": "log"}', '{"a": "b"}', '{}', NULL, 'h', 1, NULL);
INSERT INTO metrics VALUES ('r1', 'auc', 0, 0.7, '2026-01-01T00:00:01+00:00'), ('r1', 'roc.x', 0, 0.0, '2026-01-01T00:00:01+00:00'), ('r1', 'roc.x', 1, 1.0, '2026-01-01T00:00:01+00:00'), ('r1', 'roc.y', 0, 0.0, '2026-01-01T00:00:01+00:00'), ('r1', 'roc.y', 1, 1.0, '2026-01-01T00:00:01+00:00');
INSERT INTO executions VALUES ('e1', 'r1', 'train', 'k', 'ran', 'first', '2026-01-01T00:00:01+00:00', NULL, NULL);
INSERT INTO model_versions VALUES ('flights', 1, 'r1', 'b', 'approved', '{}', '{"snapshots": {}, "training_set": "t", "test_set": "s", "code": {}, "environment": "e", "run_id": "r1", "candidate": "linear", "as_of": null, "canvas": "c", "seed": 7}', '2026-01-01T00:00:02+00:00');
INSERT INTO aliases VALUES ('flights', 'champion', 1, '2026-01-01T00:00:03+00:00')
"""
