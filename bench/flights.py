"""The flight project as a whole: the demo, its memory, and what an unchanged run costs.

.venv/bin/python bench/flights.py [demos] [unchanged runs]
"""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

THREEFOLD = str(Path(sys.executable).with_name("threefold"))


def seconds(*words: str) -> float:
    began = time.perf_counter()
    subprocess.run((THREEFOLD, *words), check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def executed(folder: Path) -> int:
    """How many steps a run executes."""
    told = subprocess.run((THREEFOLD, "-C", folder, "run", "--json"), check=True, capture_output=True, text=True)
    return sum(step["status"] == "ran" for step in json.loads(told.stdout)["steps"])


def told(name: str, times: list[float]) -> None:
    low, middle, high = min(times), statistics.median(times), max(times)
    print(f"{name:<32} median {middle:7.2f} s   fastest {low:7.2f}   slowest {high:7.2f}   runs {len(times)}")


def main(demos: int = 1, runs: int = 7) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "flights"
        whole = [seconds("demo", "--into", str(folder)) for _ in range(demos)]
        told("threefold demo", whole)
        peak_kb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        print(f"{'largest process of the demo':<32} {peak_kb / 1e6:.2f} GB")
        told("threefold run, all data, first", [seconds("-C", str(folder), "run")])
        told("threefold run, unchanged", [seconds("-C", str(folder), "run") for _ in range(runs)])
        print(f"{'steps executed when unchanged':<32} {executed(folder)}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
