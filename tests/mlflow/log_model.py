"""Log a model of customers who leave: `python log_model.py ADDRESS TABLE KIND`; prints its version.

Run by a Python that has mlflow and the library of the kind: sklearn, lightgbm, xgboost, custom, onnx.
"""

import sys

import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.models import infer_signature
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

NUMBERS = ["months", "complaints"]


class Rule(mlflow.pyfunc.PythonModel):
    """A heuristic in plain Python, as people wrap what no flavor fits."""

    def predict(self, context, model_input, params=None):
        return ["yes" if one >= 3 else "no" for one in model_input["complaints"]]


def main(address, table, kind):
    mlflow.set_tracking_uri(address)
    frame = pd.read_csv(table)
    columns = [*NUMBERS, "plan"] if kind in ("sklearn", "onnx") else NUMBERS
    inputs = frame[columns].astype(dict.fromkeys(NUMBERS, "float32" if kind == "onnx" else "float64"))
    leaves = (frame["left"] == "yes").astype(int) if kind in ("xgboost", "lightgbm") else frame["left"]
    with mlflow.start_run():
        info = globals()[f"log_{kind}"](inputs, leaves)
    print(mlflow.register_model(info.model_uri, "churn").version)
    assert MlflowClient().get_registered_model("churn").latest_versions


def pipeline(inputs, leaves):
    encode = ColumnTransformer(
        [("numbers", StandardScaler(), NUMBERS), ("texts", OneHotEncoder(handle_unknown="ignore"), ["plan"])]
    )
    return make_pipeline(encode, LogisticRegression()).fit(inputs, leaves)


def log_sklearn(inputs, leaves):
    model = pipeline(inputs, leaves)
    return mlflow.sklearn.log_model(model, name="model", input_example=inputs[:2], serialization_format="cloudpickle")


def log_onnx(inputs, leaves):
    import mlflow.onnx
    from skl2onnx import to_onnx

    model = pipeline(inputs, leaves)
    signature = infer_signature(inputs, model.predict_proba(inputs))
    return mlflow.onnx.log_model(to_onnx(model, inputs[:1]), name="model", signature=signature)


def log_lightgbm(inputs, leaves):
    import lightgbm

    data = lightgbm.Dataset(inputs, leaves)
    booster = lightgbm.train({"objective": "binary", "verbose": -1, "num_leaves": 4}, data, 30)
    return mlflow.lightgbm.log_model(booster, name="model", signature=infer_signature(inputs, booster.predict(inputs)))


def log_xgboost(inputs, leaves):
    from xgboost import XGBClassifier

    model = XGBClassifier(n_estimators=20, max_depth=2).fit(inputs, leaves)
    return mlflow.xgboost.log_model(model, name="model", signature=infer_signature(inputs, model.predict(inputs)))


def log_custom(inputs, leaves):
    return mlflow.pyfunc.log_model(name="model", python_model=Rule(), signature=infer_signature(inputs, leaves[:5]))


if __name__ == "__main__":
    main(*sys.argv[1:])
