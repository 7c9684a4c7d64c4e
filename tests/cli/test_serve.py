"""`threefold serve`, as a user starts it."""

from __future__ import annotations

import re
import socket

import httpx


def test_a_free_port_is_printed_when_it_is_bound_and_answers(released) -> None:
    server = released.start("serve", "--port", "0")
    try:
        line = server.stdout.readline()
        address = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        assert address and address[1] != "0", line
        assert httpx.get(f"{address[0]}/v2/models/churn/ready").json()["ready"]
    finally:
        server.terminate()
        server.communicate(timeout=30)


def test_a_server_that_cannot_listen_never_says_that_it_serves(released) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        called = released.call("serve", "--port", str(other.getsockname()[1]))
    assert called.code == 2
    assert "serving" not in called.out
    assert "is in use" in called.err
