import pytest
from sqlalchemy import insert

from threefold.store.schema import model_versions, models

RUN = f"{1:032x}"


@pytest.mark.parametrize(
    ("asked", "leads_to"),
    [
        ("/experiments", "/runs"),
        ("/experiments/3", "/runs?experiment=3"),
        ("/experiments/3/s", "/runs?experiment=3"),
        (f"/experiments/0/runs/{RUN}", f"/runs/{RUN}"),
        (f"/experiments/0/runs/{RUN}/artifacts/model", f"/runs/{RUN}"),
        ("/experiments/0/models/m-1", "/logged-models/m-1"),
        ("/models/churn/versions/2", "/models/churn/2"),
        ('/compare-runs?runs=["a","b"]&experiments=["0"]', "/compare?run=a&run=b"),
        ("/compare-runs?runs=[", "/compare"),
    ],
)
def test_an_address_of_mlflows_own_pages_leads_to_ours(pages, asked, leads_to):
    answer = pages.ask(asked)
    assert (answer.status_code, answer.headers["location"]) == (302, leads_to)


def test_every_page_gives_json_with_that_ending(pages, log):
    run = log("first")
    assert pages.ask(f"/runs/{run}.json").json() == pages.json(f"/runs/{run}")
    assert pages.ask("/runs.json?q=first").json()["count"] == 1
    assert pages.ask("/.json").json() == pages.json("/")
    assert pages.ask("/runs/zzz.json").json()["error"]["what"]


def test_a_model_whose_name_has_that_ending_has_a_page_like_any_other(pages, store):
    with store.write() as tx:
        tx.execute(insert(models).values(name="iris.json", created_ms=0, updated_ms=0, last_number=1))
        tx.execute(insert(model_versions).values(
            name="iris.json", number=1, run_id="", bundle="", status="candidate", stage="None", metrics={}, source="",
            user="", created_at=tx.now, updated_at=tx.now,
        ))  # fmt: skip
    assert 'href="/models/iris%2Ejson"' in pages.html("/models")
    assert "<h1>" in pages.html("/models/iris%2Ejson")
