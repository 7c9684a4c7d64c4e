"""The server as a process: run here until stopped, or started beside and spoken to over its address."""

from __future__ import annotations

import errno
import gc
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import click

from threefold import errors
from threefold.errors import Conflict, ThreefoldError

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
GC_OBJECTS = 20_000  # new ones before the collector looks; Python's 700 is a few requests
KEEP_ALIVE_S = 75  # longer than the pools of clients keep an idle connection, so that they close first
BACKLOG = 2048
CATALOGUE, OBJECTS = "THREEFOLD_CATALOGUE", "THREEFOLD_OBJECTS"  # by which a process started beside this one is told


def serve(
    store_root: Path,
    host: str = "127.0.0.1",
    port: int = 8080,
    endpoints: Sequence[str] = (),
    *,
    catalogue: str | None = None,
    objects: str | None = None,
    announce: Callable[[str], None] = lambda address: None,
) -> None:
    """Answer requests until SIGINT or SIGTERM; requests under way are finished first.

    Args:
        store_root: the store's folder.
        port: 0 takes a free one.
        endpoints: the names to serve; empty: all there are, also those that come later.
        catalogue: the address of the store's catalogue; None: SQLite in its folder.
        objects: where its objects lie; None: a folder in its own.
        announce: told the address once the models are loaded and it can be asked, as in "http://127.0.0.1:43211".
    Raises:
        Conflict: the port is in use.
        StoreError: the store cannot be read.
    """
    _run(store_root, bind(host, port), endpoints, catalogue, objects, announce)


