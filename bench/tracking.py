"""The tracking server against MLflow's own, with the same requests in the same run.

    python bench/tracking.py [--rounds 3] [--venv FOLDER] [--only threefold] [--million] [--json FILE]

Both servers run on 127.0.0.1 with their default settings, on SQLite. One client on one connection that stays open asks
both; what is measured is the processor time of the server's whole process tree for each operation, so that the client and
a busy machine count little, and the wall time beside it. Rounds take turns between the servers; medians are printed.
Runs for the searches are written straight into the tables of each, 10 metrics, 10 parameters and 3 tags a run.
`--million` repeats the searches with 1,000,000 runs on Threefold alone, to show how each cost grows.

MLflow is installed by this script into an environment of its own.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import json
import os
import re
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MLFLOW = "mlflow==3.17.2"
TICKS = os.sysconf("SC_CLK_TCK")
RUNS, POINTS, CLIENTS = 10_000, 100_000, 20
API = "/api/2.0/mlflow"
SILENT_S = 2.0  # servers give up a line that is silent for some seconds


# --------------------------------------------------------------------------------------------------- processes


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(") ", 1)[1].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for one in found:
        found += parents.get(one, [])
    return found


def cpu_s(pid: int) -> float:
    """Processor time of a process tree so far, children that ended included."""
    total = 0
    for one in tree(pid):
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rsplit(") ", 1)[1].split()
        except OSError:
            continue
        total += sum(map(int, fields[11:15]))
    return total / TICKS


def memory_mb(pid: int) -> float:
    """Memory of a process tree, shared pages counted once."""
    total = 0
    for one in tree(pid):
        try:
            text = Path(f"/proc/{one}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(size) for size in re.findall(r"^Pss:\s+(\d+) kB", text, re.M))
    return total / 1000


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@dataclass
class Server:
    """A server that was started by this script."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    healthy_s: float
    connection: http.client.HTTPConnection = field(init=False)
    asked_at: float = 0.0

    def __post_init__(self) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body)
        if time.perf_counter() - self.asked_at > SILENT_S:
            self.connection.close()  # the next request opens another
        self.connection.request(method, path, data, {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        payload = answer.read()
        self.asked_at = time.perf_counter()
        if answer.status != 200:
            raise SystemExit(f"{self.name}: {method} {path} answered {answer.status}: {payload[:300]!r}")
        return json.loads(payload) if payload[:1] in b"{[" else payload


@contextmanager
def running(name: str, command: list[str], port: int) -> Iterator[Server]:
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).read()
                break
            except OSError:
                if process.poll() is not None or time.perf_counter() - began > 300:
                    raise SystemExit(f"{name} did not start") from None
                time.sleep(0.01)
        yield Server(name, process, port, time.perf_counter() - began)
    finally:
        for one in reversed(tree(process.pid)):
            try:
                os.kill(one, 15)
            except ProcessLookupError:
                continue
        process.wait(30)


def stock(folder: Path, venv: Path) -> tuple[list[str], int]:
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    return [
        str(venv / "bin" / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}", "--artifacts-destination", str(folder / "artifacts"),
    ], port  # fmt: skip


def ours(folder: Path) -> tuple[list[str], int]:
    port = free_port()
    threefold = [sys.executable, "-m", "threefold"]
    return [*threefold, "up", "--port", str(port), "--store", str(folder / "store")], port


def install(venv: Path) -> Path:
    if not (venv / "bin" / "mlflow").is_file():
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        subprocess.run([str(venv / "bin" / "pip"), "install", "--quiet", MLFLOW], check=True)
    return venv


# ---------------------------------------------------------------------------------------------------- many runs


def fill_stock(folder: Path, runs: int, experiment: str) -> None:
    base = sqlite3.connect(folder / "mlflow.db")
    for number in range(runs):
        run, at = f"{number:032x}", 1_700_000_000_000 + number
        base.execute(
            "INSERT INTO runs (run_uuid, name, source_type, status, start_time, end_time, lifecycle_stage, artifact_uri,"
            " experiment_id, user_id) VALUES (?, ?, 'UNKNOWN', 'FINISHED', ?, ?, 'active', '', ?, 'bench')",
            (run, f"run {number}", at, at + 1000, int(experiment)),
        )
        for place in range(10):
            value = ((number * 7919 + place) % 100_003) / 100_003
            row = (f"m{place}" if place else "acc", value, at, 0, False, run)
            base.execute(
                "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid) VALUES (?, ?, ?, ?, ?, ?)",
                row,
            )
            base.execute(
                "INSERT INTO metrics (key, value, timestamp, step, is_nan, run_uuid) VALUES (?, ?, ?, ?, ?, ?)", row
            )
            base.execute(
                "INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)", (f"p{place}", str(number % 17), run)
            )
        for place in range(3):
            base.execute(
                "INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?)", (f"t{place}", str(number % 5), run)
            )
    base.commit()
    base.close()


def fill_ours(folder: Path, runs: int, experiment: str) -> None:
    base = sqlite3.connect(folder / "store" / "catalogue.db", timeout=60)
    first = (base.execute("SELECT max(number) FROM runs").fetchone()[0] or 0) + 1
    key = (base.execute("SELECT max(id) FROM series").fetchone()[0] or 0) + 1
    run_rows, series, points, params, tags = [], [], [], [], []

    def write() -> None:
        base.executemany(
            "INSERT INTO runs (number, id, experiment_id, kind, name, user, status, started_at, ended_at, artifact_root,"
            " code, host, pid) VALUES (?, ?, ?, 'tracked', ?, 'bench', 'done', ?, ?, '', '{}', '', 0)",
            run_rows,
        )
        base.executemany(
            "INSERT INTO series (id, run, name, length, last_value, last_step, last_at_ms) VALUES (?, ?, ?, 1, ?, 0, ?)",
            series,
        )
        base.executemany("INSERT INTO points (series, position, step, at_ms, value) VALUES (?, 0, 0, ?, ?)", points)
        base.executemany("INSERT INTO params (run, name, value) VALUES (?, ?, ?)", params)
        base.executemany("INSERT INTO run_tags (run, name, value) VALUES (?, ?, ?)", tags)
        base.commit()
        for rows in (run_rows, series, points, params, tags):
            rows.clear()

    for number in range(runs):
        run, at = first + number, 1_700_000_000_000 + number
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at / 1000)) + f".{at % 1000:03d}000+00:00"
        run_rows.append((run, f"{run:032x}", int(experiment), f"run {number}", moment, moment))
        for place in range(10):
            value = ((number * 7919 + place) % 100_003) / 100_003
            series.append((key, run, f"m{place}" if place else "acc", value, at))
            points.append((key, at, value))
            params.append((run, f"p{place}", str(number % 17)))
            key += 1
        tags += [(run, f"t{place}", str(number % 5)) for place in range(3)]
        if len(run_rows) == 20_000:
            write()
    write()
    base.close()


