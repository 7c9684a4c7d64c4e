"""What counts as a change: the caching rule, case by case, with real edits of real files."""

from pathlib import Path
from typing import Any

import pytest

from threefold.pipeline.closure import Reach, Sources
from threefold.pipeline.files import Files
from threefold.pipeline.step import Step

FEATURES = '''"""Features of the flights."""
import math
import tables
from helpers import scale, ROUNDING as DIGITS
from kit import clip

FACTOR = 3


class Ranker:
    """Ranks."""

    def rank(self, value):
        return value + self.offset()

    def offset(self):
        return 1


def late_rate(count):
    """How many are late."""
    # a comment
    ranked = Ranker().rank(count) * FACTOR
    return round(clip(scale(ranked)) + tables.width() + math.floor(0.5), DIGITS)


def unrelated(count):
    return count
'''

HELPERS = """import deep

ROUNDING = 2
SPARE = 9


def scale(value):
    return deep.base() * value


def lazy(value):
    from later import shift
    return shift(value)
"""

FILES = {
    "features.py": FEATURES,
    "helpers.py": HELPERS,
    "deep.py": "def base():\n    return LEVEL\n\n\nLEVEL = 2\n\n\ndef other():\n    return 0\n",
    "tables.py": "def width():\n    return 7\n",
    "kit/__init__.py": "from kit.shapes import *\n",
    "kit/shapes.py": "def clip(value):\n    return min(value, 1000)\n\n\ndef spin(value):\n    return -value\n",
    "later.py": "def shift(value):\n    return value + 1\n",
}

CHANGES = [
    ("nothing", "features.py", "FACTOR = 3", "FACTOR = 3", None),
    ("a comment in the body", "features.py", "# a comment", "# another", None),
    ("a docstring", "features.py", "How many are late.", "The share of late ones.", None),
    ("the docstring of a class", "features.py", '"""Ranks."""', '"""Puts in order."""', None),
    ("layout", "features.py", "    return round(", "\n\n    return   round(", None),
    ("an unrelated function of the file", "features.py", "return count\n", "return count + 1\n", None),
    ("an unrelated constant of a helper", "helpers.py", "SPARE = 9", "SPARE = 10", None),
    ("an unrelated function two imports deep", "deep.py", "return 0", "return 1", None),
    ("an unused function behind a star import", "kit/shapes.py", "return -value", "return +value", None),
    ("the body", "features.py", "+ math.floor(0.5)", "+ math.floor(1.5)", "function 'late_rate' in features.py"),
    ("a constant of the module", "features.py", "FACTOR = 3", "FACTOR = 4", "constant 'FACTOR' in features.py"),
    ("a method of a class", "features.py", "return 1\n", "return 2\n", "class 'Ranker' in features.py"),
    ("a helper of another module", "helpers.py", "* value", "* value + 1", "function 'scale' in helpers.py"),
    ("an imported constant", "helpers.py", "ROUNDING = 2", "ROUNDING = 1", "constant 'ROUNDING' in helpers.py"),
    ("a helper two imports deep", "deep.py", "return LEVEL", "return LEVEL + 1", "function 'base' in deep.py"),
    ("a constant two imports deep", "deep.py", "LEVEL = 2", "LEVEL = 3", "constant 'LEVEL' in deep.py"),
    ("a module reached by attribute", "tables.py", "return 7", "return 8", "function 'width' in tables.py"),
    ("a function behind a star import", "kit/shapes.py", "1000", "10", "function 'clip' in kit/shapes.py"),
]


@pytest.fixture
def flights(project: Any) -> Any:
    for name, text in FILES.items():
        project.write(name, text)
    return project


def late_rate(project: Any) -> Any:
    step = Step("rate", project.module("features").late_rate, params={"count": 5})
    return project.run([step]).executions[0]


@pytest.mark.parametrize(("name", "file", "old", "new", "reason"), CHANGES, ids=[change[0] for change in CHANGES])
def test_a_step_runs_again_exactly_when_code_it_reaches_changed(
    flights: Any, name: str, file: str, old: str, new: str, reason: str | None
) -> None:
    assert late_rate(flights).status == "ran"
    flights.edit(file, old, new)
    again = late_rate(flights)
    assert (again.status, again.reason) == (
        ("reused", "nothing it depends on changed") if reason is None else ("ran", f"{reason} changed")
    )


@pytest.mark.parametrize(("name", "file", "old", "new", "reason"), CHANGES, ids=[change[0] for change in CHANGES])
def test_what_is_taken_back_is_reused(
    flights: Any, name: str, file: str, old: str, new: str, reason: str | None
) -> None:
    late_rate(flights)
    flights.edit(file, old, new)
    late_rate(flights)
    flights.write(file, FILES[file])
    assert late_rate(flights).status == "reused"


