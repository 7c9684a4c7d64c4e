import importlib.util

import polars as pl
import pytest

from threefold.data.calling import call
from threefold.errors import DataError, StepFailed

PROJECT = """
def clean_orders(orders):
    return _halve(orders)


def _halve(orders):
    raise ValueError("half of what?")
"""


def test_the_innermost_line_of_the_project_is_named(tmp_path):
    file = tmp_path / "data.py"
    file.write_text(PROJECT)
    spec = importlib.util.spec_from_file_location("calling_example", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with pytest.raises(StepFailed, match="cleaning raised ValueError: half of what") as caught:
        call(module.clean_orders, pl.DataFrame(), "cleaning")
    assert caught.value.where == f"{file}:7"
    assert caught.value.exit_code == 1


def test_our_own_refusals_pass_as_they_are():
    def refuse(frame):
        raise DataError("no", "here", "stop")

    with pytest.raises(DataError, match="no"):
        call(refuse, pl.DataFrame(), "view")


def test_a_lazy_table_that_fails_names_its_function():
    with pytest.raises(StepFailed, match="ColumnNotFoundError") as caught:
        call(lambda frame: frame.lazy().select("b"), pl.DataFrame({"a": [1]}), "view 'x'")
    assert "test_calling.py" in caught.value.where
