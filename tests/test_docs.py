"""The documents are true: examples run, the reference is made from the code, and nothing is left out."""

from __future__ import annotations

import ast
import asyncio
import importlib
import importlib.util
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import httpx
import pytest
import yaml

import threefold
from threefold import errors
from threefold.cli.main import group
from threefold.data.formats import registry
from threefold.data.starting import init_template
from threefold.design import settings
from threefold.design.gates import MEASURES
from threefold.design.nodes import Block
from threefold.design.reading import load, parse
from threefold.loop.lifecycle import turn
from threefold.loop.project import open_project
from threefold.pipeline import runs
from threefold.serving.app import create_app
from threefold.store import Store

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
PACKAGE = Path(threefold.__file__).parent
SPANNING = re.DOTALL | re.MULTILINE


def text_of(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page, SPANNING)


def nested(keys: list[str], value: Any) -> dict[str, Any]:
    """A mapping of mappings: ["a", "b"], 1 becomes {"a": {"b": 1}}."""
    return {keys[0]: nested(keys[1:], value) if keys[1:] else value}


def merged(old: Any, new: Any) -> Any:
    """Two canvases as one; the second goes before the first."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {**old, **{key: merged(old.get(key), value) for key, value in new.items()}}
    return new


# -------------------------------------------------------------------------------------------------- all pages


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{page.name} links to {target}"
        if anchor:
            heads = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            known = {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
            assert anchor in known, f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_names_no_path_of_one_machine(page: Path) -> None:
    found = re.findall(r"(?<![\w.:/])/(?:work|tmp|root|home|usr|opt)/\S*", page.read_text(encoding="utf-8"))
    assert found == []


def test_the_list_of_pages_is_whole() -> None:
    index = text_of("README.md")
    assert [page.name for page in DOCS.rglob("*.md") if page.name != "README.md" and page.name not in index] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_that_a_page_names_exist(page: Path) -> None:
    known = {file.stem for file in (PACKAGE / "cli" / "commands").glob("*.py")}
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"`threefold ([a-z]+)", text))
    named |= {word for block in blocks(text, "sh") for word in re.findall(r"^threefold ([a-z]+)", block, re.MULTILINE)}
    assert named - known == set()


def test_the_files_that_the_map_of_ml_ops_names_exist() -> None:
    named = re.findall(r"`([\w/]+(?:/|\.py))`", text_of("ml-ops.md"))
    own = {"data.py", "features.py", "model.py", "checks.py", "steps.py"}  # those of a project
    missing = [
        name for name in named if name not in own and not any((home / name).exists() for home in (ROOT, PACKAGE))
    ]
    assert missing == []


def test_the_canvas_of_the_readme_is_sound(tmp_path: Path) -> None:
    (example,) = blocks((ROOT / "README.md").read_text(encoding="utf-8"), "yaml")
    assert parse(example, tmp_path / "threefold.yaml").project == "churn"


# ------------------------------------------------------------------------------------------------ the reference


def made_reference() -> str:
    spec = importlib.util.spec_from_file_location("make_reference", DOCS / "make_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.render())


def test_the_reference_is_what_the_code_says() -> None:
    assert text_of("reference.md") == made_reference(), "docs/reference.md is stale; run: make docs"


def every_command() -> Iterator[tuple[str, click.Command]]:
    """The files of the commands, and what stands below them."""
    for file in sorted((PACKAGE / "cli" / "commands").glob("*.py")):
        if file.stem != "__init__":
            command = group.get_command(click.Context(group), file.stem)
            assert command is not None
            yield file.stem, command
            if isinstance(command, click.Group):
                yield from ((f"{file.stem} {name}", below) for name, below in command.commands.items())


@pytest.mark.parametrize(
    ("name", "command"), list(every_command()), ids=lambda value: value if type(value) is str else ""
)
def test_every_command_is_in_the_reference_with_its_options(name: str, command: click.Command) -> None:
    _, _, after = text_of("reference.md").partition(f"# `threefold {name}")
    assert after, f"threefold {name} is missing"
    section = after.split("\n#", 1)[0]
    options = [one for option in command.params if isinstance(option, click.Option) for one in option.opts]
    assert [one for one in options if one not in section] == []


def every_plug_in() -> Iterator[tuple[str, str]]:
    """Every family that stands in the code, with its members."""
    for file in sorted(PACKAGE.rglob("*.py")):
        for kind, package in re.findall(r'^family.* = Family\("(\w+)", "([\w.]+)"\)', file.read_text(), re.MULTILINE):
            yield from ((kind, name) for name in importlib.import_module(package).names())
    yield from (("format", ending) for ending in registry.endings())
    yield from (("measure", name) for name in MEASURES)
    yield from (("setting", entry.name) for entry in settings.TABLE)
    kinds = (one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, Exception))
    yield from (("error", one.__name__) for one in kinds)
    yield from (("export", f"threefold.{name}") for name in threefold.__all__)


@pytest.mark.parametrize(("kind", "name"), list(every_plug_in()))
def test_every_plug_in_setting_and_error_is_in_the_reference(kind: str, name: str) -> None:
    assert f"`{name}`" in text_of("reference.md"), f"{kind} {name} is missing"


# --------------------------------------------------------------------------------------------------- the canvas

BASE = {
    "threefold": "1",
    "project": "parcels",
    "value": {"mistakes": {"false_positive": "40 USD", "false_negative": "250 USD"}},
    "data": {"parcels": {"source": "data/parcels.csv"}},
    "predict": {"target": "late", "at": "ordered_at"},
    "steps": {"weather": {"run": "make {weather.csv}", "outputs": "weather.csv"}},
}


@dataclass(frozen=True)
class Key:
    """One row of the page of the canvas."""

    section: str
    names: tuple[str, ...]
    default: str
    example: str


def documented() -> list[Key]:
    found = []
    for part in text_of("canvas.md").split("\n## ")[1:]:
        section = part.split("\n", 1)[0].strip()
        for line in part.splitlines():
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            names = tuple(re.findall(r"`([^`]+)`", cells[0]))
            if line.startswith("| `"):
                assert len(cells) == 4, line
                found.append(
                    Key("" if section == "The top" else section, names, cells[2].strip(), cells[3].strip(" |"))
                )
    return found


KEYS = documented()


def canvas_with(tmp_path: Path, section: str, addition: Any) -> Any:
    """The canvas of a small project with something added; its digest left out, so that two can be compared."""
    (tmp_path / "checks.py").write_text("def night_share(test):\n    return 0.1\n")
    whole = merged(BASE, {section: addition} if section else addition)
    canvas = parse(yaml.safe_dump(whole, sort_keys=False), tmp_path / "threefold.yaml")
    return replace(canvas, digest="")


def asked_by_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, str]]:
    """Every key that the reader of the canvas looks for, as the page writes it."""
    asked = set()
    node = Block.node

    def recorded(self: Block, key: str) -> Any:
        asked.add((self.path, key))
        return node(self, key)

    monkeypatch.setattr(Block, "node", recorded)
    canvas_with(tmp_path, "watch", {"roc_auc drop": "0.05"})
    canvas_with(tmp_path, "settings", {"actor": "somebody"})
    return {written(path, key) for path, key in asked} - {("steps", "<step>")}


def written(path: str, key: str) -> tuple[str, str]:
    """The path of a block and a key in it as (section, key) of the page."""
    section, _, below = path.partition(".")
    full = f"{below}.{key}" if below else key
    if section in ("data", "steps"):
        own = "<table>" if section == "data" else "<step>"
        full = ".".join([own, *full.split(".")[1:]])
    elif section == "settings":
        full = "<setting>"
    elif section == "watch" and key.endswith(" drop"):
        full = "<metric> drop"
    return section, full


def test_every_key_of_the_canvas_is_on_its_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {(key.section, name) for key in KEYS for name in key.names if key.section != "accept"}
    assert said == asked_by_the_code(tmp_path, monkeypatch)


def test_every_measure_is_among_the_gates_of_the_page() -> None:
    said = {name for key in KEYS if key.section == "accept" for name in key.names}
    assert set(MEASURES) <= said


@pytest.mark.parametrize("key", KEYS, ids=lambda key: f"{key.section}.{key.names[0]}")
def test_the_example_of_a_key_is_accepted(tmp_path: Path, key: Key) -> None:
    assert key.example.startswith("`")
    example = yaml.load(key.example.strip("`"), yaml.BaseLoader)
    assert isinstance(example, dict)
    assert canvas_with(tmp_path, key.section, example)


@pytest.mark.parametrize(
    "key",
    [key for key in KEYS if re.fullmatch("`[^`]+`", key.default)],
    ids=lambda key: f"{key.section}.{key.names[0]}",
)
def test_the_default_of_a_key_is_the_one_that_counts(tmp_path: Path, key: Key) -> None:
    path = [{"<table>": "parcels", "<step>": "weather"}.get(part, part) for part in key.names[0].split(".")]
    value = yaml.load(key.default.strip("`"), yaml.BaseLoader)
    assert canvas_with(tmp_path, key.section, nested(path, value)) == canvas_with(tmp_path, "", {})


def test_the_first_canvas_of_the_page_is_sound(tmp_path: Path) -> None:
    (example,) = blocks(text_of("canvas.md"), "yaml")
    assert parse(example, tmp_path / "threefold.yaml").predict.id == "parcel"


# ----------------------------------------------------------------------------------------------- pages that run


def environment(**more: str) -> dict[str, str]:
    """That of a user whose environment holds Threefold and nothing of its settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("THREEFOLD_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
    return {**kept, "PATH": path, "COLUMNS": "110", "NO_COLOR": "1", **more}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def followed(folder: Path) -> dict[str, str]:
    """The five-minute start, followed line by line in an empty folder: command -> what it printed."""
    commands = blocks(text_of("start.md"), "sh")
    script = ["set -e", "trap 'kill $(jobs -p) 2>/dev/null' EXIT"]
    for number, command in enumerate(commands):
        script += [f"echo; echo '<<< {number}'", command]
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)], cwd=folder, env=environment(PORT=str(free_port())), timeout=300,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return dict(zip(commands, re.split(r"^<<< \d+$", done.stdout, flags=re.MULTILINE)[1:], strict=True))