def reach(root: Path, function: str, files: dict[str, str]) -> Reach:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    file, _, name = function.partition(":")
    return Sources(root, Files()).of_symbol(root / file, name)


def names(found: Reach) -> set[str]:
    return set(found.code)


def test_an_import_inside_a_function_is_followed(tmp_path: Path) -> None:
    found = reach(
        tmp_path, "a.py:run", {"a.py": "def run():\n    from b import f\n    return f()\n", "b.py": "def f(): ..."}
    )
    assert names(found) == {"a.py: function run", "b.py: function f"}


def test_a_re_exported_name_is_followed_to_its_home(tmp_path: Path) -> None:
    files = {
        "a.py": "from kit import f\ndef run():\n    return f()\n",
        "kit/__init__.py": "from .inner import f, g\n",
        "kit/inner.py": "from .more import LIMIT\ndef f(): return LIMIT\ndef g(): ...\n",
        "kit/more.py": "LIMIT = 1\n",
    }
    expected = {"a.py: function run", "kit/inner.py: function f", "kit/more.py: constant LIMIT"}
    assert names(reach(tmp_path, "a.py:run", files)) == expected


def test_two_modules_that_import_each_other_end(tmp_path: Path) -> None:
    files = {
        "a.py": "from b import *\ndef run():\n    return g() + missing()\n",
        "b.py": "from a import *\ndef g():\n    return run\n",
    }
    assert names(reach(tmp_path, "a.py:run", files)) == {"a.py: function run", "b.py: function g"}


def test_a_local_variable_is_not_the_function_of_the_same_name(tmp_path: Path) -> None:
    text = "def rate(): ...\ndef run(rows):\n    rate = len(rows)\n    return [rate for row in rows]\n"
    assert names(reach(tmp_path, "a.py:run", {"a.py": text})) == {"a.py: function run"}


def test_a_name_in_a_comprehension_hides_only_inside_it(tmp_path: Path) -> None:
    text = "def rate(): ...\ndef run(rows):\n    return [rate for rate in rows], rate()\n"
    assert names(reach(tmp_path, "a.py:run", {"a.py": text})) == {"a.py: function run", "a.py: function rate"}


def test_a_module_handed_about_counts_whole(tmp_path: Path) -> None:
    files = {
        "a.py": "import b\ndef run(name):\n    return getattr(b, name)()\n",
        "b.py": "def f(): ...\ndef g(): ...\n",
    }
    assert names(reach(tmp_path, "a.py:run", files)) == {"a.py: function run", "b.py: function f", "b.py: function g"}


def test_what_acts_when_a_module_is_loaded_counts_for_who_loads_it(tmp_path: Path) -> None:
    files = {
        "a.py": "import b\nfrom c import add\n@add\ndef registered(): ...\ndef run():\n    return b.f()\n",
        "b.py": "TABLE = {}\nTABLE['x'] = 1\nprint('loaded')\ndef f(): ...\ndef g(): ...\n",
        "c.py": "ALL = []\ndef add(f):\n    ALL.append(f)\n    return f\n",
    }
    found = names(reach(tmp_path, "a.py:run", files))
    assert {"a.py: function registered", "c.py: function add", "c.py: constant ALL"} <= found
    assert {"b.py: module-level code", "b.py: constant TABLE"} <= found
    assert "b.py: function g" not in found


def test_a_docstring_that_the_result_quotes_counts(project: Any) -> None:
    project.write("checks.py", 'def calm(n):\n    """All is calm."""\n    return n\n')

    def run() -> Any:
        calm = project.module("checks").calm
        return project.run([Step("accept", calm, params={"n": 1}, told=(calm,))]).executions[0]

    run()
    assert run().status == "reused"
    project.edit("checks.py", "All is calm.", "All is quiet.")
    assert run().reason == "what 'calm' in checks.py says of itself changed"


EDITS_AT_LOADING = [
    "for _name in ('late',):\n    TABLE[_name] = 0.25\n",
    "FIRST, TABLE['late'] = 1, 0.25\n",
    "with open(__file__) as f:\n    TABLE['late'] = 0.25\n",
    "_ignored = TABLE.setdefault('late', 0.25)\n",
    "try:\n    import math as m\n    TABLE['late'] = 0.25\nfinally:\n    pass\n",
    "if TABLE is not None:\n    seen = True\n    TABLE['late'] = 0.25\n",
]


