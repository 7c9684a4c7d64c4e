"""Asking for help costs little: nothing heavy is imported for it."""

import subprocess
import sys

import pytest

HEAVY = ("alembic", "jinja2", "numpy", "onnxruntime", "pandas", "polars", "scipy", "skl2onnx", "sklearn", "sqlalchemy")
ASK = """
import sys
from threefold.cli import main
sys.argv = ["threefold", *sys.argv[1:]]
try:
    main()
except SystemExit as done:
    assert not done.code, done.code
print(*sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""


def imported_for(*words: str) -> set[str]:
    asked = subprocess.run([sys.executable, "-c", ASK, *words], capture_output=True, text=True, check=True)
    return set(asked.stderr.split())


@pytest.mark.parametrize("words", [("--help",), ("version",)], ids=" ".join)
def test_asking_imports_nothing_heavy(words: tuple[str, ...]) -> None:
    assert imported_for(*words) & set(HEAVY) == set()


def test_importing_threefold_imports_nothing_heavy() -> None:
    code = "import sys, threefold; print(*{name.partition('.')[0] for name in sys.modules})"
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(asked.stdout.split()) & set(HEAVY) == set()
