"""Files through the proxy."""

import asyncio
import hashlib
from urllib.parse import quote

import pytest

from threefold.server import streams
from threefold.store.tracking import files

FILES = "/api/2.0/mlflow-artifacts/artifacts"


@pytest.fixture
def put(door):
    def put(path, data):
        answer = door.ask("PUT", f"{FILES}/{path}", content=data)
        assert answer.status_code == 200, answer.text

    return put


def listed(door, path):
    return door.ask("GET", FILES, params={"path": path}).json()["files"]


def test_a_file_comes_back_as_it_went(door, put):
    data = bytes(range(256)) * 10_000
    put("0/run/artifacts/model/data.bin", data)
    answer = door.ask("GET", f"{FILES}/0/run/artifacts/model/data.bin")
    assert answer.content == data
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"] == "attachment; filename=data.bin"


def test_a_file_whose_name_is_no_plain_word_is_saved_under_its_name(door, put):
    put(f"a/{quote('Umsatz März.csv')}", b"x")
    answer = door.ask("GET", f"{FILES}/a/{quote('Umsatz März.csv')}")
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''Umsatz%20M%C3%A4rz.csv"


def test_an_empty_file_is_a_file(door, put):
    put("a/empty", b"")
    assert door.ask("GET", f"{FILES}/a/empty").content == b""
    assert listed(door, "a") == [{"path": "empty", "is_dir": False, "file_size": 0}]


@pytest.mark.parametrize(
    ("asked", "expected", "said"),
    [
        ("bytes=2-4", b"234", "2-4"),
        ("bytes=7-", b"789", "7-9"),
        ("bytes=-2", b"89", "8-9"),
        ("bytes=5-99", b"56789", "5-9"),
    ],
)
def test_a_range_is_sent_alone(door, put, asked, expected, said):
    put("a/digits", b"0123456789")
    answer = door.ask("GET", f"{FILES}/a/digits", headers={"range": asked})
    assert (answer.status_code, answer.content) == (206, expected)
    assert answer.headers["content-range"] == f"bytes {said}/10"


def test_a_range_behind_the_end_cannot_be_had(door, put):
    put("a/digits", b"0123456789")
    assert door.ask("GET", f"{FILES}/a/digits", headers={"range": "bytes=10-"}).status_code == 416


def test_a_folder_lists_its_files_and_folders_by_their_names(door, put):
    for path in ("m/MLmodel", "m/data/a", "m/data/b", "m/z.txt", "m2/x"):
        put(path, b"1")
    assert listed(door, "m") == [
        {"path": "MLmodel", "is_dir": False, "file_size": 1},
        {"path": "data", "is_dir": True},
        {"path": "z.txt", "is_dir": False, "file_size": 1},
    ]
    assert listed(door, "none") == []


def test_a_folder_of_thousands_is_listed_whole(door, store):
    digest = store.objects.put(b"x")
    with store.write() as tx:
        for number in range(2_500):
            files.put(tx.connection, f"d/{'sub/' if number % 2 else ''}{number:05}", digest, 1)
    assert len(listed(door, "d")) == 1_251
    assert len(listed(door, "d/sub")) == 1_250


def test_a_run_lists_its_files_as_it_names_them(door, put):
    run = door.post("runs/create", start_time=1)["run"]["info"]
    put(f"{run['artifact_uri'].removeprefix('mlflow-artifacts:/')}/plots/a.png", b"png")
    found = door.get("artifacts/list", run_id=run["run_id"], path="plots")
    assert found == {
        "root_uri": run["artifact_uri"], "files": [{"path": "plots/a.png", "is_dir": False, "file_size": 3}]
    }  # fmt: skip
    asked = {"run_id": run["run_id"], "path": "plots/a.png"}
    assert door.ask("GET", "/get-artifact", params=asked).content == b"png"


def test_a_file_or_a_whole_folder_is_deleted(door, put):
    for path in ("m/a", "m/b/c", "m2/d"):
        put(path, b"1")
    assert door.ask("DELETE", f"{FILES}/m").status_code == 200
    assert listed(door, "m") == []
    assert [one["path"] for one in listed(door, "")] == ["m2"]


