"""One thread for learning.

Sums over rows depend on how many threads share them, so a model would differ in its last digits from one machine to
the next, and `threefold reproduce` could not tell an honest rebuild from a changed one. And threads that wait for one
another spin: beside one busy neighbour, a fit of 70,000 rows took 26 s with two threads and 1.7 s with one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

THREADS = 1


@contextmanager
def fixed_threads() -> Iterator[None]:
    """Let BLAS and OpenMP use one thread inside the block."""
    import sklearn.ensemble  # noqa: F401  # the limit reaches only libraries that are loaded: OpenMP comes with this
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

    with threadpool_limits(THREADS):
        yield
