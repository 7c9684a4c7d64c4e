"""One thread for learning.

Sums over rows depend on how many threads share them, so a model would differ in its last digits from one machine to
the next, and `threefold reproduce` could not tell an honest rebuild from a changed one. And threads that wait for one
another spin: beside one busy neighbour, a fit of 70,000 rows took 26 s with two threads and 1.7 s with one.

A library that is loaded only inside the block, as by the project's own `import lightgbm` in a function, reads the number
of its threads from the environment at that moment; one that asks joblib how many processors there are is told of one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

THREADS = 1
VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",  # what joblib answers, and with it `n_jobs=-1` of scikit-learn, LightGBM and XGBoost
)


@contextmanager
def fixed_threads() -> Iterator[None]:
    """Let BLAS and OpenMP use one thread inside the block."""
    import sklearn.ensemble  # noqa: F401  # the limit reaches only libraries that are loaded: OpenMP comes with this
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

    with _environment(), threadpool_limits(THREADS):
        yield


@contextmanager
def _environment() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in VARIABLES}
    os.environ.update(dict.fromkeys(VARIABLES, str(THREADS)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
