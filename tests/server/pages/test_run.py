import io
import math

import polars as pl
import pytest
from sqlalchemy import insert

from threefold.store.schema import executions, files

pytestmark = pytest.mark.engines  # on SQLite and on Postgres

PARQUET = io.BytesIO()
pl.DataFrame({"city": ["Rome", "Oslo"], "delay": [4, None]}).write_parquet(PARQUET)
PARQUET = PARQUET.getvalue()
NASTY = '<script>alert("x")</script>'


@pytest.fixture
def keep(store):
    """Give a run a file."""

    def add(run_id, path, data):
        with store.write() as tx:
            row = {"digest": store.objects.put(data), "size_bytes": len(data), "changed_ms": 0}
            tx.execute(insert(files).values(path=f"0/{run_id}/artifacts/{path}", **row))

    return add


def test_a_run_tells_its_metrics_parameters_and_tags(pages, log):
    run = log("boosting", {"auc": 0.81, "auc_std": 0.02}, {"depth": "4"}, {"team": "blue"})
    text = pages.text(f"/runs/{run}")
    for said in ("auc", "0.81", "0.02", "depth", "4", "team", "blue"):
        assert said in text
    assert [one["name"] for one in pages.json(f"/runs/{run}")["metrics"]] == ["auc"]


def test_the_beginning_of_an_id_is_enough_where_it_fits_one_run(pages, log):
    run = log("only", id="abc" + "0" * 29)
    assert pages.json("/runs/abc")["id"] == run


def test_nothing_that_was_logged_becomes_a_part_of_the_page(pages, log, keep):
    run = log(NASTY, {NASTY: [1.0, 2.0]}, {NASTY: NASTY}, {NASTY: NASTY}, user=NASTY, host=NASTY)
    keep(run, f"{NASTY[1:7]}.txt", NASTY.encode())
    for page in ("/", "/runs", f"/runs/{run}", f"/runs?q={NASTY}", f"/runs/{run}/files/script.txt"):
        assert "<script>alert" not in pages.html(page)


def test_odd_runs_are_shown_all_the_same(pages, log):
    run = log(
        "n" * 250, {"m" * 250: math.inf, "nan": math.nan, "big": -1e308}, {"p" * 250: "v" * 500_000}, {"t" * 250: ""},
        parent_id="f" * 32, experiment=0, ended_at="not a moment", started_at="2026-03-01", error={"odd": 1}, code=[],
    )  # fmt: skip
    assert "∞" in pages.text(f"/runs/{run}")
    assert pages.json(f"/runs/{run}")["parent"]["there"] is False
    assert pages.ask("/runs").status_code == 200


def test_curves_keep_every_peak_however_long_they_are(pages, log):
    values = [0.0] * 5_000
    values[1_234], values[4_321] = 9.0, -9.0
    run = log("long", {"loss": values})
    line = pages.json(f"/runs/{run}/curves?metric=loss")["lines"]["loss"]
    assert line["points"] == 5_000
    assert len(line["values"]) <= 1_200
    assert max(line["values"]) == 9.0 and min(line["values"]) == -9.0


def test_a_point_that_is_no_number_leaves_a_gap(pages, log):
    run = log("gap", {"loss": [1.0, math.nan, math.inf, 2.0]})
    assert pages.json(f"/runs/{run}/curves?metric=loss")["lines"]["loss"]["values"] == [1.0, None, None, 2.0]


def test_two_series_named_as_axes_are_one_curve(pages, log):
    run = log("roc", {"roc.x": [0.0, 0.5, 1.0], "roc.y": [0.0, 0.8, 1.0]})
    shown = pages.json(f"/runs/{run}")
    assert (shown["shapes"], shown["metrics"]) == (["roc"], [])
    assert pages.json(f"/runs/{run}/curves?shape=roc")["shapes"]["roc"] == [[0.0, 0.0], [0.5, 0.8], [1.0, 1.0]]


