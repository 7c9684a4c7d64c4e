import gzip
import json
import re
import struct

import numpy as np
import pytest

from threefold.serving import log, routing
from threefold.serving.app import BODY_LIMIT, create_app

INFER = "/v2/models/demo/infer"


@pytest.fixture
def client(served, call):
    return call(create_app(served.root))


def column(answer, name):
    return next(output["data"] for output in answer["outputs"] if output["name"] == name)


def test_an_answer_has_the_shape_of_the_protocol(client, request_of):
    answer = client.post(INFER, json={**request_of([30.0, -10.0], [20.0, 0.0], ["AA", "UA"]), "id": "mine"}).json()
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("demo", "1", "mine")
    assert answer["parameters"] == {"version": "1", "source": "model"}
    probability, label = answer["outputs"]
    assert (probability["datatype"], probability["shape"]) == ("FP32", [2, 2])
    assert (label["shape"], label["data"]) == ([2, 1], ["true", "false"])


def test_the_answer_is_what_the_model_says(client, models, request_of):
    import polars as pl

    rows = {"temp": [3.5, 20.0, None], "wind": [2.0, 12.5, 8.0], "carrier": ["AA", "UA", "AA"]}
    answer = client.post(INFER, json=request_of(**rows)).json()
    expected = models[0].score(pl.DataFrame(rows, schema_overrides={"temp": pl.Float32, "wind": pl.Float32}))
    assert np.allclose(np.reshape(column(answer, "probability"), (3, 2))[:, 1], expected, atol=1e-6)


def test_nested_data_and_flat_shapes_mean_the_same(client, request_of):
    body = request_of([1.0, 2.0], [3.0, 4.0], ["AA", "UA"])
    flat = client.post(INFER, json=body).json()
    for tensor in body["inputs"]:
        tensor["data"] = [[value] for value in tensor["data"]]
    body["inputs"][0]["shape"] = [2]
    body["inputs"][0]["data"] = [1.0, 2.0]
    assert client.post(INFER, json=body).json()["outputs"] == flat["outputs"]


def test_only_the_outputs_asked_for_are_sent(client, request_of):
    body = {**request_of([1.0], [2.0], ["AA"]), "outputs": [{"name": "label"}, {"name": "source"}]}
    answer = client.post(INFER, json=body).json()
    assert [output["name"] for output in answer["outputs"]] == ["label", "source"]
    assert column(answer, "source") == ["model"]


def test_an_empty_batch_gets_an_empty_answer(client, request_of):
    answer = client.post(INFER, json=request_of([], [], []))
    assert answer.status_code == 200
    assert column(answer.json(), "probability") == []


def test_binary_tensors_mean_the_same_as_json(client, request_of):
    numbers, text = np.array([3.5, 20.0], "<f4").tobytes(), b"".join(struct.pack("<I", 2) + x for x in (b"AA", b"UA"))
    head = json.dumps(
        {
            "inputs": [
                binary("temp", "FP32", len(numbers)),
                binary("wind", "FP32", len(numbers)),
                binary("carrier", "BYTES", len(text)),
            ],
            "parameters": {"binary_data_output": True},
        }
    ).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    answer = client.post(INFER, content=head + numbers + numbers + text, headers=headers)
    length = int(answer.headers["Inference-Header-Content-Length"])
    found = np.frombuffer(answer.content[length : length + 16], "<f4")
    plain = client.post(INFER, json=request_of([3.5, 20.0], [3.5, 20.0], ["AA", "UA"])).json()
    assert answer.headers["content-type"] == "application/octet-stream"
    assert np.allclose(found, column(plain, "probability"), atol=1e-7)
    assert json.loads(answer.content[:length])["outputs"][0]["parameters"] == {"binary_data_size": 16}


def binary(name, datatype, size):
    return {"name": name, "shape": [2, 1], "datatype": datatype, "parameters": {"binary_data_size": size}}


def test_a_gzip_body_is_unpacked_and_a_bomb_is_not(client, request_of):
    body = gzip.compress(json.dumps(request_of([1.0], [2.0], ["AA"])).encode())
    assert client.post(INFER, content=body, headers={"Content-Encoding": "gzip"}).status_code == 200
    bomb = gzip.compress(b" " * (BODY_LIMIT + 10))
    assert client.post(INFER, content=bomb, headers={"Content-Encoding": "gzip"}).status_code == 413
    assert client.post(INFER, content=body[:-9], headers={"Content-Encoding": "gzip"}).status_code == 400


