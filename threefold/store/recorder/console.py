"""The output of a script, written twice: where it always goes, and into a file of the run's."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

KEPT_BYTES = 8 * 1024 * 1024  # then the file ends with a word about it: a progress bar can fill a disk
NAME = "console.txt"


class Copied:
    """Standard output and standard error with a copy of what is written, in a file that outlives the process."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("ab", buffering=0)
        self._left = KEPT_BYTES
        self._lock = threading.Lock()
        self._before = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = _Twice(sys.stdout, self._keep), _Twice(sys.stderr, self._keep)

    def end(self) -> None:
        """Give the streams back."""
        sys.stdout, sys.stderr = self._before
        with self._lock:
            self._left = 0
            self._file.close()

    def _keep(self, text: str) -> None:
        data = text.encode("utf-8", "replace")
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
