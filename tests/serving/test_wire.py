import asyncio
import json
import socket
from urllib.parse import urlsplit

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from threefold.serving import log, process
from threefold.serving.wire import ShortWay, read_head

PATH = "/v2/models/demo/infer"


def head(length, *lines, path=PATH):
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: here", f"Content-Length: {length}", *lines, "", ""]).encode()


def test_an_ordinary_head_is_understood():
    assert read_head(head(12, "User-Agent: x", "Accept: */*", "Connection: keep-alive")) == ("demo", 12)


@pytest.mark.parametrize(
    "unusual",
    [
        head(12, "Transfer-Encoding: chunked"),
        head(12, "Content-Length: 13"),
        head(12, "Content-Encoding: gzip"),
        head(12, "Inference-Header-Content-Length: 3"),
        head(12, "Expect: 100-continue"),
        head(12, "Connection: close"),
        head(12, "Upgrade: h2c"),
        head(12, " folded"),
        head(12, "Accept: a\nTransfer-Encoding: chunked"),
        head(12, "Accept : */*"),
        head("+12"),
        head("1_2"),
        head("-1"),
        head(12, path="/v2/models/a/versions/1/infer"),
        head(12, path="/v2/models/a%2Fb/infer"),
        head(12, path="/v2/models//infer"),
        head(12, path="/v2/models/demo/infer?x=1"),
        head(12).replace(b"HTTP/1.1", b"HTTP/1.0"),
        head(12).replace(b"Host: here\r\n", b""),
    ],
)
def test_whatever_is_unusual_goes_the_long_way(unusual):
    assert read_head(unusual) is None


class Line:
    """One connection, spoken to byte by byte."""

    def __init__(self, address):
        place = urlsplit(address)
        self.socket = socket.create_connection((place.hostname, place.port), timeout=20)
        self.rest = b""

    def answer(self):
        while b"\r\n\r\n" not in self.rest:
            self.rest += self.socket.recv(65536)
        top, _, self.rest = self.rest.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in top.split(b"\r\n")[1:])
        length = int(fields[b"content-length"])
        while len(self.rest) < length:
            self.rest += self.socket.recv(65536)
        body, self.rest = self.rest[:length], self.rest[length:]
        return int(top.split(b" ")[1]), json.loads(body)


@pytest.fixture
def server(served):
    with process.start(served.root) as server:
        yield server


@pytest.fixture
def line(server):
    line = Line(server.address)
    yield line
    line.socket.close()


def message(request_of, name):
    body = json.dumps({**request_of([3.5], [2.0], ["AA"]), "id": name}).encode()
    return head(len(body)) + body


def test_both_ways_give_one_answer(line, request_of):
    whole = message(request_of, "a")
    line.socket.sendall(whole)
    short = line.answer()
    line.socket.sendall(whole.replace(b"Host: here", b"Host: here\r\nX-Other: 1"))
    assert line.answer() == short
    assert short[0] == 200


@pytest.mark.slow
def test_every_cut_of_two_requests_is_answered_in_order(line, request_of):
    both = message(request_of, "a") + message(request_of, "b")
    for cut in range(1, len(both), 7):
        line.socket.sendall(both[:cut])
        line.socket.sendall(both[cut:])
        assert [line.answer()[1]["id"] for _ in range(2)] == ["a", "b"]


def test_what_follows_a_refused_long_body_is_never_taken_for_a_request(served, line, request_of):
    hidden = message(request_of, "hidden")
    length = 40 * 1024 * 1024
    line.socket.sendall(head(length) + b" " * (36 * 1024 * 1024))
    assert line.answer()[0] == 413
    try:
        line.socket.sendall(hidden)
        line.socket.sendall(b" " * 1024)
    except OSError:
        pass  # the server may have hung up
    log.ingest(served, "demo")
    assert "hidden" not in log.read_predictions(served, "demo")["prediction_id"].to_list()


def test_wrong_requests_on_the_short_way_are_answered_as_on_the_long_one(line):
    for body in (b"{", b'{"inputs": []}', b'{"inputs": [{"name": "temp", "shape": [1, 1], "datatype": "FP32"}]}'):
        line.socket.sendall(head(len(body)) + body)
        status, answer = line.answer()
        assert (status, list(answer)) == (400, ["error"])


@pytest.mark.parametrize("noise", [b"this is no HTTP\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01"])
def test_what_is_no_http_is_refused_in_the_same_shape(line, noise):
    line.socket.sendall(noise)
    status, answer = line.answer()
    assert (status, list(answer)) == (400, ["error"])
    assert answer["error"].startswith("Invalid HTTP request received (this connection); ")


def test_a_server_with_idle_connections_ends_at_once(server, line, request_of):
    line.socket.sendall(message(request_of, "a"))
    line.answer()
    server.stop()
    assert line.socket.recv(10) == b""


class Asked:
    """An application that answers every plain request alike."""

    def direct(self, name, body):
        return 200, body


def test_an_idle_connection_is_closed_but_not_one_that_was_just_asked():
    async def read_to_the_end(clock):
        loop = asyncio.get_running_loop()
        loop.time = lambda real=loop.time: real() + clock["ahead_s"]
        config = Config(Asked(), interface="asgi3", proxy_headers=False, timeout_keep_alive=60)
        config.load()
        server = await loop.create_server(lambda: ShortWay(config, ServerState(), {}, _loop=loop), "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            for ahead_s in (0, 59, 59 + 59):  # each answer gives the connection another minute
                clock["ahead_s"] = ahead_s
                writer.write(head(2) + b"{}")
                assert (await reader.readuntil(b"\r\n\r\n{}")).startswith(b"HTTP/1.1 200")
            clock["ahead_s"] += 61
            rest = await reader.read()
            writer.close()
            await writer.wait_closed()
            return rest

    assert asyncio.run(read_to_the_end({"ahead_s": 0})) == b""