# ------------------------------------------------------------------------------------------------- measurements


@dataclass(frozen=True)
class Cost:
    """What one operation costs."""

    cpu_ms: float
    wall_ms: float


def cost(server: Server, times: int, operation: Callable[[int], object]) -> Cost:
    operation(-1)  # the first one warms up
    before, began = cpu_s(server.process.pid), time.perf_counter()
    for number in range(times):
        operation(number)
    wall = time.perf_counter() - began
    return Cost((cpu_s(server.process.pid) - before) / times * 1000, wall / times * 1000)


def new_run(server: Server, experiment: str) -> str:
    made = server.ask("POST", f"{API}/runs/create", {"experiment_id": experiment, "start_time": 1_700_000_000_000})
    return str(made["run"]["info"]["run_id"])


def measure_logging(server: Server, found: dict[str, Cost | float], experiment: str) -> None:
    run = new_run(server, experiment)

    def one(number: int) -> None:
        body = {"run_id": run, "key": "loss", "value": 0.5, "timestamp": 1_700_000_000_000 + number, "step": number + 1}
        server.ask("POST", f"{API}/runs/log-metric", body)

    def batch(number: int) -> None:
        metrics = [
            {
                "key": f"k{place % 10}",
                "value": place,
                "timestamp": 1_700_000_000_000,
                "step": number * 100 + place // 10,
            }
            for place in range(1000)
        ]
        server.ask("POST", f"{API}/runs/log-batch", {"run_id": run, "metrics": metrics})

    found["log one metric"] = cost(server, 300, one)
    found["batch of 1000 metrics"] = cost(server, 40, batch)


