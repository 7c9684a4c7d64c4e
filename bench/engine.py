"""Engine cost: 100 trivial steps, first run and unchanged, as a whole process and per step inside it.

    .venv/bin/python bench/engine.py [runs]

Prints medians and extremes. Targets: at most 10 ms a step first, at most 0.5 s in all (process start included)
unchanged.
"""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STEPS = 100
PROJECT = "".join(f"def step_{n}(count):\n    return count + {n}\n\n\n" for n in range(STEPS - 1))
RUN = f"""
import atexit, gc, sys, time
from pathlib import Path
began = time.perf_counter()
atexit.register(gc.freeze)  # as the command line does: a collector that walks all of SQLAlchemy at the end costs 0.1 s
root = Path(sys.argv[1])
sys.path.insert(0, str(root))
import steps
from threefold.pipeline.engine import run
from threefold.pipeline.step import Step
from threefold.store import Store
imported = time.perf_counter()
store = Store.open(root / ".threefold")
opened = time.perf_counter()
graph = [Step("count", steps.count)]
graph += [Step(f"step_{{n}}", getattr(steps, f"step_{{n}}"), inputs={{"count": "count"}}) for n in range({STEPS - 1})]
outcome = run(store, graph, root=root, project="bench")
done = time.perf_counter()
ran = sum(one.status == "ran" for one in outcome.executions)
print(__import__("json").dumps(dict(imports=imported - began, open=opened - imported, run=done - opened, ran=ran)))
"""


def measure(folder: Path) -> dict[str, float]:
    began, cpu = time.perf_counter(), cpu_s()
    said = subprocess.run([sys.executable, "-c", RUN, str(folder)], check=True, capture_output=True, text=True).stdout
    return {**json.loads(said), "process": time.perf_counter() - began, "cpu": cpu_s() - cpu}


def cpu_s() -> float:
    """User and system seconds of all children so far; on a busy machine this repeats, and wall time does not."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def show(title: str, samples: list[dict[str, float]], ran: int) -> None:
    assert all(sample["ran"] == ran for sample in samples), "the wrong number of steps ran"
    print(f"{title} ({len(samples)} runs, {ran} of {STEPS} steps executed)")
    for name, per in (("process", 1), ("cpu", 1), ("imports", 1), ("open", 1), ("run", 1), ("run per step", STEPS)):
        values = [sample[name.removesuffix(" per step")] / per * 1000 for sample in samples]
        print(f"  {name:13} median {statistics.median(values):8.2f} ms   {min(values):8.2f} to {max(values):8.2f}")


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    first, unchanged = [], []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "steps.py").write_text("def count():\n    return 1\n\n\n" + PROJECT)
            first.append(measure(folder))
            unchanged.append(measure(folder))
    show("first run", first, STEPS)
    show("unchanged", unchanged, 0)
    per_step = statistics.median(sample["process"] for sample in first) / STEPS * 1000
    again = statistics.median(sample["process"] for sample in unchanged)
    print(f"whole process, first run: {per_step:.2f} ms a step (target 10); unchanged: {again:.3f} s (target 0.5)")


if __name__ == "__main__":
    main()