@pytest.mark.parametrize("text", EDITS_AT_LOADING)
def test_an_edit_of_code_that_changes_a_constant_while_loading_runs_its_users_again(project: Any, text: str) -> None:
    project.write("rates.py", f"TABLE = {{}}\n{text}\n\ndef rate():\n    return TABLE['late']\n")
    assert project.run([Step("rate", project.module("rates").rate)]).value("rate") == 0.25
    project.edit("rates.py", "0.25", "0.75")
    assert project.run([Step("rate", project.module("rates").rate)]).value("rate") == 0.75


@pytest.mark.parametrize(
    "base",
    [
        "class Base:\n    def __init_subclass__(cls):\n        ALL.append(cls)\n",
        "class Meta(type):\n    def __init__(cls, *a):\n        ALL.append(cls)\nclass Base(metaclass=Meta): ...\n",
    ],
)
def test_a_class_that_enters_itself_by_deriving_counts(tmp_path: Path, base: str) -> None:
    files = {
        "a.py": "import b\nfrom c import ALL\ndef run():\n    return [one.rate for one in ALL]\n",
        "b.py": "from c import Base\nclass Late(Base):\n    rate = 1\n",
        "c.py": f"ALL = []\n{base}",
    }
    assert "b.py: class Late" in names(reach(tmp_path, "a.py:run", files))


def test_a_decorator_that_only_wraps_does_not_count_for_others(tmp_path: Path) -> None:
    text = "from functools import cache\n@cache\ndef other(): ...\ndef run(): ...\n"
    assert names(reach(tmp_path, "a.py:run", {"a.py": text})) == {"a.py: function run"}


def test_what_runs_only_as_a_script_does_not_count(tmp_path: Path) -> None:
    text = "def run(): ...\nif __name__ == '__main__':\n    print(run())\n"
    assert names(reach(tmp_path, "a.py:run", {"a.py": text})) == {"a.py: function run"}


def test_both_branches_of_an_import_that_may_fail_count(tmp_path: Path) -> None:
    files = {
        "a.py": "try:\n    from fast import f\nexcept ImportError:\n    from slow import f\ndef run():\n    return f()\n",
        "fast.py": "def f(): ...\n",
        "slow.py": "def f(): ...\n",
    }
    assert {"fast.py: function f", "slow.py: function f"} <= names(reach(tmp_path, "a.py:run", files))


def test_the_base_class_of_a_class_counts(tmp_path: Path) -> None:
    text = "class Base: ...\nclass Child(Base): ...\ndef run():\n    return Child()\n"
    assert {"a.py: class Base", "a.py: class Child"} <= names(reach(tmp_path, "a.py:run", {"a.py": text}))


@pytest.mark.parametrize(
    "line",
    [
        "return eval('1')",
        "return exec('1')",
        "return globals()['f']",
        "return __import__('b')",
        "import importlib\n    return importlib.import_module('b')",
        "import sys\n    return sys.modules['b']",
        "return object.__subclasses__()",
    ],
)
def test_code_that_hides_what_it_reaches_counts_the_whole_source(tmp_path: Path, line: str) -> None:
    found = reach(tmp_path, "a.py:run", {"a.py": f"def run():\n    {line}\n", "b.py": "def f(): ...\n"})
    assert found.opaque[0].startswith("a.py:1 uses ")
    assert "b.py: file" in found.code


def test_reading_the_metadata_of_packages_hides_nothing(tmp_path: Path) -> None:
    text = "from importlib.metadata import version\nimport re\ndef run():\n    return re.compile(version('msgspec'))\n"
    assert reach(tmp_path, "a.py:run", {"a.py": text}).opaque == []


def test_an_installed_package_is_named_and_not_followed(tmp_path: Path) -> None:
    found = reach(
        tmp_path, "a.py:run", {"a.py": "import numpy as np\nimport json\ndef run():\n    return np.mean([1])\n"}
    )
    assert found.imports == {"numpy"}
    assert found.code["a.py: import np"] == "numpy"


def test_another_import_under_the_same_name_is_a_change(tmp_path: Path) -> None:
    mean = reach(tmp_path, "a.py:run", {"a.py": "from numpy import mean as m\ndef run():\n    return m\n"})
    median = reach(tmp_path, "a.py:run", {"a.py": "from numpy import median as m\ndef run():\n    return m\n"})
    assert mean.code != median.code


def test_a_virtual_environment_inside_the_project_is_not_its_source(tmp_path: Path) -> None:
    files = {
        "a.py": "def run():\n    return eval('1')\n",
        "env/pyvenv.cfg": "home = /usr\n",
        "env/lib/thing.py": "THING = 1\n",
        ".hidden/thing.py": "THING = 1\n",
    }
    assert {name for name in reach(tmp_path, "a.py:run", files).code if name.endswith(": file")} == {"a.py: file"}