def measure_search(server: Server, found: dict[str, Cost | float], experiment: str, label: str) -> None:
    def search(**more: Any) -> Callable[[int], object]:
        body = {"experiment_ids": [experiment], "max_results": 100, **more}
        return lambda number: server.ask("POST", f"{API}/runs/search", body)

    best = search(filter="metrics.acc > 0.5", order_by=["metrics.acc DESC"])
    found[f"search {label} by metric, ordered"] = cost(server, 7, best)
    three = search(filter="metrics.acc > 0.5 and params.p1 = '3' and tags.t1 = '2'", order_by=["metrics.m1 ASC"])
    found[f"search {label} by metric, parameter, tag"] = cost(server, 7, three)
    found[f"first page of {label}"] = cost(server, 7, search())


def measure_history(server: Server, found: dict[str, Cost | float], experiment: str) -> None:
    run = new_run(server, experiment)
    for start in range(0, POINTS, 1000):
        metrics = [
            {"key": "loss", "value": step / 7, "timestamp": 1_700_000_000_000 + step, "step": step}
            for step in range(start, start + 1000)
        ]
        server.ask("POST", f"{API}/runs/log-batch", {"run_id": run, "metrics": metrics})

    def read(_number: int) -> None:
        token, seen = "", 0
        while True:
            path = f"{API}/metrics/get-history?run_id={run}&metric_key=loss&max_results=25000"
            page = server.ask("GET", path + (f"&page_token={token}" if token else ""))
            seen += len(page["metrics"])
            token = page.get("next_page_token", "")
            if not token:
                break
        assert seen == POINTS, seen

    found[f"history of {POINTS:,} points"] = cost(server, 3, read)


