"""Load a model by its address and let it answer: `python load_model.py SERVER ADDRESS TABLE`; prints JSON."""

import json
import sys
from pathlib import Path

import mlflow
import mlflow.onnx
import pandas as pd

server, address, table = sys.argv[1:]
mlflow.set_tracking_uri(server)
folder = Path(mlflow.artifacts.download_artifacts(address))
assert {"MLmodel", "model.onnx", "requirements.txt", "python_env.yaml", "conda.yaml"} <= {
    one.name for one in folder.iterdir()
}
model = mlflow.pyfunc.load_model(address)
assert mlflow.onnx.load_model(address).graph.output[0].name == "label"
frame = pd.read_csv(table)[:50].astype({"months": "float64", "complaints": "float64"})
answers = model.predict(frame[model.metadata.get_input_schema().input_names()])
assert model.predict(model.input_example).shape[0] == 1
print(
    json.dumps(
        {
            "flavors": sorted(model.metadata.flavors),
            "inputs": sorted(model.metadata.get_input_schema().input_names()),
            "rows": frame[["id", "months", "plan", "complaints"]].values.tolist(),
            "label": answers["label"].tolist(),
            "probability": answers["probability"].tolist(),
        }
    )
)
