"""A real server over a real store, spoken to over HTTP, that can be killed and started again."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

API = "/api/2.0/mlflow/"
FILES = "/api/2.0/mlflow-artifacts/artifacts/"
JSON = {"content-type": "application/json"}


class Up:
    """`threefold up` as a process of its own.

    Attributes:
        printed: its lines; a thread reads them, as a pipe that nobody reads would stop it.
    """

    def __init__(self, store: Path, catalogue: str | None, command: tuple[str, ...]) -> None:
        self.store, self.printed = store, list[str]()
        # A store that is named keeps its catalogue inside; one that the settings name may have it elsewhere.
        where = ("--store", str(store)) if catalogue is None else ()
        named = {} if catalogue is None else {"THREEFOLD_STORE": str(store), "THREEFOLD_CATALOGUE": catalogue}
        self.process = subprocess.Popen(
            [*command, "up", "--port", "0", *where], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            cwd=store.parent, env={**os.environ, **named, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        assert self.process.stdout is not None
        first = self.process.stdout.readline()
        if not first.startswith("listening on "):
            self.process.kill()
            raise AssertionError(first + self.process.communicate()[0])
        self._reader = threading.Thread(target=self.printed.extend, args=(self.process.stdout,))
        self._reader.start()
        self.address = first.split()[2]
        self.client = httpx.Client(base_url=self.address, timeout=120)

    def ask(self, method: str, path: str, body: bytes | str = b"", **more: Any) -> httpx.Response:
        return self.client.request(method, path, content=body, **more)

    def post(self, path: str, /, **body: Any) -> dict[str, Any]:
        answer = self.ask("POST", API + path, json.dumps(body), headers=JSON)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def get(self, path: str, /, **params: Any) -> dict[str, Any]:
        answer = self.ask("GET", API + path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def run(self, **about: Any) -> str:
        return self.post("runs/create", start_time=1, **about)["run"]["info"]["run_id"]

    def begin(self, path: str, length: int | None) -> socket.socket:
        """The head of an upload; the body is for the caller to send, or not. Without a length it comes in chunks."""
        url = httpx.URL(self.address)
        line = socket.create_connection((url.host, url.port or 80), timeout=30)
        how = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
        line.sendall(f"PUT {FILES}{path} HTTP/1.1\r\nhost: here\r\n{how}\r\n\r\n".encode())
        return line

    def halves(self) -> list[Path]:
        return list((self.store / "objects" / ".half").glob("*"))

    def kill(self) -> None:
        """As kill -9 does."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self.process.stdout.close()
        self.client.close()


Starting = Callable[..., Up]


@contextmanager
def starting(folder: Path) -> Iterator[Starting]:
    begun: list[Up] = []

    def start(
        store: Path = folder / "store", catalogue: str | None = None,
        command: tuple[str, ...] = (sys.executable, "-m", "threefold"),
    ) -> Up:  # fmt: skip
        begun.append(Up(store, catalogue, command))
        return begun[-1]

    yield start
    for one in begun:
        one.kill()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Starting]:
    """Starts servers over the store of a test; all of them end with it."""
    with starting(tmp_path) as found:
        yield found


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One server for the tests of a module that leave it as it was."""
    with starting(tmp_path_factory.mktemp("up")) as found:
        yield found()


def refusal(answer: httpx.Response) -> str:
    """The code of a refusal that has its three parts."""
    said = answer.json()
    assert answer.status_code >= 400, said
    assert said["what"] and said["where"] and said["do"], said
    return f"{answer.status_code} {said['error_code']}"


def in_threads(count: int, work: Callable[[int], None]) -> None:
    """Do something in many threads at once; what one of them raises is raised here."""
    raised: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]
