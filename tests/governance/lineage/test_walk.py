import pytest

from threefold.errors import Refused
from threefold.governance.lineage import walk as walking
from threefold.governance.lineage.walk import Node, walk
from threefold.store import Store

pytestmark = pytest.mark.engines


def reached(store: Store, kind: str, id_: str, direction: walking.Direction) -> set[str]:
    with store.read() as connection:
        edges = walk(connection, [Node(kind, id_)], direction)
    return {str(node) for edge in edges for node in (edge.upper, edge.lower)} - {f"{kind} {id_}"}


def test_a_version_rests_on_bundle_data_code_environment_and_the_runs_that_made_it(story: Store) -> None:
    found = reached(story, "version", "churn/1", "up")
    assert {"object bundle", "object snap", "object set", "object sealed", "code zip", "environment env", "object canvas",
            "commit c0ffee", "run run1", "run child", "step e1", "step e2", "step e3"} <= found  # fmt: skip
    assert not {one for one in found if one.startswith(("release", "endpoint", "alias"))}


def test_a_bad_snapshot_touches_everything_that_was_made_from_it(story: Store) -> None:
    assert reached(story, "object", "snap", "down") == {
        "step e2", "object set", "step e3", "object record", "version churn/1", "release r1", "endpoint churn",
        "alias churn@champion",
    }  # fmt: skip


def test_a_bad_commit_touches_its_runs_and_what_they_made(story: Store) -> None:
    found = reached(story, "commit", "c0ffee", "down")
    assert {"run run1", "step e1", "version churn/1", "endpoint churn"} <= found
    assert "version churn/2" not in found


def test_a_bad_run_touches_its_parent_and_its_version(story: Store) -> None:
    assert {"run run1", "version churn/1", "endpoint churn"} <= reached(story, "run", "child", "down")


def test_a_version_that_a_client_logged_rests_on_its_run_model_dataset_and_commit(story: Store) -> None:
    assert reached(story, "version", "churn/2", "up") == {"logged model m-1", "run logged", "dataset 7", "commit beef"}


def test_a_bad_dataset_of_a_client_touches_its_version(story: Store) -> None:
    assert reached(story, "dataset", "7", "down") == {"run logged", "logged model m-1", "version churn/2"}


def test_every_edge_says_what_the_upper_thing_is_to_the_lower(story: Store) -> None:
    with story.read() as connection:
        edges = walk(connection, [Node("version", "churn/2")], "up")
    assert {(str(edge.upper), str(edge.lower), edge.word) for edge in edges} >= {
        ("logged model m-1", "version churn/2", "model"), ("dataset 7", "run logged", "dataset"),
    }  # fmt: skip


def test_a_circle_ends(story: Store) -> None:
    from sqlalchemy import insert

    from threefold.store import schema

    with story.write() as tx:
        tx.execute(insert(schema.edges).values(execution_id="e1", direction="input", name="again", digest="set"))
    assert "object set" in reached(story, "object", "snap", "down")


def test_what_nothing_hangs_on_stands_alone(story: Store) -> None:
    assert reached(story, "object", "nowhere", "up") == reached(story, "object", "nowhere", "down") == set()


def test_a_graph_that_nobody_could_read_is_refused(story: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "MOST", 3)
    with pytest.raises(Refused, match="more than 3 things"):
        reached(story, "object", "snap", "down")
