import os
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from threefold.errors import NotFound, StoreError
from threefold.store.objects import LocalObjects, Objects, manifest

from .conftest import Home


def large(rows: int = 300_000, seed: int = 1) -> pl.DataFrame:
    """About 30 MB of values: a dozen pieces."""
    rng = np.random.default_rng(seed)
    numbers = {f"x{n}": rng.normal(size=rows) for n in range(10)}
    return pl.DataFrame(numbers | {"name": rng.choice(["a", "b", None], rows)})


LARGE = large()


@pytest.fixture
def objects(home: Home) -> Objects:
    return home.objects


def test_a_table_comes_back_and_equal_tables_have_one_digest(objects: Objects) -> None:
    table = pl.DataFrame({"n": [1, None], "s": ["a", "b"]})
    digest = objects.put_table(table)
    assert objects.get_table(digest).equals(table)
    assert objects.put_table(table.clone()) == digest
    assert objects.references(digest) == ()
    assert objects.weight_bytes(digest) == objects.size_bytes(digest)


def test_a_large_table_lies_in_pieces_and_comes_back_whole(objects: Objects) -> None:
    digest = objects.put_table(LARGE)
    pieces = objects.references(digest)
    assert len(pieces) > 5
    assert set(objects.digests()) == {digest, *pieces}
    assert objects.get_table(digest).equals(LARGE)
    assert objects.weight_bytes(digest) == sum(map(objects.size_bytes, objects.digests()))


def test_each_piece_is_a_parquet_object_of_its_own(objects: Objects) -> None:
    digest = objects.put_table(LARGE)
    tables = [objects.get_table(piece) for piece in objects.references(digest)]
    assert pl.concat(tables).equals(LARGE)


def test_how_a_table_lies_in_memory_does_not_change_its_digest(tmp_path: Path) -> None:
    parts = pl.concat([LARGE[:7], LARGE[7:123_456], LARGE[123_456:]], rechunk=False)
    assert LocalObjects(tmp_path / "a").put_table(parts) == LocalObjects(tmp_path / "b").put_table(LARGE)


def test_a_table_that_differs_in_one_place_adds_only_the_pieces_around_it(objects: Objects) -> None:
    before = objects.references(objects.put_table(LARGE))
    edited = LARGE.with_columns(
        x3=pl.when(pl.int_range(pl.len()).is_between(150_000, 151_000)).then(0.0).otherwise("x3")
    )
    for changed in (edited, pl.concat([LARGE, large(1_000, seed=2)]), pl.concat([LARGE[:9_000], LARGE[10_000:]])):
        digest = objects.put_table(changed)
        assert objects.get_table(digest).equals(changed)
        assert 0 < len(set(objects.references(digest)) - set(before)) <= 2


def test_a_table_kept_before_tables_were_cut_is_still_read(objects: Objects) -> None:
    buffer = BytesIO()
    LARGE.write_parquet(buffer)
    digest = objects.put(buffer.getvalue())
    assert objects.get_table(digest).equals(LARGE)
    assert objects.references(digest) == ()


@pytest.mark.parametrize("table", [LARGE, LARGE.head(10)], ids=["large", "small"])
def test_a_table_is_searched_without_reading_all_of_it(objects: Objects, table: pl.DataFrame) -> None:
    digest = objects.put_table(table)
    found = objects.scan_table(digest).filter(pl.col("x1") > 0).select("x0").collect()
    assert found.equals(table.filter(pl.col("x1") > 0).select("x0"))


def test_a_large_table_of_every_kind_of_column_comes_back_with_its_types(tmp_path: Path) -> None:
    rows = pl.int_range(400_000, eager=True)
    table = pl.DataFrame({"n": rows}).with_columns(
        small=pl.col("n").cast(pl.Int8, wrap_numerical=True),
        at=pl.lit(datetime(2013, 1, 1, tzinfo=UTC)) + pl.duration(seconds="n"),
        money=(pl.col("n") / 100).cast(pl.Decimal(12, 2)),
        kind=pl.Series(["a", "b"] * 200_000, dtype=pl.Enum(["a", "b"])),
        place=pl.Series([f"place {n % 7}" for n in range(400_000)], dtype=pl.Categorical()),
        both=pl.struct("n", x=pl.col("n") / 3),
        all=pl.concat_list("n", "n"),
        raw=pl.col("n").cast(pl.String).cast(pl.Binary),
        nothing=pl.lit(None),
    )
    objects = LocalObjects(tmp_path)
    digest = objects.put_table(table)
    back = objects.get_table(digest)
    assert objects.references(digest)
    assert back.schema == table.schema
    assert back.equals(table)


@pytest.mark.parametrize("harm", ["missing", "damaged"])
def test_a_table_that_lost_a_piece_is_refused_and_putting_it_again_mends_it(home: Home, harm: str) -> None:
    digest = home.objects.put_table(LARGE)
    piece = home.objects.references(digest)[3]
    file = home.file(piece)
    if harm == "missing":
        home.objects.remove(piece)
    else:
        file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(
        (NotFound, StoreError), match=f"table {digest[:12]} is not whole: object {piece[:12]} is"
    ) as error:
        home.objects.get_table(digest)
    assert error.value.do
    home.objects.put_table(LARGE)
    assert home.objects.get_table(digest).equals(LARGE)


def test_a_table_that_cannot_be_kept_whole_is_not_seen_at_all(tmp_path: Path) -> None:
    objects = LocalObjects(tmp_path / "objects")
    digest = objects.put_table(LARGE)
    last = objects.references(digest)[-1]
    other = LocalObjects(tmp_path / "other")
    other.path(last).parent.parent.mkdir()
    other.path(last).parent.write_bytes(b"a file where the last piece wants its folder")
    with pytest.raises(StoreError, match="cannot write"):
        other.put_table(LARGE)
    assert not other.has(digest)
    assert list((tmp_path / "other" / ".half").iterdir()) == []


def test_a_table_of_a_newer_threefold_is_refused(objects: Objects) -> None:
    digest = objects.put(b"threefold table 2\n{}")
    with pytest.raises(StoreError, match="newer Threefold"):
        objects.get_table(digest)


@pytest.mark.parametrize("data", [b"", b"threefold", b"PAR1", os.urandom(3_000_000)], ids=len)
def test_what_is_no_table_refers_to_nothing(objects: Objects, data: bytes) -> None:
    assert objects.references(objects.put(data)) == ()


def test_a_file_that_only_begins_like_a_list_of_pieces_refers_to_nothing(objects: Objects) -> None:
    assert objects.references(objects.put(manifest.MAGIC + b"talk, a model by somebody")) == ()


def test_a_table_moves_to_another_home_with_its_pieces(objects: Objects, tmp_path: Path) -> None:
    digest = objects.put_table(LARGE)
    there = LocalObjects(tmp_path / "there")
    there.take_from(objects, digest)
    assert there.get_table(digest).equals(LARGE)
    assert set(there.digests()) == set(objects.digests())
