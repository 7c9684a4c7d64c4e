"""A fixed number of threads for learning.

Sums over rows depend on how many threads share them. Two threads give the same sums whichever of them is done first;
with more, a model would differ in its last digits from one run to the next, and `threefold reproduce` could not tell
an honest rebuild from a changed one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

THREADS = 2


@contextmanager
def fixed_threads() -> Iterator[None]:
    """Let BLAS and OpenMP use two threads at most inside the block."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

    with threadpool_limits(THREADS):
        yield
