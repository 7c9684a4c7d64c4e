"""Every kind of task, and the python format, through the whole server."""

import numpy as np
import polars as pl
import pytest

from threefold.design.canvas import Training
from threefold.errors import Refused
from threefold.packaging.bundles import pack
from threefold.packaging.scoring import Scorer
from threefold.records import Contract, FeatureSpec, Lineage, Release, TaskSpec, utc_now
from threefold.serving import log, routing
from threefold.serving.app import create_app
from threefold.store import new_id
from threefold.training.baselines import fit_baseline
from threefold.training.fitting import fit_candidate

FEATURES = (FeatureSpec("size", "number", "v"), FeatureSpec("note", "text", "v"))


class Nearest:
    """A candidate of a project that no portable format can hold."""

    def fit(self, frame, y):
        self.mean = float(np.mean(y))
        return self

    def predict(self, frame):
        return frame["size"].fill_null(0).to_numpy() * 0 + self.mean


def serve(store, call, task, target, candidate="linear", project=None):
    rng = np.random.default_rng(3)
    size = rng.normal(0, 1, 120)
    frame = pl.DataFrame(
        {
            "_id": [str(row) for row in range(120)],
            "size": pl.Series(size, dtype=pl.Float32),
            "note": rng.choice(["good word", "bad word"], 120).tolist(),
            "_target": target(size),
        }
    )
    model, _ = fit_candidate(candidate, frame, task, Training(candidates=(candidate,)), 1.0, project)
    bundle = pack(
        store,
        "demo",
        model,
        contract=Contract("rows", ()),
        fallback=fit_baseline("prior", frame, task),
        reference=b"{}",
    )
    lineage = Lineage({}, "t", "s", {}, "e", "run", candidate, None, "c", 7)
    release = Release(new_id(), "demo", "demo", 1, bundle.digest, lineage, (), "rule", "test", utc_now())
    routing.deploy(store, "demo", release)
    return call(create_app(store.root)), model, bundle, frame


def ask(client):
    inputs = [
        {"name": "size", "datatype": "FP32", "shape": [2, 1], "data": [1.5, None]},
        {"name": "note", "datatype": "BYTES", "shape": [2, 1], "data": ["good word", None]},
    ]
    answer = client.post("/v2/models/demo/infer", json={"inputs": inputs})
    assert answer.status_code == 200, answer.text
    return answer.json()


ROWS = pl.DataFrame({"size": [1.5, None], "note": ["good word", None]}, schema={"size": pl.Float32, "note": pl.String})


def test_a_regression_answers_values(store, call):
    client, model, _, _ = serve(store, call, TaskSpec("regression", "y", FEATURES), lambda size: size * 3)
    answer = ask(client)
    assert [output["name"] for output in answer["outputs"]] == ["prediction"]
    assert answer["outputs"][0]["data"] == pytest.approx(model.score(ROWS), abs=1e-5)
    named = client.post("/predict/demo", json={"rows": [{"size": 1.5, "note": "good word"}]}).json()
    assert named["rows"][0]["prediction"] == pytest.approx(model.score(ROWS)[0], abs=1e-5)


def test_several_classes_answer_a_probability_each_and_the_likeliest_label(store, call):
    task = TaskSpec("multiclass", "y", FEATURES, ("a", "b", "c"))
    client, model, _, _ = serve(
        store, call, task, lambda size: np.array(["a", "b", "c"])[np.digitize(size, [-0.5, 0.5])]
    )
    probability, label = ask(client)["outputs"]
    expected = model.score(ROWS)
    assert probability["shape"] == [2, 3]
    assert np.allclose(np.reshape(probability["data"], (2, 3)), expected, atol=1e-6)
    assert label["data"] == [task.classes[place] for place in expected.argmax(axis=1)]
    log.ingest(store, "demo")
    kept = log.read_predictions(store, "demo")
    assert kept["scores"].list.len().to_list() == [3, 3]
    routing.stop(store, "demo", "test")
    client.app.plane.refresh()
    assert ask(client)["parameters"]["source"] == "fallback"


def test_a_signed_python_model_is_served_and_a_foreign_one_is_not(store, call, tmp_path):
    task = TaskSpec("regression", "y", FEATURES)
    client, _, bundle, frame = serve(
        store, call, task, lambda size: size + 5, "Nearest", {"Nearest": lambda task: Nearest()}
    )
    assert bundle.format == "python"
    assert ask(client)["outputs"][0]["data"] == pytest.approx([frame["_target"].mean()] * 2)
    with pytest.raises(Refused):
        Scorer.open(store.objects.get, bundle, key=b"x" * 32)
    (store.root / "key").unlink()
    other = call(create_app(store.root))
    assert other.get("/v2/health/ready").status_code == 503
    assert "demo" in other.app.plane.problems
