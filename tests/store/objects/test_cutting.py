"""Where tables are cut. The numbers pinned here are the format: if they change, nothing is shared with older tables."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from threefold.store.objects import cutting

MIXED = pl.Schema(
    {
        "flag": pl.Boolean, "small": pl.Int8, "count": pl.UInt64, "huge": pl.Int128, "price": pl.Decimal(10, 2),
        "x": pl.Float32, "y": pl.Float64, "day": pl.Date, "at": pl.Datetime("us", "UTC"), "clock": pl.Time,
        "took": pl.Duration("ms"), "name": pl.String, "kind": pl.Enum(["a", "b"]), "place": pl.Categorical(),
        "raw": pl.Binary, "tags": pl.List(pl.String), "point": pl.Array(pl.Float64, 2), "nothing": pl.Null(),
        "both": pl.Struct({"a": pl.Int32, "b": pl.List(pl.Int64)}),
    }
)  # fmt: skip


PINNED = (6_142_457_159_391_647_742, 14_491_387_085_534_563_595, 136, 139_780)
PINNED_ENDS = [84977, 156473, 191816, 415360, 600721]


def mixed(n: int) -> tuple[object, ...]:
    return (
        n % 2 == 0, n % 100, n, n * 10**20, Decimal(n) / 100, n / 3, -n / 7, date(2013, 1, 1) + timedelta(n % 900),
        datetime(2013, 1, 1, tzinfo=UTC) + timedelta(seconds=n), time(n % 24), timedelta(milliseconds=n), f"row {n}",
        "ab"[n % 2], f"place {n % 9}", str(n).encode(), [str(n), "x"], [n, -n], None, {"a": n, "b": [n]},
    )  # fmt: skip


def random_table(rows: int, seed: int = 1) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    names = [f"city number {n} of the list" for n in range(300)]
    return pl.DataFrame(
        {f"x{n}": rng.normal(size=rows) for n in range(6)}
        | {f"n{n}": rng.integers(0, 10 ** (n + 1), rows) for n in range(4)}
        | {"city": rng.choice(names, rows)}
    )


def ends(table: pl.DataFrame) -> list[int]:
    return [start + rows for start, rows in cutting.pieces(table)]


def contents(table: pl.DataFrame) -> set[bytes]:
    return {table.slice(*span).hash_rows().to_numpy().tobytes() for span in cutting.pieces(table)}


def test_a_small_table_stays_whole() -> None:
    assert cutting.pieces(random_table(100_000)) == [(0, 100_000)]
    assert cutting.pieces(pl.DataFrame()) == [(0, 0)]
    assert cutting.pieces(pl.DataFrame(schema=MIXED)) == [(0, 0)]


def test_pieces_follow_each_other_and_hold_every_row() -> None:
    table = random_table(300_000)
    spans = cutting.pieces(table)
    assert sum(rows for _, rows in spans) == table.height
    assert all(first + rows == second for (first, rows), (second, _) in pairwise(spans))
    assert 8 < len(spans) < 60


def test_the_boundaries_are_the_same_on_every_machine_and_with_every_version() -> None:
    lanes = pl.DataFrame([mixed(n) for n in range(1000)], schema=MIXED, orient="row")
    hashes, sizes = cutting._block(lanes)
    assert (int(hashes[0]), int(hashes[-1]), int(sizes[0]), int(sizes.sum())) == PINNED
    numbers = pl.DataFrame({"n": pl.int_range(3_000_000, eager=True)}).with_columns(m=pl.col("n") * 7 % 1009)
    assert ends(numbers)[:5] == PINNED_ENDS


def test_the_boundaries_depend_on_the_rows_and_not_on_how_they_lie_in_memory() -> None:
    table = random_table(300_000)
    parts = pl.concat([table[:1000], table[1000:170_003], table[170_003:]], rechunk=False)
    assert ends(parts) == ends(table)
    texts = table.with_columns(pl.col("city").cast(pl.Categorical))
    assert ends(texts) == ends(table)


@pytest.mark.parametrize("start", [0, 101_000, 290_000])
def test_what_changes_in_one_region_leaves_the_pieces_around_it_alone(start: int) -> None:
    table, other = random_table(300_000), random_table(3_000, seed=2)
    before, after = table[:start], table[start + 3_000 :]
    pieces = contents(table)
    for changed in (
        pl.concat([before, other, after]),
        pl.concat([before, after]),
        pl.concat([before, other, table[start:]]),
    ):
        assert len(contents(changed) - pieces) <= 3


def test_rows_of_few_categories_are_cut_by_content_too() -> None:
    rng = np.random.default_rng(1)
    table = pl.DataFrame({f"c{n}": rng.choice(["low", "mid", "high"], 900_000) for n in range(8)})
    assert len(cutting.pieces(table)) > 8
    assert len(contents(table[5:]) - contents(table)) <= 2


def test_a_table_that_says_one_thing_again_and_again_is_still_cut() -> None:
    table = pl.DataFrame({"n": pl.repeat(1, 6_000_000, dtype=pl.Int64, eager=True)})
    sizes = [rows * 8 for _, rows in cutting.pieces(table)]
    assert max(sizes) <= cutting.MOST_BYTES
    assert len(set(sizes[:-1])) == 1


def test_long_values_make_pieces_of_fewer_rows() -> None:
    table = pl.DataFrame({"text": [f"{n:06}" * 5_000 for n in range(1_000)]})
    sizes = [rows * 30_000 for _, rows in cutting.pieces(table)]
    assert len(sizes) > 5
    assert max(sizes) <= cutting.MOST_BYTES
