"""The output of a script, written twice: where it always goes, and into a file of the run's."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

KEPT_BYTES = 8 * 1024 * 1024  # then the file ends with a word about it: a progress bar can fill a disk
NAME = "console.txt"
RATE = 10_000  # bytes a second: how fast a growing file is handed on again and again, as each time costs all of it


class Copied:
    """Standard output and standard error with a copy of what is written, in a file that outlives the process.

    Attributes:
        file: where the copy lies; what was printed is there before the call that printed it comes back.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._file = file.open("ab", buffering=0)
        self._left = KEPT_BYTES
        self._handed, self._next = 0, 0.0  # bytes that were handed on, and when it may be done again
        self._lock = threading.Lock()
        self._before = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = _Twice(sys.stdout, self.keep), _Twice(sys.stderr, self.keep)

    def end(self) -> None:
        """Give the streams back."""
        sys.stdout, sys.stderr = self._before
        with self._lock:
            self._left = 0
            self._file.close()

    def due(self) -> bool:
        """Whether to hand the file on now, as there is more in it than the last time; the longer it is, the more rarely."""
        with self._lock:
            size = KEPT_BYTES - self._left
            if size == self._handed or time.monotonic() < self._next:
                return False
            self._handed, self._next = size, time.monotonic() + size / RATE
            return True

    def keep(self, text: str | bytes) -> None:
        """Add to the file what is not printed here, as the output of a command that the run has started."""
        data = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
        with self._lock:
            if self._left <= 0:
                return
            self._left -= len(data)
            note = b"\n(more was printed; only the beginning is kept)\n" if self._left <= 0 else b""
            with contextlib.suppress(OSError):  # a full disk must not end the script that prints
                self._file.write(data + note)


class _Twice:
    def __init__(self, stream: TextIO, keep: Callable[[str], None]) -> None:
        self._stream = stream
        self._keep = keep

    def write(self, text: str) -> int:
        self._keep(text)
        return self._stream.write(text)

    def writelines(self, texts: Any) -> None:
        for text in texts:
            self.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
