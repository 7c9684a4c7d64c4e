"""The migrations and the schema say the same, however a catalogue came to be."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, func, insert, inspect, select, text

from threefold.errors import StoreError
from threefold.pipeline import runs
from threefold.registry import versions
from threefold.store import Store, database, schema
from threefold.store.events import GENESIS, chain, verify
from threefold.store.upgrade import MIGRATIONS, upgrade

pytestmark = pytest.mark.engines


def unmade(root: Path, url: str | None) -> Store:
    """A store over a database in which nobody has made a table."""
    root.mkdir()
    address = database.address_of(root, url)
    return Store(root, database.engine_of(address), database.without_secrets(str(address)))


def migrate(store: Store, revision: str) -> None:
    with store.write() as tx:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = tx.connection
        command.upgrade(config, revision)


@pytest.fixture
def created(tmp_path: Path, catalogue: str | None) -> Iterator[Store]:
    store = Store.open(tmp_path / "created", url=catalogue)
    yield store
    store.close()


@pytest.fixture
def migrated(tmp_path: Path, empty_catalogue: str | None) -> Iterator[Store]:
    """A catalogue that went through every migration, one after the other."""
    store = unmade(tmp_path / "migrated", empty_catalogue)
    upgrade(store, None)
    yield store
    store.close()


def definitions(store: Store) -> dict[str, object]:
    """Every table, column by column, with its keys and indices."""
    with store.read() as connection:
        found = inspect(connection)
        return {
            name: (
                [{**one, "type": repr(one["type"])} for one in found.get_columns(name)],
                found.get_pk_constraint(name)["constrained_columns"],
                sorted(
                    (one["name"], one["column_names"], one["unique"])
                    for one in found.get_indexes(name)
                    if "duplicates_constraint" not in one
                ),
                sorted(one["column_names"] for one in found.get_unique_constraints(name)),
                sorted(
                    (one["constrained_columns"], one["referred_table"], str(one["options"]))
                    for one in found.get_foreign_keys(name)
                ),
            )
            for name in found.get_table_names()
            if name != "alembic_version"
        }


def as_sqlite_says(store: Store) -> dict[str, str]:
    with store.read() as connection:
        rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")).all()
    return {name: " ".join(sql.split()) for name, sql in rows if name != "alembic_version"}


def test_the_migrated_schema_is_the_schema(migrated: Store) -> None:
    with migrated.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, schema.metadata) == []


def test_a_new_catalogue_equals_one_that_was_migrated(created: Store, migrated: Store) -> None:
    assert definitions(created) == definitions(migrated)
    if created.engine.dialect.name == "sqlite":
        assert as_sqlite_says(created) == as_sqlite_says(migrated)
    assert created.revision() == migrated.revision() == schema.HEAD


def test_the_newest_migration_is_the_head() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [schema.HEAD]


def test_a_migration_is_recorded_in_the_event_log(migrated: Store) -> None:
    with migrated.read() as connection:
        assert verify(connection) == (1, None)


@pytest.fixture
def first_schema(tmp_path: Path, empty_catalogue: str | None) -> Path:
    """The folder of a store as the first Threefold left it."""
    store = unmade(tmp_path / "old", empty_catalogue)
    migrate(store, "0001")
    with store.write() as tx:
        for statement in FIRST_SCHEMA_ROWS.strip().split(";\n"):
            tx.connection.exec_driver_sql(statement)
        first = {"seq": 1, "at": tx.now, "kind": "store.created", "subject": "store", "actor": "ada", "body": "{}"}
        hashed = chain(GENESIS, *first.values())
        tx.execute(insert(schema.events).values(**first, previous=GENESIS, hash=hashed))
    store.close()
    return store.root


def test_a_store_of_the_first_schema_comes_along_whole(first_schema: Path, empty_catalogue: str | None) -> None:
    opened = Store.open(first_schema, url=empty_catalogue, migrate=True)
    run = runs.get(opened, "r1")
    assert (run.project, run.name, run.params, run.tags) == (
        "flights",
        "linear",
        {"depth": 3, "loss": "log"},
        {"a": "b"},
    )
    assert runs.metrics_of(opened, "r1") == {"auc": 0.7, "late": 1.0}
    assert runs.curves_of(opened, "r1") == {"roc": [(0.0, 0.0), (1.0, 1.0)]}
    assert [row.step for row in runs.executions_of(opened, "r1")] == ["train"]
    assert [version.number for version in versions.list_versions(opened, "flights")] == [1]
    assert versions.aliases(opened, "flights") == {"champion": 1}
    with opened.read() as connection:
        assert verify(connection) == (2, None)
        assert connection.scalars(select(schema.series.c.name).where(~schema.series.c.in_order)).all() == ["late"]
        assert connection.scalar(select(func.count()).select_from(schema.series).where(~schema.series.c.rising)) == 0
    opened.close()


FIRST_SCHEMA_ROWS = """
INSERT INTO runs VALUES ('r0', NULL, 'flights', 'pipeline', '', 'done', '2026-01-01T00:00:00+00:00', NULL, '{}', '{}', '{}', NULL, 'h', 1, NULL);
INSERT INTO runs VALUES ('r1', 'r0', 'flights', 'candidate', 'linear', 'done', '2026-01-01T00:00:01+00:00', NULL, '{"depth": 3, "loss": "log"}', '{"a": "b"}', '{}', NULL, 'h', 1, NULL);
INSERT INTO metrics VALUES ('r1', 'auc', 0, 0.7, '2026-01-01T00:00:01+00:00'), ('r1', 'roc.x', 0, 0.0, '2026-01-01T00:00:01+00:00'), ('r1', 'roc.x', 1, 1.0, '2026-01-01T00:00:01+00:00'), ('r1', 'roc.y', 0, 0.0, '2026-01-01T00:00:01+00:00'), ('r1', 'roc.y', 1, 1.0, '2026-01-01T00:00:01+00:00'), ('r1', 'late', 0, 1.0, '2026-01-01T00:00:02+00:00'), ('r1', 'late', 1, 1.0, '2026-01-01T00:00:01+00:00');
INSERT INTO executions VALUES ('e1', 'r1', 'train', 'k', 'ran', 'first', '2026-01-01T00:00:01+00:00', NULL, NULL);
INSERT INTO model_versions VALUES ('flights', 1, 'r1', 'b', 'approved', '{}', '{"snapshots": {}, "training_set": "t", "test_set": "s", "code": {}, "environment": "e", "run_id": "r1", "candidate": "linear", "as_of": null, "canvas": "c", "seed": 7}', '2026-01-01T00:00:02+00:00');
INSERT INTO aliases VALUES ('flights', 'champion', 1, '2026-01-01T00:00:03+00:00')
"""


def test_sqlite_is_copied_before_it_is_migrated_and_postgres_is_not_migrated_unasked(
    first_schema: Path, empty_catalogue: str | None
) -> None:
    if empty_catalogue is not None:
        with pytest.raises(StoreError, match="schema 0001") as refused:
            Store.open(first_schema, url=empty_catalogue)
        assert "threefold store upgrade" in refused.value.do
        return
    Store.open(first_schema).close()
    copy = create_engine(f"sqlite:///{first_schema / 'catalogue-schema-0001.db'}")
    with copy.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "0001"
        assert connection.scalar(text("SELECT count(*) FROM runs")) == 2
    copy.dispose()


def test_new_rows_get_new_numbers_after_a_migration(first_schema: Path, empty_catalogue: str | None) -> None:
    opened = Store.open(first_schema, url=empty_catalogue, migrate=True)
    run_id = runs.start(opened, project="another")
    runs.log_metrics(opened, run_id, {"auc": 0.8})
    assert runs.metrics_of(opened, run_id) == {"auc": 0.8}
    opened.close()
