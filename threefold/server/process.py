"""The server as a process: listens, answers until it is stopped, finishes what is under way."""

from __future__ import annotations

import gc
import socket
from collections.abc import Callable, Collection
from pathlib import Path

import uvicorn

from threefold.serving.process import KEEP_ALIVE_S, bind
from threefold.store import Store

STOP_TIMEOUT_S = 5  # for requests that are under way


def serve(
    root: Path,
    listener: socket.socket,
    *,
    url: str | None = None,
    objects: str | None = None,
    actor: str = "",
    project: Path | None = None,
    hosts: Collection[str] = (),
    allow_reset: bool = False,
    ready: Callable[[str], None] = print,
) -> None:
    """Answer requests until SIGINT or SIGTERM; requests under way are finished first.

    Args:
        root: the store's folder.
        listener: from `bind`, so that a port in use is said before anything is opened.
        url: a database URL for the catalogue; default is SQLite inside `root`.
        objects: where the objects lie; default is a folder inside `root`.
        actor: who is named in the event log; empty: the user of this process.
        project: the folder whose canvas says how versions are released and who may approve them; None: there is none.
        hosts: names beside localhost by which a browser may call it through a proxy on this machine.
        allow_reset: whether a client may put the store back to empty.
        ready: told the address when the server listens.
    """
    from threefold.server.app import create_app  # Starlette costs 90 ms: a port in use is refused without it

    with listener:
        store = Store.open(root, url=url, objects=objects)
        store.actor = actor
        app = create_app(store, allow_reset=allow_reset, project=project, hosts=hosts)
        config = uvicorn.Config(
            app, http="httptools", loop="auto", lifespan="on", ws="none", access_log=False, proxy_headers=False,
            log_level="warning", server_header=False, timeout_graceful_shutdown=STOP_TIMEOUT_S,
            timeout_keep_alive=KEEP_ALIVE_S,
        )  # fmt: skip
        gc.collect()
        gc.freeze()  # what is loaded stays: the collector need not walk it while requests come in
        ready(address_of(listener))
        uvicorn.Server(config).run(sockets=[listener])
        store.close()


def address_of(listener: socket.socket) -> str:
    """Where a socket listens, as in "http://127.0.0.1:5000"."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


__all__ = ["address_of", "bind", "serve"]
