import pytest
from sqlalchemy import insert, update

from threefold.errors import DataError
from threefold.registry import aliases, deletion, names, notes, versions
from threefold.registry.finding import find_models, find_versions
from threefold.store.schema import logged_model_metrics, logged_models, model_versions


@pytest.fixture
def three(store, lineage):
    for name, bundle in (("churn", "one"), ("churn", "two"), ("late_flights", "three")):
        versions.register(store, name, bundle, "run", {}, lineage)
    notes.tag(store, "churn", None, "team", "sales")
    notes.tag(store, "churn", 2, "gpu", "no")
    notes.describe(store, "late_flights", None, "which flights land LATE")
    names.name_version(store, "churn", 1, "2.1.0")
    versions.set_status(store, "churn", 2, "refused", "too slow")
    return store


def found(store, **asked):
    return [(one.name, one.number) for one in find_versions(store, **asked)]


def test_versions_are_found_by_name_status_text_and_tags(three):
    assert found(three, name="churn") == [("churn", 1), ("churn", 2)]
    assert found(three, status="refused") == [("churn", 2)]
    assert found(three, contains="2.1") == [("churn", 1)]
    assert found(three, contains="FLIGHTS") == [("late_flights", 1)]
    assert found(three, tags={"gpu": "no"}) == [("churn", 2)]
    assert found(three, tags={"team": "sales"}) == [("churn", 1), ("churn", 2)]  # the tag of their model
    assert found(three, tags={"team": "sales", "gpu": "no"}, status="candidate") == []


def test_a_percent_sign_is_a_letter(three):
    assert found(three, contains="%") == [] and found(three, contains="e_f") == [("late_flights", 1)]


def test_deleted_versions_are_found_only_when_asked_for(three):
    deletion.delete(three, "churn", 2, "old")
    assert found(three, name="churn") == [("churn", 1)]
    assert found(three, name="churn", deleted=True) == [("churn", 2)]


def test_models_are_found_with_their_newest_version(three):
    assert [(one.name, one.versions, one.newest) for one in find_models(three)] == [
        ("churn", 2, 2), ("late_flights", 1, 1),
    ]  # fmt: skip
    assert [one.name for one in find_models(three, contains="land late")] == ["late_flights"]
    assert [one.name for one in find_models(three, tags={"team": "sales"})] == ["churn"]


@pytest.mark.parametrize(
    ("where", "numbers"),
    [
        ("name = 'churn' AND version_number >= 2", [2]),
        ("name ILIKE 'CHURN' AND NOT status = 'refused'", [1]),
        ("name = 'churn' AND (tags.gpu = 'no' OR semantic = '2.1.0')", [1, 2]),
        ("name = 'churn' AND semantic IS NULL", [2]),
        ("alias = 'stable'", [1]),
        ("name IN ('churn') AND status NOT IN ('refused')", [1]),
        ("metrics.roc_auc > 0.8", [1]),
        ("metrics.`log loss` < 0.3 AND name != 'late_flights'", [2]),
        ("name = 'churn' AND creation_timestamp > 0", [1, 2]),
        ("run_id = 'run' AND user != '' AND name = 'churn'", [1, 2]),
    ],
)
def test_versions_are_found_by_a_filter(three, where, numbers):
    aliases.point(three, "churn", "stable", 1, "good")
    with three.write() as tx:
        for number, metrics in ((1, {"roc_auc": 0.9}), (2, {"roc_auc": 0.7, "log loss": 0.2})):
            mine = model_versions.c.number == number
            tx.execute(update(model_versions).where(model_versions.c.name == "churn", mine).values(metrics=metrics))
    assert found(three, where=where) == [("churn", number) for number in numbers]
    assert found(three, name="late_flights", where=where) == []


def test_versions_are_ordered_by_a_metric_of_their_own_or_of_the_logged_model_behind_them(three):
    with three.write() as tx:
        mine = model_versions.c.name == "late_flights"
        model = {"id": "m-1", "experiment_id": 0, "name": "m", "artifact_root": "", "status": 2, "created_ms": 1,
                 "updated_ms": 1}  # fmt: skip
        tx.execute(insert(logged_models).values(**model))
        for step, value in enumerate((0.1, 0.8)):
            point = {"model_id": "m-1", "run_id": "r", "name": "roc_auc", "step": step, "at_ms": 1, "value": value}
            tx.execute(insert(logged_model_metrics).values(**point))
        tx.execute(update(model_versions).where(mine).values(model_id="m-1"))
        tx.execute(update(model_versions).where(model_versions.c.number == 2).values(metrics={"roc_auc": 0.9}))
    assert found(three, order=["metrics.roc_auc DESC"]) == [("churn", 2), ("late_flights", 1), ("churn", 1)]
    assert found(three, where="metrics.roc_auc = 0.8") == [("late_flights", 1)]
    assert found(three, where='metrics.`no " such` > 0') == []


def test_models_are_found_by_a_filter(three):
    assert [one.name for one in find_models(three, where="name LIKE 'late%' OR tags.team = 'sales'")] == [
        "churn", "late_flights",
    ]  # fmt: skip
    assert [one.name for one in find_models(three, where="description ILIKE '%late%'")] == ["late_flights"]


def test_a_filter_that_names_nothing_says_what_there_is(three):
    with pytest.raises(DataError, match="Invalid attribute key 'colour'") as error:
        find_versions(three, where="colour = 'red'")
    assert "source_path" in error.value.do
    with pytest.raises(DataError, match="Invalid attribute key"):
        find_versions(three, order=["colour"])
    with pytest.raises(DataError, match="Invalid comparator"):
        find_versions(three, where="metrics.roc_auc LIKE 'a'")