def plainly(line: str) -> str:
    """A line without what differs from one time to the next: numbers, digests, the width of columns."""
    line = re.sub(r"\b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b", "#", line)
    return " ".join(re.sub(r"-?\d[\d.,:]*(e-\d+)?", "#", line).split())


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("bash") and shutil.which("curl")), reason="the page needs bash and curl")
def test_the_five_minute_start_prints_what_it_shows(tmp_path: Path) -> None:
    outputs = followed(tmp_path)
    shown = re.findall(r"^```sh\n((?:(?!```)[^\n]*\n)+)```\n\n```text\n(.*?)^```$", text_of("start.md"), SPANNING)
    assert len(shown) > 8
    for command, promised in shown:
        printed = iter([plainly(line) for line in outputs[command].splitlines()])
        for line in promised.splitlines():
            wanted = plainly(line).partition("…")[0].strip()
            assert any(one.startswith(wanted) for one in printed), f"{line!r} was not printed:\n{outputs[command]}"


SHOP = """
threefold: 1
project: shop
data: {customers: customers.csv}
predict: {target: churned, split: {test: 40%}}
train: {candidates: [linear], budget: 1 s}
"""


def _said(churned: bool) -> str:
    return "yes" if churned else "no"


@pytest.mark.slow
def test_the_requests_of_the_serving_page_are_answered(tmp_path: Path) -> None:
    chance = random.Random(7)
    rows = [
        f"{chance.choice(('basic', 'pro'))},{n % 60},{n % 6},{_said(chance.random() * 6 < n % 6)}" for n in range(300)
    ]
    (tmp_path / "customers.csv").write_text("\n".join(["plan,months,calls,churned", *rows]) + "\n")
    (tmp_path / "threefold.yaml").write_text(SHOP)
    project = open_project(tmp_path)
    turn(project)
    app = create_app(project.store.root)

    async def ask(path: str, body: Any) -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
            return (await client.post(path, json=body)).status_code

    wishes = zip(
        ("/predict/shop", "/v2/models/shop/infer", "/feedback"), blocks(text_of("serving.md"), "json"), strict=True
    )
    try:
        assert [asyncio.run(ask(path, json.loads(body))) for path, body in wishes] == [200, 200, 200]
    finally:
        app.close()
        project.store.close()


