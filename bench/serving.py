"""Rows a second over HTTP: Threefold, with checks and inference log, against MLServer with the same ONNX model.

    python bench/serving.py [--seconds 2.5] [--runs 3] [--venv FOLDER] [--json FILE] [--only threefold]

Both servers run one process on 127.0.0.1 and answer the same model: histogram gradient boosting on scikit-learn's breast
cancer data, packed by Threefold as ONNX. One client (wrk where it is installed, otherwise the one in this file) asks both,
with one row in a request, over 1 and 16 connections that stay open; runs of the servers take turns, and the median is
reported. MLServer is asked twice:

    same request    the 30 features as 30 inputs, as Threefold is asked
    one tensor      the 30 features as one input of 30 columns (a Split stands before the same graph): its best case

MLServer is installed by this script into an environment of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import polars as pl
from sklearn.datasets import load_breast_cancer

from threefold.design.canvas import Training
from threefold.packaging.bundles import pack
from threefold.records import Bundle, ColumnRule, Contract, FeatureSpec, Lineage, Release, TaskSpec, utc_now
from threefold.serving import log, process, routing
from threefold.store import Store, new_id
from threefold.training.baselines import fit_baseline
from threefold.training.fitting import fit_candidate

MLSERVER = ("mlserver==1.7.1", "onnxruntime", "numpy")
CONNECTIONS = (1, 16)
BATCH = 50
TICKS = os.sysconf("SC_CLK_TCK")

RUNTIME = """
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse


class OnnxModel(MLModel):
    async def load(self):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(self.settings.parameters.uri, options)
        return True

    async def predict(self, payload):
        feed = {i.name: NumpyCodec.decode_input(i) for i in payload.inputs}
        answer = self._session.run(["probability"], feed)[0]
        outputs = [NumpyCodec.encode_output("probability", answer)]
        return InferenceResponse(model_name=self.name, id=payload.id, outputs=outputs)
"""


REPORT = """
done = function(summary, latency)
  local errors = summary.errors
  local wrong = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  print(string.format("RESULT %d %d %d %d %d", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), wrong))
