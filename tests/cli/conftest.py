"""The command as a user calls it: a process of its own, in a project folder."""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from threefold.serving import process

CANVAS = """\
threefold: 1
project: churn
value: {need: call customers before they leave, mistakes: {false_positive: 5 EUR, false_negative: 50 EUR}}
data:
  customers: {source: data/customers.csv, key: id}
predict: {target: left, id: id, split: {by: random, test: 25%}}
train: {baseline: rate by plan, candidates: [linear], budget: 2 s}
accept: {roc_auc: ">= 0.6"}
"""


def write_customers(file: Path, rows: int = 400) -> None:
    """Customers who leave when they complain; from the standard library alone."""
    chance = random.Random(5)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="") as handle:
        out = csv.writer(handle)
        out.writerow(["id", "months", "plan", "complaints", "left"])
        for index in range(rows):
            complaints, plan = chance.randrange(6), chance.choice(["basic", "plus"])
            left = chance.random() < 0.1 + 0.14 * complaints
            out.writerow([f"c{index}", chance.randrange(60), plan, complaints, "yes" if left else "no"])


@dataclass(frozen=True)
class Called:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Folder:
    """A project folder and the command in it."""

    root: Path

    def write(self, name: str, text: str) -> None:
        (self.root / name).write_text(text)

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text()
        assert old in text
        self.write(name, text.replace(old, new))

    def start(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "threefold", *words], cwd=self.root, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env={**os.environ, "COLUMNS": "200", **environment},
        )  # fmt: skip

    def call(self, *words: str, **environment: str) -> Called:
        process = self.start(*words, **environment)
        out, err = process.communicate(timeout=120)
        return Called(process.returncode, out, err)

    def serve_and_ask(self, name: str, row: dict[str, Any]) -> None:
        """One prediction by a server of this project's, which ends right after."""
        with process.start(self.root / ".threefold") as server:
            answer = httpx.post(f"{server.address}/predict/churn", json={"rows": [{"prediction_id": name, **row}]})
            assert answer.status_code == 200, answer.text


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    write_customers(tmp_path / "data" / "customers.csv")
    made = Folder(tmp_path)
    made.write("threefold.yaml", CANVAS)
    return made


@pytest.fixture(scope="session")
def _released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("released")
    write_customers(root / "data" / "customers.csv")
    made = Folder(root)
    made.write("threefold.yaml", CANVAS)
    called = made.call("run")
    assert called.code == 0, called.err
    return root


@pytest.fixture
def released(_released: Path, tmp_path: Path) -> Folder:
    """A project with one release, as a fresh copy."""
    import shutil

    shutil.copytree(_released, tmp_path / "project")
    return Folder(tmp_path / "project")


Start = Callable[..., subprocess.Popen[str]]
