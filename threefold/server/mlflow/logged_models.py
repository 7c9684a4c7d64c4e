"""Logged models."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection
from starlette.types import Receive, Scope, Send

from threefold.server.call import Call, missing, sent, shown
from threefold.server.context import Context
from threefold.server.mlflow.artifacts import folder_of
from threefold.server.mlflow.experiments import LARGEST_PAGE, key_of, page_size
from threefold.server.mlflow.paths import safe
from threefold.server.mlflow.shapes import paged, pairs, tags_in
from threefold.server.refusals import ProtocolError, invalid
from threefold.server.routes import reading, streaming, writing
from threefold.server.transfer import give
from threefold.store import Writer
from threefold.store.tracking import experiments, files, logged_models, logged_models_finding
from threefold.store.tracking.files import path_in
from threefold.store.tracking.logged_models import STATUSES, LoggedModel
from threefold.store.tracking.logged_models_finding import DatasetFilter, Order
from threefold.store.tracking.pages import offset_of, token_of

PAGE = 100
_STATUS_WORDS = {word: number for number, word in enumerate((f"LOGGED_MODEL_{word}" for word in STATUSES), 1)}


def create(tx: Writer, call: Call) -> dict[str, Any]:
    """Make a logged model."""
    key = logged_models.create(
        tx, key_of(call), name=call.text("name") or "", type=call.text("model_type") or "",
        run_id=call.text("source_run_id") or "", params=tags_in(call.items("params")), tags=tags_in(call.items("tags")),
    )  # fmt: skip
    return _one(tx.connection, key)


def get(connection: Connection, call: Call) -> dict[str, Any]:
    """One logged model."""
    key = call.need("model_id")
    return {"model": shape(logged_models.get(connection, key, deleted=_truth(call, "allow_deleted")))}


def finalize(tx: Writer, call: Call) -> dict[str, Any]:
    """Say whether its files are there."""
    key, given = call.need("model_id"), call.args.get("status")
    status = _STATUS_WORDS.get(given, given) if isinstance(given, str) else given
    if status is None:
        raise missing("status")
    if not isinstance(status, int) or not 1 <= status <= len(STATUSES):
        raise invalid(f"Invalid value {shown(given)} for parameter 'status' supplied")
    logged_models.set_status(tx, key, status, call.text("status_message"))
    return _one(tx.connection, key)


def delete(tx: Writer, call: Call) -> dict[str, Any]:
    """Delete a logged model."""
    logged_models.remove(tx, call.need("model_id"))
    return {}


def set_tags(tx: Writer, call: Call) -> dict[str, Any]:
    """Keep tags of a logged model."""
    key = call.need("model_id")
    logged_models.get(tx.connection, key, deleted=True)
    logged_models.set_tags(tx.connection, key, tags_in(call.items("tags")))
    return _one(tx.connection, key)


def delete_tag(tx: Writer, call: Call) -> dict[str, Any]:
    """Take a tag of a logged model away."""
    key = call.need("model_id")
    logged_models.get(tx.connection, key, deleted=True)
    logged_models.delete_tag(tx.connection, key, call.need("tag_key"))
    return {}


def log_params(tx: Writer, call: Call) -> dict[str, Any]:
    """Keep parameters of a logged model."""
    key = call.need("model_id")
    logged_models.get(tx.connection, key, deleted=True)
    logged_models.set_params(tx.connection, key, tags_in(call.items("params")))
    return {}


def search(connection: Connection, call: Call) -> dict[str, Any]:
    """Find logged models."""
    if not call.given("experiment_ids"):
        raise missing("experiment_ids")
    on = [_dataset(item) for item in call.items("datasets")]
    order = [_order(item) for item in call.items("order_by")]
    asked = {
        "Experiment IDs": call.texts("experiment_ids"), "Filter string": call.text("filter") or "",
        "Order by": call.items("order_by"),
    }  # fmt: skip
    limit = page_size(call, PAGE, LARGEST_PAGE) if call.whole("max_results") else PAGE
    offset = offset_of(call.text("page_token"), asked)
    keys = logged_models_finding.search(
        connection, experiments.ids_of(call.texts("experiment_ids")), call.text("filter"), on, order, limit + 1, offset
    )
    token = token_of(offset + limit, asked) if len(keys) > limit else None
    return paged("models", [shape(one) for one in logged_models.load(connection, keys[:limit])], token)


def list_folder(connection: Connection, call: Call) -> dict[str, Any]:
    """What lies in a folder of a logged model, as the pages of MLflow ask for it."""
    model = logged_models.get(connection, call.need("model_id"))
    return folder_of(connection, model.artifact_root, safe(call.text("artifact_directory_path") or ""))


async def download(context: Context, call: Call, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a file of a logged model."""
    key, given = call.need("model_id"), call.text("artifact_file_path")
    if not given:
        raise ProtocolError("BAD_REQUEST", 'Request must include the "artifact_file_path" query parameter')
    path = safe(given)

    def find(connection: Connection) -> tuple[str, int]:
        return files.get(connection, path_in(logged_models.get(connection, key).artifact_root, path))

    digest, size = await context.read(find)
    await give(context, scope, send, digest, size, path)


