"""The real process: it listens, stops when it is told to, and refuses a port that is in use."""

import os
import signal
import subprocess
import sys

import httpx
import pytest

ASK = "import sys, threefold.server.app; print(*sorted({name.partition('.')[0] for name in sys.modules}))"


def up(store, *words):
    return subprocess.Popen(
        [sys.executable, "-m", "threefold", "up", "--store", str(store), *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip


@pytest.fixture
def server(tmp_path):
    process = up(tmp_path / "store", "--port", "0")
    yield process, process.stdout.readline().split()[2]
    process.kill()
    process.communicate()


def test_it_answers_where_it_says_and_stops_when_told(server):
    process, address = server
    assert httpx.get(f"{address}/health").text == "OK"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode in (0, -signal.SIGTERM, 128 + signal.SIGTERM)


def test_a_port_in_use_is_refused_with_its_three_parts(server, tmp_path):
    port = server[1].rsplit(":", 1)[1]
    second = up(tmp_path / "other", "--port", port)
    said = second.communicate(timeout=20)[1]
    assert second.returncode == 2
    assert f"port {port} is in use" in said and "--port" in said
    assert not (tmp_path / "other").exists()


def test_the_server_imports_nothing_heavy():
    found = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
    assert set(found.stdout.split()) & {"polars", "sklearn", "onnxruntime", "pandas", "scipy", "numpy"} == set()
