"""Bytes and seconds that versions of a large table cost.

.venv/bin/python bench/objects.py [rows]

A table of 20 mixed columns is kept, then five versions of it that differ in one per cent of the rows. For each the
share of new bytes is told, beside what a whole new Parquet file would add. 6,500,000 rows are 1 GB of values, and take
about 3 GB of memory and some minutes on two cores. Ends with 1 where one region cost more than 3 %.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import polars as pl

from threefold.store.objects import LocalObjects

T = TypeVar("T")
LIMIT = 0.03
REGION = ("append", "edit", "delete", "insert")  # these must stay below the limit


def table(rows: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    columns = {
        "id": pl.Series(rng.integers(0, 10**9, rows)).cast(pl.String),
        "at": np.datetime64("2024-01-01", "us") + rng.integers(0, 10**13, rows).astype("timedelta64[us]"),
        "region": pl.Series(["north", "south", "east", "west"]).gather(rng.integers(0, 4, rows)),
        "city": pl.Series([f"city {n}" for n in range(500)]).gather(rng.integers(0, 500, rows)),
        "late": rng.random(rows) < 0.3,
    }
    columns |= {f"x{n}": rng.normal(size=rows).round(3) for n in range(8)}
    columns |= {f"n{n}": rng.integers(0, 10 ** (n + 1), rows) for n in range(7)}
    return pl.DataFrame(columns).with_columns(x0=pl.when(pl.col("x0") < 1.2).then("x0"))


def changes(base: pl.DataFrame) -> dict[str, Callable[[], pl.DataFrame]]:
    rows = base.height
    share, middle = rows // 100, rows // 3
    number = pl.int_range(pl.len())
    scattered = pl.col("n6") % 100 == 0

    def where(wanted: pl.Expr) -> pl.DataFrame:
        return base.with_columns(x1=pl.when(wanted).then(pl.col("x1") + 1).otherwise("x1"))

    return {
        "append": lambda: pl.concat([base, table(share, 2)]),
        "edit": lambda: where(number.is_between(middle, middle + share - 1)),
        "delete": lambda: pl.concat([base[:middle], base[middle + share :]]),
        "insert": lambda: pl.concat([base[:middle], table(share, 3), base[middle:]]),
        "scattered edit": lambda: where(scattered),
    }


def timed(work: Callable[[], T]) -> tuple[T, float]:
    began = time.perf_counter()
    return work(), time.perf_counter() - began


def measure(rows: int, folder: Path) -> bool:
    base = table(rows, 1)
    file, objects = folder / "one.parquet", LocalObjects(folder / "objects")
    _, wrote = timed(lambda: base.write_parquet(file, compression="zstd", statistics=True))
    _, read = timed(lambda: pl.read_parquet(file))
    digest, put = timed(lambda: objects.put_table(base))
    back, got = timed(lambda: objects.get_table(digest))
    assert back.equals(base)
    del back
    kept, whole = objects.weight_bytes(digest), file.stat().st_size
    pieces = set(objects.references(digest))
    print(f"{rows:,} rows, {base.estimated_size() / 1e6:,.0f} MB in memory, {len(pieces)} pieces")
    print(f"one Parquet file   {whole / 1e6:7.1f} MB   write {wrote:5.1f} s   read {read:5.1f} s")
    print(f"in pieces          {kept / 1e6:7.1f} MB   put   {put:5.1f} s   get  {got:5.1f} s")
    print(f"{'1 % of the rows':18} {'added MB':>8} {'share':>7} {'put s':>7}")
    fine = True
    for name, change in changes(base).items():
        changed = change()
        again, took = timed(lambda: objects.put_table(changed))  # noqa: B023
        new = (set(objects.references(again)) | {again}) - pieces
        added = sum(map(objects.size_bytes, new))
        fine &= name not in REGION or added <= LIMIT * kept
        print(f"{name:18} {added / 1e6:8.1f} {added / kept:7.1%} {took:7.1f}", flush=True)
        for one in new:
            objects.remove(one)
    return fine


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        sys.exit(not measure(int(sys.argv[1]) if sys.argv[1:] else 6_500_000, Path(place)))
