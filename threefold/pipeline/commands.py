"""Steps that are command lines: any language, declared inputs and outputs.

A command runs in the project's folder. `{name}` in it stands for the path of a declared input or output: a table is
written for it as Parquet (`{flights}`) or CSV (`{flights.csv}`), an input file is named as it lies in the project,
and outputs are written to a folder of their own, which is also in the environment variable THREEFOLD_OUTPUTS.
"""

from __future__ import annotations

import glob
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from threefold.design.canvas import CommandStep
from threefold.errors import NotFound, StepFailed
from threefold.pipeline.files import Files, walk
from threefold.pipeline.step import nearest

PLACEHOLDER = re.compile(r"(?<![$\w{])\{([\w./-]+)\}(?!\})")  # not ${VARIABLE}, not {{ literal }}
GRACE_S = 5.0  # between asking a command to end and ending it
# Beside the command waits a guard that ends both when we are gone, even by kill -9: our end of its pipe closes then.
# Told "done" it goes quietly. A number of its own (3) keeps the pipe from the command, which has nothing on its input.
GUARDED = f"""exec 3<&0 </dev/null
(trap '' TERM; read -r said <&3 || {{ kill -TERM 0; sleep {GRACE_S:g}; kill -KILL 0; }}) &
exec 3<&-
exec /bin/sh -c "$1"
"""
LISTEN_S = 0.5  # between two looks at what a command has printed
LAST_LINES = 8  # of what a failed command said, shown to the user


Keep = Callable[[bytes], None]


def run(
    step: CommandStep, tables: Mapping[str, Any], root: Path, scratch: Path, keep: Keep | None = None
) -> dict[str, Any]:
    """Run a command and read what it wrote.

    Args:
        tables: input name -> table, for the inputs that other steps make.
        scratch: a folder for temporary files; what the command uses of it is removed at the end.
        keep: takes what the command prints, while it runs.
    Returns:
        Output name -> bytes; and the table, where an output becomes one.
    Raises:
        StepFailed: the command returned another code than 0, or did not write an output.
        NotFound: the command names an input or output that is not declared.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=scratch))
    try:
        (folder / "in").mkdir()
        (folder / "out").mkdir()
        command = filled(step, _places(step, tables, root, folder))
        _execute(step, command, root, folder, keep or _nowhere)
        return _outputs(step, folder / "out")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def filled(step: CommandStep, places: Mapping[str, Path]) -> str:
    """The command line with every `{name}` replaced. Raises NotFound for a name that is not declared."""

    def path_of(match: re.Match[str]) -> str:
        name = match[1]
        if name not in places:
            raise NotFound(
                f"the command of step {step.name!r} speaks of {{{name}}}, which is no declared input or output",
                f"step {step.name!r}",
                nearest(name, places),
            )
        return shlex.quote(str(places[name]))

    return PLACEHOLDER.sub(path_of, step.run).replace("{{", "{").replace("}}", "}")


def _places(step: CommandStep, tables: Mapping[str, Any], root: Path, folder: Path) -> dict[str, Path]:
    places: dict[str, Path] = {}
    for name, path in _named((*step.inputs, *step.code), tables):
        places[name] = root / path
    for name, table in tables.items():
        places.update(_written(name, table, folder / "in", step.run))
    for name, path in _named(step.outputs, ()):
        places[name] = folder / "out" / path
        places[name].parent.mkdir(parents=True, exist_ok=True)
    return places


def _named(paths: Collection[str], besides: Collection[str]) -> Iterator[tuple[str, str]]:
    """The names under which a command may speak of files: the path, the file's name, the name without its ending."""
    for path in paths:
        if path not in besides:
            yield from ((Path(path).stem, path), (Path(path).name, path), (path, path))


def _written(name: str, value: Any, folder: Path, command: str) -> Iterator[tuple[str, Path]]:
    """Write one input for the command, in the forms it asks for."""
    if not hasattr(value, "write_parquet"):
        file = folder / name
        file.write_bytes(value if isinstance(value, bytes) else str(value).encode())
        yield name, file
        return
    parquet, csv = folder / f"{name}.parquet", folder / f"{name}.csv"
    if f"{{{name}.csv}}" in command:
        value.write_csv(csv)
    if f"{{{name}}}" in command or f"{{{name}.parquet}}" in command:
        value.write_parquet(parquet)
    yield from ((name, parquet), (f"{name}.parquet", parquet), (f"{name}.csv", csv))