def test_the_steps_of_a_run_say_why_they_ran(pages, store, log):
    run = log("gates", kind="pipeline")
    with store.write() as tx:
        row = {"id": "e", "run_id": run, "step": "train/linear", "key": "k", "status": "ran", "started_at": tx.now}
        tx.execute(insert(executions).values(**row, reason="its code changed"))
    assert "train/linear ✓ ran its code changed" in pages.text(f"/runs/{run}")


@pytest.mark.parametrize(
    ("path", "data", "shown"),
    [
        ("notes.md", b"# Title\n<b>bold</b>", "# Title <b>bold</b>"),
        ("made.json", b'{"a":[1,2]}', '"a": [ 1, 2 ]'),
        ("rows.csv", b"city,delay\nRome,4\n", "city delay Rome 4"),
        ("weights.bin", b"\0\1\2", "bytes that are not text"),
        ("deep/er/log.txt", b"line one\n", "line one"),
        ("broken.json", b"{not json", "{not json"),
        (
            "table.json",
            b'{"columns": ["city", "delay"], "data": [["Rome", 4], ["Oslo", null]]}',
            "city delay Rome 4 Oslo",
        ),
        ("odd.json", b'{"columns": 3, "data": [1]}', '"columns": 3'),
        ("rows.parquet", PARQUET, "2 rows city (String) delay (Int64) Rome 4 Oslo"),
        ("no.parquet", b"PAR1 not at all", "cannot be read as Parquet"),
        ("report.html", b"<h1>Report</h1>", "As it looks without its scripts"),
    ],
)
def test_a_file_is_shown_as_what_it_is(pages, log, keep, path, data, shown):
    run = log("files")
    keep(run, path, data)
    assert path.rpartition("/")[2] in pages.html(f"/runs/{run}").replace("<wbr>", "")
    assert shown in pages.text(f"/runs/{run}/files/{path}")


def test_a_file_that_is_taken_away_can_run_nothing(pages, log, keep):
    run = log("files")
    keep(run, "page.html", b"<script>1</script>")
    keep(run, "plot.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>")
    page = pages.ask(f"/runs/{run}/files/page.html?raw=1")
    assert page.content == b"<script>1</script>"
    assert page.headers["content-disposition"].startswith("attachment")
    framed = pages.ask(f"/runs/{run}/files/page.html?raw=1&framed=1")
    assert framed.headers["content-type"].startswith("text/html")
    assert "sandbox; default-src 'none'" in framed.headers["content-security-policy"]
    assert "iframe" in pages.html(f"/runs/{run}/files/page.html") and "<script>1" not in pages.html(
        f"/runs/{run}/files/page.html"
    )
    plot = pages.ask(f"/runs/{run}/files/plot.svg?raw=1")
    assert plot.headers["content-type"] == "image/svg+xml"
    assert "sandbox" in plot.headers["content-security-policy"]


def test_console_and_uncommitted_changes_are_shown_on_the_page_of_the_run(pages, log, keep):
    run = log("recorded", code={"commit": "c0ffee", "dirty": True})
    keep(run, "console.txt", b"epoch 1\nepoch 2\n")
    keep(run, "code.diff", b"--- a/x.py\n+++ b/x.py\n-old = 1\n+new = 2\n")
    text = pages.text(f"/runs/{run}")
    assert "epoch 2" in text and "new = 2" in text
    assert '<span class="added">+new = 2</span>' in pages.html(f"/runs/{run}")


def test_a_file_whose_bytes_are_gone_says_so(pages, store, log, keep):
    run = log("files")
    keep(run, "lost.txt", b"lost")
    store.objects.remove(store.objects.put(b"lost"))
    assert "not in the store any more" in pages.text(f"/runs/{run}/files/lost.txt")
    assert pages.ask(f"/runs/{run}/files/lost.txt?raw=1").status_code == 404
