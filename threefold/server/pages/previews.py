"""Files as they can be looked at: text, JSON, tables, images. Nothing in a file is ever run or taken for a page."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from starlette.responses import Response, StreamingResponse

from threefold.errors import ThreefoldError
from threefold.server.transfer import attached
from threefold.store import Store

READ = 5_000_000  # bytes; a larger file is only offered to be taken away
TEXT = 200_000  # letters shown
ROWS, COLUMNS = 100, 40
IMAGES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp",
          ".svg": "image/svg+xml"}  # fmt: skip
PAGES = (".html", ".htm")
TABLES = 50_000_000  # bytes of a Parquet file; of a larger one not even the first rows are read
CONSOLES = ("console.txt", "console.log", "stdout.txt", "stdout.log", "output.log")
DIFFS = ("code.diff", "uncommitted.diff", "changes.diff", "code.patch", "git.diff", "diff.patch")
# A file that a browser is given may not run anything, whatever it holds and however it is opened.
SEALED = {"content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:",
          "x-content-type-options": "nosniff", "cache-control": "no-cache"}  # fmt: skip
CELL = 200  # letters of one value of a table


def roles(files: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The files that the page of a run shows by itself: console output and the uncommitted changes."""
    found: dict[str, Mapping[str, Any]] = {}
    for file in files:
        name = PurePosixPath(file["path"]).name.lower()
        if name in CONSOLES:
            found.setdefault("console", file)
        elif name in DIFFS or name.endswith((".diff", ".patch")):
            found.setdefault("diff", file)
    return found


def text_of(store: Store, file: Mapping[str, Any] | None, most: int = TEXT, *, end: bool = False) -> str | None:
    """The text of a file, cut at its end, or at its beginning; None where there is none to show."""
    data = _read(store, file) if file else None
    if data is None:
        return None
    text = data.decode("utf-8", "replace")
    if len(text) <= most:
        return text
    return "…\n" + text[-most:] if end else text[:most] + "\n…"


def preview(store: Store, file: Mapping[str, Any]) -> dict[str, Any]:
    """What to show of a file: its kind, and text, rows or the reason why there is nothing."""
    ending = PurePosixPath(file["path"]).suffix.lower()
    if ending in IMAGES:
        return {"kind": "image"}
    if ending == ".parquet" and file["size"] <= TABLES:
        return _parquet(store, file)
    if file["size"] > READ:
        return {"kind": "none", "why": "It is too large to be shown here."}
    data = _read(store, file)
    if data is None:
        return {"kind": "none", "why": "Its bytes are not in the store any more."}
    if b"\0" in data[:8_000]:
        return {"kind": "none", "why": "It holds bytes that are not text."}
    text = data.decode("utf-8", "replace")
    if ending in (".csv", ".tsv"):
        return _rows(text, "\t" if ending == ".tsv" else ",")
    if ending in PAGES:
        return {"kind": "page", "text": text[:TEXT], "cut": len(text) > TEXT}
    if ending == ".json":
        return _json(text)
    return {"kind": "text", "text": text[:TEXT], "cut": len(text) > TEXT}


def is_image(file: Mapping[str, Any]) -> bool:
    """Whether a browser can show a file as a picture."""
    return PurePosixPath(file["path"]).suffix.lower() in IMAGES


def coloured(diff: str | None) -> list[tuple[str, str]]:
    """The lines of a diff, each with what it is: added, taken away, a place, or a file."""
    kinds = (("+++", "file"), ("---", "file"), ("diff ", "file"), ("@@", "place"), ("+", "added"), ("-", "gone"))
    lines = (diff or "").splitlines()[:5_000]
    return [(next((kind for sign, kind in kinds if line.startswith(sign)), ""), line) for line in lines]


def raw(store: Store, file: Mapping[str, Any], *, framed: bool = False) -> Response:
    """The bytes of a file: an image as one, everything else as something to take away.

    Args:
        framed: a page of HTML is sent as one, for the frame that shows it; sealed like the rest, so nothing in it runs.
    """
    path = PurePosixPath(file["path"])
    headers = dict(SEALED)
    kind = IMAGES.get(path.suffix.lower(), "application/octet-stream")
    if framed and path.suffix.lower() in PAGES:
        kind = "text/html"
    if kind == "application/octet-stream":
        headers["content-disposition"] = attached(path.name)
    headers["content-length"] = str(file["size"])
    pieces = store.objects.open_stream(file["digest"])  # said at once where it is gone; verified with its last piece
    return StreamingResponse(pieces, 200, headers, kind)


def _read(store: Store, file: Mapping[str, Any]) -> bytes | None:
    try:
        return store.objects.get(file["digest"]) if file["size"] <= READ else None
    except ThreefoldError:
        return None


def _rows(text: str, sign: str) -> dict[str, Any]:
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text), delimiter=sign):
            rows.append(row[:COLUMNS])
            if len(rows) > ROWS:
                break
    except csv.Error:
        return {"kind": "text", "text": text[:TEXT], "cut": len(text) > TEXT}
    lines = text.count("\n") + (not text.endswith("\n") if text else 0)
    return {"kind": "table", "head": rows[0] if rows else [], "rows": rows[1:], "lines": max(0, lines - 1)}


def _json(text: str) -> dict[str, Any]:
    """JSON for the eye; as a table where it is one in the form of MLflow's clients: columns, and rows under data."""
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return {"kind": "text", "text": text[:TEXT], "cut": len(text) > TEXT}
    if isinstance(read, dict) and set(read) <= {"columns", "data", "index"} and _is_table(read):
        rows = [[_cell(value) for value in row[:COLUMNS]] for row in read["data"][:ROWS]]
        head = [str(name) for name in read["columns"][:COLUMNS]]
        return {"kind": "table", "head": head, "rows": rows, "lines": len(read["data"])}
    text = json.dumps(read, indent=2, ensure_ascii=False)
    return {"kind": "text", "text": text[:TEXT], "cut": len(text) > TEXT}


def _is_table(read: Mapping[str, Any]) -> bool:
    columns, rows = read.get("columns"), read.get("data")
    return isinstance(columns, list) and isinstance(rows, list) and all(isinstance(row, list) for row in rows)


def _parquet(store: Store, file: Mapping[str, Any]) -> dict[str, Any]:
    import polars as pl  # 170 ms and 80 MB: only who looks into a table pays for it

    try:
        data = io.BytesIO(store.objects.get(file["digest"]))
        frame = pl.read_parquet(data, n_rows=ROWS)
        lines = pl.scan_parquet(data).select(pl.len()).collect().item()
    except ThreefoldError:
        return {"kind": "none", "why": "Its bytes are not in the store any more."}
    except Exception as error:  # whatever a library says of bytes that somebody sent: it is no table
        return {"kind": "none", "why": f"It cannot be read as Parquet: {str(error).splitlines()[0][:200]}"}
    shown = frame.select(frame.columns[:COLUMNS])
    head = [f"{name} ({kind})" for name, kind in shown.schema.items()]
    return {
        "kind": "table",
        "head": head,
        "rows": [[_cell(value) for value in row] for row in shown.rows()],
        "lines": lines,
    }


def _cell(value: Any) -> str:
    return "" if value is None else str(value)[:CELL]
