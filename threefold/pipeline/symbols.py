"""What one source file defines, and what each definition refers to: read from the text, never by importing.

A definition counts by its syntax tree without docstrings, comments and layout. Names are looked up as Python would:
what a function binds itself is its own, everything else is looked for in the module.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from threefold.pipeline.effects import acts, enrols, imported_names

READERS = ("read_", "scan_")  # how the functions begin that open a file by its name
HEARD = ("read_text", "read_bytes")  # these are Python's own, and heard when they open it
WRITERS = ("write_", "sink_", "save")
LONGEST_NAME = 200  # characters of a text that may be the name of a file

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_NAMED = (*_DEFINITIONS, ast.ExceptHandler, ast.MatchAs, ast.MatchStar)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass(slots=True)
class Statement:
    """One statement at the top of a module, with all that stands in it."""

    label: str  # "function late_rate", "class Ranker", "constant LIMIT", "module-level code"
    digest: str
    first: int  # lines, counted from 1
    last: int
    names: list[str] = field(default_factory=list)  # what it binds in the module
    refs: list[str] = field(default_factory=list)  # dotted names it reads that it does not bind itself: "np.mean"
    imports: dict[str, list[str]] = field(default_factory=dict)  # local name -> "module" or "module:symbol"
    stars: list[str] = field(default_factory=list)  # modules of which it imports everything
    loads: list[str] = field(default_factory=list)  # modules that an import inside it loads
    named: list[str] = field(default_factory=list)  # texts in it that may be the names of files it reads
    reads_files: bool = False  # it calls read_csv, scan_parquet and the like, which open files unseen by Python
    enrols: bool = False  # a class that acts when another derives from it: __init_subclass__, or a metaclass
    effect: bool = False  # it acts when the module is loaded, whoever loads it


@dataclass(slots=True)
class FileTable:
    """All statements of one file."""

    statements: list[Statement]


def read_table(source: bytes, module: str, is_package: bool) -> FileTable:
    """The symbol table of a source text.

    Args:
        source: the file's bytes.
        module: the dotted name under which the file is imported, for relative imports.
        is_package: whether the file is the `__init__.py` of a package.
    Raises:
        SyntaxError: the text is not Python.
    """
    package = module if is_package else module.rpartition(".")[0]
    body = [node for node in ast.parse(source).body if not _ignored(node)]
    imports = imported_names(body)
    return FileTable([_statement(node, package, imports) for node in body])


def _ignored(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True  # a docstring, or a bare literal
    return isinstance(node, ast.Pass) or (isinstance(node, ast.ImportFrom) and node.module == "__future__")


def _statement(node: ast.stmt, package: str, imports: Mapping[str, str]) -> Statement:
    effect = acts(node, imports)
    reader = _Reader(package)
    reader.visit(node)
    names = [node.name] if isinstance(node, _DEFINITIONS) else [*sorted(_bound([node])), *sorted(reader.imports)]
    return Statement(
        _label(node, names), _digest(node), min([node.lineno, *_decorator_lines(node)]), node.end_lineno or node.lineno,
        names, sorted(reader.refs), reader.imports, sorted(reader.stars), sorted(reader.loads),
        sorted(set(_file_names(node))), any(_is_call_to(one, READERS) for one in ast.walk(node)),
        enrols(node), effect,
    )  # fmt: skip


def _decorator_lines(node: ast.stmt) -> list[int]:
    return [decorator.lineno for decorator in getattr(node, "decorator_list", ())]


def _label(node: ast.stmt, names: Sequence[str]) -> str:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return f"function {node.name}"
    if isinstance(node, ast.ClassDef):
        return f"class {node.name}"
    if isinstance(node, ast.Import | ast.ImportFrom):
        return f"import {', '.join(names)}"
    if not names:
        return "module-level code"
    kind = "constant" if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) else "block"
    return f"{kind} {', '.join(names)}"


def _digest(node: ast.stmt) -> str:
    _drop_docstrings(node)
    return hashlib.sha256(ast.dump(node, annotate_fields=False).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _drop_docstrings(tree: ast.AST) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and type(first.value.value) is str:
                node.body = node.body[1:] or [ast.Pass()]


def _file_names(node: ast.AST) -> Iterator[str]:
    """The texts that look like the name of a file, without those that are handed to something that writes."""
    if _is_call_to(node, WRITERS):
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        name = node.value
        if "." in name.strip("./") and len(name) <= LONGEST_NAME and not any(mark in name for mark in "\n*?"):
            yield name
    for child in ast.iter_child_nodes(node):
        yield from _file_names(child)


def _is_call_to(node: ast.AST, beginnings: tuple[str, ...]) -> bool:
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    name = called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
    return name.startswith(beginnings) and name not in HEARD


# ------------------------------------------------------------------------------------------------------- names


def _bound(nodes: Sequence[ast.AST]) -> set[str]:
    """The names that some statements bind in the scope they stand in; imports are kept apart."""
    names: set[str] = set()
    for node in _same_scope(nodes):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names.add(node.id)
        elif isinstance(node, _NAMED) and node.name:
            names.add(node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            names.add(node.rest)
    return names


def _same_scope(nodes: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """All nodes below, but not those in the scope of a function, class or comprehension of their own."""
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, _COMPREHENSIONS):
            # Only `:=` reaches out of a comprehension.
            waiting.extend(one.target for one in ast.walk(node) if isinstance(one, ast.NamedExpr))
        elif not isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            waiting.extend(ast.iter_child_nodes(node))


@dataclass(slots=True)
class _Scope:
    bound: set[str]
    declared_global: set[str]


class _Reader(ast.NodeVisitor):
    """Collects the names a statement reads without binding them, and the imports that stand in it."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.scopes: list[_Scope] = []
        self.refs: set[str] = set()
        self.imports: dict[str, list[str]] = {}
        self.stars: set[str] = set()
        self.loads: set[str] = set()

    def _is_own(self, name: str) -> bool:
        for scope in reversed(self.scopes):
            if name in scope.declared_global:
                return False
            if name in scope.bound:
                return True
        return False

    def visit_Name(self, node: ast.Name) -> None:
        if not self._is_own(node.id) and (self.scopes or isinstance(node.ctx, ast.Load)):
            self.refs.add(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        parts, inner = [node.attr], node.value
        while isinstance(inner, ast.Attribute):
            parts.append(inner.attr)
            inner = inner.value
        if not isinstance(inner, ast.Name):
            self.visit(inner)
        elif not self._is_own(inner.id):
            self.refs.add(".".join((inner.id, *reversed(parts))))
        if "__subclasses__" in parts:
            self.refs.add("__subclasses__")

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.loads.add(alias.name)
            # `import a.b` binds a; `import a.b as c` binds c to a.b.
            local = alias.asname or alias.name.partition(".")[0]
            self._import(local, alias.name if alias.asname else local)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        if node.level:
            parts = self.package.split(".") if self.package else []
            base = parts[: len(parts) - node.level + 1]
            module = ".".join((*base, *([module] if module else [])))
        self.loads.add(module)
        for alias in node.names:
            if alias.name == "*":
                self.stars.add(module)
            else:
                self._import(alias.asname or alias.name, f"{module}:{alias.name}")

    def _import(self, local: str, target: str) -> None:
        targets = self.imports.setdefault(local, [])
        if target not in targets:
            targets.append(target)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function(node, node.body, node.decorator_list)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._function(node, node.body, node.decorator_list)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._function(node, [node.body], [])

    def _function(
        self,
        node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda,
        body: Sequence[ast.AST],
        decorators: Sequence[ast.expr],
    ) -> None:
        arguments = node.args
        named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        named += [one for one in (arguments.vararg, arguments.kwarg) if one]
        outside = [*decorators, *arguments.defaults, *arguments.kw_defaults, *(one.annotation for one in named)]
        for part in (*outside, getattr(node, "returns", None)):
            if part is not None:
                self.visit(part)
        declared = {
            name for one in _same_scope(body) if isinstance(one, ast.Global | ast.Nonlocal) for name in one.names
        }
        everywhere = {name for one in _same_scope(body) if isinstance(one, ast.Global) for name in one.names}
        self._inside(body, {one.arg for one in named} | (_bound(body) - declared), everywhere)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        # Names bound in a class body are not seen by its methods, and may fall back to the module's: count them.
        for part in (*node.decorator_list, *node.bases, *node.keywords, *node.body):
            self.visit(part)

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> None:
        first = node.generators[0].iter
        self.visit(first)  # evaluated outside
        targets = _bound([one.target for one in node.generators])
        rest = [part for part in ast.iter_child_nodes(node)]
        self._inside(rest, targets, set())

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    def _inside(self, parts: Sequence[ast.AST], bound: set[str], declared_global: set[str]) -> None:
        self.scopes.append(_Scope(bound, declared_global))
        for part in parts:
            self.visit(part)
        self.scopes.pop()
