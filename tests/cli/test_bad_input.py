"""Bad input at the door: three answers, and the store stays sound."""

from __future__ import annotations

import csv
import json
import os
import resource
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from threefold.store import Store, events

Spoil = Callable[[Any], None]


def wrong_key(folder) -> None:
    folder.edit("threefold.yaml", "accept:", "acept:")


def wrong_type(folder) -> None:
    folder.edit("threefold.yaml", "test: 25%", "test: a lot")


def missing_file(folder) -> None:
    (folder.root / "data" / "customers.csv").unlink()


def unreadable_csv(folder) -> None:
    (folder.root / "data" / "customers.csv").write_bytes(b"id,left\n\xff\xfe\x00\x81,\x90\n" * 30)


def no_rows(folder) -> None:
    (folder.root / "data" / "customers.csv").write_text("id,months,plan,complaints,left\n")


def target_absent(folder) -> None:
    folder.edit("threefold.yaml", "target: left", "target: gone")


def all_null_feature(folder) -> None:
    add_column(folder, "empty", lambda row: "")
    folder.write("features.py", "def own(customers):\n    return customers.select('months', 'empty')\n")


def duplicate_ids(folder) -> None:
    add_column(folder, "id", lambda row: "same")
    folder.edit("threefold.yaml", ", key: id", "")


def future_labels(folder) -> None:
    add_column(folder, "known_at", lambda row: "2999-01-01")
    folder.edit("threefold.yaml", "key: id", "key: id, later: {known_at: [left]}")


def raising_function(folder) -> None:
    folder.write("data.py", "def clean_customers(customers):\n    raise RuntimeError('no such luck')\n")


def wrong_return(folder) -> None:
    folder.write("features.py", "def own(customers):\n    return 7\n")


def add_column(folder, name: str, value: Callable[[dict[str, str]], str]) -> None:
    file = folder.root / "data" / "customers.csv"
    with file.open(newline="") as handle:
        rows = [{**row, name: value(row)} for row in csv.DictReader(handle)]
    with file.open("w", newline="") as handle:
        out = csv.DictWriter(handle, rows[0].keys())
        out.writeheader()
        out.writerows(rows)


CASES: dict[Spoil, str] = {
    wrong_key: "accept",
    wrong_type: "threefold.yaml:",
    missing_file: "customers.csv",
    unreadable_csv: "customers.csv",
    no_rows: "row",
    target_absent: "gone",
    all_null_feature: "empty",
    duplicate_ids: "same",
    future_labels: "known_at",
    raising_function: "data.py:2",
    wrong_return: "features.py",
}


@pytest.mark.parametrize("spoil", CASES, ids=lambda spoil: spoil.__name__)
def test_bad_input_is_answered_with_what_where_and_what_to_do(released, spoil: Spoil) -> None:
    spoil(released)
    called = released.call("run", "--json")
    assert called.code in (1, 2)
    assert "Traceback" not in called.err
    error = json.loads(called.out)["error"]
    assert all(error[part] for part in ("what", "where", "do"))
    assert CASES[spoil] in json.dumps(error)
    assert "Threefold itself failed" not in error["what"]
    assert sound(released)


def sound(folder) -> bool:
    """Whether the store still opens and its event log holds; the canvas may be broken."""
    store = Store.open(folder.root / ".threefold")
    with store.read() as connection:
        _, broken = events.verify(connection)
    store.close()
    return broken is None


def test_all_findings_of_a_canvas_come_at_once(folder) -> None:
    wrong_key(folder)
    wrong_type(folder)
    error = json.loads(folder.call("run", "--json").out)["error"]
    assert len(error["findings"]) >= 2


def test_a_port_in_use_is_answered(released) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        called = released.call("serve", "--port", str(port))
    assert called.code == 2
    assert str(port) in called.err and "Traceback" not in called.err


def test_a_store_of_a_newer_threefold_is_refused_and_left_alone(released) -> None:
    catalogue = sqlite3.connect(released.root / ".threefold" / "catalogue.db")
    catalogue.execute("UPDATE alembic_version SET version_num = '9999'")
    catalogue.commit()
    called = released.call("run")
    assert called.code == 2
    assert "newer" in called.err
    assert catalogue.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999",)
    catalogue.close()


def test_a_second_run_at_the_same_time_is_refused(folder) -> None:
    fifo = folder.root / "go"
    os.mkfifo(fifo)
    folder.write("data.py", f"def clean_customers(customers):\n    open({str(fifo)!r}).read()\n    return customers\n")
    first = folder.start("run")
    with fifo.open("w"):  # opens when the first run waits in its step
        second = folder.call("run")
    _, said = first.communicate(timeout=120)
    assert second.code == 2
    assert str(first.pid) in second.err
    assert first.returncode == 0, said


def test_a_full_disk_is_answered_and_nothing_half_written_stays(folder) -> None:
    """A limit on the size of files is what a full disk looks like to one process: the write fails half way."""
    made = folder.call("run", "data")
    assert made.code == 0

    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, 4_096))

    folder.edit("threefold.yaml", "candidates: [linear]", "candidates: [linear, boosting]")
    ended = subprocess.run(
        [sys.executable, "-m", "threefold", "run"], cwd=folder.root, capture_output=True, text=True, check=False,
        preexec_fn=little_room, env={**os.environ, "COLUMNS": "200"}, timeout=120,
    )  # fmt: skip
    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list((folder.root / ".threefold" / "objects").rglob(".half-*"))
    assert sound(folder)
    assert folder.call("run").code == 0
