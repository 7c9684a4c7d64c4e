"""What is logged to a series stands there once, however often it is sent, and whatever order it comes in."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, select

from threefold.pipeline import runs
from threefold.store import Store
from threefold.store.schema import series
from threefold.store.tracking import metrics, places
from threefold.store.tracking.metrics import Point
from threefold.store.tracking.standing import NEAR

pytestmark = pytest.mark.engines


@pytest.fixture
def store(tmp_path: Path, catalogue: str | None) -> Iterator[Store]:
    opened = Store.open(tmp_path, url=catalogue)
    runs.start(opened, project="demo")
    yield opened
    opened.close()


def log(store: Store, values: list[Point]) -> None:
    with store.write() as tx:
        metrics.add(tx.connection, 1, values)


def logged(store: Store, name: str = "loss") -> list[tuple[int, float]]:
    with store.read() as connection:
        return [(point.step, point.value) for point in metrics.history(connection, 1, name)]


def order(store: Store, name: str = "loss") -> tuple[bool, bool]:
    """Whether a series is in order, and whether it is rising."""
    with store.read() as connection:
        row = connection.execute(select(series.c.in_order, series.c.rising).where(series.c.name == name)).one()
    return bool(row.in_order), bool(row.rising)


def asked(store: Store, values: list[Point]) -> int:
    """How many questions the catalogue is asked to log some points."""
    seen: list[str] = []

    def note(_connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(store.engine, "before_cursor_execute", note)
    log(store, values)
    event.remove(store.engine, "before_cursor_execute", note)
    return len(seen)


def batch(names: range, *steps: int) -> list[Point]:
    return [Point(f"m{name}", step / 2, step, 1_000 + step) for step in steps for name in names]


def test_a_batch_that_is_sent_again_counts_once(store: Store) -> None:
    log(store, batch(range(300), 1, 2, 3))
    log(store, batch(range(300), 2, 3, 4))
    log(store, batch(range(300), 1, 2, 3, 4))
    assert logged(store, "m0") == logged(store, "m299") == [(1, 0.5), (2, 1.0), (3, 1.5), (4, 2.0)]


@pytest.mark.parametrize("steps", [(1, 2, 3), (3,), (4, 5)], ids=["all sent again", "the last sent again", "new"])
def test_many_names_are_asked_for_in_as_many_questions_as_few(store: Store, steps: tuple[int, ...]) -> None:
    log(store, batch(range(303), 1, 2, 3))
    assert asked(store, batch(range(3), *steps)) == asked(store, batch(range(3, 303), *steps))


STEPS = range(NEAR + 100)
LONG = {
    "in order": [(step, step) for step in STEPS],
    "begun again": [(step % 300, step) for step in STEPS],
    "with a clock that went back": [(step, 1_000 - step) for step in STEPS],
}


@pytest.mark.parametrize("places", LONG.values(), ids=LONG)
def test_a_point_in_the_middle_of_a_long_series_that_is_sent_again_counts_once(
    store: Store, places: list[tuple[int, int]]
) -> None:
    points = [Point("loss", float(at_ms), step, at_ms) for step, at_ms in places]
    log(store, points)
    log(store, points[200:210])
    assert len(logged(store)) == len(points)
    step, at_ms = places[200]
    log(store, [*points[:2], Point("loss", 7.0, step + 1, at_ms), Point("loss", 8.0, step, at_ms)])
    assert logged(store)[len(points) :] == [(step + 1, 7.0), (step, 8.0)]


def test_the_same_step_takes_another_value_and_the_same_value_another_step(store: Store) -> None:
    log(store, [Point("loss", 1.0, 5, 10), Point("loss", 2.0, 5, 10), Point("loss", 1.0, 6, 10)])
    assert logged(store) == [(5, 1.0), (5, 2.0), (6, 1.0)]


def test_nan_that_is_sent_again_counts_once(store: Store) -> None:
    log(store, [Point("loss", math.nan, 1, 10), Point("loss", math.inf, 2, 10)])
    log(store, [Point("loss", math.nan, 1, 10), Point("loss", math.inf, 2, 10)])
    assert [step for step, _ in logged(store)] == [1, 2]


def test_a_series_is_rising_until_the_step_goes_back_and_in_order_until_the_clock_does(store: Store) -> None:
    log(store, [Point("loss", 1.0, 0, 10), Point("loss", 2.0, 0, 11), Point("loss", 2.0, 1, 11)])
    assert order(store) == (True, True)
    log(store, [Point("loss", 2.0, 0, 12)])
    log(store, [Point("loss", 3.0, 0, 12)])
    assert order(store) == (True, False)
    log(store, [Point("loss", 2.0, 9, 11)])
    log(store, [Point("loss", 2.0, 10, 50)])
    assert order(store) == (False, False)


def test_a_step_is_found_in_a_series_by_halving(store: Store) -> None:
    log(store, [Point("loss", 0.0, step, 10) for step in (0, 10, 20)])
    with store.read() as connection:
        key = connection.scalar(select(series.c.id))
        assert [places.of_step(connection, key, 3, step) for step in (-1, 0, 1, 10, 21)] == [0, 0, 1, 1, 3]