class ServerProcess:
    """A running server that was started beside this process. It ends with `stop`, or when this process dies.

    Attributes:
        address: as in "http://127.0.0.1:43211".
        pid: of the server.
    """

    def __init__(self, process: subprocess.Popen[str], address: str) -> None:
        self._process = process
        self.address = address
        self.pid = process.pid

    @property
    def running(self) -> bool:
        """Whether the process is still there."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End the server: politely first, and for good after STOP_TIMEOUT_S."""
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._finish()

    def kill(self) -> None:
        """End the server at once, as a crash would (SIGKILL)."""
        self._process.kill()
        self._finish()

    def _finish(self) -> None:
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start(
    store_root: Path,
    host: str = "127.0.0.1",
    port: int = 0,
    endpoints: Sequence[str] = (),
    *,
    output: Path | None = None,
    catalogue: str | None = None,
    objects: str | None = None,
) -> ServerProcess:
    """Start a server beside this process and wait until it answers.

    Args:
        port: 0 takes a free one.
        output: a file for what the server prints; default: `log/server.txt` in the store.
        catalogue: the address of the store's catalogue; None: SQLite in its folder.
        objects: where its objects lie; None: a folder in its own.
    Raises:
        Conflict: the port is in use.
        ThreefoldError: whatever the server said when it could not start.
    """
    command = [sys.executable, "-m", "threefold.serving.process", str(store_root), "--host", host, "--port", str(port)]
    for name in endpoints:
        command += ["--endpoint", name]
    printed = output or store_root / "log" / "server.txt"
    printed.parent.mkdir(parents=True, exist_ok=True)
    with printed.open("ab") as file:
        process = subprocess.Popen(
            [*command, "--attached"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file, text=True,
            env=_environment(catalogue, objects),
        )  # fmt: skip
    return ServerProcess(process, _first_word(process, printed))


def bind(host: str, port: int) -> socket.socket:
    """A listening socket.

    SO_REUSEPORT is never set: with it a forgotten server and a new one would share the port, and a rollback would
    reach half of the requests.

    Raises:
        Conflict: the port is in use, or may not be used.
        ThreefoldError: there is no such address here.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        raise _bind_error(error, host, port) from error
    return listener


def _bind_error(error: OSError | OverflowError, host: str, port: int) -> ThreefoldError:
    where = f"{host}:{port}"
    code = getattr(error, "errno", None)
    if code == errno.EADDRINUSE:
        return Conflict(f"port {port} is in use", where, "stop what listens there, or choose another with --port")
    if code in (errno.EACCES, errno.EPERM):
        return Conflict(f"port {port} may not be used by this user", where, "choose one above 1023 with --port")
    return ThreefoldError(f"cannot listen: {error}", where, "check the address and the port")


def _run(
    root: Path,
    listener: socket.socket,
    endpoints: Sequence[str],
    catalogue: str | None,
    objects: str | None,
    announce: Callable[[str], None],
    *,
    attached: bool = False,
) -> None:
    # Both cost 100 ms, and whoever only starts a server beside itself does not need them.
    import uvicorn

    from threefold.serving.app import create_app
    from threefold.serving.wire import ShortWay

    with listener:
        app = create_app(root, endpoints, catalogue, objects)
        config = uvicorn.Config(
            app, http=ShortWay, loop=_loop(), lifespan="on", ws="none", access_log=False, proxy_headers=False,
            log_level="warning", server_header=False, timeout_graceful_shutdown=5, timeout_keep_alive=KEEP_ALIVE_S,
        )  # fmt: skip
        server = uvicorn.Server(config)
        _spare_the_collector()
        announce(_address(listener))  # the socket already listens: what connects from now on waits for the loop
        if attached:
            threading.Thread(target=_end_with_parent, args=(server,), daemon=True).start()
        server.run(sockets=[listener])


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _say_to_parent(address: str) -> None:
    print(json.dumps({"address": address}), flush=True)


def _spare_the_collector() -> None:
    """What is loaded stays: the garbage collector need not walk it again and again while requests come in."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_OBJECTS)


def _end_with_parent(server: Any) -> None:
    """Ask the server to end when the other side of standard input is closed: by `stop`, or by the parent's death."""
    sys.stdin.buffer.read()
    server.should_exit = True


def _loop() -> Any:
    try:
        import uvloop  # noqa: F401  # only to see whether it is there: it is not on Windows
    except ImportError:
        return "asyncio"
    return "uvloop"


def _environment(catalogue: str | None, objects: str | None) -> dict[str, str]:
    # One row at a time gains nothing from threads of numpy; they only get in each other's way. The address may hold a
    # password, and a command line can be read by everybody on this machine.
    return {"OMP_NUM_THREADS": "1", **os.environ, CATALOGUE: catalogue or "", OBJECTS: objects or ""}


def _first_word(process: subprocess.Popen[str], printed: Path) -> str:
    """The address the server prints once it listens; or its error, raised here as its own kind."""
    assert process.stdout is not None
    timer = threading.Timer(START_TIMEOUT_S, process.kill)
    timer.start()
    try:
        line = process.stdout.readline()
    finally:
        timer.cancel()
    said: dict[str, str] = json.loads(line) if line.strip() else {}
    if "address" in said:
        return said["address"]
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
    if "kind" in said:
        raise getattr(errors, said["kind"], ThreefoldError)(said["what"], said["where"], said["do"])
    raise ThreefoldError("the server did not start", str(printed), "read the end of that file")


@click.command()
@click.argument("root", type=click.Path(path_type=Path))
@click.option("--host", default="127.0.0.1")
@click.option("--port", type=int, default=8080)
@click.option("--endpoint", "endpoints", multiple=True)
@click.option("--attached", is_flag=True, help="Print the address, and end when standard input is closed.")
def main(root: Path, host: str, port: int, endpoints: tuple[str, ...], attached: bool) -> None:
    """Serve the endpoints of the store in ROOT."""
    try:
        listener = bind(host, port)
        catalogue, objects = (os.environ.get(name) or None for name in (CATALOGUE, OBJECTS))
        announce = _say_to_parent if attached else print
        _run(root, listener, endpoints, catalogue, objects, announce, attached=attached)
    except ThreefoldError as error:
        if not attached:
            raise SystemExit(f"{error}") from error
        said = {"kind": type(error).__name__, "what": error.what, "where": error.where, "do": error.do}
        print(json.dumps(said), flush=True)
        raise SystemExit(error.exit_code) from error


if __name__ == "__main__":
    main()
