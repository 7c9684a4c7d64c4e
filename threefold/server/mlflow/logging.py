"""What is logged to a run: metrics, parameters, tags, inputs, outputs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec

from threefold.server.call import LARGEST, Call, missing, number, whole
from threefold.server.mlflow.shapes import tags_in
from threefold.server.refusals import ProtocolError, invalid
from threefold.server.routes import writing
from threefold.store import Writer
from threefold.store.tracking import checks, inputs, lifecycle, metrics, model_metrics
from threefold.store.tracking import runs as tracked
from threefold.store.tracking.metrics import Point
from threefold.store.tracking.reading import DatasetUse

LOGGED_MODELS = "mlflow.log-model.history"
_KEPT_OF_MODEL = ("run_id", "artifact_path", "utc_time_created", "model_uuid")


_Whole = Annotated[int, msgspec.Meta(ge=-LARGEST - 1, le=LARGEST)]


class _Metric(Point, frozen=True, kw_only=True, rename={"name": "key", "at_ms": "timestamp"}):
    """A point as the protocol writes it."""

    name: str
    at_ms: _Whole
    step: _Whole = 0


class _Batch(msgspec.Struct):
    """The form in which every client sends a batch of metrics; whatever deviates is read with more patience."""

    run_id: str
    metrics: list[_Metric] = []
    params: list[dict[str, str]] = []
    tags: list[dict[str, str]] = []


_read_batch = msgspec.json.Decoder(_Batch).decode


def log_metric(tx: Writer, call: Call) -> dict[str, Any]:
    """Log one value of one metric."""
    run_id = call.run_id()
    point = _point(call.args, "", required=True)
    run = lifecycle.open_run(tx.connection, run_id)
    _add(tx, run_id, run, [point])
    return {}


def log_parameter(tx: Writer, call: Call) -> dict[str, Any]:
    """Log one parameter."""
    run_id, name, value = call.run_id(), call.need("key"), call.text("value") or ""
    checks.check_name(name, "key")
    run = lifecycle.open_run(tx.connection, run_id)
    lifecycle.log_params(tx.connection, run_id, run.number, {name: value[: checks.PARAM]})
    return {}


def log_batch(tx: Writer, call: Call) -> dict[str, Any]:
    """Log many metrics, parameters and tags: all of them, or none."""
    if len(call.body) > checks.BATCH_BYTES:
        raise invalid(
            f"Batched logging API requests must be at most {checks.BATCH_BYTES} bytes, got a request of size"
            f" {len(call.body)}", "the request", "split it",
        )  # fmt: skip
    run_id, points, params, tags = _batch(call)
    checks.check_run_id(run_id)
    checks.check_batch(points, params, tags)
    _check_points(points)
    checks.check_once(name for name, _ in params)
    run = lifecycle.open_run(tx.connection, run_id)
    if params:
        lifecycle.log_params(tx.connection, run_id, run.number, dict(params))
    if points:
        _add(tx, run_id, run, points)
    if tags:
        lifecycle.set_tags(tx.connection, run.number, dict(tags))
    return {}


def set_tag(tx: Writer, call: Call) -> dict[str, Any]:
    """Keep a tag of a run."""
    run_id, name, value = call.run_id(), call.need("key"), call.text("value") or ""
    checks.check_name(name, "key")
    run = lifecycle.open_run(tx.connection, run_id)
    lifecycle.set_tags(tx.connection, run.number, {name: value[: checks.TAG]})
    return {}


def delete_tag(tx: Writer, call: Call) -> dict[str, Any]:
    """Take a tag of a run away."""
    run_id, name = call.run_id(), call.need("key")
    run = lifecycle.open_run(tx.connection, run_id)
    lifecycle.delete_tag(tx.connection, run_id, run.number, name)
    return {}


def log_inputs(tx: Writer, call: Call) -> dict[str, Any]:
    """Keep which datasets and logged models a run used."""
    run_id = call.need("run_id")
    uses = [_use(item, f"datasets[{place}]") for place, item in enumerate(call.items("datasets"))]
    models = [(str(item.get("model_id", "")), 0) for item in call.items("models")]
    checks.check_run_id(run_id)
    run = lifecycle.open_run(tx.connection, run_id)
    inputs.use_datasets(tx.connection, run.number, run.experiment_id, uses)
    inputs.link_models(tx.connection, run.number, "input", models)
    return {}


def log_outputs(tx: Writer, call: Call) -> dict[str, Any]:
    """Keep which logged models a run made."""
    run_id = call.need("run_id")
    if not call.given("models"):
        raise missing("models")
    models = [(str(item.get("model_id", "")), whole(item.get("step") or 0, "step")) for item in call.items("models")]
    run = lifecycle.open_run(tx.connection, run_id)
    inputs.link_models(tx.connection, run.number, "output", models)
    return {}


def log_model(tx: Writer, call: Call) -> dict[str, Any]:
    """Keep the description of a model, as clients before 3.0 send it: a tag holds the list of all of them."""
    run_id, text = call.need("run_id"), call.need("model_json")
    try:
        model = json.loads(text)
    except ValueError:
        raise invalid(f"Malformed model info. \n {text} \n is not a valid JSON", "model_json", "send JSON") from None
    if not isinstance(model, dict):
        raise invalid(f"Malformed model info. \n {text} \n is not a JSON object", "model_json", "send an object")
    if not isinstance(model.get("flavors", {}), dict):
        raise invalid("the flavors of a model are an object", "model_json.flavors", "send {name: {…}}")
    absent = {"artifact_path", "flavors", "utc_time_created", "run_id"} - set(model)
    if absent:
        raise invalid(f"Model json is missing mandatory fields: {absent}", "model_json", "give them")
    run = lifecycle.open_run(tx.connection, run_id)
    known = json.loads(lifecycle.tag_of(tx.connection, run.number, LOGGED_MODELS) or "[]")
    kept = {name: model[name] for name in model if name in _KEPT_OF_MODEL}
    kept["flavors"] = {name: _without_config(flavor) for name, flavor in model["flavors"].items()}  # last, as in MLflow
    tracked.set_tags(tx.connection, run.number, {LOGGED_MODELS: json.dumps([*known, kept])})
    return {}


def _add(tx: Writer, run_id: str, run: lifecycle.RunKey, points: Sequence[Point]) -> None:
    metrics.add(tx.connection, run.number, points)
    if any(point.model_id for point in points):
        model_metrics.add(tx.connection, run_id, [point for point in points if point.model_id])


def _batch(call: Call) -> tuple[str, Sequence[Point], list[tuple[str, str]], list[tuple[str, str]]]:
    try:
        batch = _read_batch(call.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _patient_batch(call)
    params, tags = _named(batch.params, "params", checks.PARAM), _named(batch.tags, "tags", checks.TAG)
    return batch.run_id, batch.metrics, params, tags


def _patient_batch(call: Call) -> tuple[str, Sequence[Point], list[tuple[str, str]], list[tuple[str, str]]]:
    points = [_point(item, f"metrics[{place}]") for place, item in enumerate(call.items("metrics"))]
    params = _named(call.items("params"), "params", checks.PARAM)
    return call.run_id(), points, params, _named(call.items("tags"), "tags", checks.TAG)


def _named(items: list[dict[str, Any]], at: str, limit: int) -> list[tuple[str, str]]:
    found = []
    for place, item in enumerate(items):
        name, value = item.get("key"), item.get("value")
        if name is None:
            raise missing(f"{at}[{place}].key")
        if not isinstance(name, str) or not isinstance(value, str | None):
            raise invalid(f"Invalid value {json.dumps(item)[:400]} for parameter '{at}[{place}]' supplied")
        checks.check_name(name, f"{at}[{place}].key")
        found.append((name, (value or "")[:limit]))
    return found


def _point(item: Mapping[str, Any], at: str, *, required: bool = False) -> Point:
    name = item.get("key")
    path = f"{at}." if at else ""
    if name in (None, ""):
        raise missing(f"{path}key")
    if not isinstance(name, str):
        raise invalid(f"Invalid value {json.dumps(name)[:400]} for parameter '{path}key' supplied: it is a text")
    for field in ("value", "timestamp"):
        if item.get(field) is None:
            raise missing(f"{path}{field}")
    value = number(item["value"], f"{path}value")
    at_ms = whole(item["timestamp"], f"{path}timestamp")
    step = whole(item["step"], f"{path}step") if item.get("step") is not None else 0
    checks.check_name(name, f"{path}name")
    checks.check_time(at_ms, name, value, f"{path}timestamp")
    texts = [_optional(item, field, path) for field in ("model_id", "dataset_name", "dataset_digest")]
    return Point(name, value, step, at_ms, *texts)


def _check_points(points: Sequence[Point]) -> None:
    for place, point in enumerate(points):
        if not checks.good_name(point.name):
            checks.check_name(point.name, f"metrics[{place}].name")
        if point.at_ms < 0:
            checks.check_time(point.at_ms, point.name, point.value, f"metrics[{place}].timestamp")


def _without_config(flavor: Any) -> Any:
    return {name: value for name, value in flavor.items() if name != "config"} if isinstance(flavor, dict) else flavor


def _optional(item: Mapping[str, Any], name: str, path: str) -> str | None:
    value = item.get(name)
    if value is not None and not isinstance(value, str):
        raise invalid(f"Invalid value {json.dumps(value)[:400]} for parameter '{path}{name}' supplied: it is a text")
    return value or None


def _use(item: dict[str, Any], at: str) -> DatasetUse:
    dataset = item.get("dataset")
    if not isinstance(dataset, dict):
        raise ProtocolError(
            "INTERNAL_ERROR", "Dataset input must have a dataset associated with it", at, "give its `dataset`"
        )
    texts = {name: dataset.get(name) for name in ("name", "digest", "source_type", "source", "schema", "profile")}
    for name in ("name", "digest"):
        if not texts[name]:
            raise invalid(f"Dataset {name} cannot be None", f"{at}.dataset.{name}", "give it")
    texts["source_type"], texts["source"] = texts["source_type"] or "", texts["source"] or ""
    for name, limit in checks.DATASET.items():
        if len(texts[name] or "") > limit:
            raise invalid(
                f"'{name}' exceeds the maximum length of {limit} characters",
                at,
                "shorten it",
            )
    for tag in item.get("tags") or []:
        for name in ("key", "value"):
            if tag.get(name) is None:
                raise invalid(f"InputTag {name} cannot be None", f"{at}.tags", "give key and value of each tag")
    tags = tags_in(item.get("tags") or [])
    for key, value in tags.items():
        checks.check_length(key, checks.DATASET_TAG["key"], "key")
        checks.check_length(value, checks.DATASET_TAG["value"], "value")
    return DatasetUse(**texts, tags=dict(tags))  # type: ignore[arg-type]


_RUNS = "/api/2.0/mlflow/runs"
ROUTES = {
    ("POST", f"{_RUNS}/log-metric"): writing(log_metric),
    ("POST", f"{_RUNS}/log-parameter"): writing(log_parameter),
    ("POST", f"{_RUNS}/log-batch"): writing(log_batch),
    ("POST", f"{_RUNS}/set-tag"): writing(set_tag),
    ("POST", f"{_RUNS}/delete-tag"): writing(delete_tag),
    ("POST", f"{_RUNS}/log-inputs"): writing(log_inputs),
    ("POST", f"{_RUNS}/outputs"): writing(log_outputs),
    ("POST", f"{_RUNS}/log-model"): writing(log_model),
}