def test_every_path_of_the_server_is_on_the_serving_page() -> None:
    source = (PACKAGE / "serving" / "app.py").read_text(encoding="utf-8")
    paths = re.findall(r'Route\((?:f?"([^"]+)"|(one))', source)
    assert len(paths) > 10
    real = {
        (path or "{one}").replace("{one}", "/v2/models/{name}").replace("{{", "{").replace("}}", "}")
        for path, _ in paths
    }
    assert [path for path in sorted(real) if f"{path}`" not in text_of("serving.md")] == []


@pytest.mark.slow
def test_the_one_file_project_runs_and_answers(tmp_path: Path) -> None:
    (code,) = blocks(text_of("one-file.md"), "python")
    (tmp_path / "one.py").write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "one.py"], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split()[0] for line in done.stdout.splitlines()]
    assert lines[:6] == ["yes"] * 5 + ["version"]
    assert "'label': array([['yes']" in done.stdout


def test_the_script_that_logs_from_python_leaves_a_run(tmp_path: Path) -> None:
    (code,) = blocks(text_of("recording.md"), "python")
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment(), capture_output=True, check=True)
    store = Store.open(tmp_path / ".threefold")
    (run,) = runs.list_runs(store, project="churn")
    assert (run.name, run.status, run.params) == ("first try", "done", {"depth": 3, "loss": "log"})
    assert runs.metrics_of(store, run.id)["loss"] == 0.01
    store.close()


def test_the_blocks_of_python_on_the_pages_can_be_parsed() -> None:
    for page in PAGES:
        for code in blocks(page.read_text(encoding="utf-8"), "python"):
            ast.parse(code)


@pytest.fixture(scope="module")
def project_code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project of the page about project code, written file by file."""
    folder = tmp_path_factory.mktemp("projects") / "parcels"
    init_template(folder, "parcels")
    for content, name in re.findall(r"```\w+\n(# ([\w.]+)\n.*?)```", text_of("project-code.md"), re.DOTALL):
        (folder / name).write_text(content, encoding="utf-8")
    return folder


def test_the_canvas_of_the_project_page_is_sound(project_code: Path) -> None:
    assert load(project_code).train.candidates == ("linear", "forest", "by_hour")


@pytest.mark.slow
def test_the_project_of_the_page_runs_and_passes_its_gates(project_code: Path) -> None:
    project = open_project(project_code)
    done = turn(project)
    said = {result.gate for result in done.results if result.passed}
    assert {"roc_auc", "average_score", "check heavy parcels are later", "check every carrier is tested"} <= said
    features = done.outcome.value("features").columns
    assert {"hour", "carrier_late_share", "orders_yesterday", "speed_kmh"} <= set(features)
    assert done.release is not None
    project.store.close()
