import pytest

from threefold.errors import NotFound, Refused
from threefold.governance.lineage.graph import Graph, ask
from threefold.governance.lineage.tree import lines
from threefold.governance.lineage.walk import Node
from threefold.store import Store

pytestmark = pytest.mark.engines


def drawn(graph: Graph, *, everything: bool = False) -> list[str]:
    return [
        f"{'.' * line.depth}{line.node.kind} {line.node.id}{' again' if line.again else ''}"
        for line in lines(graph, everything=everything)
    ]


@pytest.mark.parametrize(
    ("subject", "start"),
    [
        ("model churn/1", "version churn/1"), ("churn/1", "version churn/1"), ("churn@champion", "version churn/1"),
        ("alias churn@champion", "alias churn@champion"), ("run logged", "run logged"), ("logg", "none"),
        ("snapshot orders", "object snap"), ("orders", "object snap"), ("object bundle", "object bundle"),
        ("commit c0ffee", "commit c0ffee"), ("commit beef", "none"), ("release r1", "release r1"),
        ("endpoint churn", "endpoint churn"), ("dataset wine", "dataset 7"), ("wine", "dataset 7"), ("m-1", "logged model m-1"),
    ],
)  # fmt: skip
def test_a_subject_is_named_with_its_kind_or_alone(story: Store, subject: str, start: str) -> None:
    if start == "none":  # too short a beginning
        with pytest.raises(NotFound, match="nothing here is called"):
            ask(story, subject, "down")
    else:
        assert [str(node) for node in ask(story, subject, "down").start] == [start]


def test_a_model_without_a_number_means_all_its_versions(story: Store) -> None:
    assert [str(node) for node in ask(story, "model churn", "down").start] == ["version churn/1", "version churn/2"]


def test_a_beginning_that_fits_several_is_refused(story: Store) -> None:
    from sqlalchemy import insert

    from threefold.store import schema

    with story.write() as tx:
        for digest in ("abcdef01", "abcdef02"):
            row = {"digest": digest, "kind": "table", "name": "t", "size_bytes": 1, "meta": {}, "created_at": tx.now}
            tx.execute(insert(schema.artifacts).values(**row))
    with pytest.raises(Refused, match="2 things begin with 'abcdef'"):
        ask(story, "object abcdef", "down")
    assert ask(story, "object abcdef01", "down").start == (Node("object", "abcdef01"),)


def test_an_endpoint_rests_on_what_answers_now(story: Store) -> None:
    assert drawn(ask(story, "endpoint churn", "up"))[:3] == ["endpoint churn", ".release r1", "..model churn/1"]


def test_the_tree_passes_over_what_lies_between_and_unfolds_each_thing_once(story: Store) -> None:
    assert drawn(ask(story, "snapshot orders", "down")) == [
        "snapshot snap", ".model churn/1", "..alias churn@champion", "..release r1", "...endpoint churn",
    ]  # fmt: skip
    whole = drawn(ask(story, "snapshot orders", "down"), everything=True)
    assert ".step e2" in whole and "..object set" in whole
    assert [line for line in whole if line.endswith("again")]


def test_the_graph_says_what_is_known_about_each_thing(story: Store) -> None:
    nodes = ask(story, "snapshot orders", "down").nodes
    assert nodes[Node("endpoint", "churn")].detail == "answers: version 1 (100%); 0 predictions logged"
    assert nodes[Node("version", "churn/1")].detail == "released"
    assert nodes[Node("step", "e2")].name == "features"
    assert nodes[Node("object", "snap")].name == "orders"


def test_the_graph_as_json_names_nodes_and_edges(story: Store) -> None:
    said = ask(story, "dataset wine", "down").as_plain()
    assert said["start"] == ["dataset 7"]
    assert {"upper": "dataset 7", "lower": "run logged", "word": "dataset"} in said["edges"]
    assert {one["node"] for one in said["nodes"]} == {"dataset 7", "run logged", "logged model m-1", "version churn/2"}
