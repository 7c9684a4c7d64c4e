"""Who may send what: a page of somebody else, open in the same browser, must not change anything here."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from starlette.types import Scope

from threefold.server.refusals import ProtocolError, invalid


def check_letters(raw_path: bytes) -> None:
    """Refuse an address whose bytes are no UTF-8: each of them is read as the same sign, so two names would be one.

    Raises:
        ProtocolError: in the words of MLflow's server.
    """
    try:
        unquote_to_bytes(raw_path).decode()
    except UnicodeDecodeError:
        raise ProtocolError(
            "INVALID_PARAMETER_VALUE", "Invalid path", "the address", "write it in UTF-8", bare=True
        ) from None


LOOPBACK = ("127.0.0.1", "::1")


def is_foreign(origin: str, host: str, server: Sequence[Any] | None, hosts: Collection[str] = ()) -> bool:
    """Whether a browser sends this for a page that is not ours.

    A name that somebody lets point at 127.0.0.1 makes any page of theirs look like one of ours: origin and host agree
    (DNS rebinding). So what reaches this machine from itself may not call it by a name that nobody has allowed.

    Args:
        origin: the page, as the browser names it.
        host: whom the browser means to speak to.
        server: the address that was reached, as ASGI tells it.
        hosts: the names that were allowed, for a proxy on the same machine: the setting up_hosts.

    >>> is_foreign("http://localhost:5000", "localhost:5000", ("127.0.0.1", 5000))
    False
    >>> is_foreign("http://trap.example:5000", "trap.example:5000", ("127.0.0.1", 5000))
    True
    """
    if urlsplit(origin).netloc != host:
        return True
    name = urlsplit(f"//{host}").hostname or ""
    local = name == "localhost" or name.endswith(".localhost") or _is_address(name)
    return server is not None and server[0] in LOOPBACK and not local and name not in hosts


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def check_sender(scope: Scope, *, streams: bool, hosts: Collection[str] = ()) -> None:
    """Refuse a change that a foreign page sends, or whose body is a form or packed.

    A browser names the page a request comes from (Origin), and lets a foreign page send forms and plain text without
    asking us first; a client that is no browser names no page, and sends JSON.

    Args:
        streams: the body is no JSON.
        hosts: as `is_foreign` takes them.
    Raises:
        ProtocolError: the page is foreign, or the body is not said to be JSON, or is said to be packed.
    """
    origin = host = kind = b""
    for name, value in scope["headers"]:
        if name == b"origin":
            origin = value
        elif name == b"host":
            host = value
        elif name == b"content-type":
            kind = value
        elif name == b"content-encoding" and value.lower() != b"identity":
            raise invalid(
                f"the body is encoded as {value.decode('latin-1')}, and nothing here decodes it", "content-encoding",
                "send the bytes as they are",
            )  # fmt: skip
    if origin and is_foreign(origin.decode("latin-1"), host.decode("latin-1"), scope.get("server"), hosts):
        raise ProtocolError(
            "PERMISSION_DENIED", "a page of another site may not change anything here", f"Origin {origin.decode('latin-1')}",
            "call from a page of this server, or from a client that is no browser",
        )  # fmt: skip
    if kind and not streams and not kind.lower().startswith(b"application/json"):
        raise invalid(
            "Bad Request. Content-Type must be one of ['application/json']", f"content-type {kind.decode('latin-1')}",
            "send JSON, with the header content-type: application/json",
        )  # fmt: skip
