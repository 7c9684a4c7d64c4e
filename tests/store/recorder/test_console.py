import sys
from pathlib import Path

import pytest

from threefold.store.recorder import console
from threefold.store.recorder.console import Copied


def test_what_is_printed_lies_in_the_file_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copied = Copied(tmp_path / "console.txt")
    print("one")
    assert (tmp_path / "console.txt").read_text() == "one\n"
    copied.keep(b"two\n")
    copied.end()
    print("three")
    assert (tmp_path / "console.txt").read_text() == "one\ntwo\n"
    assert capsys.readouterr().out == "one\nthree\n"


def test_the_file_is_handed_on_when_it_has_grown_and_the_more_rarely_the_longer_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(console.time, "monotonic", lambda: now)
    copied = Copied(tmp_path / "console.txt")
    assert not copied.due()
    copied.keep(b"x" * 10 * console.RATE)
    assert copied.due()
    copied.keep(b"x")
    now += 9
    assert not copied.due()
    now += 2
    assert copied.due()
    assert not copied.due()
    copied.end()


def test_a_flood_is_cut_with_a_word_about_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "KEPT_BYTES", 100)
    copied = Copied(tmp_path / "console.txt")
    for _ in range(50):
        sys.stderr.write("0123456789")
    copied.end()
    said = (tmp_path / "console.txt").read_text()
    assert len(said) < 200 and "only the beginning is kept" in said
