"""What people do with MLflow, done with the real client against a server of ours.

Run by a Python that has mlflow, scikit-learn, LightGBM and XGBoost: `python flows.py http://127.0.0.1:5000`. Each function is one
flow; it prints its name when all of it held.
"""

import math
import sys
import tempfile
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

X, Y = make_classification(200, 5, random_state=7)
FRAME = pd.DataFrame(X, columns=list("abcde"))


def set_an_experiment_and_log_a_run(client):
    mlflow.set_experiment("first steps")
    with mlflow.start_run(run_name="one", tags={"team": "a"}) as run:
        mlflow.log_param("depth", 3)
        mlflow.log_params({"rate": 0.1, "kind": "tree"})
        for step in range(5):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        mlflow.log_metrics({"acc": 0.9, "odd": math.nan, "up": math.inf})
        mlflow.set_tag("mlflow.note.content", "a note")
    found = client.get_run(run.info.run_id)
    assert found.info.status == "FINISHED" and found.info.run_name == "one"
    assert found.data.params == {"depth": "3", "rate": "0.1", "kind": "tree"}
    assert found.data.metrics["loss"] == 0.2 and math.isnan(found.data.metrics["odd"])
    assert [one.step for one in client.get_metric_history(run.info.run_id, "loss")] == [0, 1, 2, 3, 4]
    frame = mlflow.search_runs(
        experiment_names=["first steps"], filter_string="metrics.acc > 0.5 and params.kind = 'tree'"
    )
    assert list(frame["run_id"]) == [run.info.run_id]


def log_files_and_read_them_back(client):
    with mlflow.start_run() as run, tempfile.TemporaryDirectory() as folder:
        big = Path(folder) / "big.bin"
        big.write_bytes(np.random.default_rng(7).bytes(12_000_000))
        mlflow.log_artifact(big, "data")
        mlflow.log_text("hello", "notes/hello.txt")
        mlflow.log_dict({"a": 1}, "conf.json")
        mlflow.log_table({"x": [1, 2]}, "table.json")
        assert {one.path for one in client.list_artifacts(run.info.run_id)} == {
            "conf.json",
            "data",
            "notes",
            "table.json",
        }
        back = mlflow.artifacts.download_artifacts(
            run_id=run.info.run_id, artifact_path="data/big.bin", dst_path=folder + "/back"
        )
        assert Path(back).read_bytes() == big.read_bytes()
        assert mlflow.artifacts.load_text(f"{run.info.artifact_uri}/notes/hello.txt") == "hello"


def nest_resume_delete_and_restore(client):
    with mlflow.start_run() as parent, mlflow.start_run(nested=True) as child:
        mlflow.log_metric("m", 1.0)
    assert client.get_run(child.info.run_id).data.tags["mlflow.parentRunId"] == parent.info.run_id
    with mlflow.start_run(run_id=parent.info.run_id):
        mlflow.log_metric("later", 2.0)
    client.delete_run(child.info.run_id)
    assert client.get_run(child.info.run_id).info.lifecycle_stage == "deleted"
    client.restore_run(child.info.run_id)
    client.log_param(parent.info.run_id, "a", "1")
    assert code_of(lambda: client.log_param(parent.info.run_id, "a", "2")) == "INVALID_PARAMETER_VALUE"


def code_of(call):
    try:
        call()
    except MlflowException as error:
        return error.error_code
    return None


def log_a_dataset(client):
    data = mlflow.data.from_pandas(FRAME.assign(y=Y), targets="y", name="made up")
    with mlflow.start_run() as run:
        mlflow.log_input(data, context="training")
    use = client.get_run(run.info.run_id).inputs.dataset_inputs[0]
    assert use.dataset.name == "made up" and use.tags[0].value == "training"


def autolog_scikit_learn(client):
    mlflow.sklearn.autolog()
    with mlflow.start_run() as run:
        model = LogisticRegression().fit(FRAME, Y)
        model.score(FRAME, Y)
    with mlflow.start_run():
        GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2).fit(FRAME, Y)
    mlflow.sklearn.autolog(disable=True)
    found = client.get_run(run.info.run_id)
    assert "training_score" in found.data.metrics and found.data.params["C"] == "1.0"
    assert found.outputs.model_outputs
    loaded = mlflow.pyfunc.load_model(f"models:/{found.outputs.model_outputs[0].model_id}")
    assert (loaded.predict(FRAME) == model.predict(FRAME)).all()


def autolog_lightgbm(client):
    import lightgbm

    mlflow.lightgbm.autolog()
    with mlflow.start_run() as run:
        data = lightgbm.Dataset(FRAME, Y)
        lightgbm.train({"objective": "binary", "verbose": -1}, data, 5, valid_sets=[data], valid_names=["train"])
    mlflow.lightgbm.autolog(disable=True)
    assert len(client.get_metric_history(run.info.run_id, "train-binary_logloss")) >= 5


