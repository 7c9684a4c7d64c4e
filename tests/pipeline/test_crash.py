"""What a kill, a full disk or a second run leaves behind: a sound store that goes on where it was."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from threefold.errors import Conflict, StoreError
from threefold.pipeline import runs
from threefold.pipeline.step import Step
from threefold.store import Store
from threefold.store.events import verify

STEPS = """
import os, sys, time
import polars as pl

def first():
    return pl.DataFrame({"n": [1, 2, 3]})

def second(table, gate):
    if os.path.exists(gate):
        print("inside", flush=True)
        sys.stdin.readline()    # held here until it is killed
    return table.height

def third(height):
    return height + 1
"""

RUN = """
import sys
from itertools import islice
from pathlib import Path
root = Path(sys.argv[1])
sys.path.insert(0, str(root))
sys.dont_write_bytecode = True
import steps
from threefold.pipeline.engine import run
from threefold.pipeline.step import Step
from threefold.store import Store
graph = [
    Step("first", steps.first),
    Step("second", steps.second, inputs={"table": "first"}, given={"gate": str(root / "gate")}),
    Step("third", steps.third, inputs={"height": "second"}),
]
outcome = run(Store.open(root / ".threefold"), graph, root=root, project="crash")
print(*(f"{one.step}:{one.status}" for one in outcome.executions))
"""


def start(root: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def held_inside_the_second_step(root: Path) -> subprocess.Popen[str]:
    (root / "steps.py").write_text(STEPS)
    (root / "gate").touch()
    process = start(root)
    assert process.stdout is not None
    assert process.stdout.readline() == "inside\n"
    return process


def ended(process: subprocess.Popen[str]) -> str:
    return process.communicate()[0].strip()


@pytest.mark.slow
def test_a_run_that_is_killed_in_a_step_goes_on_where_it_was(tmp_path: Path) -> None:
    process = held_inside_the_second_step(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    (tmp_path / "gate").unlink()

    store = Store.open(tmp_path / ".threefold")
    assert runs.list_runs(store)[0].status == "interrupted"
    assert ended(start(tmp_path)) == "first:reused second:ran third:ran"
    assert [run.status for run in runs.list_runs(store)] == ["done", "interrupted"]
    with store.read() as connection:
        assert verify(connection)[1] is None
    assert half_written(tmp_path) == []
    store.close()


@pytest.mark.slow
def test_two_runs_at_once_in_one_project_conflict(tmp_path: Path) -> None:
    process = held_inside_the_second_step(tmp_path)
    store = Store.open(tmp_path / ".threefold")
    try:
        from threefold.pipeline.engine import run

        with pytest.raises(Conflict) as error:
            run(store, [Step("first", dict)], root=tmp_path, project="crash")
        assert f"process {process.pid}" in error.value.what
        assert len(runs.list_runs(store)) == 1
    finally:
        (tmp_path / "gate").unlink()
        said = process.communicate("go\n")[0]
    assert said.strip() == "first:ran second:ran third:ran"
    assert run(store, [Step("first", dict)], root=tmp_path, project="crash").status == "done"
    store.close()


MANY = """
import os, sys
from pathlib import Path
root = Path(sys.argv[1])
from threefold.pipeline.engine import run
from threefold.pipeline.step import Step
from threefold.store import Store

def make(n):
    return lambda: bytes([n]) * 200_000

graph = [Step(f"s{n}", make(n)) for n in range(40)]
outcome = run(Store.open(root / ".threefold"), graph, root=root, project="many",
              on_step=lambda event: print(event.step, event.status, flush=True))
