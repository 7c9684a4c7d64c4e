"""Whole-process time of `threefold --help`: the median over fresh processes, with the spread.

.venv/bin/python bench/startup.py [runs]
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

COMMAND = (str(Path(sys.executable).with_name("threefold")), "--help")
BARE = (sys.executable, "-c", "pass")


def seconds(command: tuple[str, ...]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main(runs: int = 21) -> None:
    for command in (COMMAND, BARE):
        seconds(command)  # the first one fills the caches of the disk and writes the byte code
    helped, bare = [], []
    for _ in range(runs):  # taken in turn, so that a busy moment hits both
        helped.append(seconds(COMMAND))
        bare.append(seconds(BARE))
    for name, times in (("threefold --help", helped), ("bare python", bare)):
        low, middle, high = min(times), statistics.median(times), max(times)
        print(f"{name:<18} median {1000 * middle:4.0f} ms   fastest {1000 * low:4.0f}   slowest {1000 * high:4.0f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
