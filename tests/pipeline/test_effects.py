import ast

import pytest

from threefold.pipeline.effects import acts, imported_names

HEAD = """
import json, re, os, functools, tomllib
import numpy as np
import polars as pl
from pathlib import Path
from dataclasses import dataclass, field
from enum import Enum, auto
from kit import change
TABLE = {}
"""


def effect(text: str) -> bool:
    body = ast.parse(HEAD + text).body
    return acts(body[-1], imported_names(body))


@pytest.mark.parametrize(
    "text",
    [
        "X = 1",
        "A, (B, *C) = 1, (2, 3)",
        "N: int = 3",
        "N: int",
        "N += 1",
        "CARRIERS = frozenset({'AA', 'UA'})",
        "PATTERN = re.compile(r'x+', re.IGNORECASE)",
        "HERE = Path(__file__).resolve().parent / 'x'",
        "CFG = json.loads(Path(__file__).with_name('limits.json').read_text())",
        "RATE = pl.col('late').fill_null(0.0).mean().alias('rate')",
        "BINS = np.linspace(0, 1, 5)",
        "NAMES = 'a b'.split()",
        "SQUARES = {n: n * n for n in range(3) if n}",
        "LOOKUP = sorted(TABLE, key=lambda name: -len(name))",
        "half = functools.partial(min, 2)",
        "f = lambda: TABLE.clear()",
        "def f(a=1): TABLE.clear()",
        "class C(Enum):\n    'Doc.'\n    A = auto()\n    def m(self): TABLE.clear()",
        "@dataclass(frozen=True)\nclass C:\n    a: list = field(default_factory=list)",
        "try:\n    import fast\nexcept ImportError:\n    fast = None",
        "with open('x.toml', 'rb') as file:\n    LIMITS = tomllib.load(file)",
        "if os.getenv('FAST'):\n    LIMIT = 1\nelse:\n    LIMIT = 2",
        "if __name__ == '__main__':\n    change(TABLE)",
    ],
)
def test_a_statement_that_only_binds_names_does_not_act(text: str) -> None:
    assert not effect(text)


@pytest.mark.parametrize(
    "text",
    [
        "change(TABLE)",
        "for _name in ('late',):\n    TABLE[_name] = 1.0",
        "FIRST, TABLE['extra'] = 1, 2.0",
        "with open(__file__) as file:\n    TABLE['len'] = 0.5",
        "with open(__file__) as TABLE['file']:\n    x = 1",
        "_ignored = TABLE.setdefault('late', 0.25)",
        "_ignored = [TABLE.pop(name) for name in 'ab']",
        "_ignored = change(TABLE)",
        "_ignored = dict.update(TABLE, a=1)",
        "_ignored = min([TABLE], key=change)",
        "_ignored = max(TABLE, TABLE).update(a=1)",
        "_ignored = [TABLE][0].update(a=1)",
        "_ignored = list(map(TABLE.pop, 'ab'))",
        "if TABLE:\n    x = 1\n    change(TABLE)",
        "try:\n    x = TABLE.pop('a')\nexcept KeyError:\n    x = 0",
        "while (n := len(TABLE)) < 3:\n    TABLE[n] = n",
        "ALIAS += [1]",
        "TABLE.limit = 1",
        "del TABLE['x']",
        "def f(a=TABLE.setdefault('late', 0.25)): ...",
        "class C:\n    TABLE['x'] = 1",
        "class C(Base, name='x'): ...",
        "@change\ndef f(): ...",
    ],
)
def test_a_statement_that_may_change_what_others_see_acts(text: str) -> None:
    assert effect(text)
