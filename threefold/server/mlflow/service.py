"""What a client asks about the server itself."""

from __future__ import annotations

from threefold.server.call import Call
from threefold.server.context import Context
from threefold.server.routes import at_once

SPOKEN = "3.8.1"  # the version of the protocol that we speak; clients 3.8.1 and 3.17.2 were tried


def health(context: Context, call: Call) -> bytes:
    """The server is up."""
    return b"OK"


def version(context: Context, call: Call) -> bytes:
    """The version of the protocol, as plain text."""
    return SPOKEN.encode()


def server_info(context: Context, call: Call) -> dict[str, object]:
    """What kind of store stands behind the server."""
    return {"store_type": "SqlStore", "workspaces_enabled": False}


ROUTES = {
    ("GET", "/health"): at_once(health),
    ("GET", "/version"): at_once(version),
    ("GET", "/api/3.0/mlflow/server-info"): at_once(server_info),
}
