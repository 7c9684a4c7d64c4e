"""A small client of the data plane: predictions and labels over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from types import TracebackType
from typing import Any

import httpx
import msgspec
import polars as pl

from threefold.data.split import ID
from threefold.errors import ThreefoldError
from threefold.features.building import AT
from threefold.records import TaskSpec


class Client:
    """Talks to one endpoint of a running server.

    >>> Client("http://127.0.0.1:1", "flight-delays").url
    'http://127.0.0.1:1/v2/models/flight-delays/infer'
    """

    def __init__(self, address: str, endpoint: str) -> None:
        self.address = address
        self.endpoint = endpoint
        self.url = f"{address}/v2/models/{endpoint}/infer"
        self._http = httpx.Client(timeout=60)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def predict(self, frame: pl.DataFrame, task: TaskSpec, *, request_id: str | None = None) -> dict[str, Any]:
        """Ask for the predictions of some feature rows.

        Args:
            frame: the features, with `_id` and `_at` naming each prediction and its moment.
        Returns:
            The answer of the server, as the protocol has it.
        Raises:
            ThreefoldError: the server refused, or is not there.
        """
        body = {"id": request_id, "inputs": list(_tensors(frame, task))}
        return self._post(self.url, body)

    def feedback(self, ids: list[str], values: list[str], times: list[datetime]) -> None:
        """Hand in labels that have become known. Those that are no outcome of the model are left out by the server."""
        labels = [
            {"id": one, "value": value, "time": time.isoformat()}
            for one, value, time in zip(ids, values, times, strict=True)
        ]
        if labels:
            self._post(f"{self.address}/feedback/{self.endpoint}", {"labels": labels})

    def routing(self) -> dict[str, Any]:
        """What the server serves at this moment."""
        answer: dict[str, Any] = self._http.get(f"{self.address}/v2/models/{self.endpoint}/routing").json()
        return answer

    def _post(self, url: str, body: dict[str, Any]) -> dict[str, Any]:
        content = msgspec.json.encode({key: value for key, value in body.items() if value is not None})
        try:
            answer = self._http.post(url, content=content, headers={"content-type": "application/json"})
        except httpx.TransportError as error:
            raise ThreefoldError(
                f"the server does not answer: {error}", self.address, "start it: threefold serve"
            ) from error
        if answer.status_code >= 400 and "refused_count" not in answer.text:
            raise ThreefoldError(
                f"the server answered {answer.status_code}: {answer.text[:300]}", url, "mend the request"
            )
        parsed: dict[str, Any] = msgspec.json.decode(answer.content)
        return parsed


def _tensors(frame: pl.DataFrame, task: TaskSpec) -> Iterator[dict[str, Any]]:
    shape = [frame.height, 1]
    for spec in task.features:
        datatype = "FP32" if spec.kind == "number" else "BYTES"
        column = frame[spec.name]
        data = column.fill_nan(None).to_list() if spec.kind == "number" else column.fill_null("").to_list()
        yield {"name": spec.name, "datatype": datatype, "shape": shape, "data": data}
    yield {"name": "prediction_id", "datatype": "BYTES", "shape": shape, "data": frame[ID].to_list()}
    if frame[AT].null_count() == 0:
        times = frame[AT].dt.strftime("%Y-%m-%dT%H:%M:%S").to_list()
        yield {"name": "prediction_time", "datatype": "BYTES", "shape": shape, "data": times}