def measure_crowd(server: Server, found: dict[str, Cost | float], experiment: str, seconds: float = 5.0) -> None:
    """Many clients, each logging to a run of its own; afterwards every acknowledged point must be there."""
    runs = [new_run(server, experiment) for _ in range(CLIENTS)]
    counts = [0] * CLIENTS
    until = time.perf_counter() + seconds

    def client(place: int) -> None:
        mine = Server(server.name, server.process, server.port, 0)
        while time.perf_counter() < until:
            body = {
                "run_id": runs[place],
                "key": "loss",
                "value": 1.0,
                "timestamp": counts[place],
                "step": counts[place],
            }
            mine.ask("POST", f"{API}/runs/log-metric", body)
            counts[place] += 1
        mine.connection.close()

    before, began = cpu_s(server.process.pid), time.perf_counter()
    threads = [threading.Thread(target=client, args=(place,)) for place in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    used = cpu_s(server.process.pid) - before
    kept = 0
    for run in runs:
        history = server.ask("GET", f"{API}/metrics/get-history?run_id={run}&metric_key=loss&max_results=25000")
        kept += len(history.get("metrics", []))
    found[f"{CLIENTS} clients logging, a second"] = sum(counts) / took
    found[f"{CLIENTS} clients logging, CPU ms each"] = used / sum(counts) * 1000
    found[f"{CLIENTS} clients logging, lost"] = float(sum(counts) - kept)


def measure_page(server: Server, found: dict[str, Cost | float], path: str) -> None:
    """All that the first page loads, as a browser with compression would."""
    base, seen, size = f"http://127.0.0.1:{server.port}", {path}, 0
    waiting = [path]
    while waiting:
        address = waiting.pop()
        asked = urllib.request.Request(base + address, headers={"Accept-Encoding": "gzip"})
        with urllib.request.urlopen(asked, timeout=60) as answer:
            data, packed = answer.read(), answer.headers.get("Content-Encoding") == "gzip"
        size += len(data) if packed else len(gzip.compress(data, 6))
        if address == path:
            text = (gzip.decompress(data) if packed else data).decode()
            for link in re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="([^"#]+)"', text):
                whole = link if link.startswith("/") else f"{path.rstrip('/')}/{link.removeprefix('./')}"
                if not link.startswith(("http", "data:")) and whole not in seen:
                    seen.add(whole)
                    waiting.append(whole)
    found["first page, compressed kB"] = size / 1000


def one_round(name: str, command: list[str], port: int, fill: Callable[[int, str], None], page: str) -> dict[str, Any]:
    found: dict[str, Cost | float] = {}
    with running(name, command, port) as server:
        found["start to healthy, s"] = server.healthy_s
        settle(server)
        found["idle memory, MB"] = memory_mb(server.process.pid)
        small = str(server.ask("POST", f"{API}/experiments/create", {"name": "logging"})["experiment_id"])
        many = str(server.ask("POST", f"{API}/experiments/create", {"name": "many"})["experiment_id"])
        measure_logging(server, found, small)
        fill(RUNS, many)
        measure_search(server, found, many, f"{RUNS:,} runs")
        measure_history(server, found, small)
        measure_crowd(server, found, small)
        measure_page(server, found, page)
    return found


def settle(server: Server, most_s: float = 60.0) -> None:
    """Wait until a fresh server stops working by itself; stock imports in its job processes for a while."""
    until, calm = time.perf_counter() + most_s, 0
    while time.perf_counter() < until and calm < 3:
        before = cpu_s(server.process.pid)
        time.sleep(0.5)
        calm = calm + 1 if cpu_s(server.process.pid) - before < 0.02 else 0


def million(folder: Path) -> dict[str, Any]:
    found: dict[str, Cost | float] = {}
    command, port = ours(folder)
    with running("threefold", command, port) as server:
        many = str(server.ask("POST", f"{API}/experiments/create", {"name": "million"})["experiment_id"])
        fill_ours(folder, 1_000_000, many)
        measure_search(server, found, many, "1,000,000 runs")
        measure_logging(server, found, many)
    return found


def middle(values: list[Any]) -> Any:
    if isinstance(values[0], Cost):
        cpu = statistics.median(one.cpu_ms for one in values)
        return Cost(cpu, statistics.median(one.wall_ms for one in values))
    return statistics.median(values)


def show(columns: dict[str, dict[str, Any]]) -> None:
    names = list(dict.fromkeys(name for column in columns.values() for name in column))
    print(f"{'':<44}" + "".join(f"{title:>26}" for title in columns))
    for name in names:
        cells = []
        for column in columns.values():
            value = column.get(name)
            if isinstance(value, Cost):
                cells.append(f"{value.cpu_ms:9.2f} ms CPU {value.wall_ms:9.2f}")
            else:
                cells.append("" if value is None else f"{value:,.2f}")
        print(f"{name:<44}" + "".join(f"{cell:>26}" for cell in cells))
    print("\nCPU of the server's processes and wall time, ms for each operation; medians")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--venv", type=Path, default=Path(tempfile.gettempdir()) / "threefold-bench" / "mlflow")
    parser.add_argument("--only", choices=["threefold"])
    parser.add_argument("--million", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rounds: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(options.rounds):
            folder = Path(scratch) / f"ours-{number}"
            command, port = ours(folder)
            fill = lambda runs, key, folder=folder: fill_ours(folder, runs, key)  # noqa: E731  # bound to this round
            rounds.setdefault("threefold", []).append(one_round("threefold", command, port, fill, "/"))
            if options.only is None:
                folder = Path(scratch) / f"stock-{number}"
                command, port = stock(folder, install(options.venv))
                fill = lambda runs, key, folder=folder: fill_stock(folder, runs, key)  # noqa: E731
                rounds.setdefault(MLFLOW, []).append(one_round(MLFLOW, command, port, fill, "/"))
        columns = {name: {key: middle([one[key] for one in many]) for key in many[0]} for name, many in rounds.items()}
        if options.million:
            show(columns)
            columns["threefold, a million runs"] = million(Path(scratch) / "million")
    show(columns)
    if options.json:
        plain = {
            name: {key: getattr(value, "__dict__", value) for key, value in column.items()}
            for name, column in columns.items()
        }
        options.json.write_text(json.dumps(plain, indent=2))


if __name__ == "__main__":
    main()