def _execute(step: CommandStep, command: str, root: Path, folder: Path, keep: Keep) -> None:
    said = folder / "said"
    environment = {**os.environ, "THREEFOLD_OUTPUTS": str(folder / "out")}
    with said.open("wb") as output, said.open("rb") as heard:
        process = subprocess.Popen(
            ["/bin/sh", "-c", GUARDED, "threefold", command], cwd=root, env=environment, stdin=subprocess.PIPE,
            stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            code = _listened(process, heard, keep)
        except BaseException:
            _end(process)
            raise
        finally:
            keep(heard.read())
        _dismiss_guard(process)
    if code != 0:
        raise StepFailed(
            f"step {step.name!r} failed: the command returned {code}{_last_words(said)}",
            f"threefold.yaml, steps, {step.name}",
            f"run it yourself in {root}: {step.run}",
        )


def _nowhere(_printed: bytes) -> None:
    """Nobody wants to have what a command prints."""


def _listened(process: subprocess.Popen[bytes], heard: IO[bytes], keep: Keep) -> int:
    """Wait for a command, and hand on what it prints meanwhile; returns its exit code."""
    while True:
        try:
            return process.wait(LISTEN_S)
        except subprocess.TimeoutExpired:
            keep(heard.read())


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command with all it has started: it is a group of its own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _dismiss_guard(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError), process.stdin as guard:
        guard.write(b"done\n")


def _last_words(file: Path) -> str:
    lines = [line for line in file.read_text(errors="replace").splitlines() if line.strip()][-LAST_LINES:]
    return "".join(f"\n  {line}" for line in lines)


def _outputs(step: CommandStep, folder: Path) -> dict[str, Any]:
    missing = [name for name in step.outputs if not (folder / name).is_file()]
    if missing:
        raise StepFailed(
            f"step {step.name!r} did not write {', '.join(missing)}",
            f"threefold.yaml, steps, {step.name}",
            f"let the command write to {{{missing[0]}}}, which stands for the place where it is looked for",
        )
    results: dict[str, Any] = {name: (folder / name).read_bytes() for name in step.outputs}
    if step.table:
        name, _, file = (part.strip() for part in step.table.partition(":"))
        results[name] = _read_table(step, folder / (file or _only_table(step)))
    return results


def _only_table(step: CommandStep) -> str:
    tables = [name for name in step.outputs if name.endswith((".csv", ".parquet"))]
    if len(tables) != 1:
        raise NotFound(
            f"step {step.name!r} does not say which output is the table {step.table!r}",
            f"threefold.yaml, steps, {step.name}",
            f"write `table: '{step.table}: file'`; its outputs are: {', '.join(step.outputs) or 'none'}",
        )
    return tables[0]


def _read_table(step: CommandStep, file: Path) -> Any:
    import polars as pl  # 200 ms: only a step that makes a table pays for it

    try:
        return pl.read_parquet(file) if file.suffix == ".parquet" else pl.read_csv(file, try_parse_dates=True)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise StepFailed(
            f"the table that step {step.name!r} wrote cannot be read: {error}",
            f"threefold.yaml, steps, {step.name}",
            "let the command write CSV with a header, or Parquet",
        ) from error


# ----------------------------------------------------------------------------------------------------- the key


def parts(
    step: CommandStep, tables: Collection[str], root: Path, files: Files
) -> tuple[dict[str, Any], dict[Path, str]]:
    """What a command depends on: its text, the files it names, what it declares; and these files with their digests.

    Raises:
        NotFound: a declared input is not there.
    """
    counted = {root / name: _content(step, name, root, files) for name in step.inputs if name not in tables}
    counted |= {path: _digest(path, files) for path in _code_files(step, root)}
    shown = {path.relative_to(root).as_posix(): digest for path, digest in counted.items()}
    said = {"line": step.run, "outputs": list(step.outputs), "table": step.table, "files": dict(sorted(shown.items()))}
    return said, counted


def files_of(step: CommandStep, tables: Collection[str], root: Path) -> Iterator[Path]:
    """The files of the project that a command rests on, folders file by file."""
    for path in (*(root / name for name in step.inputs if name not in tables), *_code_files(step, root)):
        if path.is_dir():
            yield from walk(path)
        elif path.is_file():
            yield path


def _content(step: CommandStep, name: str, root: Path, files: Files) -> str:
    path = root / name
    if not path.exists():
        raise NotFound(
            f"input {name!r} of step {step.name!r} is neither a file of the project nor a table",
            f"threefold.yaml, steps, {step.name}",
            f"check the path; it was looked for at {path}",
        )
    return _digest(path, files)


def _digest(path: Path, files: Files) -> str:
    return files.tree_digest(path) if path.is_dir() else files.digest(path)


def _code_files(step: CommandStep, root: Path) -> Iterator[Path]:
    """The files whose content counts: those `code` names, those on the command line, the step's own folder."""
    for pattern in step.code:
        yield from (root / found for found in sorted(glob.glob(pattern, root_dir=root, recursive=True)))
    for word in _words(step.run):
        path = root / word
        if word and not Path(word).is_absolute() and path.is_file():
            yield path
    own = root / "steps" / step.name
    if own.is_dir():
        yield own


def scripts(step: CommandStep, root: Path) -> Iterator[Path]:
    """The Python files a command starts; what they reach of the project counts too."""
    words = _words(step.run)
    for before, word in zip(["", *words], words, strict=False):
        path = root / (Path(*word.split(".")).with_suffix(".py") if before == "-m" and word else word)
        if path.suffix == ".py" and path.is_file():
            yield path.resolve()


def _words(command: str) -> list[str]:
    try:
        return [word.rstrip(";") for word in shlex.split(command)]
    except ValueError:
        return command.split()  # an odd quote: the shell will say so itself
