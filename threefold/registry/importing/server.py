"""MLflow's history behind the address of a server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx

from threefold.errors import DataError, NotFound
from threefold.registry.importing.database import model_id_of
from threefold.registry.importing.history import Experiment, Files, LoggedModel, Model, Run, Version, as_logged
from threefold.registry.importing.local_files import PROXIED
from threefold.store.pieces import PIECE_BYTES
from threefold.store.tracking.metrics import Point
from threefold.store.tracking.reading import DatasetUse

API, PROXY = "/api/2.0/mlflow", "/api/2.0/mlflow-artifacts/artifacts"
PAGE, POINTS = 1000, 25_000
TIMEOUT_S = 120.0


class ServerHistory:
    """Asks a server as any client would.

    Raises:
        DataError: nothing answers there, or not as MLflow would.
    """

    def __init__(self, address: str) -> None:
        self.name = address
        self._client = httpx.Client(base_url=address.rstrip("/"), timeout=TIMEOUT_S)
        self._runs: dict[str, Mapping[str, Any]] = {}

    def experiments(self) -> list[Experiment]:
        """See History."""
        rows = self._pages("POST", f"{API}/experiments/search", "experiments", {"view_type": "ALL"})
        return [
            Experiment(
                str(row["experiment_id"]), row["name"], int(row.get("creation_time") or 0),
                int(row.get("last_update_time") or 0), row.get("lifecycle_stage") == "deleted", _pairs(row.get("tags")),
            )
            for row in rows
        ]  # fmt: skip

    def run_ids(self, experiment: Experiment) -> list[str]:
        """See History."""
        asked = {"experiment_ids": [experiment.key], "run_view_type": "ALL"}
        self._runs = {row["info"]["run_id"]: row for row in self._pages("POST", f"{API}/runs/search", "runs", asked)}
        return list(self._runs)

    def run(self, experiment: Experiment, run_id: str) -> Run:
        """See History."""
        row = self._runs.get(run_id) or self._ask("GET", f"{API}/runs/get", {"run_id": run_id})["run"]
        info, data = row["info"], row.get("data") or {}
        tags = _pairs(data.get("tags"))
        names = [one["key"] for one in data.get("metrics") or ()]
        made = (row.get("outputs") or {}).get("model_outputs") or ()
        used = (row.get("inputs") or {}).get("model_inputs") or ()
        return Run(
            id=run_id, name=tags.get("mlflow.runName") or info.get("run_name") or "", user=info.get("user_id") or "",
            status=info.get("status") or "RUNNING", started_ms=int(info.get("start_time") or 0),
            ended_ms=int(info["end_time"]) if info.get("end_time") else None,
            deleted=info.get("lifecycle_stage") == "deleted", root=info.get("artifact_uri") or "",
            params=_pairs(data.get("params")), tags=tags,
            points=tuple(point for name in names for point in self._points(run_id, name)),
            datasets=tuple(_dataset(one) for one in (row.get("inputs") or {}).get("dataset_inputs") or ()),
            models=(
                *(("output", one["model_id"], int(one.get("step") or 0)) for one in made),
                *(("input", one["model_id"], 0) for one in used),
            ),
        )  # fmt: skip

    def logged_models(self, experiment: Experiment) -> list[LoggedModel]:
        """See History."""
        try:
            rows = self._pages(
                "POST", f"{API}/logged-models/search", "models", {"experiment_ids": [experiment.key]}, 50
            )
        except NotFound:
            return []  # a server before 3.0
        return [_logged_model(row["info"], row.get("data") or {}) for row in rows]

    def models(self) -> list[Model]:
        """See History."""
        rows = self._pages("GET", f"{API}/registered-models/search", "registered_models", {}, 100)
        return [
            Model(
                row["name"], row.get("description") or None, int(row.get("creation_timestamp") or 0),
                int(row.get("last_updated_timestamp") or 0), _pairs(row.get("tags")),
                {one["alias"]: int(one["version"]) for one in row.get("aliases") or ()}, tuple(self._versions(row["name"])),
            )
            for row in rows
        ]  # fmt: skip

    def files(self, root: str) -> Files | None:
        """See History."""
        if not root.startswith(PROXIED):
            return None
        path = root.removeprefix(PROXIED).lstrip("/")
        return self._walk(path, path)

    def close(self) -> None:
        """See History."""
        self._client.close()

    def _versions(self, name: str) -> Iterator[Version]:
        quoted = name.replace("'", "\\'")
        asked = {"filter": f"name='{quoted}'"}
        for row in self._pages("GET", f"{API}/model-versions/search", "model_versions", asked):
            source = row.get("source") or ""
            yield Version(
                number=int(row["version"]), source=source, run_id=row.get("run_id") or "",
                model_id=row.get("model_id") or model_id_of(source), stage=row.get("current_stage") or "None",
                description=row.get("description") or None, run_link=row.get("run_link") or None,
                user=row.get("user_id") or "", created_ms=int(row.get("creation_timestamp") or 0),
                updated_ms=int(row.get("last_updated_timestamp") or 0), tags=_pairs(row.get("tags")),
            )  # fmt: skip

    def _points(self, run_id: str, name: str) -> Iterator[Point]:
        asked = {"run_id": run_id, "metric_key": name}
        for row in self._pages("GET", f"{API}/metrics/get-history", "metrics", asked, POINTS):
            yield Point(
                name, as_logged(float(row["value"])), int(row.get("step") or 0), int(row.get("timestamp") or 0),
                row.get("model_id") or None, row.get("dataset_name") or None, row.get("dataset_digest") or None,
            )  # fmt: skip

    def _walk(self, top: str, path: str) -> Files:
        for entry in self._ask("GET", PROXY, {"path": path}).get("files") or ():
            below = f"{path}/{entry['path'].rsplit('/', 1)[-1]}"
            if entry.get("is_dir"):
                yield from self._walk(top, below)
            else:
                yield below.removeprefix(f"{top}/"), self._download(below)

    def _download(self, path: str) -> Iterator[bytes]:
        try:
            with self._client.stream("GET", f"{PROXY}/{quote(path)}") as answer:
                if answer.status_code != 200:
                    raise DataError(
                        f"the file {path} was answered with {answer.status_code}", self.name, "see its output"
                    )
                yield from answer.iter_bytes(PIECE_BYTES)
        except httpx.HTTPError as error:
            raise self._away(error) from error

    def _pages(self, method: str, path: str, what: str, asked: Mapping[str, Any], size: int = PAGE) -> Iterator[Any]:
        token = ""
        while True:
            page = self._ask(method, path, {**asked, "max_results": size, **({"page_token": token} if token else {})})
            yield from page.get(what) or ()
            token = page.get("next_page_token") or ""
            if not token:
                return

    def _ask(self, method: str, path: str, asked: Mapping[str, Any]) -> Any:
        try:
            given: dict[str, Any] = {"params": asked} if method == "GET" else {"json": asked}
            answer = self._client.request(method, path, **given)
        except httpx.HTTPError as error:
            raise self._away(error) from error
        if answer.status_code == 404:
            raise NotFound(f"{path} is not there", self.name, "is it the address of an MLflow server?")
        if answer.status_code != 200:
            raise DataError(
                f"{path} was answered with {answer.status_code}: {answer.text[:300]}", self.name, "see its output"
            )
        try:
            return answer.json()
        except ValueError:
            raise DataError(
                f"{path} was not answered in JSON", self.name, "is it the address of an MLflow server?"
            ) from None

    def _away(self, error: httpx.HTTPError) -> DataError:
        return DataError(f"nothing answers: {type(error).__name__}", self.name, "start the server, and call this again")


def _logged_model(info: Mapping[str, Any], data: Mapping[str, Any]) -> LoggedModel:
    status = info.get("status") or 1
    named = {"LOGGED_MODEL_PENDING": 1, "LOGGED_MODEL_READY": 2, "LOGGED_MODEL_UPLOAD_FAILED": 3}
    return LoggedModel(
        id=info["model_id"], name=info.get("name") or "", status=named.get(str(status)) or int(status),
        status_message=info.get("status_message") or None, type=info.get("model_type") or None,
        run_id=info.get("source_run_id") or None, created_ms=int(info.get("creation_timestamp_ms") or 0),
        updated_ms=int(info.get("last_updated_timestamp_ms") or 0), deleted=False, root=info.get("artifact_uri") or "",
        params=_pairs(data.get("params")), tags=_pairs(info.get("tags")),
    )  # fmt: skip


def _dataset(row: Mapping[str, Any]) -> DatasetUse:
    found = row["dataset"]
    return DatasetUse(
        name=found["name"], digest=found["digest"], source_type=found.get("source_type") or "",
        source=found.get("source") or "", schema=found.get("schema"), profile=found.get("profile"),
        tags=_pairs(row.get("tags")),
    )  # fmt: skip


def _pairs(rows: Any) -> dict[str, str]:
    return {row["key"]: row.get("value") or "" for row in rows or ()}
