"""A search finds the same runs in the same order, whichever way it takes to them."""

import math
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from threefold.pipeline import runs
from threefold.store import Store
from threefold.store.tracking import finding, metrics, narrowing
from threefold.store.tracking.finding import Search
from threefold.store.tracking.metrics import Point

pytestmark = pytest.mark.engines

WAYS = {  # rows of an index walked along first, and how many runs are few
    "along the order": (1_000_000, 0),
    "from what fits": (0, 0),
    "among few": (0, 1_000_000),
}
FILTERS = (
    None, "metrics.a > 2", "metrics.a > 2 and metrics.a <= 4", "params.p = '1'", "metrics.b < 3 and params.p = '2'",
    "metrics.a != 1", "metrics.none > 0", "params.p = '1' or metrics.a > 4", "not metrics.a > 2", "tags.t like 'x%'",
    "params.p is null and metrics.b > 1", "run_name = 'run 7'", "params.p = '1' and tags.t = 'x1' and metrics.a > 0",
)  # fmt: skip
ORDERS = ((), ("metrics.a DESC",), ("metrics.a ASC", "params.p DESC"), ("start_time ASC",))


@pytest.fixture
def forty(tmp_path: Path, catalogue: str | None) -> Iterator[Store]:
    """Forty runs, many of them alike; some without a metric or parameter, some with NaN."""
    store = Store.open(tmp_path, url=catalogue)
    for number in range(40):
        params = {} if number % 7 == 0 else {"p": number % 4}
        run = runs.start(store, project="demo", name=f"run {number}", params=params, tags={"t": f"x{number % 3}"})
        with store.write() as tx:
            a = math.nan if number % 11 == 5 else float(number % 6)
            logged = [Point("a", a)] if number % 5 else []
            metrics.add(tx.connection, number + 1, [*logged, Point("b", float(number % 4))])
        runs.finish(store, run, "done")
    yield store
    store.close()


def found(store: Store, where: str | None, order: tuple[str, ...]) -> list[list[int]]:
    with store.read() as connection:
        wanted = Search([0, 1], where, order)
        return [finding.search(connection, wanted, 7, offset) for offset in (0, 7, 30)]


def test_every_way_leads_to_the_same_page(forty: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {}
    for way, (a_little, few) in WAYS.items():
        monkeypatch.setattr(finding, "A_LITTLE", a_little)
        monkeypatch.setattr(narrowing, "FEW", few)
        told[way] = {(where, order): found(forty, where, order) for where, order in product(FILTERS, ORDERS)}
    assert told["along the order"] == told["from what fits"] == told["among few"]


def test_as_many_are_counted_as_are_found(forty: Store) -> None:
    with forty.read() as connection:
        for wanted in (Search([0, 1], where) for where in FILTERS):
            assert finding.count(connection, wanted) == len(finding.search(connection, wanted, 1_000)), wanted.where


def test_the_index_of_a_metric_is_followed_no_further_than_a_page_needs(
    forty: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(narrowing, "few", lambda *_: pytest.fail("it looked elsewhere"))
    with forty.read() as connection:
        assert len(finding.search(connection, Search([0, 1], "metrics.a > 2", ["metrics.a DESC"]), 5)) == 5
