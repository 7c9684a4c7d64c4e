"""What a run prints, does to its machine and costs is kept with it, while it goes and after a kill."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from threefold.design.canvas import CommandStep
from threefold.errors import StepFailed
from threefold.pipeline import runs
from threefold.pipeline.step import Step
from threefold.store import Store
from threefold.store.recorder import system
from threefold.store.recorder.spool import FOLDER
from threefold.store.recorder.system import Price, spent


def text_of(store: Store, run_id: str, path: str = "console.txt") -> str:
    files = runs.files_of(store, run_id)
    return store.objects.get(files[path][0]).decode() if path in files else ""


def speak() -> int:
    print("fitting")
    sys.stderr.write("a warning\n")
    return 1


def test_what_a_step_prints_is_kept_and_still_shown(project: Any, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = project.run([Step("speak", speak)])
    assert text_of(project.store, outcome.run_id) == "fitting\na warning\n"
    assert capsys.readouterr() == ("fitting\n", "a warning\n")
    assert not (project.store.root / FOLDER / outcome.run_id).exists()


def test_what_a_command_prints_is_kept(project: Any, capsys: pytest.CaptureFixture[str]) -> None:
    command = CommandStep(name="say", run="echo loud; echo low >&2; touch {done.txt}", inputs=(), outputs=("done.txt",))
    outcome = project.run([Step("say", command)])
    assert text_of(project.store, outcome.run_id) == "loud\nlow\n"
    assert capsys.readouterr().out == ""


def test_a_run_that_fails_keeps_what_it_printed(project: Any) -> None:
    def fail() -> None:
        print("so far")
        raise ValueError("no")

    with pytest.raises(StepFailed):
        project.run([Step("fail", fail)])
    (run,) = runs.list_runs(project.store)
    assert run.status == "failed"
    assert text_of(project.store, run.id) == "so far\n"


def test_machine_seconds_and_cost_are_kept(project: Any) -> None:
    outcome = project.run([Step("speak", speak)], price=Price(3600.0, "EUR"), files={"code/uncommitted.diff": b"+1\n"})
    values, run = runs.metrics_of(project.store, outcome.run_id), runs.get(project.store, outcome.run_id)
    assert {"system/cpu_utilization_percentage", "system/disk_available_megabytes"} <= set(values)
    took = spent(values, run.tags)
    assert took is not None and took.currency == "EUR"
    assert took.cost == pytest.approx(took.wall_s)
    assert text_of(project.store, outcome.run_id, "code/uncommitted.diff") == "+1\n"
    assert run.tags["machine.host"] == run.host


def test_without_a_price_a_run_has_seconds_and_no_cost(project: Any) -> None:
    outcome = project.run([Step("speak", speak)])
    took = spent(runs.metrics_of(project.store, outcome.run_id), {})
    assert took is not None and took.wall_s > 0 and took.cost is None


def test_a_run_can_be_read_while_it_goes(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "EVERY_S", 0.05)
    looked = threading.Event()
    look = system.Watching._look

    def looking(self: system.Watching) -> dict[str, float]:
        found = look(self)
        looked.set()
        return found

    monkeypatch.setattr(system.Watching, "_look", looking)
    seen = []

    def watch() -> int:
        print("halfway", flush=True)
        looked.clear()
        run = runs.current.get()
        while not (said := text_of(project.store, run)):  # type: ignore[arg-type]  # there is a run
            assert looked.wait(20)
            looked.clear()
        seen.append((said, runs.metrics_of(project.store, run)))  # type: ignore[arg-type]
        return 1

    project.run([Step("watch", watch)])
    ((said, values),) = seen
    assert said == "halfway\n" and "system/process_memory_megabytes" in values


KILLED = """
import os, sys
from pathlib import Path
sys.dont_write_bytecode = True
from threefold.pipeline.engine import run
from threefold.pipeline.step import Step
from threefold.store import Store
def die():
    print("the last word")
    os.kill(os.getpid(), 9)
root = Path(sys.argv[1])
run(Store.open(root / ".threefold"), [Step("die", die)], root=root, project="test")
"""


def test_a_killed_run_keeps_what_it_had_printed(tmp_path: Path) -> None:
    (tmp_path / "killed.py").write_text(KILLED)
    code = "import sys, runpy; sys.argv = ['killed.py', sys.argv[1]]; runpy.run_path(sys.argv[1] + '/killed.py')"
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, env=os.environ, check=False)
    assert done.returncode == -9
    store = Store.open(tmp_path / ".threefold")
    (run,) = runs.list_runs(store)
    assert run.status == "interrupted"
    assert text_of(store, run.id) == "the last word\n"
    assert list((store.root / FOLDER).iterdir()) == []
    store.close()