def changed(index, **fields):
    def change(body):
        body["inputs"][index].update(fields)
        return json.dumps(body)

    return change


def raw(text):
    return lambda _body: text


WRONG = {
    "no json": raw("{"),
    "not an object": raw("[]"),
    "no inputs": raw('{"outputs": []}'),
    "nothing sent": raw(""),
    "deep": raw('{"inputs":' + "[" * 100_000),
    "no utf-8": lambda _body: b'{"inputs": "\xff"}',
    "missing input": lambda body: json.dumps({"inputs": body["inputs"][:2]}),
    "an input twice": lambda body: json.dumps({"inputs": [*body["inputs"], body["inputs"][0]]}),
    "unknown input": changed(0, name="tempo"),
    "wrong type": changed(0, datatype="INT64"),
    "no such type": changed(0, datatype="FLOAT"),
    "text in numbers": changed(0, data=["warm"]),
    "truth in numbers": changed(0, data=[True]),
    "numbers in text": changed(2, data=[3]),
    "too few values": changed(0, shape=[2, 1]),
    "too many values": changed(0, data=[1.0, 2.0]),
    "negative dimension": changed(0, shape=[-1, 1]),
    "both negative": changed(0, shape=[-1, -1]),
    "huge shape": changed(0, shape=[2**40, 1]),
    "huger shape": changed(0, shape=[10**30, 1]),
    "wide rows": changed(0, shape=[1, 2], data=[1.0, 2.0]),
    "wide nested rows": changed(0, data=[[1.0, 2.0]]),
    "three dimensions": changed(0, shape=[1, 1, 1]),
    "no dimension": changed(0, shape=[]),
    "shape of text": changed(0, shape="1"),
    "other length": changed(0, shape=[2, 1], data=[1.0, 2.0]),
    "NaN": lambda body: changed(0, data=["@"])(body).replace('"@"', "NaN"),
    "Infinity": lambda body: changed(0, data=["@"])(body).replace('"@"', "Infinity"),
    "over float32": changed(0, data=[1e39]),
    "over float64": lambda body: changed(0, data=["@"])(body).replace('"@"', "1e999"),
    "long integer": changed(0, data=[10**400]),
    "unknown output": lambda body: json.dumps({**body, "outputs": [{"name": "nothing"}]}),
    "binary size only": changed(0, data=[], parameters={"binary_data_size": 4}),
    "negative binary size": changed(0, parameters={"binary_data_size": -4}),
    "id of number": lambda body: json.dumps({**body, "id": 3}),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_a_client_gets_wrong_is_answered_with_400_and_a_sentence(client, request_of, case):
    answer = client.post(INFER, content=WRONG[case](request_of([1.0], [2.0], ["AA"])))
    assert answer.status_code == 400, answer.text
    assert list(answer.json()) == ["error"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", INFER, 405),
        ("DELETE", "/v2", 405),
        ("GET", "/v2/models/other", 404),
        ("POST", "/v2/models/other/infer", 404),
        ("POST", "/v2/models/demo/versions/9/infer", 404),
        ("POST", "/v2/models/demo/versions/x/infer", 404),
        ("GET", "/v2/models/demo/versions/9/ready", 404),
        ("POST", "/predict/other", 404),
        ("POST", "/v2/models/a/b/c/infer", 404),
        ("POST", "/predict/demo/", 404),
        ("POST", "/predict/demo/more", 404),
        ("GET", "/v2/models/demo/", 404),
        ("GET", "/v2/models/demo/infer", 405),
        ("GET", "/feedback", 405),
        ("PUT", "/predict/demo", 405),
    ],
)
def test_a_wrong_address_is_answered_in_the_same_shape(client, method, path, status):
    answer = client.request(method, path)
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]
    assert re.fullmatch(r".+ \(.+\); .+", answer.json()["error"])


def test_a_slash_too_many_is_named(client):
    assert "leave the slash at the end out: /feedback" in client.post("/feedback/", json={}).json()["error"]


