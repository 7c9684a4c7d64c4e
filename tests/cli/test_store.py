"""The commands that look after the memory, as a user calls them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from alembic.command import upgrade as migrate
from alembic.config import Config
from sqlalchemy import text

from threefold.pipeline import runs
from threefold.store import Store, schema
from threefold.store.upgrade import MIGRATIONS


@pytest.fixture
def used(folder):
    """A project with a store in which one run was recorded; an old object is left over."""
    store = Store.open(folder.root / ".threefold")
    with runs.recorded(store, project="churn", kind="candidate", name="linear") as run:
        run.metrics({"auc": 0.7})
    os.utime(store.objects.path(store.objects.put(b"nobody wants it")), (0, 0))  # type: ignore[attr-defined]
    store.close()
    return folder


def test_the_memory_is_measured_checked_and_cleared(used) -> None:
    said = used.call("store", "info", "--json").json
    assert (said["rows"]["runs"], said["object_count"], said["engine"]) == (1, 1, "sqlite")
    people = used.call("store", "info")
    assert "catalogue.db" in people.out and "points" in people.out

    checked = used.call("store", "check", "--deep")
    assert checked.code == 0 and "the store is whole" in checked.out and "1 that nothing needs" in checked.out
    tried = used.call("store", "gc", "--dry-run")
    assert "1 objects would be removed, 15 B" in tried.out
    assert used.call("store", "gc", "--json").json["removed"] == 1
    assert used.call("store", "info", "--json").json["object_count"] == 0


def test_a_store_that_is_not_whole_ends_with_exit_code_1_and_says_what_is_wrong(used) -> None:
    store = Store.open(used.root / ".threefold")
    with store.write() as tx:
        tx.execute(text("UPDATE events SET actor = 'eve' WHERE seq = 2"))
    store.close()
    called = used.call("store", "check")
    assert called.code == 1 and "event 2 (" in called.out
    called = used.call("store", "check", "--json")
    assert called.code == 1 and called.json["findings"][0]["do"]


def test_a_store_is_backed_up_and_restored_elsewhere(used) -> None:
    file = used.root / "backup.tar"
    assert used.call("store", "backup", str(file)).code == 0
    again = used.call("store", "backup", str(file))
    assert again.code == 2 and "there already" in again.err
    refused = used.call("store", "restore", str(file))
    assert refused.code == 2 and "--replace" in refused.err
    restored = used.call("store", "--store", str(used.root / "elsewhere"), "restore", str(file))
    assert restored.code == 0, restored.err
    there = used.call("store", "--store", str(used.root / "elsewhere"), "info", "--json").json
    assert there["rows"] == used.call("store", "info", "--json").json["rows"]


def test_a_move_says_which_setting_to_write_and_the_old_address_where_it_went(used) -> None:
    called = used.call("store", "move", "--catalogue", f"sqlite:///{used.root / 'new.db'}", "--objects", "bytes")
    assert called.code == 0, called.err
    assert f"THREEFOLD_CATALOGUE=sqlite:///{used.root / 'new.db'}" in called.out
    assert "THREEFOLD_OBJECTS=bytes" in called.out
    assert f"are in {used.root / '.threefold' / 'bytes'}" in called.out
    old = used.call("store", "info")
    assert old.code == 2 and "was moved" in old.err
    new = used.call("store", "info", "--json", THREEFOLD_CATALOGUE=f"sqlite:///{used.root / 'new.db'}").json
    assert new["rows"]["runs"] == 1
    back = used.call("store", "move", "--catalogue", "sqlite", THREEFOLD_CATALOGUE=f"sqlite:///{used.root / 'new.db'}")
    assert back.code == 0, back.err
    assert used.call("store", "info", "--json").json["rows"]["runs"] == 1


def test_an_upgrade_says_from_where_to_where(used) -> None:
    assert "newest schema already" in used.call("store", "upgrade").out
    assert used.call("store", "upgrade", "--json").json["copy"] is None


def test_an_old_store_is_upgraded_and_copied_before(folder) -> None:
    root = folder.root / ".threefold"
    root.mkdir()
    store = Store.over(root, None)
    with store.write() as tx:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = tx.connection
        migrate(config, "0001")
    store.close()
    called = folder.call("store", "upgrade")
    assert called.code == 0, called.err
    assert f"from schema 0001 to {schema.HEAD}" in called.out
    assert (root / "catalogue-schema-0001.db").exists()
    assert folder.call("store", "check").code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("store", "info"), "there is no store"),
        (("store", "move"), "nothing was named"),
        (("store", "restore", "nowhere.tar"), "nowhere.tar"),
    ],
    ids=" ".join,
)
def test_a_wrong_call_is_answered_and_makes_nothing(folder, words: tuple[str, ...], said: str) -> None:
    called = folder.call(*words)
    assert called.code == 2 and said in called.err
    assert not (folder.root / ".threefold").exists()


def test_the_password_of_a_catalogue_is_shown_nowhere(folder: object, tmp_path: Path) -> None:
    secret = "postgresql://ada:lovelace@127.0.0.1:1/flights"
    for words in (("settings",), ("store", "info"), ("store", "check", "--json"), ("runs", "list")):
        called = folder.call(*words, THREEFOLD_CATALOGUE=secret)  # type: ignore[attr-defined]
        assert "lovelace" not in called.out + called.err
        assert words == ("settings",) or called.code == 2
