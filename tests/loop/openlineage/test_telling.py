"""A run and its steps, as a catalogue of OpenLineage hears of them."""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from threefold.loop.openlineage.telling import told
from threefold.pipeline import engine
from threefold.pipeline.step import Step
from threefold.store import Store


def numbers() -> list[int]:
    """A step that makes something."""
    return [1, 2, 3]


def total(values: list[int]) -> int:
    """A step that reads it."""
    return sum(values)


def broken(values: list[int]) -> int:
    """A step that fails."""
    raise ValueError("no such number")


def run(tmp_path: Path, second: Any, target: str = "events.jsonl") -> list[dict[str, Any]]:
    store = Store.open(tmp_path / "store")
    steps = [Step("numbers", numbers), Step("second", second, inputs={"values": "numbers"})]
    try:
        with told(store, "demo", target, tmp_path, None) as tell:
            engine.run(store, steps, root=tmp_path, project="demo", on_step=tell)
    finally:
        store.close()
    file = tmp_path / "events.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []


def test_a_run_tells_start_and_end_of_itself_and_of_each_step(tmp_path: Path) -> None:
    events = run(tmp_path, total)
    assert [(one["eventType"], one["job"]["name"]) for one in events] == [
        ("START", "threefold run"), ("START", "numbers"), ("COMPLETE", "numbers"), ("START", "second"),
        ("COMPLETE", "second"), ("COMPLETE", "threefold run"),
    ]  # fmt: skip


def test_a_step_names_what_it_read_and_made_and_the_run_it_belongs_to(tmp_path: Path) -> None:
    events = run(tmp_path, total)
    made, read = events[2], events[4]
    assert made["outputs"] == read["inputs"] and made["outputs"][0]["name"] == "numbers"
    assert len(made["outputs"][0]["facets"]["version"]["datasetVersion"]) == 64
    assert read["run"]["facets"]["parent"]["run"] == {"runId": events[0]["run"]["runId"]}


def test_every_event_has_the_shape_of_the_specification(tmp_path: Path) -> None:
    for event in run(tmp_path, total):
        assert set(event) == {"eventType", "eventTime", "run", "job", "inputs", "outputs", "producer", "schemaURL"}
        assert str(uuid.UUID(event["run"]["runId"])) == event["run"]["runId"]
        assert datetime.fromisoformat(event["eventTime"]).tzinfo is not None
        things = [event["run"], event["job"], *event["inputs"], *event["outputs"]]
        assert all(set(one) == {"namespace", "name", "facets"} for one in things[1:])
        facets = [facet for one in things for facet in one["facets"].values()]
        assert all(facet["_producer"] and "#/$defs/" in facet["_schemaURL"] for facet in facets)


def test_a_failure_is_told_with_its_message(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="no such number"):
        run(tmp_path, broken)
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [(one["eventType"], one["job"]["name"]) for one in events][-2:] == [
        ("FAIL", "second"), ("FAIL", "threefold run"),
    ]  # fmt: skip
    assert "no such number" in events[-1]["run"]["facets"]["errorMessage"]["message"]


def test_what_is_reused_did_not_run(tmp_path: Path) -> None:
    run(tmp_path, total)
    (tmp_path / "events.jsonl").unlink()
    assert [one["job"]["name"] for one in run(tmp_path, total)] == ["threefold run", "threefold run"]


def test_a_place_that_cannot_be_written_fails_no_run(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert run(tmp_path, total, target="folder") == []


def test_without_the_setting_nothing_is_told(tmp_path: Path) -> None:
    assert run(tmp_path, total, target="") == []
