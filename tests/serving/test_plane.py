import shutil

import pytest

from threefold.errors import NotFound, StoreError
from threefold.serving import routing
from threefold.serving.app import create_app
from threefold.serving.plane import open_plane
from threefold.store import Store

INFER = "/v2/models/demo/infer"


@pytest.fixture
def plane(served):
    plane = open_plane(served.root)
    yield plane
    plane.close()


def backup_of(store):
    store.close()  # with its last connection SQLite brings the write-ahead log into the file
    return shutil.copytree(store.root, store.root.with_name("backup"))


def restore(root, backup):
    shutil.rmtree(root)
    backup.rename(root)
    return Store.open(root)


def test_the_stop_switch_of_a_restored_store_is_obeyed(served, plane):
    backup = backup_of(served)
    restored = restore(served.root, backup)
    routing.stop(restored, "demo", "test")
    restored.close()
    plane.refresh()
    assert plane.served["demo"].routing.stopped


def test_a_restored_store_is_read_though_it_counts_the_same_generations(served, plane, released):
    backup = backup_of(served)
    routing.deploy(served, "demo", released[1])
    plane.refresh()
    served.close()
    restored = restore(served.root, backup)
    routing.stop(restored, "demo", "test")
    restored.close()
    assert plane.served["demo"].routing.generation == 2
    plane.refresh()
    assert [arm.number for arm in plane.served["demo"].routing.arms] == [1]


def test_closing_the_deleted_store_leaves_the_write_ahead_log_of_the_new_one(served, plane):
    backup = backup_of(served)
    restored = restore(served.root, backup)
    routing.stop(restored, "demo", "test")
    plane.refresh()
    other = Store.open(served.root)
    assert routing.current(other, "demo").stopped
    restored.close()
    other.close()


def test_a_store_that_is_away_is_not_made_and_what_is_loaded_answers(served, plane):
    served.close()
    away = served.root.rename(served.root.with_name("away"))
    with pytest.raises(StoreError, match="away"):
        plane.refresh()
    assert not served.root.exists()
    assert plane.endpoint("demo")
    assert "away" in plane.away
    assert plane.gauges()["threefold_store_away"] == {"": 1.0}
    away.rename(served.root)
    plane.refresh()
    assert plane.away is None


def test_an_endpoint_that_the_new_store_does_not_know_is_no_longer_served(served, plane):
    served.close()
    shutil.rmtree(served.root)
    Store.open(served.root).close()
    plane.refresh()
    assert not plane.ready
    with pytest.raises(StoreError, match="does not know"):
        plane.endpoint("demo")
    with pytest.raises(NotFound):
        plane.endpoint("other")


def test_an_empty_file_where_the_catalogue_was_is_left_to_whoever_restores_it(served, plane):
    served.close()
    catalogue = served.root / "catalogue.db"
    catalogue.rename(served.root / "kept.db")
    catalogue.touch()
    with pytest.raises(StoreError, match="empty"):
        plane.refresh()
    assert catalogue.stat().st_size == 0


def test_a_request_whose_record_would_not_be_found_again_is_refused(served, call, request_of):
    client = call(create_app(served.root))
    ask = request_of([1.0], [2.0], ["AA"])
    assert client.post(INFER, json=ask).status_code == 200
    served.close()
    away = served.root.rename(served.root.with_name("away"))
    with pytest.raises(StoreError):
        client.app.plane.refresh()
    answer = client.post(INFER, json=ask)
    assert (answer.status_code, "inference log cannot be written" in answer.json()["error"]) == (503, True)
    ready = client.get("/v2/health/ready")
    assert (ready.status_code, ready.json()["ready"], "away" in ready.json()["store"]) == (503, False, True)
    assert client.get("/v2/models/demo/ready").status_code == 503
    away.rename(served.root)
    client.app.plane.refresh()
    assert client.post(INFER, json=ask).status_code == 200
    assert client.get("/v2/health/ready").json() == {"ready": True}


def test_a_server_with_nothing_released_is_not_ready_and_says_why(store, call):
    answer = call(create_app(store.root)).get("/v2/health/ready")
    assert (answer.status_code, "nothing is released yet" in answer.json()["error"]) == (503, True)