assert all(outcome.value(f"s{n}") == bytes([n]) * 200_000 for n in range(40))
"""


@pytest.mark.slow
def test_a_kill_at_any_moment_loses_no_finished_step(tmp_path: Path) -> None:
    (tmp_path / "many.py").write_text(MANY)
    finished: set[str] = set()
    for lines in (1, 14, 27, 40, 999):
        process = subprocess.Popen(
            [sys.executable, str(tmp_path / "many.py"), str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        heard = list(islice(process.stdout, lines))
        process.kill()  # SIGKILL, wherever it is: between steps, in a write, in a commit
        heard += process.communicate()[0].splitlines()
        said = [line.split() for line in heard if line.count(" ") == 1]
        ran = {step for step, status in said if status == "ran"}
        assert not ran & finished
        finished |= ran
    assert {step for step, status in said if status in ("ran", "reused")} == {f"s{n}" for n in range(40)}
    store = Store.open(tmp_path / ".threefold")
    with store.read() as connection:
        assert verify(connection)[1] is None
    for path in store.objects.root.glob("[0-9a-f][0-9a-f]/*"):
        store.objects.get(path.parent.name + path.name)  # raises for bytes that do not match their digest
    store.close()


def half_written(root: Path) -> list[Path]:
    return list((root / ".threefold" / "objects" / ".half").glob("*"))


BIG = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)      # a write beyond the limit then fails, as on a full disk
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
from pathlib import Path
from threefold.errors import StoreError
from threefold.pipeline.engine import run
from threefold.pipeline.step import Step
from threefold.store import Store
root = Path(sys.argv[1])

def small():
    return 1

def big(n):
    return bytes(4_000_000)

try:
    run(Store.open(root / ".threefold"), [Step("small", small), Step("big", big, inputs={"n": "small"})], root=root, project="full")
except StoreError as error:
    print(error.what)
"""


def test_a_disk_that_takes_no_more_is_answered_and_leaves_the_store_sound(tmp_path: Path) -> None:
    (tmp_path / "big.py").write_text(BIG)
    command = [sys.executable, str(tmp_path / "big.py"), str(tmp_path)]
    said = subprocess.run([*command, "1000000"], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "cannot write: File too large"

    store = Store.open(tmp_path / ".threefold")
    failed = runs.list_runs(store)[0]
    assert failed.status == "failed"
    assert [(row.step, row.status) for row in runs.executions_of(store, failed.id)] == [
        ("small", "ran"),
        ("big", "failed"),
    ]
    assert half_written(tmp_path) == []
    with store.read() as connection:
        assert verify(connection)[1] is None
    subprocess.run([*command, str(resource.RLIM_INFINITY)], check=True)
    statuses = [(row.step, row.status, row.reason) for row in runs.executions_of(store, runs.list_runs(store)[0].id)]
    assert statuses == [("small", "reused", "nothing it depends on changed"), ("big", "ran", "it failed the last time")]
    store.close()


@pytest.fixture
def tiny_disk(small_disk: Callable[[str], Path]) -> Path:
    return small_disk("2m")


def test_a_full_disk_is_named_and_nothing_half_written_stays(tiny_disk: Path) -> None:
    store = Store.open(tiny_disk / ".threefold")
    with pytest.raises(StoreError) as error:
        store.objects.put(os.urandom(3_000_000))
    assert error.value.what == "the disk is full"
    assert [path for path in store.objects.root.rglob("*") if path.is_file()] == []
    store.close()


def test_a_catalogue_that_finds_no_room_keeps_what_it_had(tiny_disk: Path) -> None:
    store = Store.open(tiny_disk / ".threefold")
    filler = tiny_disk / "filler"
    with pytest.raises(OSError, match="No space"):
        filler.write_bytes(bytes(3_000_000))
    with pytest.raises(StoreError) as error:
        note_much(store)
    assert error.value.what == "the disk is full"
    filler.unlink()
    with store.write() as tx:
        assert tx.event("thing.noted", "thing", {}) == 2  # after "store.created"; nothing of the broken transaction
    store.close()


def note_much(store: Store) -> None:
    with store.write() as tx:
        for number in range(1000):
            tx.event("thing.noted", f"thing {number}", {"text": "x" * 1000})
