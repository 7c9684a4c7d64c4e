"""Where events go: a file, or a URL by way of a spool on the disk, in order, without holding up who tells them."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

SPOOL = "openlineage.jsonl"  # in the store's folder: what a URL has not taken yet, oldest first
PATH = "/api/v1/lineage"  # where servers of OpenLineage listen, where the setting names only a host
TIMEOUT_S = 5
LATER = (401, 403, 404, 408, 429)  # answers that somebody can mend on the other side
JSON = {"Content-Type": "application/json"}
CLOSING_S = 2  # what a run waits at its end for the last events; the rest goes with the next run


class Outbox:
    """Takes events. A URL that does not answer costs nothing: what it did not take is told again the next time.

    Args:
        target: a file, or a URL that begins with http.
        folder: where the spool lies.
    """

    def __init__(self, target: str, folder: Path) -> None:
        self.url = _url(target) if target.startswith(("http://", "https://")) else None
        self.file = folder / SPOOL if self.url else Path(target)
        self._lock = FileLock(folder / f"{SPOOL}.lock")
        self._sending = FileLock(folder / f"{SPOOL}.sending")
        self._wake, self._over = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def put(self, event: Mapping[str, Any]) -> None:
        """Keep an event on the disk; sending is another thread's matter."""
        line = json.dumps(event, ensure_ascii=False) + "\n"
        with self._lock, self.file.open("a", encoding="utf-8") as file:
            file.write(line)
        if self.url is not None:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="openlineage", daemon=True)
                self._thread.start()
            self._wake.set()

    def close(self, timeout_s: float = CLOSING_S) -> None:
        """Give the last events a moment; what is not taken by then waits for the next run."""
        if self._thread is not None:
            self._over.set()
            self._wake.set()
            self._thread.join(timeout_s)

    def send(self) -> int:
        """Send what waits, in order, until the URL refuses; returns how many events it took."""
        try:
            with self._sending.acquire(blocking=False):  # another process is at it: events must not be told twice
                return self._send()
        except Timeout:
            return 0

    def _work(self) -> None:
        while not self._over.is_set():
            self._wake.wait()
            self._wake.clear()
            with contextlib.suppress(OSError):
                self.send()
        with contextlib.suppress(OSError):
            self.send()

    def _send(self) -> int:
        with self._lock:
            lines = self.file.read_text(encoding="utf-8").splitlines() if self.file.is_file() else []
        import httpx  # costs 100 ms, which only who sends to a URL pays

        taken = 0
        with httpx.Client(timeout=TIMEOUT_S) as client:
            for line in lines:
                try:
                    answer = client.post(str(self.url), content=line.encode(), headers=JSON)
                except httpx.HTTPError:
                    break
                if answer.status_code >= 500 or answer.status_code in LATER:
                    break
                taken += 1  # what a server calls wrong it will call wrong again, and must not hold up all others
        if taken:
            with self._lock:
                left = self.file.read_text(encoding="utf-8").splitlines(keepends=True)[taken:]
                self.file.write_text("".join(left), encoding="utf-8")
        return taken


def _url(target: str) -> str:
    return target.rstrip("/") + PATH if urlsplit(target).path in ("", "/") else target
