"""Full disks and killed writers: nothing half-written is ever seen."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from threefold.errors import StoreError
from threefold.store.objects import LocalObjects

from .test_tables import LARGE

WRITER = """
import sys
from pathlib import Path
import numpy as np
import polars as pl
from threefold.store.objects import LocalObjects

objects = LocalObjects(Path(sys.argv[1]))
table = pl.DataFrame({f"x{n}": np.random.default_rng(n).normal(size=300_000) for n in range(10)})
publish = objects._publish

def watched(half, digest):
    publish(half, digest)
    sys.stdout.write(digest + "\\n")  # at once: several threads speak
    sys.stdout.flush()

objects._publish = watched
while True:
    objects.put_table(table)
    objects.put_stream(iter([bytes(1_000_000)] * 1_000))
"""


@pytest.fixture
def tiny_disk(small_disk: Callable[[str], Path]) -> Path:
    return small_disk("8m")


@pytest.mark.parametrize("pieces", [1, 4, 9])
def test_a_writer_killed_while_it_keeps_a_table_leaves_whole_objects_only(tmp_path: Path, pieces: int) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path / "objects")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    said = [process.stdout.readline().strip() for _ in range(pieces)]
    process.kill()
    process.communicate()
    objects = LocalObjects(tmp_path / "objects")
    assert set(said) <= set(objects.digests())
    for digest in objects.digests():
        objects.get(digest)  # raises for bytes that do not match their digest
    digest = objects.put_table(LARGE)
    assert objects.get_table(digest).equals(LARGE)


def test_a_table_that_a_full_disk_cuts_short_is_not_seen(tiny_disk: Path) -> None:
    objects = LocalObjects(tiny_disk)
    with pytest.raises(StoreError, match="the disk is full"):
        objects.put_table(LARGE)
    assert all(objects.references(digest) == () for digest in objects.digests())  # pieces, but no manifest
    assert list((tiny_disk / ".half").iterdir()) == []


def test_a_stream_that_a_full_disk_cuts_short_leaves_nothing(tiny_disk: Path) -> None:
    objects = LocalObjects(tiny_disk)
    with pytest.raises(StoreError, match="the disk is full"):
        objects.put_stream(os.urandom(1_000_000) for _ in range(20))
    assert [path for path in tiny_disk.rglob("*") if path.is_file()] == []
