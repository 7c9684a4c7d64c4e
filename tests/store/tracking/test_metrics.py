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
from threefold.store.tracking.metrics import NEAR, Point

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


def in_order(store: Store, name: str = "loss") -> bool:
    with store.read() as connection:
        return bool(connection.scalar(select(series.c.in_order).where(series.c.name == name)))


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


@pytest.mark.parametrize("turned", [False, True], ids=["in order", "out of order"])
def test_a_point_in_the_middle_of_a_long_series_that_is_sent_again_counts_once(store: Store, turned: bool) -> None:
    points = [Point("loss", float(step), 2 * step, step) for step in range(NEAR + 100)]
    log(store, points[::-1] if turned else points)
    assert in_order(store) is not turned
    log(store, points[200:210])
    assert len(logged(store)) == NEAR + 100
    log(store, [*points[:2], Point("loss", 7.0, 401, 200), Point("loss", 8.0, 400, 200)])
    assert logged(store)[NEAR + 100 :] == [(401, 7.0), (400, 8.0)]
    assert not in_order(store)


def test_the_same_step_takes_another_value_and_the_same_value_another_step(store: Store) -> None:
    log(store, [Point("loss", 1.0, 5, 10), Point("loss", 2.0, 5, 10), Point("loss", 1.0, 6, 10)])
    assert logged(store) == [(5, 1.0), (5, 2.0), (6, 1.0)]


def test_nan_that_is_sent_again_counts_once(store: Store) -> None:
    log(store, [Point("loss", math.nan, 1, 10), Point("loss", math.inf, 2, 10)])
    log(store, [Point("loss", math.nan, 1, 10), Point("loss", math.inf, 2, 10)])
    assert [step for step, _ in logged(store)] == [1, 2]


def test_a_series_is_in_order_until_a_step_or_the_clock_goes_back(store: Store) -> None:
    log(store, [Point("loss", 1.0, 0, 10), Point("loss", 2.0, 0, 11), Point("loss", 2.0, 1, 11)])
    assert in_order(store)
    log(store, [Point("loss", 2.0, 2, 5)])
    assert not in_order(store)
    log(store, [Point("loss", 2.0, 9, 50)])
    assert not in_order(store)


def test_a_step_is_found_in_a_series_by_halving(store: Store) -> None:
    log(store, [Point("loss", 0.0, step, 10) for step in (0, 10, 20)])
    with store.read() as connection:
        key = connection.scalar(select(series.c.id))
        assert [places.of_step(connection, key, 3, step) for step in (-1, 0, 1, 10, 21)] == [0, 0, 1, 1, 3]
