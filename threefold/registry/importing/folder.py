"""MLflow's history in a folder `mlruns`: one folder for each experiment, run, and registered model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from threefold.errors import DataError
from threefold.registry.importing.database import model_id_of
from threefold.registry.importing.history import Experiment, Files, LoggedModel, Model, Run, Version
from threefold.registry.importing.local_files import files_in, local_path
from threefold.store.tracking.metrics import Point
from threefold.store.tracking.reading import DatasetUse

META, TRASH, MODELS = "meta.yaml", ".trash", "models"
RUN_STATUS = ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")  # numbered from 1


class FolderHistory:
    """Reads a folder `mlruns`.

    Raises:
        DataError: the folder is none of MLflow's, or one of its files cannot be read.
    """

    def __init__(self, folder: Path, artifacts: Path | None = None) -> None:
        self.name = str(folder)
        self._folder, self._artifacts = folder.resolve(), artifacts
        if not any(folder.glob(f"*/{META}")):
            raise DataError(
                f"no folder in it holds a {META}, so it is none of MLflow's", str(folder), "name the folder mlruns"
            )

    def experiments(self) -> list[Experiment]:
        """See History."""
        found = []
        for home, gone in ((self._folder, False), (self._folder / TRASH, True)):
            for folder in _holding(home):
                meta = _yaml(folder / META)
                if folder.name != MODELS:
                    found.append(
                        Experiment(
                            folder.name, meta["name"], int(meta.get("creation_time") or 0),
                            int(meta.get("last_update_time") or 0), gone or meta.get("lifecycle_stage") == "deleted",
                            _texts(folder / "tags"),
                        )
                    )  # fmt: skip
        return found

    def run_ids(self, experiment: Experiment) -> list[str]:
        """See History."""
        return [
            one.name
            for one in _holding(self._home(experiment))
            if (one / "artifacts").is_dir() or (one / "params").is_dir()
        ]

    def run(self, experiment: Experiment, run_id: str) -> Run:
        """See History."""
        folder = self._home(experiment) / run_id
        meta, tags = _yaml(folder / META), _texts(folder / "tags")
        status = meta.get("status", 1)
        return Run(
            id=run_id, name=tags.get("mlflow.runName") or meta.get("run_name") or "", user=meta.get("user_id") or "",
            status=RUN_STATUS[int(status) - 1] if str(status).isdigit() else str(status),
            started_ms=int(meta.get("start_time") or 0), ended_ms=meta.get("end_time"),
            deleted=experiment.deleted or meta.get("lifecycle_stage") == "deleted",
            root=str(folder / "artifacts") if (folder / "artifacts").is_dir() else meta.get("artifact_uri") or "",
            params=_texts(folder / "params"), tags=tags, points=tuple(_points(folder / "metrics")),
            datasets=tuple(self._datasets(experiment, folder)),
            models=tuple(_links(folder / "outputs", "output")) + tuple(_links(folder / "inputs", "input")),
        )  # fmt: skip

    def logged_models(self, experiment: Experiment) -> list[LoggedModel]:
        """See History."""
        found = []
        for folder in _holding(self._home(experiment) / MODELS):
            meta = _yaml(folder / META)
            found.append(
                LoggedModel(
                    id=folder.name, name=meta["name"], status=int(meta.get("status") or 1),
                    status_message=meta.get("status_message"), type=meta.get("model_type"),
                    run_id=meta.get("source_run_id"), created_ms=int(meta["creation_timestamp"]),
                    updated_ms=int(meta["last_updated_timestamp"]), deleted=meta.get("lifecycle_stage") == "deleted",
                    root=str(folder / "artifacts"), params=_texts(folder / "params"), tags=_texts(folder / "tags"),
                )
            )  # fmt: skip
        return found

    def models(self) -> list[Model]:
        """See History."""
        return [self._model(folder) for folder in _holding(self._folder / MODELS)]

    def files(self, root: str) -> Files | None:
        """See History."""
        return files_in(local_path(root, self._folder.parent, self._artifacts))

    def close(self) -> None:
        """See History."""

    def _home(self, experiment: Experiment) -> Path:
        here = self._folder / experiment.key
        return here if here.is_dir() else self._folder / TRASH / experiment.key

    def _datasets(self, experiment: Experiment, run: Path) -> Iterator[DatasetUse]:
        for link in _holding(run / "inputs"):
            meta = _yaml(link / META)
            file = self._home(experiment) / "datasets" / str(meta.get("source_id")) / META
            if meta.get("source_type") == "DATASET" and file.is_file():
                found = _yaml(file)
                yield DatasetUse(
                    name=found["name"], digest=str(found["digest"]), source_type=found["source_type"],
                    source=found["source"], schema=found.get("schema"), profile=found.get("profile"),
                    tags={str(name): str(value) for name, value in (meta.get("tags") or {}).items()},
                )  # fmt: skip

    def _model(self, folder: Path) -> Model:
        meta = _yaml(folder / META)
        aliases = {name: int(number) for name, number in _texts(folder / "aliases").items()}
        versions = tuple(
            _version(one) for one in _holding(folder) if one.name.startswith("version-")
        )  # fmt: skip
        return Model(
            meta["name"], meta.get("description"), int(meta.get("creation_timestamp") or 0),
            int(meta.get("last_updated_timestamp") or 0), _texts(folder / "tags"), aliases,
            tuple(one for one in versions if one.stage != "Deleted_Internal"),
        )  # fmt: skip


def _version(folder: Path) -> Version:
    meta = _yaml(folder / META)
    source = str(meta.get("source") or "")
    return Version(
        number=int(meta["version"]), source=source, run_id=meta.get("run_id") or "",
        model_id=meta.get("model_id") or model_id_of(source), stage=meta.get("current_stage") or "None",
        description=meta.get("description"), run_link=meta.get("run_link"), user=meta.get("user_id") or "",
        created_ms=int(meta.get("creation_timestamp") or 0), updated_ms=int(meta.get("last_updated_timestamp") or 0),
        tags=_texts(folder / "tags"),
    )  # fmt: skip


def _links(folder: Path, role: str) -> Iterator[tuple[str, str, int]]:
    for link in _holding(folder):
        meta = _yaml(link / META)
        for kind in ("destination", "source"):
            if str(meta.get(f"{kind}_type", "")).startswith("MODEL"):
                yield role, str(meta[f"{kind}_id"]), int(meta.get("step") or 0)


def _points(folder: Path) -> Iterator[Point]:
    for file in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if file.is_file():
            for line in file.read_text(encoding="utf-8").splitlines():
                at_ms, value, *rest = line.split()
                yield Point(file.relative_to(folder).as_posix(), float(value), int(rest[0]) if rest else 0, int(at_ms))


def _holding(folder: Path) -> list[Path]:
    """The folders in a folder that say what they are."""
    return sorted(one.parent for one in folder.glob(f"*/{META}")) if folder.is_dir() else []


def _texts(folder: Path) -> dict[str, str]:
    """Name -> content of every file below a folder; a name with a slash lies deeper."""
    if not folder.is_dir():
        return {}
    return {
        file.relative_to(folder).as_posix(): file.read_text(encoding="utf-8").rstrip("\n")
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def _yaml(file: Path) -> Mapping[str, Any]:
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise DataError(f"the file cannot be read: {error}", str(file), "mend it, or take its folder away") from error
    if not isinstance(found, dict):
        raise DataError("the file holds no names and values", str(file), "mend it, or take its folder away")
    return found
