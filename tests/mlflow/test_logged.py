"""Models that the real client logs, from its log_model to an answer of our server; and ours, read by the client."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from threefold.packaging.bundles import load_bundle
from threefold.registry import versions
from threefold.serving import process
from threefold.store import Store

HERE = Path(__file__).parent
ENVIRONMENT = HERE.parent.parent / ".venv-mlflow" / "bin" / "python"
PYTHON = os.environ.get("THREEFOLD_MLFLOW_PYTHON") or (str(ENVIRONMENT) if ENVIRONMENT.exists() else None)
CANVAS = """\
threefold: 1
project: churn
value: {need: call customers before they leave, mistakes: {false_positive: 5 EUR, false_negative: 50 EUR}}
data:
  customers: {source: data/customers.csv, key: id}
predict: {target: left, id: id, split: {by: random, test: 25%}}
train: {baseline: rate by plan, candidates: [linear], budget: 2 s}
accept: {roc_auc: ">= 0.6"}
"""

pytestmark = [
    pytest.mark.mlflow,
    pytest.mark.slow,
    pytest.mark.skipif(PYTHON is None, reason="the environment of the MLflow client is made by `make test`"),
]


def call(root, *words, code=0):
    done = subprocess.run(
        [sys.executable, "-m", "threefold", *words], cwd=root, capture_output=True, text=True, timeout=300,
        env={**os.environ, "THREEFOLD_MLFLOW_PYTHON": PYTHON},
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def client(*words):
    # The client brings packages of its own: nothing of ours may be in its way.
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run([PYTHON, *words], capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project folder, and `threefold up` on its store."""
    root = tmp_path_factory.mktemp("project")
    lines = ["id,months,plan,complaints,left"]
    for one in range(400):
        complaints, plan = one * 7 % 6, ("basic", "plus")[one % 2]
        lines.append(f"c{one},{one * 11 % 60},{plan},{complaints},{'yes' if one * 13 % 10 < 2 * complaints else 'no'}")
    (root / "data").mkdir()
    (root / "data" / "customers.csv").write_text("\n".join(lines) + "\n")
    (root / "threefold.yaml").write_text(CANVAS)
    server = subprocess.Popen(
        [sys.executable, "-m", "threefold", "up", "--port", "0"], cwd=root, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    address = server.stdout.readline().split()[2]
    yield root, address
    server.send_signal(signal.SIGTERM)
    server.communicate(timeout=30)


def logged(project, kind):
    root, address = project
    return client(str(HERE / "log_model.py"), address, str(root / "data" / "customers.csv"), kind)


def answered(root, **row):
    with process.start(root / ".threefold") as server:
        answer = httpx.post(f"{server.address}/predict/churn", json={"rows": [row]}, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()["rows"][0]


ROW = {"months": 3, "complaints": 5}


@pytest.mark.parametrize(("kind", "row"), [("sklearn", {**ROW, "plan": "basic"}), ("xgboost", ROW), ("custom", ROW)])
def test_a_pickle_is_opened_once_a_trusted_key_vouches_for_it_and_answers_like_our_own(project, monkeypatch, kind, row):
    monkeypatch.setenv("THREEFOLD_MLFLOW_PYTHON", PYTHON)  # the server inherits it
    root, number = project[0], logged(project, kind)
    assert "no trusted key vouches for it" in call(root, "models", "test", number, code=1)
    call(root, "models", "sign", number)
    call(root, "models", "test", number)
    call(root, "release", "deploy", number)
    answer = answered(root, **row)
    assert (answer["version"], answer["source"], answer["label"]) == (int(number), "model", "yes")
    if kind == "sklearn":  # the converter is there, and its graph answers alike: no Python is left in the way
        store = Store.open(root / ".threefold")
        assert load_bundle(store, versions.get(store, "churn", int(number)).bundle).format == "onnx"
        store.close()
    assert "files are as they were signed" in call(root, "models", "verify", number)
    shown = json.loads(call(root, "models", "show", number, "--json"))
    assert shown["version"]["status"] == "released" and {one["result"]["gate"] for one in shown["evidence"]} >= {
        "roc_auc"
    }


@pytest.mark.parametrize(("kind", "row"), [("onnx", {**ROW, "plan": "basic"}), ("lightgbm", ROW)])
def test_portable_files_are_served_without_anybody_vouching_for_them(project, kind, row):
    root, number = project[0], logged(project, kind)
    assert "if it has seen the sealed ones, these figures flatter it" in call(root, "models", "test", number)
    call(root, "release", "deploy", number)
    answer = answered(root, **row)
    assert (answer["version"], answer["source"], answer["label"]) == (int(number), "model", "yes")


def test_the_client_loads_a_version_that_the_engine_made(project):
    root, address = project
    call(root, "run")
    released = json.loads(call(root, "release", "list", "--json"))[-1]
    table = root / "data" / "customers.csv"
    said = json.loads(client(str(HERE / "load_model.py"), address, "models:/churn@champion", str(table)))
    assert said["flavors"] == ["onnx", "python_function"] and said["inputs"] == ["complaints", "months", "plan"]
    with process.start(root / ".threefold") as server:
        rows = [{"months": months, "plan": plan, "complaints": asked} for _, months, plan, asked in said["rows"]]
        ours = httpx.post(f"{server.address}/predict/churn", json={"rows": rows}, timeout=60).json()["rows"]
    assert {one["version"] for one in ours} == {released["number"]}
    assert [one["label"] for one in ours] == said["label"]
    assert [one["probability"]["yes"] for one in ours] == pytest.approx(said["probability"], abs=1e-6)
