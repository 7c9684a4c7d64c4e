import pytest
from sqlalchemy import insert

from threefold.store.schema import files, model_versions, models

pytestmark = pytest.mark.engines  # on SQLite and on Postgres


@pytest.fixture
def logged(door):
    """A model as a client logs it, with a parameter, a metric and a file."""
    run = door.post("runs/create", experiment_id="0", run_name="trained")["run"]["info"]["run_id"]
    made = door.post("logged-models", experiment_id="0", name="forest", model_type="classifier", source_run_id=run,
                     params=[{"key": "trees", "value": "40"}])  # fmt: skip
    key = made["model"]["info"]["model_id"]
    door.post("runs/log-metric", run_id=run, key="auc", value=0.81, timestamp=1, step=0, model_id=key)
    store = door.app.context.store
    with store.write() as tx:
        data = b"flavors: {}\n"
        row = {"digest": store.objects.put(data), "size_bytes": len(data), "changed_ms": 0}
        tx.execute(insert(files).values(path=f"0/models/{key}/artifacts/MLmodel", **row))
    return key


def test_a_logged_model_tells_what_it_is_where_it_is_from_and_its_files(pages, logged):
    text = pages.text(f"/logged-models/{logged}")
    for said in ("forest", "classifier", "trained", "trees 40", "auc 0.81", "MLmodel", "It is not registered"):
        assert said in text
    assert "flavors: {}" in pages.text(f"/logged-models/{logged}/files/MLmodel")
    assert pages.ask(f"/logged-models/{logged}/files/other").status_code == 404


def test_the_versions_made_of_a_logged_model_stand_on_its_page_and_lead_back(pages, store, logged):
    with store.write() as tx:
        tx.execute(insert(models).values(name="churn", created_ms=0, updated_ms=0, last_number=1))
        tx.execute(insert(model_versions).values(
            name="churn", number=1, run_id="", bundle="", status="candidate", stage="None", metrics={}, source="",
            user="", created_at=tx.now, updated_at=tx.now, model_id=logged,
        ))  # fmt: skip
    assert "churn 1" in pages.text(f"/logged-models/{logged}")
    assert f'href="/logged-models/{logged}"' in pages.html("/models/churn/1")
    assert pages.json(f"/logged-models/{logged}")["versions"] == [{"name": "churn", "number": 1, "status": "candidate"}]


def test_an_unknown_logged_model_is_refused_in_three_parts(pages):
    answer = pages.ask("/logged-models/m-none", headers={"accept": "application/json"})
    assert answer.status_code == 404 and answer.json()["error"]["do"]
