"""What the machine does while a run runs: processor, memory, disk, and accelerators where there are any."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

EVERY_S = 10.0
MB = 1_000_000
GPU_QUERY = "utilization.gpu,memory.used,memory.total,power.draw"


class Watching:
    """Samples every few seconds until it is ended. The names are those of MLflow's system metrics.

    Args:
        say: takes name -> value.
        folder: whose disk is looked at.
    """

    def __init__(self, say: Callable[[Mapping[str, float]], None], folder: Path, every_s: float = EVERY_S) -> None:
        self._say, self._folder, self._every_s = say, folder, every_s
        self._ending = threading.Event()
        self._process = psutil.Process()
        self._thread = threading.Thread(target=self._work, name="system metrics", daemon=True)
        psutil.cpu_percent()  # the first call only sets the mark from which the next one counts
        self._thread.start()

    def end(self) -> None:
        """Take a last sample and stop."""
        self._ending.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._ending.wait(self._every_s):
            self._say(self.sample())
        self._say(self.sample())

    def sample(self) -> dict[str, float]:
        """One look."""
        memory, disk = psutil.virtual_memory(), psutil.disk_usage(str(self._folder))
        return {
            "system/cpu_utilization_percentage": psutil.cpu_percent(),
            "system/system_memory_usage_megabytes": memory.used / MB,
            "system/system_memory_usage_percentage": memory.percent,
            "system/process_memory_megabytes": self._process.memory_info().rss / MB,
            "system/process_cpu_seconds": time.process_time(),
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
