"""Starting a project: from a template, or from a table that somebody brings."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from threefold.data.drafting import draft, draft_cleaning
from threefold.data.inspection import Inspection, inspect
from threefold.data.moments import Reading, calendar, reading_of
from threefold.data.sources import read
from threefold.data.template import example
from threefold.data.words import counted, did_you_mean, listing
from threefold.design.canvas import Source
from threefold.design.reading import FILE, parse
from threefold.errors import Conflict, DataError, StoreError

COPIED_BYTES = 50_000_000  # a larger table stays where it is
# Texts that people write for "no value", beyond the usual ones of a source.
MISSING = ("?", "N/A", "n/a", "#N/A", "na", "nan", "None", "none", "-", "--", ".", "missing", "unknown")
SURELY_MISSING = ("?", "N/A", "n/a", "#N/A")  # in a column of words too
ADDRESS = re.compile(r"[a-z+0-9]{2,}:/")  # a path has lost the second slash
HARMLESS = re.compile(r"\..*|readme.*|licen[cs]e.*|makefile|.*\.md|\.?v?env", re.I)  # may lie in a new project's folder
IGNORED = ".threefold/\n__pycache__/\ncanvas.html\n"


@dataclass(frozen=True, slots=True)
class InitReport:
    """A project that was written."""

    name: str
    folder: str
    files: tuple[str, ...]  # relative to the folder
    notes: tuple[str, ...]  # what was found and decided, one sentence each


def init_template(folder: Path, name: str) -> InitReport:
    """Write a small project that runs as it is: parcels that arrive late, with its table, features and a heuristic.

    Args:
        folder: made where it is not there; must not hold anything but hidden files and a readme.
        name: the project's; spaces and the like become hyphens.
    Raises:
        Conflict: the folder holds something already.
        StoreError: it cannot be written.
    """
    folder = folder.resolve()
    _require_free(folder, whole=True)
    project = named(name)
    files = example.files(project)
    _write(folder, {**files, ".gitignore": IGNORED.encode()})
    return InitReport(
        project, str(folder), tuple(files),
        (
            "data/parcels.csv: 3,000 parcels, made up; 'late' is what is predicted",
            "threefold.yaml: the canvas; features.py: what the model sees; model.py: the heuristic to beat",
        ),
    )  # fmt: skip


def init_from_table(folder: Path, data: Path, target: str, name: str | None = None) -> InitReport:
    """Write a project for a table, that runs as it is.

    The kind of problem, an identifier, the moment of each row, columns without information and columns that give the
    target away are found, and written into `threefold.yaml` with the reason. A table below 50 MB is copied into the
    project's `data/`, a larger one is referred to where it is.

    Args:
        folder: made where it is not there; may hold other files, but no project.
        data: CSV, Parquet or JSON lines, also packed.
        target: the column to predict.
        name: the project's; None takes the folder's.
    Raises:
        Conflict: there is a project in the folder already, or a file would be overwritten.
        DataError: the table is missing, unreadable or too small; or the target is absent, empty or constant.
        StoreError: the folder cannot be written.
    """
    folder = folder.resolve()
    _require_free(folder)
    if ADDRESS.match(str(data)):
        do = "write the table to a file first; later the canvas may name the database as its source"
        raise DataError("a project starts from a file, and this is an address", "--data", do)
    data = data.expanduser().resolve()
    table = table_name(data)
    frame, nulls = _read(data, table)
    readings = [reading for column in frame if column.name != target and (reading := reading_of(column))]
    frame = frame.with_columns(reading.expression() for reading in readings)
    found = inspect(frame, table, target, str(data))
    source, copied = _place(folder, data)
    project = named(name or folder.name)
    text = draft(project, table, source, nulls, found)
    parse(text, folder / FILE)  # what we write must be sound; raises otherwise
    files: dict[str, bytes | Path] = {FILE: text.encode(), ".gitignore": IGNORED.encode()}
    if readings:
        files["data.py"] = draft_cleaning(table, readings).encode()
    if copied:
        files[source] = data
    _write(folder, files)
    return InitReport(
        project, str(folder), tuple(name for name in files if name != ".gitignore"),
        (*_notes(found, source, copied, nulls, frame), *(_told(reading) for reading in readings)),
    )  # fmt: skip


def named(name: str) -> str:
    """A name as a project can have it.

    >>> named("My churn project!")
    'My-churn-project'
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")[:100] or "project"


def table_name(data: Path) -> str:
    """A name for the table of a file: one that Python can use for a parameter.

    >>> table_name(Path("2024 churn-data.csv.gz"))
    'churn_data'
    """
    stem = data.name.partition(".")[0] if not data.name.startswith(".") else data.name[1:].partition(".")[0]
    plain = re.sub(r"\W+", "_", stem.lower(), flags=re.ASCII).strip("_0123456789") or "table"
    return (
        plain
        if plain.isidentifier() and plain not in ("from", "class", "import", "in", "is", "for")
        else f"{plain}_rows"
    )


def _told(reading: Reading) -> str:
    return f"dates: '{reading.column}' is written as in {reading.example}; data.py makes it a time"


# ---------------------------------------------------------------------------------------------------- the table


