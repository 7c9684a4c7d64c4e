"""The project's own code is found by convention, and never mixed up with that of another project."""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from threefold.design.code import load_code
from threefold.errors import StepFailed


@pytest.fixture(autouse=True)
def _own_imports() -> Iterator[None]:
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def test_functions_and_classes_come_in_the_order_of_the_source(tmp_path: Path):
    (tmp_path / "model.py").write_text(
        "from json import dumps\nlimit = 3\ndef zebra(task): pass\nclass Apple: pass\ndef mango(task): pass\ndef _own(): pass\n"
    )
    assert list(load_code(tmp_path).functions("model")) == ["zebra", "Apple", "mango"]


def test_a_file_that_is_not_there_offers_nothing(tmp_path: Path):
    code = load_code(tmp_path)
    assert code.module("features") is None
    assert code.functions("features") == {}


def test_two_projects_with_the_same_file_names_do_not_meet(tmp_path: Path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "shared.py").write_text(f"NAME = '{name}'\n")
        (tmp_path / name / "model.py").write_text("import shared\ndef who(): return shared.NAME\n")
    assert load_code(tmp_path / "one").functions("model")["who"]() == "one"
    assert load_code(tmp_path / "two").functions("model")["who"]() == "two"
    assert load_code(tmp_path / "one").functions("model")["who"]() == "one"
    assert str((tmp_path / "two").resolve()) not in sys.path


def test_unchanged_code_stays_the_same_object_and_changed_code_is_read_anew(tmp_path: Path):
    (tmp_path / "shared.py").write_text("def n(): return 1\n")
    (tmp_path / "steps.py").write_text("from shared import n\ndef number(): return n()\n")
    first = load_code(tmp_path).functions("steps")["number"]
    assert load_code(tmp_path).functions("steps")["number"] is first
    (tmp_path / "shared.py").write_text("def n(): return 2\n")
    assert load_code(tmp_path).functions("steps")["number"]() == 2


def test_a_module_imported_late_is_the_one_that_stood_there_at_the_beginning(tmp_path: Path):
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit" / "late.py").write_text("N = 1\n")
    (tmp_path / "steps.py").write_text("def number():\n    from kit.late import N\n    return N\n")
    code = load_code(tmp_path)
    (tmp_path / "kit" / "late.py").write_text("N = 2\n")
    (tmp_path / "steps.py").write_text("def number():\n    return 3\n")
    assert code.functions("steps")["number"]() == 1
    assert "kit.late" in inspect.getsource(code.functions("steps")["number"])
    assert code.sources[tmp_path.resolve() / "kit" / "late.py"] == b"N = 1\n"
    assert load_code(tmp_path).functions("steps")["number"]() == 3


def test_importing_leaves_no_trace_in_the_project(tmp_path: Path):
    (tmp_path / "steps.py").write_text("def a(): pass\n")
    load_code(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["steps.py"]  # no byte code either


def test_a_folder_named_data_does_not_hide_data_py(tmp_path: Path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data.py").write_text("def clean_t(t): return t\n")
    assert list(load_code(tmp_path).functions("data")) == ["clean_t"]


@pytest.mark.parametrize(
    ("source", "what", "where", "do"),
    [
        ("x = 1\ny = x / 0\n", "model.py raised ZeroDivisionError: division by zero", "model.py:2", "mend this line"),
        ("def f(:\n", "model.py raised SyntaxError", "model.py:1", "mend this line"),
        ("import nowhere_at_all\n", "raised ModuleNotFoundError", "model.py:1", "install 'nowhere_at_all'"),
        ("import helper\n", "model.py raised KeyError: 'x'", "helper.py:3", "mend this line"),
        ("raise SystemExit(3)\n", "model.py raised SystemExit: 3", "model.py:1", "mend this line"),
    ],
)
def test_a_module_that_raises_is_answered_with_its_line(tmp_path: Path, source: str, what: str, where: str, do: str):
    (tmp_path / "model.py").write_text(source)
    (tmp_path / "helper.py").write_text("d = {}\n\nd['x']\n")
    with pytest.raises(StepFailed) as caught:
        load_code(tmp_path)
    assert what in caught.value.what
    assert caught.value.where == where
    assert do in caught.value.do
    (tmp_path / "model.py").write_text("def better(): pass\n")
    assert list(load_code(tmp_path).functions("model")) == ["better"]


def test_the_source_files_of_a_project_leave_out_environments_and_hidden_folders(tmp_path: Path):
    for name in (
        "threefold.yaml",
        "sql/orders.sql",
        "lib/a.py",
        ".threefold/x.py",
        "env/pyvenv.cfg",
        "env/b.py",
        "data/t.csv",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    names = [str(path.relative_to(tmp_path.resolve())) for path in load_code(tmp_path).sources]
    assert names == ["lib/a.py", "sql/orders.sql", "threefold.yaml"]


def test_a_file_that_a_module_reads_while_it_is_imported_is_remembered_with_it(tmp_path: Path):
    (tmp_path / "limits.json").write_text("1")
    (tmp_path / "helper.py").write_text(
        "from pathlib import Path\nN = int(Path(__file__).with_name('limits.json').read_text())\n"
    )
    (tmp_path / "steps.py").write_text("from helper import N\ndef number(): return N\n")
    code = load_code(tmp_path)
    root = tmp_path.resolve()
    assert {source.name for source, read in code.imported.reads.items() if root / "limits.json" in read} == {
        "helper.py",
        "steps.py",
    }
    (tmp_path / "limits.json").write_text("2")
    assert load_code(tmp_path).functions("steps")["number"]() == 2
