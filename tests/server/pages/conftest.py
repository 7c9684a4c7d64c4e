"""Pages over a store of which every row is known; rows go straight into the tables."""

import datetime
import html
import re

import pytest
from sqlalchemy import insert

from threefold.store import Store
from threefold.store.schema import experiments, params, points, run_tags, runs, series

START = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)


class Pages:
    """What a browser and a program see of the pages."""

    def __init__(self, door):
        self.door = door

    def ask(self, path, method="GET", **parts):
        return self.door.ask(method, path, **{"headers": {"accept": "text/html"}, **parts})

    def html(self, path):
        answer = self.ask(path)
        assert answer.status_code == 200, f"{answer.status_code}: {answer.text[:500]}"
        return answer.text

    def json(self, path):
        answer = self.ask(path, headers={"accept": "application/json"})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def text(self, path):
        """What a person reads: the page without its signs, blanks drawn together."""
        return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", self.html(path).replace("<wbr>", ""))))


@pytest.fixture
def store(tmp_path, catalogue):
    store = Store.open(tmp_path / "store", url=catalogue)
    yield store
    store.close()


@pytest.fixture
def pages(door):
    return Pages(door)


@pytest.fixture
def log(store):
    """Add a run: log(name, metrics={name: value or list of values}, params={…}); returns its id."""
    count = 0

    def add(name="", metrics=None, values=None, tags=None, experiment=0, **row):
        nonlocal count
        count += 1
        started = (START + datetime.timedelta(minutes=count)).isoformat()
        made = {
            "id": f"{count:032x}", "experiment_id": experiment, "kind": "tracked", "name": name, "user": "ada",
            "status": "done", "started_at": started, "ended_at": started, "artifact_root": "", "code": {}, "host": "here",
            "pid": 0, **row,
        }  # fmt: skip
        with store.write() as tx:
            number = tx.execute(insert(runs).values(**made)).inserted_primary_key[0]
            for label, logged in (metrics or {}).items():
                _log(tx, number, label, logged if isinstance(logged, list) else [logged])
            for table, said in ((params, values), (run_tags, tags)):
                for label, value in (said or {}).items():
                    tx.execute(insert(table).values(run=number, name=label, value=str(value)))
        return made["id"]

    return add


def _log(tx, number, name, logged):
    stored = [None if value != value else value for value in logged]
    key = tx.execute(
        insert(series).values(
            run=number, name=name, length=len(stored), last_value=stored[-1], last_step=len(stored) - 1, last_at_ms=0
        )
    ).inserted_primary_key[0]
    rows = [
        {"series": key, "position": step, "step": step, "at_ms": step, "value": value}
        for step, value in enumerate(stored)
    ]
    tx.execute(insert(points), rows)


@pytest.fixture
def experiment(store):
    def add(name):
        with store.write() as tx:
            row = {"name": name, "artifact_root": "", "created_ms": 0, "updated_ms": 0}
            return tx.execute(insert(experiments).values(**row)).inserted_primary_key[0]

    return add
