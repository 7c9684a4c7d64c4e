import pytest
from sqlalchemy import delete

from threefold.errors import Conflict, NotFound
from threefold.records import Lineage, Release, utc_now
from threefold.registry import versions
from threefold.serving import routing
from threefold.store import events
from threefold.store.cross_check import missing
from threefold.store.schema import events as events_table

pytestmark = pytest.mark.engines

LINEAGE = Lineage({}, "t", "s", {}, "e", "run", "linear", None, "c", 7)


def release(number):
    return Release(
        f"release-{number}", "demo", "demo", number, f"bundle-{number}", LINEAGE, (), "rule", "test", utc_now()
    )


def shares(result):
    return {arm.number: round(arm.share, 9) for arm in result.arms}


def test_the_first_release_answers_everything(store):
    result = routing.deploy(store, "demo", release(1), (0.05, 1.0))
    assert shares(result) == {1: 1.0}
    assert result.rollout is None
    assert routing.current(store, "demo") == result


def test_a_canary_grows_step_by_step_and_becomes_the_champion(store):
    routing.deploy(store, "demo", release(1))
    seen = [shares(routing.deploy(store, "demo", release(2), (0.05, 0.25, 1.0)))]
    seen.append(shares(routing.advance(store, "demo")))
    last = routing.advance(store, "demo")
    assert [*seen, shares(last)] == [{1: 0.95, 2: 0.05}, {1: 0.75, 2: 0.25}, {2: 1.0}]
    assert last.previous.number == 1
    assert last.rollout is None
    assert last.generation == 4


def test_an_aborted_canary_leaves_the_champion_alone(store):
    routing.deploy(store, "demo", release(1))
    routing.deploy(store, "demo", release(2), (0.05, 1.0))
    assert shares(routing.abort(store, "demo", "errors")) == {1: 1.0}
    with pytest.raises(Conflict, match="no rollout"):
        routing.advance(store, "demo")


def test_a_rollback_swaps_with_the_version_before_and_back(store):
    routing.deploy(store, "demo", release(1))
    routing.deploy(store, "demo", release(2))
    back = routing.rollback(store, "demo", "too many alerts")
    assert (shares(back), back.previous.number) == ({1: 1.0}, 2)
    assert shares(routing.rollback(store, "demo", "it was right")) == {2: 1.0}


def test_a_rollback_during_a_canary_drops_the_canary(store):
    routing.deploy(store, "demo", release(1))
    routing.deploy(store, "demo", release(2), (0.05, 1.0))
    assert shares(routing.rollback(store, "demo", "looks wrong")) == {1: 1.0}


def test_without_a_version_before_there_is_no_rollback(store):
    routing.deploy(store, "demo", release(1))
    with pytest.raises(Conflict, match="no version before 1"):
        routing.rollback(store, "demo", "why not")


def test_deploying_what_already_answers_changes_nothing(store):
    first = routing.deploy(store, "demo", release(1))
    assert routing.deploy(store, "demo", release(1), (0.05, 1.0)) == first


def test_every_change_has_its_event_and_moves_the_aliases(store):
    routing.deploy(store, "demo", release(1))
    routing.deploy(store, "demo", release(2), (0.05, 1.0))
    assert versions.aliases(store, "demo") == {"champion": 1, "challenger": 2}
    routing.advance(store, "demo")
    routing.rollback(store, "demo", "slow")
    assert versions.aliases(store, "demo") == {"champion": 1}
    with store.read() as connection:
        kinds = [event.kind for event in events.read(connection, subject="endpoint demo")]
    assert kinds == ["endpoint.created", "rollout.started", "rollout.finished", "endpoint.rolled back"]


def test_the_stop_switch_is_one_bit_of_the_routing(store):
    routing.deploy(store, "demo", release(1))
    assert routing.stop(store, "demo", "bad data").stopped
    assert not routing.resume(store, "demo", "mended").stopped


def test_an_endpoint_that_does_not_exist_is_answered_with_those_that_do(store):
    routing.deploy(store, "demo", release(1))
    with pytest.raises(NotFound, match="served are: demo"):
        routing.current(store, "damo")


@pytest.mark.parametrize("steps", [(), (0.5,), (0.5, 0.2, 1.0), (0.0, 1.0), (1.0, 1.0)])
def test_steps_that_do_not_grow_to_one_are_refused(store, steps):
    with pytest.raises(ValueError, match="grow and end at 1"):
        routing.deploy(store, "demo", release(1), steps)


def test_a_routing_whose_event_was_cut_off_the_log_is_found_out(store):
    routing.deploy(store, "demo", release(1))
    routing.deploy(store, "demo", release(2))
    with store.read() as connection:
        assert list(missing(connection)) == []
    with store.write() as tx:
        tx.execute(delete(events_table).where(events_table.c.kind == "rollout.finished"))
        assert list(missing(tx.connection)) == ["endpoint demo stands at generation 2, and the log tells of 1"]