@pytest.mark.parametrize(
    "path", ["../secret", "a/../../b", "%2e%2e/x", "%252e%252e/x", "/etc/passwd", "a%5c..%5cb", "C:/x", "a%00b"]
)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_path_that_climbs_out_is_refused(door, path, method):
    answer = door.ask(
        method, f"{FILES}/x%2f..%2f{path}" if "/" in path[:1] else f"{FILES}/{path.replace('..', '%2e%2e')}"
    )
    assert answer.status_code == 400 and "Invalid path" in answer.text


@pytest.mark.parametrize("step", [0, 10, 20, 22, 23, 25, 37, 47, 80, 99, 100, 230])
def test_an_image_is_found_under_the_name_that_a_client_reads_from_its_percent_signs(door, step):
    sent = f"r/dog%step%{step}%timestamp%1795611669554%p.png"
    assert door.ask("PUT", f"{FILES}/{sent.replace('%', '%25')}", content=b"png").status_code == 200
    name = listed(door, "r")[0]["path"]
    assert door.ask("GET", f"{FILES}/r/{quote(name)}").content == b"png"
    assert files.plain(name) == name and "#" not in name


def test_a_wrong_path_is_answered_to_the_letter_as_mlflow_does(door):
    answer = door.ask(
        "GET", "http://here//model-versions/get-artifact", params={"name": "m", "version": "1", "path": "../x"}
    )
    assert answer.json() == {"error_code": "INVALID_PARAMETER_VALUE", "message": "Invalid path"}


def test_a_folder_with_a_path_that_climbs_out_is_not_listed(door):
    for path in ("..", "/etc", "a/../..", "%2e%2e"):
        assert door.ask("GET", FILES, params={"path": path}).status_code == 400


def test_a_name_is_a_file_or_a_folder_never_both(door, put):
    put("a/b", b"1")
    for path in ("a", "a/b/c"):
        assert door.ask("PUT", f"{FILES}/{path}", content=b"2").status_code == 400


def test_a_broken_upload_leaves_nothing(door, store):
    async def half_a_file():
        said = iter([{"type": "http.request", "body": b"x" * 100, "more_body": True}, {"type": "http.disconnect"}])
        sent = []

        async def receive():
            return next(said)

        async def send(message):
            sent.append(message)

        scope = {
            "type": "http", "method": "PUT", "path": f"{FILES}/a/b", "query_string": b"", "headers": [],
        }  # fmt: skip
        await door.app(scope, receive, send)

    asyncio.run(half_a_file())
    assert listed(door, "a") == []
    assert list(store.objects.digests()) == []


def test_equal_files_are_kept_once(door, put, store):
    put("a/1", b"same")
    put("a/2", b"same")
    assert list(store.objects.digests()) == [hashlib.sha256(b"same").hexdigest()]


def test_uploads_in_parts_are_told_to_come_whole(door):
    answer = door.ask("POST", "/api/2.0/mlflow-artifacts/mpu/create/a/b", json={})
    assert (answer.status_code, answer.json()["error_code"]) == (501, "NOT_IMPLEMENTED")


def test_a_file_that_is_not_there_is_said_so(door):
    assert door.ask("GET", f"{FILES}/none").json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"


def test_an_upload_that_falls_silent_is_given_up(door, store, monkeypatch):
    monkeypatch.setattr(streams, "SILENCE_S", 0.01)
    sent = []

    async def silent():
        told = iter([{"type": "http.request", "body": b"x" * 100, "more_body": True}])

        async def receive():
            return next(told, None) or await asyncio.Event().wait()

        async def send(message):
            sent.append(message)

        scope = {
            "type": "http", "method": "PUT", "path": f"{FILES}/a/b", "query_string": b"", "headers": [],
        }  # fmt: skip
        await door.app(scope, receive, send)

    asyncio.run(silent())
    assert sent[0]["status"] == 400 and b"nothing more of the body came" in sent[1]["body"]
    assert list((store.root / "objects" / ".half").iterdir()) == []


def test_a_path_that_no_index_takes_is_refused(door):
    path = "".join(chr(0x1F300 + number % 700) for number in range(0, 7_000, 7))
    answer = door.ask("PUT", f"{FILES}/{path}", content=b"x")
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert "2600 bytes" in answer.text
