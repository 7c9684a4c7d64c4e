from datetime import datetime, timedelta

import pytest

from threefold.records import Lineage, Release, utc_now
from threefold.registry import versions
from threefold.serving import history, routing
from threefold.store import Store, events

LINEAGE = Lineage({}, "t", "s", {"archive": "a"}, "e", "run", "linear", None, "c", 7)


@pytest.fixture
def store(tmp_path):
    store = Store.open(tmp_path / "store", url=None)
    for number in (1, 2):
        versions.register(store, "demo", f"bundle {number}", "run", {}, LINEAGE)
    yield store
    store.close()


def release(number: int) -> Release:
    return Release(f"r{number}", "demo", "demo", number, f"bundle {number}", LINEAGE, (), "rule", "why", utc_now())


def moment_of(store: Store, kind: str) -> datetime:
    with store.read() as connection:
        return datetime.fromisoformat(list(events.read(connection, kind=kind))[-1].at)


def shares(store: Store, moment: datetime) -> dict[int, float]:
    (found,) = history.at(store, moment, "demo")
    return {one.version: one.share for one in found.answering}


def test_the_log_tells_what_answered_at_each_moment(store):
    routing.deploy(store, "demo", release(1))
    routing.deploy(store, "demo", release(2), (0.25, 1.0))
    routing.advance(store, "demo")
    routing.rollback(store, "demo", "slow")
    assert history.at(store, moment_of(store, "endpoint.created") - timedelta(microseconds=1)) == ()
    assert shares(store, moment_of(store, "endpoint.created")) == {1: 1.0}
    assert shares(store, moment_of(store, "rollout.started")) == {1: 0.75, 2: 0.25}
    assert shares(store, moment_of(store, "rollout.finished")) == {2: 1.0}
    assert shares(store, utc_now()) == {1: 1.0}


def test_a_stopped_endpoint_answered_from_its_fallback(store):
    routing.deploy(store, "demo", release(1))
    routing.stop(store, "demo", "bad data")
    (found,) = history.at(store, utc_now())
    assert found.stopped and found.because == "endpoint.stopped" and found.answering[0].release == "r1"


def test_every_endpoint_answers_for_itself(store):
    routing.deploy(store, "demo", release(1))
    routing.deploy(store, "other", release(2))
    routing.stop(store, "demo", "bad data")
    assert [(one.endpoint, one.stopped) for one in history.at(store, utc_now())] == [("demo", True), ("other", False)]
    assert [one.endpoint for one in history.at(store, utc_now(), "other")] == ["other"]
