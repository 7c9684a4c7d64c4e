"""Whatever learns, learns with one thread: our own candidates and those of a project."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

LATE = """
from threefold.training.threads import fixed_threads
with fixed_threads():
    import joblib
    import lightgbm
    from threadpoolctl import threadpool_info
    print({pool["num_threads"] for pool in threadpool_info()}, joblib.cpu_count(), lightgbm.sklearn._LGBMCpuCount())
"""


def test_a_library_that_a_candidate_imports_late_uses_one_thread_too() -> None:
    pytest.importorskip("lightgbm")
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    asked = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, env=environment, check=True)
    assert asked.stdout.split() == ["{1}", "1", "1"]


def test_the_environment_is_given_back() -> None:
    from threefold.training.threads import fixed_threads

    before = dict(os.environ)
    with fixed_threads():
        assert os.environ["OMP_NUM_THREADS"] == "1"
    assert dict(os.environ) == before
