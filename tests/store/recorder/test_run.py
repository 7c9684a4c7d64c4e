"""What a script logs is there, whole, once, in order; and the script never waits for it."""

import math
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

import threefold
from threefold.errors import DataError
from threefold.pipeline import runs
from threefold.store import Store
from threefold.store.recorder import run as recorder
from threefold.store.recorder.shipping import StoreTarget, deliver_left
from threefold.store.schema import files
from threefold.store.tracking import metrics
from threefold.store.tracking import runs as tracked


def track(place: object, **more: object) -> recorder.Run:
    return threefold.track("churn", to=str(place), **{"console": False, "system": False, **more})


def history(store: Store, run_id: str, name: str) -> list[tuple[int, float]]:
    with store.read() as connection:
        points = metrics.history(connection, tracked.number_of(connection, run_id), name)
        return [(point.step, point.value) for point in points]


def kept(store: Store, run_id: str) -> dict[str, bytes]:
    """The files of a run: name -> content."""
    with store.read() as connection:
        rows = connection.execute(select(files).where(files.c.path.contains(run_id))).all()
    return {row.path.split("/artifacts/", 1)[1]: store.objects.get(row.digest) for row in rows}


def test_a_run_is_remembered_as_it_was(place: Path, opened: Store) -> None:
    with track(place, name="first") as run:
        run.params({"depth": 3, "loss": "log"})
        run.tags({"team": "crm"})
        for step in range(300):
            run.metrics({"loss": 1 / (step + 1)}, step=step)
        run.metrics({"odd": math.nan, "huge": -math.inf})
        run.file(b"a,b\n", "tables/a.csv")
    assert run.delivered
    found = runs.get(opened, run.id)
    assert (found.project, found.kind, found.name, found.status) == ("churn", "tracked", "first", "done")
    assert found.params == {"depth": 3, "loss": "log"}
    assert found.tags["team"] == "crm"
    assert history(opened, run.id, "loss") == [(step, 1 / (step + 1)) for step in range(300)]
    assert math.isnan(history(opened, run.id, "odd")[0][1])
    assert history(opened, run.id, "huge") == [(0, -math.inf)]
    assert kept(opened, run.id)["tables/a.csv"] == b"a,b\n"
    assert list((place / "spool").iterdir()) == []


def test_a_script_that_raises_leaves_a_failed_run_with_its_error(place: Path, opened: Store) -> None:
    with pytest.raises(ZeroDivisionError), track(place) as run:
        print(1 / 0)
    found = runs.get(opened, run.id)
    assert found.status == "failed"
    assert (
        found.error is not None and "ZeroDivisionError" in found.error["what"] and "test_run.py" in found.error["where"]
    )


def test_what_is_printed_is_kept(place: Path, opened: Store, capsys: pytest.CaptureFixture[str]) -> None:
    with track(place, console=True) as run:
        print("epoch 1: loss 0.5")
        sys.stderr.write("a warning\n")
    assert kept(opened, run.id)["console.txt"] == b"epoch 1: loss 0.5\na warning\n"
    assert capsys.readouterr().out == "epoch 1: loss 0.5\n"


