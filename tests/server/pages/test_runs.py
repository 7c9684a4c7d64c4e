import math
import socket
import subprocess

import pytest

from threefold.store.tracking import narrowing

pytestmark = pytest.mark.engines  # on SQLite and on Postgres


def names(pages, query=""):
    return [run["name"] for run in pages.json(f"/runs?{query}")["runs"]]


def walked(pages, query):
    """The names of all pages, one after the other."""
    address, found = f"/runs?{query}", []
    while address:
        shown = pages.json(address)
        found.append([run["name"] for run in shown["runs"]])
        address = shown["next"]
    return found


def test_the_newest_run_comes_first(pages, log):
    log("old")
    log("new")
    assert names(pages) == ["new", "old"]


@pytest.mark.parametrize(
    "query", ["sort=-started", "sort=started", "sort=-metrics.loss", "sort=params.depth", "sort=name", "sort=-status"]
)
def test_walking_through_the_pages_meets_every_run_once(pages, log, query):
    for number in range(23):
        metrics = {"loss": [math.nan, 0.5, number / 10][number % 3]} if number % 5 else {}
        log(f"run {number}", metrics, {"depth": ["3", "12", "deep"][number % 3]} if number % 4 else {})
    pieces = walked(pages, f"{query}&limit=4")
    assert all(len(piece) == 4 for piece in pieces[:-1])
    assert sorted(name for piece in pieces for name in piece) == sorted(f"run {number}" for number in range(23))


def test_runs_are_ordered_by_a_metric_and_those_without_it_follow(pages, log):
    log("worse", {"loss": 0.9})
    log("none")
    log("better", {"loss": 0.1})
    log("broken", {"loss": math.nan})
    assert names(pages, "sort=metrics.loss") == ["better", "worse", "broken", "none"]
    assert names(pages, "sort=-metrics.loss")[:2] == ["worse", "better"]


def test_a_parameter_that_holds_numbers_is_ordered_as_numbers(pages, log):
    for depth in ("9", "10", "1e1", "deep"):
        log(depth, values={"depth": depth})
    assert names(pages, "sort=params.depth") == ["9", "10", "1e1", "deep"]


def test_runs_are_narrowed_by_name_experiment_state_and_kind(pages, log, experiment):
    churn = experiment("churn")
    log("a boosted tree", experiment=churn)
    log("a linear model", status="failed")
    assert names(pages, "q=TREE") == ["a boosted tree"]
    assert names(pages, f"experiment={churn}") == ["a boosted tree"]
    assert names(pages, "status=failed") == ["a linear model"]
    assert names(pages, "kind=pipeline") == []
    assert "No run matches" in pages.text("/runs?kind=pipeline")


def test_chosen_columns_are_shown_and_no_others(pages, log):
    log("one", {"loss": 0.25, "other": 1.0}, {"depth": "4"}, {"team": "blue"})
    shown = pages.json("/runs?col=metrics.loss&col=params.depth&col=tags.team")
    assert shown["runs"][0]["values"] == {"metrics.loss": 0.25, "params.depth": "4", "tags.team": "blue"}
    text = pages.text("/runs?col=metrics.loss&col=tags.team")
    assert "0.25" in text and "blue" in text


def test_deleted_runs_are_left_out_until_asked_for(pages, log):
    log("gone", deleted_at="2026-03-02")
    log("here")
    assert names(pages) == ["here"]
    assert names(pages, "deleted=1") == ["gone"]


def test_a_view_can_be_saved_and_taken_away(pages, log):
    log("one")
    kept = {"name": "best", "query": "sort=-metrics.loss&status=done&after=x&format=json"}
    assert pages.ask("/runs/views", "POST", data=kept).headers["location"] == "/runs?sort=-metrics.loss&status=done"
    assert pages.json("/runs")["views"] == [
        {"name": "best", "href": "/runs?sort=-metrics.loss&status=done", "by": pages.json("/runs")["views"][0]["by"]}
    ]
    pages.ask("/runs/views", "POST", data={"name": "best", "remove": "1"})
    assert pages.json("/runs")["views"] == []


def test_another_site_cannot_save_a_view(pages, log):
    log("one")
    answer = pages.ask(
        "/runs/views", "POST", data={"name": "x"}, headers={"origin": "http://evil.example", "host": "here"}
    )
    assert answer.status_code == 403
    assert pages.json("/runs")["views"] == []


@pytest.mark.parametrize("query", ["after=~", "after=x~y", "after=rest~", "sort=", "sort=metrics.", "sort=nothing",
                                   "limit=abc", "limit=0", "experiment=x", "after=9~99999999999999999999"])  # fmt: skip
def test_an_address_made_up_by_hand_is_answered(pages, log, query):
    log("one", {"loss": 1.0})
    assert pages.ask(f"/runs?{query}").status_code in (200, 400)


def test_while_nobody_has_chosen_the_columns_are_what_most_runs_in_sight_have(pages, log):
    log("odd", {"rare": 1.0}, {"odd": 1})
    for number in range(3):
        log(str(number), {"val/loss": 0.1, "seconds": 2.0}, {"depth": number})
    assert pages.json("/runs")["columns"][3:6] == ["metrics.val/loss", "metrics.seconds", "metrics.rare"]


def test_runs_are_found_by_a_filter_in_the_words_of_the_protocol_and_beyond(pages, log):
    log("good", {"loss": 0.1}, {"model": "linear"})
    log("bad", {"loss": 0.9}, {"model": "linear"})
    log("tree", {"loss": 0.95}, {"model": "tree"})
    said = "metrics.loss < 0.5 OR params.model = 'tree'"
    shown = pages.json(f"/runs?filter={said}&sort=name")
    assert [run["name"] for run in shown["runs"]] == ["good", "tree"] and shown["count"] == 2


@pytest.mark.parametrize("few", [0, 2_000], ids=["along the table", "from what fits"])
def test_a_filtered_table_is_the_same_and_counts_the_same_whichever_way_leads_to_it(pages, log, monkeypatch, few):
    monkeypatch.setattr(narrowing, "FEW", few)
    for number in range(12):
        log(f"run {number}", {"loss": number / 10}, {"depth": str(number % 3)})
    filtered = "filter=metrics.loss > 0.25 and params.depth = '1'&limit=2"
    assert walked(pages, filtered) == [["run 10", "run 7"], ["run 4"]]
    assert walked(pages, f"sort=metrics.loss&{filtered}") == [["run 4", "run 7"], ["run 10"]]
    assert pages.json(f"/runs?{filtered}")["count"] == 3


def test_a_filter_that_is_wrong_is_answered_where_it_stands(pages, log):
    log("one")
    text = pages.text("/runs?filter=metrics.loss << 1")
    assert "Invalid" in text and "the filter" in text
    assert 'aria-invalid="true"' in pages.html("/runs?filter=metrics.loss << 1")
    answer = pages.ask("/runs?filter=loss <", headers={"accept": "application/json"})
    assert answer.status_code == 400 and set(answer.json()["error"]) == {"what", "where", "do"}


def test_a_run_whose_process_is_gone_is_not_shown_as_going_on(pages, log):
    child = subprocess.Popen(["true"])
    child.wait()
    run = log("killed", status="running", ended_at=None, host=socket.gethostname(), pid=child.pid)
    assert pages.json("/runs")["runs"][0]["status"] == "interrupted"
    assert pages.json(f"/runs/{run}")["status"] == "interrupted"
