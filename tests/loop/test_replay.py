"""A past period happens again: real server, real HTTP, monitors and triggers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

import polars as pl
import pytest

from threefold.errors import DataError, NotFound
from threefold.governance.telling import months, tell
from threefold.governance.trace import trace
from threefold.loop import lifecycle, replay
from threefold.loop.client import Client
from threefold.loop.project import Project
from threefold.loop.reproduce import reproduce
from threefold.monitoring.watch import all_alerts
from threefold.registry import releases, versions
from threefold.serving import log, process, routing

Make = Callable[..., Project]
START, END = datetime(2026, 1, 16), datetime(2026, 2, 5)


def turned(table: pl.DataFrame) -> pl.DataFrame:
    """From 22 January on the world is another: nearly everything is late."""
    other = (pl.int_range(pl.len()) % 5 != 0).cast(pl.Int64)
    return table.with_columns(late=pl.when(pl.col("sent_at") >= datetime(2026, 1, 22)).then(other).otherwise("late"))


@pytest.fixture
def serve(make_project: Make) -> Iterator[Callable[..., tuple[Project, Client]]]:
    """Train as of 16 January and serve it."""
    opened: list[process.ServerProcess | Client] = []

    def start(**files: object) -> tuple[Project, Client]:
        project = make_project(**files)
        lifecycle.turn(project, as_of=START)
        server = process.start(project.store.root)
        client = Client(server.address, project.endpoint)
        opened.extend([server, client])
        return project, client

    yield start
    for one in opened:
        one.__exit__(None, None, None)


@pytest.mark.slow
def test_a_changed_world_is_noticed_once_retrained_for_and_rolled_out(serve, make_project: Make) -> None:
    from_file = pl.read_csv(make_project().root / "data" / "parcels.csv", try_parse_dates=True)
    project, client = serve(table=turned(from_file))
    past = replay.prepare(project, client, START, END)
    days = list(replay.run_days(past))

    told = [one for one in all_alerts(project.store, project.endpoint) if one.severity == "page"]
    assert 1 <= len(told) <= 4
    assert all(one.sentence and one.do for one in told)
    retrained = [day for day in days if day.turn is not None]
    assert retrained
    assert retrained[0].day >= datetime(2026, 1, 22).date()
    assert retrained[0].cause is not None
    assert routing.current(project.store, project.endpoint).arms[0].number > 1

    logged = log.read_predictions(project.store, project.endpoint)
    assert logged.height == past.features.height
    assert logged["prediction_id"].is_unique().all()

    log.ingest(project.store, project.endpoint)
    predictions = log.read_predictions(project.store, project.endpoint)
    told_months = months(project, versions.list_versions(project.store, "parcels"), told, predictions)
    after = told_months[-1]
    assert after.live.keys() == after.frozen.keys()
    assert after.live["log_loss"] != after.frozen["log_loss"]

    hops = trace(project, logged["prediction_id"][-1])
    assert {hop.kind for hop in hops} >= {"prediction", "version", "bundle", "evidence", "snapshot", "code", "canvas"}
    again = reproduce(project, versions.get(project.store, "parcels", 1))
    assert again.equal
    story = tell(project)
    assert story.candidates
    assert story.snapshots
    assert len(story.releases) == len(releases.list_releases(project.store))


@pytest.mark.slow
def test_a_quiet_period_pages_nobody_and_a_rollback_is_followed_at_once(serve) -> None:
    project, client = serve()
    past = replay.prepare(project, client, START, datetime(2026, 1, 28))
    for _ in replay.run_days(past, retrain=False):
        pass
    assert not [one for one in all_alerts(project.store, project.endpoint) if one.severity == "page"]

    lifecycle.turn(project, as_of=datetime(2026, 1, 28))
    replay.follow(project, client)
    assert client.routing()["arms"][0]["number"] == 2
    routing.rollback(project.store, project.endpoint, "shown")
    replay.follow(project, client)
    assert client.routing()["arms"][0]["number"] == 1


def test_a_replay_of_a_period_without_rows_is_answered(make_project: Make) -> None:
    project = make_project()
    lifecycle.turn(project, as_of=START)
    with pytest.raises(DataError, match="no row"):
        replay.prepare(project, Client("http://127.0.0.1:9", "parcels"), datetime(2030, 1, 1), datetime(2030, 2, 1))


def test_tracing_an_unknown_prediction_is_answered(make_project: Make) -> None:
    with pytest.raises(NotFound, match="nobody"):
        trace(make_project(), "nobody")
