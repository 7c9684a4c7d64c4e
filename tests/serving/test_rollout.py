from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from threefold.errors import Conflict
from threefold.records import utc_now
from threefold.serving import routing
from threefold.serving.app import create_app
from threefold.serving.rollout import distance, judge_canary, never_worse, step_rollout


def rows(n, *, fallback=0, latency=1.0, shift=0.0, seed=1):
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "version": [1] * n,
            "source": ["fallback"] * fallback + ["model"] * (n - fallback),
            "status": ["fallback"] * fallback + ["ok"] * (n - fallback),
            "checks": pl.Series([["model:raised"]] * fallback + [[]] * (n - fallback), dtype=pl.List(pl.String)),
            "latency_ms": [latency] * n,
            "score": np.clip(rng.beta(2, 5, n) + shift, 0, 1),
        }
    )


def test_a_canary_like_the_champion_waits_for_its_rows_and_then_advances():
    assert judge_canary(rows(100), rows(1000, seed=2), 200).action == "wait"
    assert judge_canary(rows(200), rows(1000, seed=2), 200).action == "advance"


def test_a_canary_that_falls_back_is_thrown_out_before_it_has_its_rows():
    decision = judge_canary(rows(60, fallback=20), rows(1000), 200)
    assert decision.action == "abort"
    assert "33.3%" in decision.sentence


def test_a_slow_canary_is_thrown_out():
    assert "takes 90 ms" in judge_canary(rows(300, latency=90.0), rows(300), 200).sentence


def test_a_canary_that_answers_the_same_to_everything_is_thrown_out():
    stuck = rows(300).with_columns(score=pl.lit(0.5))
    assert "0.5 to every row" in judge_canary(stuck, rows(300), 200).sentence


def test_a_canary_that_answers_differently_may_grow():
    decision = judge_canary(rows(300, shift=0.4), rows(300, seed=3), 200)
    assert decision.action == "advance"
    assert decision.numbers["score_distance"] > 0.5


def test_looking_often_throws_out_few_sound_canaries():
    rng = np.random.default_rng(11)
    thrown = 0
    for _ in range(200):
        left, right = rng.random(2000) < 0.05, rng.random(2000) < 0.05
        looks = range(50, 2001, 50)
        thrown += any(never_worse(left[:n].sum(), n, right[:n].sum(), n) < 0.01 for n in looks)
    assert thrown <= 4  # 1 in 100 is promised


def test_the_distance_agrees_with_a_case_worked_by_hand():
    assert distance(pl.Series([1.0, 2.0, 3.0, 4.0]), pl.Series([3.0, 4.0, 5.0, 6.0])) == 0.5


@pytest.fixture
def client(served, released, call):
    routing.deploy(served, "demo", released[1], (0.3, 0.6, 1.0), min_requests=50)
    return call(create_app(served.root))


def ask(client, request_of, prefix, n=300):
    rng = np.random.default_rng(5)
    body = request_of(
        rng.uniform(0, 20, n).tolist(), rng.uniform(1, 20, n).tolist(), ["AA"] * n,
        prediction_id=[f"{prefix}{row}" for row in range(n)],
    )  # fmt: skip
    answer = client.post("/v2/models/demo/infer", json={**body, "outputs": [{"name": "model_version"}]}).json()
    return answer["outputs"][0]["data"]


def test_a_canary_gets_its_share_and_keeps_its_ids(client, request_of):
    first, again = ask(client, request_of, "id"), ask(client, request_of, "id")
    assert first == again
    assert 0.2 < first.count(2) / len(first) < 0.4


def test_a_growing_canary_keeps_the_ids_it_had(client, served, request_of):
    before = ask(client, request_of, "id")
    routing.advance(served, "demo")
    client.app.plane.refresh()
    after = ask(client, request_of, "id")
    assert all(new == 2 for old, new in zip(before, after, strict=True) if old == 2)
    assert before.count(2) < after.count(2)


def test_a_sound_canary_becomes_the_champion_step_by_step(client, served, request_of):
    actions = []
    for turn in range(3):
        if routing.current(served, "demo").rollout is None:
            break
        ask(client, request_of, f"turn{turn}")
        actions.append(step_rollout(served, "demo").action)
        client.app.plane.refresh()
    assert actions == ["advance", "advance"]
    assert routing.current(served, "demo").arms[0].number == 2
    assert set(ask(client, request_of, "end")) == {2}


def test_a_canary_that_raises_is_aborted_and_costs_no_answer(client, served, request_of):
    class Broken:
        def score(self, numbers, texts):
            raise RuntimeError("out of order")

    client.app.plane.served["demo"].arms[1]._scorer = Broken()
    assert set(ask(client, request_of, "id")) == {1, 2}
    assert step_rollout(served, "demo").action == "abort"
    assert [arm.number for arm in routing.current(served, "demo").arms] == [1]


def test_a_canary_that_cannot_be_loaded_leaves_the_champion_and_is_aborted(served, released, call, request_of):
    lost = routing.deploy(served, "demo", released[1], (0.3, 1.0)).arms[1].bundle
    served.objects.path(lost).unlink()
    client = call(create_app(served.root))
    assert set(ask(client, request_of, "id")) == {1}
    decision = step_rollout(served, "demo")
    assert (decision.action, "cannot load" in decision.sentence) == ("abort", True)


def test_without_a_rollout_there_is_nothing_to_step(served):
    with pytest.raises(Conflict):
        step_rollout(served, "demo")


def test_rows_from_before_the_rollout_do_not_count(client, served, request_of):
    ask(client, request_of, "id")
    routing.abort(served, "demo", "test")
    release = routing.current(served, "demo")
    assert release.rollout is None
    from threefold.serving.log import ingest, read_received

    ingest(served, "demo")
    assert read_received(served, "demo", utc_now() - timedelta(hours=1)).height == 300
    assert read_received(served, "demo", utc_now() + timedelta(hours=1)).height == 0
