import pytest

from threefold.pipeline.symbols import Statement, read_table


def one(text: str) -> Statement:
    return read_table(text.encode(), "kit.inner", False).statements[0]


@pytest.mark.parametrize(
    ("text", "label", "names"),
    [
        ("def f(): ...", "function f", ["f"]),
        ("async def f(): ...", "function f", ["f"]),
        ("class C: ...", "class C", ["C"]),
        ("A, (B, *C) = x", "constant A, B, C", ["A", "B", "C"]),
        ("N: int = 1", "constant N", ["N"]),
        ("import a.b as c, d.e", "import c, d", ["c", "d"]),
        ("for i in x:\n    y = i", "block i, y", ["i", "y"]),
        ("if x:\n    def f(): ...\n    import g", "block f, g", ["f", "g"]),
        ("f()", "module-level code", []),
        ("a.b = 1", "module-level code", []),
    ],
)
def test_a_statement_is_labelled_by_what_it_binds(text: str, label: str, names: list[str]) -> None:
    assert (one(text).label, one(text).names) == (label, names)


@pytest.mark.parametrize(
    ("text", "refs"),
    [
        ("def f(a, *b, c=D, **e):\n    return a + b + c + e + g", {"D", "g"}),
        ("def f():\n    x = y\n    return x.z", {"y"}),
        ("def f():\n    return np.linalg.norm(v)", {"np.linalg.norm", "v"}),
        ("def f():\n    global n\n    n = 1", {"n"}),
        ("def f():\n    x = 1\n    def g():\n        nonlocal x\n        x = h\n    return g", {"h"}),
        ("def f(rows):\n    return [r.a for r in rows if r.b]", set()),
        ("def f():\n    return [x for x in x]", {"x"}),
        ("def f(v):\n    return [last := n for n in v], last", set()),
        ("def f(v):\n    match v:\n        case {'p': Point(x=a), **rest}:\n            return a, rest", {"Point"}),
        ("def f():\n    try: ...\n    except E as e:\n        raise e", {"E"}),
        ("def f():\n    with open(p) as file:\n        return file", {"open", "p"}),
        ("class C(B, metaclass=M):\n    x = 1\n    def m(self):\n        return x", {"B", "M", "x"}),
        ("f = lambda a, b=c: a + b + d", {"c", "d"}),
        ("x: T = f'{y!r:>{z}}'", {"T", "y", "z"}),
    ],
)
def test_a_statement_refers_to_what_it_does_not_bind(text: str, refs: set[str]) -> None:
    assert set(one(text).refs) == refs


@pytest.mark.parametrize(
    ("text", "imports", "loads"),
    [
        ("from . import a", {"a": ["kit:a"]}, ["kit"]),
        ("from .b import c as d", {"d": ["kit.b:c"]}, ["kit.b"]),
        ("from .. import e", {"e": [":e"]}, [""]),
        ("import a.b", {"a": ["a"]}, ["a.b"]),
        ("import a.b as c", {"c": ["a.b"]}, ["a.b"]),
    ],
)
def test_imports_are_resolved_from_the_package(text: str, imports: dict[str, list[str]], loads: list[str]) -> None:
    assert (one(text).imports, one(text).loads) == (imports, loads)


@pytest.mark.parametrize(
    ("text", "acts"),
    [
        ("register(f)", True),
        ("TABLE['x'] = 1", True),
        ("@register\ndef f(): ...", True),
        ("@functools.cache\ndef f(): ...", False),
        ("@dataclass(frozen=True)\nclass C: ...", False),
        ("X = 1", False),
        ("import a", False),
        ("if __name__ == '__main__':\n    f()", False),
    ],
)
def test_a_statement_that_acts_on_loading_is_told_from_one_that_only_binds(text: str, acts: bool) -> None:
    assert one(text).effect is acts


def test_comments_docstrings_and_layout_do_not_count() -> None:
    plain = "class C:\n    def m(self):\n        return 1"
    dressed = "class C:\n    '''Doc.'''\n\n    def m(self):  # why\n        '''Doc.'''\n        return (\n            1\n        )"
    assert one(plain).digest == one(dressed).digest
    assert one(plain).digest != one(plain.replace("1", "2")).digest


def test_a_function_of_nothing_but_a_docstring_stays_a_function() -> None:
    assert one("def f():\n    '''Doc.'''").digest == one("def f():\n    '''Other.'''").digest


def test_odd_files_are_read() -> None:
    for source in (
        b"",
        b"\xef\xbb\xbfx = 1",
        "# -*- coding: latin-1 -*-\nx = '\xe9'".encode("latin-1"),
        b"x = '\\ud800'",
    ):
        assert len(read_table(source, "a", False).statements) <= 1