def shape(model: LoggedModel) -> dict[str, Any]:
    """A logged model in the words of the protocol."""
    info = {
        "model_id": model.id, "experiment_id": str(model.experiment_id), "name": model.name,
        "creation_timestamp_ms": model.created_ms, "last_updated_timestamp_ms": model.updated_ms,
        "artifact_uri": model.artifact_root, "status": f"LOGGED_MODEL_{STATUSES[model.status - 1]}",
        "model_type": model.type, "source_run_id": model.source_run_id, "status_message": model.status_message,
        "tags": pairs(model.tags.items()),
    }  # fmt: skip
    metrics = [
        {
            "key": name, "value": sent(value), "timestamp": at_ms, "step": step, "dataset_name": dataset,
            "dataset_digest": digest, "model_id": model.id, "run_id": run_id,
        }
        for run_id, name, value, step, at_ms, dataset, digest in model.metrics
    ]  # fmt: skip
    return {
        "info": _without_none(info),
        "data": {"params": pairs(model.params.items()), "metrics": [_without_none(one) for one in metrics]},
    }


def _one(connection: Connection, key: str) -> dict[str, Any]:
    return {"model": shape(logged_models.get(connection, key, deleted=True))}


def _dataset(item: dict[str, Any]) -> DatasetFilter:
    if not item.get("dataset_name"):
        raise invalid("`dataset_name` in the `datasets` clause must be specified", "datasets", "name the dataset")
    return DatasetFilter(str(item["dataset_name"]), item.get("dataset_digest") or None)


def _order(item: dict[str, Any]) -> Order:
    name = item.get("field_name")
    if not isinstance(name, str) or not name:
        raise invalid("`field_name` in the `order_by` clause must be specified", "order_by", "name what to order by")
    ascending = item.get("ascending")
    return Order(
        name, ascending is None or bool(ascending), item.get("dataset_name") or None, item.get("dataset_digest") or None
    )


def _truth(call: Call, name: str) -> bool:
    return call.truth(name) if call.given(name) else False


def _without_none(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


_MODELS = "/api/2.0/mlflow/logged-models"
ROUTES = {
    ("POST", _MODELS): writing(create),
    ("POST", f"{_MODELS}/search"): reading(search),
    ("GET", f"{_MODELS}/{{model_id}}"): reading(get),
    ("PATCH", f"{_MODELS}/{{model_id}}"): writing(finalize),
    ("DELETE", f"{_MODELS}/{{model_id}}"): writing(delete),
    ("PATCH", f"{_MODELS}/{{model_id}}/tags"): writing(set_tags),
    ("DELETE", f"{_MODELS}/{{model_id}}/tags/{{tag_key*}}"): writing(delete_tag),
    ("POST", f"{_MODELS}/{{model_id}}/params"): writing(log_params),
    ("GET", f"{_MODELS}/{{model_id}}/artifacts/directories"): reading(list_folder),
    ("GET", f"{_MODELS}/{{model_id}}/artifacts/files"): streaming(download),
}
