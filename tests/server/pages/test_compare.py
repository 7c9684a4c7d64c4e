import math

import pytest

pytestmark = pytest.mark.engines  # on SQLite and on Postgres


def test_parameters_that_differ_are_told_apart_from_those_that_do_not(pages, log):
    one, two = log("a", values={"depth": 3, "seed": 7}), log("b", values={"depth": 9, "seed": 7})
    shown = pages.json(f"/compare?run={one}&run={two}")
    assert [(line["name"], line["values"], line["differs"]) for line in shown["params"]] == [
        ("depth", ["3", "9"], True), ("seed", ["7", "7"], False),
    ]  # fmt: skip
    text = pages.text(f"/compare?run={one},{two}")
    assert "Parameters that differ" in text and "1 parameter the same in all" in text


def test_the_best_value_is_marked_where_it_is_known_which_way_is_good(pages, log):
    one, two = log("a", {"loss": 0.2, "auc": 0.7, "odd": 1}), log("b", {"loss": 0.1, "auc": 0.6, "odd": 2})
    shown = pages.json(f"/compare?run={one}&run={two}")
    assert {line["name"]: line["best"] for line in shown["metrics"]} == {"auc": [0], "loss": [1], "odd": []}


def test_runs_are_drawn_over_their_parameters_and_metrics(pages, log):
    ids = [log(f"r{n}", {"auc": n / 10, "loss": math.nan}, {"depth": n, "kind": "xy"[n % 2]}) for n in range(4)]
    page = pages.html("/compare?" + "&".join(f"run={one}" for one in ids))
    parallel = page.partition('class="drawn parallel"')[2].partition("</svg>")[0]
    assert all(f"<title>{name}</title>" in parallel for name in ("r0", "r3", "depth", "kind", "auc"))
    assert "4 runs" in page and 'class="drawn scatter"' in page


def test_the_lines_of_one_metric_come_together(pages, log):
    one, two = log("a", {"loss": [3.0, 2.0]}), log("a", {"loss": [5.0, 4.0, 3.0]})
    lines = pages.json(f"/compare/curves?run={one}&run={two}&metric=loss")["lines"]["loss"]
    assert [line["values"] for line in lines] == [[3.0, 2.0], [5.0, 4.0, 3.0]]
    assert lines[0]["label"] != lines[1]["label"]


def test_too_many_none_one_or_unknown_runs_are_answered(pages, log):
    ids = [log(str(n)) for n in range(21)]
    assert pages.ask("/compare?" + "&".join(f"run={one}" for one in ids)).status_code == 400
    assert "Choose 2 to 20 runs" in pages.text("/compare")
    assert pages.ask(f"/compare?run={ids[0]}").status_code == 200
    assert pages.ask("/compare?run=nobody&run=nothing").status_code == 404
    assert pages.ask("/compare/curves?run=nobody&metric=loss").status_code == 404
