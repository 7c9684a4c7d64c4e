"""Files through the proxy: upload, download, list, delete; and the files of a run as it names them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection
from starlette.types import Receive, Scope, Send

from threefold.server.call import Call
from threefold.server.context import Context
from threefold.server.mlflow.paths import safe
from threefold.server.refusals import ProtocolError, invalid
from threefold.server.routes import at_once, reading, streaming, writing
from threefold.server.streams import respond
from threefold.server.transfer import give, take
from threefold.store import Writer
from threefold.store.tracking import files
from threefold.store.tracking import reading as runs_reading
from threefold.store.tracking.files import File, path_in

PAGE_UPLOAD = 10 * 1024 * 1024  # bytes that a page may send as a file of a run


async def upload(context: Context, call: Call, scope: Scope, receive: Receive, send: Send) -> None:
    """Keep a file. Nothing of it is seen before the last byte has arrived."""
    path = _path(call)
    digest, size = await take(context, receive)
    await context.write(lambda tx: files.put(tx.connection, path, digest, size))
    await respond(send, 200, b"{}")


async def download(context: Context, call: Call, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a file, or a range of it."""
    path = _path(call)
    digest, size = await context.read(files.get, path)
    await give(context, scope, send, digest, size, path)


def delete(tx: Writer, call: Call) -> dict[str, Any]:
    """Delete a file, or a folder with all in it."""
    files.remove(tx.connection, _path(call))
    return {}


def list_folder(connection: Connection, call: Call) -> dict[str, Any]:
    """What lies in a folder; names are those within it."""
    folder = safe(call.text("path") or "")
    return {"files": [_shape(one, one.path.rpartition("/")[2]) for one in files.listed(connection, folder)]}


def list_of_run(connection: Connection, call: Call) -> dict[str, Any]:
    """What lies in a folder of a run; names are those within the run."""
    folder = safe(call.text("path") or "")
    return folder_of(connection, runs_reading.get(connection, call.run_id()).artifact_root, folder)


def folder_of(connection: Connection, root: str, folder: str) -> dict[str, Any]:
    """What lies in a folder below the address of a run or a logged model; names are those below it."""
    begin = f"{folder}/" if folder else ""
    found = files.listed(connection, path_in(root, folder))
    return {"root_uri": root, "files": [_shape(one, begin + one.path.rpartition("/")[2]) for one in found]}


async def download_of_run(context: Context, call: Call, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a file of a run."""
    run_id, path = call.run_id(), safe(call.need("path"))

    def find(connection: Connection) -> tuple[str, int]:
        return files.get(connection, path_in(runs_reading.get(connection, run_id).artifact_root, path))

    digest, size = await context.read(find)
    await give(context, scope, send, digest, size, path)


async def upload_to_run(context: Context, call: Call, scope: Scope, receive: Receive, send: Send) -> None:
    """Keep what a page sends as a file of a run."""
    run_id, given = call.text("run_uuid"), call.text("path")
    if not run_id:
        raise invalid("Request must specify run_uuid")
    if not given:
        raise invalid("Request must specify path")
    path = safe(given)
    length = next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)
    if length > PAGE_UPLOAD:
        raise invalid(
            "Artifact size is too large. Max size is 10MB", path, "use a client, which takes files of any size"
        )
    if not length:
        raise invalid("Request must specify data")
    root = (await context.read(runs_reading.get, run_id)).artifact_root
    digest, size = await take(context, receive)
    await context.write(lambda tx: files.put(tx.connection, path_in(root, path), digest, size))
    await respond(send, 200, b"")


def unsupported(context: Context, call: Call) -> None:
    """Uploads in parts and signed addresses: a client that is told so sends the file in one piece."""
    raise ProtocolError(
        "NOT_IMPLEMENTED", "Multipart upload is not supported for the current artifact repository", "the server",
        "send the file whole: it may be of any size",
    )  # fmt: skip


def _path(call: Call) -> str:
    return safe(call.need("path"))


def _shape(file: File, name: str) -> dict[str, Any]:
    if file.size_bytes is None:
        return {"path": name, "is_dir": True}
    return {"path": name, "is_dir": False, "file_size": file.size_bytes}


_ARTIFACTS = "/api/2.0/mlflow-artifacts"
ROUTES = {
    ("GET", f"{_ARTIFACTS}/artifacts"): reading(list_folder),
    ("PUT", f"{_ARTIFACTS}/artifacts/{{path*}}"): streaming(upload),
    ("GET", f"{_ARTIFACTS}/artifacts/{{path*}}"): streaming(download),
    ("DELETE", f"{_ARTIFACTS}/artifacts/{{path*}}"): writing(delete),
    ("POST", f"{_ARTIFACTS}/mpu/{{step}}/{{path*}}"): at_once(unsupported),
    ("GET", f"{_ARTIFACTS}/presigned/{{path*}}"): at_once(unsupported),
    ("GET", "/api/2.0/mlflow/artifacts/list"): reading(list_of_run),
    ("GET", "/get-artifact"): streaming(download_of_run),
    ("GET", "/api/2.0/mlflow/get-artifact"): streaming(download_of_run),
    ("POST", "/api/2.0/mlflow/upload-artifact"): streaming(upload_to_run),
}
