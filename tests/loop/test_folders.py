"""A version of our own as an MLflow client reads it; the real client does so in tests/mlflow."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import onnxruntime
import pytest
import yaml

from threefold.loop import lifecycle
from threefold.loop.project import Project
from threefold.packaging.bundles import columns_of, load_bundle
from threefold.packaging.logged.folder import flattened
from threefold.packaging.scoring import Scorer
from threefold.server.app import create_app

from .conftest import CANVAS

Make = Callable[..., Project]


def ask(project: Project, *paths: str) -> list[httpx.Response]:
    """What `threefold up` answers on the store of a project."""
    app = create_app(project.store)

    async def all_of_them() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            return [await client.get(path) for path in paths]

    try:
        return asyncio.run(all_of_them())
    finally:
        app.context.close()


ADDRESS = "/api/2.0/mlflow/model-versions/get-download-uri?name=parcels&version=1"
FILES = "/api/2.0/mlflow-artifacts/artifacts"


def test_a_client_that_asks_where_a_version_lies_finds_a_model_folder_there(make_project: Make) -> None:
    project = make_project()
    lifecycle.turn(project)
    address, again, listing, document = ask(
        project, ADDRESS, ADDRESS, f"{FILES}?path=versions/parcels/1", f"{FILES}/versions/parcels/1/MLmodel"
    )
    assert address.json() == again.json() == {"artifact_uri": "mlflow-artifacts:/versions/parcels/1"}
    names = {one["path"] for one in listing.json()["files"]}
    assert names == {
        "MLmodel",
        "model.onnx",
        "code",
        "conda.yaml",
        "input_example.json",
        "python_env.yaml",
        "requirements.txt",
    }
    said = yaml.safe_load(document.content)
    types = {one["name"]: one["type"] for one in json.loads(said["signature"]["inputs"])}
    assert (types["weight"], types["depot"]) == ("double", "string")
    assert set(said["flavors"]) == {"onnx", "python_function"}


def test_the_flat_graph_answers_like_the_bundle(make_project: Make) -> None:
    project = make_project()
    turn = lifecycle.turn(project)
    assert turn.version is not None
    bundle = load_bundle(project.store, turn.version.bundle)
    columns = columns_of(turn.outcome.value("features").head(50), bundle.task)
    session: Any = onnxruntime.InferenceSession(
        flattened(project.store.objects.get(bundle.files["model.onnx"]), bundle.task)
    )
    label, probability = session.run(["label", "probability"], columns)
    scores = Scorer.open(project.store.objects.get, bundle).score(columns)
    assert probability.shape == label.shape == (50,)
    assert probability == pytest.approx(scores, abs=1e-7)


def test_a_version_that_only_threefold_opens_says_so_to_the_client(make_project: Make) -> None:
    own = "class Heavy:\n    def fit(self, frame, y):\n        return self\n    def predict(self, frame):\n        return (frame['weight'] > 6).cast(float).to_numpy()\n\ndef heavy(task, seed):\n    return Heavy()\n"
    project = make_project(CANVAS.replace("[linear]", "[heavy]"), model=own)
    lifecycle.turn(project, stage="gates")
    (answer,) = ask(project, ADDRESS)
    assert answer.status_code >= 400 and "only Threefold opens" in answer.json()["message"]
