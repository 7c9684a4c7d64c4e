"""Every command, as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

READING = (
    ("status",), ("runs", "list"), ("models", "list"), ("models", "show", "1"), ("release", "list"), ("settings",),
    ("version",), ("canvas",), ("audit", "list"), ("audit", "verify"), ("audit", "checkpoints"), ("keys", "list"), ("run", "--explain"), ("report",),
    ("models", "search"), ("models", "alias", "churn"), ("models", "alias", "churn", "--history"), ("hold", "list"), ("models", "verify", "1"),
    ("release", "at", "2100-01-01T12:00"), ("lineage", "up", "model", "churn/1"), ("lineage", "down", "churn/1"), ("watch",),
    ("store", "info"), ("store", "check"), ("store", "gc", "--dry-run"),
)  # fmt: skip


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_every_reading_command_answers_people_and_scripts(released, words: tuple[str, ...]) -> None:
    people = released.call(*words)
    assert people.code == 0, people.err
    assert people.out.strip()
    scripts = released.call(*words, "--json")
    assert scripts.code == 0, scripts.err
    json.loads(scripts.out)


@pytest.mark.parametrize(
    "words",
    [("status",), ("runs", "list"), ("models", "list"), ("release", "list"), ("report",), ("watch",)],
    ids=" ".join,
)
def test_a_project_where_nothing_happened_yet_says_what_to_do(folder, words: tuple[str, ...]) -> None:
    called = folder.call(*words)
    assert called.code == 0, called.err
    assert "Traceback" not in called.err


def test_help_names_every_command_with_a_sentence(folder) -> None:
    import pkgutil

    from threefold.cli import commands

    shown = folder.call("--help").out
    for found in pkgutil.iter_modules(commands.__path__):
        assert found.name in shown


def test_a_run_reports_gates_and_an_unchanged_run_executes_nothing(folder) -> None:
    first = folder.call("run")
    assert first.code == 0, first.err
    assert "roc_auc" in first.out and "released" in first.out
    again = folder.call("run", "--json").json
    assert {step["status"] for step in again["steps"]} == {"reused"}


def test_a_failed_gate_ends_with_exit_code_1_and_says_by_how_much(folder) -> None:
    folder.edit("threefold.yaml", ">= 0.6", ">= 0.999")
    called = folder.call("run")
    assert called.code == 1
    assert "roc_auc is 0." in called.err
    assert "✗  roc_auc" in called.out and "✓  beats a constant" in called.out


def test_a_wrong_call_ends_with_exit_code_2(folder) -> None:
    assert folder.call("rnu").code == 2
    assert folder.call("run", "--nonsense").code == 2
    assert folder.call("models", "show", "99").code == 2


def test_explain_says_which_part_moved(folder) -> None:
    folder.call("run")
    folder.edit("threefold.yaml", "candidates: [linear]", "candidates: [linear, boosting]")
    plan = {step["step"]: step for step in folder.call("run", "--explain", "--json").json}
    assert plan["features"]["action"] == "reuse"
    assert plan["train/boosting"]["action"] == "run"


def test_errors_have_one_shape_for_people_and_scripts(folder) -> None:
    folder.edit("threefold.yaml", "target: left", "target: lefft")
    people = folder.call("run")
    assert people.code == 2
    assert "where" in people.err and "do " in people.err and "left" in people.err
    error = json.loads(folder.call("run", "--json").out)["error"]
    assert set(error) >= {"what", "where", "do"}


def test_a_high_risk_model_is_released_by_a_person(folder) -> None:
    folder.edit("threefold.yaml", "value: {", "value: {risk: high, ")
    waiting = folder.call("run")
    assert waiting.code == 0 and "approve" in waiting.out
    assert folder.call("release", "deploy", "1").code == 1
    assert (
        folder.call(
            "release", "approve", "1", "--by", "Ada", "--reason", "checked the slices", THREEFOLD_ACTOR="Ada"
        ).code
        == 0
    )
    assert folder.call("release", "deploy", "1").code == 0
    assert "Ada" in folder.call("models", "show", "1").out


def test_rollback_without_an_older_version_is_answered(released) -> None:
    called = released.call("rollback")
    assert called.code == 2
    assert "no version before" in called.err


def test_reproduce_builds_the_same_model_again(released) -> None:
    called = released.call("reproduce", "1", "--json")
    assert called.code == 0, called.err
    assert called.json["equal"] is True


def test_a_missing_prediction_is_answered(released) -> None:
    called = released.call("trace", "nobody")
    assert called.code == 2
    assert "nobody" in called.err


def test_an_altered_event_is_found_and_named(released) -> None:
    import sqlite3

    catalogue = sqlite3.connect(released.root / ".threefold" / "catalogue.db")
    catalogue.execute("UPDATE events SET body = '{}' WHERE seq = 4")
    catalogue.commit()
    catalogue.close()
    called = released.call("audit", "verify")
    assert called.code == 1
    assert "event 4" in called.err


def test_the_report_is_one_file_that_asks_for_nothing_outside(released) -> None:
    assert released.call("report").code == 0
    page = Path(released.root / "report.html").read_text()
    assert "churn" in page
    assert "Nothing has been predicted yet" in page
    assert "No version has been built again yet" in page


def test_the_report_knows_what_was_done_before_it(released) -> None:
    assert released.call("reproduce", "1").code == 0
    released.serve_and_ask("c-1", {"months": 3, "plan": "basic", "complaints": 4})
    story = released.call("report", "--json").json
    assert all(one["equal"] for one in story["reproduction"]["comparisons"])
    assert story["trace"][0] == {**story["trace"][0], "kind": "prediction", "name": "c-1"}
    assert story["latency"][0]["requests"] == 1
    assert {"ingest/customers", "train/linear"} <= {stage["name"] for stage in story["stages"]}


def test_the_page_of_the_report_asks_for_nothing_outside(released) -> None:
    released.call("report")
    page = Path(released.root / "report.html").read_text()
    assert 'src="http' not in page and 'href="http' not in page


def test_status_says_loudly_when_the_version_in_production_was_refused(released) -> None:
    released.edit("threefold.yaml", ">= 0.6", ">= 0.999")
    assert released.call("run").code == 1
    shown = released.call("status")
    assert "version 1 answers in production, but the newest acceptance test refused it" in shown.out
    assert "threefold release approve 1" in shown.out
    assert shown.out.count("pipeline") == 1  # the last run is that of the graph, not of a candidate
    gates = released.call("models", "show", "1").out
    assert gates.count("✗") == 1 and gates.count("parity is") == 1


def test_what_a_project_prints_stays_out_of_the_answer_for_scripts(folder) -> None:
    folder.write(
        "data.py", "print('hello')\n\n\ndef clean_customers(customers):\n    print('again')\n    return customers\n"
    )
    called = folder.call("run", "data", "--json")
    assert called.json["run"]
    assert "hello" in called.err and "again" in called.err
    folder.edit("data.py", "    print('again')", "    raise ValueError('no')")
    assert "no" in folder.call("run", "data", "--json").json["error"]["what"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("canvas", "--html", "nowhere/page.html"), "no such file or directory"),
        (("report", "--html", "data"), "is a directory"),
        (("canvas", "--html", "/proc/page.html"), "the system refused"),
    ],
)
def test_what_the_system_refuses_is_answered_in_three_parts(released, words: tuple[str, ...], says: str) -> None:
    called = released.call(*words)
    assert called.code == 2
    assert says in called.err and "itself failed" not in called.err
    assert words[-1] in called.err and "do " in called.err


def test_output_for_another_program_is_neither_wrapped_nor_padded(released) -> None:
    import os
    import subprocess
    import sys

    plain = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "FORCE_COLOR")}
    words = [sys.executable, "-m", "threefold", "audit", "list"]
    lines = subprocess.run(
        words, cwd=released.root, env=plain, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert len(lines) > 5 and all(line == line.rstrip() for line in lines)
    assert max(len(line) for line in lines) > 80
    assert all(line.lstrip()[:1].isdigit() for line in lines[1:])  # no line is the rest of another


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("run", "nostage"), "'nostage' is not one of"),
        (("runs", "list", "--last", "-2"), "-2 is not in the range"),
        (("-C", "/nope", "status"), "there is no such folder: /nope"),
        (("run", "--nonsense"), "no such option"),
    ],
)
def test_a_wrong_word_is_answered_in_three_parts(folder, words: tuple[str, ...], says: str) -> None:
    called = folder.call(*words)
    assert called.code == 2
    assert says in called.err and "where " in called.err and "do " in called.err
    assert says in json.loads(folder.call(*words, "--json").out)["error"]["what"]


def test_runs_of_an_unknown_kind_are_not_called_the_first(released) -> None:
    assert "no run is of the kind 'foo'" in released.call("runs", "list", "--kind", "foo").out


def test_a_run_shows_where_it_ran_what_it_took_and_what_it_printed(released) -> None:
    run = next(one for one in released.call("runs", "list", "--json").json if one["kind"] == "pipeline")
    shown = released.call("runs", "show", run["id"], "--json").json
    assert shown["spent"]["wall_s"] > 0 and shown["spent"]["cost"] is None
    assert shown["run"]["params"]["seed"] == 7 and shown["run"]["tags"]["machine.system"]
    people = released.call("runs", "show", run["id"]).out
    for said in ("s of processors", run["host"], "console.txt", "process_memory_megabytes"):
        assert said in people
    assert released.call("runs", "show", run["id"], "--console").out == shown["console"]
