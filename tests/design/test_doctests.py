"""The examples in the docstrings hold."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize("name", ["words", "units", "settings", "offered", "page"])
def test_the_examples_of_a_module_hold(name: str):
    result = doctest.testmod(importlib.import_module(f"threefold.design.{name}"))
    assert result.attempted > 0
    assert result.failed == 0
