"""The registry at the command line, on a project with one release."""

from __future__ import annotations


def test_a_version_gets_a_name_and_is_called_by_it(released) -> None:
    assert released.call("models", "name", "1", "2.1.0").code == 0
    assert released.call("models", "show", "2.1.0", "--json").json["version"]["number"] == 1
    assert released.call("models", "name", "1", "2.1").code == 1


def test_an_alias_keeps_its_history(released) -> None:
    assert released.call("models", "alias", "churn", "stable", "champion", "--reason", "first").code == 0
    assert released.call("models", "alias", "churn", "stable", "--remove", "--reason", "no longer").code == 0
    moves = released.call("models", "alias", "churn", "stable", "--history", "--json").json
    assert [(one["before"], one["after"], one["reason"]) for one in moves] == [
        (None, 1, "first"), (1, None, "no longer"),
    ]  # fmt: skip


def test_what_answers_is_neither_retired_nor_deleted(released) -> None:
    for word in ("retire", "delete"):
        said = released.call("models", word, "1", "--reason", "tidy")
        assert said.code == 1 and "answers behind 'churn'" in said.err


def test_notes_are_shown_and_found(released) -> None:
    released.call("models", "describe", "1", "the first")
    released.call("models", "tag", "1", "team", "sales")
    assert released.call("models", "show", "1", "--json").json["notes"] == {
        "description": "the first", "tags": {"team": "sales"},
    }  # fmt: skip
    assert len(released.call("models", "list", "--tag", "team=sales", "--status", "released", "--json").json) == 1
    assert released.call("models", "list", "--tag", "team=lab", "--json").json == []


def test_versions_and_models_are_found_by_a_filter(released) -> None:
    asked = ("--where", "metrics.roc_auc > 0.5 AND alias = 'champion'", "--order-by", "metrics.roc_auc DESC")
    assert [one["number"] for one in released.call("models", "list", *asked, "--json").json] == [1]
    assert released.call("models", "list", "--where", "version_number > 1", "--json").json == []
    assert len(released.call("models", "search", "--where", "name LIKE 'ch%'", "--json").json) == 1
    said = released.call("models", "list", "--where", "colour = 'red'")
    assert said.code != 0 and "Invalid attribute key 'colour'" in said.err and "source_path" in said.err


def test_a_hold_is_added_listed_and_ended(released) -> None:
    assert released.call("hold", "add", "model", "churn/1", "--reason", "audit").code == 0
    assert [one["subject"] for one in released.call("hold", "list", "--json").json] == ["model churn/1"]
    assert released.call("hold", "release", "model", "churn/1", "--reason", "over").code == 0
    assert released.call("hold", "release", "model", "churn/1", "--reason", "over").code == 2


def test_one_command_says_what_was_in_production(released) -> None:
    (found,) = released.call("release", "at", "2100-01-01", "--json").json
    assert found["endpoint"] == "churn" and found["answering"][0]["version"] == 1
    assert released.call("release", "at", "2000-01-01T12:00", "--json").json == []
    assert released.call("release", "at", "yesterday").code == 2


def test_with_separate_duties_who_made_a_version_does_not_approve_it(folder) -> None:
    folder.edit("threefold.yaml", "value: {need", "value: {risk: high, need")
    assert folder.call("run", THREEFOLD_ACTOR="eve").code == 0
    mine = folder.call("release", "approve", "1", "--by", "eve", "--reason", "good", THREEFOLD_ACTOR="eve")
    assert mine.code == 1 and "may not approve it" in mine.err
    other = folder.call("release", "approve", "1", "--by", "ada", "--reason", "checked", THREEFOLD_ACTOR="ada")
    assert other.code == 0, other.err
