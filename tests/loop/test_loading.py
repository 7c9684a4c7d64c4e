from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import threefold
from threefold.errors import DataError, NotFound, Refused
from threefold.loop import lifecycle, logged
from threefold.loop.project import Project

from .clients import by_column, log_version

Make = Callable[..., Project]
GOOD = by_column({"weight": 1.0}, {"depot": {"north": -4.0, "south": -6.0, "west": -6.0}})
COLUMNS = {"weight": "double", "depot": "string"}


def test_the_champion_answers_inside_an_application(make_project: Make) -> None:
    project = make_project()
    lifecycle.turn(project)
    model = threefold.load("parcels@champion", project.root)
    (light,), (heavy,) = (model.predict([{"weight": weight, "depot": "north"}]) for weight in (0.5, 12.0))
    assert light["probability"]["1"] < heavy["probability"]["1"]
    assert threefold.load("parcels", project.root).version == threefold.load("parcels/1", project.root).version


def test_a_tested_version_of_a_client_answers_as_its_graph_does(make_project: Make) -> None:
    project = make_project()
    version = log_version(project.store, "parcels", GOOD, COLUMNS)
    with pytest.raises(Refused, match=r"was not tested.*models test 1 --model parcels"):
        threefold.load("parcels/1", project.root)
    logged.examine(project, version)
    (answer,) = threefold.load("parcels/1", project.root).predict([{"weight": 4.0, "depot": "north"}])
    assert answer["label"] == "1" and answer["probability"]["1"] == pytest.approx(0.5)


def test_what_is_not_there_is_named(make_project: Make) -> None:
    project = make_project()
    for reference in ("parcels@nobody", "parcels/9", "@champion"):
        with pytest.raises(NotFound):
            threefold.load(reference, project.root)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"weight": 4.0}, "no list of mappings"),
        ([4.0], "no list of mappings"),
        ([{"weight": "x"}], "'weight' is not a number"),
    ],
)
def test_rows_that_mean_nothing_are_refused_with_a_sentence(make_project: Make, rows: Any, said: str) -> None:
    project = make_project()
    lifecycle.turn(project)
    with pytest.raises(DataError, match=said):
        threefold.load("parcels", project.root).predict(rows)