def test_a_fault_of_the_server_has_the_shape_of_a_refusal(client, request_of, monkeypatch):
    monkeypatch.setattr(client.app.plane.served["demo"], "predict", lambda _rows: 1 / 0)
    answer = client.post(INFER, json=request_of([1.0], [2.0], ["AA"]))
    assert answer.status_code == 500
    assert answer.json() == {"error": "the server failed: ZeroDivisionError (this server); its log says why"}


def test_a_body_over_the_limit_is_refused(client):
    answer = client.post(INFER, content=b" " * (BODY_LIMIT + 1))
    assert (answer.status_code, list(answer.json())) == (413, ["error"])


def test_the_metadata_name_inputs_outputs_and_versions(client):
    found = client.get("/v2/models/demo").json()
    assert [tensor["name"] for tensor in found["inputs"]] == [
        "temp",
        "wind",
        "carrier",
        "prediction_id",
        "prediction_time",
    ]
    assert found["outputs"][0] == {"name": "probability", "datatype": "FP32", "shape": [-1, 2]}
    assert (found["versions"], found["platform"]) == (["1"], "threefold_onnx")
    assert client.get("/v2/models/demo/versions/1").json()["versions"] == ["1"]


def test_health_and_server_metadata_answer(client):
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get("/v2/models/demo/ready").json() == {"name": "demo", "ready": True}
    assert client.get("/v2").json()["extensions"] == client.get("/v2/").json()["extensions"] == ["binary_tensor_data"]


def test_a_server_without_its_endpoint_is_not_ready(store, call):
    assert call(create_app(store.root, ["demo"])).get("/v2/health/ready").status_code == 503


def test_rows_with_names_are_answered_with_names(client):
    rows = [
        {"temp": 30, "wind": 20.5, "carrier": "AA", "prediction_id": "p1"},
        {"temp": None, "wind": 0, "carrier": "UA"},
    ]
    rows[1]["prediction_id"] = "p2"
    answer = client.post("/predict/demo", json={"rows": rows}).json()
    assert [row["prediction_id"] for row in answer["rows"]] == ["p1", "p2"]
    assert answer["rows"][0]["label"] == "true"
    assert set(answer["rows"][0]["probability"]) == {"false", "true"}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"rows": [{"temp": 1.0, "wind": 1.0}]},
        {"rows": [{"temp": 1.0, "wind": 1.0, "carrier": "AA", "tempo": 1}]},
        {"rows": [{"temp": "1", "wind": 1.0, "carrier": "AA"}]},
        {"rows": [{"temp": 1.0, "wind": 1.0, "carrier": 7}]},
        {"rows": [{"temp": 1.0, "wind": 1.0, "carrier": "AA", "prediction_time": "yesterday"}]},
        {"rows": [{"temp": True, "wind": 1.0, "carrier": "AA"}]},
    ],
)
def test_wrong_rows_with_names_are_refused(client, body):
    answer = client.post("/predict/demo", json=body)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])


def test_missing_names_are_all_counted(client):
    said = client.post("/predict/demo", json={"rows": [{"temp": 1.0}]}).json()["error"]
    assert said.startswith("carrier, wind are missing")


IMPOSSIBLE = [
    "9999-12-31T23:59:59-14:00",
    "9999-12-31T00:00:00",
    "0001-01-01T00:00:00+14:00",
    "0001-01-01",
    "2200-01-01",
]


@pytest.mark.parametrize("time", IMPOSSIBLE)
def test_a_time_that_no_calendar_holds_is_refused_at_every_door(client, served, request_of, time):
    row = {"temp": 1.0, "wind": 1.0, "carrier": "AA", "prediction_time": time}
    answers = [
        client.post(INFER, json=request_of([1.0], [2.0], ["AA"], prediction_time=[time])),
        client.post("/predict/demo", json={"rows": [row]}),
        client.post("/feedback", json={"labels": [{"id": "a", "value": True, "time": time}]}),
    ]
    assert [answer.status_code for answer in answers] == [400] * 3
    assert all("1900 to 2199" in answer.json()["error"] for answer in answers)


