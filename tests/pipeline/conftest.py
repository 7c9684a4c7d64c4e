"""A small project on disk whose code can be edited between runs."""

import importlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from threefold.pipeline.engine import Outcome, run
from threefold.pipeline.step import Step
from threefold.store import Store


class Project:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = Store.open(root / ".threefold")

    def write(self, name: str, text: str) -> None:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text()
        assert old in text
        self.write(name, text.replace(old, new))

    def module(self, name: str) -> ModuleType:
        """The module as it is on disk now."""
        self.forget()
        sys.modules.pop(name, None)  # another test's project may have a module of this name
        importlib.invalidate_caches()
        return importlib.import_module(name)

    def forget(self) -> None:
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", "") or "").startswith(str(self.root)):
                del sys.modules[name]

    def run(self, steps: Sequence[Step], **options: Any) -> Outcome:
        return run(self.store, steps, root=self.root, project="test", **options)

    def close(self) -> None:
        self.forget()
        self.store.close()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    found = Project(tmp_path)
    yield found
    found.close()


def statuses(outcome: Outcome) -> dict[str, str]:
    return {one.step: one.status for one in outcome.executions}


def reasons(outcome: Outcome) -> dict[str, str]:
    return {one.step: one.reason for one in outcome.executions}