end
"""


@dataclass(frozen=True)
class Target:
    """One server, asked in one way."""

    name: str
    port: int
    pid: int
    request: bytes
    rows: int


@dataclass(frozen=True)
class Measured:
    """What one run of one target brought."""

    rows_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: float  # of the server, per request


# ------------------------------------------------------------------------------------------------------ client


class Connection(asyncio.Protocol):
    """Asks, waits for the whole answer, asks again."""

    def __init__(self, request: bytes, times: list[float], until: float, done: asyncio.Future[None]) -> None:
        self.request, self.times, self.until, self.done = request, times, until, done
        self.data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one without deriving from it
        self.ask()

    def ask(self) -> None:
        self.asked = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.data = data = self.data + data if self.data else data
        head = data.find(b"\r\n\r\n")
        if head < 0:
            return
        place = data.lower().find(b"content-length:", 0, head)
        length = int(data[place + 15 : data.find(b"\r\n", place)])
        if len(data) < head + 4 + length:
            return
        now = time.perf_counter()
        self.times.append(now - self.asked)
        self.data = b""
        if not data.startswith(b"HTTP/1.1 200"):
            self.done.set_exception(RuntimeError(data[:300].decode()))
        elif now < self.until:
            self.ask()
        else:
            self.done.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or RuntimeError("the server hung up"))


async def ask(target: Target, connections: int, seconds: float) -> list[float]:
    """Seconds of each answer; every connection has one request under way at a time."""
    loop, times = asyncio.get_running_loop(), []
    until = time.perf_counter() + seconds
    waits = []
    for _ in range(connections):
        done = loop.create_future()
        waits.append(done)
        await loop.create_connection(
            lambda done=done: Connection(target.request, times, until, done), "127.0.0.1", target.port
        )
    await asyncio.wait_for(asyncio.gather(*waits), seconds + 30)
    return times


def measure(target: Target, connections: int, seconds: float) -> Measured:
    """One run, by wrk where it is installed: it takes less of the machine away from the servers than Python does."""
    before = cpu_s(target.pid)
    command = shutil.which("wrk")
    if command is None:
        count, took, p50, p99 = by_own_client(target, connections, seconds)
    else:
        count, took, p50, p99 = by_wrk(command, target, connections, seconds)
    return Measured(count * target.rows / took, p50, p99, (cpu_s(target.pid) - before) / count * 1e6)


def by_own_client(target: Target, connections: int, seconds: float) -> tuple[int, float, float, float]:
    """Answers, seconds, and the 50th and 99th percentile in milliseconds."""
    run = asyncio.run
    try:
        import uvloop

        run = uvloop.run
    except ImportError:
        pass
    began = time.perf_counter()
    times = sorted(run(ask(target, connections, seconds)))
    took = time.perf_counter() - began
    return len(times), took, times[len(times) // 2] * 1000, times[int(len(times) * 0.99)] * 1000


def by_wrk(command: str, target: Target, connections: int, seconds: float) -> tuple[int, float, float, float]:
    """The same, asked by wrk on one thread."""
    head, _, body = target.request.partition(b"\r\n\r\n")
    path = head.split(b" ")[1].decode()
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(
            f'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\nwrk.body = [==[{body.decode()}]==]\n'
        )
        script.write(REPORT)
        script.flush()
        arguments = ["-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "-s", script.name]
        address = f"http://127.0.0.1:{target.port}{path}"
        printed = subprocess.run([command, *arguments, address], capture_output=True, text=True, check=True).stdout
    count, micros, p50, p99, wrong = map(float, printed.rsplit("RESULT ", 1)[1].split())
    if wrong:
        raise SystemExit(f"{target.name}: {wrong:.0f} requests failed")
    return int(count), micros / 1e6, p50 / 1000, p99 / 1000


def cpu_s(pid: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def http(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


# ----------------------------------------------------------------------------------------------------- servers


def prepare(folder: Path) -> tuple[Store, Bundle, np.ndarray]:
    """A store that routes the model, its bundle, and the rows to ask about."""
    data = load_breast_cancer()
    names = [name.replace(" ", "_") for name in data.feature_names]
    frame = pl.DataFrame({name: pl.Series(data.data[:, i], dtype=pl.Float32) for i, name in enumerate(names)})
    frame = frame.with_columns(_id=pl.int_range(pl.len()).cast(pl.String), _target=pl.Series(data.target.astype(bool)))
    features = tuple(FeatureSpec(name, "number", "rows") for name in names)
    task = TaskSpec("binary", "benign", features, ("false", "true"), "true")
    model, _ = fit_candidate("boosting", frame, task, Training(candidates=("boosting",)), 5.0)
    rules = (
        ColumnRule(n, "number", 0.0, float(c.min()), float(c.max())) for n, c in zip(names, data.data.T, strict=True)
    )
    store = Store.open(folder / "store")
    bundle = pack(
        store, "bench", model, contract=Contract("features", tuple(rules)), fallback=fit_baseline("prior", frame, task),
        reference=b"{}",
    )  # fmt: skip
    lineage = Lineage({}, "", "", {}, "", "", "boosting", None, "", 7)
    release = Release(new_id(), "bench", "bench", 1, bundle.digest, lineage, (), "rule", "bench", utc_now())
    routing.deploy(store, "bench", release)
    return store, bundle, data.data.astype(np.float32)


def many_inputs(bundle: Bundle, rows: np.ndarray) -> bytes:
    inputs = [
        {"name": tensor.name, "shape": [len(rows), 1], "datatype": "FP32", "data": values.tolist()}
        for tensor, values in zip(bundle.inputs, rows.T, strict=True)
    ]
    return json.dumps({"inputs": inputs, "outputs": [{"name": "probability"}]}).encode()


def one_input(rows: np.ndarray) -> bytes:
    tensor = {"name": "x", "shape": list(rows.shape), "datatype": "FP32", "data": rows.ravel().tolist()}
    return json.dumps({"inputs": [tensor]}).encode()


def with_split(model: bytes, names: list[str]) -> bytes:
    """The same graph behind a Split, so that all features come as one tensor."""
    import onnx
    from onnx import TensorProto, helper

    proto = onnx.load_from_string(model)
    kept = [value for value in proto.graph.input if value.name not in names]
    del proto.graph.input[:]
    proto.graph.input.extend([helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, len(names)]), *kept])
    proto.graph.node.insert(0, helper.make_node("Split", ["x"], names, axis=1, num_outputs=len(names)))
    onnx.checker.check_model(proto)
    return proto.SerializeToString()


def install(venv: Path) -> Path:
    """The mlserver command of an environment of its own, made where it is not there yet."""
    command = venv / "bin" / "mlserver"
    if not command.exists():
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        subprocess.run([str(venv / "bin" / "pip"), "install", "--quiet", *MLSERVER], check=True)
    return command


@contextmanager
def mlserver(command: Path, folder: Path, store: Store, bundle: Bundle) -> Iterator[tuple[int, int]]:
    """MLServer with both forms of the model; yields port and pid."""
    ports = [free_port() for _ in range(3)]
    settings = {"debug": False, "host": "127.0.0.1", "parallel_workers": 0}
    settings |= dict(zip(("http_port", "grpc_port", "metrics_port"), ports, strict=True))
    folder.mkdir()
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "ort_runtime.py").write_text(RUNTIME)
    model = store.objects.get(bundle.files["model.onnx"])
    forms = {"many": model, "one": with_split(model, [tensor.name for tensor in bundle.inputs])}
    for name, data in forms.items():
        (folder / name).mkdir()
        (folder / name / "model.onnx").write_bytes(data)
        here = {
            "name": name,
            "implementation": "ort_runtime.OnnxModel",
            "parameters": {"uri": str(folder / name / "model.onnx")},
        }
        (folder / name / "model-settings.json").write_text(json.dumps(here))
    environment = {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    with (folder / "output.txt").open("wb") as output:
        server = subprocess.Popen(
            [str(command), "start", "."], cwd=folder, env=environment, stdout=output, stderr=output
        )
    try:
        wait_until_ready(f"http://127.0.0.1:{ports[0]}/v2/health/ready", server)
        yield ports[0], server.pid
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def wait_until_ready(address: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if server.poll() is not None:
            raise SystemExit("MLServer ended before it was ready")
        try:
            with urllib.request.urlopen(address, timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("MLServer was not ready after a minute")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


# -------------------------------------------------------------------------------------------------- the bench


def compare(targets: list[Target], connections: int, runs: int, seconds: float) -> dict[str, Measured]:
    """The median run of each target; the targets take turns, so that a busy minute hits all of them."""
    for target in targets:
        measure(target, connections, 0.5)
    found: dict[str, list[Measured]] = {target.name: [] for target in targets}
    for _ in range(runs):
        for target in targets:
            found[target.name].append(measure(target, connections, seconds))
    return {name: sorted(all_, key=lambda run: run.rows_per_s)[len(all_) // 2] for name, all_ in found.items()}


def bench(options: argparse.Namespace, folder: Path) -> list[dict[str, object]]:
    store, bundle, rows = prepare(folder)
    single, batch = many_inputs(bundle, rows[:1]), many_inputs(bundle, rows[:BATCH])
    command = None if options.only == "threefold" else install(options.venv)
    with process.start(store.root) as ours:
        port = int(ours.address.rsplit(":", 1)[1])
        path = "/v2/models/bench/infer"
        one_row = [Target("threefold", port, ours.pid, http(path, single), 1)]
        batches = [Target("threefold", port, ours.pid, http(path, batch), BATCH)]
        if command is None:
            results = measured(one_row, batches, options)
        else:
            with mlserver(command, folder / "mlserver", store, bundle) as (other, pid):
                many, one = "/v2/models/many/infer", "/v2/models/one/infer"
                one_row.append(Target("mlserver, same request", other, pid, http(many, single), 1))
                one_row.append(Target("mlserver, one tensor", other, pid, http(one, one_input(rows[:1])), 1))
                batches.append(Target("mlserver, same request", other, pid, http(many, batch), BATCH))
                batches.append(Target("mlserver, one tensor", other, pid, http(one, one_input(rows[:BATCH])), BATCH))
                results = measured(one_row, batches, options)
    logged = log.ingest(store, "bench")
    print(f"\n{logged} rows are in the inference log")
    store.close()
    return results


def measured(one_row: list[Target], batches: list[Target], options: argparse.Namespace) -> list[dict[str, object]]:
    results = []
    plan = [(one_row, connections) for connections in CONNECTIONS] + [(batches, 4)]
    print(
        f"{'rows a request':>14} {'connections':>11}  {'server':24} {'rows/s':>9} {'p50 ms':>7} {'p99 ms':>7} {'CPU us':>7} {'times':>6}"
    )
    for targets, connections in plan:
        found = compare(targets, connections, options.runs, options.seconds)
        ours = found["threefold"].rows_per_s
        for target in targets:
            run = found[target.name]
            ratio = ours / run.rows_per_s
            print(
                f"{target.rows:14} {connections:11}  {target.name:24} {run.rows_per_s:9.0f} {run.p50_ms:7.2f}"
                f" {run.p99_ms:7.2f} {run.cpu_us:7.0f} {ratio:6.1f}"
            )
            results.append(
                {"rows": target.rows, "connections": connections, "server": target.name, "ratio": ratio}
                | {name: getattr(run, name) for name in ("rows_per_s", "p50_ms", "p99_ms", "cpu_us")}
            )
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=2.5, help="of one run")
    parser.add_argument("--runs", type=int, default=3, help="of which the median is taken")
    parser.add_argument("--venv", type=Path, default=Path(tempfile.gettempdir()) / "threefold-bench" / "mlserver")
    parser.add_argument("--json", type=Path, help="write the results here, too")
    parser.add_argument("--only", choices=["threefold"], help="leave MLServer out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = bench(options, Path(folder))
    if options.json:
        document = {"bench": "serving", "cpus": os.cpu_count(), "results": results}
        document["ratio_single_row"] = {
            str(c): min(float(str(r["ratio"])) for r in results if r["rows"] == 1 and r["connections"] == c and r["server"] != "threefold")
            for c in CONNECTIONS
        } if options.only is None else {}  # fmt: skip
        options.json.write_text(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