def test_a_prediction_is_logged_with_id_time_checks_and_features(client, served, request_of):
    body = request_of(
        [50.0, 3.5], [None, 2.0], ["AA", "ZZ"], prediction_id=["a", "b"], prediction_time=["2013-07-01T10:00"] * 2
    )
    probability = column(client.post(INFER, json=body).json(), "probability")
    assert log.ingest(served, "demo") == 2
    first, second = log.read_predictions(served, "demo").to_dicts()
    assert (first["prediction_id"], str(first["time"])) == ("a", "2013-07-01 10:00:00")
    assert (first["checks"], second["checks"]) == (["input:range:temp"], ["input:values:carrier"])
    assert (first["version"], first["source"], first["status"]) == (1, "model", "ok")
    assert first["score"] == pytest.approx(probability[1])
    assert (first["x.temp"], first["x.wind"], first["x.carrier"]) == (50.0, None, "AA")


def test_labels_come_back_and_are_found_with_the_prediction(client, served, request_of):
    client.post(INFER, json=request_of([1.0], [2.0], ["AA"], prediction_id=["a"]))
    labels = [{"id": "a", "value": True, "time": "2013-07-01T14:30:00Z"}, {"id": "other", "value": 0.0}]
    assert client.post("/feedback", json={"labels": labels}).json() == {"accepted": 2}
    before = log.find(served, "demo", "a")
    log.ingest(served, "demo")
    assert log.find(served, "demo", "a") == before
    assert before["labels"][0]["value"] == "true"
    assert log.read_feedback(served, "demo")["value"].to_list() == ["true", "0"]
    assert log.find(served, "demo", "nobody") is None


def test_labels_that_are_no_class_are_refused_by_name_and_the_others_taken(client, served):
    labels = [{"id": "a", "value": "true"}, *({"id": str(n), "value": "banana"} for n in range(30))]
    answer = client.post("/feedback", json={"labels": labels}).json()
    assert (answer["accepted"], answer["refused_count"], len(answer["refused"])) == (1, 30, 10)
    assert answer["refused"][0] == {
        "id": "0",
        "error": "'banana' is no class of the model; classes are: false, true",
    }
    log.ingest(served, "demo")
    assert log.read_feedback(served, "demo")["prediction_id"].to_list() == ["a"]
    assert "30 labels were not understood" in log.read_refusals(served, "demo")["error"][0]
    assert 'threefold_labels_total{model="demo",outcome="refused"} 30' in client.get("/metrics").text


def test_a_request_of_which_no_label_is_understood_is_refused(client):
    answer = client.post("/feedback", json={"labels": [{"id": str(n), "value": "banana"} for n in range(300)]})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("none of 300 labels was understood: 'banana' is no class of the model")


@pytest.mark.parametrize(
    "labels", [3, [{"id": ""}], [{"id": "a", "value": None}], [{"id": "a", "value": 1, "time": "x"}]]
)
def test_wrong_labels_are_refused_as_a_whole(client, labels):
    answer = client.post("/feedback", json={"labels": labels})
    assert (answer.status_code, list(answer.json())) == (400, ["error"])


def test_a_refused_request_is_kept_with_its_reason(client, served):
    client.post(INFER, content="{")
    log.ingest(served, "demo")
    refused = log.read_refusals(served, "demo").to_dicts()
    assert (len(refused), refused[0]["status"]) == (1, 400)


def test_the_stop_switch_lets_the_fallback_answer(client, served, request_of):
    routing.stop(served, "demo", "bad data")
    client.app.plane.refresh()
    answer = client.post(INFER, json=request_of([1.0, 1.0], [2.0, 2.0], ["AA", "ZZ"])).json()
    assert answer["parameters"]["source"] == "fallback"
    assert column(answer, "probability") == pytest.approx([0.8, 0.2, 0.7, 0.3])
    log.ingest(served, "demo")
    assert log.read_predictions(served, "demo")["status"].to_list() == ["fallback"] * 2


def test_metrics_count_rows_by_version_and_source(client, request_of):
    client.post(INFER, json=request_of([99.0, 1.0], [2.0, 2.0], ["AA", "AA"]))
    client.post(INFER, content="{")
    text = client.get("/metrics").text
    assert 'threefold_rows_total{model="demo",version="1",source="model"} 2' in text
    assert 'threefold_failed_checks_total{model="demo",check="input:range:temp"} 1' in text
    assert 'model_infer_request_failure_total{model="demo",status="400"} 1' in text
    assert 'threefold_generation{model="demo"} 1.0' in text
