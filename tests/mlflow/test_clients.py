"""Clients that are not ours, against the real server: MLflow's own, one in JavaScript, one made of a shell and curl."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ENVIRONMENT = HERE.parent.parent / ".venv-mlflow" / "bin" / "python"
PYTHON = os.environ.get("THREEFOLD_MLFLOW_PYTHON") or (str(ENVIRONMENT) if ENVIRONMENT.exists() else None)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    words = ["up", "--store", str(tmp_path_factory.mktemp("store")), "--port", "0"]
    server = subprocess.Popen(
        [sys.executable, "-m", "threefold", *words], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    yield server.stdout.readline().split()[2]
    server.send_signal(signal.SIGTERM)
    server.communicate(timeout=30)


def run(*words):
    # The client brings packages of its own: nothing of ours may be in its way.
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(words, capture_output=True, text=True, timeout=600, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.mlflow
@pytest.mark.slow
@pytest.mark.skipif(PYTHON is None, reason="the environment of the MLflow client is made by `make test`")
def test_everything_people_do_with_mlflow_works(address):
    flows = re.findall(r"^def (\w+)\(client\)", (HERE / "flows.py").read_text(), re.MULTILINE)
    assert set(flows) <= set(run(PYTHON, str(HERE / "flows.py"), address).splitlines())


@pytest.mark.skipif(not shutil.which("node"), reason="Node is not installed")
def test_a_client_in_javascript_logs_and_finds(address):
    assert run("node", str(HERE / "client.mjs"), address).strip() == "ok"


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_a_client_of_a_shell_and_curl_logs_and_finds(address):
    assert run("sh", str(HERE / "client.sh"), address).strip() == "ok"
