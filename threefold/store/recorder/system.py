"""What the machine does while a run runs: processor, memory, disk, accelerators where there are any; and what it costs."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

EVERY_S = 10.0
FIRST_S = 1.0  # a short run has a curve, too
MB = 1_000_000
GPU_QUERY = "utilization.gpu,memory.used,memory.total,power.draw"

SYSTEM = "system/"  # how the names of what the machine does begin
WALL, CPU, COST = "system/wall_seconds", "system/cpu_seconds", "cost"
CURRENCY = "cost.currency"  # the tag of a run that says in which currency it is


@dataclass(frozen=True, slots=True)
class Price:
    """What an hour of this machine costs, and in which currency: three letters, or empty."""

    hourly: float
    currency: str = ""


def currency_of(price: Price | None) -> dict[str, str]:
    """The tag of a run that says in which currency its cost is; none where nobody said."""
    return {CURRENCY: price.currency} if price and price.currency else {}


@dataclass(frozen=True, slots=True)
class Spent:
    """What a run took.

    Attributes:
        cpu_s: seconds of processors, of all its threads and of the commands it started together.
        cost: None where nobody said what an hour costs.
    """

    wall_s: float
    cpu_s: float
    cost: float | None = None
    currency: str = ""

    def __str__(self) -> str:
        cost = "" if self.cost is None else f", {self.cost:.4g} {self.currency}".rstrip()
        return f"{self.wall_s:.1f} s, {self.cpu_s:.1f} s of processors{cost}"


def spent(values: Mapping[str, float], tags: Mapping[str, str]) -> Spent | None:
    """What a run took, from its metrics and tags; None where it did not record that.

    >>> str(spent({"system/wall_seconds": 9.0, "system/cpu_seconds": 12.5, "cost": 0.001}, {"cost.currency": "EUR"}))
    '9.0 s, 12.5 s of processors, 0.001 EUR'
    """
    if WALL not in values or CPU not in values:
        return None
    return Spent(values[WALL], values[CPU], values.get(COST), tags.get(CURRENCY, ""))


@dataclass(frozen=True, slots=True)
class Meter:
    """Time and money since it was made.

    Attributes:
        price: None: nobody said what an hour costs.
    """

    price: Price | None = None
    began: float = field(default_factory=time.monotonic)
    cpu_before_s: float = field(default_factory=lambda: _cpu_s())

    @property
    def wall_s(self) -> float:
        """Seconds by the clock on the wall."""
        return time.monotonic() - self.began

    def read(self) -> dict[str, float]:
        """Wall seconds; processor seconds of this process and of commands it has ended; the cost, where it is known."""
        wall_s = self.wall_s
        cost = {} if self.price is None else {COST: self.price.hourly * wall_s / 3600}
        return {WALL: wall_s, CPU: _cpu_s() - self.cpu_before_s, **cost}


class Watching:
    """A thread that looks at the machine after a second, and then every few, until it is ended.

    Args:
        say: takes name -> value; the names are those of MLflow's system metrics.
        folder: whose disk is looked at; None: the machine is nobody's matter, and `say` is called with nothing.
    """

    def __init__(
        self, say: Callable[[Mapping[str, float]], None], folder: Path | None, every_s: float | None = None
    ) -> None:
        self._say, self._folder, self._every_s = say, folder, EVERY_S if every_s is None else every_s
        self._last: dict[str, float] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name="system metrics", daemon=True)
        self._thread.start()

    def end(self) -> dict[str, float]:
        """Stop; returns a last look, which is not said."""
        self._ending.set()
        self._thread.join()
        return self._last

    def _work(self) -> None:
        if self._folder is not None:
            import psutil  # 10 ms, which the thread pays; only who looks does

            psutil.cpu_percent()  # from here on it counts what the processors do
        pause_s = min(FIRST_S, self._every_s)
        while not self._ending.wait(pause_s):
            self._say(self._look())
            pause_s = self._every_s
        self._last = self._look()

    def _look(self) -> dict[str, float]:
        return {} if self._folder is None else sample(self._folder)


def sample(folder: Path) -> dict[str, float]:
    """One look at the machine, the disk being that of a folder; the processors count since this thread looked last."""
    import psutil  # see above

    memory, disk = psutil.virtual_memory(), psutil.disk_usage(str(folder))
    return {
        "system/cpu_utilization_percentage": psutil.cpu_percent(),
        "system/system_memory_usage_megabytes": memory.used / MB,
        "system/system_memory_usage_percentage": memory.percent,
        "system/process_memory_megabytes": psutil.Process().memory_info().rss / MB,
        "system/disk_usage_megabytes": disk.used / MB,
        "system/disk_usage_percentage": disk.percent,
        "system/disk_available_megabytes": disk.free / MB,
        **gpus(),
    }


def gpus() -> dict[str, float]:
    """The same of each accelerator that nvidia-smi knows; empty where there is none."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return {}
    try:
        asked = [command, f"--query-gpu={GPU_QUERY}", "--format=csv,noheader,nounits"]
        text = subprocess.run(asked, capture_output=True, text=True, timeout=5, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    return parsed(text)


def parsed(text: str) -> dict[str, float]:
    """The lines of nvidia-smi as metrics.

    >>> parsed("37, 1024, 4096, 71.5")["system/gpu_0_utilization_percentage"]
    37.0
    """
    found: dict[str, float] = {}
    names = ("utilization_percentage", "memory_usage_megabytes", "memory_total_megabytes", "power_usage_watts")
    for number, line in enumerate(text.strip().splitlines()):
        for name, value in zip(names, line.split(","), strict=False):
            try:
                found[f"system/gpu_{number}_{name}"] = float(value)
            except ValueError:
                continue  # "[N/A]": this accelerator does not tell
    return found


def _cpu_s() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system
