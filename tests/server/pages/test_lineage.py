import re

import pytest
from sqlalchemy import insert

from threefold.server.pages.layers import TALL, draw, ordered
from threefold.server.pages.reading.graph import Graph, Node
from threefold.store.schema import endpoints, model_versions, releases

pytestmark = pytest.mark.engines  # on SQLite and on Postgres


@pytest.fixture
def version(store, log):
    """Add a version that rests on a snapshot, a training set, a test set, a run and code."""

    def add(number, snapshot="s" * 64):
        run = log(f"train {number}", code={"commit": "c0ffee", "archive": "a" * 64}, kind="pipeline")
        lineage = {"snapshots": {"orders": snapshot}, "training_set": f"{number}" * 64, "test_set": f"{number}e" * 32,
                   "environment": "v" * 64, "candidate": "linear"}  # fmt: skip
        with store.write() as tx:
            tx.execute(insert(model_versions).values(
                name="churn", number=number, run_id=run, bundle="b", status="approved", stage="None", metrics={},
                lineage=lineage, source="", user="", created_at=tx.now, updated_at=tx.now,
            ))  # fmt: skip
        return run

    return add


def names(groups):
    return {group["kind"]: [node["name"] for node in group["nodes"]] for group in groups}


def test_a_version_rests_on_its_data_code_environment_and_run(pages, version):
    version(1)
    up = names(pages.json("/lineage?of=version:churn/1")["up"])
    assert up == {"snapshot": ["orders"], "data": ["test set, sealed", "training set"], "code": ["code"],
                  "environment": ["environment"], "run": ["train 1"]}  # fmt: skip


def test_what_a_bad_snapshot_touches_is_found_down_to_the_endpoints(pages, store, version):
    version(1)
    version(2)
    version(3, snapshot="o" * 64)
    with store.write() as tx:
        row = {"id": "r", "endpoint": "shop", "name": "churn", "number": 2, "body": {}, "created_at": tx.now}
        tx.execute(insert(releases).values(**row))
        routing = {"model": "churn", "arms": [{"number": 2, "share": 1.0}]}
        tx.execute(insert(endpoints).values(name="shop", generation=1, routing=routing, updated_at=tx.now))
    down = names(pages.json(f"/lineage?of=data:{'s' * 64}")["down"])
    assert down["version"] == ["churn 1", "churn 2"]
    assert down["endpoint"] == ["shop"]


def test_a_run_without_a_version_has_a_lineage_too(pages, log):
    run = log("lonely", code={"commit": "c0ffee"})
    assert names(pages.json(f"/lineage?of=run:{run}")["up"]) == {"code": ["code"]}


def test_nothing_yet_and_nothing_known_are_said(pages):
    assert "Nothing hangs together yet" in pages.text("/lineage")
    assert pages.ask("/lineage?of=version:no/1").status_code == 404


def test_everything_stands_right_of_what_it_rests_on_and_a_circle_is_drawn_too():
    graph = Graph()
    for key, on in {"a:1": [], "a:2": ["a:1"], "a:3": ["a:1", "a:2"], "a:4": []}.items():
        graph.add(Node(key, "run", key), on=on)
    layers = ordered(graph)
    assert [layer.index(key) >= 0 for layer, key in zip(layers, ("a:1", "a:2", "a:3"), strict=True)] == [True] * 3
    graph.arrows.add(("a:3", "a:1"))
    assert "<svg" in draw(graph, "a:2")


def test_an_arrow_passes_no_node_from_behind():
    graph = Graph()
    for key, on in {"a:1": [], "a:2": ["a:1"], "a:3": ["a:1", "a:2"]}.items():
        graph.add(Node(key, "run", key), on=on)
    drawn = str(draw(graph, "a:1"))
    boxes = [tuple(map(float, box)) for box in re.findall(r'<rect x="(\d+)" y="([\d.]+)"', drawn)]
    middle = next(y for x, y in boxes if x == sorted({x for x, _ in boxes})[1])
    straight = [
        float(y) for y in re.findall(r" ([\d.]+)H", drawn)
    ]  # where the long arrow runs through the layer between
    assert straight and all(not middle <= y <= middle + TALL for y in straight)
