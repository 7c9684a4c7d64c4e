"""A server of Threefold's as the target of a spool."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from threefold.errors import DataError
from threefold.store.pieces import pieces_at
from threefold.store.recorder.shipping import Unreachable
from threefold.store.recorder.taking import Numbered

PATH = "/api/threefold/spool"
TIMEOUT_S = 30.0


class HttpTarget:
    """What `threefold up` answers at an address, as in "http://127.0.0.1:5000"."""

    def __init__(self, address: str) -> None:
        self.name = address
        self._client = httpx.Client(base_url=address, timeout=TIMEOUT_S)

    def taken(self, run_id: str) -> int:
        """See Target."""
        return int(self._ask("GET", f"{PATH}/{run_id}")["taken"])

    def send_file(self, digest: str, path: Path) -> None:
        """See Target."""
        if not self._ask("GET", f"{PATH}/files/{digest}")["here"]:
            self._ask("PUT", f"{PATH}/files/{digest}", content=pieces_at(path))

    def send(self, run_id: str, records: Numbered) -> int:
        """See Target."""
        return int(self._ask("POST", f"{PATH}/{run_id}", json={"records": [list(one) for one in records]})["taken"])

    def close(self) -> None:
        """See Target."""
        self._client.close()

    def _ask(self, method: str, path: str, **what: Any) -> Any:
        try:
            answer = self._client.request(method, path, **what)
        except httpx.HTTPError as error:
            said = f"the server cannot be reached: {type(error).__name__}"
            raise Unreachable(said, self.name, "start it with: threefold up; it is tried again") from error
        if answer.status_code >= 500:
            raise Unreachable(
                f"the server answered {answer.status_code}", self.name, "see its output; it is tried again"
            )
        if answer.status_code != 200:
            raise DataError(f"the server refused: {answer.text[:300]}", f"{self.name}{path}", "see what it says")
        return answer.json()
