"""Uploads that break, in every way a line can: nothing half is seen, and no file is left behind."""

import hashlib
import socket
import threading
from collections.abc import Callable, Iterator

import psutil
import pytest

from threefold.store import Store
from threefold.store.check import check

from .conftest import FILES, Starting, Up, in_threads

MB = 1_000_000


def hang_up(line: socket.socket) -> None:
    line.close()


def say_no_more(line: socket.socket) -> None:
    """Half of the line is closed: the client waits for an answer to what it did not send."""
    line.shutdown(socket.SHUT_WR)


def tear(line: socket.socket) -> None:
    """The line is gone without a goodbye (RST), as when the client is killed."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    line.close()


def speak_wrongly(line: socket.socket) -> None:
    line.sendall(b"this is no length of a piece\r\n")


@pytest.mark.parametrize("sent", [0, 1, 3 * MB])
@pytest.mark.parametrize("breaking", [hang_up, say_no_more, tear, speak_wrongly])
def test_an_upload_that_breaks_off_leaves_nothing(up: Up, breaking: Callable[[socket.socket], None], sent: int) -> None:
    chunked = breaking is speak_wrongly
    with up.begin("broken/file", None if chunked else 10 * MB) as line:
        if sent:
            line.sendall(b"%x\r\n" % sent * chunked + b"x" * sent + b"\r\n" * chunked)
        breaking(line)
        wait_until(lambda: not up.halves() and not connected(up))
    assert up.ask("GET", f"{FILES}broken/file").status_code == 404
    assert up.ask("GET", FILES[:-1], params={"path": "broken"}).json() == {"files": []}


def test_an_upload_that_breaks_off_leaves_the_file_that_was_there(up: Up) -> None:
    up.ask("PUT", f"{FILES}kept/file", b"the first")
    with up.begin("kept/file", 10) as line:
        line.sendall(b"the")
    wait_until(lambda: not up.halves())
    assert up.ask("GET", f"{FILES}kept/file").content == b"the first"


def test_what_an_upload_left_behind_when_the_server_was_killed_goes_at_the_next_start(start: Starting) -> None:
    first = start()
    with first.begin("a/file", 10 * MB) as line:
        line.sendall(bytes(3 * MB))
        wait_until(lambda: sum(half.stat().st_size for half in first.halves()) > 0)
        first.kill()
    left = first.halves()
    assert left
    second = start()
    assert [half for half in second.halves() if half in left] == []
    assert second.ask("GET", f"{FILES}a/file").status_code == 404


def test_two_who_put_one_name_at_once_leave_one_whole_file(up: Up) -> None:
    contents = [bytes([number]) * (2 * MB + number) for number in range(4)]

    def put(content: bytes) -> None:
        assert up.ask("PUT", f"{FILES}both/file", content).status_code == 200

    for _ in range(3):
        in_threads(len(contents), lambda number: put(contents[number]))
        assert up.ask("GET", f"{FILES}both/file").content in contents


def test_two_hundred_megabytes_pass_through_in_constant_memory(up: Up) -> None:
    piece, before = bytes(range(256)) * 4_000, memory(up)
    sent = hashlib.sha256()

    def pieces() -> Iterator[bytes]:
        for number in range(200):
            one = number.to_bytes(4) + piece[4:]
            sent.update(one)
            yield one

    answer = up.client.put(f"{FILES}large/file", content=pieces())
    assert answer.status_code == 200
    received, size = hashlib.sha256(), 0
    with up.client.stream("GET", f"{FILES}large/file") as stream:
        for one in stream.iter_raw():
            received.update(one)
            size += len(one)
    assert (received.hexdigest(), size) == (sent.hexdigest(), 200 * len(piece))
    assert memory(up) - before < 40 * MB


def test_a_clearing_beside_an_upload_takes_nothing_away(up: Up) -> None:
    from datetime import timedelta

    from threefold.store import gc

    store = Store.open(up.store)
    up.ask("PUT", f"{FILES}gone/file", b"nobody will want this")
    with up.begin("slow/file", 6 * MB) as line:
        line.sendall(bytes(3 * MB))
        wait_until(lambda: sum(half.stat().st_size for half in up.halves()) > 0)
        found = gc.collect(store, grace=timedelta(0), unused=timedelta(hours=1))
        assert found.halves == 0
        line.sendall(bytes(3 * MB))
        assert line.recv(1_000).startswith(b"HTTP/1.1 200")
    assert up.ask("GET", f"{FILES}slow/file").content == bytes(6 * MB)
    assert check(store).findings == ()
    store.close()


def wait_until(true: Callable[[], bool], timeout_s: float = 30.0) -> None:
    """Look again and again; each look gives the processor to the server."""
    waiting = threading.Event()
    for _ in range(round(timeout_s / 0.01)):
        if true():
            return
        waiting.wait(0.01)
    raise AssertionError("it did not come true in time")


def connected(up: Up) -> bool:
    """Whether somebody other than the client of the tests is connected."""
    lines = psutil.Process(up.process.pid).net_connections("tcp")
    return sum(line.status == "ESTABLISHED" for line in lines) > 1


def memory(up: Up) -> int:
    return int(psutil.Process(up.process.pid).memory_info().rss)
