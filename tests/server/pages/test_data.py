import datetime

import polars as pl
import pytest
from sqlalchemy import insert

from threefold.records import Snapshot, plain
from threefold.store.schema import snapshots

pytestmark = pytest.mark.engines  # on SQLite and on Postgres


@pytest.fixture
def take(store):
    """Keep a table as a snapshot; returns its digest."""

    def add(name, table):
        digest = store.objects.put_table(table)
        columns = {column: str(kind) for column, kind in table.schema.items()}
        now = datetime.datetime.now(datetime.UTC)
        body = Snapshot(name, digest, table.height, 1, columns, "data/churn.csv", "", now)
        with store.write() as tx:
            tx.execute(insert(snapshots).values(digest=digest, name=name, body=plain(body), created_at=tx.now))
        return digest

    return add


def test_a_snapshot_tells_its_columns_with_nulls_and_ranges_and_its_first_rows(pages, take):
    digest = take("churn", pl.DataFrame({"age": [31, None, 54], "city": ["Rome", "Oslo", "Bern"]}))
    shown = pages.json(f"/data/{digest[:10]}")
    assert shown["measures"]["columns"]["age"] == {"type": "Int64", "nulls": 1, "low": 31, "high": 54}
    assert "31 Rome" in pages.text(f"/data/{digest}")


def test_two_snapshots_are_compared_by_schema_rows_nulls_and_ranges(pages, take):
    before = take("churn", pl.DataFrame({"age": [31, 40], "gone": ["a", "b"], "same": [1, 2]}))
    after = take("churn", pl.DataFrame({"age": [31, None, 71], "new": [1.5, 2.5, 3.5], "same": [1, 2, 2]}))
    shown = pages.json(f"/data/diff?a={before}&b={after}")
    assert {one["name"]: one["changes"] for one in shown["columns"]} == {
        "age": ["nulls", "range"], "new": ["new"], "same": [], "gone": ["gone"],
    }  # fmt: skip
    assert "rows +1" in pages.text(f"/data/diff?a={before}&b={after}")
    assert f"/data/diff?a={before}&amp;b={after}" in pages.html("/data")


def test_an_empty_table_and_one_of_odd_kinds_are_shown(pages, take):
    empty = take("empty", pl.DataFrame({"a": pl.Series([], dtype=pl.Int64)}))
    odd = take("odd", pl.DataFrame({"list": [[1, 2]], "made": [{"x": 1}], "none": [None], "nan": [float("nan")],
                                    "when": [datetime.date(2026, 1, 1)], "<b>": ["<i>"]}))  # fmt: skip
    for digest in (empty, odd):
        assert pages.ask(f"/data/{digest}").status_code == 200
    assert "<i>" not in pages.html(f"/data/{odd}").partition("First rows")[2].replace("<i aria", "")


def test_a_snapshot_whose_bytes_are_gone_is_still_told(pages, store, take):
    digest = take("churn", pl.DataFrame({"age": [1]}))
    store.objects.remove(digest)
    assert "Its bytes are not in the store any more" in pages.text(f"/data/{digest}")
    assert pages.ask(f"/data/diff?a={digest}&b={digest}").status_code == 404


def test_no_snapshot_yet_teaches_how_to_take_one(pages):
    assert "threefold run data" in pages.text("/data")
