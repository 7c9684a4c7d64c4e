"""MLflow's history in a database: the file mlflow.db, or any server that SQLAlchemy speaks to."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import MetaData, Table, create_engine, inspect, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from threefold.errors import DataError
from threefold.registry.importing.history import Experiment, Files, LoggedModel, Model, Run, Version, as_logged
from threefold.registry.importing.local_files import files_in, local_path
from threefold.store.tracking.metrics import Point
from threefold.store.tracking.reading import DatasetUse

NEEDED = ("experiments", "runs", "metrics", "params", "tags")
DELETED = "deleted"


class DatabaseHistory:
    """Reads MLflow's tables as they are; columns and tables that an older MLflow had not are taken as empty.

    Args:
        artifacts: the folder of the server's artifact proxy; default for a file: `mlartifacts` beside it.
    Raises:
        DataError: the database cannot be opened, or is none of MLflow's.
    """

    def __init__(self, url: str, artifacts: Path | None = None) -> None:
        address = make_url(url)
        file = Path(address.database) if address.drivername.startswith("sqlite") and address.database else None
        if file is not None and not file.is_file():
            raise DataError(f"there is no file {file}", "import", "name the database: mlflow.db, or its URL")
        self.name = address.render_as_string(hide_password=True)
        self._base = file.parent if file else Path.cwd()
        self._artifacts = artifacts or (self._base / "mlartifacts" if file else None)
        self._engine = create_engine(address)
        self._tables = MetaData()
        try:
            found = set(inspect(self._engine).get_table_names())
            absent = [name for name in NEEDED if name not in found]
            if absent:
                raise DataError(
                    f"the database has no table {absent[0]!r}, so it is none of MLflow's",
                    self.name,
                    "check the address",
                )
            self._tables.reflect(self._engine, only=lambda name, _: name in _READ)
        except SQLAlchemyError as error:
            raise DataError(
                f"the database cannot be read: {error}", self.name, "check the address and the rights"
            ) from error

    def experiments(self) -> list[Experiment]:
        """See History."""
        tags = _grouped(self._rows("experiment_tags"), "experiment_id")
        return [
            Experiment(
                str(row["experiment_id"]), row["name"], int(row.get("creation_time") or 0),
                int(row.get("last_update_time") or 0), row.get("lifecycle_stage") == DELETED,
                _pairs(tags[row["experiment_id"]]),
            )
            for row in self._rows("experiments")
        ]  # fmt: skip

    def run_ids(self, experiment: Experiment) -> list[str]:
        """See History."""
        return [row["run_uuid"] for row in self._rows("runs", experiment_id=int(experiment.key))]

    def run(self, experiment: Experiment, run_id: str) -> Run:
        """See History."""
        row = self._rows("runs", run_uuid=run_id)[0]
        tags = _pairs(self._rows("tags", run_uuid=run_id))
        return Run(
            id=run_id, name=tags.get("mlflow.runName") or row.get("name") or "", user=row.get("user_id") or "",
            status=row["status"] or "RUNNING", started_ms=int(row["start_time"] or 0), ended_ms=row["end_time"],
            deleted=row["lifecycle_stage"] == DELETED, root=row["artifact_uri"] or "",
            params=_pairs(self._rows("params", run_uuid=run_id)), tags=tags, points=tuple(self._points(run_id)),
            datasets=tuple(self._datasets(run_id)), models=tuple(self._models_of(run_id)),
        )  # fmt: skip

    def logged_models(self, experiment: Experiment) -> list[LoggedModel]:
        """See History."""
        params = _grouped(self._rows("logged_model_params", experiment_id=int(experiment.key)), "model_id")
        tags = _grouped(self._rows("logged_model_tags", experiment_id=int(experiment.key)), "model_id")
        return [
            LoggedModel(
                id=row["model_id"], name=row["name"], status=row["status"], status_message=row["status_message"],
                type=row["model_type"], run_id=row["source_run_id"], created_ms=row["creation_timestamp_ms"],
                updated_ms=row["last_updated_timestamp_ms"], deleted=row["lifecycle_stage"] == DELETED,
                root=row["artifact_location"],
                params={one["param_key"]: one["param_value"] for one in params[row["model_id"]]},
                tags={one["tag_key"]: one["tag_value"] for one in tags[row["model_id"]]},
            )
            for row in self._rows("logged_models", experiment_id=int(experiment.key))
        ]  # fmt: skip

    def models(self) -> list[Model]:
        """See History."""
        tags = _grouped(self._rows("registered_model_tags"), "name")
        aliases = _grouped(self._rows("registered_model_aliases"), "name")
        versions = _grouped(self._rows("model_versions"), "name")
        return [
            Model(
                row["name"], row["description"], int(row["creation_time"] or 0), int(row["last_updated_time"] or 0),
                _pairs(tags[row["name"]]), {one["alias"]: int(one["version"]) for one in aliases[row["name"]]},
                tuple(self._version(one) for one in versions[row["name"]] if one["current_stage"] != "Deleted_Internal"),
            )
            for row in self._rows("registered_models")
        ]  # fmt: skip

    def files(self, root: str) -> Files | None:
        """See History."""
        return files_in(local_path(root, self._base, self._artifacts))

    def close(self) -> None:
        """See History."""
        self._engine.dispose()

    def _rows(self, table: str, **same: Any) -> list[Mapping[str, Any]]:
        found: Table | None = self._tables.tables.get(table)
        if found is None:
            return []
        query = select(found)
        for name, value in same.items():
            query = query.where(found.c[name] == value)
        with self._engine.connect() as connection:
            return [dict(row._mapping) for row in connection.execute(query)]

    def _points(self, run_id: str) -> list[Point]:
        rows = self._rows("metrics", run_uuid=run_id)
        rows.sort(key=lambda row: (row["key"], row["timestamp"], row["step"]))
        return [Point(row["key"], _value(row), int(row["step"]), int(row["timestamp"])) for row in rows]

    def _datasets(self, run_id: str) -> list[DatasetUse]:
        found = []
        for link in self._rows("inputs", destination_id=run_id, source_type="DATASET"):
            for row in self._rows("datasets", dataset_uuid=link["source_id"]):
                tags = {one["name"]: one["value"] for one in self._rows("input_tags", input_uuid=link["input_uuid"])}
                found.append(
                    DatasetUse(
                        name=row["name"], digest=row["digest"], source_type=row["dataset_source_type"],
                        source=row["dataset_source"], schema=row["dataset_schema"], profile=row["dataset_profile"], tags=tags,
                    )
                )  # fmt: skip
        return found

    def _models_of(self, run_id: str) -> list[tuple[str, str, int]]:
        made = self._rows("inputs", source_id=run_id, destination_type="MODEL_OUTPUT")
        used = self._rows("inputs", source_id=run_id, destination_type="MODEL_INPUT")
        return [("output", row["destination_id"], int(row.get("step") or 0)) for row in made] + [
            ("input", row["destination_id"], int(row.get("step") or 0)) for row in used
        ]

    def _version(self, row: Mapping[str, Any]) -> Version:
        tags = self._rows("model_version_tags", name=row["name"], version=row["version"])
        source = row["source"] or ""
        return Version(
            number=int(row["version"]), source=source, run_id=row["run_id"] or "", model_id=model_id_of(source),
            stage=row["current_stage"] or "None", description=row["description"], run_link=row.get("run_link"),
            user=row["user_id"] or "", created_ms=int(row["creation_time"] or 0),
            updated_ms=int(row["last_updated_time"] or 0), tags=_pairs(tags),
        )  # fmt: skip


_READ = frozenset((
    *NEEDED, "experiment_tags", "datasets", "inputs", "input_tags", "logged_models", "logged_model_params",
    "logged_model_tags", "registered_models", "registered_model_tags", "registered_model_aliases", "model_versions",
    "model_version_tags",
))  # fmt: skip


def model_id_of(source: str) -> str | None:
    """The logged model that a version was made from.

    >>> model_id_of("models:/m-0123"), model_id_of("runs:/ab/model")
    ('m-0123', None)
    """
    rest = source.removeprefix("models:/")
    return rest if rest != source and rest.startswith("m-") else None


def _value(row: Mapping[str, Any]) -> float:
    return math.nan if row.get("is_nan") else as_logged(float(row["value"]))


def _pairs(rows: list[Mapping[str, Any]]) -> dict[str, str]:
    return {row["key"]: row["value"] or "" for row in rows}


def _grouped(rows: list[Mapping[str, Any]], name: str) -> defaultdict[Any, list[Mapping[str, Any]]]:
    found: defaultdict[Any, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row[name]].append(row)
    return found
