"""Records of the store in the words of the protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from threefold.server.call import sent
from threefold.store.tracking.conditions import STATUSES
from threefold.store.tracking.experiments import Experiment
from threefold.store.tracking.lifecycle import milliseconds
from threefold.store.tracking.reading import DatasetUse, RunDocument

RUN_STATUSES = ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")  # numbered from 1
OURS = {"RUNNING": "running", "SCHEDULED": "scheduled", "FINISHED": "done", "FAILED": "failed", "KILLED": "interrupted"}
VIEWS = {"ACTIVE_ONLY": "active", "DELETED_ONLY": "deleted", "ALL": "all"}


def experiment(found: Experiment) -> dict[str, Any]:
    """An experiment."""
    return {
        "experiment_id": str(found.id), "name": found.name, "artifact_location": found.artifact_root,
        "lifecycle_stage": "deleted" if found.deleted else "active", "creation_time": found.created_ms,
        "last_update_time": found.updated_ms, "tags": pairs(found.tags.items()),
    }  # fmt: skip


def run_info(found: RunDocument) -> dict[str, Any]:
    """The head of a run."""
    info = {
        "run_id": found.id, "run_uuid": found.id, "run_name": found.name, "experiment_id": str(found.experiment_id),
        "user_id": found.user, "status": STATUSES[found.status], "start_time": milliseconds(found.started_at),
        "artifact_uri": found.artifact_root, "lifecycle_stage": "deleted" if found.deleted_at else "active",
    }  # fmt: skip
    if found.ended_at is not None:
        info["end_time"] = milliseconds(found.ended_at)
    return info


def run(found: RunDocument) -> dict[str, Any]:
    """A run with its data, inputs and outputs."""
    whole: dict[str, Any] = {
        "info": run_info(found),
        "data": {
            "metrics": [
                {"key": name, "value": sent(value), "timestamp": at_ms, "step": step}
                for name, value, step, at_ms in found.metrics
            ],
            "params": [{"key": name, "value": value} for name, value in found.params],
            "tags": [{"key": name, "value": value} for name, value in found.tags],
        },
        "inputs": {
            "dataset_inputs": [dataset_input(use) for use in found.datasets],
            "model_inputs": [{"model_id": model_id} for model_id, _ in found.inputs],
        },
        "outputs": {"model_outputs": [{"model_id": model_id, "step": step} for model_id, step in found.outputs]},
    }
    return whole


def dataset_input(use: DatasetUse) -> dict[str, Any]:
    """A dataset with the tags of its use."""
    dataset = {"name": use.name, "digest": use.digest, "source_type": use.source_type, "source": use.source}
    if use.schema is not None:
        dataset["schema"] = use.schema
    if use.profile is not None:
        dataset["profile"] = use.profile
    return {"tags": pairs(use.tags.items()), "dataset": dataset}


def pairs(items: Any) -> list[dict[str, str]]:
    """Names and values as the protocol writes them."""
    return [{"key": name, "value": value} for name, value in items]


def paged(name: str, items: list[Any], token: str | None, **more: Any) -> dict[str, Any]:
    """One page of an answer."""
    answer: dict[str, Any] = {name: items, **more}
    if token:
        answer["next_page_token"] = token
    return answer


def tags_in(items: list[dict[str, Any]]) -> Mapping[str, str]:
    """Tags as a request writes them."""
    return {str(item.get("key", "")): _text(item.get("value")) for item in items}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
