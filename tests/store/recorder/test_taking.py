from pathlib import Path
from typing import Any

import pytest

from threefold.errors import DataError, StoreError
from threefold.pipeline import runs
from threefold.store import Store, new_id
from threefold.store.recorder import spool
from threefold.store.recorder.shipping import StoreTarget

START = {
    "is": "start", "experiment": "churn", "name": "a", "user": "ada", "at_ms": 1_700_000_000_000, "parent": None,
    "code": {}, "host": "h",
}  # fmt: skip


def metric(step: int) -> dict[str, Any]:
    return {"is": "metrics", "values": {"loss": float(step)}, "step": step, "at_ms": 1_700_000_000_000 + step}


def test_a_batch_that_comes_twice_is_taken_once(opened: Store) -> None:
    target, run_id = StoreTarget(opened), new_id()
    first = [(1, START), (2, metric(0)), (3, metric(0))]
    assert target.send(run_id, first) == 3
    assert target.send(run_id, first) == 3
    assert target.send(run_id, [*first, (4, metric(1))]) == 4
    assert target.taken(run_id) == 4
    assert runs.metrics_of(opened, run_id) == {"loss": 1.0}


@pytest.mark.parametrize(
    "batch",
    [
        [(2, metric(0))],
        [(1, {**START, "is": "beginning"})],
        [(1, START), (2, {"is": "file", "name": "a", "digest": "0" * 64, "size_bytes": 1})],
    ],
)
def test_a_batch_that_cannot_be_taken_leaves_nothing(opened: Store, batch: list[tuple[int, dict[str, Any]]]) -> None:
    target, run_id = StoreTarget(opened), new_id()
    with pytest.raises(DataError):
        target.send(run_id, batch)
    assert target.taken(run_id) == 0
    assert runs.list_runs(opened) == []


def test_a_torn_last_line_was_never_acknowledged_and_is_cut_off(tmp_path: Path) -> None:
    first = spool.Spool(tmp_path / "run")
    first.add(START)
    first.close()
    with (tmp_path / "run" / spool.LINES).open("ab") as file:
        file.write(b'{"is": "metr')
    again = spool.Spool(tmp_path / "run")
    assert again.add(metric(1)) == 2
    assert [record["is"] for _, record in spool.lines(tmp_path / "run")] == ["start", "metrics"]
    again.close()


def test_a_reader_goes_on_where_it_was_and_waits_for_whole_lines(tmp_path: Path) -> None:
    mine = spool.Spool(tmp_path / "run")
    mine.add(START)
    reader = spool.Reader(tmp_path / "run")
    assert [number for number, _ in reader.after(0, 10)] == [1]
    assert reader.after(1, 10) == []
    with (tmp_path / "run" / spool.LINES).open("ab") as file:
        file.write(b'{"is": "metr')
        file.flush()
        assert reader.after(1, 10) == []
        file.write(b'ics"}\n')
    mine.add(metric(1))
    assert [record["is"] for _, record in reader.after(1, 1)] == ["metrics"]
    assert [number for number, _ in reader.after(2, 10)] == [3]
    reader.close()
    mine.close()


def test_a_spool_belongs_to_the_process_that_writes_it(tmp_path: Path) -> None:
    mine = spool.Spool(tmp_path / "run")
    assert spool.waiting(tmp_path) == []
    mine.close()
    assert spool.waiting(tmp_path) == [tmp_path / "run"]


def test_a_folder_that_cannot_be_written_is_answered(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be kept"):
        spool.Spool(tmp_path / "file" / "run")


def test_large_records_travel_in_small_company(tmp_path: Path) -> None:
    mine = spool.Spool(tmp_path / "run")
    mine.add(START)
    for _ in range(3):
        mine.add({"is": "params", "values": {"long": "x" * (spool.TOGETHER // 2)}})
    reader, known, together = spool.Reader(tmp_path / "run"), 0, []
    while batch := reader.after(known, 500):
        together.append(len(batch))
        known = batch[-1][0]
    assert together == [2, 1, 1]
    reader.close()
    mine.close()
