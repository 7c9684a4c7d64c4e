"""A store in which a little of everything has happened, by the rooms' own functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from sqlalchemy import insert, select, update

from threefold.data import snapshots
from threefold.pipeline import engine
from threefold.pipeline.step import Step
from threefold.records import Lineage, to_json
from threefold.registry import versions
from threefold.store import Store, schema
from threefold.store.tracking import lifecycle

LONG_AGO = (datetime.now(UTC) - timedelta(days=400)).isoformat()


def numbers() -> pl.DataFrame:
    return pl.DataFrame({"n": [1, 2, 3]})


def described(table: pl.DataFrame) -> dict[str, Any]:
    return {"rows": table.height}


@dataclass
class Filled:
    """The store, and the objects by what needs them."""

    store: Store
    url: str | None
    objects: dict[str, str] = field(default_factory=dict)
    run: str = ""
    tracked: str = ""

    def make_old(self, *names: str) -> None:
        """As if nobody had put these objects for a year."""
        import os

        for name in names or self.objects:
            os.utime(self.store.objects.path(self.objects.get(name, name)), (0, 0))  # type: ignore[attr-defined]

    def delete_run(self, run_id: str, at: str = LONG_AGO) -> None:
        with self.store.write() as tx:
            tx.execute(update(schema.runs).where(schema.runs.c.id == run_id).values(deleted_at=at))

    def there(self, name: str) -> bool:
        return self.store.objects.has(self.objects[name])


def fill(store: Store, root: Path, url: str | None) -> Filled:
    made = Filled(store, url)
    steps = [Step("numbers", numbers), Step("described", described, inputs={"table": "numbers"})]
    outcome = engine.run(store, steps, root=root, project="shop")
    made.run = outcome.run_id
    made.objects |= {"table": outcome.digest("numbers"), "json": outcome.digest("described")}
    frame = pl.DataFrame({"day": ["mon"]})
    made.objects["snapshot"] = snapshots.keep(store, "days", frame, source="days.csv", source_digest="0" * 64).digest
    part = store.objects.put(b"weights")
    bundle = store.objects.put(to_json({"version": 1, "name": "shop", "files": {"model.onnx": part}}))
    lineage = Lineage({"days": made.objects["snapshot"]}, "t", "s", {}, "e", made.run, "linear", None, "c", 7)
    versions.register(store, "shop", bundle, made.run, {"auc": 0.7}, lineage)
    with store.write() as tx:
        made.tracked = lifecycle.create(tx, 0, started_ms=0, name="fox")
        logged = store.objects.put(b"a plot")
        path = f"0/{made.tracked}/artifacts/plot.png"
        tx.execute(insert(schema.files).values(path=path, digest=logged, size_bytes=6, changed_ms=0))
    made.objects |= {"bundle": bundle, "part": part, "file": logged, "loose": store.objects.put(b"nobody wants it")}
    return made


@pytest.fixture
def filled(tmp_path: Path, catalogue: str | None) -> Iterator[Filled]:
    store = Store.open(tmp_path / "store", url=catalogue)
    yield fill(store, tmp_path, catalogue)
    store.close()


@pytest.fixture
def rows_of() -> Callable[[Store], dict[str, list[Any]]]:
    """Every row of a catalogue, table by table."""

    def read(store: Store) -> dict[str, list[Any]]:
        with store.read() as connection:
            return {
                table.name: [
                    tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key.columns))
                ]
                for table in schema.metadata.sorted_tables
            }

    return read
