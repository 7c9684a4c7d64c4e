import pytest
from sqlalchemy import insert

from threefold.store.schema import models

pytestmark = pytest.mark.engines  # on SQLite and on Postgres


def test_runs_models_and_experiments_are_found_by_a_part_of_their_name(pages, store, log, experiment):
    experiment("churn 2026")
    run = log("churn linear")
    with store.write() as tx:
        tx.execute(insert(models).values(name="Churn model", created_ms=0, updated_ms=0, last_number=0))
    found = {
        group["kind"]: [item["name"] for item in group["items"]] for group in pages.json("/search?q=CHURN")["groups"]
    }
    assert found == {"models": ["Churn model"], "experiments": ["churn 2026"], "runs": ["churn linear"]}
    assert [g["kind"] for g in pages.json(f"/search?q={run[:32]}")["groups"]] == ["runs"]


def test_nothing_found_and_nothing_asked_are_said(pages):
    assert "Nothing has this in its name" in pages.text("/search?q=%25_%5C<b>")
    assert "Type a part of a name" in pages.text("/search")
