"""What is released can be operated while the project's canvas or code is broken."""

from __future__ import annotations

import json
import urllib.request

import pytest

BROKEN = {
    "a canvas with a wrong key": ("threefold.yaml", lambda text: text.replace("accept:", "acept:")),
    "a canvas that is no YAML": ("threefold.yaml", lambda text: text + "\n}{\n"),
    "code that does not import": ("features.py", lambda text: "def f(:\n"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_released_can_be_operated_while_the_folder_is_broken(released, name: str) -> None:
    released.serve_and_ask("p-1", {"months": 3, "plan": "basic", "complaints": 5})
    file, spoil = BROKEN[name]
    path = released.root / file
    released.write(file, spoil(path.read_text() if path.exists() else ""))
    warned = file == "threefold.yaml"
    for words in (
        ("release", "stop", "--reason", "it must"),
        ("release", "resume"),
        ("release", "list"),
        ("status",),
        ("models", "list"),
        ("watch",),
        ("trace", "p-1"),
    ):
        called = released.call(*words)
        assert called.code == 0, (words, called.err)
        assert ("threefold.yaml has " in called.err) is warned, words
    for words in (("audit", "verify"), ("runs", "list"), ("audit", "list")):
        assert released.call(*words).code == 0, words
    serving = released.start("serve", "--port", "0")
    assert serving.stdout is not None
    assert "serving churn on" in serving.stdout.readline()
    serving.terminate()
    serving.communicate(timeout=60)
    rolled = released.call("rollback")
    assert "no version before" in rolled.err or rolled.code == 0, rolled.err
    refused = released.call("run")
    assert refused.code != 0
    assert "version in the store" not in refused.err


def test_a_version_is_built_again_from_its_archive_whatever_the_folder_holds_now(released) -> None:
    released.write("features.py", "def f(:\n")
    released.write("threefold.yaml", "project: churn\n")
    called = released.call("reproduce", "1")
    assert called.code == 0, called.err


def test_a_broken_canvas_without_any_version_is_answered_with_its_findings(folder) -> None:
    folder.edit("threefold.yaml", "accept:", "acept:")
    called = folder.call("status")
    assert called.code == 2
    assert "acept" in called.err


def test_the_server_starts_with_a_broken_canvas_and_its_first_page_says_what_is_wrong_with_file_and_line(
    folder,
) -> None:
    folder.edit("threefold.yaml", "accept:", "acept:")
    serving = folder.start("up", "--port", "0")
    assert serving.stdout is not None
    try:
        line = next(line for line in serving.stdout if "http://" in line)
        address = "http://" + line.partition("http://")[2].split()[0]
        told = json.loads(urllib.request.urlopen(f"{address}/.json", timeout=60).read())["canvas"]
        page = urllib.request.urlopen(f"{address}/", timeout=60).read().decode()
    finally:
        serving.terminate()
        serving.communicate(timeout=60)
    assert told[0]["where"].startswith("threefold.yaml:")
    assert "acept" in told[0]["what"] and told[0]["do"]
    assert "threefold.yaml cannot be used" in page


def test_the_settings_are_listed_beside_a_broken_canvas(folder) -> None:
    folder.edit("threefold.yaml", "accept:", "acept:")
    called = folder.call("settings")
    assert called.code == 0
    assert "up_port" in called.out and "cannot be used" in called.err
