"""Whatever is broken by hand is found and named; a sound store has no findings."""

from collections.abc import Callable

import pytest
from sqlalchemy import delete, insert, text, update

from threefold.store import schema
from threefold.store.check import check
from threefold.store.info import look

pytestmark = pytest.mark.engines


def damaged(filled, name: str) -> None:
    filled.store.objects.path(filled.objects[name]).write_bytes(b"xxxxxxx"[: 6 if name == "file" else 7])


def missing(filled, name: str) -> None:
    filled.store.objects.remove(filled.objects[name])


def row(statement) -> Callable:
    def change(filled, _name: str) -> None:
        with filled.store.write() as tx:
            tx.execute(statement)

    return change


def test_a_sound_store_has_no_findings(filled) -> None:
    said = check(filled.store, deep=True)
    assert said.findings == ()
    assert (said.unused, said.events) == (1, said.events)
    assert said.sound == said.objects >= 6


def test_only_objects_that_are_there_are_counted_as_sound(filled) -> None:
    before = check(filled.store)
    missing(filled, "table")
    after = check(filled.store)
    assert after.sound == before.sound - 1


@pytest.mark.parametrize(
    ("name", "broken", "named"),
    [
        ("table", missing, "is missing; needed by run"),
        ("snapshot", missing, "is missing; needed by snapshot days"),
        ("part", missing, "is missing; needed by model shop/1"),
        ("bundle", missing, "is missing; needed by model shop/1"),
        ("bundle", damaged, "damaged"),
        ("table", damaged, "has 7 bytes, not"),
        ("", row(text("UPDATE events SET actor = 'eve' WHERE seq = 2")), "event 2 ("),
        ("", row(text("DELETE FROM events WHERE seq = 2")), "event 2 is missing"),
        ("", row(delete(schema.executions)), "lineage names execution"),
        (
            "",
            row(insert(schema.aliases).values(name="shop", alias="best", number=9, set_at="")),
            "alias best of model shop points at version 9",
        ),
        ("", row(update(schema.model_versions).values(run_id="gone")), "model shop/1 was made by run gone"),
    ],
)
def test_what_was_broken_by_hand_is_named(filled, name: str, broken: Callable, named: str) -> None:
    broken(filled, name)
    said = check(filled.store).findings
    assert any(named in one.what for one in said), said
    assert all(one.where and one.do for one in said)


def test_changed_bytes_of_the_same_length_are_found_by_a_deep_look(filled) -> None:
    damaged(filled, "file")
    assert check(filled.store).findings == ()
    (finding,) = check(filled.store, deep=True).findings
    assert "does not match" in finding.what or "do not match" in finding.what
    assert filled.objects["file"] in finding.where


def test_a_store_is_measured(filled) -> None:
    said = look(filled.store)
    assert said.engine == filled.store.engine.dialect.name
    assert (said.rows["runs"], said.rows["model_versions"], said.schema) == (2, 1, schema.HEAD)
    assert said.object_count == len(list(filled.store.objects.digests()))
    assert said.object_bytes > 0 and said.catalogue_bytes > 0
