import errno
import os

import pytest

from threefold.errors import StoreError
from threefold.serving import log_writer
from threefold.serving.journal import MAGIC, Columns, Feedback, Inference, read_segment, segments
from threefold.serving.log_writer import LogWriter

COLUMNS = Columns(("temp",), ())


def record(name):
    return Inference(0, name, 1, [name], None, b"\0\0\0\0", [], [1], ["model"], [0.5], 1, b"\0" * 8)


def written(folder, *names, **options):
    writer = LogWriter(folder, **options)
    for name in names:
        writer.predictions(record(name), COLUMNS)
    return writer


def test_what_was_written_is_read_back_while_the_writer_lives(tmp_path):
    writer = written(tmp_path, "a", "b")
    writer.feedback(Feedback(1, ["a"], ["true"], [None]))
    segment, final = read_segment(segments(tmp_path)[0])
    assert [kind for kind, _ in segment.frames] == [b"p", b"p", b"f"]
    assert (segment.columns, final) == ([COLUMNS], False)
    writer.close()


def test_a_segment_is_final_when_its_writer_is_gone(tmp_path):
    written(tmp_path, "a").close()
    assert read_segment(segments(tmp_path)[0])[1]


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_torn_tail_is_left_out(tmp_path, cut):
    written(tmp_path, "a", "b").close()
    path = segments(tmp_path)[0]
    path.write_bytes(path.read_bytes()[:-cut])
    segment, _ = read_segment(path)
    assert len(segment.frames) == 1
    assert segment.size > segment.end


def test_a_damaged_frame_ends_what_is_read(tmp_path):
    written(tmp_path, "a", "b").close()
    path = segments(tmp_path)[0]
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    assert len(read_segment(path)[0].frames) == 1


def test_a_full_segment_is_followed_by_another_with_its_own_columns(tmp_path):
    written(tmp_path, *"abcdef", segment_bytes=100).close()
    read = [read_segment(path)[0] for path in segments(tmp_path)]
    assert len(read) > 1
    assert sum(len(segment.frames) for segment in read) == 6
    assert all(segment.columns == [COLUMNS] for segment in read)


def test_a_newer_format_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "20300101T000000000000-1.tflog"
    path.write_bytes(MAGIC.replace(b"\x01", b"\x02") + b"whatever")
    with pytest.raises(StoreError, match="format"):
        read_segment(path)
    assert path.exists()


def test_a_full_disk_raises_and_leaves_no_half_frame(tmp_path, monkeypatch):
    writer = written(tmp_path, "a")
    size = segments(tmp_path)[0].stat().st_size
    real = os.write

    def full(file, data):
        if len(data) > 8:
            return real(file, data[:8])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(log_writer.os, "write", full)
    with pytest.raises(StoreError, match="No space left"):
        writer.predictions(record("b"), COLUMNS)
    assert segments(tmp_path)[0].stat().st_size == size
    monkeypatch.setattr(log_writer.os, "write", real)
    writer.predictions(record("c"), COLUMNS)
    assert len(read_segment(segments(tmp_path)[0])[0].frames) == 2
    writer.close()
