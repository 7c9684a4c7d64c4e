"""Lineage at the command line, on a project that really ran."""

from __future__ import annotations


def nodes(answer) -> set[str]:
    return {one["kind"] for one in answer.json["nodes"]}


def test_a_model_rests_on_its_data_code_and_runs(released) -> None:
    up = released.call("lineage", "up", "model", "churn/1", "--json")
    assert {"model", "snapshot", "bundle", "code", "environment", "run", "step", "object"} <= nodes(up)
    people = released.call("lineage", "up", "churn/1").out
    assert "snapshot customers" in people and "bundle churn" in people and "step" not in people


def test_bad_data_and_a_bad_feature_touch_the_endpoint(released) -> None:
    for subject in (("snapshot", "customers"), ("feature", "complaints"), ("customers",)):
        down = released.call("lineage", "down", *subject)
        assert down.code == 0 and "endpoint churn  answers: version 1 (100%)" in down.out, down.err


def test_a_feature_rests_on_the_table_it_reads(released) -> None:
    assert "table customers: snapshot customers" in released.call("lineage", "up", "feature", "complaints").out


def test_what_is_not_known_is_a_wrong_call(released) -> None:
    said = released.call("lineage", "up", "model", "churn/9")
    assert said.code == 2 and "nothing here is called" in said.err