def _read(data: Path, table: str) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The table, and the texts that stand for "no value" in it where they are unusual."""
    frame, _ = _read_with(Source(table, str(data)), data)
    further = sorted({text for column in frame for text in _missing_texts(column)})
    if not further or not re.search(r"\.(csv|tsv|txt)(\.gz|\.zip)?$|\.zip$", data.name, re.I):
        return frame, ()
    nulls = (*Source(table, "").nulls, *further)
    return _read_with(Source(table, str(data), nulls=nulls), data)[0], nulls


def _read_with(source: Source, data: Path) -> tuple[pl.DataFrame, str]:
    if not data.exists():
        near = [one.name for one in data.parent.iterdir() if one.is_file()] if data.parent.is_dir() else []
        do = did_you_mean(data.name, near, "files there") if near else "check the path"
        raise DataError(f"there is no file '{data.name}'", str(data.parent), do)
    return read(source, data.parent)


def _missing_texts(column: pl.Series) -> set[str]:
    """Texts of a column that mean "no value": sure ones, and any such word among nothing but numbers."""
    if column.dtype != pl.String:
        return set()
    values = column.drop_nulls().unique()
    words = {text: text.strip() for text in values.filter(values.str.strip_chars().is_in(list(MISSING))).to_list()}
    if not words:
        return set()
    others = values.filter(~values.is_in(list(words)))
    if len(others) and others.str.strip_chars().cast(pl.Float64, strict=False).null_count() == 0:
        return set(words)
    return {text for text, plain in words.items() if plain in SURELY_MISSING}


def _place(folder: Path, data: Path) -> tuple[str, bool]:
    """Where the project finds the table, and whether it gets a copy."""
    if data.is_relative_to(folder):
        return str(data.relative_to(folder)), False
    if data.stat().st_size < COPIED_BYTES:
        return f"data/{data.name}", True
    return str(data), False


def _notes(found: Inspection, source: str, copied: bool, nulls: tuple[str, ...], frame: pl.DataFrame) -> list[str]:
    where = f"copied to {source}" if copied else f"read from {source}, where it stays"
    kind = {
        "binary": f"yes or no; yes is '{found.positive}'",
        "multiclass": "one of several classes",
        "regression": "a number",
    }
    notes = [
        f"table: {counted(frame.height, 'row')}, {counted(frame.width, 'column')}, {where}",
        f"predicts '{found.target}': {kind[found.problem]}",
        f"split: by time, '{found.at}'" if found.at else "split: by chance; no column says when a row came about",
        f"rows are named by '{found.id}'" if found.id else "rows are named by their number",
        f"features: {counted(len(found.features), 'column')}; to beat: {found.baseline}",
    ]
    # The time of the table becomes a moment, a day its midnight.
    dtypes = {**frame.schema, **({found.at: pl.Datetime("us")} if found.at else {})}
    parts = [part for name in found.features for part in calendar(name, dtypes[name])]
    if parts:
        what = "clients send these parts of times: month 1 to 12, weekday 1 (Monday) to 7, hour 0 to 23"
        notes.append(f"{what}: {listing(parts)}")
    if nulls:
        notes.append(f"no value: also {listing(repr(one) for one in nulls if one not in Source('', '').nulls)}")
    notes += [f"left out: '{one.column}' {one.reason}" for one in found.left_out]
    return notes + [f"look at: {warning}" for warning in found.warnings]


# ------------------------------------------------------------------------------------------------------- writing


def _require_free(folder: Path, *, whole: bool = False) -> None:
    """Refuse a folder that holds a project; with `whole`, any that holds more than what a new one may."""
    if folder.exists() and not folder.is_dir():
        raise Conflict("there is a file where the project's folder shall be", str(folder), "name another folder")
    if (folder / FILE).exists():
        do = "name another folder, or remove it first"
        raise Conflict("there is a project in this folder already", str(folder / FILE), do)
    held = sorted(one.name for one in folder.iterdir() if not HARMLESS.fullmatch(one.name)) if folder.is_dir() else []
    if whole and held:
        raise Conflict(
            f"the folder is not empty: it holds {listing(held, at_most=4)}",
            str(folder),
            "name a new folder, as in: threefold init my-project",
        )


def _write(folder: Path, files: Mapping[str, bytes | Path]) -> None:
    """Write all files or none: the canvas last, since a folder with a canvas is a project."""
    clash = [name for name in files if (folder / name).exists() and name != ".gitignore"]
    if clash:
        raise Conflict(f"'{clash[0]}' is there already", str(folder / clash[0]), "move it away, or name another folder")
    made: list[Path] = []
    try:
        for name in sorted(files, key=lambda name: name == FILE):
            path = folder / name
            if not path.exists():
                made.append(path)
                _write_one(path, files[name])
    except OSError as error:
        for path in made:
            with suppress(OSError):  # the first fault is the one to tell
                path.unlink(missing_ok=True)
        raise StoreError(
            f"the project cannot be written: {error.strerror}", str(folder), "check the rights and the room on the disk"
        ) from error


def _write_one(path: Path, content: bytes | Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, Path):
        shutil.copyfile(content, path)
    else:
        path.write_bytes(content)