def test_the_state_of_the_code_is_kept(place: Path, opened: Store) -> None:
    def git(*words: str) -> str:
        who = ("-c", "user.name=x", "-c", "user.email=x@example.com")
        return subprocess.run(["git", *who, *words], check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q")
    Path("train.py").write_text("depth = 3\n")
    git("add", "train.py")
    git("commit", "-qm", "first")
    Path("train.py").write_text("depth = 4\n")
    with track(place) as run:
        pass
    found = runs.get(opened, run.id)
    assert (found.code["commit"], found.code["dirty"]) == (git("rev-parse", "HEAD"), True)
    content = kept(opened, run.id)
    assert b"+depth = 4" in content["code/uncommitted.diff"]
    assert b"sqlalchemy==" in content["environment/packages.txt"].lower()


def test_system_metrics_seed_and_cost_are_kept(place: Path, opened: Store) -> None:
    drawn = []
    for _ in range(2):
        with track(place, system=True, seed=11, hourly_cost=3600.0) as run:
            drawn.append(random.random())
    assert drawn[0] == drawn[1]
    values = runs.metrics_of(opened, run.id)
    assert {"system/cpu_utilization_percentage", "system/disk_available_megabytes"} <= set(values)
    assert values["cost"] > 0
    assert runs.get(opened, run.id).params == {"seed": 11}


@pytest.mark.parametrize(
    "wrong",
    [
        lambda run: run.metrics({"": 1.0}),
        lambda run: run.metrics({"k" * 251: 1.0}),
        lambda run: run.metrics({"loss": "low"}),
        lambda run: run.params({"p": "x" * 6001}),
        lambda run: run.params({"p": "a\0b"}),
        lambda run: run.tags({"half a character \ud800": "t"}),
        lambda run: run.metrics({"loss": 0.5}, step=2**63),
        lambda run: run.file(b"x"),
        lambda run: run.file(b"x", "../../etc/passwd"),
        lambda run: run.file("/no/such/file"),
    ],
)
def test_what_cannot_be_logged_is_refused_at_once(place: Path, opened: Store, wrong: object) -> None:
    with track(place) as run, pytest.raises(DataError):
        wrong(run)  # type: ignore[operator]
    assert runs.get(opened, run.id).status == "done"


def test_a_server_takes_a_run_like_a_store(place: Path, opened: Store, server: Any) -> None:
    with server(place) as (_, address), track(address) as run:
        run.metrics({"loss": 0.5}, step=1)
        run.file(b"x" * 3_000_000, "model.bin")
    assert runs.get(opened, run.id).status == "done"
    assert len(kept(opened, run.id)["model.bin"]) == 3_000_000


def test_without_a_server_nothing_waits_and_nothing_is_lost(
    place: Path, opened: Store, server: Any, free_port: int, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(recorder, "END_TIMEOUT_S", 0.1)
    port = free_port
    with track(f"http://127.0.0.1:{port}") as run:
        for step in range(50):
            run.metrics({"loss": float(step)}, step=step)
    assert not run.delivered
    assert f"threefold sync --to http://127.0.0.1:{port}\n" in capsys.readouterr().err
    with server(place, port) as (_, address):
        command = [sys.executable, "-m", "threefold", "sync", "--to", address]
        assert subprocess.run(command, capture_output=True, check=False).returncode == 0
        again = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "nothing waits" in again.stdout
    assert history(opened, run.id, "loss") == [(step, float(step)) for step in range(50)]
    assert runs.get(opened, run.id).status == "done"


def test_a_server_that_dies_and_comes_back_has_each_point_once(
    place: Path, opened: Store, server: Any, free_port: int
) -> None:
    port = free_port
    steps = iter(range(10**6))

    def log(run: recorder.Run, count: int) -> None:
        for _ in range(count):
            step = next(steps)
            run.metrics({"loss": float(step)}, step=step)

    run = track(f"http://127.0.0.1:{port}")
    for _ in range(3):
        with server(place, port):
            log(run, 400)
            run._shipper.wait(run._spool.count - 300, 20)  # in the middle of the delivery the server is killed
    with server(place, port):
        log(run, 10)
        run.finish()
        assert run.delivered
    assert history(opened, run.id, "loss") == [(step, float(step)) for step in range(next(steps))]


SCRIPT = """
import sys, threefold
run = threefold.track("churn", to=sys.argv[1], system=False)
print(run.id, flush=True)
step = 0
while True:
    run.metrics({"loss": float(step)}, step=step)
    sys.__stdout__.write(f"{step}\\n")
    sys.__stdout__.flush()
    step += 1
"""


@pytest.mark.parametrize("after", [1, 700])
def test_a_killed_script_loses_nothing_it_was_told_is_kept(place: Path, opened: Store, after: int) -> None:
    with subprocess.Popen([sys.executable, "-c", SCRIPT, str(place)], stdout=subprocess.PIPE, text=True) as script:
        assert script.stdout is not None
        run_id = script.stdout.readline().strip()
        for _ in range(after):
            script.stdout.readline()
        script.kill()
        told = after + sum(line.endswith("\n") for line in script.stdout)
    left = deliver_left(place / "spool", StoreTarget(opened))
    assert [one.problem for one in left] == [None]
    found = history(opened, run_id, "loss")
    assert found == [(step, float(step)) for step in range(len(found))]
    assert len(found) >= told
    assert runs.get(opened, run_id).status == "interrupted"
    assert kept(opened, run_id)["console.txt"] == f"{run_id}\n".encode()


def test_the_next_run_takes_along_what_one_before_left(place: Path, opened: Store) -> None:
    code = SCRIPT.replace("while True:", "while step < 5:") + "import os; os._exit(1)"
    subprocess.run([sys.executable, "-c", code, str(place)], capture_output=True, check=False)
    (left,) = [folder.name for folder in (place / "spool").iterdir()]
    with track(place) as run:
        run.left.join(20)
    assert runs.get(opened, left).status == "interrupted"
    assert len(history(opened, left, "loss")) == 5
