import hashlib
import os
import tracemalloc
from collections.abc import Iterator

import pytest

from threefold.errors import NotFound, StoreError
from threefold.store.objects import Objects

from .conftest import Home

DATA = os.urandom(2_500_000)
DIGEST = hashlib.sha256(DATA).hexdigest()


def pieces_of(data: bytes, size: int = 300_000) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


@pytest.fixture
def objects(home: Home) -> Objects:
    return home.objects


def test_a_stream_is_kept_whole_under_the_digest_of_all_its_bytes(home: Home, objects: Objects) -> None:
    assert objects.put_stream(pieces_of(DATA)) == (DIGEST, len(DATA))
    assert objects.get(DIGEST) == DATA
    assert objects.put(DATA) == DIGEST
    assert len(home.files()) == 1


def test_an_empty_stream_is_the_empty_object(objects: Objects) -> None:
    digest, size = objects.put_stream([])
    assert (objects.get(digest), size, list(objects.open_stream(digest))) == (b"", 0, [])


def test_a_stream_that_breaks_off_leaves_nothing(home: Home, objects: Objects) -> None:
    def broken() -> Iterator[bytes]:
        yield DATA
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        objects.put_stream(broken())
    assert home.files() == []


def test_a_caller_that_is_handed_its_bytes_lets_an_object_grow(objects: Objects) -> None:
    with objects.growing() as half:
        for piece in pieces_of(DATA):
            half.write(piece)
            assert not objects.has(DIGEST)
        assert half.keep() == (DIGEST, len(DATA))
    assert objects.get(DIGEST) == DATA


def test_what_grew_and_was_not_kept_is_gone(home: Home, objects: Objects) -> None:
    with objects.growing() as half:
        half.write(DATA)
    assert home.files() == []


def test_a_stream_put_over_a_damaged_object_mends_it(home: Home, objects: Objects) -> None:
    objects.put(DATA)
    home.file(DIGEST).write_bytes(DATA[::-1])
    objects.put_stream(pieces_of(DATA))
    assert objects.get(DIGEST) == DATA


def test_an_object_is_read_in_pieces(objects: Objects) -> None:
    objects.put(DATA)
    pieces = list(objects.open_stream(DIGEST))
    assert b"".join(pieces) == DATA
    assert max(map(len, pieces)) < 2 << 20


@pytest.mark.parametrize("start", [1, 2_000_000, len(DATA), len(DATA) + 5])
def test_an_object_is_read_from_a_later_byte_on(objects: Objects, start: int) -> None:
    objects.put(DATA)
    assert b"".join(objects.open_stream(DIGEST, start)) == DATA[start:]


def test_a_reader_of_a_damaged_object_never_gets_all_its_bytes(home: Home, objects: Objects) -> None:
    objects.put(DATA)
    home.file(DIGEST).write_bytes(DATA[:-1] + b"?")
    got: list[bytes] = []
    with pytest.raises(StoreError, match="damaged"):
        got.extend(objects.open_stream(DIGEST))
    assert sum(map(len, got)) < len(DATA)


def test_a_stream_of_an_unknown_object_is_refused_before_its_first_piece(objects: Objects) -> None:
    with pytest.raises(NotFound):
        objects.open_stream("0" * 64)


def test_a_large_object_goes_in_and_out_in_little_memory(objects: Objects) -> None:
    block = bytes(1_000_000)
    tracemalloc.start()
    try:
        digest, size = objects.put_stream(block for _ in range(200))
        assert size == sum(map(len, objects.open_stream(digest))) == 200_000_000
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()