def autolog_xgboost(client):
    import xgboost

    mlflow.xgboost.autolog()
    with mlflow.start_run() as run:
        data = xgboost.DMatrix(FRAME, Y)
        xgboost.train({"objective": "binary:logistic"}, data, 5, evals=[(data, "train")], verbose_eval=False)
    mlflow.xgboost.autolog(disable=True)
    assert len(client.get_metric_history(run.info.run_id, "train-logloss")) >= 5


def autolog_pytorch(client):
    import lightning
    import torch

    class Linear(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(5, 1)

        def forward(self, rows):
            return self.layer(rows)

        def training_step(self, batch, _number):
            loss = torch.nn.functional.mse_loss(self(batch[0]), batch[1])
            self.log("loss", loss, on_epoch=True)
            return loss

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.01)

    rows, wanted = torch.tensor(X, dtype=torch.float32), torch.tensor(Y, dtype=torch.float32).reshape(-1, 1)
    batches = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(rows, wanted), batch_size=50)
    mlflow.pytorch.autolog(registered_model_name="net")
    model = Linear()
    with mlflow.start_run() as run, tempfile.TemporaryDirectory() as folder:
        trainer = lightning.Trainer(
            max_epochs=2, accelerator="cpu", logger=False, enable_progress_bar=False, default_root_dir=folder
        )
        trainer.fit(model, batches)
    mlflow.pytorch.autolog(disable=True)
    found = client.get_run(run.info.run_id)
    assert found.data.params["epochs"] == "2" and found.data.params["optimizer_name"] == "SGD"
    assert len(client.get_metric_history(run.info.run_id, "loss_epoch")) == 2
    client.set_registered_model_alias("net", "champion", "1")
    loaded = mlflow.pytorch.load_model("models:/net@champion")
    assert torch.equal(loaded(rows), model(rows))


def register_a_model_and_load_it_by_its_alias(client):
    model = LogisticRegression().fit(FRAME, Y)
    with mlflow.start_run():
        logged = mlflow.sklearn.log_model(
            model, name="model", input_example=FRAME.head(2), registered_model_name="churn"
        )
    again = mlflow.register_model(logged.model_uri, "churn")
    assert int(again.version) == int(logged.registered_model_version) + 1
    client.set_registered_model_alias("churn", "champion", again.version)
    client.set_model_version_tag("churn", again.version, "checked", "yes")
    client.update_model_version("churn", again.version, description="the better one")
    found = client.get_model_version_by_alias("churn", "champion")
    assert (found.version, found.tags["checked"], found.description) == (again.version, "yes", "the better one")
    for uri in ("models:/churn@champion", f"models:/churn/{again.version}", "models:/churn/latest"):
        loaded = mlflow.pyfunc.load_model(uri)
        assert (loaded.predict(FRAME) == model.predict(FRAME)).all()
    client.transition_model_version_stage("churn", again.version, "Staging")
    assert client.get_latest_versions("churn", ["Staging"])[0].version == again.version
    assert [one.name for one in client.search_registered_models("name = 'churn'")] == ["churn"]
    assert len(client.search_model_versions("name = 'churn' and tags.checked = 'yes'")) == 1
    client.rename_registered_model("churn", "leavers")
    client.delete_model_version("leavers", again.version)
    client.delete_registered_model("leavers")


def search_logged_models(client):
    mlflow.set_experiment("logged models")
    with mlflow.start_run():
        logged = mlflow.sklearn.log_model(LogisticRegression().fit(FRAME, Y), name="m", params={"c": "1"})
        mlflow.log_metric("acc", 0.8, model_id=logged.model_id)
    found = mlflow.search_logged_models(filter_string="metrics.acc > 0.5 AND params.c = '1'", output_format="list")
    assert [one.model_id for one in found] == [logged.model_id]
    client.set_logged_model_tags(logged.model_id, {"k": "v"})
    assert client.get_logged_model(logged.model_id).tags["k"] == "v"


def evaluate(client):
    model = LogisticRegression().fit(FRAME, Y)
    with mlflow.start_run() as run:
        logged = mlflow.sklearn.log_model(model, name="model", input_example=FRAME.head(2))
        data = FRAME.assign(y=Y)
        mlflow.models.evaluate(
            logged.model_uri, data, targets="y", model_type="classifier", evaluator_config={"log_explainer": False}
        )
    assert "accuracy_score" in client.get_run(run.info.run_id).data.metrics


FLOWS = [
    set_an_experiment_and_log_a_run, log_files_and_read_them_back, nest_resume_delete_and_restore, log_a_dataset,
    autolog_scikit_learn, autolog_lightgbm, autolog_xgboost, autolog_pytorch, register_a_model_and_load_it_by_its_alias,
    search_logged_models, evaluate,
]  # fmt: skip

if __name__ == "__main__":
    mlflow.set_tracking_uri(sys.argv[1])
    for flow in FLOWS:
        mlflow.set_experiment("flows")
        flow(MlflowClient())
        print(flow.__name__, flush=True)
