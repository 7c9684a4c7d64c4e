"""From `threefold.yaml` to a Canvas: all findings at once, each with file, line and the next step."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import yaml

from threefold.design import life_blocks, task_blocks
from threefold.design.canvas import Canvas
from threefold.design.conventions import misnamed
from threefold.design.nodes import Block, Findings, compose, line_of, says
from threefold.design.outline import public_names
from threefold.errors import CanvasError, Finding

FILE = "threefold.yaml"
VERSION = 1  # of the canvas; a canvas of a newer version is refused, older ones stay readable


def load(root: Path) -> Canvas:
    """Read the canvas of a project.

    Args:
        root: the folder with `threefold.yaml`.
    Raises:
        CanvasError: the file is missing or unreadable, anything in it is wrong, or a function beside it has a name that
            is nearly one of those that are called; carries every finding.
    """
    file = root / FILE
    data = _bytes(file)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _refusal(f"{FILE}:{line}", "the canvas is not UTF-8 text", "save the file as UTF-8") from None
    canvas = parse(text, file)
    findings = misnamed(canvas)
    if findings:
        raise CanvasError(findings, file.name)
    return replace(canvas, digest=hashlib.sha256(data).hexdigest())


def parse(text: str, file: Path) -> Canvas:
    """Read the text of a canvas.

    Args:
        text: YAML.
        file: where it stands; its folder is the project's, and messages call it by its name.
    Raises:
        CanvasError: carries every finding, in the order of the lines.
    """
    findings = Findings(file.name)
    node = compose(text, findings)
    canvas = _canvas(node, file, text, findings) if node is not None else None
    if canvas is None or findings.found:
        raise CanvasError(findings.sorted(), file.name)
    return canvas


def _canvas(node: yaml.Node, file: Path, text: str, findings: Findings) -> Canvas | None:
    if not isinstance(node, yaml.MappingNode):
        what = f"a canvas is made of blocks with names, and this is {says(node)}"
        findings.add(line_of(node), what, "begin it with `threefold: 1`, or let `threefold init` write one")
        return None
    top = Block("", node, findings)
    if not _version_fits(top):
        return None
    root = file.parent
    steps = task_blocks.steps(top.block("steps"))
    data = task_blocks.data(top)
    made = {step.table.partition(":")[0].strip() for step in steps if step.table} | set(public_names(root / "steps.py"))
    value = task_blocks.value(top.block("value"))
    canvas = Canvas(
        root=root,
        file=file,
        digest=hashlib.sha256(text.encode()).hexdigest(),
        project=task_blocks.project(top),
        value=value,
        data=data,
        predict=task_blocks.predict(top, data, made),
        train=life_blocks.train(top.block("train"), _own_models(root)),
        accept=life_blocks.accept(top.block("accept"), public_names(root / "checks.py"), value.currency),
        serve=life_blocks.serve(top.block("serve")),
        watch=life_blocks.watch(top.block("watch")),
        retrain=life_blocks.retrain(top.block("retrain")),
        steps=steps,
        settings=task_blocks.settings(top.block("settings")),
    )
    if value.mistakes and canvas.predict.problem not in (None, "binary"):
        what = f"what a mistake costs is said for two classes, and the problem is '{canvas.predict.problem}'"
        top.findings.add(
            top.block("value").line_at("mistakes"), what, "remove `mistakes`, or predict one of two classes"
        )
    top.close(task_blocks.homes())
    return canvas


def _own_models(root: Path) -> tuple[str, ...] | None:
    """What model.py offers; None where there is one that cannot be read, which its import will report."""
    file = root / "model.py"
    names = public_names(file)
    return names if names or not file.is_file() else None


def _version_fits(top: Block) -> bool:
    """Whether this is a canvas of a version that can be read; nothing else is worth saying where it is not."""
    found = top.node("threefold")
    if found is None:
        top.findings.add(1, "the canvas does not say its version", f"begin it with `threefold: {VERSION}`")
        return True
    said = found.value if isinstance(found, yaml.ScalarNode) else ""
    if said == str(VERSION):
        return True
    if said.isdigit() and int(said) > VERSION:
        what = f"this canvas is of version {said}, and this Threefold reads up to version {VERSION}"
        top.wrong("threefold", what, "install a newer Threefold: pip install --upgrade threefold")
        return False
    top.wrong("threefold", f"'threefold' is {says(found)}", f"write the version of the canvas: `threefold: {VERSION}`")
    return True


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        do = "go to the folder of the project, or make one: threefold init"
        raise _refusal(FILE, f"there is no canvas in {file.parent}", do) from None
    except OSError as error:
        do = "check that it is a file, and the rights to read it"
        raise _refusal(FILE, f"the canvas cannot be read: {error.strerror}", do) from error


def _refusal(where: str, what: str, do: str) -> CanvasError:
    return CanvasError([Finding(what, where, do)], where)
